"""A schedule that fits what was asked for, or why none does and what would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil, isqrt

from cutover.core.forecast.control_share import bearable, proposed
from cutover.core.forecast.evidence import need
from cutover.core.forecast.inputs import LEAST_HORIZON, ForecastInputs
from cutover.core.forecast.optimizer import Schedule, ScheduleRequest, optimize
from cutover.core.forecast.step_forecast import harm
from cutover.core.gates.sequential.eprocess import Course
from cutover.core.values import FULL, duration_text, rate_text, weight_text


@dataclass(frozen=True)
class Infeasible:
    """Nothing fits: why not, and what would."""

    why: str
    instead: str


def solve(
    inputs: ForecastInputs, request: ScheduleRequest, within_ms: int | None
) -> Schedule | Infeasible:
    """The fastest schedule inside the budgets, if it takes no longer than `within_ms`."""
    found = optimize(inputs, request)
    if found is None:
        return _beyond_reach(inputs, request)
    if within_ms is None or found.takes_ms <= within_ms:
        return found
    why = (
        f"the fastest steps inside the budget take {duration_text(found.takes_ms)}, with about "
        f"{duration_text(inputs.between_ms)} between them; --time is {duration_text(within_ms)}"
    )
    instead = f"allow --time {duration_text(found.takes_ms)}"
    wider = _wider(inputs, request, within_ms)
    if wider is not None:
        instead += f", or a budget of {_raised(request, wider)}"
    else:
        instead += "; no larger budget makes it that fast"
    return Infeasible(why, instead)


def _beyond_reach(inputs: ForecastInputs, request: ScheduleRequest) -> Infeasible:
    wider = _wider(inputs, request)
    why = "; and ".join(_too_small(inputs, request, wider))
    if not why:
        why = (
            f"no bake is long enough: at {rate_text(round(inputs.traffic.trough, 3))} a step would need more than 14 days to see "
            f"what a budget of {request.budget:,} harmed requests asks it to see"
        )
    if wider is None:
        return Infeasible(
            why,
            "there is too little traffic to judge steps by: move it in one step with an approval instead",
        )
    fit = (
        "fits is"
        if wider.budget == request.budget or wider.overload == request.overload
        else "fit are"
    )
    return Infeasible(
        why,
        f"the smallest that {fit} {_raised(request, wider)}{_or_hold_less(inputs, request, wider)}",
    )


def _too_small(
    inputs: ForecastInputs, request: ScheduleRequest, wider: ScheduleRequest | None
) -> Iterator[str]:
    """Which budgets are too small, and for what."""
    at, lowest = rate_text(round(inputs.traffic.peak, 1)), _lowest(inputs)
    if lowest > request.budget:
        yield (
            f"a budget of {request.budget:,} harmed requests is too small: if all of {weight_text(1)} fails, the smallest step "
            f"there is, that is about {ceil(lowest):,} of {at} before traffic is back"
        )
    few = f"{request.overload:,} requests that an overload may fail are too few"
    handed_over = inputs.harmed(request.hold_back, inputs.swift_ms)
    if handed_over > request.overload:
        yield (
            f"{few}: after the last bake the {weight_text(request.hold_back)} of `hold_back` follow in one raise, which may fail "
            f"about {ceil(handed_over):,} of {at}"
        )
    elif wider is not None and wider.overload > request.overload:
        least = ceil(inputs.harmed(10, inputs.swift_ms))
        too_many = "there is room for 100 steps"
        if least <= request.overload:
            too_many = "raises that small would take more than 100 steps"
        yield f"{few}: of {at} every raise by {weight_text(10)} may fail about {least:,}, and {too_many}"


def _or_hold_less(inputs: ForecastInputs, request: ScheduleRequest, wider: ScheduleRequest) -> str:
    """A smaller `hold_back` that spares the larger overload budget; empty when none does."""
    less = proposed(inputs.traffic, bearable(inputs, request.overload))
    if not 0 < less < request.hold_back:
        return ""
    if not _fits(inputs, replace(wider, overload=request.overload, hold_back=less)):
        return ""
    return f"; with `hold_back: {less / 10:g}%` overload_requests={request.overload} is enough"


def _wider(
    inputs: ForecastInputs, request: ScheduleRequest, within_ms: int | None = None
) -> ScheduleRequest | None:
    """The request with the smallest budgets that fit: one of them larger where that is enough; None when nothing fits."""
    most = _all(inputs)

    def fits(budget: int, overload: int) -> bool:
        return _fits(inputs, replace(request, budget=budget, overload=overload), within_ms)

    budget = _least(lambda n: fits(n, request.overload), request.budget, most)
    if budget is not None:
        return replace(request, budget=budget)
    overload = _least(lambda n: fits(request.budget, n), request.overload, most)
    if overload is not None:
        return replace(request, overload=overload)
    # both: as little harm as any overload allows, and then the smallest overload
    budget = _least(lambda n: fits(n, most), request.budget, most)
    if budget is None:
        return None
    harmed = budget
    overload = _least(lambda n: fits(harmed, n), request.overload, most)
    return None if overload is None else replace(request, budget=harmed, overload=overload)


def _raised(request: ScheduleRequest, wider: ScheduleRequest) -> str:
    """The budgets that are larger now, as the command line takes them."""
    said = []
    if wider.budget > request.budget:
        said.append(f"harmed_requests={wider.budget}")
    if wider.overload > request.overload:
        said.append(f"overload_requests={wider.overload}")
    return " and ".join(said)


def _lowest(inputs: ForecastInputs) -> float:
    """What the smallest step costs when all of it fails."""
    return harm(inputs, 1, 1.0, need(inputs.odds, Course(1, LEAST_HORIZON), first=True))


def _all(inputs: ForecastInputs) -> int:
    """More than any step can cost."""
    return ceil(100 * inputs.harmed(FULL, inputs.swift_ms)) + 1


def _fits(inputs: ForecastInputs, request: ScheduleRequest, within_ms: int | None = None) -> bool:
    found = optimize(inputs, request)
    return found is not None and (within_ms is None or found.takes_ms <= within_ms)


def _least(fits: Callable[[int], bool], too_few: int, enough: int) -> int | None:
    """The smallest number that fits (`too_few` does not); None when not even `enough` does."""
    if enough <= too_few or not fits(enough):
        return None
    while enough > too_few + 1:
        # by order of magnitude first: what fits is far below `enough`
        if enough > 2 * too_few:
            middle = max(too_few + 1, min(enough - 1, isqrt(max(1, too_few) * enough)))
        else:
            middle = (too_few + enough) // 2
        if fits(middle):
            enough = middle
        else:
            too_few = middle
    return enough
