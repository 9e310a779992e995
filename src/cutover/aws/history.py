"""The past of a plan's comparisons, from CloudWatch: minutes for a backtest, and request rates for a schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from cutover.aws.calibration import PERMISSION, percentile_queries
from cutover.aws.cloudwatch import Answered, CloudWatchMetrics, count_at
from cutover.aws.retry import NOT_CONNECTED, lacks_permission
from cutover.aws.series import Query, query_of
from cutover.core.errors import CredentialsError, CutoverError, RefusedError, UsageError
from cutover.core.moment import floor_to, wall_from_ms, wall_text
from cutover.core.observation import (
    Absent,
    Calibration,
    Comparison,
    Minute,
    Series,
    Side,
    Unknown,
    beside_source,
)
from cutover.core.plan import Plan
from cutover.core.values import DAY, HOUR, MINUTE, duration_text

MOST_DAYS: Final = 15
"""AWS docs, "CloudWatch concepts", metrics retention: periods of 60 s are kept for 15 days."""

CHUNK_MS: Final = 6 * HOUR
"""Read at a time: few enough datapoints for a call to be answered well within its deadline."""

LEAST_CHUNK_MS: Final = 30 * MINUTE
"""A chunk that was not answered whole is asked again in halves, down to this."""

TROUGH, PEAK = 0.01, 0.99
"""Which of the hours, from the quietest to the busiest, count as the trough and the peak."""

Progress = Callable[[int, int], None]
"""Told how many minutes of how many have been read."""


@dataclass(frozen=True)
class Rates:
    """Requests a minute over the past, as means of whole hours.

    The trough is the hour at the 1st percentile and the peak the one at the 99th (nearest rank), so that one odd hour
    in four days decides neither. Hours before the first request of all do not count; silent ones after it are 0.
    """

    trough: float
    peak: float
    mean: float
    hours: int


def read(
    plan: Plan,
    metrics: CloudWatchMetrics,
    days: int,
    now_ms: int,
    *,
    calibration: Calibration | None = None,
    told: Progress | None = None,
) -> Iterator[Minute]:
    """Every minute of every comparison of the last `days`, oldest first, comparisons in the plan's order within a minute.

    Each carries the plan's series, and of each of the destination's also the source's (`source.slower.250` beside
    `destination.slower.250`), so that a part of the source can stand for a destination that did not exist yet. The
    newest is settled. A minute is `observe.period`, at least 60 s. Nothing is yielded of a chunk that was not
    answered whole.

    Args:
        plan: whose comparisons, gates and period count.
        metrics: asked only through `ask`, in chunks of 6 hours and inside the API's limits.
        days: 1 to 15.
        now_ms: on AWS's clock, ms since the epoch.
        calibration: as `Plan.series` takes it; see `usual_percentiles`. Without it no latency is asked for
            relative to the source.
        told: called after each chunk.

    Raises:
        UsageError: for a number of days that CloudWatch does not keep.
        CredentialsError: when CloudWatch may not be asked.
        RefusedError: when CloudWatch does not answer whole; what is missing is never taken for zero.
    """
    start, end = _span(plan, days, now_ms)
    period = _period(plan)
    columns = {
        comparison: {series.key: query_of(series, comparison) for series in beside_source(wanted)}
        for comparison, wanted in plan.series(calibration or {}).items()
    }
    queries = [query for some in columns.values() for query in some.values()]

    def minutes() -> Iterator[Minute]:
        chunk = CHUNK_MS // period * period or period
        for began in range(start, end, chunk):
            until = min(began + chunk, end)
            answers = _whole(metrics, queries, began, until, period)
            for at_ms in range(began, until, period):
                for comparison, some in columns.items():
                    yield _minute(comparison, some, answers, at_ms)
            if told is not None:
                told((until - start) // period, (end - start) // period)

    return minutes()


def usual_percentiles(
    plan: Plan, metrics: CloudWatchMetrics, days: int, now_ms: int
) -> Calibration:
    """By comparison, the source's percentiles (ms) as preflight would usually have measured them: the median of the hours.

    Raises:
        UsageError: for a number of days that CloudWatch does not keep.
        CredentialsError: when CloudWatch may not be asked.
        RefusedError: when CloudWatch does not answer whole.
    """
    start, end = _hours(*_span(plan, days, now_ms))
    asked = {
        comparison.id: percentile_queries(plan, comparison) for comparison in plan.comparisons
    }
    answers = _whole(
        metrics, [q for some in asked.values() for q in some.values()], start, end, HOUR
    )
    return {
        comparison: {
            name: round(_median(list(answers[query].points.values())) * 1000)
            for name, query in some.items()
            if answers[query].points
        }
        for comparison, some in asked.items()
    }


def request_rates(plan: Plan, metrics: CloudWatchMetrics, days: int, now_ms: int) -> Rates | None:
    """Requests a minute of all the plan's target groups together; None when there were none at all.

    Raises:
        UsageError: for a number of days that CloudWatch does not keep.
        CredentialsError: when CloudWatch may not be asked.
        RefusedError: when CloudWatch does not answer whole.
    """
    start, end = _hours(*_span(plan, days, now_ms))
    asked = {
        query_of(Series(side, "requests"), comparison)
        for comparison in plan.comparisons
        for side in (Side.SOURCE, Side.DESTINATION)
    }
    answers = _whole(metrics, sorted(asked, key=str), start, end, HOUR)
    sums = [
        sum(answered.points.get(at, 0.0) for answered in answers.values())
        for at in range(start, end, HOUR)
    ]
    first = next((n for n, requests in enumerate(sums) if requests), None)
    if first is None:
        return None
    if first and first + 1 < len(sums):
        first += 1  # traffic began somewhere within that hour
    hours = sorted(requests * MINUTE / HOUR for requests in sums[first:])
    return Rates(
        trough=_ranked(hours, TROUGH),
        peak=_ranked(hours, PEAK),
        mean=sum(hours) / len(hours),
        hours=len(hours),
    )


def _period(plan: Plan) -> int:
    return max(MINUTE, plan.observe.period // MINUTE * MINUTE)


def _span(plan: Plan, days: int, now_ms: int) -> tuple[int, int]:
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(
            f"{days} days: CloudWatch keeps single minutes for {MOST_DAYS} days",
            hint=f"ask for 1 to {MOST_DAYS} days, or give a CSV file of your own",
        )
    period = _period(plan)
    end = floor_to(now_ms - max(plan.observe.settle, 2 * MINUTE), period)
    # the oldest minutes are dropped while we read: an answer without them would look like no traffic
    oldest = floor_to(now_ms - MOST_DAYS * DAY + 10 * MINUTE, period) + period
    return max(end - days * DAY, oldest), end


def _hours(start: int, end: int) -> tuple[int, int]:
    """The whole hours within."""
    return floor_to(start + HOUR - 1, HOUR), floor_to(end, HOUR)


def _minute(
    comparison: Comparison,
    columns: Mapping[str, Query],
    answers: Mapping[Query, Answered],
    at_ms: int,
) -> Minute:
    counts = {key: count_at(query, answers[query], at_ms) for key, query in columns.items()}
    for key, query in columns.items():
        if counts[key] is Absent.UNKNOWN:
            raise RefusedError(
                f"CloudWatch has no number for {_text(query)} at {_at(at_ms)}",
                hint="look at that metric in the CloudWatch console, or take its gate out of the plan",
            )
    return Minute(comparison.id, at_ms, counts)


def _whole(
    metrics: CloudWatchMetrics, queries: Sequence[Query], start: int, end: int, period: int
) -> dict[Query, Answered]:
    """Every query's points, all of them."""
    answers = metrics.ask(queries, start, end, period)
    if isinstance(answers, Unknown) and answers.denied:
        hint = "log in again, or give --profile; a past of your own is read with --csv FILE"
        raise CredentialsError(
            f"CloudWatch may not be asked: {answers.reason}",
            hint=f"grant {PERMISSION}" if lacks_permission(answers.code) else hint,
        )
    if not isinstance(answers, Unknown) and all(one.complete for one in answers.values()):
        return answers
    if isinstance(answers, Unknown) and answers.code == NOT_CONNECTED:
        raise RefusedError(
            f"CloudWatch cannot be reached: {answers.reason}",
            hint="look at the network, at HTTPS_PROXY and at AWS_ENDPOINT_URL",
        )
    steps = (end - start) // period
    if end - start > LEAST_CHUNK_MS and steps > 1:
        middle = start + steps // 2 * period
        early = _whole(metrics, queries, start, middle, period)
        late = _whole(metrics, queries, middle, end, period)
        return {
            query: Answered({**answered.points, **late[query].points}, complete=True)
            for query, answered in early.items()
        }
    raise _unanswered(answers, start, end)


def _unanswered(answers: Mapping[Query, Answered] | Unknown, start: int, end: int) -> CutoverError:
    span = f"{_at(start)} to {_at(end)} ({duration_text(end - start)})"
    if isinstance(answers, Unknown):
        why = answers.reason
    else:
        missing = [_text(query) for query, answered in answers.items() if not answered.complete]
        why = f"it answered {missing[0]} only in part"
        if len(missing) > 1:
            why += f", and {len(missing) - 1} more"
    return RefusedError(
        f"CloudWatch did not answer for {span}: {why}",
        hint="try again, or ask for fewer days: what was not read is not taken for zero",
    )


def _text(query: Query) -> str:
    of = ", ".join(value for _, value in query.dimensions)
    return (
        f"{query.metric} {query.statistic} of {of}" if of else f"{query.metric} {query.statistic}"
    )


def _at(ms: int) -> str:
    return wall_text(wall_from_ms(ms))[:16] + "Z"


def _ranked(ordered: Sequence[float], part: float) -> float:
    return ordered[max(0, ceil(part * len(ordered)) - 1)]


def _median(values: list[float]) -> float:
    return _ranked(sorted(values), 0.5)
