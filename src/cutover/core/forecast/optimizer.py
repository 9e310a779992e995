"""The fastest schedule that stays inside a budget of failed requests (docs/judge.md).

Three rules bound every raise, from weight w to a higher one v:

- A defect that is there already never costs more than the budget: the first step bears a total failure, and before v
  the bake at w excludes (95 %) every rate that would cost more at v.
- An overload, which only shows at v and fails what v adds, never costs more than its own budget.
- v is at most 5 times w: autoscalers and caches must follow.

Shortest path over the weights; what a step costs is the bake it needs and what every step takes besides.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cutover.core.forecast.control_share import LOW_TRAFFIC, kept
from cutover.core.forecast.evidence import need
from cutover.core.forecast.inputs import LEAST_HORIZON, ForecastInputs, ForecastStep
from cutover.core.forecast.step_forecast import (
    bake_for,
    excluded_for,
    harm,
    leak_bake,
    tolerated,
)
from cutover.core.gates.sequential.eprocess import Course
from cutover.core.values import FULL, MINUTE

STEEPEST: Final = 5
"""A destination that is fine at a weight has not proven more than 5 times of it (autoscalers, caches)."""

SHORTEST_BAKE: Final = 5 * MINUTE
"""Shorter ones see no slow leak, and few minutes of evidence."""

_COARSE: Final = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, *range(100, FULL + 1, 50))
_FINE: Final = (1, 2, 3, 5, 7, *range(10, FULL + 1, 10))
"""Weights (per mille) a schedule is made of; fine ones when an overload budget allows no raise by 5 %."""

_ROUND: Final = (frozenset((10, 50, 100, 250, 500, 750, 1000)), frozenset((1, 2, 5, 20, 200)))
"""Of equally fast schedules people like the one with these weights, and then with these."""

MOST_STEPS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50, 100)
"""Numbers of steps the prior may be made for: more steps, less weight for each."""


@dataclass(frozen=True)
class ScheduleRequest:
    """What a schedule must stay inside.

    Attributes:
        budget: requests that a defect which is there from the beginning may fail.
        overload: requests that may fail when a raise is too much for the destination.
        hold_back: per mille that stays at the source while the last step bakes.
        shortest_ms: no bake is shorter.
        sees_leak: the last bake is long enough to see failures grow slowly.
        weights: per mille, to choose from; none: those that suit the overload.
    """

    budget: int
    overload: int
    hold_back: int = 0
    shortest_ms: int = SHORTEST_BAKE
    sees_leak: bool = True
    weights: tuple[int, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """Steps as they bake, what is held back in the last, and how long they take with everything between them."""

    stages: tuple[ForecastStep, ...]
    takes_ms: int
    hold_back: int = 0


Cost = tuple[int, int, int]
"""ms, steps, and how far from round the weights are: compared in this order."""

Way = tuple[Cost, tuple[ForecastStep, ...]]
Raises = Mapping[int, Sequence[tuple[int, int]]]
"""By weight: the weights that may follow, each with the bake (ms) that must come before it."""

END: Final = 0
"""Follows the last weight, when its own bake is over."""


def optimize(inputs: ForecastInputs, request: ScheduleRequest) -> Schedule | None:
    """The fastest schedule of at least two steps inside the request's budgets; None when there is none.

    Never faster for a smaller budget. Where it can, it leaves the source enough to be compared with until the end.
    """
    if inputs.harmed(request.hold_back, inputs.swift_ms) > request.overload:
        return None
    raised_by_5, last = inputs.harmed(50, inputs.swift_ms), FULL - request.hold_back
    choice = request.weights or (_COARSE if raised_by_5 <= request.overload else _FINE)
    weights = (*(one for one in choice if one < last), last)
    comparable = tuple(
        one for one in weights if one == last or kept(inputs.traffic, one) >= LOW_TRAFFIC
    )
    found = _fastest(inputs, request, comparable)
    return found if found or comparable == weights else _fastest(inputs, request, weights)


def _fastest(
    inputs: ForecastInputs, request: ScheduleRequest, weights: Sequence[int]
) -> Schedule | None:
    horizon = LEAST_HORIZON
    while True:
        best: Way | None = None
        for steps in MOST_STEPS:
            if best is not None and best[0][0] <= steps * (
                request.shortest_ms + inputs.between_ms
            ):
                break  # more steps cannot be faster than that
            found = _shortest_way(inputs, request, weights, Course(steps, horizon))
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        if best is None:
            return None
        # a longer plan spreads its prior over more minutes: up to the least horizon that fits
        needed = inputs.course(best[1]).horizon
        if needed <= horizon:
            hands_over = inputs.between_ms if request.hold_back else 0
            return Schedule(best[1], best[0][0] + hands_over, request.hold_back)
        horizon = needed


def _shortest_way(
    inputs: ForecastInputs, request: ScheduleRequest, weights: Sequence[int], course: Course
) -> Way | None:
    """The cheapest way through the last weight in at most `course.steps` steps."""
    nats = need(inputs.odds, course, first=True)
    ways: dict[int, Way] = {
        weight: ((0, 1, _unround(weight)), ())
        for weight in weights[:-1]
        if _may_begin(inputs, request, weight, nats)
    }
    if not ways:
        return None
    raises = _raises(inputs, request, weights, course, first=True, starts=ways)
    ends: list[Way] = []
    for step in range(course.steps):
        if step == 1:
            raises = _raises(inputs, request, weights, course, first=False, starts=weights)
        ways = _one_further(inputs, ways, raises)
        if END in ways:
            ends.append(ways.pop(END))
        if not ways:
            break
    return min(ends, key=lambda way: way[0], default=None)


def _one_further(
    inputs: ForecastInputs, ways: Mapping[int, Way], raises: Raises
) -> dict[int, Way]:
    further: dict[int, Way] = {}
    for weight, (cost, stages) in ways.items():
        for higher, bake in raises[weight]:
            ms, steps, unround = cost
            ms += bake + inputs.between_ms
            ahead = (
                (ms, steps, unround)
                if higher == END
                else (ms, steps + 1, unround + _unround(higher))
            )
            if higher not in further or ahead < further[higher][0]:
                further[higher] = (ahead, (*stages, ForecastStep(weight, bake)))
    return further


def _may_begin(inputs: ForecastInputs, request: ScheduleRequest, weight: int, nats: float) -> bool:
    swift = inputs.harmed(weight, inputs.swift_ms)
    return harm(inputs, weight, 1.0, nats) <= request.budget and swift <= request.overload


def _raises(
    inputs: ForecastInputs,
    request: ScheduleRequest,
    weights: Sequence[int],
    course: Course,
    *,
    first: bool,
    starts: Iterable[int],
) -> Raises:
    """What may follow each weight of `starts`, and after which bake."""
    nats = need(inputs.odds, course, first=first)
    swift = inputs.swift_ms
    found: dict[int, list[tuple[int, int]]] = {}
    for weight in starts:
        found[weight] = []
        if weight == weights[-1]:
            ends = _last_bake(inputs, request, weight, nats, course)
            found[weight] += [(END, ends)] if ends is not None else []
        for higher in weights[bisect_right(weights, weight) :]:
            # all three only get worse from here on
            if higher > STEEPEST * weight:
                break
            if inputs.harmed(higher - weight, swift) > request.overload:
                break
            bake = _bake(
                inputs, request, weight, excluded_for(inputs, higher, request.budget), nats
            )
            if bake is None:
                break
            found[weight].append((higher, bake))
    return found


def _bake(
    inputs: ForecastInputs, request: ScheduleRequest, weight: int, rate: float, nats: float
) -> int | None:
    """The bake at `weight` that excludes `rate`; None when it would be too long."""
    needed = bake_for(inputs, weight, rate, nats)
    if needed is None:
        return None
    return max(needed, request.shortest_ms, inputs.period_ms + inputs.settle_ms)


def _last_bake(
    inputs: ForecastInputs, request: ScheduleRequest, weight: int, nats: float, course: Course
) -> int | None:
    """The last bake sees the errors gate's own limit, and a slow leak."""
    bake = _bake(inputs, request, weight, max(inputs.standard.cap, tolerated(inputs)), nats)
    if bake is None or not request.sees_leak:
        return bake
    leak = leak_bake(inputs, weight, course)
    return None if leak is None else max(bake, leak)


def heaviest_start(inputs: ForecastInputs, stages: tuple[ForecastStep, ...], budget: int) -> int:
    """The highest weight (per mille) at which a total failure of the first step stays in the budget; 0: none."""
    nats = need(inputs.odds, inputs.course(stages), first=True)
    fits = (one for one in range(FULL, 0, -1) if harm(inputs, one, 1.0, nats) <= budget)
    return next(fits, 0)


def _unround(weight: int) -> int:
    return next((i for i, weights in enumerate(_ROUND) if weight in weights), len(_ROUND))
