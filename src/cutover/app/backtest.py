"""Composition for `judge` and `backtest`: past minutes from a table or from CloudWatch, and what the gates say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from cutover.core.backtest import (
    ColumnMapping,
    Evaluation,
    History,
    Report,
    SimulatedCutover,
    attempt,
    looks,
    mapping_of_table,
    past_of_minutes,
    past_of_rows,
    report_of,
    starts,
)
from cutover.core.errors import UsageError
from cutover.core.observation import Comparison
from cutover.core.plan import Plan

if TYPE_CHECKING:
    from cutover.core.observation import Minute

Progress = Callable[[int, int], None]
"""Told how many of how many minutes, or starts, are done."""

TOLD_EVERY = 100
"""Starts, of which each takes as long as the engine needs for all of its minutes."""

FROM_TABLE, FROM_CLOUDWATCH = "csv", "cloudwatch"


@dataclass(frozen=True)
class JudgedTable:
    """A table and its looks, made as they are asked for.

    Attributes:
        comparison: the plan's comparison that the table is taken for.
        lens: which gates are judged, and which are not.
        notes: what a reader should know about how the table was read.
    """

    comparison: Comparison
    mapping: ColumnMapping
    notes: tuple[str, ...]
    looks: Iterator[Evaluation]


@dataclass(frozen=True)
class Backtested:
    """What every start in the past would have come to.

    Attributes:
        origin: `csv` or `cloudwatch`.
        notes: what a reader should know about the past.
    """

    comparison: Comparison
    past: History
    report: Report
    origin: str
    notes: tuple[str, ...]
    dated: bool = True


def judge_table(
    plan: Plan, csv: str, *, at: int | None = None, stdin: BinaryIO | None = None
) -> JudgedTable:
    """Judge a table of minutes; the table is read and checked whole before the first look.

    Args:
        plan: its gates judge, its first comparison is meant.
        csv: a path, or `-` for `stdin`.
        at: judge as if so many minutes of the run were over, and look once; None looks after every minute.
        stdin: what `-` reads.

    Raises:
        PlanError: for a mistake in the table, with its place.
        UsageError: when no gate of the plan can be judged, or the table has no such minute.
    """
    from cutover.local.csv_minutes import read_minutes

    table = read_minutes(csv, plan, stdin)
    mapping = mapping_of_table(plan, table.columns)
    _some_gate(mapping)
    rows, last = table.rows, table.rows[-1].minute
    if at is not None:
        if not 1 <= at <= last + 1 or not any(
            row.step >= 0 and row.minute == at - 1 for row in rows
        ):
            run = [row.minute + 1 for row in rows if row.step >= 0]
            there = f"{run[0]} to {run[-1]}" if run else "none: no row belongs to a step"
            raise UsageError(
                f"--at {at}: the table has no such minute of the run",
                hint=f"minutes completed in it: {there}",
            )
        rows = tuple(row for row in rows if row.minute < at)
    elif rows[-1].step < 0:
        raise UsageError(
            f"{csv}: no row belongs to a step, so there is nothing to judge",
            hint="rows of the run have step 0 or higher",
        )
    comparison = plan.comparisons[0]
    found = looks(plan, comparison, mapping, rows, since=None if at is None else at - 1)
    return JudgedTable(comparison, mapping, (*table.notes, *_notes(mapping, table.columns)), found)


def backtest_table(
    plan: Plan,
    csv: str,
    *,
    comparison: str | None = None,
    stdin: BinaryIO | None = None,
    tried: Progress | None = None,
) -> Backtested:
    """Start the plan at every hour of a table's past; `tried` is told of every 100th start.

    Raises:
        PlanError: for a mistake in the table, with its place.
        UsageError: for a comparison that the plan or the table does not have, or when no gate can be judged.
    """
    from cutover.local.csv_history import read_history

    table = read_history(csv, stdin)
    meant = _comparison(plan, comparison)
    if comparison is not None and not table.comparison:
        raise UsageError(
            f"--pair {comparison}: {csv} has the minutes of one service",
            hint="columns source_requests, destination_requests, ... tell of two groups",
        )
    past = past_of_rows(plan, meant, table.rows, table.columns, divided=not table.comparison)
    _some_gate(past.mapping)
    notes = [*table.notes, *_notes(past.mapping, table.columns)]
    return _backtested(plan, meant, past, FROM_TABLE, tuple(notes), dated=table.dated, tried=tried)


def backtest_cloudwatch(
    plan: Plan,
    days: int,
    *,
    comparison: str | None = None,
    profile: str | None = None,
    region: str | None = None,
    told: Progress | None = None,
    tried: Progress | None = None,
) -> Backtested:
    """Start the plan at every hour of the last days, read from CloudWatch.

    Args:
        plan: whose comparisons, gates and steps count.
        days: 1 to 15.
        comparison: the plan's comparison whose two groups both served; None: the first comparison's source, divided in two.
        profile: as the AWS CLI's `--profile`.
        region: as `--region`; it may only repeat the plan's.
        told: called as minutes are read.
        tried: told of every 100th start.

    Raises:
        UsageError: for days that CloudWatch does not keep, or a comparison that the plan does not have.
        CredentialsError: when CloudWatch may not be asked.
        RefusedError: when it does not answer whole, or there was no traffic at all.
    """
    from cutover.app.clients import connect
    from cutover.app.inspect import no_requests
    from cutover.aws import history
    from cutover.local.clock import SystemClock

    meant = _comparison(plan, comparison)
    clients = connect(plan, SystemClock(), profile=profile, region=region, dry_run=True)
    now_ms = clients.session.clock.now().wall_ms + clients.session.skew_ms
    calibration = history.usual_percentiles(plan, clients.metrics, days, now_ms)
    minutes: Iterator[Minute] = history.read(
        plan, clients.metrics, days, now_ms, calibration=calibration, told=told
    )
    past = past_of_minutes(
        plan, meant, minutes, calibration.get(meant.id, {}), divided=comparison is None
    )
    if not any(minute.number("source.requests") for minute in past.minutes):
        raise no_requests(clients, meant, days)
    _some_gate(past.mapping)
    return _backtested(plan, meant, past, FROM_CLOUDWATCH, (), tried=tried)


def _backtested(
    plan: Plan,
    comparison: Comparison,
    past: History,
    origin: str,
    notes: tuple[str, ...],
    *,
    dated: bool = True,
    tried: Progress | None = None,
) -> Backtested:
    every, found = starts(past), list[SimulatedCutover]()
    for first in every:
        found.append(attempt(plan, comparison, past, first))
        if tried is not None and len(found) % TOLD_EVERY == 0:
            tried(len(found), len(every))
    return Backtested(comparison, past, report_of(found), origin, notes, dated)


def _comparison(plan: Plan, name: str | None) -> Comparison:
    if name is None:
        return plan.comparisons[0]
    found = next((comparison for comparison in plan.comparisons if comparison.id == name), None)
    if found is None:
        raise UsageError(
            f"the plan has no comparison {name!r}",
            hint=f"its comparisons are: {', '.join(comparison.id for comparison in plan.comparisons)}",
        )
    return found


def _some_gate(mapping: ColumnMapping) -> None:
    if not mapping.gates:
        why = "; ".join(f"{name}: {why}" for name, why in mapping.not_judged.items())
        raise UsageError(f"no gate of the plan can be judged ({why})")


def _notes(mapping: ColumnMapping, columns: frozenset[str]) -> tuple[str, ...]:
    """What a table's columns mean for what is judged."""
    notes = [
        f"the column {name} is ignored: no judged gate of the plan reads it"
        for name in sorted(columns - mapping.used)
    ]
    if "unanswered" in mapping.used - columns:
        notes.append(
            "without the columns unanswered, requests that no target answered are not seen"
        )
    return tuple(notes)
