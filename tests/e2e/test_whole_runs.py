"""`cutover run` as a process on an emulated AWS, in real time: from the first look to its end."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from tests.e2e.stage import Stage
from tests.e2e.witness import is_write, named

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.stage(rules=1, listener=True)
def test_a_healthy_cutover_climbs_every_step_and_ends_with_0(stage: Stage) -> None:
    run = stage.run(stage.plan())
    stage.expect(run, 0)
    assert stage.shares() == {1.0}
    assert stage.climbs() == [0.0, 0.1, 1.0]
    assert stage.phase() == "COMPLETED"
    assert (stage.directory / "restore.sh").stat().st_mode & 0o077 == 0
    assert json.loads((stage.directory / "snapshot.json").read_text())
    assert stage.state.stat().st_mode & 0o777 == 0o700
    stage.verified()
    assert "cutover rollback one" in run.said
    assert stage.say("finish", "one").code == 0
    disarmed = subprocess.run(
        ["sh", str(stage.directory / "restore.sh")], capture_output=True, check=False
    )
    assert disarmed.returncode == 1
    assert stage.shares() == {1.0}
    assert stage.say("rollback", "one").code == 2, "a finished run gave its routes back"


def test_a_breach_goes_back_by_itself_and_ends_with_3(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s", "weight: 100, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    stage.witness.traffic.break_destination(0.5)
    stage.expect(run, 3)
    assert stage.is_restored()
    rollback = next(
        one for one in stage.records() if one["type"] == "phase" and one["after"] == "ROLLING_BACK"
    )
    assert rollback["cause"] == "breach"
    assert "errors" in rollback["why"]
    assert stage.climbs() == [0.0, 0.1, 0.0]
    stage.verified()


def test_a_completed_run_can_still_be_taken_back_to_the_letter(stage: Stage) -> None:
    (route, *_), alone = stage.place.routes, {"TargetGroupArn": stage.place.source, "Weight": 100}
    off = {"Enabled": False, "DurationSeconds": 3600}
    config = {"TargetGroups": [alone], "TargetGroupStickinessConfig": off}
    stage.emulator.write(route, [{"Type": "forward", "Order": 1, "ForwardConfig": config}])
    before = stage.emulator.actions(route)
    run = stage.run(stage.plan("weight: 100, bake: 2s", more="acknowledge_big_bang: true\n"))
    stage.expect(run, 0)
    stage.expect(stage.drive("rollback", "one"), 3)
    assert stage.is_restored()
    assert stage.emulator.actions(route) == before
    stage.verified()


def test_a_breach_goes_back_also_while_a_raise_is_held(stage: Stage) -> None:
    stage.witness.happens("throttle", is_write(at_least=0.3), times=10_000)
    run = stage.run(stage.plan("weight: 10, bake: 2s", "weight: 40, bake: 2s"))
    stage.until_phase("SHIFTING", run, step=1)
    assert stage.say("pause", "one").code == 0
    stage.witness.traffic.break_destination(0.5)
    stage.until_phase("ROLLING_BACK", run)
    stage.expect(run, 3)
    rollback = next(one for one in stage.records() if one.get("after") == "ROLLING_BACK")
    assert rollback["cause"] == "breach"
    assert stage.is_restored()


def test_cloudwatch_that_denies_is_no_evidence_and_the_run_holds(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 60s", "weight: 100, bake: 2s"))
    stage.until_phase("SETTLING", run, step=0)
    stage.witness.happens("denied", named("GetMetricData"), times=10_000)
    stage.until("a hold", lambda: stage.phase() == "HOLDING", run)
    assert stage.shares() == {0.1}
    assert stage.say("rollback", "one").code == 0
    stage.expect(run, 3)
    assert stage.is_restored()


def test_minutes_without_requests_raise_nothing(stage: Stage) -> None:
    # long enough for a slow machine to silence it before
    run = stage.run(stage.plan("weight: 10, bake: 8s", "weight: 100, bake: 2s"))
    stage.until_phase("SETTLING", run, step=0)
    stage.witness.traffic.silent = time.time()
    seen = len(stage.records())
    stage.until(
        "many more minutes than the bake is long",
        lambda: sum(one["type"] == "minute" for one in stage.records()[seen:]) > 24,
        run,
    )
    assert stage.shares() == {0.1}
    assert not any(one.get("step") == 1 for one in stage.records())
    run.signal(signal.SIGTERM)
    stage.expect(run, 143)


def test_a_dry_run_sends_no_call_that_changes_anything(stage: Stage) -> None:
    done = stage.say("run", stage.plan(), "--dry-run")
    assert done.code == 0, done.said
    assert stage.witness.calls
    assert not stage.witness.writes()
    assert not list(stage.state.glob("runs/*"))
    assert stage.is_restored()
