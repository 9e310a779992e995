"""Writes the table of rehearsals in docs/judge.md, each scenario with both judges: `python -m tests.generate_rehearsals`.

It takes some minutes; the same code writes the same table.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.app import api
from cutover.app.rehearsals import NotApplicable
from cutover.core.messages import about

if TYPE_CHECKING:
    from cutover.app.rehearsal import RehearsalResult

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "judge.md"
PLAN = ROOT / "plans" / "checkout.yaml"
BEGIN, END = "<!-- rehearsals:begin -->", "<!-- rehearsals:end -->"
HEAD = """| Scenario | `sequential` ends | after | harmed | `threshold` ends | after | harmed |
|---|---|---:|---:|---|---:|---:|"""


def table(results: Iterable[RehearsalResult]) -> str:
    """One row for each scenario."""
    rows = [
        f"| {one.name} | {_cells(one)} | {_cells(one.compared) if one.compared else '| |'} |"
        for one in results
    ]
    return "\n".join([HEAD, *rows])


def _cells(result: RehearsalResult) -> str:
    outcome = result.outcome.replace("_", " ")
    return f"{outcome} | {about(result.virtual_ms)} | {result.harmed:,}"


def with_table(page: str, made: str) -> str:
    """The page with the table between its markers.

    Raises:
        ValueError: when the page has no such markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE}: no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def scenarios_of(page: str) -> list[str]:
    """The scenarios that the table on the page has a row for."""
    _, _, rest = page.partition(BEGIN)
    lines = rest.partition(END)[0].strip().splitlines()[2:]
    return [line.split("|")[1].strip() for line in lines]


def main() -> int:
    """Rehearse everything and write the page."""
    with_table(PAGE.read_text(encoding="utf-8"), "")  # fails now, not after minutes
    with tempfile.TemporaryDirectory() as place:
        os.environ["CUTOVER_STATE_DIR"] = place
        ended = [
            one
            for one in api.rehearse_all(api.load_plan(PLAN), compare=True)
            if not isinstance(one, NotApplicable)
        ]
        made = table(sorted(ended, key=lambda one: one.name))
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
