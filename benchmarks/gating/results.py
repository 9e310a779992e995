"""What became of one judge in one world, and of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean, median

ACT = 0.5
"""Minutes from a decision until the traffic is back."""


@dataclass(frozen=True)
class Outcome:
    """One run of one judge.

    Attributes:
        back: when it decided to roll back, in minutes since the start; None when it did not.
        cause: why: `breach`, or for the product `deadline` (a hold nobody answered) and `blind`.
        ended: when the run was over for another reason.
        onset: when the defect or incident began on this judge's course; None when it did not get there.
        harm: requests harmed until the traffic was back.
        proof: when the evidence passed the limit, acted on or not.
        proof_harm: requests harmed, had it been acted on.
        best, even: delay of the clairvoyant test on the same minutes, with a power of 80 % and with even odds; None where
            it was not asked.
        held: minutes spent holding.
        finished: the cutover completed.
    """

    back: float | None
    cause: str
    ended: float
    onset: float | None
    harm: float
    finished: bool
    proof: float | None = None
    proof_harm: float = 0.0
    best: float | None = None
    even: float | None = None
    held: float = 0.0

    @property
    def delay(self) -> float | None:
        """Minutes from onset to decision: inf when it was missed, None when there was nothing to decide."""
        if self.onset is None or (self.back is not None and self.back < self.onset):
            return None
        return inf if self.back is None else self.back - self.onset


def false_rate(outcomes: Sequence[Outcome]) -> float:
    """The share of runs rolled back."""
    return sum(one.back is not None for one in outcomes) / len(outcomes) if outcomes else 0.0


def delays(outcomes: Sequence[Outcome]) -> list[float]:
    """The runs' delays, where there was one."""
    return sorted(one.delay for one in outcomes if one.delay is not None)


def median_delay(outcomes: Sequence[Outcome]) -> float:
    """Half of the runs decided within so many minutes; inf when most missed it."""
    found = delays(outcomes)
    return median(found) if found else inf


def mean_harm(outcomes: Sequence[Outcome]) -> float:
    """Requests harmed per run, those in which a judge had gone back before counted as none."""
    return fmean(one.harm for one in outcomes) if outcomes else 0.0


def median_best(outcomes: Sequence[Outcome]) -> float:
    """The clairvoyant's median delay."""
    found = [one.best for one in outcomes if one.best is not None]
    return median(found) if found else inf


def median_even(outcomes: Sequence[Outcome]) -> float:
    """The median delay of the clairvoyant that is content with even odds."""
    found = [one.even for one in outcomes if one.even is not None]
    return median(found) if found else inf
