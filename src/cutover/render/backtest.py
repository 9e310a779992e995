"""Looks of `judge` and the report of `backtest`: lines for people, objects for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cutover.core.backtest import (
    ColumnMapping,
    Evaluation,
    HourOfDay,
    Report,
    SimulatedCutover,
    SimulatedEnd,
)
from cutover.core.gates.api import Signal
from cutover.core.moment import wall_from_ms, wall_text
from cutover.core.plan import Plan
from cutover.core.values import DAY, HOUR, count_of, weight_percent, weight_text
from cutover.render.text import columns, pad, table, wrap

_DIGITS = 9
_SHORTEST_WHY = 16
_HEADS = ("MINUTE", "STEP", "WEIGHT", "VERDICT", "ACTION", "EVIDENCE")
_WIDTHS = (6, 5, 7, 7, 8, 15)
_RIGHT = (True, False, True, False, False, True)


def number(value: float) -> float:
    """A figure with nine digits: the same on every machine."""
    return float(f"{value:.{_DIGITS}g}")


def look_heads() -> str:
    """The heads above looks."""
    cells = zip(_HEADS, _WIDTHS, _RIGHT, strict=True)
    return "  ".join(pad(head, size, right=side) for head, size, side in cells) + "  WHY"


def look_line(look: Evaluation, steps: int, width: int | None) -> str:
    """One look on one line, with WHY clipped to `width` columns; None: as long as it is."""
    cells = (
        str(look.row.minute),
        f"{look.row.step + 1}/{steps}",
        weight_text(look.row.weight),
        look.decides.verdict.name,
        str(look.action),
        _evidence(look.signals),
    )
    line = "  ".join(
        pad(cell, size, right=side)
        for cell, size, side in zip(cells, _WIDTHS, _RIGHT, strict=True)
    )
    why = (
        f"{look.sentence} (newest minute left out: not whole yet)"
        if look.left_out
        else look.sentence
    )
    if width is None:
        return f"{line}  {why}"
    room = width - columns(line) - 2
    if room < _SHORTEST_WHY:
        return line[:width].rstrip()
    return f"{line}  {why if columns(why) <= room else why[: room - 3] + '...'}"


def _evidence(signals: Sequence[Signal]) -> str:
    """The signal nearest to its limit: `350 of 400`."""
    if not signals:
        return "-"
    one = max(signals, key=lambda signal: signal.evidence / signal.needed)
    return f"{_short(one.evidence)} of {one.needed:,.0f}"


def _short(evidence: float) -> str:
    if evidence >= 100_000:
        return f"{evidence:.1e}".replace("e+0", "e").replace("e+", "e")
    return f"{evidence:,.0f}" if evidence >= 10 else f"{evidence:.2f}"


def look_json(look: Evaluation, mapping: ColumnMapping) -> dict[str, Any]:
    """One look as JSON; its weight in percent, as tables have them."""
    signals = look.signals
    return {
        "minute": look.row.minute,
        "at": look.row.minute + 1,
        "step": look.row.step,
        "weight_percent": weight_percent(look.row.weight),
        "verdict": look.decides.verdict.name,
        "action": str(look.action),
        "evidence": {one.name: number(one.evidence) for one in signals},
        "needed": {one.name: number(one.needed) for one in signals},
        "gate": look.decides.gate,
        "sentence": look.sentence,
        "gates": {one.gate: one.verdict.name for one in look.judged},
        "baked_minutes": look.baked,
        "left_out": look.left_out,
        "not_judged": dict(mapping.not_judged),
    }


def report_lines(
    plan: Plan, comparison: str, report: Report, *, divided: bool, dated: bool, width: int
) -> Iterator[str]:
    """The whole report of a backtest."""
    how = "its source divided in two" if divided else "its two groups side by side"
    days = _span_text(report.attempts)
    yield from wrap(f"{plan.name}, {comparison}: {how}; {days}", width)
    if report.hours:
        yield ""
        yield from _table(report.hours, width, dated=dated)
    cut = report.count(SimulatedEnd.CUT_OFF)
    if cut:
        yield from wrap(
            f"not counted: {cut} of {count_of(len(report.attempts), 'start')}; the past ends before {'it does' if cut == 1 else 'they do'}",
            width,
        )
    yield ""
    if report.worst is not None and report.worst.worst is not None:
        yield from _worst(report.worst, report.worst.worst, width, dated=dated)
    yield from wrap(f"too twitchy for this service? {report.sentence}", width)
    if divided:
        yield from wrap(
            "(a split is the mildest test there is: both halves are the same fleet, with no noise of its own)",
            width,
        )


def _span_text(attempts: Sequence[SimulatedCutover]) -> str:
    if not attempts:
        return "no start: the past must reach back more than an hour before a full hour"
    days = (attempts[-1].began_ms - attempts[0].began_ms + HOUR) / DAY
    return f"{count_of(len(attempts), 'start')}, one every hour of {days:.1f} days"


def _table(hours: Sequence[HourOfDay], width: int, *, dated: bool) -> list[str]:
    heads = ("UTC" if dated else "HOUR", "STARTS", "COMPLETED", "HELD", "ROLLED BACK")
    rows = [
        (
            f"{one.hour:02d}:00",
            str(one.starts),
            str(one.completed),
            str(one.held),
            str(one.rolled_back),
        )
        for one in hours
    ]
    total = (
        "all",
        *(
            str(sum(getattr(one, name) for one in hours))
            for name in ("starts", "completed", "held", "rolled_back")
        ),
    )
    return table(heads, [*rows, total], width, right=frozenset({1, 2, 3, 4}))


def _worst(hour: HourOfDay, one: SimulatedCutover, width: int, *, dated: bool) -> list[str]:
    counts = f"{hour.rolled_back} rolled back and {hour.held} held of {hour.finished}"
    return [
        *wrap(f"worst hour: {hour.hour:02d}:00, {counts}", width),
        *wrap(
            f"{_when(one, dated=dated)}: {one.ended} at step {one.step + 1} after {count_of(one.minutes, 'minute')}: {one.sentence}",
            width,
            first="  ",
            rest="  ",
        ),
    ]


def _when(one: SimulatedCutover, *, dated: bool) -> str:
    text = wall_text(wall_from_ms(one.began_ms))
    return f"{text[:10]} {text[11:16]}" if dated else f"hour {text[11:16]}"


def report_json(
    plan: Plan,
    comparison: str,
    report: Report,
    *,
    divided: bool,
    dated: bool,
    origin: str,
    not_judged: Mapping[str, str],
) -> dict[str, Any]:
    """The report as one JSON object."""
    return {
        "plan": plan.name,
        "plan_hash": plan.hash,
        "comparison": comparison,
        "from": origin,
        "divided": divided,
        "starts": len(report.attempts),
        "completed": report.count(SimulatedEnd.COMPLETED),
        "held": report.count(SimulatedEnd.HELD),
        "rolled_back": report.count(SimulatedEnd.ROLLED_BACK),
        "cut_off": report.count(SimulatedEnd.CUT_OFF),
        "too_twitchy": str(report.twitchy),
        "sentence": report.sentence,
        "worst_hour": None if report.worst is None else report.worst.hour,
        "hours": [
            {
                "hour": one.hour,
                "starts": one.starts,
                "completed": one.completed,
                "held": one.held,
                "rolled_back": one.rolled_back,
                "worst": None if one.worst is None else _attempt(one.worst, plan, dated=dated),
            }
            for one in report.hours
        ],
        "alarms": [
            _attempt(one, plan, dated=dated)
            for one in report.attempts
            if one.ended in (SimulatedEnd.HELD, SimulatedEnd.ROLLED_BACK)
        ],
        "not_judged": dict(not_judged),
    }


def _attempt(one: SimulatedCutover, plan: Plan, *, dated: bool) -> dict[str, Any]:
    return {
        "began": wall_text(wall_from_ms(one.began_ms)) if dated else _when(one, dated=dated),
        "ended": one.ended.name,
        "step": one.step,
        "weight_percent": weight_percent(plan.steps[one.step].weight),
        "minutes": one.minutes,
        "gate": one.gate,
        "sentence": one.sentence,
    }
