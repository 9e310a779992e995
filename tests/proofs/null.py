"""Whole cutovers of a destination that is healthy: at most 1 % of them may go back, and how many do is counted.

Every minute goes through the gates' own `fold`, `early` and `verdict`, with the scenes that `state.evidence` makes.
The steps are those of gating.md section 3: 1, 5, 25, 50 and 100 %, bakes of 10, 10, 10, 10 and 15 minutes.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

from cutover.core.gates import GateContext, Verdict
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Comparison, Minute
from cutover.core.plan import Plan
from cutover.core.state import evidence as evid
from cutover.core.values import MINUTE
from tests.fakes import TWO_ROUTES, plan_of
from tests.proofs.healthy import KINDS, RATES, RATIO, START_MS, TAU, Edges, Health, World
from tests.proofs.luck import clopper_pearson

PROMISED = 0.01
"""Of all healthy cutovers at most this part goes back (gating.md section 5)."""

STEPS = ((1, 10), (5, 10), (25, 10), (50, 10), (100, 15))
BASELINE = 60


@dataclass(frozen=True)
class Cutover:
    """What became of one simulated cutover: `back` by a breach, `asked` by one that only asks a person."""

    kind: int
    rate: int
    back: str = ""
    asked: bool = False


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
    calibration = {comparison.id: {"p95": TAU} for comparison in intended.comparisons}
    evidence = replace(evidence, calibration=calibration)
    for at in range(-BASELINE, 0):
        for comparison in intended.comparisons:
            folded = evid.Folded(world.minute(comparison, at, 0.0), 0, 0)
            evidence = evid.fold(intended, evidence, folded)
    at = 0
    for step, (weight, bake) in enumerate(STEPS):
        began = START_MS + at * MINUTE
        for _ in range(bake):
            for comparison in intended.comparisons:
                edges = _edges(evidence, comparison) if health.exact else None
                minute = world.minute(comparison, at, weight / 100, edges)
                context = _context(intended, step, began, minute.at_ms, calibration[comparison.id])
                spoke = _early(intended, evidence, comparison, world.published(minute), context)
                evidence = evid.fold(intended, evidence, evid.Folded(minute, 10 * weight, began))
                spoke = spoke or _settled(intended, evidence, comparison, context)
                if spoke is not None:
                    return spoke
            at += 1
    return "", False


def _edges(evidence: evid.Evidence, comparison: Comparison) -> Edges:
    errors = evidence.memory("errors", comparison.id).counting
    return Edges(errors, evidence.memory("latency", comparison.id).relative)


def _context(
    intended: Plan, step: int, began: int, at_ms: int, calibration: Mapping[str, int]
) -> GateContext:
    return GateContext(
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
    intended: Plan,
    evidence: evid.Evidence,
    comparison: Comparison,
    minute: Minute,
    context: GateContext,
) -> tuple[str, bool] | None:
    for gate in intended.gates:
        memory = evidence.memory(gate.name, comparison.id)
        found = gate.gate.early(gate.spec, memory, (minute,), context)
        if found is not None and found.judgement.verdict is Verdict.BREACH:
            return gate.name, found.judgement.on_breach == "escalate"
    return None


def _settled(
    intended: Plan, evidence: evid.Evidence, comparison: Comparison, context: GateContext
) -> tuple[str, bool] | None:
    for gate in intended.gates:
        memory = evidence.memory(gate.name, comparison.id)
        judgement = gate.gate.verdict(gate.spec, memory, comparison, context)
        if judgement.verdict is Verdict.BREACH:
            return gate.name, judgement.on_breach == "escalate"
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

    def on_record(self) -> str:
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
