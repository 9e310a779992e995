"""The table of `cutover backtest`: minutes of one service, or of a comparison that served side by side (docs/judge.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final

from cutover.core.backtest import NOTHING, Row
from cutover.core.backtest.rows import EPOCH, MOST_MINUTES
from cutover.core.errors import printable
from cutover.core.moment import wall_ms
from cutover.core.values import MINUTE
from cutover.local.csv_file import CsvLine, Table, check_columns, open_table
from cutover.local.csv_groups import (
    MOST_GAP,
    Newest,
    check_span,
    columns_of,
    group_of,
    one_sided,
    told_columns,
)

ONE: Final = ("minute", "time", *columns_of(""), "elb_503")
COMPARISON: Final = (
    "minute",
    "time",
    "step",
    "weight",
    *columns_of("source", "destination"),
    "elb_503",
)


@dataclass(frozen=True)
class HistoryTable:
    """A past that has been read whole.

    Attributes:
        rows: one for each minute, each with its time (`Row.at_ms`) when the table is dated.
        columns: the columns (without their side) that the table has.
        comparison: two groups that served side by side; else one service.
        dated: the minutes are times (UTC).
        left_out: minutes that the table does not have.
        notes: what a reader should know about how it was read.
    """

    rows: tuple[Row, ...]
    columns: frozenset[str]
    comparison: bool
    dated: bool
    left_out: int
    notes: tuple[str, ...] = ()


def read_history(path: str, stdin: BinaryIO | None = None) -> HistoryTable:
    """The table of a file (`-`: of `stdin`).

    Raises:
        PlanError: with the first mistake, its line and column.
    """
    table = open_table(path, stdin)
    comparison = any(name.startswith(("source_", "destination_")) for name in table.names)
    requests = ("source_requests", "destination_requests") if comparison else ("requests",)
    check_columns(table, COMPARISON if comparison else ONE, requests)
    dated = "time" in table.index
    if dated == ("minute" in table.index):
        fix = "say when each row is: `time` (ISO 8601) or `minute` (a number)"
        message = (
            "there are both a column time and a column minute"
            if dated
            else "there is no column time or minute"
        )
        raise table.refused(table.problem(1, 0, message, fix))
    rows, left_out = _rows(table, _time if dated else _minute, comparison=comparison)
    sides = ("source", "destination") if comparison else ("",)
    notes = one_sided(table, *sides)
    return HistoryTable(rows, told_columns(table, *sides), comparison, dated, left_out, notes)


def _rows(
    table: Table, when: Callable[[CsvLine], int], *, comparison: bool
) -> tuple[tuple[Row, ...], int]:
    newest = Newest(table)
    rows: list[Row] = []
    left_out = 0
    column = "time" if "time" in table.index else "minute"
    for line in table.lines():
        minute = when(line)
        if rows:
            gap = minute - rows[-1].minute - 1
            if gap < 0:
                what = "comes twice" if gap == -1 else "comes after a later one"
                line.refuse(
                    column,
                    f"{line.cell(column)} {what}",
                    "sort the rows, one for each minute (UTC)",
                )
            if gap > MOST_GAP:
                line.refuse(
                    column, f"{line.cell(column)} is {gap:,} minutes after the row before it"
                )
            check_span(line, column, minute - rows[0].minute + 1)
            left_out += gap
            rows += (
                Row(missing, -1, 0, known=False) for missing in range(rows[-1].minute + 1, minute)
            )
        source, wrong = group_of(line, "source" if comparison else "")
        destination, also = group_of(line, "destination") if comparison else (NOTHING, None)
        newest.admit(wrong or also)
        rows.append(Row(minute, -1, 0, source, destination, line.whole("elb_503")))
    if not rows:
        raise table.refused(table.problem(1, 0, "the table has a header and no row"))
    return tuple(rows), left_out


def _minute(line: CsvLine) -> int:
    number = line.number("minute", "write a whole number of minutes, or a column `time`")
    if number is None or number != number.to_integral_value() or abs(number) > MOST_MINUTES:
        line.refuse(
            "minute", f"'{printable(line.cell('minute'), 40)}' is no whole number of minutes"
        )
    return int(number)


def _time(line: CsvLine) -> int:
    """The minute whose `Row.at_ms` is that time. A time without an offset is UTC, as CloudWatch gives it."""
    text = line.cell("time")
    try:
        found = datetime.fromisoformat(text if text.isascii() else "")
    except ValueError:
        line.refuse(
            "time",
            f"'{printable(text, 40)}' is no time",
            "ISO 8601, for example 2026-11-20T12:00Z",
        )
    at = wall_ms(found if found.tzinfo is not None else found.replace(tzinfo=UTC)) // MINUTE
    if at <= EPOCH + MOST_MINUTES:
        line.refuse("time", f"'{printable(text, 40)}' is too long ago")
    return at - EPOCH
