"""A table in a file: comma separated, one header, every cell with its place.

Tables come from spreadsheets, notebooks and `aws cloudwatch` pipes. What can only be read one way is read; anything
else is one clear message with line and column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from cutover.core.errors import PlanError, Problem, printable
from cutover.core.values import count_of
from cutover.local.text_file import Place, SourceText, decoded, read_text

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_ROWS: Final = 100_000
"""Over two months of minutes."""

STDIN: Final = "-"
MOST_COUNT: Final = 10**10
"""Requests that no load balancer serves in a minute: a count above it is a slip, and would hide every failure beside it."""

HINT: Final = "nothing was judged; docs/judge.md describes the table"

_WHOLE = re.compile(r"[+-]?[0-9]+(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_NO_DATAPOINT = "leave the cell empty when there was no datapoint"
_OTHERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class CsvLine:
    """One row of a table: its cells, stripped, in the order of the header; `at` is its line in the file."""

    table: Table
    at: int
    cells: tuple[str, ...]

    def cell(self, name: str) -> str:
        """The text of a column; empty when the table has no such column."""
        index = self.table.index.get(name)
        return "" if index is None else self.cells[index]

    def count(self, name: str, parts: int = 1) -> int | None:
        """A count in so many parts of a request, a fraction when there are parts; None for an empty cell.

        Raises:
            PlanError: for anything that is no such number.
        """
        if parts == 1:
            number = self.number(name, _NO_DATAPOINT, _WHOLE, "whole number")
        else:
            number = self.number(name, _NO_DATAPOINT)
        if number is None:
            return None
        if number < 0:
            self.refuse(name, f"{printable(self.cell(name), 40)} is negative: a count never is")
        if number > MOST_COUNT:
            self.refuse(name, f"{quoted_cell(self.cell(name))} is more than any minute has")
        return round(number * parts)

    def integer(self, name: str, fix: str) -> int | None:
        """A whole number; None for an empty cell and for a fraction. `fix` is as in `number`.

        Raises:
            PlanError: for anything else.
        """
        number = self.number(name, fix)
        return None if number is None or number != number.to_integral_value() else int(number)

    def number(
        self, name: str, fix: str, pattern: re.Pattern[str] = _NUMBER, what: str = "number"
    ) -> Decimal | None:
        """A number; None for an empty cell. `fix` says what to write instead of anything else.

        Raises:
            PlanError: for anything else.
        """
        text = self.cell(name)
        if text and pattern.fullmatch(text) is None:
            self.refuse(name, f"{quoted_cell(text)} is no {what}", fix)
        return Decimal(text) if text else None

    def problem(self, name: str, message: str, fix: str = "") -> Problem:
        """What is wrong with one cell, at its place."""
        return self.table.problem(self.at, self.table.index.get(name, 0), message, fix)

    def refuse(self, name: str, message: str, fix: str = "") -> NoReturn:
        """Stop here.

        Raises:
            PlanError: always.
        """
        raise self.table.refused(self.problem(name, message, fix))


@dataclass(frozen=True)
class Table:
    """A file with a header.

    Attributes:
        source: its text.
        names: the columns, in order.
        index: where each is.
    """

    source: SourceText
    names: tuple[str, ...]
    index: dict[str, int]

    def lines(self) -> Iterator[CsvLine]:
        """Every row that is not blank, in order.

        Raises:
            PlanError: at the first row that has other columns than the header.
        """
        seen = 0
        width = len(self.names)
        for number, text in enumerate(self.source.lines[1:], start=2):
            if not text.strip():
                continue
            seen += 1
            if seen > MAX_ROWS:
                message = f"more than {MAX_ROWS:,} rows: give fewer days"
                raise self.refused(Problem(number, 1, message))
            cells = cells_of(text)
            if len(cells) == 1 and '"' in text and width > 1:
                at = text.count(",", 0, text.index('"'))
                message = "a quote is not closed, or not at the end of its cell"
                raise self.refused(self.problem(number, at, message))
            if len(cells) != width:
                at = min(len(cells), width + 1) - 1
                message = f"{count_of(len(cells), 'cell')}, but the header has {count_of(width, 'column')}"
                fix = (
                    "write fractions with a point, and an empty cell as nothing between two commas"
                )
                raise self.refused(self.problem(number, at, message, fix))
            yield CsvLine(self, number, tuple(cell.strip() for cell in cells))

    def problem(self, number: int, index: int, message: str, fix: str = "") -> Problem:
        """What is wrong at a cell (`index` from 0) of a line."""
        text = self.source.lines[number - 1]
        return self.source.problem(Place(number, column_of(text, index)), message, fix)

    def refused(self, problem: Problem) -> PlanError:
        """The problem as the error that ends the command."""
        return PlanError(self.source.file, (problem,), hint=HINT)


def decimal_of(text: str) -> Decimal | None:
    """The number that a cell says in ASCII digits; None when it says none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def cells_of(text: str) -> list[str]:
    """The cells of one line; quotes as spreadsheets write them."""
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True), [""])
    except csv.Error:
        return [text]  # a quote left open, or text after a closed one: `Table.lines` says so


def column_of(text: str, index: int) -> int:
    """The column (from 1) at which the cell of this index begins."""
    commas = (found for found in re.finditer(r'"[^"]*"?|,', text) if found[0] == ",")
    starts = [1, *(found.end() + 1 for found in commas)]
    return starts[index] if index < len(starts) else 1


def open_table(path: str, stdin: BinaryIO | None = None) -> Table:
    """The table of a file, or of `stdin` when the path is `-`.

    Raises:
        PlanError: when it cannot be read, is empty, too large, not UTF-8, or has no usable header.
    """
    try:
        return _table(_source(path, stdin))
    except PlanError as error:
        raise PlanError(error.file, error.problems, hint=HINT) from None


def _source(path: str, stdin: BinaryIO | None) -> SourceText:
    if path != STDIN or stdin is None:
        return read_text(Path(path), what="table", limit=MAX_BYTES)
    data = stdin.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        problem = Problem(1, 1, f"larger than {MAX_BYTES // 1024 // 1024} MiB")
        raise PlanError("<stdin>", (problem,))
    return decoded("<stdin>", data)


def _table(source: SourceText) -> Table:
    def refuse(message: str, fix: str = "", column: int = 1) -> NoReturn:
        problem = source.problem(Place(1, column), message, fix)
        raise PlanError(source.file, (problem,))

    head = source.lines[0]
    if not source.text.strip():
        refuse("the table is empty: its first line must name the columns")
    if "\0" in head:
        refuse("this is no text: save the table as CSV (UTF-8)")
    if "\r" in head:
        refuse(
            "the lines end in a carriage return alone, as on old Macs",
            "save the table with LF or CRLF line ends",
            head.index("\r") + 1,
        )
    for mark, what in _OTHERS.items():
        if "," not in head and mark in head:
            refuse(
                f"the columns are separated by {what}",
                "separate them by commas",
                head.index(mark) + 1,
            )
    names = tuple(name.strip() for name in cells_of(head))
    for at, name in enumerate(names):
        if decimal_of(name) is not None:
            refuse(
                f"the first line must name the columns, and {quoted_cell(name)} is a number",
                "write the header above the rows",
                column_of(head, at),
            )
        if name and name in names[:at]:
            refuse(f"the column {quoted_cell(name)} comes twice", column=column_of(head, at))
    return Table(source, names, {name: at for at, name in enumerate(names)})


def check_columns(table: Table, known: Sequence[str], needed: Sequence[str]) -> None:
    """Refuse a header with a column nobody knows, or without one that must be there.

    Raises:
        PlanError: with the first of them.
    """
    import difflib  # noqa: PLC0415 - only for a wrong header

    for at, name in enumerate(table.names):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"did you mean {near[0]}?" if near else f"columns are: {', '.join(known)}"
            what = (
                f"{quoted_cell(name)} is no column of this table"
                if name
                else "a column without a name"
            )
            raise table.refused(table.problem(1, at, what, fix))
    missing = [name for name in needed if name not in table.index]
    if missing:
        raise table.refused(
            table.problem(1, 0, f"there is no column {missing[0]}", "every table needs it")
        )


def quoted_cell(text: str) -> str:
    """A cell as messages show it."""
    return f"'{printable(text, 40)}'"
