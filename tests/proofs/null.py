"""Whole cutovers of a destination that is healthy, as bad as it may just be, or a little better: none should go back.

Every minute goes through the gates' own `fold`, `early` and `verdict`, with the scenes that `state.evidence` makes.
The steps are those of gating.md section 3 (1, 5, 25, 50 and 100 %, bakes of 10, 10, 10, 10 and 15 minutes), and so is
the noise: the rate of each side varies from minute to minute by a gamma factor of its own and by one that both share;
given the rate, counts are Poisson. The newest minute is sometimes published in part, sometimes its errors first.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from math import exp, lgamma, log, sqrt
from multiprocessing import get_context

from cutover.core.gates import Scene, Verdict
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Absent, Count, Minute, Pair
from cutover.core.plan import Plan
from cutover.core.state import evidence as evid
from cutover.core.values import MINUTE
from tests.fakes import TWO_ROUTES, plan_of

PROMISED = 0.01
"""Of all healthy cutovers at most this part goes back (gating.md section 5)."""

STEPS = ((1, 10), (5, 10), (25, 10), (50, 10), (100, 15))
BASELINE = 60
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
        routes: of the plan; two are two pairs, and share alpha.
    """

    name: str
    edge: bool
    source: float
    destination: float
    slower: float
    cv: float
    shared: float = 0.0
    routes: int = 1


KINDS = (
    Health("at the floor", True, 0.0002, 0.002, 0.05, 0.5),
    Health("at the floor, two pairs", True, 0.0002, 0.002, 0.05, 0.35, routes=2),
    Health("twice the source", True, 0.0025, 0.005, 0.05, 0.35, 0.2),
    Health("twice the source, cv 50 %", True, 0.0025, 0.005, 0.05, 0.5),
    Health("at max, near its source", True, 0.006, 0.010, 0.05, 0.35),
    Health("1.2 times the source", False, 0.001, 0.0012, 0.045, 0.35, 0.2),
    Health("like the source, cv 50 %", False, 0.003, 0.003, 0.04, 0.5),
)
RATES = (300, 6_000, 300_000)
"""Requests a minute: 5, 100 and 5,000 a second."""


@dataclass(frozen=True)
class Cutover:
    """What became of one simulated cutover: `back` by a breach, `asked` by one that only asks a person."""

    kind: int
    rate: int
    back: str = ""
    asked: bool = False


@dataclass
class World:
    """One side's luck after the other, from one seed."""

    health: Health
    rate: int
    chance: random.Random
    common: float = field(default=0.0)

    def minute(self, pair: Pair, at: int, weight: float) -> Minute:
        """Both sides in one minute; `at` counts from the first raise."""
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
            counts |= self._side(side, requests, failing * both, slow * both, round(limit))
        counts["balancer.requests"] = total or Absent.NO_DATAPOINT
        for name in ("elb_502", "elb_503", "elb_504"):
            counts[f"balancer.{name}"] = Absent.NO_DATAPOINT
        return Minute(pair.id, START_MS + at * MINUTE, counts)

    def _side(
        self, side: str, requests: int, failing: float, slow: float, limit: int
    ) -> Mapping[str, Count]:
        if not requests:
            names = (*SERIES, f"slower.{limit}", f"slower.{MAX_MS}")
            return {f"{side}.{name}": Absent.NO_DATAPOINT for name in names}
        failed = min(requests, poisson(self.chance, requests * failing * self._factor()))
        slower = min(requests, poisson(self.chance, requests * slow * self._factor()))
        return {
            f"{side}.requests": requests,
            f"{side}.target_2xx": requests - failed,
            f"{side}.target_3xx": Absent.NO_DATAPOINT,
            f"{side}.target_4xx": Absent.NO_DATAPOINT,
            f"{side}.target_5xx": failed or Absent.NO_DATAPOINT,
            f"{side}.connection_errors": Absent.NO_DATAPOINT,
            f"{side}.slower.{limit}": 1000 * slower,
            # at the edge both limits are: 5 % of the destination's are over 800 ms, of the source's fewer
            f"{side}.slower.{MAX_MS}": (1000 if side == "destination" else 500) * slower,
        }

    def _factor(self) -> float:
        cv = self.health.cv
        return self.chance.gammavariate(1 / cv**2, cv**2)

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


def plan(routes: int = 1) -> Plan:
    """A plan with the steps of gating.md section 3 and gates that take all of alpha."""
    return plan_of(
        routes=[TWO_ROUTES[0], {**TWO_ROUTES[1], "destination": _OTHER}][:routes],
        steps=[{"weight": weight, "bake": f"{bake}m"} for weight, bake in STEPS],
        gates=[
            {"errors": {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}},
            {"latency": {"percentile": 95, "max": "800ms", "versus_source": {"ratio": RATIO}}},
        ],
    )


_OTHER = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/basket-eks/1b2c3d4e5f607182"
PLANS = {routes: plan(routes) for routes in (1, 2)}


def cutover(seed: int, health: Health, rate: int) -> tuple[str, bool]:
    """The gate that spoke a breach in one whole cutover, "" when none did; and whether it only asks."""
    world = World(health, rate, random.Random(seed))
    intended = PLANS[health.routes]
    evidence = evid.begin(intended)
    calibration = {pair.id: {"p95": TAU} for pair in intended.pairs}
    evidence = replace(evidence, calibration=calibration)
    for at in range(-BASELINE, 0):
        for pair in intended.pairs:
            folded = evid.Folded(world.minute(pair, at, 0.0), 0, 0)
            evidence = evid.fold(intended, evidence, folded)
    at = 0
    for step, (weight, bake) in enumerate(STEPS):
        began = START_MS + at * MINUTE
        for _ in range(bake):
            for pair in intended.pairs:
                minute = world.minute(pair, at, weight / 100)
                scene = _scene(intended, step, began, minute.at_ms, calibration[pair.id])
                spoke = _early(intended, evidence, pair, world.published(minute), scene)
                evidence = evid.fold(intended, evidence, evid.Folded(minute, 10 * weight, began))
                spoke = spoke or _settled(intended, evidence, pair, scene)
                if spoke is not None:
                    return spoke
            at += 1
    return "", False


def _scene(
    intended: Plan, step: int, began: int, at_ms: int, calibration: Mapping[str, int]
) -> Scene:
    return Scene(
        weight=10 * STEPS[step][0],
        next_weight=None,
        step_began_ms=began,
        now=Moment(wall_from_ms(at_ms + 2 * MINUTE), 0, ""),
        period_ms=MINUTE,
        calibration=calibration,
        steps=len(STEPS),
        horizon=intended.horizon,
        bake_ms=STEPS[step][1] * MINUTE,
        alpha_scale=intended.alpha_scale,
    )


def _early(
    intended: Plan, evidence: evid.Evidence, pair: Pair, minute: Minute, scene: Scene
) -> tuple[str, bool] | None:
    for gate in intended.gates:
        memory = evidence.memories[(gate.name, pair.id)]
        found = gate.gate.early(gate.spec, memory, (minute,), scene)
        if found is not None and found.judgement.verdict is Verdict.BREACH:
            return gate.name, found.judgement.on_breach == "ask"
    return None


def _settled(
    intended: Plan, evidence: evid.Evidence, pair: Pair, scene: Scene
) -> tuple[str, bool] | None:
    for gate in intended.gates:
        memory = evidence.memories[(gate.name, pair.id)]
        judgement = gate.gate.verdict(gate.spec, memory, pair, scene)
        if judgement.verdict is Verdict.BREACH:
            return gate.name, judgement.on_breach == "ask"
    return None


def one(seed: int) -> Cutover:
    """The cutover of a seed: kinds and rates take turns."""
    kind, rate = seed % len(KINDS), RATES[seed // len(KINDS) % len(RATES)]
    back, asked = cutover(seed, KINDS[kind], rate)
    return Cutover(kind, rate, back, asked)


def run(runs: int, first: int = 0, processes: int = 0) -> Iterator[Cutover]:
    """So many cutovers, on all cores unless said; in the order of their seeds."""
    seeds = range(first, first + runs)
    workers = processes or os.cpu_count()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(one, seeds, chunksize=25)


@dataclass(frozen=True)
class Group:
    """How many of some cutovers were sent back, or would have been had nobody been asked."""

    name: str
    runs: int
    back: int
    asked: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate (Clopper and Pearson)."""
        return clopper_pearson(self.back, self.runs)

    @property
    def held(self) -> bool:
        """The promise is not shown to be broken."""
        return self.interval[0] <= PROMISED

    def told(self) -> str:
        """One line."""
        low, high = self.interval
        asked = f", {self.asked} of them only asking a person" if self.asked else ""
        rate = self.back / self.runs if self.runs else 0.0
        return (
            f"{self.name}: {self.back} of {self.runs:,} healthy cutovers sent back{asked}: "
            f"{100 * rate:.2f} % (95 %: {100 * low:.2f} to {100 * high:.2f} %), promised at most {100 * PROMISED:g} %"
        )


PROMISES = 3
"""The first groups are held to the promise; of the others some would miss it by chance."""


def groups(seen: list[Cutover]) -> list[Group]:
    """All of them, those at the edge, those below it, then each kind and rate."""
    return [
        _group("null, all", seen),
        _group("null, at the edge of the tolerance", [c for c in seen if KINDS[c.kind].edge]),
        _group("null, below it", [c for c in seen if not KINDS[c.kind].edge]),
        *(
            _group(f"  {health.name}, {rate // 60:,} requests/s", some)
            for kind, health in enumerate(KINDS)
            for rate in RATES
            if (some := [c for c in seen if (c.kind, c.rate) == (kind, rate)])
        ),
    ]


def _group(name: str, seen: list[Cutover]) -> Group:
    return Group(name, len(seen), sum(bool(c.back) for c in seen), sum(c.asked for c in seen))


def clopper_pearson(hits: int, runs: int, odds: float = 0.05) -> tuple[float, float]:
    """The exact interval of a rate: below and above it the hits seen would each be rarer than `odds / 2`."""
    if not runs:
        return 0.0, 1.0
    low = 0.0 if not hits else _solve(lambda p: 1 - _at_most(hits - 1, runs, p) < odds / 2)
    high = 1.0 if hits == runs else _solve(lambda p: _at_most(hits, runs, p) > odds / 2)
    return low, high


def _solve(below: Callable[[float], bool]) -> float:
    """The rate up to which `below` holds."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return low


def _at_most(hits: int, runs: int, p: float) -> float:
    """P(Binomial(runs, p) <= hits)."""
    if p <= 0.0:
        return 1.0
    if p >= 1.0:
        return float(hits >= runs)
    return math.fsum(
        exp(
            lgamma(runs + 1)
            - lgamma(k + 1)
            - lgamma(runs - k + 1)
            + k * log(p)
            + (runs - k) * math.log1p(-p)
        )
        for k in range(hits + 1)
    )


def poisson(chance: random.Random, mean: float) -> int:
    """A Poisson count, exact: by inversion while it is small, else by transformed rejection.

    Hörmann (1993): The transformed rejection method for generating Poisson random variables, algorithm PTRS.
    """
    if mean < 10:
        left, count = exp(-mean), 0
        term = left
        u = chance.random()
        while u > left and count < 1000:
            count += 1
            term *= mean / count
            left += term
        return count
    root = sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    usual = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = chance.random() - 0.5, chance.random()
        us = 0.5 - abs(u)
        count = math.floor((2 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= usual:
            return count
        if count < 0 or (us < 0.013 and v > us):
            continue
        if log(v * inverse / (a / (us * us) + b)) <= count * log(mean) - mean - lgamma(count + 1):
            return count
