"""Long proofs: `python -m tests.prove --budget SECONDS --seed N`, or `make prove`.

First healthy cutovers, by their number (`--runs`, on all cores): how many the sequential judge sends back, with the
95 % interval, against what is promised. Then four kinds take turns until the budget is spent: the swarm (the whole runner
against many faults at once), the core killed at random records, readers of absurd journals, and (where it is asked for) real
processes killed with SIGKILL. A failure names the seed that repeats it. `--only null` leaves the others out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.proofs import absurd, crashes, null
from tests.swarm.__main__ import prove as prove_swarm

SHARES = {"swarm": 0.3, "crashes": 0.2, "journals": 0.1, "kill": 0.4}
"""Of the budget; real processes are the slowest proof."""

KINDS = ("null", *SHARES)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.prove")
    parser.add_argument("--budget", type=float, default=300, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed")
    parser.add_argument("--no-kill", action="store_true", help="leave the real processes out")
    parser.add_argument("--only", choices=KINDS, help="one kind of proof")
    parser.add_argument("--runs", type=int, default=10_000, metavar="N", help="healthy cutovers")
    asked = parser.parse_args()
    kinds = {asked.only} if asked.only else set(KINDS) - ({"kill"} if asked.no_kill else set())
    failed = _null(asked.runs, asked.seed) if "null" in kinds else 0
    failed += _until_spent(kinds, asked.budget, asked.seed)
    print("every promise held" if not failed else f"{failed} proofs failed")
    return 1 if failed else 0


def _null(runs: int, seed: int) -> int:
    """Healthy cutovers by their number; whether too many of some kind were sent back."""
    print(f"null: {runs:,} healthy cutovers from seed {seed}, on every core", flush=True)
    groups = null.groups(list(null.run(runs, seed)))
    for group in groups:
        print(group.told(), flush=True)
    return sum(not group.held for group in groups[: null.PROMISES])


def _until_spent(kinds: set[str], budget: float, seed: int) -> int:
    """The proofs that go on for as long as they are told; how many failed."""
    shares = {kind: share for kind, share in SHARES.items() if kind in kinds}
    spans = {kind: budget * share / sum(shares.values()) for kind, share in shares.items()}
    failed = prove_swarm(seed, spans["swarm"], os.cpu_count() or 1) if "swarm" in spans else 0
    with tempfile.TemporaryDirectory() as place:
        proofs: dict[str, Callable[[int], str]] = {
            "crashes": crashes.life,
            "journals": lambda seed: absurd.read(Path(place), seed),
        }
        for name, one in proofs.items():
            if name in spans:
                failed += prove(name, one, seed, spans[name])
    return failed + (_kill(spans["kill"], seed) if "kill" in spans else 0)


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
