"""Response times as a mixture of lognormals: counts above any limit without drawing each request."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from cutover.emulator.randomness import quantile

TAIL_OVER_MEDIAN = 5.0
TAIL_SIGMA = 0.5


@dataclass(frozen=True)
class Part:
    """`count` requests around `median_ms`, spread by `sigma` on the log scale."""

    count: int
    median_ms: float
    sigma: float

    def above(self, limit_ms: float) -> float:
        """The fraction slower than the limit."""
        if limit_ms <= 0:
            return 1.0
        return 0.5 * math.erfc(math.log(limit_ms / self.median_ms) / (self.sigma * math.sqrt(2)))

    @property
    def mean_ms(self) -> float:
        """The average."""
        return self.median_ms * math.exp(self.sigma * self.sigma / 2)


@dataclass(frozen=True)
class Latencies:
    """The response times of one target group in one minute; `luck` fixes its sampling noise."""

    parts: tuple[Part, ...]
    luck: float = 0.5
    _counted: dict[float, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def count(self) -> int:
        """How many requests were answered by a target."""
        return sum(part.count for part in self.parts)

    @property
    def total_ms(self) -> float:
        """All response times together."""
        return sum(part.count * part.mean_ms for part in self.parts)

    def slower_than(self, limit_ms: float) -> int:
        """Requests slower than the limit; never more for a higher limit."""
        found = self._counted.get(limit_ms)
        if found is None:  # a run asks for the same few limits again and again
            found = sum(
                quantile(part.count, part.above(limit_ms), self.luck) for part in self.parts
            )
            self._counted[limit_ms] = found
        return found


def percentile(many: Iterable[Latencies], percent: float) -> float:
    """The percentile (ms) of all of them together, as CloudWatch takes it from raw samples.

    Percentiles of minutes can not be averaged; the mixture can. With few samples the highest
    percentiles are those of the slowest sample expected.
    """
    parts = [part for one in many for part in one.parts if part.count]
    total = sum(part.count for part in parts)
    wanted = max(1 - percent / 100, 0.5 / total) * total
    low, high = 0.0, math.log(600_000.0)
    for _ in range(30):
        middle = (low + high) / 2
        limit = math.exp(middle)
        if sum(part.count * part.above(limit) for part in parts) > wanted:
            low = middle
        else:
            high = middle
    return math.exp(high)


def body_sigma(median_ms: float, p95_ms: float, tail: float) -> float:
    """The body's spread that gives the whole mixture this 95th percentile."""
    above_tail = Part(1, median_ms * TAIL_OVER_MEDIAN, TAIL_SIGMA).above(p95_ms)
    low, high = 0.05, 2.5
    for _ in range(40):
        middle = (low + high) / 2
        if (1 - tail) * Part(1, median_ms, middle).above(p95_ms) + tail * above_tail < 0.05:
            low = middle
        else:
            high = middle
    return high
