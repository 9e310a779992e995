"""Replies that are not AWS's, and helpers that give no credentials: they never end a rollback."""

from __future__ import annotations

import json

import pytest

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.stage(rules=2)
def test_a_portals_pages_in_the_middle_of_a_rollback_do_not_end_it(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    stage.witness.traffic.break_destination(0.5)
    stage.until_phase("ROLLING_BACK", run)
    stage.witness.happens("page", lambda call: True, times=12)
    stage.expect(run, 3)
    assert stage.is_restored()
    stage.verified()


HELPER = """#!/bin/sh
if [ -e {broken} ]; then echo 'WARNING: your session will end soon'; touch {met}; fi
end=$(date -u -d '+40 seconds' +%Y-%m-%dT%H:%M:%SZ)
echo '{keys}' | sed "s/END/$end/"
"""


def test_a_helper_that_warns_before_its_json_does_not_end_a_rollback(stage: Stage) -> None:
    broken, met, helper = (stage.path / name for name in ("broken", "met", "helper"))
    keys = {"Version": 1, "AccessKeyId": "process1", "SecretAccessKey": "b", "SessionToken": "c"}
    text = json.dumps({**keys, "Expiration": "END"})
    helper.write_text(HELPER.format(broken=broken, met=met, keys=text))
    helper.chmod(0o700)
    config = stage.path / "config"
    config.write_text(f"[default]\ncredential_process = {helper}\n")
    own = {
        "AWS_CONFIG_FILE": str(config),
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
    }
    plan = stage.plan("weight: 10, bake: 120s", safety="{blind_budget: 10m}")
    run = stage.drive("run", plan, "--yes", "--run-id", "one", env=own)
    stage.until_phase("BAKING", run, step=0)
    broken.touch()
    stage.until("a warning instead of credentials", met.exists, run)
    assert stage.say("rollback", "one").code == 0
    stage.until_phase("ROLLING_BACK", run)
    broken.unlink()
    stage.expect(run, 3)
    assert stage.is_restored()
    stage.verified()
