"""A schedule that fits what was asked for, or why none does and what would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, isqrt

from cutover.core.gates.sequential import Course
from cutover.core.power.evidence import need
from cutover.core.power.fastest import Schedule, Wish, fastest
from cutover.core.power.ground import LEAST_HORIZON, Ground
from cutover.core.power.outlook import harm
from cutover.core.values import FULL, duration_text, rate_text, weight_text


@dataclass(frozen=True)
class Nothing:
    """Nothing fits: why not, and what would."""

    why: str
    instead: str


def answer(ground: Ground, wish: Wish, within_ms: int | None) -> Schedule | Nothing:
    """The fastest schedule inside the budgets, if it takes no longer than `within_ms`."""
    found = fastest(ground, wish)
    if found is None:
        return _beyond_reach(ground, wish)
    if within_ms is None or found.takes_ms <= within_ms:
        return found
    why = (
        f"the fastest steps inside the budget take {duration_text(found.takes_ms)}, with about "
        f"{duration_text(ground.between_ms)} between them; --time is {duration_text(within_ms)}"
    )
    budget = _least(
        lambda most: _fits(ground, _with_budget(wish, most), within_ms), wish.budget, _all(ground)
    )
    instead = f"allow --time {duration_text(found.takes_ms)}"
    if budget is not None:
        overload = max(budget, wish.overload)
        more = f" and overload_requests={overload}" if overload > wish.overload else ""
        instead += f", or a budget of harmed_requests={budget}{more}"
    else:
        instead += "; no larger budget makes it that fast"
    return Nothing(why, instead)


def _beyond_reach(ground: Ground, wish: Wish) -> Nothing:
    at = rate_text(round(ground.traffic.peak, 1))
    lowest = _lowest(ground)
    budget = _least(
        lambda most: _fits(ground, replace(wish, budget=most)), wish.budget, _all(ground)
    )
    overload = _least(
        lambda most: _fits(ground, replace(wish, overload=most)), wish.overload, _all(ground)
    )
    if lowest > wish.budget:
        why = (
            f"a budget of {wish.budget:,} harmed requests is too small: if all of {weight_text(1)} fails, the smallest step "
            f"there is, that is about {ceil(lowest):,} of {at} before traffic is back"
        )
    elif overload is not None:
        why = (
            f"{wish.overload:,} requests that an overload may fail are too few: of {at} every raise by {weight_text(10)} "
            f"may fail about {ceil(ground.harmed(10, ground.swift_ms)):,}, and there is room for 100 steps"
        )
        return Nothing(why, f"the smallest that fits is overload_requests={overload}")
    else:
        why = (
            f"no bake is long enough: at {rate_text(round(ground.traffic.trough, 3))} a step would need more than 14 days to see "
            f"what a budget of {wish.budget:,} harmed requests asks it to see"
        )
    if budget is not None:
        return Nothing(why, f"the smallest that fits is harmed_requests={budget}")
    both = _least(
        lambda most: _fits(ground, _with_budget(wish, most)),
        wish.budget,
        _all(ground),
    )
    if both is not None:
        return Nothing(
            why, f"harmed_requests={both} and overload_requests={max(both, wish.overload)} fit"
        )
    return Nothing(
        why,
        "there is too little traffic to judge steps by: move it in one step with an approval instead",
    )


def _with_budget(wish: Wish, budget: int) -> Wish:
    return replace(wish, budget=budget, overload=max(budget, wish.overload))


def _lowest(ground: Ground) -> float:
    """What the smallest step costs when all of it fails."""
    return harm(ground, 1, 1.0, need(ground.odds, Course(1, LEAST_HORIZON), first=True))


def _all(ground: Ground) -> int:
    """More than any step can cost."""
    return ceil(100 * ground.harmed(FULL, ground.swift_ms)) + 1


def _fits(ground: Ground, wish: Wish, within_ms: int | None = None) -> bool:
    found = fastest(ground, wish)
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
