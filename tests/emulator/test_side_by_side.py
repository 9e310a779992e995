"""Rehearsals side by side, with a signal in the middle."""

from __future__ import annotations

import os
import signal
from typing import Any, cast

import pytest

from cutover.app.rehearsal import RehearsalResult
from cutover.app.rehearsals import Task, rehearse_tasks
from cutover.core.errors import ExitCode, StoppedError
from cutover.core.state import RunState
from cutover.emulator.scenario import Scenario


class _Signals:
    """Whoever unpickles it gets SIGTERM: the signal comes as the result does."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _signalled, ()


def _signalled() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class _Endless(Task):
    """A scenario that never ends."""

    def run(self, **_: Any) -> RehearsalResult:
        signal.pause()
        raise AssertionError("it ended")


class _Finished(Task):
    """A scenario that ended."""

    def run(self, **_: Any) -> RehearsalResult:
        nothing = cast("Any", None)
        return RehearsalResult(
            self.name, ExitCode.COMPLETED, RunState(), cast("Any", _Signals()), "completed",
            0, False, (), nothing, "",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("cores", "kinds"),
    [(1, (_Finished, _Endless)), (2, (_Finished, _Endless)), (2, (_Endless, _Finished))],
    ids=["on one core", "in turn", "out of turn"],
)
def test_after_a_signal_what_is_finished_still_comes_and_then_the_error(
    cores: int, kinds: tuple[type[Task], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    nothing = cast("Any", None)
    tasks = [
        kind(nothing, "", kind.__name__, Scenario(description="any"), 0, nothing) for kind in kinds
    ]
    results = rehearse_tasks(tasks)
    assert next(results).name == "_Finished"
    with pytest.raises(StoppedError, match="SIGTERM ended the rehearsals: 1 of 2") as caught:
        next(results)
    assert caught.value.exit_code == ExitCode.TERMINATED
