"""How the gates read a minute: the columns of requests and answers, and what an absent number means."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from cutover.core.gates.api import GateContext
from cutover.core.observation import Absent, Minute, Series, Side
from cutover.core.values import FULL

SOURCE_REQUESTS = Series(Side.SOURCE, "requests")
DESTINATION_REQUESTS = Series(Side.DESTINATION, "requests")
BALANCER_REQUESTS = Series(Side.BALANCER, "requests")
ELB_503 = Series(Side.BALANCER, "elb_503")
REQUESTS = (SOURCE_REQUESTS, DESTINATION_REQUESTS, BALANCER_REQUESTS)


@cache
def series(side: Side, name: str) -> Series:
    """A column; made once, for a minute is read thousands of times."""
    return Series(side, name)


ANSWERS = ("target_2xx", "target_3xx", "target_4xx", "target_5xx")


_MAY_BE_ABSENT = frozenset(
    {
        *ANSWERS, "connection_errors", "elb_4xx", "elb_5xx", "elb_500", "elb_502", "elb_503", "elb_504",
    }
)  # fmt: skip
"""Series that ALB publishes only when they are not zero (AWS: CloudWatch metrics for your ALB)."""


def published(minute: Minute, needed: Iterable[Series], weight: int) -> bool:
    """Whether an unsettled minute may count against the destination at `weight` (per mille).

    Every series that the judgement reads must have been answered, and those of the source and the balancer that
    always have a datapoint must have it. What the source's error series do not show yet is not zero: `unanswered` takes
    it at its worst. What the destination's do not show yet can only speak against it.
    """
    for one in needed:
        count = minute.counts.get(one.key, Absent.UNKNOWN)
        if count is Absent.UNKNOWN:
            return False
        optional = one.name in _MAY_BE_ABSENT or one.side not in (Side.SOURCE, Side.BALANCER)
        if count is Absent.NO_DATAPOINT and not optional:
            if one.side is Side.SOURCE and weight >= FULL:
                continue  # it has no requests any more
            return False
    return True


def unanswered(minute: Minute, side: Side) -> int:
    """Requests of a side that no published answer accounts for: failed ones, or ones whose datapoint is still to come."""
    requests = minute.number(series(side, "requests").key) or 0
    answers = sum(minute.number(series(side, name).key) or 0 for name in ANSWERS)
    return max(0, requests - answers)


def in_step(minute: Minute, context: GateContext) -> bool:
    """The minute lies wholly in the step that is being judged."""
    return context.weight > 0 and 0 < context.step_began_ms <= minute.at_ms


def before_first_raise(context: GateContext) -> bool:
    """The minute is baseline."""
    return context.step_began_ms == 0


def requests_due(minute: Minute, weight: int) -> int:
    """Requests that a weight below 100 % should have brought the destination, by what the source got (0: cannot tell)."""
    return (minute.number(SOURCE_REQUESTS.key) or 0) * weight // (FULL - weight)


def group_series(side: Side) -> tuple[Series, ...]:
    """All that a target group's answers are counted by."""
    return tuple(Series(side, name) for name in ("requests", *ANSWERS, "connection_errors"))


def answered(minute: Minute, side: Side) -> int | None:
    """Requests of a side that a target answered; None when nobody knows."""
    requests = series(side, "requests").key
    total = 0
    for name in ANSWERS:
        count = minute.zero_if_requests(series(side, name).key, requests)
        if count is None:
            return None
        total += count
    return total


def side_requests(minute: Minute, requests: Series) -> int | None:
    """Requests of a side: 0 without a datapoint, None when nobody knows."""
    count = minute.counts.get(requests.key, Absent.UNKNOWN)
    if count is Absent.UNKNOWN:
        return None
    return 0 if count is Absent.NO_DATAPOINT else max(0, int(count))
