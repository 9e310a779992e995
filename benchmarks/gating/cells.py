"""All judges in all worlds: one cell is one scenario at one rate, and cells run side by side."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

from benchmarks.gating import race
from benchmarks.gating.peers import PEERS
from benchmarks.gating.product import VARIANTS, Product
from benchmarks.gating.results import Outcome
from benchmarks.gating.scenarios import SCENARIOS, Kind, Scenario, rates_of
from benchmarks.gating.world import World

WORKERS = 2
SIMPLE_EVERY = 4
PART: Final = {Kind.APART: 2, Kind.STRESS: 4}
"""Kinds that no target judges are measured with a part of the runs, or 40 of them would not fit in 8 minutes."""

OURS, ALONE, SIMPLE = (variant.name for variant in VARIANTS)
ONLY_AT_THE_END = ("both5@100", "both40@100", "last5")
"""Where it matters that some of the source's traffic is held back: the other variant runs only there."""

Key = tuple[str, float]
Outcomes = Mapping[str, Sequence[Outcome]]


@dataclass(frozen=True)
class Cell:
    """Work for one process."""

    scenario: str
    rate: float
    runs: int
    seed: int


def cells(runs: int, seed: int, only: Sequence[str] = ()) -> list[Cell]:
    """The whole benchmark, long cells first."""
    found = [
        Cell(one.name, rate, -(-runs // PART.get(one.kind, 1)), seed)
        for one in SCENARIOS.values()
        if not only or one.name in only
        for rate in rates_of(one)
    ]
    return sorted(found, key=lambda cell: SCENARIOS[cell.scenario].kind is Kind.DEFECT)


def variants(scenario: Scenario) -> tuple[str, ...]:
    """Which of the product's configurations run in a scenario."""
    names = [OURS]
    if scenario.name in ONLY_AT_THE_END:
        names.append(ALONE)
    if scenario.kind is not Kind.STRESS:
        names.append(SIMPLE)
    return tuple(names)


@cache
def _product(name: str) -> Product:
    return Product(next(variant for variant in VARIANTS if variant.name == name))


def measure(cell: Cell) -> tuple[Key, dict[str, list[Outcome]]]:
    """Every judge in this cell's worlds; `judge: threshold` in every fourth of them."""
    scenario = SCENARIOS[cell.scenario]
    found: dict[str, list[Outcome]] = {}
    for run in range(cell.runs):
        world = World(scenario, cell.rate, run, cell.seed)
        outcomes = race.run(world, {name: make() for name, make in PEERS.items()})
        for name in variants(scenario):
            if name != SIMPLE or run % SIMPLE_EVERY == 0:
                outcomes[name] = _product(name).run(world)
        for name, outcome in outcomes.items():
            found.setdefault(name, []).append(outcome)
    return (cell.scenario, cell.rate), found


def all_cells(work: Sequence[Cell]) -> Iterator[tuple[Key, Outcomes]]:
    """The cells as they are done; the same whatever their order."""
    if len(work) == 1:
        yield measure(work[0])
        return
    gc.freeze()
    with ProcessPoolExecutor(WORKERS) as pool:
        yield from pool.map(measure, work)


def as_json(found: Mapping[Key, Outcomes]) -> list[dict[str, Any]]:
    """For `--save`."""
    return [
        {"scenario": scenario, "rate": rate, "judge": judge, "runs": [asdict(o) for o in some]}
        for (scenario, rate), judges in found.items()
        for judge, some in judges.items()
    ]


def of_json(body: Iterable[Mapping[str, Any]]) -> dict[Key, Outcomes]:
    """What `--save` kept."""
    found: dict[Key, dict[str, list[Outcome]]] = {}
    for one in body:
        cell = found.setdefault((one["scenario"], one["rate"]), {})
        cell[one["judge"]] = [Outcome(**outcome) for outcome in one["runs"]]
    return dict(found)
