"""Cutovers that never happened: the plan started at every hour of the past, judged minute by minute as a run would.

A start has the hour before it as its baseline. Each step begins with a minute in which the weight changes (it counts
against the destination, never for it), bakes, waits while a gate waits, and raises two minutes after the look that
earned it: settled minutes are that late. The rules of waiting and holding are the machine's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cutover.core.backtest.column_mapping import context
from cutover.core.backtest.evaluations import Memories, Silence, begin, fold, judge
from cutover.core.backtest.history import History
from cutover.core.backtest.split import split
from cutover.core.engine.evaluate import SHARED_AFTER_RAISE, GateResult, building, worst
from cutover.core.engine.forward import WAITING_GRACE
from cutover.core.engine.stop_conditions import UNKNOWN_HOLDS
from cutover.core.gates import Verdict
from cutover.core.observation import Comparison
from cutover.core.plan import Plan
from cutover.core.values import HOUR, MINUTE

BASELINE = HOUR
"""How much of the past before a start the gates learn from (docs/judge.md)."""


class SimulatedEnd(StrEnum):
    """How a start would have gone."""

    COMPLETED = "completed"
    HELD = "held"  # a person would have been asked or paged
    ROLLED_BACK = "rolled back"
    CUT_OFF = "cut off"  # the past ends before the cutover does


@dataclass(frozen=True)
class SimulatedCutover:
    """One start in the past.

    Attributes:
        began_ms: when, in ms since the epoch.
        ended: how it went.
        step: the last step it reached.
        minutes: how long it took.
        sentence: why it held or went back; empty otherwise.
    """

    began_ms: int
    ended: SimulatedEnd
    step: int
    minutes: int
    gate: str = ""
    sentence: str = ""


@dataclass
class _Course:
    """Where an attempt is: its step, the index of the minute that raised to it, and what the gates remember."""

    memories: Memories
    raised: int
    step: int = 0
    raise_at: int | None = None
    silence: Silence = field(default_factory=Silence)
    unknown: int = 0


def attempts(plan: Plan, comparison: Comparison, past: History) -> Iterator[SimulatedCutover]:
    """One attempt for every full hour that has a baseline before it."""
    before = BASELINE // past.period_ms
    for first, minute in enumerate(past.minutes):
        if first >= before and minute.at_ms % HOUR < past.period_ms:
            yield attempt(plan, comparison, past, first)


def attempt(plan: Plan, comparison: Comparison, past: History, first: int) -> SimulatedCutover:
    """The cutover that begins with the minute of this index."""
    course = _Course(_baseline(plan, past, first), first)

    def ends(ended: SimulatedEnd, index: int, by: GateResult | None = None) -> SimulatedCutover:
        return SimulatedCutover(
            past.minutes[first].at_ms,
            ended,
            course.step,
            (index + 1 - first) * past.period_ms // MINUTE,
            by.gate if by else "",
            f"{by.gate}: {past.mapping.said(by.judgement.why)}" if by else "",
        )

    for index in range(first, len(past.minutes)):
        if index == course.raise_at:
            course.step, course.raised, course.raise_at = course.step + 1, index, None
        judged = _judge(plan, comparison, past, course, index)
        judged = _suspected(plan, past, course, index, judged)
        decides = worst(judged)
        stopped = _stops(plan, past, course, index, decides)
        if stopped is not None:
            return ends(stopped, index, decides)
        if course.raise_at is None and _earned(plan, past, course, index, judged):
            if course.step + 1 == len(plan.steps):
                return ends(SimulatedEnd.COMPLETED, index)
            course.raise_at = index + 1 + -(-plan.observe.settle // past.period_ms)
    return ends(SimulatedEnd.CUT_OFF, len(past.minutes) - 1)


def _baseline(plan: Plan, past: History, first: int) -> Memories:
    memories = begin(past.mapping)
    for index in range(max(0, first - BASELINE // past.period_ms), first):
        minute = past.minutes[index]
        here = context(
            plan, past.mapping, step=-1, weight=0, began_ms=0, now_ms=minute.at_ms + past.period_ms
        )
        memories = fold(past.mapping, memories, minute, here)
    return memories


def _judge(
    plan: Plan, comparison: Comparison, past: History, course: _Course, index: int
) -> tuple[GateResult, ...]:
    """Fold one minute, and what every gate says then."""
    minute, weight = past.minutes[index], plan.steps[course.step].weight
    here = replace(
        context(
            plan,
            past.mapping,
            step=course.step,
            weight=weight,
            began_ms=past.minutes[course.raised].at_ms + past.period_ms,
            now_ms=minute.at_ms + past.period_ms,
        ),
        period_ms=past.period_ms,
    )
    if past.divided:
        minute = split(minute, weight)
    course.memories = fold(past.mapping, course.memories, minute, here)
    course.silence = course.silence.after(
        minute.number("source.requests"), minute.number("destination.requests")
    )
    return judge(past.mapping, course.memories, comparison, here, course.silence)


def _suspected(
    plan: Plan, past: History, course: _Course, index: int, judged: tuple[GateResult, ...]
) -> tuple[GateResult, ...]:
    """What turns bad right after the raise is blamed on it, as the machine does."""
    if plan.safety.on_shared_after_raise != "rollback":
        return judged
    if index - course.raised > SHARED_AFTER_RAISE:
        return judged
    own = {gate.name: gate.on_breach for gate in past.mapping.gates}
    return tuple(_blamed(one, own.get(one.gate, one.on_breach)) for one in judged)


def _blamed(one: GateResult, own: str) -> GateResult:
    why = one.judgement.why
    if one.verdict is Verdict.SHARED and not one.judgement.perhaps_shared:
        why = f"the source turned bad right after the raise and may be suffering from it: {why}"
    elif one.verdict is Verdict.BREACH and one.on_breach == "escalate":
        why = f"{why}; it began right after the raise"
    else:
        return one
    return replace(
        one, judgement=replace(one.judgement, verdict=Verdict.BREACH, why=why), on_breach=own
    )


def _stops(
    plan: Plan, past: History, course: _Course, index: int, decides: GateResult
) -> SimulatedEnd | None:
    """What ends an attempt before its time, by the machine's rules."""
    settled = index - course.raised  # whole minutes of this step
    course.unknown = course.unknown + 1 if decides.verdict is Verdict.UNKNOWN and settled else 0
    if decides.verdict is Verdict.BREACH:
        return SimulatedEnd.ROLLED_BACK if decides.on_breach == "rollback" else SimulatedEnd.HELD
    perhaps = decides.judgement.perhaps_shared
    if (decides.verdict is Verdict.SHARED and not perhaps) or course.unknown > UNKNOWN_HOLDS:
        return SimulatedEnd.HELD
    if (decides.verdict is Verdict.WAITING or perhaps) and course.raise_at is None:
        bake = plan.steps[course.step].bake
        overdue = settled * past.period_ms >= bake + max(bake, WAITING_GRACE)
        return SimulatedEnd.HELD if overdue else None
    return None


def _earned(
    plan: Plan, past: History, course: _Course, index: int, judged: tuple[GateResult, ...]
) -> bool:
    """The bake is over and every gate passes; in a hand-over it is enough that none objects."""
    step, verdict = plan.steps[course.step], worst(judged).verdict
    if (index - course.raised) * past.period_ms < max(step.bake, past.period_ms):
        return False
    if step.hands_over and verdict <= Verdict.WAITING:
        return building(judged) is None
    return verdict is Verdict.PASS
