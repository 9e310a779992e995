"""One minute of a table, as the person who wrote it means it."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.moment import Moment, wall_from_ms
from cutover.core.values import MINUTE

MOST_MINUTES = 1_000_000
"""A table numbers its minutes from minus this many to this many: almost two years."""

EPOCH = 7_000 * 1_440
"""Where minute 0 of a table lies, in minutes: gates know minutes by ms since the epoch, and 0 means "no step".

Whole days, so that minute 0 is midnight; in 1989, so that no dated table begins before it.
"""


@dataclass(frozen=True)
class Group:
    """What one target group did in a minute; None is no datapoint.

    Attributes:
        requests: all of them.
        errors: 5xx that its targets gave.
        unanswered: requests that no target answered: 502, 504, hanging.
        slow: over the relative limit, in thousandths of a request (CloudWatch interpolates).
        over_slo: over the absolute limit, in thousandths.
    """

    requests: int | None = None
    errors: int | None = None
    unanswered: int | None = None
    slow: int | None = None
    over_slo: int | None = None


NOTHING = Group()


@dataclass(frozen=True)
class Row:
    """One minute of both groups.

    Attributes:
        minute: since the run began; negative before it.
        step: 0 is the first, -1 before the first raise.
        weight: per mille of the traffic that was meant for the destination.
        elb_503: made by the load balancer because no target was there to choose.
        known: False: the table leaves this minute out, so nobody knows anything about it.
    """

    minute: int
    step: int
    weight: int
    source: Group = NOTHING
    destination: Group = NOTHING
    elb_503: int | None = None
    known: bool = True

    @property
    def at_ms(self) -> int:
        """The minute as the gates know it."""
        return ms_of(self.minute)

    @property
    def torn(self) -> bool:
        """A group's failures or answers are counted and its requests are not: they are still to be published."""
        return any(
            group.requests is None and bool(group.errors or group.slow or group.over_slo)
            for group in (self.source, self.destination)
        )

    @property
    def size(self) -> int:
        """Every request of the minute that anybody counted."""
        return (self.source.requests or 0) + (self.destination.requests or 0) + (self.elb_503 or 0)


def ms_of(minute: int) -> int:
    """When a numbered minute begins, in ms since the epoch: made up, only differences mean something."""
    return (minute + EPOCH) * MINUTE


def moment_of(ms: int) -> Moment:
    """The moment of `ms` since the epoch, by a clock that never jumps."""
    return Moment(wall_from_ms(ms), ms, "")
