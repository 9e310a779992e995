"""Rates of bad requests: bounds, and how they are written."""

from __future__ import annotations

from math import sqrt

from cutover.core.gates.api import Counts
from cutover.core.values import PPM

NO_REQUESTS = Counts(0, 0)


def rate_ppm(counts: Counts) -> float:
    """Bad ones in a million; 0 without requests."""
    return counts.bad * PPM / counts.total if counts.total else 0.0


def upper_bound_ppm(counts: Counts) -> int:
    """95 % upper bound of the rate (Poisson: `x + 2 sqrt(x) + 3`), rounded up; all of them without requests."""
    if not counts.total:
        return PPM
    return min(PPM, -int(-PPM * (counts.bad + 2 * sqrt(counts.bad) + 3) // counts.total))


def surely_above(counts: Counts, limit_ppm: int) -> bool:
    """The rate is above `limit_ppm` by more than chance (one-sided, 5 %), with at least 3 bad ones."""
    low = counts.bad - 1.645 * sqrt(counts.bad)
    return counts.bad >= 3 and low * PPM > limit_ppm * counts.total


def percent(ppm: float) -> str:
    """`0.21 %`; a third digit below 0.1 %."""
    return f"{ppm / 10_000:.{2 if ppm >= 1000 or not ppm else 3}f} %"


def count_text(counts: Counts) -> str:
    """`90 of 9,000`; an interpolated count with one digit while it is small."""
    bad = f"{counts.bad:,.1f}" if counts.bad % 1 and counts.bad < 100 else f"{counts.bad:,.0f}"
    return f"{bad} of {counts.total:,.0f}"


def rate_text(counts: Counts) -> str:
    """`90 of 9,000 (1.00 %)`."""
    return f"{count_text(counts)} ({percent(rate_ppm(counts))})"
