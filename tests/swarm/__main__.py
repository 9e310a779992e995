"""`python -m tests.swarm --budget SECONDS --seed N`: see the package."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.proofs.commit import commit
from tests.swarm.cells import Cells, cells_hit, wrongly_hit
from tests.swarm.cells import told as told_cells
from tests.swarm.generate import random_script
from tests.swarm.script import Script
from tests.swarm.shrink import shrunk
from tests.swarm.swarm import Outcome, kind_of, outcomes, run, run_seed


def main() -> int:
    """What the arguments ask for; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.swarm")
    parser.add_argument("--budget", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed")
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="one script from a file")
    parser.add_argument("--one", type=int, metavar="N", help="one seed, shrunk when it fails")
    parser.add_argument("--find", action="store_true", help="stop at the first violation")
    parser.add_argument("--seconds", type=float, metavar="N", help="the budget of --find")
    asked = parser.parse_args()
    if asked.replay is not None:
        script = Script.model_validate_json(asked.replay.read_text())
        return _told(run(script), script)
    if asked.one is not None:
        outcome = run_seed(asked.one)
        return _told(outcome, _smallest(outcome)) if outcome.broken else _told(outcome, None)
    seconds = asked.seconds if asked.seconds is not None else asked.budget
    return prove(asked.seed, seconds, asked.processes, find=asked.find, full=not asked.find).failed


@dataclass(frozen=True)
class Swarm:
    """What a while of it came to.

    Attributes:
        runs: how many there were.
        failed: how many of them broke a promise, and how many cells were hit that cannot be.
    """

    runs: int
    failed: int


def prove(
    seed: int, seconds: float, processes: int, *, find: bool = False, full: bool = False
) -> Swarm:
    """Run seeds until the time is spent, or with `find` until one breaks a promise."""
    began, failed, ends, cells, faults, runs = monotonic(), 0, Counter[str](), Cells(), 0, 0
    for outcome in outcomes(seed, seconds, processes):
        runs += 1
        ends[outcome.phase] += 1
        cells.update(outcome.cells)
        faults += sum(outcome.cells.values())
        if outcome.broken:
            failed += 1
            _told(outcome, _smallest(outcome))
            if find:
                return Swarm(runs, failed)
    for one in () if find else wrongly_hit(cells):
        failed += 1
        print(f"FAILED swarm: {one}")
    if full:
        print("\n".join(told_cells(cells)), flush=True)
    told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    spent = monotonic() - began
    print(
        f"swarm: seeds {seed} to {seed + runs - 1}, {runs:,} runs in {spent:.0f} s, {faults:,} faults met in "
        f"{cells_hit(cells)} cells, {failed} violations; {told}",
        flush=True,
    )
    return Swarm(runs, failed)


def _smallest(outcome: Outcome) -> Script:
    kinds = {kind_of(one) for one in outcome.broken}
    return shrunk(
        random_script(outcome.seed),
        lambda script: bool(kinds & {kind_of(one) for one in run(script).broken}),
    )


def _told(outcome: Outcome, script: Script | None) -> int:
    for one in outcome.broken:
        print(f"FAILED swarm: seed {outcome.seed}, commit {commit()}: {one}")
    if outcome.broken and script is not None:
        print(
            f"{script.occurrences} occurrences left of {outcome.occurrences}; "
            "`python -m tests.swarm --replay FILE` with this in FILE:"
        )
        print(script.text(), flush=True)
    elif not outcome.broken:
        print(f"seed {outcome.seed}: every promise held; {outcome.phase}")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(min(1, main()))
