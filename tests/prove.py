"""All proofs for as long as they are told: `python -m tests.prove --budget SECONDS --seed N`, or `make prove`.

One after the other, each with its share of the budget: the explorer (every state that the environment can bring about,
fewest faults first), the swarm (the whole runner against many faults at once), random walks through the explorer's states
beside the core killed at random records and readers of absurd journals, and real processes killed with SIGKILL. One line for each kind; the last line counts all of
them and decides the exit code. A failure prints the command that repeats it and the commit.

Left out unless it is asked for: healthy cutovers that the judge may not send back (`--only null`, or `--null N` besides).
10,000 of them take about six minutes on two cores, whatever the budget.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.crash import kill_loop
from tests.explore.__main__ import PLACE, explore
from tests.explore.configurations import configurations
from tests.explore.counterexample import keep, retell
from tests.explore.walks import Walks
from tests.proofs import absurd, crashes, null
from tests.proofs.commit import commit
from tests.swarm import __main__ as swarm

SHARES = {"explore": 0.35, "swarm": 0.25, "fakes": 0.15, "kill": 0.25}
"""Of the budget, in their order; `fakes` are walks, crash lives and journals, side by side."""

FAKES = {"walks": "walks", "crashes": "lives", "journals": "journals"}
"""Each with what one of its seeds is."""
KINDS = ("explore", "swarm", *FAKES, "kill", "null")
HEALTHY = 10_000


@dataclass(frozen=True)
class Count:
    """What one kind of proof came to.

    Attributes:
        states: of the explorer.
        runs: that went from a beginning to an end.
        kills: of real processes.
        violations: promises that were broken.
    """

    states: int = 0
    runs: int = 0
    kills: int = 0
    violations: int = 0

    def on_record(self) -> str:
        """The last line."""
        return (
            f"{self.states:,} states, {self.runs:,} runs, {self.kills:,} kills, "
            f"{self.violations:,} violations"
        )


def total(counts: Sequence[Count]) -> Count:
    """All of them together."""
    return Count(
        sum(one.states for one in counts),
        sum(one.runs for one in counts),
        sum(one.kills for one in counts),
        sum(one.violations for one in counts),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """What the arguments ask for; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.prove",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--budget", type=float, default=300, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed")
    parser.add_argument("--no-kill", action="store_true", help="leave the real processes out")
    parser.add_argument("--only", choices=KINDS, help="one kind of proof")
    parser.add_argument("--null", type=int, default=0, metavar="N", help="healthy cutovers, too")
    asked = parser.parse_args(arguments)
    healthy = asked.null or (HEALTHY if asked.only == "null" else 0)
    kinds = {asked.only} if asked.only else set(KINDS) - ({"kill"} if asked.no_kill else set())
    counts = [null_proof(healthy, asked.seed)] if healthy and "null" in kinds else []
    counts += within(asked.budget, asked.seed, kinds)
    found = total(counts)
    print(found.on_record(), flush=True)
    return 1 if found.violations else 0


def within(budget: float, seed: int, kinds: set[str]) -> list[Count]:
    """The proofs that go on for as long as they are told, in their order."""
    proofs: dict[str, Callable[[float], Count]] = {
        "explore": explorer,
        "swarm": lambda seconds: swarmed(seconds, seed),
        "fakes": lambda seconds: on_fakes(seconds, seed, [one for one in FAKES if one in kinds]),
        "kill": lambda seconds: killed(seconds, seed),
    }
    left = [one for one in proofs if one in kinds or (one == "fakes" and kinds & set(FAKES))]
    until, counts = time.monotonic() + budget, []
    while left:
        share = SHARES[left[0]] / sum(SHARES[one] for one in left)
        # what one kind took too much, or left over, is shared by those after it
        counts.append(proofs[left.pop(0)](max(0.0, until - time.monotonic()) * share))
    return counts


def explorer(seconds: float) -> Count:
    """Every configuration for its share; a line for all of them."""
    every = list(configurations())
    states = transitions = bad = deepest = 0
    closed: list[str] = []
    for one in explore(every, None, seconds, os.cpu_count() or 1):
        states, transitions = states + one.states, transitions + one.transitions
        deepest = max(deepest, one.depth)
        closed += [one.name] if one.closed else []
        for violation in one.violations:
            bad += 1
            print(
                f"FAILED explore, commit {commit()}: {retell(violation, keep(violation, PLACE))}"
            )
    print(
        f"explore: {len(every)} configurations, {states:,} states, {transitions:,} transitions, up to {deepest} turns "
        f"deep, closed: {', '.join(closed) or 'none'}; {bad} violations",
        flush=True,
    )
    return Count(states=states, violations=bad)


def swarmed(seconds: float, seed: int) -> Count:
    """The swarm, on every core."""
    found = swarm.prove(seed, seconds, os.cpu_count() or 1)
    return Count(runs=found.runs, violations=found.failed)


def on_fakes(seconds: float, seed: int, kinds: Sequence[str]) -> Count:
    """Each of these kinds in a process of its own."""
    with ProcessPoolExecutor(len(kinds)) as pool:
        return total(list(pool.map(seeds, kinds, [seed] * len(kinds), [seconds] * len(kinds))))


def seeds(kind: str, seed: int, seconds: float) -> Count:
    """One seed after another until the time is spent; at least one."""
    until, first, ends, bad = time.monotonic() + seconds, seed, Counter[str](), 0
    with tempfile.TemporaryDirectory() as place:
        proofs: dict[str, Callable[[int], str]] = {
            "walks": partial(walked, Walks()),
            "crashes": crashes.life,
            "journals": partial(absurd.read, Path(place)),
        }
        one = proofs[kind]
        while seed == first or time.monotonic() < until:
            try:
                ends[one(seed).split()[0]] += 1
            except AssertionError as broken:
                bad += 1
                print(
                    f"FAILED {kind}, commit {commit()}: {broken}\n"
                    f"again: python -m tests.prove --only {kind} --budget 0 --seed {seed}",
                    flush=True,
                )
            seed += 1
    told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    print(
        f"{kind}: seeds {first} to {seed - 1}, {seed - first:,} {FAKES[kind]}, "
        f"{bad} violations; {told}",
        flush=True,
    )
    # a journal that is read is no run
    return Count(runs=0 if kind == "journals" else seed - first, violations=bad)


def walked(walks: Walks, seed: int) -> str:
    """One walk.

    Raises:
        AssertionError: when it broke a promise; the message tells its moves.
    """
    found = walks.walk(seed)
    if found is not None:
        moves = "\n".join(walks.on_record(found))
        raise AssertionError(f"seed {seed}, {found.configuration}: {found.broken}\n{moves}")
    return "kept"


def killed(seconds: float, seed: int) -> Count:
    """Real processes over TCP."""
    found = kill_loop.prove(seconds, seed, os.cpu_count() or 1, each=False)
    return Count(runs=found.lives, kills=found.kills, violations=found.failed)


def null_proof(runs: int, seed: int) -> Count:
    """Healthy cutovers by their number; whether too many of some kind were sent back."""
    print(f"null: {runs:,} healthy cutovers from seed {seed}, on every core", flush=True)
    groups = null.groups(list(null.run(runs, seed)))
    for group in groups:
        print(group.on_record(), flush=True)
    return Count(runs=runs, violations=sum(not one.held for one in groups[: null.PROMISES]))


if __name__ == "__main__":
    sys.exit(main())
