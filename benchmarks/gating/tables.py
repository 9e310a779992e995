"""The two tables and the list of targets, for a terminal and for docs/judge.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

from benchmarks.gating.cells import ALONE, OURS, SIMPLE, Key, Outcomes
from benchmarks.gating.peers import PEERS
from benchmarks.gating.results import (
    Outcome,
    false_rate,
    mean_harm,
    median_best,
    median_delay,
    median_even,
)
from benchmarks.gating.scenarios import Kind, Scenario, of_kind, rates_of
from benchmarks.gating.targets import Target

Found = Mapping[Key, Outcomes]
JUDGES = (OURS, ALONE, SIMPLE, *PEERS)
CLAIRVOYANT, EVEN = "clairvoyant", "clairvoyant, even odds"
NOTHING = ""


def _cell(
    found: Found, scenario: Scenario, judge: str, say: Callable[[Sequence[Outcome]], str]
) -> str:
    """`5/100/5000` requests a second; empty when this judge did not run here."""
    cells = [found.get((scenario.name, rate), {}).get(judge) for rate in rates_of(scenario)]
    return "/".join(say(one) for one in cells if one) if any(cells) else NOTHING


def percent(outcomes: Sequence[Outcome]) -> str:
    """Share of rollbacks, in percent."""
    share = 100 * false_rate(outcomes)
    return f"{share:.0f}" if share in (0.0, 100.0) or share >= 10 else f"{share:.1f}"


def minutes(value: float) -> str:
    """`3.1`, `12`, and a dash for never."""
    return "–" if value == inf else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def short(value: float) -> str:
    """`13`, `6.4k`, `132k`, `7.0M`."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return (
                f"{value / size:.0f}{unit}" if value >= 10 * size else f"{value / size:.1f}{unit}"
            )
    return f"{value:.0f}"


def _delay(outcomes: Sequence[Outcome]) -> str:
    return minutes(median_delay(outcomes))


def _best(outcomes: Sequence[Outcome]) -> str:
    return minutes(median_best(outcomes))


def _even(outcomes: Sequence[Outcome]) -> str:
    return minutes(median_even(outcomes))


def _harm(outcomes: Sequence[Outcome]) -> str:
    return short(mean_harm(outcomes))


Rows = list[tuple[str, list[str]]]


def false_rows(found: Found, *kinds: Kind) -> tuple[list[str], Rows]:
    """(scenarios, (judge, shares of rollbacks in percent))."""
    scenarios = [one for one in of_kind(*kinds) if any(name == one.name for name, _ in found)]
    rows = [(judge, [_cell(found, one, judge, percent) for one in scenarios]) for judge in JUDGES]
    return [one.name for one in scenarios], [row for row in rows if any(row[1])]


def defect_rows(found: Found) -> tuple[list[str], Rows, Rows]:
    """(scenarios, (judge, median delays), (judge, mean harm)); the clairvoyant first."""
    scenarios = [one for one in of_kind(Kind.DEFECT) if any(name == one.name for name, _ in found)]
    delays = [(CLAIRVOYANT, [_cell(found, one, OURS, _best) for one in scenarios])]
    delays.append((EVEN, [_cell(found, one, OURS, _even) for one in scenarios]))
    harms = [(CLAIRVOYANT, [NOTHING] * len(scenarios)), (EVEN, [NOTHING] * len(scenarios))]
    for judge in JUDGES:
        found_here = [_cell(found, one, judge, _delay) for one in scenarios]
        if any(found_here):
            delays.append((judge, found_here))
            harms.append((judge, [_cell(found, one, judge, _harm) for one in scenarios]))
    return [one.name for one in scenarios], delays, harms


def aligned(heads: Sequence[str], rows: Rows) -> str:
    """A table for a terminal."""
    table = [("", list(heads)), *rows]
    first = max(len(name) for name, _ in table)
    widths = [max(len(cells[i]) for _, cells in table) for i in range(len(heads))]
    return "\n".join(
        f"{name:<{first}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        for name, cells in table
    )


def marked(heads: Sequence[str], rows: Rows, first: str = "judge") -> str:
    """A table in Markdown; ours in bold."""
    lines = [f"| {first} | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name, cells in rows:
        bold = f"**{name}**" if name == OURS else name
        lines.append(f"| {bold} | " + " | ".join(cell or " " for cell in cells) + " |")
    return "\n".join(lines)


def said(targets: Sequence[Target]) -> str:
    """Every target with its figure."""
    lines = [f"{'met   ' if one.met else 'MISSED'} {one.what}: {one.figure}" for one in targets]
    missed = sum(not one.met for one in targets)
    return "\n".join(
        [*lines, "", f"{len(targets) - missed} of {len(targets)} targets met"]
        + ([f"{missed} missed"] if missed else [])
    )


def printed(found: Found) -> str:
    """Both tables, what is counted apart, and the stress."""
    parts: list[str] = []
    for title, kind in (
        ("False rollbacks, % of healthy cutovers", Kind.HEALTHY),
        ("Counted apart: rollbacks on purpose, within 5 minutes of a raise, %", Kind.APART),
        ("Stress: false rollbacks, %", Kind.STRESS),
    ):
        heads, rows = false_rows(found, kind)
        if heads:
            parts += [f"{title} (at 5/100/5000 requests a second)", aligned(heads, rows), ""]
    heads, delays, harms = defect_rows(found)
    if heads:
        parts += [
            "Median minutes from onset to decision (at 5/100/5000 requests a second; – missed by most)",
            aligned(heads, delays),
            "",
            "Mean harmed requests a cutover",
            aligned(heads, harms[2:]),
            "",
        ]
    return "\n".join(parts)
