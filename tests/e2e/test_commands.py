"""What other processes say to a run: pause, resume, approve, rollback."""

from __future__ import annotations

import json

import pytest

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_pause_holds_the_weight_and_resume_goes_on_to_the_end(stage: Stage) -> None:
    # long enough for a slow machine to start `pause` in it
    run = stage.run(stage.plan("weight: 10, bake: 10s", "weight: 100, bake: 2s"))
    stage.until_phase("BAKING", run, step=0)
    paused = stage.say("pause", "--why", "a look at the logs")
    assert paused.code == 0, paused.said
    assert stage.phase() == "HOLDING"
    again = stage.say("pause")
    assert (again.code, "holding already" in again.said) == (0, True), again.said
    unasked = stage.say("approve", "one")
    assert (unasked.code, "does not ask for approval" in unasked.said) == (7, True), unasked.said
    seen = len(stage.records())
    stage.until("a few turns of the hold", lambda: len(stage.records()) > seen + 3, run)
    assert stage.shares() == {0.1}
    resumed = stage.say("resume", "one")
    assert resumed.code == 0, resumed.said
    stage.expect(run, 0)
    commands = [
        (one["command"], one["why"]) for one in stage.records() if one["type"] == "command"
    ]
    assert ("pause", "a look at the logs") in commands
    bakes = [one for one in stage.records() if one["type"] == "phase" and one["after"] == "BAKING"]
    assert len(bakes) == 3, "the paused step baked afresh"


def test_a_step_that_asks_is_not_raised_before_somebody_approves(stage: Stage) -> None:
    steps = ("weight: 10, bake: 2s", 'weight: 100, bake: 2s, approve: "the load test passed"')
    run = stage.run(stage.plan(*steps))
    stage.until("a hold", lambda: stage.phase() == "HOLDING", run)
    assert stage.shares() == {0.1}
    assert "the load test passed" in stage.say("status", "one").said
    approved = stage.say("approve", "one", "--why", "seen")
    assert approved.code == 0, approved.said
    stage.expect(run, 0)
    assert stage.shares() == {1.0}


def test_rollback_from_another_process_takes_everything_back(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    said = stage.say("rollback", "--why", "the phone rings")
    assert said.code == 0, said.said
    stage.expect(run, 3)
    assert stage.is_restored()
    assert stage.say("rollback", "one").code == 3, "said again, it is still rolled back"
    stage.verified()


def test_a_living_process_shows_its_run_turn_by_turn_as_the_journal_has_it(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)

    def shown() -> bool:
        """The view is that of the newest record."""
        try:
            view = json.loads((stage.directory / "view.json").read_text())
        except (OSError, ValueError):
            return False
        end = view.get("journal", {}).get("hash")
        return bool(view["pid"] == run.pid and end == stage.records()[-1]["hash"])

    stage.until("a view", shown, run)
    first = (stage.directory / "view.json").read_text()
    stage.until("another view", lambda: (stage.directory / "view.json").read_text() != first, run)
    assert f"driven by process {run.pid}" in " ".join(stage.say("status", "one").said.split())
    stage.say("rollback")
    stage.expect(run, 3)
    assert shown()
    from_view = stage.say("status", "one", "--json").out
    (stage.directory / "view.json").unlink()
    assert stage.say("status", "one", "--json").out == from_view
