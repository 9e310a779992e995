"""`python -m tests.explore`, or `make explore`: search the states of every configuration, or of one, for so many minutes.

A violation is written as a run directory that `cutover journal replay` shows, with the adversary's moves beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from tests.explore.configurations import configurations
from tests.explore.counterexample import keep, retell
from tests.explore.search import Search, Violation

PLACE = Path("explored")


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

    def told(self) -> str:
        """In one line."""
        bound = f"closed for at most {self.faults} faults" if self.closed else "time was up"
        rate = round(self.states / max(self.seconds, 0.001))
        return (
            f"{self.name}: {self.states:,} states, {self.transitions:,} transitions, {self.depth} turns deep, {bound}, "
            f"{rate:,} states a second, {len(self.violations)} violations"
        )


def search(name: str, faults: int | None, seconds: float, *, first: bool) -> Found:
    """One configuration until it is closed, the time is up, or (with `first`) something is broken."""
    configuration = configurations()[name]
    if faults is not None:
        configuration = replace(configuration, faults=faults)
    one = Search(configuration)
    began = time.monotonic()
    one.run(
        lambda so_far: time.monotonic() - began < seconds and not (first and so_far.violations)
    )
    one.judge_endings()
    return Found(
        name,
        configuration.faults,
        len(one.parents),
        one.transitions,
        max(one.depth),
        one.closed,
        time.monotonic() - began,
        tuple(one.nearest()),
    )


def explore(
    names: list[str], faults: int | None, seconds: float, processes: int, *, first: bool
) -> list[Found]:
    """The configurations side by side, each with its share of the time; what each came to, as soon as it is known."""
    share = seconds * min(processes, len(names)) / len(names)
    found = []
    with ProcessPoolExecutor(processes) as pool:
        asked = [pool.submit(search, name, faults, share, first=first) for name in names]
        for one in as_completed(asked):
            found.append(one.result())
            print(found[-1].told(), flush=True)
            for violation in found[-1].violations:
                print(retell(violation, keep(violation, PLACE)), flush=True)
            if first and found[-1].violations:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    return found


def main() -> int:
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
    parser.add_argument("--replay", type=Path, help="a file of moves: play it again")
    asked = parser.parse_args()
    if asked.replay:
        violation = Violation.read(asked.replay)
        print(retell(violation, asked.replay.parent))
        return 1
    names = list(every) if asked.config == "all" else [asked.config]
    seconds = asked.seconds if asked.seconds is not None else asked.minutes * 60
    found = explore(names, asked.faults, seconds, asked.processes, first=asked.find)
    states, bad = sum(one.states for one in found), sum(len(one.violations) for one in found)
    turns = sum(one.transitions for one in found)
    print(f"{states:,} states, {turns:,} transitions, {bad} violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
