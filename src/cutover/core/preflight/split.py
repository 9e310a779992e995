"""How a weight becomes the two numbers an ALB holds, and which weights a route can carry.

AWS docs: a weight is an integer from 0 to 999 and a group's share is its weight over the sum of all
weights (Elastic Load Balancing API, TargetGroupTuple; user guide, rule action types).
"""

from __future__ import annotations

from cutover.core.values import FULL, weight_text

MOST = 999
"""The largest weight an ALB takes, so the ends of a free comparison are 999/0 and 0/999."""


def split(weight: int, bound: int | None = None) -> tuple[int, int]:
    """(source, destination) as ALB weights for `weight` per mille of the comparison.

    Args:
        weight: the destination's portion, 0 to 1000.
        bound: the sum the two must keep because a third group in the action has a share; None when
            the comparison is alone and free.

    Raises:
        ValueError: when the weight is out of range or the bound comparison cannot carry it exactly; the
            message names the nearest weights that it can.
    """
    if not 0 <= weight <= FULL:
        raise ValueError(f"weight {weight} is not between 0 and {FULL} per mille")
    if bound is None:
        return min(FULL - weight, MOST), min(weight, MOST)
    if not _fits(weight, bound):
        raise ValueError(
            f"{weight_text(weight)} cannot be set beside a third target group: our two weights must keep "
            f"their sum of {bound}; nearest that can: {nearest_text(weight, bound)}"
        )
    destination = weight * bound // FULL
    return bound - destination, destination


def representable(bound: int) -> tuple[int, ...]:
    """Every weight, per mille, that a comparison with this fixed sum can carry exactly."""
    return tuple(weight for weight in range(FULL + 1) if _fits(weight, bound))


def nearest_text(weight: int, bound: int) -> str:
    """The representable weights just below and above, for people; says so when there is none."""
    able = representable(bound)
    below = [w for w in able if w < weight][-1:]
    above = [w for w in able if w > weight][:1]
    return " and ".join(weight_text(w) for w in (*below, *above)) or "none"


def _fits(weight: int, bound: int) -> bool:
    destination, rest = divmod(weight * bound, FULL)
    return bound > 0 and rest == 0 and destination <= MOST and bound - destination <= MOST
