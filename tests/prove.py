"""Long proofs: `python -m tests.prove --budget SECONDS --seed N`, or `make prove`.

Three kinds take turns: random rehearsals, the core killed at random records, and (where it is asked for)
real processes killed with SIGKILL. A failure names the seed that repeats it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.proofs import crashes, fuzzing

KILL_SHARE = 0.4
"""Of the budget that real processes get: they are the slowest proof."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.prove")
    parser.add_argument("--budget", type=float, default=300, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed")
    parser.add_argument("--no-kill", action="store_true", help="leave the real processes out")
    asked = parser.parse_args()
    budget = asked.budget * (1 if asked.no_kill else 1 - KILL_SHARE)
    with tempfile.TemporaryDirectory() as place:
        proofs: dict[str, Callable[[int], str]] = {
            "rehearsals": lambda seed: fuzzing.rehearse(Path(place), seed),
            "crashes": crashes.life,
        }
        failed = sum(
            prove(name, one, asked.seed, budget / len(proofs)) for name, one in proofs.items()
        )
    if not asked.no_kill:
        failed += _kill(asked.budget * KILL_SHARE, asked.seed)
    print("every promise held" if not failed else f"{failed} proofs failed")
    return 1 if failed else 0


def prove(name: str, one: Callable[[int], str], seed: int, budget: float) -> int:
    """Go on with one seed after another until the budget is spent; how many failed."""
    ends: Counter[str] = Counter()
    failed, until, first = 0, time.monotonic() + budget, seed
    while seed == first or time.monotonic() < until:
        try:
            ends[one(seed).split()[0]] += 1
        except AssertionError as broken:
            failed += 1
            print(f"FAILED {name}: {broken}", flush=True)
        seed += 1
    told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    print(f"{name}: seeds {first} to {seed - 1}, {failed} failed; {told}", flush=True)
    return failed


def _kill(budget: float, seed: int) -> int:
    try:
        from tests.crash import kill_loop
    except ModuleNotFoundError:
        print("kill loop: not here")
        return 0
    return int(kill_loop.prove(budget, seed, 2) != 0)


if __name__ == "__main__":
    sys.exit(main())
