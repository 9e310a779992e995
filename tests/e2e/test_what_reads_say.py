"""Reads that are older than the run's own writes, and routes that do not exist any more."""

from __future__ import annotations

import json

import pytest

from tests.e2e.stage import Stage
from tests.e2e.witness import is_write

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def attached_at_zero(stage: Stage) -> None:
    """Every route names the destination at weight 0 before the run: its snapshot is what a stale read shows."""
    groups = [
        {"TargetGroupArn": stage.place.source, "Weight": 999},
        {"TargetGroupArn": stage.place.destination, "Weight": 0},
    ]
    for route in stage.place.routes:
        forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        stage.emulator.write(route, [forward])
    stage.found = stage.live()


def test_a_rollback_after_a_kill_at_the_raise_restores_although_reads_still_show_the_old_weights(
    stage: Stage,
) -> None:
    attached_at_zero(stage)
    stage.witness.happens("kill_after", is_write(at_least=0.3))
    run = stage.run(stage.plan("weight: 30, bake: 2s", "weight: 100, bake: 2s"))
    assert run.ends() == -9
    assert stage.shares() == {0.3}
    stage.witness.stale = True
    rollback = stage.drive("rollback", "one")
    stage.expect(rollback, 3)
    assert stage.is_restored(), stage.view()
    assert stage.climbs()[-1] == 0.0
    assert "no step was raised" not in rollback.said
    stage.verified()


def test_break_glass_writes_a_route_that_only_reads_as_restored(stage: Stage) -> None:
    attached_at_zero(stage)
    plan = stage.plan("weight: 30, bake: 2s", "weight: 100, bake: 2s")
    stage.witness.happens("kill_after", is_write(at_least=0.3))
    assert stage.run(plan).ends() == -9
    stage.witness.stale = True
    done = stage.say("rollback", "--plan", plan, "--no-run")
    assert done.code == 3, done.said
    assert stage.shares() == {0.0}


@pytest.mark.stage(rules=2)
def test_a_rule_deleted_in_mid_bake_holds_at_once_and_a_rollback_restores_the_others(
    stage: Stage,
) -> None:
    run = stage.run(stage.plan("weight: 30, bake: 60s", "weight: 100, bake: 2s"))
    stage.until_phase("BAKING", run, step=0)
    gone, other = stage.place.routes
    stage.emulator.elb.delete_rule(RuleArn=gone.arn)
    stage.until_phase("HOLDING", run)
    held = next(one for one in stage.records() if one.get("hold"))
    assert held["hold"] == "drift"
    assert "does not exist any more" in held["why"]
    status = stage.say("status", "one")
    assert "does not exist" in status.said
    done = stage.say("rollback", "one")
    assert run.ends() == 4, stage.view()
    assert "does not exist any more" in run.said
    modify = [line for line in (run.said + done.said).splitlines() if "--rule-arn" in line]
    assert not [line for line in modify if gone.arn in line]
    restored = stage.emulator.actions(other)
    assert {one.get("TargetGroupArn") or "" for one in restored} & {stage.place.source}
    body = json.loads(stage.say("status", "one", "--json").out)
    assert body["phase"] == "NEEDS_HUMAN"
