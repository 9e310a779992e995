"""Two plan files with one rule: only one of them may run."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.stage(rules=1, listener=True)
def test_a_second_run_on_one_of_the_routes_ends_with_6_and_names_the_first(stage: Stage) -> None:
    first = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("ATTACHING", first)
    other = stage.plan("weight: 50, bake: 30s", name="other", file="other.yaml")
    second = stage.say("run", other, "--yes")
    assert second.code == 6, second.said
    assert "one" in second.err
    assert str(first.pid) in second.err
    assert [path.name for path in stage.state.glob("runs/*")] == ["one"], "nothing is left behind"

    os.kill(first.pid, signal.SIGKILL)
    first.ends()
    third = stage.say("run", other, "--yes")
    assert third.code == 6, "a dead process's run still owns its routes: " + third.said
    assert max(stage.climbs()) <= 0.1

    stage.expect(stage.drive("rollback", "one"), 3)
    assert stage.is_restored()
    after = stage.start("run", other, "--yes", "--run-id", "two")
    stage.until("its start", (stage.state / "runs" / "two" / "snapshot.json").exists, after)
    after.signal(signal.SIGTERM)
    assert after.ends() == 143


def test_of_two_that_start_together_one_runs_and_the_other_ends_with_6(stage: Stage) -> None:
    plans = [
        stage.plan("weight: 10, bake: 30s", name=name, file=f"{name}.yaml")
        for name in ("one", "two")
    ]
    both = [
        stage.start("run", plan, "--yes", "--run-id", name)
        for plan, name in zip(plans, ("one", "two"), strict=True)
    ]
    stage.until("an end of one", lambda: any(one.popen.poll() is not None for one in both))
    loser = next(one for one in both if one.popen.poll() is not None)
    winner = next(one for one in both if one is not loser)
    assert loser.ends() == 6, loser.said
    stage.until("the first write", stage.witness.effects, winner)
    winner.signal(signal.SIGTERM)
    stage.expect(winner, 143)
    assert len(list(stage.state.glob("runs/*"))) == 1


def test_of_two_resumes_at_once_only_one_drives(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 8s"))
    stage.until_phase("BAKING", run, step=0)
    os.kill(run.pid, signal.SIGKILL)
    run.ends()
    both = [stage.start("resume", "one") for _ in range(2)]
    codes = sorted(one.ends() for one in both)
    # the other was heard by the first, came when there was nothing to resume, found the lease taken, or was not heard
    assert codes in ([0, 0], [0, 2], [0, 6], [0, 7]), [one.said for one in both]
    assert stage.phase() == "COMPLETED"
    drivers = [one for one in stage.records() if one["type"] == "lease"]
    assert len(drivers) == 2, "the first process, and one of the two"
    assert stage.shares() == {0.1}
    stage.sound()
    stage.verified()
