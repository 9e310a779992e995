"""Would the proofs have found it? `python -m tests.planted`, or `make planted`.

Each bug is planted in a copy of the tree and hunted by the explorer, the swarm and the ordinary tests. The table says
who found it, how fast, and how long the shortest counterexample is. Exit 1 when one survives everybody. Before that
everybody hunts in a copy without a bug, where nobody may find anything.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.planted.bug import NO_BUG
from tests.planted.bugs import PLANTED
from tests.planted.copied import ROOT
from tests.planted.hunt import Kept, Limits, Outcome, all_hunted, hunted
from tests.planted.hunters import HUNTERS
from tests.planted.table import failed, line, summary, write

PAGE = ROOT / "docs" / "reliability.md"


def main() -> int:
    asked = _arguments()
    bugs = [bug for bug in PLANTED if not asked.only or bug.id in asked.only]
    if asked.list:
        for bug in bugs:
            print(f"{bug.id:38} {bug.origin:16} {bug.breaks}")
        return 0
    names = asked.hunters.split(",")
    hunters = [one for one in HUNTERS if one.name in names]
    kept = Kept(asked.keep)
    outcomes: dict[str, Outcome] = {}
    limits = Limits(asked.seconds, asked.suite_seconds)
    if not asked.only:
        calm = hunted(NO_BUG, hunters, limits, kept.known(NO_BUG))
        kept.keep(calm)
        if calm.found or calm.broken or calm.unsound:
            print(f"the tree as it is: {line(calm)}")
            return 1
    for outcome in all_hunted(bugs, hunters, limits, asked.processes, kept.known):
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
    all_hunters = ",".join(one.name for one in HUNTERS)
    parser.add_argument("--hunters", default=all_hunters, metavar=all_hunters)
    parser.add_argument("--seconds", type=float, default=60, help="for each adversary and bug")
    parser.add_argument("--suite-seconds", type=float, default=600, help="for the tests, each bug")
    parser.add_argument("--processes", type=int, default=2, help="bugs hunted side by side")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on with these hunts")
    parser.add_argument("--write", action="store_true", help=f"the table into {PAGE.name}")
    parser.add_argument("--list", action="store_true", help="the bugs, and nothing is hunted")
    asked = parser.parse_args()
    if unknown := set(asked.hunters.split(",")) - {one.name for one in HUNTERS}:
        parser.error(f"no such hunter: {', '.join(sorted(unknown))}")
    if asked.write and asked.only:
        parser.error("--write needs the whole table: leave --only out")
    return asked


if __name__ == "__main__":
    sys.exit(main())
