"""What each step of a schedule can see, and what it can cost (docs/judge.md)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from cutover.core.forecast.evidence import (
    MEDIAN,
    allowed,
    leak_minutes,
    minutes_to_trip,
    need,
    need_any_time,
    smallest_rate,
)
from cutover.core.forecast.inputs import ForecastInputs, ForecastStep
from cutover.core.gates.sequential.eprocess import Course
from cutover.core.values import DAY, MINUTE

TARGET: Final = 0.05
"""Every step should see a defect that fails 5 % of its requests."""

LEAK: Final = 0.001
"""A slow leak: failures that grow by 0.1 % of the requests every minute, from nothing at the start of a step."""

PROMISED: Final = 2.0
"""Below twice the allowed rate nothing is promised (docs/judge.md): it takes hours and costs little a minute."""

LONGEST_BAKE: Final = 14 * DAY

LONGEST_LEAK: Final = 1_000
"""Minutes after which a leak of 0.1 % a minute has become a total failure."""


@dataclass(frozen=True)
class StepForecast:
    """One step ahead. Requests are counted at the traffic's peak, what is seen at its trough.

    Attributes:
        stage: the step.
        a_minute: requests a minute that the destination of one comparison gets.
        catches: the smallest rate of failures seen within the bake in 95 of 100 cases; None: not even all of them.
        needs_ms: the bake that sees 5 % failing, with the requests that every gate needs; None: longer than a plan may say.
        total: requests that fail (median) when every request fails from the start of the step.
        overload: when the share this step adds is too much, and that many fail.
        leak: when failures grow slowly from the start of the step; until it is caught, or the bake is over.
        leak_caught: within the bake.
        left: the smallest rate of failures that the steps before are sure to have seen; 1 at the first step.
        blast: requests that a defect of the rate `left` fails here in the minute it is seen in and until traffic is back.
    """

    stage: ForecastStep
    a_minute: float
    catches: float | None
    needs_ms: int | None
    total: int | None
    overload: int
    leak: int
    leak_caught: bool
    left: float
    blast: int


def outlooks(ground: ForecastInputs, stages: tuple[ForecastStep, ...]) -> tuple[StepForecast, ...]:
    """Every step of a schedule."""
    course = ground.course(stages)
    found: list[StepForecast] = []
    left, before = 1.0, 0
    for index, stage in enumerate(stages):
        nats = need(ground.odds, course, first=index == 0)
        catches = smallest_rate(
            ground.seen(stage.weight), data_minutes(ground, stage), ground.standard, nats
        )
        harmed_by_leak, caught = _leak(ground, stage, course)
        total = harm(ground, stage.weight, 1.0, nats)
        swift = ground.swift_ms
        found.append(
            StepForecast(
                stage=stage,
                a_minute=ground.seen(stage.weight) * MINUTE / ground.period_ms,
                catches=catches,
                needs_ms=bake_for(ground, stage.weight, TARGET, nats),
                total=None if total == inf else round(total),
                overload=round(ground.harmed(stage.weight - before, swift)),
                leak=harmed_by_leak,
                leak_caught=caught,
                left=left,
                blast=round(_blast(ground, stage.weight, left, nats, first=index == 0)),
            )
        )
        left, before = min(left, catches or 1.0), stage.weight
    return tuple(found)


def data_minutes(ground: ForecastInputs, stage: ForecastStep) -> float:
    """Minutes (periods) of data a bake is sure to have judged and acted on when it ends."""
    return max(1.0, (stage.bake_ms - ground.pipe_ms) / ground.period_ms)


def bake_for(ground: ForecastInputs, weight: int, rate: float, nats: float) -> int | None:
    """The shortest bake, in whole minutes, that sees `rate` in 95 of 100 cases; None when no bake that is allowed does.

    And with the requests that every gate needs to pass.
    """
    seen = ground.seen(weight)
    minutes = minutes_to_trip(seen, rate, ground.standard, nats)
    if minutes == inf or seen <= 0:
        return None
    evidence = minutes * ground.period_ms + ground.pipe_ms
    requests = ceil(ground.fewest / seen) * ground.period_ms + ground.settle_ms
    bake = ceil(max(evidence, requests) / MINUTE) * MINUTE
    return bake if bake <= LONGEST_BAKE else None


def harm(ground: ForecastInputs, weight: int, rate: float, nats: float) -> float:
    """Requests that fail (median) by a defect of `rate` present from the start of a step; infinite if never seen."""
    worst = 0.0
    for seen, a_minute in (
        (ground.seen(weight), ground.traffic.trough),
        (ground.seen_at_most(weight), ground.traffic.peak),
    ):
        minutes = minutes_to_trip(seen, rate, ground.standard, nats, MEDIAN)
        if minutes == inf:
            return inf
        share = a_minute / ground.traffic.peak if ground.traffic.peak else 0.0
        span = minutes * ground.period_ms + ground.pipe_ms
        worst = max(worst, rate * share * ground.harmed(weight, span))
    return worst


def tolerated(ground: ForecastInputs) -> float:
    """The rate of failures from which on the forecast promises something."""
    return min(1.0, PROMISED * allowed(ground.standard))


def excluded_for(ground: ForecastInputs, weight: int, budget: float) -> float:
    """The rate that must be excluded before `weight`, for a defect not to cost more than `budget` there.

    One minute to be seen in, and the pipe; never less than what is promised.
    """
    everything = ground.harmed(weight, ground.swift_ms)
    least = tolerated(ground)
    return 1.0 if everything <= budget else max(least, budget / everything)


def beyond_budget(
    ground: ForecastInputs, stages: tuple[ForecastStep, ...], budget: int
) -> tuple[int, ...]:
    """The steps (indices) at which a defect that is already there may cost more than `budget` requests.

    The first: when every request fails. A later one: when the largest rate of failures that no bake before is sure
    to have seen fails here (docs/judge.md).
    """
    course = ground.course(stages)
    beyond: list[int] = []
    for index, stage in enumerate(stages):
        if index == 0:
            fits = harm(ground, stage.weight, 1.0, need(ground.odds, course, first=True)) <= budget
        else:
            must = excluded_for(ground, stage.weight, budget)
            fits = must >= 1.0 or any(
                _sees(ground, one, must, course, first=i == 0)
                for i, one in enumerate(stages[:index])
            )
        if not fits:
            beyond.append(index)
    return tuple(beyond)


def _sees(
    ground: ForecastInputs, stage: ForecastStep, rate: float, course: Course, *, first: bool
) -> bool:
    nats = need(ground.odds, course, first=first)
    minutes = minutes_to_trip(ground.seen(stage.weight), rate, ground.standard, nats)
    return minutes <= data_minutes(ground, stage)


def _blast(ground: ForecastInputs, weight: int, left: float, nats: float, *, first: bool) -> float:
    if first:
        total = harm(ground, weight, 1.0, nats)
        return ground.harmed(weight, MINUTE * LONGEST_LEAK) if total == inf else total
    return left * ground.harmed(weight, ground.swift_ms)


def _leak(ground: ForecastInputs, stage: ForecastStep, course: Course) -> tuple[int, bool]:
    """Requests that a slow leak fails in a step, and whether its bake catches it."""
    nats = need_any_time(ground.odds, course)
    growth = LEAK * ground.period_ms / MINUTE
    minutes = int(data_minutes(ground, stage))
    until = leak_minutes(ground.seen(stage.weight), growth, ground.standard, nats, minutes)
    if until is None:
        span: float = stage.bake_ms / ground.period_ms
    else:
        span = until + ground.pipe_ms / ground.period_ms
    # grows from 0 to 1 and stays there
    rising = min(span, 1 / growth)
    failed = growth * rising**2 / 2 + (span - rising)
    return round(ground.harmed(stage.weight, ground.period_ms) * failed), until is not None


def leak_bake(ground: ForecastInputs, weight: int, course: Course) -> int | None:
    """The shortest bake, in whole minutes, that catches a slow leak; None when none does."""
    most = int(LONGEST_LEAK * MINUTE / ground.period_ms)
    growth = LEAK * ground.period_ms / MINUTE
    nats = need_any_time(ground.odds, course)
    minutes = leak_minutes(ground.seen(weight), growth, ground.standard, nats, most)
    if minutes is None:
        return None
    return ceil((minutes * ground.period_ms + ground.pipe_ms) / MINUTE) * MINUTE
