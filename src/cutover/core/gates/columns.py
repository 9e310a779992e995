"""How the gates read a minute: the columns of requests and answers, and what an absent number means."""

from __future__ import annotations

from functools import cache

from cutover.core.gates.judging import Scene
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


def in_step(minute: Minute, scene: Scene) -> bool:
    """The minute lies wholly in the step that is being judged."""
    return scene.weight > 0 and 0 < scene.step_began_ms <= minute.at_ms


def before_first_raise(scene: Scene) -> bool:
    """The minute is baseline."""
    return scene.step_began_ms == 0


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
