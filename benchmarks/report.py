"""The figures as text for a terminal, as JSON, and as docs/performance.md."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Sequence

from benchmarks.measuring import Figure


def machine() -> str:
    """What it ran on, without naming the machine."""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def line(figure: Figure) -> str:
    """One figure for a terminal."""
    mark = "met   " if figure.met else "MISSED"
    parts = "; ".join(f"{name} {value}" for name, value in figure.parts.items())
    return (
        f"{mark} {figure.id:<20} {_ratio(figure.ratio):>8} x  {figure.yardstick}\n"
        f"       {figure.what}; promised: {figure.promised}\n"
        f"       {parts}"
    )


def as_json(figures: Sequence[Figure]) -> str:
    """All figures as one object."""
    body = {
        "schema": "cutover.benchmarks.v1",
        "machine": machine(),
        "figures": [dataclasses.asdict(figure) for figure in figures],
    }
    return json.dumps(body, indent=2)


def page(figures: Sequence[Figure]) -> str:
    """docs/performance.md."""
    rows = [
        f"| {figure.what} | {figure.promised} | **{_ratio(figure.ratio)}** x {figure.yardstick} "
        f"| {'met' if figure.met else '**missed**'} |"
        for figure in figures
    ]
    missed = [figure.id for figure in figures if not figure.met]
    details = [
        line_
        for figure in figures
        for line_ in (
            f"### {figure.id}",
            "",
            "| Part | Value |",
            "|---|---:|",
            *(f"| {name} | {value} |" for name, value in figure.parts.items()),
            "",
        )
    ]
    verdict = f"{len(figures) - len(missed)} of {len(figures)} promises were met in this run." + (
        f" Missed: {', '.join(f'`{name}`' for name in missed)}." if missed else ""
    )
    return (
        "\n".join(
            (
                "# Performance",
                "",
                "Written by `python -m benchmarks --write`; no number here is typed by hand. Run `make bench` to see",
                "the figures of your own machine.",
                "",
                "A ratio compares two measurements of one run, so that a slow or busy machine slows both. Absolute times",
                "are below, and belong to the machine that made this page: " + machine() + ".",
                "No test asserts a time.",
                "",
                verdict,
                "",
                "| Measured | Promised | Ratio | This run |",
                "|---|---|---|---|",
                *rows,
                "",
                "## Parts",
                "",
                *details,
            )
        ).rstrip()
        + "\n"
    )


def _ratio(ratio: float) -> str:
    return f"{ratio:.4f}" if ratio < 0.01 else f"{ratio:.2f}"
