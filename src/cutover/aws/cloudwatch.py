"""CloudWatch: minutes of evidence by GetMetricData, and alarms by DescribeAlarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from cutover.aws.fanout import Fanout
from cutover.aws.replies import ForeignReplyError
from cutover.aws.retry import Failure
from cutover.aws.series import Query, query_of
from cutover.aws.session import AwsSession
from cutover.core.moment import floor_to, wall_from_ms, wall_ms
from cutover.core.observation import (
    Absent,
    AlarmState,
    Comparison,
    Count,
    Known,
    Minute,
    Reading,
    Series,
    Unknown,
)
from cutover.core.plan import Observe
from cutover.ports import Alarms, Metrics

T = TypeVar("T")

MOST_QUERIES: Final = 500
"""AWS docs: GetMetricData takes at most 500 queries a call."""

MOST_POINTS: Final = 100_800
"""AWS docs: GetMetricData answers with at most 100,800 datapoints a page."""

MOST_ALARMS: Final = 100
"""AWS docs: DescribeAlarms takes at most 100 names a call."""

_MOST_PAGES: Final = 100

Wanted = Mapping[Comparison, tuple[Series, ...]]
Columns = Mapping[Comparison, tuple[tuple[str, Query], ...]]


@dataclass
class Answered:
    """What CloudWatch said to one query: its points by start (ms), and whether that is all."""

    points: dict[int, float] = field(default_factory=dict)
    complete: bool = False


class CloudWatchMetrics(Metrics):
    """Reads every series of every comparison in as few calls as CloudWatch takes.

    Args:
        aws: the session.
        fanout: runs the batches side by side.
        observe: the period, and the age at which a period is settled.
    """

    def __init__(self, aws: AwsSession, fanout: Fanout, observe: Observe) -> None:
        self._aws = aws
        self._fanout = fanout
        self._period_ms = observe.period
        self._settle_ms = observe.settle
        self._columns: tuple[Wanted, Columns] | None = None

    def read(self, wanted: Wanted, start_ms: int, end_ms: int) -> Reading[tuple[Minute, ...]]:
        at = self._aws.clock.now()
        period = self._period_ms
        starts = range(floor_to(start_ms + period - 1, period), end_ms, period)
        columns = self._columns_of(wanted)
        queries = [query for some in columns.values() for _, query in some]
        if not starts or not queries:
            return Known((), at)
        answers = self.ask(queries, starts.start, starts[-1] + period, period)
        if isinstance(answers, Unknown):
            return answers
        minutes = [
            self._minute(comparison, some, start, end_ms, answers)
            for start in starts
            for comparison, some in columns.items()
        ]
        return Known(tuple(minutes), at)

    def _columns_of(self, wanted: Wanted) -> Columns:
        """Each comparison's columns and their queries; the same question is asked at every poll."""
        if self._columns is None or self._columns[0] != wanted:
            columns = {
                comparison: tuple((series.key, query_of(series, comparison)) for series in some)
                for comparison, some in wanted.items()
            }
            self._columns = (dict(wanted), columns)  # whoever asks may change what they asked with
        return self._columns[1]

    def ask(
        self, queries: Sequence[Query], start_ms: int, end_ms: int, period_ms: int
    ) -> dict[Query, Answered] | Unknown:
        """Each query's points with a start in [start_ms, end_ms); Unknown when nothing was answered.

        A query that failed alone is simply not complete. Both ends must be aligned to the period.
        """
        once = list(dict.fromkeys(queries))
        per_batch = max(
            1, min(MOST_QUERIES, MOST_POINTS // max(1, (end_ms - start_ms) // period_ms))
        )
        batches = {n: once[n : n + per_batch] for n in range(0, len(once), per_batch)}
        calls: dict[int, Callable[[], dict[Query, Answered] | Failure]] = {
            n: self._batch(batch, start_ms, end_ms, period_ms) for n, batch in batches.items()
        }
        found: dict[Query, Answered] = {}
        why: list[Unknown] = []
        for n, answer in self._fanout.run(calls).items():
            if isinstance(answer, dict):
                found.update(answer)
            else:
                why.append(answer.unknown())
                found.update({query: Answered() for query in batches[n]})
        return why[0] if len(why) == len(batches) else found

    def _minute(
        self,
        comparison: Comparison,
        some: Sequence[tuple[str, Query]],
        start: int,
        end_ms: int,
        answers: Mapping[Query, Answered],
    ) -> Minute:
        counts = {key: count_at(query, answers[query], start) for key, query in some}
        settled = start + self._period_ms + self._settle_ms <= end_ms
        return Minute(comparison.id, start, counts, settled=settled)

    def _batch(
        self, batch: Sequence[Query], start_ms: int, end_ms: int, period_ms: int
    ) -> Callable[[], dict[Query, Answered] | Failure]:
        names = {f"q{n}": query for n, query in enumerate(batch)}
        request = {
            "MetricDataQueries": [
                query.request(name, max(1, period_ms // 1000)) for name, query in names.items()
            ],
            "StartTime": wall_from_ms(start_ms),
            "EndTime": wall_from_ms(end_ms),  # AWS docs: exclusive
            "ScanBy": "TimestampAscending",
        }

        def ask() -> dict[Query, Answered] | Failure:
            found = {query: Answered() for query in batch}
            said_something_else = False
            token: str | None = None
            for _ in range(_MOST_PAGES):
                page = self._page(request if token is None else {**request, "NextToken": token})
                if isinstance(page, Failure):
                    return page
                for result in page["MetricDataResults"]:
                    if result["Id"] not in names:
                        raise ForeignReplyError(f"a result {result['Id']!r} that nobody asked for")
                    _take(found[names[result["Id"]]], result, period_ms)
                # AWS docs: a message about the whole operation, for example that not all data came
                said_something_else = said_something_else or bool(page.get("Messages"))
                token = page.get("NextToken")
                if not token:
                    break
            if token or said_something_else:
                for answered in found.values():
                    answered.complete = False
            return found

        return ask

    def _page(self, request: Mapping[str, Any]) -> Mapping[str, Any] | Failure:
        def call() -> Mapping[str, Any]:
            page: Mapping[str, Any] = self._aws.client("cloudwatch").get_metric_data(**request)
            return page

        return self._aws.reads.read(call)


def _take(answered: Answered, result: Mapping[str, Any], period_ms: int) -> None:
    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
        answered.points[floor_to(wall_ms(at), period_ms)] = float(value)
    # the last page decides: PartialData before it only means that there is a next one
    answered.complete = (
        result.get("StatusCode") == "Complete"
        and not result.get("Messages")
        and all(math.isfinite(value) for value in answered.points.values())
    )


def count_at(query: Query, answered: Answered, start: int) -> Count:
    """The query's count in the period that begins at `start` (ms); a query not answered whole is unknown."""
    if not answered.complete:
        return Absent.UNKNOWN
    if start not in answered.points:
        return Absent.NO_DATAPOINT
    number = query.count(answered.points[start])
    return Absent.UNKNOWN if number is None else number


class CloudWatchAlarms(Alarms):
    """Reads metric and composite alarms by name."""

    def __init__(self, aws: AwsSession, fanout: Fanout) -> None:
        self._aws = aws
        self._fanout = fanout

    def read(self, names: Sequence[str]) -> Reading[Mapping[str, AlarmState]]:
        at = self._aws.clock.now()
        once = list(dict.fromkeys(names))
        calls: dict[int, Callable[[], dict[str, AlarmState] | Failure]] = {
            start: self._batch(once[start : start + MOST_ALARMS])
            for start in range(0, len(once), MOST_ALARMS)
        }
        found = dict.fromkeys(once, AlarmState.MISSING)
        for answer in self._fanout.run(calls).values():
            if isinstance(answer, Failure):
                return answer.unknown()
            found.update(answer)
        return Known(found, at)

    def _batch(self, names: Sequence[str]) -> Callable[[], dict[str, AlarmState] | Failure]:
        def ask() -> dict[str, AlarmState]:
            found: dict[str, AlarmState] = {}
            pages = self._aws.client("cloudwatch").get_paginator("describe_alarms")
            # AWS docs: without AlarmTypes composite alarms are left out
            for page in pages.paginate(
                AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            ):
                found.update({alarm["AlarmName"]: _state(alarm) for alarm in _alarms(page)})
            return found

        return lambda: self._aws.reads.read(ask)


def _alarms(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from page.get("MetricAlarms", ())
    yield from page.get("CompositeAlarms", ())


def _state(alarm: Mapping[str, Any]) -> AlarmState:
    """Its state; an OK that CloudWatch could not evaluate on all its data is not one.

    AWS docs: EvaluationState is PARTIAL_DATA, EVALUATION_ERROR or EVALUATION_FAILURE when it could not.
    """
    state = AlarmState(alarm["StateValue"])
    if state is AlarmState.OK and alarm.get("EvaluationState"):
        return AlarmState.INSUFFICIENT_DATA
    return state
