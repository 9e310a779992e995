"""Cutovers that never happened: the plan started at every hour of the past, and driven by the engine to its end.

A start has the minutes before it as its baseline. Minutes are published as they end and settle by their age; a run
looks when one does either, and as often as the engine asks while it shifts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from cutover.core.backtest.history import History
from cutover.core.backtest.rows import moment_of
from cutover.core.backtest.simulated_run import SimulatedRun, judged_plan
from cutover.core.backtest.split import split
from cutover.core.engine import Decision, first_look
from cutover.core.messages import why_of, why_text
from cutover.core.moment import Moment, floor_to
from cutover.core.observation import Comparison, Known, Minute, Reading
from cutover.core.plan import Plan
from cutover.core.reasons import Code, Reason
from cutover.core.state import Phase
from cutover.core.values import HOUR, MINUTE

BASELINE = HOUR
"""How much of the past a start needs before it (docs/judge.md)."""


class SimulatedEnd(StrEnum):
    """How a start would have gone."""

    COMPLETED = "completed"
    HELD = "held"  # a person would have been asked or paged
    ROLLED_BACK = "rolled back"
    CUT_OFF = "cut off"  # the past ends before the cutover does


_ENDS = {
    Phase.COMPLETED: SimulatedEnd.COMPLETED,
    Phase.HOLDING: SimulatedEnd.HELD,
    Phase.ROLLING_BACK: SimulatedEnd.ROLLED_BACK,
}


@dataclass(frozen=True)
class SimulatedCutover:
    """One start in the past.

    Attributes:
        began_ms: when, in ms since the epoch.
        ended: how it went.
        step: the last step it reached; the first one also when it never got there.
        minutes: how long it took.
        gate: the one that held it or went back; empty when none did.
        sentence: why it held or went back; empty otherwise.
    """

    began_ms: int
    ended: SimulatedEnd
    step: int
    minutes: int
    gate: str = ""
    sentence: str = ""


def starts(past: History) -> tuple[int, ...]:
    """The minutes (their index) of every full hour that has a baseline before it."""
    before, period = BASELINE // past.period_ms, past.period_ms
    hours = (n for n, minute in enumerate(past.minutes) if minute.at_ms % HOUR < period)
    return tuple(n for n in hours if n >= before)


def attempt(plan: Plan, comparison: Comparison, past: History, first: int) -> SimulatedCutover:
    """The cutover that begins with the minute of this index."""
    judged = judged_plan(plan, comparison, past.mapping, period=past.period_ms)
    began_ms = past.minutes[first].at_ms
    run = SimulatedRun(judged, past.mapping, began_ms, sticky=not past.divided)
    last_ms = past.minutes[-1].at_ms + past.period_ms + judged.observe.settle
    metrics = _Metrics(past, run)
    while True:
        decision = run.turn(metrics.published())
        wake, ended = _wake(run, decision), _ENDS.get(run.state.phase)
        if ended is None and wake.wall_ms > last_ms:
            ended = SimulatedEnd.CUT_OFF
        if ended is not None:
            minutes, step = (run.now.wall_ms - began_ms) // MINUTE, max(0, run.state.step)
            stopped = ended in (SimulatedEnd.HELD, SimulatedEnd.ROLLED_BACK)
            why = (_gate(why_of(run.state)), why_text(run.state)) if stopped else ()
            return SimulatedCutover(began_ms, ended, step, minutes, *why)
        run.now = wake


class _Metrics:
    """A past as its run reads it: each minute once it is over, until it is journalled."""

    def __init__(self, past: History, run: SimulatedRun) -> None:
        self._past, self._run = past, run
        self._from_ms = first_look(run.plan, run.state, run.now).minutes_from_ms or 0
        self._served: dict[int, Minute] = {}

    def published(self) -> Reading[tuple[Minute, ...]]:
        """What is over and not journalled yet: minutes of a past are never corrected."""
        run, period, first_ms = self._run, self._past.period_ms, self._past.minutes[0].at_ms
        now_ms, journalled = run.now.wall_ms, run.state.journalled_ms.get(run.comparison.id)
        from_ms = self._from_ms if journalled is None else journalled + period
        begin, end = -((first_ms - from_ms) // period), (now_ms - first_ms) // period
        settles_ms = now_ms - period - run.plan.observe.settle
        wanted = self._past.minutes[max(0, begin) : end]
        minutes = (self._as_served(one, settled=one.at_ms <= settles_ms) for one in wanted)
        return Known(tuple(minutes), run.now)

    def _as_served(self, minute: Minute, *, settled: bool) -> Minute:
        """With what the weight of the run brought the destination."""
        at_ms, weight = minute.at_ms, self._run.state.weight_in(minute.at_ms, self._past.period_ms)
        if self._past.divided and weight:
            if at_ms not in self._served:
                self._served[at_ms] = split(minute, weight)
            minute = self._served[at_ms]
        return minute if settled else replace(minute, settled=False)


def _wake(run: SimulatedRun, decision: Decision) -> Moment:
    """When the engine looks again: while it only polls, nothing is new before a minute is over, or settles."""
    observe, wait = run.plan.observe, decision.wake.after(run.now)
    if run.state.phase is Phase.SHIFTING or wait < observe.poll:
        return decision.wake
    from_ms, period = run.now.wall_ms + wait - 1, observe.period
    news = (floor_to(from_ms - at, period) + period + at for at in (0, observe.settle % period))
    return moment_of(min(news))


def _gate(reason: Reason | None) -> str:
    """Whose verdict a reason rests on; nobody's when it rests on none."""
    while reason is not None and reason.code not in (Code.GATE, Code.GATE_ON):
        reason = reason.inner
    return "" if reason is None else str(reason.facts["gate"])
