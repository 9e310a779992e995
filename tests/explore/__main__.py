"""`python -m tests.explore`, or `make explore`: search the states of every configuration, or of one, for so many minutes.

A violation is written as a run directory that `cutover journal replay` shows, with the adversary's moves beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.explore.configurations import configurations
from tests.explore.counterexample import keep, retell, turns
from tests.explore.search import Search, Violation
from tests.promises.catalogue import PROMISES
from tests.promises.promise import Promise

PLACE = Path("explored")

Promises = tuple[Promise, ...]


@dataclass(frozen=True)
class Found:
    """What one configuration's search came to."""

    name: str
    faults: int
    states: int
    transitions: int
    depth: int
    closed: bool
    seconds: float
    violations: tuple[Violation, ...]

    def on_record(self) -> str:
        """In one line."""
        bound = f"closed for at most {self.faults} faults" if self.closed else "time was up"
        rate = round(self.states / max(self.seconds, 0.001))
        return (
            f"{self.name}: {self.states:,} states, {self.transitions:,} transitions, {self.depth} turns deep, {bound}, "
            f"{rate:,} states a second, {len(self.violations)} violations"
        )


def search(
    name: str,
    faults: int | None,
    seconds: float,
    processes: int,
    promises: Promises = PROMISES,
    *,
    first: bool = False,
) -> Found:
    """One configuration until it is closed, the time is up, or (with `first`) something is broken."""
    configuration = configurations()[name]
    if faults is not None:
        configuration = replace(configuration, faults=faults)
    one = Search(configuration, promises)
    began = time.monotonic()
    one.run(
        lambda so_far: time.monotonic() - began < seconds and not (first and so_far.violations),
        processes,
    )
    one.judge_endings()
    return Found(
        name,
        configuration.faults,
        len(one.graph.parents),
        one.transitions,
        max(one.graph.depth),
        one.closed,
        time.monotonic() - began,
        tuple(one.nearest()),
    )


def explore(
    names: Sequence[str],
    faults: int | None,
    seconds: float,
    processes: int,
    promises: Promises = PROMISES,
    *,
    first: bool = False,
) -> Iterator[Found]:
    """One configuration after another, each for its share of the time that is left, and what it came to."""
    until = time.monotonic() + seconds
    for number, name in enumerate(names):
        share = (until - time.monotonic()) / (len(names) - number)
        found = search(name, faults, share, processes, promises, first=first)
        yield found
        if first and found.violations:
            return


def replayed(violation: Violation, promises: Promises = PROMISES) -> bool:
    """Whether the tree as it is breaks one of the same promises by the same moves; a dead end only a search can show."""
    ids = {one.partition(":")[0] for one in violation.broken}
    broken = {one.partition(":")[0] for turn in turns(violation, promises) for one in turn.broken}
    return bool(ids & broken) or not any(":" in one for one in violation.broken)


def main(arguments: Sequence[str] | None = None, promises: Promises = PROMISES) -> int:
    """What the arguments ask for; 1 when something is broken."""
    every = configurations()
    parser = argparse.ArgumentParser(prog="python -m tests.explore")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seconds", type=float, help="instead of --minutes")
    parser.add_argument("--config", choices=[*every, "all"], default="all")
    parser.add_argument(
        "--faults", type=int, help="at most so many, instead of the configuration's own bound"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--find", action="store_true", help="stop at the first violation")
    parser.add_argument("--place", type=Path, default=PLACE, help="where counterexamples go")
    parser.add_argument("--replay", type=Path, help="a file of moves: play it again")
    asked = parser.parse_args(arguments)
    if asked.replay:
        violation = Violation.read(asked.replay)
        print(retell(violation, asked.replay.parent, promises))
        if replayed(violation, promises):
            return 1
        print("every promise held: these moves break nothing any more")
        return 0
    names = list(every) if asked.config == "all" else [asked.config]
    seconds = asked.seconds if asked.seconds is not None else asked.minutes * 60
    states = transitions = bad = 0
    for one in explore(names, asked.faults, seconds, asked.processes, promises, first=asked.find):
        states, transitions = states + one.states, transitions + one.transitions
        bad += len(one.violations)
        print(one.on_record(), flush=True)
        for violation in one.violations:
            place = keep(violation, asked.place, promises)
            print(retell(violation, place, promises), flush=True)
    print(f"{states:,} states, {transitions:,} transitions, {bad} violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
