"""`python -m benchmarks.gating [--runs N] [--write]`: every judge, every scenario, every target. Exit 1: one is missed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.gating import page, pictures, tables
from benchmarks.gating.cells import Key, Outcomes, all_cells, as_json, cells, of_json
from benchmarks.gating.scenarios import SCENARIOS
from benchmarks.gating.targets import all_targets


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gating", description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="cutovers per scenario and rate")
    parser.add_argument("--seed", type=int, default=1, help="another world")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="NAME", default=())
    parser.add_argument("--write", action="store_true", help="docs/judge.md and docs/pictures")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep every outcome as JSON")
    parser.add_argument("--load", type=Path, metavar="FILE", help="outcomes that --save kept")
    asked = parser.parse_args()
    if asked.runs < 1:
        parser.error("--runs must be at least 1")
    if asked.write and asked.only:
        parser.error("--write needs every scenario: leave --only out")
    found = _found(asked)
    print(tables.printed(found))
    targets = all_targets(found)
    print(tables.said(targets))
    if asked.save:
        asked.save.write_text(json.dumps(as_json(found)), encoding="utf-8")
    if asked.write:
        page.write(found, targets, asked.runs, asked.seed)  # it refuses outcomes that are not all
        pictures.draw(found)
    return 0 if all(one.met for one in targets) else 1


def _found(asked: argparse.Namespace) -> dict[Key, Outcomes]:
    if asked.load:
        return dict(of_json(json.loads(asked.load.read_text(encoding="utf-8"))))
    work = cells(asked.runs, asked.seed, asked.only)
    found: dict[Key, Outcomes] = {}
    for done, (key, outcomes) in enumerate(all_cells(work), start=1):
        found[key] = outcomes
        note = f"{done} of {len(work)} cells: {key[0]} at {key[1]:g} requests a second"
        print(note, file=sys.stderr, flush=True)
    return {key: found[key] for key in sorted(found, key=_place)}


def _place(key: Key) -> tuple[int, float]:
    return list(SCENARIOS).index(key[0]), key[1]


if __name__ == "__main__":
    sys.exit(main())
