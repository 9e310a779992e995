"""What the attempts of a backtest add up to: by hour of the day, the worst of them, and whether the gates are too twitchy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from cutover.core.backtest.simulation import SimulatedCutover, SimulatedEnd
from cutover.core.values import DAY, HOUR, count_of

FALSE_ROLLBACKS = 0.01
"""A healthy destination may be rolled back in 1 % of cutovers at most (docs/judge.md)."""

HELD_SHARE = 0.05
"""More holds than this are too many to be called for."""

ENOUGH = 20
"""With fewer finished starts nothing is said."""


class Twitchy(StrEnum):
    """Are these gates too twitchy for this service?"""

    NO = "no"
    HOLDS = "holds"  # they roll back rarely, but would page people
    YES = "yes"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class HourOfDay:
    """The starts of one hour of the day (UTC), and the worst of them."""

    hour: int
    starts: int
    completed: int
    held: int
    rolled_back: int
    worst: SimulatedCutover | None

    @property
    def finished(self) -> int:
        """Those whose end is known."""
        return self.completed + self.held + self.rolled_back


@dataclass(frozen=True)
class Report:
    """All starts.

    Attributes:
        attempts: oldest first.
        hours: those hours of the day at which there was a start.
        worst: the hour with the largest part that rolled back, else held; None when every start completed.
        twitchy: the answer.
        sentence: the answer with its numbers.
    """

    attempts: tuple[SimulatedCutover, ...]
    hours: tuple[HourOfDay, ...]
    worst: HourOfDay | None
    twitchy: Twitchy
    sentence: str

    def count(self, ended: SimulatedEnd) -> int:
        """How many ended so."""
        return sum(one.ended is ended for one in self.attempts)


def report_of(attempts: Iterable[SimulatedCutover]) -> Report:
    """The report of these attempts."""
    every = tuple(attempts)
    by_hour: dict[int, list[SimulatedCutover]] = {}
    for one in every:
        by_hour.setdefault(one.began_ms % DAY // HOUR, []).append(one)
    hours = tuple(_hour(hour, by_hour[hour]) for hour in sorted(by_hour))
    bad = [hour for hour in hours if hour.worst is not None]
    worst = max(bad, key=lambda h: (h.rolled_back / h.finished, h.held / h.finished), default=None)
    twitchy, sentence = _answer(every)
    return Report(every, hours, worst, twitchy, sentence)


def _hour(hour: int, some: Sequence[SimulatedCutover]) -> HourOfDay:
    def ended(how: SimulatedEnd) -> list[SimulatedCutover]:
        return [one for one in some if one.ended is how]

    back, held = ended(SimulatedEnd.ROLLED_BACK), ended(SimulatedEnd.HELD)
    return HourOfDay(
        hour,
        len(some),
        len(ended(SimulatedEnd.COMPLETED)),
        len(held),
        len(back),
        next(iter((*back, *held)), None),
    )


def _answer(every: Sequence[SimulatedCutover]) -> tuple[Twitchy, str]:
    finished = [one for one in every if one.ended is not SimulatedEnd.CUT_OFF]
    if len(finished) < ENOUGH:
        return (
            Twitchy.CANNOT_TELL,
            f"cannot tell: only {count_of(len(finished), 'start')} came to an end, {ENOUGH} are needed",
        )
    back = sum(one.ended is SimulatedEnd.ROLLED_BACK for one in finished)
    held = sum(one.ended is SimulatedEnd.HELD for one in finished)
    rolled, paged = f"{_of(back, finished)} would have rolled back", _of(held, finished)
    if _too_many(back, FALSE_ROLLBACKS * len(finished)):
        wanted = "a healthy destination should be in at most 1 %"
        return Twitchy.YES, f"yes, unless those hours were incidents: {rolled}; {wanted}"
    if _too_many(held, HELD_SHARE * len(finished)):
        return Twitchy.HOLDS, f"not for rolling back ({rolled}), but {paged} would have held"
    return Twitchy.NO, f"no: {rolled}, {paged} held"


def _too_many(seen: int, mean: float) -> bool:
    """More than the mean by more than chance (two standard deviations)."""
    return seen > mean + 2 * sqrt(mean)


def _of(some: int, finished: Sequence[SimulatedCutover]) -> str:
    return f"{some} of {len(finished)} starts ({100 * some / len(finished):.1f} %)"
