"""What every table of minutes says of a target group, and the mistakes that a row can make on its own."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.backtest import COLUMNS, Group
from cutover.core.errors import PlanError, Problem
from cutover.local.csv_file import MAX_ROWS, CsvLine, Table

MOST_GAP = 7 * 1440
"""Minutes that a table may leave out at once; more is a mistake in the numbers."""


@dataclass
class Newest:
    """Holds back what is wrong with the newest row: it may still be half published, errors first."""

    table: Table
    problem: Problem | None = None

    def admit(self, problem: Problem | None) -> None:
        """A row came, so the one before it was not the newest.

        Raises:
            PlanError: when that one was wrong.
        """
        if self.problem is not None:
            raise PlanError(
                self.table.file,
                (self.problem,),
                hint="only the newest minute may be half published",
            )
        self.problem = problem


def columns_of(*sides: str) -> tuple[str, ...]:
    """The columns of groups: `source_requests`, ... with a side, `requests`, ... for an empty one."""
    return tuple(_name(side, column) for side in sides for column in COLUMNS)


def group_of(line: CsvLine, side: str) -> tuple[Group, Problem | None]:
    """One group's cells, and what makes them impossible.

    Raises:
        PlanError: for a cell that is no count.
    """
    group = Group(
        requests=line.whole(_name(side, "requests")),
        errors=line.whole(_name(side, "errors")),
        unanswered=line.whole(_name(side, "unanswered")),
        slow=line.thousandths(_name(side, "slow")),
        over_slo=line.thousandths(_name(side, "over_slo")),
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


def check_span(line: CsvLine, column: str, minutes: int) -> None:
    """Refuse a table that would be too large with every minute that it leaves out.

    Raises:
        PlanError: at the first row that is too far from the first.
    """
    if minutes > MAX_ROWS:
        line.refuse(
            column,
            f"with those that are left out the table has more than {MAX_ROWS:,} minutes here",
            "give one row for each minute, and fewer days",
        )


def _impossible(line: CsvLine, side: str, group: Group) -> Problem | None:
    most = group.requests
    if most is None:
        return _without_requests(line, side, group)
    failed = (group.errors or 0) + (group.unanswered or 0)
    for column, count in (
        ("errors", group.errors or 0),
        ("unanswered", failed if group.unanswered else 0),
        ("slow", (group.slow or 0) / 1000),
        ("over_slo", (group.over_slo or 0) / 1000),
    ):
        if count > most:
            what = "errors and unanswered together" if column == "unanswered" else column
            name = _name(side, column)
            return line.problem(
                name, f"{what}: {count:g} of {most:,} requests: more than there were"
            )
    return None


def _without_requests(line: CsvLine, side: str, group: Group) -> Problem | None:
    """Failures or answers beside an empty cell; `unanswered` may be: nobody counts for a group without a target."""
    for column in ("errors", "slow", "over_slo"):
        if getattr(group, column):
            name, requests = _name(side, column), _name(side, "requests")
            return line.problem(
                name,
                f"{column}: {line.cell(name)} beside an empty {requests}: more than there were",
                f"write how many requests there were into {requests}",
            )
    return None


def _name(side: str, column: str) -> str:
    return f"{side}_{column}" if side else column
