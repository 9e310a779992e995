"""Rehearsals side by side, with a signal in the middle."""

from __future__ import annotations

import os
import signal
from typing import Any, cast

import pytest

from cutover.core.errors import ExitCode, StoppedError
from cutover.core.state import RunState
from cutover.rehearsal.scenario import Scenario
from cutover.wiring.rehearsals import Task, rehearse_tasks
from cutover.wiring.rehearsed import RehearsalResult


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


@pytest.mark.skipif(
    len(os.sched_getaffinity(0)) == 1, reason="nothing is side by side on one core"
)
def test_after_a_signal_what_is_finished_still_comes_also_out_of_turn() -> None:
    nothing = cast("Any", None)
    tasks = [
        kind(nothing, "", name, Scenario(description="any"), 0, nothing)
        for kind, name in ((_Endless, "first"), (_Finished, "second"))
    ]
    results = rehearse_tasks(tasks)
    assert next(results).name == "second"
    with pytest.raises(StoppedError, match="SIGTERM ended the rehearsals: 1 of 2") as caught:
        next(results)
    assert caught.value.exit_code == ExitCode.TERMINATED


@pytest.mark.parametrize("cores", [1, 2])
def test_a_signal_between_two_rehearsals_is_heard_on_one_core_too(
    cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    nothing = cast("Any", None)
    tasks = [
        kind(nothing, "", name, Scenario(description="any"), 0, nothing)
        for kind, name in ((_Finished, "first"), (_Endless, "second"))
    ]
    results = rehearse_tasks(tasks)
    assert next(results).name == "first"
    with pytest.raises(StoppedError, match="SIGTERM ended the rehearsals: 1 of 2"):
        next(results)
