"""Would the proofs have found it? `python -m tests.planted`, or `make planted`.

Each bug is planted in a copy of the tree and hunted there by those that can see it, one after the other, until one finds
it: random walks through the explorer's states, the swarm, the ordinary tests (`--all`: by everybody, the explorer too).
The table says who found it, how fast, and how long the counterexample is. Exit 1 when one survives. Before the first
bug a copy without one is hunted, where nobody may find anything.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.planted.bug import NO_BUG, Planted
from tests.planted.bugs import PLANTED
from tests.planted.copied import ROOT
from tests.planted.hunt import Kept, Outcome, all_hunted, hunted
from tests.planted.hunters import HUNTERS, Hunter
from tests.planted.table import failed, line, summary, write

PAGE = ROOT / "docs" / "reliability.md"


def main() -> int:
    asked = _arguments()
    bugs = [bug for bug in PLANTED if not asked.only or bug.id in asked.only]
    if asked.list:
        for bug in bugs:
            print(f"{bug.id:38} {bug.origin:16} {bug.breaks}")
        return 0
    by_name = {
        one.name: replace(one, seconds=getattr(asked, f"{one.name}_seconds")) for one in HUNTERS
    }

    def hunters(bug: Planted) -> Sequence[Hunter]:
        names = tuple(by_name) if asked.all else asked.hunters or bug.hunters
        return [by_name[name] for name in names]

    kept = Kept(asked.keep)
    outcomes: dict[str, Outcome] = {}
    if not asked.only:
        calm = hunted(NO_BUG, hunters(NO_BUG), kept.known(NO_BUG), all_of_them=True)
        kept.keep(calm)
        if calm.found or calm.broken or calm.unsound:
            print(f"the tree as it is: {line(calm)}")
            return 1
    for outcome in all_hunted(bugs, hunters, asked.processes, kept.known, all_of_them=asked.all):
        print(line(outcome), flush=True)
        kept.keep(outcome)
        outcomes[outcome.bug.id] = outcome
    ordered = [outcomes[bug.id] for bug in bugs]
    print()
    print("\n".join(summary(ordered)))
    if asked.write:
        write(PAGE, ordered)
    return int(failed(ordered))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.planted")
    names = [bug.id for bug in PLANTED]
    parser.add_argument("--only", action="append", choices=names, metavar="ID")
    everybody = ",".join(one.name for one in HUNTERS)
    parser.add_argument("--all", action="store_true", help="every hunter after every bug")
    parser.add_argument("--hunters", type=_names, metavar=everybody, help="instead of the bug's")
    for one in HUNTERS:
        parser.add_argument(
            f"--{one.name}-seconds", type=float, default=one.seconds, metavar="N", help="a bug"
        )
    parser.add_argument("--processes", type=int, default=2, help="bugs hunted side by side")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on with these hunts")
    parser.add_argument("--write", action="store_true", help=f"the table into {PAGE.name}")
    parser.add_argument("--list", action="store_true", help="the bugs, and nothing is hunted")
    asked = parser.parse_args()
    if asked.write and asked.only:
        parser.error("--write needs the whole table: leave --only out")
    return asked


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - {one.name for one in HUNTERS}:
        raise argparse.ArgumentTypeError(f"no such hunter: {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    sys.exit(main())
