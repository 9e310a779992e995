"""The table of `cutover judge`: one row per minute of a run (docs/judge.md)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import BinaryIO, Final

from cutover.core.backtest import Row
from cutover.core.backtest.rows import MOST_MINUTES
from cutover.core.errors import printable
from cutover.core.plan import Plan
from cutover.core.values import FULL, weight_text
from cutover.local.csv_file import (
    CsvLine,
    check_columns,
    decimal_of,
    open_table,
    quoted_cell,
)
from cutover.local.csv_rows import MinutesTable, Order, columns_of, read_rows

SIDES: Final = ("source", "destination")
KNOWN: Final = ("minute", "step", "weight", *columns_of(*SIDES), "elb_503")
NEEDED: Final = ("minute", "step", "weight", "source_requests", "destination_requests")


def _minute(line: CsvLine) -> int:
    minute = line.integer("minute", "0 is the first minute of the first step")
    if minute is None:
        line.refuse("minute", "a minute is a whole number, negative before the run")
    if abs(minute) > MOST_MINUTES:
        text = printable(line.cell("minute"), 40)
        line.refuse("minute", f"minute {text}: count minutes from the first raise")
    return minute


_ORDER: Final = Order(
    "minute",
    _minute,
    twice="minute {cell} comes twice",
    back="minute {cell} comes after minute {before}",
    gap="minute {cell} comes right after minute {before}",
    fix="sort the rows, one for each minute",
)


def read_minutes(path: str, plan: Plan, stdin: BinaryIO | None = None) -> MinutesTable:
    """The table of a file (`-`: of `stdin`), checked against the plan's steps.

    Raises:
        PlanError: with the first mistake, its line and column.
    """
    table = open_table(path, stdin)
    check_columns(table, KNOWN, NEEDED)
    steps = _Steps(plan)
    found = read_rows(table, SIDES, _ORDER, steps.step_of)
    return replace(found, notes=(*steps.notes, *found.notes))


class _Steps:
    """The steps and weights of one table, beside those of the plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._unit: int | None = None  # per mille of what a weight of 1 in the table means
        self._off_plan: set[int] = set()
        self._weights: dict[int, int] = {}
        self._changed: set[int] = set()
        self.notes: list[str] = []

    def step_of(self, line: CsvLine, minute: int, before: Row | None) -> tuple[int, int]:
        """The step and weight of a row.

        Raises:
            PlanError: for cells that the plan does not allow.
        """
        step = self._step(line, minute, before)
        return step, self._weight(line, step)

    def _step(self, line: CsvLine, minute: int, before: Row | None) -> int:
        step = line.integer("step", "0 is the first step, -1 before the first raise")
        if step is None or step < -1:
            line.refuse(
                "step", "a step is a whole number: 0 is the first, -1 before the first raise"
            )
        last = len(self._plan.steps) - 1
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
                f"{quoted_cell(text)} is no weight",
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
