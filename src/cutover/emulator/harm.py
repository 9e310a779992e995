"""How many requests a cutover harms: the one definition, by which rehearsals compare judges.

Harmed is a request that went to the destination and that the source would have served: it failed (a 5xx, no
answer, no target to choose), or it was answered more slowly than a latency gate of the plan lets any percentile be.
What the source suffers in the same moment does not count, nor what a healthy service fails anyway: noise and bursts of the
usual rate harm nobody, and a healthy rehearsal harms exactly 0. A 4xx is an answer. Counted is from the run's first
request to its last, so also what reaches the destination after the weight is back. A request for a group that
has a weight and no target is harmed on either side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutover.core.plan import Plan
from cutover.core.values import PPM
from cutover.emulator.active_injections import Fare
from cutover.emulator.latency import TAIL_OVER_MEDIAN, TAIL_SIGMA, Latencies, Part, percentile
from cutover.emulator.randomness import Randomness
from cutover.emulator.scenario import TrafficSpec

SLOW_SIGMA = 0.35
"""How much requests that an effect makes slow vary around its `slow_to`, on the log scale."""

MANY = 1_000_000


@dataclass(frozen=True)
class Limit:
    """A latency gate's limit: `tail` (a fraction) of a side's requests may take longer than its ms."""

    destination_ms: float
    source_ms: float
    tail: float


def limits_of(plan: Plan, facts: TrafficSpec, sigma: float) -> tuple[Limit, ...]:
    """What the plan's latency gates hold the destination to, by the source's true percentiles."""
    found = []
    usual = Latencies(_parts(facts, sigma, Fare(), 1.0))
    for gate in plan.gates:
        if gate.kind != "latency":
            continue
        spec, tail = gate.spec, gate.spec.tail / PPM
        if spec.max is not None:
            found.append(Limit(spec.max, spec.max, tail))
        if spec.versus_source is not None:
            tau = percentile([usual], spec.percentile)
            found.append(Limit(tau * spec.versus_source.ratio, tau, tail))
    return tuple(found)


class Harm:
    """Adds up harmed requests; chances and expected shares, so that counting changes nothing that is counted.

    Attributes:
        failed: requests that failed.
    """

    def __init__(
        self, facts: TrafficSpec, sigma: float, limits: Sequence[Limit], seed: int
    ) -> None:
        self.failed = 0
        self._slow = 0.0
        self._facts, self._sigma, self._limits = facts, sigma, tuple(limits)
        self._luck = Randomness(seed, "harm")
        self._shares: dict[tuple[Fare, Fare], tuple[float, float]] = {}

    @property
    def slow(self) -> int:
        """Requests that were answered too slowly."""
        return round(self._slow)

    @property
    def total(self) -> int:
        """Both."""
        return self.failed + self.slow

    def stranded(self, requests: int) -> None:
        """Requests for a group without any target."""
        self.failed += requests

    def served(
        self, destination: Fare, source: Fare, *, failed: int, usual: int, answered: int
    ) -> None:
        """Requests of the destination in one stretch of time.

        Args:
            destination: how its requests fare in it.
            source: how the source's do.
            failed: of the destination's, those that failed beyond the usual.
            usual: its usual failures.
            answered: the rest.
        """
        excess, slow = self._excess(destination, source)
        self.failed += self._part(failed, excess)
        self.failed += self._part(usual, 1 - 1 / max(1.0, self._facts.destination_errors))
        self._slow += answered * slow

    def _part(self, count: int, share: float) -> int:
        return count if share >= 1 else self._luck.binomial(count, share)

    def _excess(self, destination: Fare, source: Fare) -> tuple[float, float]:
        """The share of the destination's failures that the source would not have had, and of its answers."""
        found = self._shares.get((destination, source))
        if found is None:
            here, there = _failing(destination), _failing(source)
            excess = (here - there) / here if here > there else 0.0
            found = self._shares[destination, source] = (excess, self._slower(destination, source))
        return found

    def _slower(self, destination: Fare, source: Fare) -> float:
        """Beyond what the plan lets be slow, and what is slow at the source."""
        facts = self._facts
        here = _parts(facts, self._sigma, destination, facts.destination_latency)
        there = _parts(facts, self._sigma, source, 1.0)
        beyond = (
            _above(here, limit.destination_ms) - max(limit.tail, _above(there, limit.source_ms))
            for limit in self._limits
        )
        return max(0.0, *beyond) if self._limits else 0.0


def _failing(fare: Fare) -> float:
    """The chance that a request fails in any way beyond the usual ones."""
    served = 1.0
    for chance in (
        fare.errors, fare.connection_errors, fare.unanswered, fare.elb_502, fare.elb_503, fare.elb_504,
    ):  # fmt: skip
        served *= 1 - chance
    return 1 - served


def _parts(facts: TrafficSpec, sigma: float, fare: Fare, times: float) -> tuple[Part, ...]:
    """A million answers of a side."""
    median = facts.latency * fare.latency_factor * times
    slow = round(MANY * fare.slow)
    tail = round((MANY - slow) * facts.tail / PPM)
    return (
        Part(MANY - slow - tail, median, sigma),
        Part(tail, median * TAIL_OVER_MEDIAN, TAIL_SIGMA),
        Part(slow, fare.slow_ms, SLOW_SIGMA),
    )


def _above(parts: Sequence[Part], limit_ms: float) -> float:
    return sum(part.count * part.above(limit_ms) for part in parts) / MANY
