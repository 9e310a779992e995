"""Who else a load balancer serves, and how many requests the comparison usually gets of it.

The balancer's `RequestCount` and the errors that it makes itself are everybody's: they carry no target group (AWS docs:
CloudWatch metrics for your Application Load Balancer). As long as the source has requests it says what the destination
should have. At 100 % nothing in the minute does: then the minutes before it do, of the comparison and of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cutover.core.gates import columns
from cutover.core.observation import Minute
from cutover.core.values import FULL

OTHERS_SHARE: Final = 0.05
"""With more than 5 % of its requests in neither group the load balancer serves others too."""

USUAL_MINUTES: Final = 10
LEAST_MINUTES: Final = 3

OTHERS_NOISE: Final = 0.1
"""By so much the others' requests may be fewer than usual without anything being wrong with them."""


@dataclass(frozen=True)
class Neighbours:
    """The comparison and the others in the last ordinary minutes.

    Attributes:
        minutes: (requests of the comparison, requests of the balancer in neither group), oldest first.
        shared: the load balancer serves others too, or did: one that fails has no requests, and all the 503s.
    """

    minutes: tuple[tuple[int, int], ...] = ()
    shared: bool = False

    @property
    def comparison(self) -> float:
        """Requests of the comparison in an ordinary minute."""
        return sum(p for p, _ in self.minutes) / max(1, len(self.minutes))

    @property
    def others(self) -> float:
        """Requests of everybody else in an ordinary minute."""
        return sum(o for _, o in self.minutes) / max(1, len(self.minutes))

    def learn(self, minute: Minute) -> Neighbours:
        """With this minute, unless a side that should serve was silent or nobody knows who served."""
        split = split_of(minute)
        if split is None or not split[0]:
            return self
        minutes = (*self.minutes, split)[-USUAL_MINUTES:]
        comparison, others = sum(p for p, _ in minutes), sum(o for _, o in minutes)
        enough = len(minutes) >= LEAST_MINUTES
        return Neighbours(
            minutes, self.shared or (enough and others > OTHERS_SHARE * (comparison + others))
        )

    def due(self, minute: Minute, weight: int) -> int:
        """Requests that the weight should have brought the destination (0: cannot tell).

        By what the source got; at 100 % by all that the balancer got, or on a shared one by what the comparison usually gets.
        """
        if weight >= FULL:
            everybody = minute.number(columns.BALANCER_REQUESTS.key) or 0
            return round(self.comparison) if self.shared else everybody
        return columns.requests_due(minute, weight)

    def missing_others(self, minute: Minute) -> float | None:
        """Requests that the others should have had and did not, beyond noise; None when nobody knows."""
        split = split_of(minute)
        return None if split is None else max(0.0, (1 - OTHERS_NOISE) * self.others - split[1])


NO_NEIGHBOURS: Final = Neighbours()
"""Before any minute."""


def split_of(minute: Minute) -> tuple[int, int] | None:
    """(requests of the comparison, requests in neither group); None when nobody knows."""
    source = columns.side_requests(minute, columns.SOURCE_REQUESTS)
    destination = columns.side_requests(minute, columns.DESTINATION_REQUESTS)
    balancer = columns.side_requests(minute, columns.BALANCER_REQUESTS)
    if source is None or destination is None or balancer is None:
        return None
    return source + destination, max(0, balancer - source - destination)
