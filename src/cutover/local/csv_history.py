"""The table of `cutover backtest`: minutes of one service, or of a comparison that served side by side (docs/judge.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import BinaryIO, Final

from cutover.core.backtest.rows import EPOCH, MOST_MINUTES
from cutover.core.moment import wall_ms
from cutover.core.values import MINUTE
from cutover.local.csv_file import CsvLine, check_columns, open_table, quoted_cell
from cutover.local.csv_rows import MinutesTable, Order, columns_of, read_rows

ONE: Final = ("minute", "time", *columns_of(""), "elb_503")
COMPARISON: Final = (
    "minute",
    "time",
    "step",
    "weight",
    *columns_of("source", "destination"),
    "elb_503",
)


def read_history(path: str, stdin: BinaryIO | None = None) -> MinutesTable:
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
    order = Order(
        "time" if dated else "minute",
        _time if dated else _minute,
        twice="{cell} comes twice",
        back="{cell} comes after a later one",
        gap="{cell} is {left_out:,} minutes after the row before it",
        fix="sort the rows, one for each minute (UTC)",
    )
    sides = ("source", "destination") if comparison else ("",)
    return read_rows(table, sides, order, lambda *_: (-1, 0))


def _minute(line: CsvLine) -> int:
    minute = line.integer("minute", "write a whole number of minutes, or a column `time`")
    if minute is None or abs(minute) > MOST_MINUTES:
        line.refuse("minute", f"{quoted_cell(line.cell('minute'))} is no whole number of minutes")
    return minute


def _time(line: CsvLine) -> int:
    """The minute whose `Row.at_ms` is that time. A time without an offset is UTC, as CloudWatch gives it."""
    text = line.cell("time")
    try:
        found = datetime.fromisoformat(text if text.isascii() else "")
    except ValueError:
        fix = "ISO 8601, for example 2026-11-20T12:00Z"
        line.refuse("time", f"{quoted_cell(text)} is no time", fix)
    at = wall_ms(found if found.tzinfo is not None else found.replace(tzinfo=UTC)) // MINUTE
    if at <= EPOCH + MOST_MINUTES:
        line.refuse("time", f"{quoted_cell(text)} is too long ago")
    return at - EPOCH
