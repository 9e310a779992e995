"""Two people at one run in the same moment: a rollback is never lost to who was faster."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def killed(stage: Stage) -> None:
    """A run whose process was killed in its first bake."""
    run = stage.run(stage.plan("weight: 10, bake: 8s", "weight: 100, bake: 2s"))
    stage.until_phase("BAKING", run, step=0)
    os.kill(run.pid, signal.SIGKILL)
    run.ends()


@pytest.mark.parametrize("first", ["resume", "rollback"])
def test_a_rollback_and_a_resume_at_once_end_rolled_back(stage: Stage, first: str) -> None:
    killed(stage)
    both = {
        command: stage.start(command, "one")
        for command in sorted(("resume", "rollback"), key=first.__ne__)
    }
    assert both["rollback"].ends() in (0, 3), both["rollback"].said
    both["resume"].ends()
    assert stage.phase() == "ROLLED_BACK", stage.view()
    assert stage.is_restored()
    assert max(stage.climbs()) <= 0.1
    assert list((stage.directory / "commands").iterdir()) == []
    stage.sound()
    stage.verified()


def test_two_rollbacks_at_once_both_say_that_it_goes_back(stage: Stage) -> None:
    killed(stage)
    both = [stage.start("rollback", "one") for _ in range(2)]
    for one in both:
        assert one.ends() in (0, 3), one.said
    assert stage.phase() == "ROLLED_BACK"
    assert stage.is_restored()
    stage.sound()
    stage.verified()
