"""The promises are asked of what the proxy saw: a write that no intent announced does not go unseen."""

from __future__ import annotations

import boto3
import pytest

from tests.e2e.emulator import REGION
from tests.e2e.stage import Stage
from tests.promises.from_stage import stage_broken

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.breaks("P2", "P3", "P4", "P7", "N2")
def test_a_write_by_the_process_that_drives_the_run_past_its_journal_is_seen(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    assert stage_broken(stage) == []
    client = boto3.client(
        "elbv2",
        endpoint_url=stage.witness.url,
        region_name=REGION,
        aws_access_key_id="process1",
        aws_secret_access_key="test",
    )
    groups = [
        {"TargetGroupArn": stage.place.source, "Weight": 1},
        {"TargetGroupArn": stage.place.destination, "Weight": 1},
    ]
    forward = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    client.modify_rule(RuleArn=stage.place.routes[0].arn, Actions=forward)
    broken = stage_broken(stage)
    assert {one.partition(":")[0] for one in broken} >= {"P2", "P3", "P4"}
    assert stage.say("rollback", "one").code == 0
    run.ends()


def test_a_write_by_anybody_else_is_drift_and_breaks_nothing(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    groups = [
        {"TargetGroupArn": stage.place.source, "Weight": 1},
        {"TargetGroupArn": stage.place.destination, "Weight": 1},
    ]
    forward = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    stage.emulator.write(stage.place.routes[0], forward)
    stage.until("drift", lambda: any(one["type"] == "drift" for one in stage.records()), run)
    assert stage.say("rollback", "one").code == 0
    stage.expect(run, 3)
    assert stage.shares() == {0.0}
