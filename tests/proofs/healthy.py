"""Traffic of a destination that is healthy: as bad as it may just be, or a little better, and as noisy as real ones.

The rate of each side varies from minute to minute by a gamma factor of its own and by one that both share; given the
rate, counts are Poisson (gating.md section 3). The newest minute is sometimes published in part, sometimes its errors
first.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp, sqrt

from cutover.core.gates import Counts
from cutover.core.gates.counting import Weighing
from cutover.core.gates.sequential import eprocess, policy
from cutover.core.observation import Absent, Comparison, Count, Minute
from cutover.core.values import MINUTE
from tests.proofs.luck import poisson

START_MS = 1_800_000_000_000
TAU, MAX_MS, RATIO = 200, 800, 1.25
SOURCE_SLOW = 0.05
PARTLY, FIRST_ERRORS = 0.3, 0.3
"""How often the newest minute is published in part, and how often of those its errors come whole."""


@dataclass(frozen=True)
class Health:
    """How a healthy destination compares with its source (rates are fractions of 1).

    Attributes:
        edge: it is exactly as bad as it may be.
        source, destination: failed requests.
        slower: its requests over 1.25 times the source's p95, and over 800 ms; 5 % of the source's are over that p95.
        cv: how much the rate of a side varies by itself from minute to minute.
        shared: how much both vary together.
        routes: of the plan; two are two comparisons, and share alpha.
        exact: the destination's rates and their variation are those that the judge itself allows in each minute, given
            what it knows of the source: nobody can be worse and still be healthy.
    """

    name: str
    edge: bool
    source: float
    destination: float
    slower: float
    cv: float
    shared: float = 0.0
    routes: int = 1
    exact: bool = False


KINDS = (
    Health("at the floor", True, 0.0002, 0.002, 0.05, 0.5),
    Health("at the floor, two comparisons", True, 0.0002, 0.002, 0.05, 0.35, routes=2),
    Health("twice the source", True, 0.0025, 0.005, 0.05, 0.35, 0.2),
    Health("twice the source, cv 50 %", True, 0.0025, 0.005, 0.05, 0.5),
    Health("at max, near its source", True, 0.006, 0.010, 0.05, 0.35),
    Health("exactly what is allowed", True, 0.0025, 0.005, 0.05, 0.35, exact=True),
    Health("exactly what is allowed, cv 50 %", True, 0.0002, 0.002, 0.05, 0.5, exact=True),
    Health("1.2 times the source", False, 0.001, 0.0012, 0.045, 0.35, 0.2),
    Health("like the source, cv 50 %", False, 0.003, 0.003, 0.04, 0.5),
)
RATES = (300, 6_000, 300_000)
"""Requests a minute: 5, 100 and 5,000 a second."""


@dataclass(frozen=True)
class Rate:
    """Bad requests of all of them: their mean, and how much it varies from minute to minute."""

    mean: float
    cv: float


@dataclass(frozen=True)
class Edges:
    """What the judge allows a healthy destination, by the memories of its gates."""

    errors: policy.Memory
    latency: policy.Memory

    def allowed(self, counts: Mapping[str, Count]) -> tuple[Rate, Rate]:
        """Failed and slow requests in a minute whose source is known."""
        found = []
        columns = ("target_5xx", f"slower.{TAU}")
        for memory, one, column in zip((self.errors, self.latency), EDGES, columns, strict=True):
            requests, bad = (counts[f"source.{name}"] for name in ("requests", column))
            source = Counts(
                requests if isinstance(requests, int) else 0,
                (bad if isinstance(bad, int) else 0) / (1 if column == "target_5xx" else 1000),
            )
            cv = policy.variation(one, memory.baseline)
            standard = STANDARDS[one.signal]
            rate, k = eprocess.allowed(standard, memory.weigher.pool, source, cv)
            found.append(Rate(rate, sqrt(1 / k)))
        return found[0], found[1]


EDGES = (
    Weighing("errors", share=0.5, cv=0.5, fast=0.05),
    Weighing("latency.versus_source", share=0.25, cv=0.4, fast=0.5, before=False),
)
STANDARDS = {
    "errors": eprocess.Standard(floor=0.002, ratio=2.0, cap=0.01, cv=0.5, fast=0.05),
    "latency.versus_source": eprocess.Standard(0.05, 1.0, cap=1.0, cv=0.4, fast=0.5),
}
"""gating.md section 4's table of signals."""


@dataclass
class World:
    """One side's luck after the other, from one seed."""

    health: Health
    rate: int
    chance: random.Random
    common: float = field(default=0.0)

    def minute(
        self, comparison: Comparison, at: int, weight: float, memory: Edges | None = None
    ) -> Minute:
        """Both sides in one minute; `at` counts from the first raise. `memory` says what is allowed, if that matters."""
        self.common = 0.8 * self.common + 0.6 * self.chance.gauss(0.0, 1.0)
        shared = self.health.shared
        both = exp(shared * self.common - shared * shared / 2)
        counts: dict[str, Count] = {}
        sides = (
            ("source", 1 - weight, self.health.source, SOURCE_SLOW, TAU),
            ("destination", weight, self.health.destination, self.health.slower, TAU * RATIO),
        )
        total = 0
        for side, part, failing, slow, limit in sides:
            requests = poisson(self.chance, self.rate * part)
            total += requests
            cv = self.health.cv
            rates = (Rate(failing * both, cv), Rate(slow * both, cv))
            if side == "destination" and memory is not None and weight > 0:
                rates = memory.allowed(counts)
            counts |= self._side(side, requests, rates, round(limit))
        counts["balancer.requests"] = total or Absent.NO_DATAPOINT
        for name in ("elb_502", "elb_503", "elb_504"):
            counts[f"balancer.{name}"] = Absent.NO_DATAPOINT
        return Minute(comparison.id, START_MS + at * MINUTE, counts)

    def _side(
        self, side: str, requests: int, rates: tuple[Rate, Rate], limit: int
    ) -> Mapping[str, Count]:
        if not requests:
            names = (*SERIES, f"slower.{limit}", f"slower.{MAX_MS}")
            return {f"{side}.{name}": Absent.NO_DATAPOINT for name in names}
        failed, slower = (self._bad(requests, rate) for rate in rates)
        return {
            f"{side}.requests": requests,
            f"{side}.target_2xx": requests - failed,
            f"{side}.target_3xx": Absent.NO_DATAPOINT,
            f"{side}.target_4xx": Absent.NO_DATAPOINT,
            f"{side}.target_5xx": failed or Absent.NO_DATAPOINT,
            f"{side}.connection_errors": Absent.NO_DATAPOINT,
            f"{side}.slower.{limit}": 1000 * slower,
            # at the edge both limits are: 5 % of the destination's are over 800 ms, of the source's fewer
            f"{side}.slower.{MAX_MS}": (500 if side == "source" or self.health.exact else 1000)
            * slower,
        }

    def _bad(self, requests: int, rate: Rate) -> int:
        factor = self.chance.gammavariate(1 / rate.cv**2, rate.cv**2)
        return min(requests, poisson(self.chance, requests * rate.mean * factor))

    def published(self, minute: Minute) -> Minute:
        """What CloudWatch has of the newest minute: whole, or a part of everything, or all of its errors already."""
        if self.chance.random() >= PARTLY:
            return replace(minute, settled=False)
        part, errors = self.chance.uniform(0.1, 1.0), self.chance.random() < FIRST_ERRORS
        counts: dict[str, Count] = {
            key: count
            if isinstance(count, Absent) or (errors and _is_bad(key))
            else max(1, round(part * count))
            for key, count in minute.counts.items()
        }
        return replace(minute, counts=counts, settled=False)


SERIES = (
    "requests",
    "target_2xx",
    "target_3xx",
    "target_4xx",
    "target_5xx",
    "connection_errors",
)


def _is_bad(key: str) -> bool:
    return key.endswith("5xx") or ".slower." in key
