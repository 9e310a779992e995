"""Runs by their seeds, on every core, and what they broke."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

from cutover.app.rehearsal_workers import side_by_side
from tests.swarm.cells import Cells
from tests.swarm.generate import random_script
from tests.swarm.judging import judged
from tests.swarm.machine import Machine
from tests.swarm.script import Script


@dataclass(frozen=True)
class Outcome:
    """How one run went.

    Attributes:
        seed: of its script.
        phase: where it ended.
        occurrences: of its script; not each has to come true.
        broken: one sentence for everything that it broke.
        cells: which trouble met it in which phase.
    """

    seed: int
    phase: str
    occurrences: int
    broken: tuple[str, ...]
    cells: Cells = field(default_factory=Counter)


def run(script: Script) -> Outcome:
    """One script, judged."""
    machine = Machine(script)
    broken: tuple[str, ...]
    try:
        machine.live()
        broken = tuple(judged(machine))
    except Exception as error:  # noqa: BLE001  whatever the product or the proof raises is a finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        broken = (f"raised: {type(error).__name__} in {where.name}: {error}",)
    return Outcome(
        script.seed, str(machine.eyes.state.phase), script.occurrences, broken, machine.eyes.cells
    )


def run_seed(seed: int) -> Outcome:
    """The run of a seed."""
    return run(random_script(seed))


def outcomes(seed: int, seconds: float, processes: int) -> Iterator[Outcome]:
    """One seed after another until the time is spent, on so many processes; at least one each."""
    until = monotonic() + seconds
    if processes == 1:
        first = seed
        while seed == first or monotonic() < until:
            yield run_seed(seed)
            seed += 1
        return
    calls: Any = _seeds(
        seed, until, processes
    )  # drawn one by one: how many there will be nobody knows
    with closing(side_by_side(calls, processes, nullcontext)) as found:
        for _, outcome in found:
            yield outcome


def _seeds(seed: int, until: float, at_least: int) -> Iterator[Callable[[], Outcome]]:
    last = seed + at_least
    while seed < last or monotonic() < until:
        yield partial(run_seed, seed)
        seed += 1


def kind_of(broken: str) -> str:
    """Which promise a sentence is about: what stands before its first colon."""
    return broken.partition(":")[0]
