"""Three pictures for docs/judge.md, each as SVG and PNG: light, few colours, readable without them."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.gating.cells import OURS, SIMPLE, Key, Outcomes
from benchmarks.gating.peers import PEERS
from benchmarks.gating.results import false_rate, mean_harm
from benchmarks.gating.scenarios import Kind, of_kind, rates_of
from benchmarks.gating.tables import short
from benchmarks.gating.targets import JUDGED_RATES, mean_false, trusted_peers
from benchmarks.measuring import ROOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Found = Mapping[Key, Outcomes]
WHERE: Final = ROOT / "docs" / "pictures"
NAMES: Final = ("gating-trade-off", "gating-false-rollbacks", "gating-harm")

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#8C8C8C", "#222222"
"""Okabe and Ito's colours: told apart by every kind of eye."""

ROWS: Final = (OURS, SIMPLE, *PEERS)
STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "cutover",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(found: Found, where: Path = WHERE) -> None:
    """All of them; the same outcomes give the same files."""
    where.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, figure in zip(
            NAMES, (_trade_off(found), _false(found), _harm(found)), strict=True
        ):
            figure.savefig(where / f"{name}.svg", metadata={"Date": None, "Creator": None})
            figure.savefig(where / f"{name}.png", dpi=150, metadata={"Software": None})


def times_ours(found: Found, judge: str) -> float:
    """How many times our harm, the geometric mean over defects at 100 and 5,000 requests a second."""
    logs = []
    for scenario in of_kind(Kind.DEFECT):
        for rate in JUDGED_RATES:
            cell = found.get((scenario.name, rate), {})
            if judge in cell and OURS in cell:
                ratio = max(mean_harm(cell[judge]), 1.0) / max(mean_harm(cell[OURS]), 1.0)
                logs.append(log(ratio))
    return exp(sum(logs) / len(logs)) if logs else 1.0


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, sharey=True)
    return figure, list(axes[0])


def _trade_off(found: Found) -> Figure:
    """Who is quiet, and who is quick: one point a judge."""
    figure, (axes,) = _figure(7.2, 4.4)
    points = sorted(
        (100 * mean_false(found, name), times_ours(found, name), name) for name in ROWS
    )
    for x, y, name in points:
        ours = name == OURS
        axes.scatter(
            x, y, s=70 if ours else 36, color=BLUE if ours else GREY, marker="o", zorder=3
        )
    _labels(axes, points)
    axes.axhline(1, color=BLUE, linewidth=0.7, linestyle=":", zorder=1)
    axes.set_yscale("log")
    axes.set_xlim(-2, max(50.0, *(x for x, _, _ in points)) * 1.25)
    low, high = min(y for _, y, _ in points), max(y for _, y, _ in points)
    axes.set_ylim(low / 1.7, high * 2.2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} ×")
    axes.set_xlabel("healthy cutovers rolled back, mean of all harmless scenarios and rates (%)")
    axes.set_ylabel("requests harmed by a defect\n(times cutover's)")
    return figure


def _labels(axes: Axes, points: list[tuple[float, float, str]]) -> None:
    """A name right of its point, or left of it when another point is in the way."""
    for x, y, name in points:
        crowded = any(
            0 <= other_x - x < 14 and abs(log(other_y / y)) < 0.3
            for other_x, other_y, other in points
            if other != name
        )
        axes.annotate(
            name,
            (x, y),
            xytext=(-7 if crowded else 7, 0),
            textcoords="offset points",
            ha="right" if crowded else "left",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            weight="bold" if name == OURS else "normal",
            color=BLUE if name == OURS else INK,
        )


def _false(found: Found) -> Figure:
    """A matrix: the worst of the three rates."""
    scenarios = [one for one in of_kind(Kind.HEALTHY) if (one.name, rates_of(one)[0]) in found]
    values = [
        [
            max(
                100 * false_rate(found[(one.name, rate)][judge])
                for rate in rates_of(one)
                if (one.name, rate) in found and judge in found[(one.name, rate)]
            )
            for one in scenarios
        ]
        for judge in ROWS
    ]
    figure, (axes,) = _figure(8.6, 4.0)
    axes.imshow(values, cmap="Oranges", vmin=0, vmax=130, aspect="auto")
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            shown = f"{value:.0f}" if value == 0 or value >= 1 else f"{value:.1f}"
            axes.text(
                x,
                y,
                shown,
                ha="center",
                va="center",
                weight="bold" if y == 0 else "normal",
                color=BLUE if y == 0 and value == 0 else INK,
            )
    axes.set_xticks(
        range(len(scenarios)), [one.name for one in scenarios], rotation=30, ha="right"
    )
    axes.set_yticks(range(len(ROWS)), list(ROWS))
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.get_yticklabels()[0].set_color(BLUE)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    axes.set_title(
        "Healthy cutovers rolled back, % (worst of 5, 100 and 5,000 requests a second)",
        fontsize=9,
        loc="left",
    )
    return figure


def _harm(found: Found) -> Figure:
    """A line of dots a defect: every judge's mean harm."""
    scenarios = [one for one in of_kind(Kind.DEFECT) if (one.name, 100.0) in found]
    figure, panels = _figure(8.6, 4.2, columns=len(JUDGED_RATES))
    peers = trusted_peers(found)
    for axes, rate in zip(panels, JUDGED_RATES, strict=True):
        for y, scenario in enumerate(scenarios):
            cell = found[(scenario.name, rate)]
            axes.axhline(y, color="#E6E6E6", linewidth=0.8, zorder=0)
            for name in PEERS:
                trusted = name in peers
                axes.scatter(
                    max(1.0, mean_harm(cell[name])),
                    y,
                    s=30,
                    marker="D" if trusted else "o",
                    facecolor=ORANGE if trusted else "none",
                    edgecolor=ORANGE if trusted else GREY,
                    linewidth=0.8,
                    zorder=2,
                )
            axes.scatter(max(1.0, mean_harm(cell[OURS])), y, s=52, color=BLUE, zorder=3)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: short(value))
        axes.set_title(f"{rate:,.0f} requests a second", fontsize=9, loc="left")
        axes.set_xlabel("requests harmed, mean of a cutover")
    panels[0].set_yticks(range(len(scenarios)), [one.name for one in scenarios])
    panels[0].invert_yaxis()
    keys = (
        ("cutover", "o", BLUE, BLUE),
        (
            "judges not surely above 15 % false rollbacks in any harmless scenario",
            "D",
            ORANGE,
            ORANGE,
        ),
        ("the others", "o", "none", GREY),
    )
    handles = [
        panels[0].scatter([], [], marker=mark, facecolor=face, edgecolor=edge, label=label)
        for label, mark, face, edge in keys
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure
