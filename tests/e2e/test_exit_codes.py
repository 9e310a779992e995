"""The exit codes that no other test here ends with: 2, 4, 5, 7."""

from __future__ import annotations

import pytest

from tests.e2e.emulator import REGION
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_plan_that_is_wrong_ends_with_2_and_leaves_nothing(stage: Stage) -> None:
    done = stage.say("run", stage.plan("weight: 100, bake: 2s"), "--yes")
    assert done.code == 2, done.said
    assert "acknowledge_big_bang" in done.err
    assert not stage.witness.calls
    assert not stage.state.exists()


def test_nobody_to_ask_ends_with_2(stage: Stage) -> None:
    done = stage.say("run", stage.plan())
    assert done.code == 2, done.said
    assert "--yes" in done.err
    assert not stage.witness.writes()


def test_a_route_that_cannot_be_restored_ends_with_4(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    theirs = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]
    stage.emulator.write(stage.place.routes[0], theirs)
    stage.until("a hold", lambda: stage.phase() == "HOLDING", run)
    assert stage.say("rollback", "one").code == 0
    stage.expect(run, 4)
    assert stage.emulator.actions(stage.place.routes[0])[0]["Type"] == "fixed-response"
    assert f"--region {REGION}" in run.said, "the commands for a person"
    assert stage.say("finish", "one", "--leave-as-is", "they know").code == 0


def test_exit_on_hold_ends_with_5_and_a_later_process_goes_on(stage: Stage) -> None:
    steps = ("weight: 10, bake: 2s", 'weight: 25, bake: 2s, approve: "ask me"')
    run = stage.run(stage.plan(*steps), "--exit-on-hold")
    stage.expect(run, 5)
    assert stage.shares() == {0.1}
    assert stage.say("approve", "one").code == 0
    stage.expect(stage.drive("resume", "one", "--exit-on-hold"), 0)
    assert stage.shares() == {0.25}


@pytest.mark.stage(destination_targets=0)
def test_a_destination_without_targets_is_refused_with_7(stage: Stage) -> None:
    run = stage.run(stage.plan())
    stage.expect(run, 7)
    assert stage.phase() == "REFUSED"
    assert not stage.witness.writes()
    again = stage.say("run", stage.plan(), "--yes")
    assert again.code == 7, "a refused run gave its routes back: " + again.said
