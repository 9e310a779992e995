"""`kill -9` at the worst moments: what follows from the files alone converges, forward by a person's command and back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.e2e.stage import Process, Stage
from tests.e2e.witness import Does, is_write

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.crash]

STEPS = ("weight: 10, bake: 2s", "weight: 40, bake: 2s")


def _at_write(does: Does, at_least: float, at_most: float = 1.0) -> Callable[[Stage], Process]:
    def die(stage: Stage) -> Process:
        stage.witness.happens(does, is_write(at_least=at_least, at_most=at_most))
        return stage.run(stage.plan(*STEPS))

    return die


def _in_a_bake(stage: Stage) -> Process:
    # long enough for a slow machine to kill within it
    run = stage.run(stage.plan("weight: 10, bake: 8s", "weight: 40, bake: 2s"))
    stage.until_phase("BAKING", run, step=0)
    os.kill(run.pid, signal.SIGKILL)
    return run


DEATHS = {
    "while attaching, before the write": (_at_write("kill", 0.0, 0.0), {0.0}),
    "while attaching, after the write": (_at_write("kill_after", 0.0, 0.0), {0.0}),
    "between intent and write": (_at_write("kill", 0.05), {0.0}),
    "between write and outcome": (_at_write("kill_after", 0.05), {0.1}),
    "between the second intent and its write": (_at_write("kill", 0.3), {0.1}),
    "between the second write and its outcome": (_at_write("kill_after", 0.3), {0.4}),
    "in a bake": (_in_a_bake, {0.1}),
}


@pytest.mark.parametrize("death", DEATHS)
def test_after_a_kill_rollback_restores_and_resume_completes(stage: Stage, death: str) -> None:
    dies, shares = DEATHS[death]
    stage.expect(dies(stage), -9)
    assert stage.shares() == shares
    actions = {route: stage.emulator.actions(route) for route in stage.place.routes}

    copy = {"CUTOVER_STATE_DIR": str(stage.copy())}
    stage.expect(stage.drive("rollback", "one", env=copy), 3)
    assert stage.is_restored()

    for route, then in actions.items():  # the same moment again
        stage.emulator.write(route, then)
        stage.witness.traffic.wrote(route.arn, next(iter(shares)))
    before = len(stage.records())
    resumed = stage.drive("resume", "one")
    stage.expect(resumed, 0)
    assert stage.shares() == {0.4}
    after = stage.records()[before:]
    assert next(one for one in after if one["type"] == "phase")["hold"] == "crashed"
    first = next((n for n, one in enumerate(after) if one["type"] == "intent"), len(after))
    assert any(one["type"] == "command" for one in after[:first]), (
        "nothing moves before the command"
    )
    stage.verified()


@pytest.mark.parametrize("does", ["kill", "kill_after"])
@pytest.mark.parametrize("command", ["resume", "rollback"])
def test_a_rollback_that_dies_is_finished_whatever_is_said(
    stage: Stage, does: Does, command: str
) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    stage.witness.happens(does, is_write(at_most=0.0))
    stage.witness.traffic.break_destination(0.5)
    stage.expect(run, -9)
    assert stage.phase() == "ROLLING_BACK"
    stage.expect(stage.drive(command, "one"), 3)
    assert stage.is_restored()
    assert max(stage.climbs()) == 0.1, "no raise after the rollback began"
    stage.verified()


def test_a_run_that_dies_before_it_wrote_anything_has_nothing_to_resume(stage: Stage) -> None:
    stage.witness.happens("kill", lambda _: bool(stage.records()))
    stage.expect(stage.run(stage.plan(*STEPS)), -9)
    assert stage.records()
    assert not stage.witness.writes()
    assert stage.drive("resume", "one").ends() == 7
    assert not stage.witness.writes()
    assert stage.say("list").code == 0
