"""What every table of minutes says of a target group, and the mistakes that a row can make on its own."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.errors import PlanError, Problem
from cutover.core.retrospect import COLUMNS, Group
from cutover.local.csv_file import Line, Table

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


def group_of(line: Line, side: str) -> tuple[Group, Problem | None]:
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


def _impossible(line: Line, side: str, group: Group) -> Problem | None:
    most = group.requests
    if most is None:
        return None
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


def _name(side: str, column: str) -> str:
    return f"{side}_{column}" if side else column
