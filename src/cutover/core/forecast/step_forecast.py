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


def forecasts(
    inputs: ForecastInputs, stages: tuple[ForecastStep, ...]
) -> tuple[StepForecast, ...]:
    """Every step of a schedule."""
    course = inputs.course(stages)
    found: list[StepForecast] = []
    left, before = 1.0, 0
    for index, stage in enumerate(stages):
        nats = need(inputs.odds, course, first=index == 0)
        catches = smallest_rate(
            inputs.seen(stage.weight), data_minutes(inputs, stage), inputs.standard, nats
        )
        harmed_by_leak, caught = _leak(inputs, stage, course)
        total = harm(inputs, stage.weight, 1.0, nats)
        swift = inputs.swift_ms
        found.append(
            StepForecast(
                stage=stage,
                a_minute=inputs.seen(stage.weight) * MINUTE / inputs.period_ms,
                catches=catches,
                needs_ms=bake_for(inputs, stage.weight, TARGET, nats),
                total=None if total == inf else round(total),
                overload=round(inputs.harmed(stage.weight - before, swift)),
                leak=harmed_by_leak,
                leak_caught=caught,
                left=left,
                blast=round(_blast(inputs, stage.weight, left, nats, first=index == 0)),
            )
        )
        left, before = min(left, catches or 1.0), stage.weight
    return tuple(found)


def data_minutes(inputs: ForecastInputs, stage: ForecastStep) -> float:
    """Minutes (periods) of data a bake is sure to have judged and acted on when it ends."""
    return max(1.0, (stage.bake_ms - inputs.pipe_ms) / inputs.period_ms)


def bake_for(inputs: ForecastInputs, weight: int, rate: float, nats: float) -> int | None:
    """The shortest bake, in whole minutes, that sees `rate` in 95 of 100 cases; None when no bake that is allowed does.

    And with the requests that every gate needs to pass.
    """
    seen = inputs.seen(weight)
    minutes = minutes_to_trip(seen, rate, inputs.standard, nats)
    if minutes == inf or seen <= 0:
        return None
    evidence = minutes * inputs.period_ms + inputs.pipe_ms
    requests = ceil(inputs.fewest / seen) * inputs.period_ms + inputs.settle_ms
    bake = ceil(max(evidence, requests) / MINUTE) * MINUTE
    return bake if bake <= LONGEST_BAKE else None


def harm(inputs: ForecastInputs, weight: int, rate: float, nats: float) -> float:
    """Requests that fail (median) by a defect of `rate` present from the start of a step; infinite if never seen."""
    worst = 0.0
    for seen, a_minute in (
        (inputs.seen(weight), inputs.traffic.trough),
        (inputs.seen_at_most(weight), inputs.traffic.peak),
    ):
        minutes = minutes_to_trip(seen, rate, inputs.standard, nats, MEDIAN)
        if minutes == inf:
            return inf
        share = a_minute / inputs.traffic.peak if inputs.traffic.peak else 0.0
        span = minutes * inputs.period_ms + inputs.pipe_ms
        worst = max(worst, rate * share * inputs.harmed(weight, span))
    return worst


def tolerated(inputs: ForecastInputs) -> float:
    """The rate of failures from which on the forecast promises something."""
    return min(1.0, PROMISED * allowed(inputs.standard))


def excluded_for(inputs: ForecastInputs, weight: int, budget: float) -> float:
    """The rate that must be excluded before `weight`, for a defect not to cost more than `budget` there.

    One minute to be seen in, and the pipe; never less than what is promised.
    """
    everything = inputs.harmed(weight, inputs.swift_ms)
    least = tolerated(inputs)
    return 1.0 if everything <= budget else max(least, budget / everything)


def beyond_budget(
    inputs: ForecastInputs, stages: tuple[ForecastStep, ...], budget: int
) -> tuple[int, ...]:
    """The steps (indices) at which a defect that is already there may cost more than `budget` requests.

    The first: when every request fails. A later one: when the largest rate of failures that no bake before is sure
    to have seen fails here (docs/judge.md).
    """
    course = inputs.course(stages)
    beyond: list[int] = []
    for index, stage in enumerate(stages):
        if index == 0:
            fits = harm(inputs, stage.weight, 1.0, need(inputs.odds, course, first=True)) <= budget
        else:
            must = excluded_for(inputs, stage.weight, budget)
            fits = must >= 1.0 or any(
                _sees(inputs, one, must, course, first=i == 0)
                for i, one in enumerate(stages[:index])
            )
        if not fits:
            beyond.append(index)
    return tuple(beyond)


def _sees(
    inputs: ForecastInputs, stage: ForecastStep, rate: float, course: Course, *, first: bool
) -> bool:
    nats = need(inputs.odds, course, first=first)
    minutes = minutes_to_trip(inputs.seen(stage.weight), rate, inputs.standard, nats)
    return minutes <= data_minutes(inputs, stage)


def _blast(inputs: ForecastInputs, weight: int, left: float, nats: float, *, first: bool) -> float:
    if first:
        total = harm(inputs, weight, 1.0, nats)
        return inputs.harmed(weight, MINUTE * LONGEST_LEAK) if total == inf else total
    return left * inputs.harmed(weight, inputs.swift_ms)


def _leak(inputs: ForecastInputs, stage: ForecastStep, course: Course) -> tuple[int, bool]:
    """Requests that a slow leak fails in a step, and whether its bake catches it."""
    nats = need_any_time(inputs.odds, course)
    growth = LEAK * inputs.period_ms / MINUTE
    minutes = int(data_minutes(inputs, stage))
    until = leak_minutes(inputs.seen(stage.weight), growth, inputs.standard, nats, minutes)
    if until is None:
        span: float = stage.bake_ms / inputs.period_ms
    else:
        span = until + inputs.pipe_ms / inputs.period_ms
    # grows from 0 to 1 and stays there
    rising = min(span, 1 / growth)
    failed = growth * rising**2 / 2 + (span - rising)
    return round(inputs.harmed(stage.weight, inputs.period_ms) * failed), until is not None


def leak_bake(inputs: ForecastInputs, weight: int, course: Course) -> int | None:
    """The shortest bake, in whole minutes, that catches a slow leak; None when none does."""
    most = int(LONGEST_LEAK * MINUTE / inputs.period_ms)
    growth = LEAK * inputs.period_ms / MINUTE
    nats = need_any_time(inputs.odds, course)
    minutes = leak_minutes(inputs.seen(weight), growth, inputs.standard, nats, most)
    if minutes is None:
        return None
    return ceil((minutes * inputs.period_ms + inputs.pipe_ms) / MINUTE) * MINUTE
