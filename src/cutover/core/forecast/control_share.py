"""How much of the traffic stays at the source for the last judged bake: the one proposal of `validate` and `schedule`."""

from __future__ import annotations

from math import ceil
from typing import Final

from cutover.core.forecast.inputs import ForecastInputs, TrafficRate
from cutover.core.values import FULL

LOW_TRAFFIC: Final = 50.0
"""Requests a minute the source should keep, to be a comparison (docs/judge.md)."""

USUAL: Final = 50
"""Per mille held back where nothing speaks against it: 95 % for the last judged bake (docs/judge.md)."""

MOST_HELD_BACK: Final = 200
"""Per mille: more than a fifth is a step of its own, and should be written as one."""

_ROUND: Final = 10
"""Per mille: people write whole percents."""


def proposed(traffic: TrafficRate, at_most: int = MOST_HELD_BACK) -> int:
    """What `hold_back` should say for this traffic, per mille: the smallest from 5 % on that stays a comparison.

    `at_most` is what an overload budget bears (`bearable`): then less than 5 % will do. 0: no part that small is a
    comparison at the quietest traffic, so nothing is held back, and at 100 % a breach asks a person.
    """
    least = least_comparable(traffic)
    wanted = max(USUAL, _up(least))
    if wanted <= min(at_most, MOST_HELD_BACK):
        return wanted
    fewer = min(at_most, USUAL)
    return next((one for one in (fewer - fewer % _ROUND, least) if least <= one <= fewer), 0)


def least_comparable(traffic: TrafficRate) -> int:
    """The smallest part (per mille) that leaves each comparison's source enough; above `FULL` when not even all of it is."""
    a_comparison = traffic.trough / traffic.comparisons
    return ceil(LOW_TRAFFIC * FULL / a_comparison) if a_comparison > 0 else FULL + 1


def bearable(inputs: ForecastInputs, overload: int) -> int:
    """The largest part (per mille) that may be handed over at once when an overload may fail so many requests."""
    shares = range(MOST_HELD_BACK, 0, -1)
    return next((one for one in shares if inputs.harmed(one, inputs.swift_ms) <= overload), 0)


def kept(traffic: TrafficRate, weight: int) -> float:
    """Requests a minute that the source of one comparison keeps at `weight`, at the trough."""
    return traffic.trough * (FULL - weight) / FULL / traffic.comparisons


def _up(share: int) -> int:
    return -(-share // _ROUND) * _ROUND
