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
