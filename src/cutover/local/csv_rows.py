"""What every table of minutes has: one row for each minute in order, and what it says of a target group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cutover.core.backtest import COLUMNS, NOTHING, Group, Row
from cutover.core.errors import PlanError, Problem
from cutover.core.values import count_of
from cutover.local.csv_file import MAX_ROWS, CsvLine, Table

MOST_GAP = 7 * 1440
"""Minutes that a table may leave out at once; more is a mistake in the numbers."""


@dataclass(frozen=True)
class MinutesTable:
    """A table that has been read whole.

    Attributes:
        rows: one for each minute; those that the table leaves out are not known.
        columns: the columns (without their side) that every group has.
        notes: what a reader should know about how it was read.
        comparison: two groups that served side by side; else one service.
        dated: the minutes are times (UTC): `Row.at_ms`.
    """

    rows: tuple[Row, ...]
    columns: frozenset[str]
    notes: tuple[str, ...]
    comparison: bool
    dated: bool


@dataclass(frozen=True)
class Order:
    """How the rows of a table follow each other.

    Attributes:
        column: says the minute of a row.
        minute_of: reads it.
        twice, back, gap: what is wrong with a row that comes twice, after a later one or too long after the one before
            it, with its `{cell}`, the minute `{before}` it and the minutes that are `{left_out}`.
        fix: for rows in a wrong order.
    """

    column: str
    minute_of: Callable[[CsvLine], int]
    twice: str
    back: str
    gap: str
    fix: str

    def check(self, line: CsvLine, minute: int, before: int, first: int) -> None:
        """Refuse a row that does not follow the one before it, or is too far from the first.

        Raises:
            PlanError: for such a row.
        """
        left_out = minute - before - 1
        told = {"cell": line.cell(self.column), "before": before, "left_out": left_out}
        if left_out < 0:
            message = self.twice if minute == before else self.back
            line.refuse(self.column, message.format(**told), self.fix)
        if left_out > MOST_GAP:
            line.refuse(self.column, self.gap.format(**told))
        if minute - first >= MAX_ROWS:
            line.refuse(
                self.column,
                f"with those that are left out the table has more than {MAX_ROWS:,} minutes here",
                "give one row for each minute, and fewer days",
            )


def read_rows(
    table: Table,
    sides: Sequence[str],
    order: Order,
    step_of: Callable[[CsvLine, int, Row | None], tuple[int, int]],
) -> MinutesTable:
    """Every minute of a table, those that it leaves out too.

    Args:
        table: with its columns checked.
        sides: of the groups that its columns tell of.
        order: of its rows.
        step_of: the step and weight of a row, of which it is told the minute and the row before.

    Raises:
        PlanError: with the first mistake, its line and column.
    """
    rows: list[Row] = []
    left_out = 0
    newest: Problem | None = None
    for line in table.lines():
        before = rows[-1] if rows else None
        minute = order.minute_of(line)
        if before is not None:
            order.check(line, minute, before.minute, rows[0].minute)
            missing = range(before.minute + 1, minute)
            left_out += len(missing)
            rows += (Row(one, before.step, before.weight, known=False) for one in missing)
        step, weight = step_of(line, minute, before)
        groups = [group_of(line, side) for side in sides]
        source, destination, *_ = (*(group for group, _ in groups), NOTHING)
        row = Row(minute, step, weight, source, destination, line.count("elb_503"))
        if newest is not None:  # told now: the last row may still be half published, errors first
            hint = "only the newest minute may be half published"
            raise PlanError(table.source.file, (newest,), hint=hint)
        newest = next((wrong for _, wrong in groups if wrong is not None), None)
        rows.append(row)
    if not rows:
        raise table.refused(table.problem(1, 0, "the table has a header and no row"))
    gone = f"the table leaves out {count_of(left_out, 'minute')}: nothing is known of them"
    notes = (*([gone] if left_out else ()), *one_sided(table, *sides))
    columns = told_columns(table, *sides)
    return MinutesTable(tuple(rows), columns, notes, len(sides) > 1, order.column == "time")


def columns_of(*sides: str) -> tuple[str, ...]:
    """The columns of groups: `source_requests`, ... with a side, `requests`, ... for an empty one."""
    return tuple(_name(side, column) for side in sides for column in COLUMNS)


def group_of(line: CsvLine, side: str) -> tuple[Group, Problem | None]:
    """One group's cells, and what makes them impossible.

    Raises:
        PlanError: for a cell that is no count.
    """
    group = Group(
        requests=line.count(_name(side, "requests")),
        errors=line.count(_name(side, "errors")),
        unanswered=line.count(_name(side, "unanswered")),
        slow=line.count(_name(side, "slow"), 1000),
        over_slo=line.count(_name(side, "over_slo"), 1000),
    )
    return group, _impossible(line, side, group)


def told_columns(table: Table, *sides: str) -> frozenset[str]:
    """The columns (without their side) that the table has for every one of these sides."""
    return frozenset(
        column for column in COLUMNS if all(_name(side, column) in table.index for side in sides)
    )


def one_sided(table: Table, *sides: str) -> tuple[str, ...]:
    """A note for each column that only one group has.

    It is not read: of one group alone it would blame the destination for what its source may do too, or excuse it.
    """
    return tuple(
        f"the column {_name(has, column)} is ignored: there is no {_name(lacks, column)} to compare it with"
        for column in COLUMNS
        for has in sides
        for lacks in sides
        if _name(has, column) in table.index and _name(lacks, column) not in table.index
    )


def _impossible(line: CsvLine, side: str, group: Group) -> Problem | None:
    """More failures or answers than requests, or any beside an empty cell of requests.

    `unanswered` may be there without requests: nobody counts them for a group without a target.
    """
    requests, most = _name(side, "requests"), group.requests
    failed = (group.errors or 0) + (group.unanswered or 0)
    for column, what, count in (
        ("errors", "errors", group.errors or 0),
        ("unanswered", "errors and unanswered together", failed if group.unanswered else 0),
        ("slow", "slow", (group.slow or 0) / 1000),
        ("over_slo", "over_slo", (group.over_slo or 0) / 1000),
    ):
        name = _name(side, column)
        if most is None and count and column != "unanswered":
            said = f"{column}: {line.cell(name)} beside an empty {requests}: more than there were"
            return line.problem(name, said, f"write how many requests there were into {requests}")
        if most is not None and count > most:
            said = f"{what}: {count:g} of {most:,} requests: more than there were"
            return line.problem(name, said)
    return None


def _name(side: str, column: str) -> str:
    return f"{side}_{column}" if side else column
