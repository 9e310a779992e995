"""`python -m benchmarks [--json] [--write] [--only ID ...]`: measure, and print every figure."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Final

from benchmarks import (
    breaches,
    cold_rollback,
    journals,
    memory,
    pure_core,
    rehearsals,
    report,
    rollbacks,
    start_up,
    views,
)
from benchmarks.measuring import ROOT, Figure

FIGURES: Final[dict[str, Callable[[], list[Figure]]]] = {
    "start-up": start_up.measure,
    "views": views.measure,
    "rehearsals": rehearsals.measure,
    "pure-core": pure_core.measure,
    "breaches": breaches.measure,
    "rollbacks": rollbacks.measure,
    "cold-rollback": cold_rollback.measure,
    "journals": journals.measure,
    "memory": memory.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument(
        "--only", nargs="+", choices=FIGURES, metavar="NAME", help=", ".join(FIGURES)
    )
    asked = parser.parse_args()
    if asked.write and asked.only:
        parser.error("--write needs every figure: leave --only out")
    figures: list[Figure] = []
    if not asked.json:
        print(f"{report.machine()}; a ratio is the measurement over its yardstick in this run")
    for name in asked.only or FIGURES:
        for figure in FIGURES[name]():
            figures.append(figure)
            if not asked.json:
                print(report.line(figure), flush=True)
    if asked.json:
        print(report.as_json(figures))
    missed = [figure.id for figure in figures if not figure.met]
    print(
        f"{len(figures) - len(missed)} of {len(figures)} promises met"
        + (f"; missed: {', '.join(missed)}" if missed else ""),
        file=sys.stderr,
    )
    if asked.write:
        (ROOT / "docs" / "performance.md").write_text(report.page(figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
