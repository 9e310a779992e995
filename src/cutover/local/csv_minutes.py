"""The table of `cutover judge`: one row per minute of a run (docs/judge.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import BinaryIO, Final

from cutover.core.backtest import Row
from cutover.core.backtest.rows import MOST_MINUTES
from cutover.core.errors import printable
from cutover.core.plan import Plan
from cutover.core.values import FULL, weight_text
from cutover.local.csv_file import CsvLine, Table, check_columns, decimal_of, open_table
from cutover.local.csv_groups import (
    MOST_GAP,
    Newest,
    check_span,
    columns_of,
    group_of,
    one_sided,
    told_columns,
)

SIDES: Final = ("source", "destination")
KNOWN: Final = ("minute", "step", "weight", *columns_of(*SIDES), "elb_503")
NEEDED: Final = ("minute", "step", "weight", "source_requests", "destination_requests")


@dataclass(frozen=True)
class MinutesTable:
    """A table that has been read whole.

    Attributes:
        rows: one for each minute; those that the table leaves out are not known.
        columns: the columns (without their side) that both groups have.
        notes: what a reader should know about how it was read.
    """

    rows: tuple[Row, ...]
    columns: frozenset[str]
    notes: tuple[str, ...] = ()


def read_minutes(path: str, plan: Plan, stdin: BinaryIO | None = None) -> MinutesTable:
    """The table of a file (`-`: of `stdin`), checked against the plan's steps.

    Raises:
        PlanError: with the first mistake, its line and column.
    """
    table = open_table(path, stdin)
    check_columns(table, KNOWN, NEEDED)
    reader = _Reader(table, plan)
    rows = tuple(reader.rows())
    if not rows:
        raise table.refused(table.problem(1, 0, "the table has a header and no row"))
    notes = (*reader.notes, *one_sided(table, *SIDES))
    return MinutesTable(rows, told_columns(table, *SIDES), notes)


class _Reader:
    """One table, read once."""

    def __init__(self, table: Table, plan: Plan) -> None:
        self._table = table
        self._plan = plan
        self._unit: int | None = None  # per mille of what a weight of 1 in the table means
        self._off_plan: set[int] = set()
        self._weights: dict[int, int] = {}
        self._changed: set[int] = set()
        self._left_out = 0
        self._first: int | None = None
        self.notes: list[str] = []

    def rows(self) -> Iterator[Row]:
        """Every minute, those that are left out too."""
        newest = Newest(self._table)
        before: Row | None = None
        for line in self._table.lines():
            minute = self._minute(line, before)
            step = self._step(line, minute, before)
            weight = self._weight(line, step)
            source, wrong = group_of(line, "source")
            destination, also = group_of(line, "destination")
            newest.admit(wrong or also)
            row = Row(minute, step, weight, source, destination, line.whole("elb_503"))
            yield from self._gap(before, row)
            yield row
            before = row
        if self._left_out:
            self.notes.append(
                f"the table leaves out {self._left_out:,} minute{'s' if self._left_out != 1 else ''}: "
                "nothing is known of them"
            )

    def _gap(self, before: Row | None, row: Row) -> Iterator[Row]:
        if before is None:
            return
        for minute in range(before.minute + 1, row.minute):
            self._left_out += 1
            yield Row(minute, before.step, before.weight, known=False)

    def _minute(self, line: CsvLine, before: Row | None) -> int:
        number = line.number("minute", "0 is the first minute of the first step")
        if number is None or number != number.to_integral_value():
            line.refuse("minute", "a minute is a whole number, negative before the run")
        minute = int(number)
        if abs(minute) > MOST_MINUTES:
            text = printable(line.cell("minute"), 40)
            line.refuse("minute", f"minute {text}: count minutes from the first raise")
        if before is None:
            self._first = minute
            return minute
        if minute == before.minute:
            line.refuse("minute", f"minute {minute} comes twice")
        if minute < before.minute:
            line.refuse(
                "minute",
                f"minute {minute} comes after minute {before.minute}",
                "sort the rows by minute",
            )
        if minute - before.minute > MOST_GAP:
            line.refuse("minute", f"minute {minute} comes right after minute {before.minute}")
        check_span(line, "minute", minute - (self._first or 0) + 1)
        return minute

    def _step(self, line: CsvLine, minute: int, before: Row | None) -> int:
        number = line.number("step", "0 is the first step, -1 before the first raise")
        if number is None or number != number.to_integral_value() or number < -1:
            line.refuse(
                "step", "a step is a whole number: 0 is the first, -1 before the first raise"
            )
        step, last = int(number), len(self._plan.steps) - 1
        if step > last:
            line.refuse(
                "step",
                f"step {printable(line.cell('step'), 40)}, but the plan's last step is {last} ({weight_text(self._plan.steps[last].weight)})",
            )
        if minute < 0 <= step:
            line.refuse("step", f"step {step} in minute {minute}: before minute 0 the step is -1")
        if before is not None and step < before.step:
            line.refuse("step", f"step {step} after step {before.step}: steps only rise")
        return step

    def _weight(self, line: CsvLine, step: int) -> int:
        """Per mille. Percent as in a plan; in a table whose first weight is a fraction (0.05), fractions of 1."""
        text = line.cell("weight")
        percent = text.endswith("%")
        planned = self._plan.steps[step].weight if step >= 0 else 0
        if not text:
            return planned
        number = decimal_of(text.removesuffix("%").rstrip())
        if number is None:
            line.refuse(
                "weight",
                f"'{printable(text, 40)}' is no weight",
                "percent as in the plan, for example 2.5",
            )
        if number < 0 or number > 100:
            line.refuse("weight", f"a weight is 0 to 100 percent, not {printable(text, 40)}")
        if step < 0:
            if number:
                line.refuse(
                    "weight", f"weight {text} before the first step", "its step is -1: write 0"
                )
            return 0
        if self._unit is None and not percent:
            self._unit = 1000 if _is_fraction(number, planned) else 10
            if self._unit == 1000:
                self.notes.append(
                    f"weights are read as fractions of 1: {text} as {weight_text(int(number * 1000))}"
                )
        weight = number * (10 if percent else self._unit or 10)
        if weight != weight.to_integral_value() or not 0 < weight <= FULL:
            line.refuse(
                "weight",
                f"a weight is percent in steps of 0.1, above 0 and at most 100, not {text}",
            )
        self._compare(line, step, int(weight), planned)
        return int(weight)

    def _compare(self, line: CsvLine, step: int, weight: int, planned: int) -> None:
        before = self._weights.setdefault(step, weight)
        if weight != before and step not in self._changed:
            self._changed.add(step)
            self.notes.append(
                f"line {line.at}: step {step} has {weight_text(weight)} after {weight_text(before)}: "
                "a step of a plan has one weight"
            )
        if weight != planned and step not in self._off_plan:
            self._off_plan.add(step)
            self.notes.append(
                f"line {line.at}: step {step} has {weight_text(weight)}, the plan {weight_text(planned)}: "
                "judged at the table's weight"
            )


def _is_fraction(number: Decimal, planned: int) -> bool:
    """Only read as a fraction of 1 is it the plan's weight, or a weight at all (0.01 % is none)."""
    percent, fraction = number * 10, number * 1000
    if percent == planned or fraction > FULL:
        return False
    return fraction == planned or percent != percent.to_integral_value()
