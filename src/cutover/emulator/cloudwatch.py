"""CloudWatch's answers: GetMetricData, GetMetricStatistics, ListMetrics and DescribeAlarms as AWS gives them.

What moto answers wrongly or silently is loud here: metric math and Metrics Insights are refused, a Period must fit,
ids must be valid and unique, EndTime is exclusive, StartTime is rounded down to the minute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from cutover.core.moment import floor_to, wall_from_ms, wall_ms
from cutover.core.values import MINUTE, SECOND
from cutover.emulator.responses import AwsError
from cutover.emulator.store import Key, Store, UnsupportedStatisticError

MOST_QUERIES = 500
MOST_POINTS = 100_800
SHORT_PERIODS = (1, 5, 10, 20, 30)
FORGOTTEN_AFTER_MS = 15 * 86_400 * SECOND
"""60 s datapoints are kept 15 days (AWS docs: CloudWatch concepts, metrics retention)."""

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


class CloudWatch:
    """The service, over a store of what traffic published and the alarms that the plan names.

    `known` are metrics that had data before the rehearsal began: ListMetrics names them too.
    """

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        alarms: Mapping[str, str],
        known: Collection[Key] = (),
    ) -> None:
        self.store = store
        self._known = frozenset(known)
        self.alarms: dict[str, str] = dict(alarms)
        self.alarm_since: dict[str, int] = {}
        self._seen: dict[str, Callable[[], None]] = {}
        self.partial = ""  # a StatusCode that every result gets instead of Complete, by a fault
        self._now_ms = now_ms
        self._walls: dict[int, datetime] = {}

    def answer(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parsed reply.

        Raises:
            AwsError: what AWS would refuse, and what this rehearsal does not emulate.
        """
        handler = {
            "GetMetricData": self._metric_data,
            "GetMetricStatistics": self._metric_statistics,
            "ListMetrics": self._list_metrics,
            "DescribeAlarms": self._describe_alarms,
            "PutMetricData": self._put,
        }.get(operation)
        if handler is None:
            raise AwsError(
                "NotImplemented",
                f"a rehearsal does not emulate cloudwatch {operation}",
                status=501,
            )
        return handler(params)

    def set_alarm(self, name: str, state: str, seen: Callable[[], None] = lambda: None) -> None:
        """The alarm changes its state now; `seen` is called whenever somebody looks at it in this state."""
        self.alarms[name] = state
        self._seen[name] = seen
        self.alarm_since[name] = self._now_ms()

    def _metric_data(self, params: Mapping[str, Any]) -> dict[str, Any]:
        queries = params["MetricDataQueries"]
        if not 1 <= len(queries) <= MOST_QUERIES:
            raise AwsError(
                "ValidationError",
                f"between 1 and {MOST_QUERIES} MetricDataQueries are allowed, got {len(queries)}",
            )
        ids = [query["Id"] for query in queries]
        if len(set(ids)) != len(ids) or not all(_ID.fullmatch(name) for name in ids):
            raise AwsError(
                "ValidationError",
                "the Id of each query must be unique and start with a lower-case letter",
            )
        start, end = _window(params)
        descending = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        rows: list[tuple[str, str, list[tuple[int, float]]]] = []
        for query in queries:
            key, statistic, period_ms = self._asked(query)
            found = self._read(key, statistic, period_ms, start, end)
            points = sorted(found.items(), reverse=descending)
            if query.get("ReturnData", True):
                rows.append((query["Id"], query.get("Label", key[1]), points))
        return self._page(
            rows, int(params.get("MaxDatapoints", MOST_POINTS)), params.get("NextToken")
        )

    def _asked(self, query: Mapping[str, Any]) -> tuple[Key, str, int]:
        if "Expression" in query:
            raise AwsError(
                "ValidationError",
                "a rehearsal does not emulate metric math or Metrics Insights: compute on the client",
            )
        stat = query.get("MetricStat")
        if stat is None:
            raise AwsError("ValidationError", "a query needs MetricStat or Expression")
        metric = stat["Metric"]
        return (
            _key(metric["Namespace"], metric["MetricName"], metric.get("Dimensions", ())),
            stat["Stat"],
            _period(stat["Period"]),
        )

    def _read(
        self, key: Key, statistic: str, period_ms: int, start: int, end: int
    ) -> dict[int, float]:
        now = self._now_ms()
        try:
            return self.store.read(
                key,
                statistic,
                period_ms=period_ms,
                start_ms=max(start, now - FORGOTTEN_AFTER_MS),
                end_ms=end,
                now_ms=now,
            )
        except UnsupportedStatisticError:
            raise AwsError(
                "ValidationError", f"the statistic {statistic!r} is not supported"
            ) from None

    def _page(
        self, rows: list[tuple[str, str, list[tuple[int, float]]]], most: int, token: str | None
    ) -> dict[str, Any]:
        skip = int(token) if token is not None and token.isdigit() else 0
        left, seen, results, more = most, 0, [], False
        for name, label, points in rows:
            begin = min(max(skip - seen, 0), len(points))
            taken = points[begin : begin + left]
            seen += len(points)
            left -= len(taken)
            cut = begin + len(taken) < len(points)
            more = more or cut
            complete = self.partial or ("PartialData" if cut else "Complete")
            if self.partial:
                taken = taken[: len(taken) // 2] if self.partial == "PartialData" else []
            results.append(
                {
                    "Id": name,
                    "Label": label,
                    "Timestamps": [self._wall(at) for at, _ in taken],
                    "Values": [value for _, value in taken],
                    "StatusCode": complete,
                }
            )
        reply: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
        if more:
            reply["NextToken"] = str(skip + most)
        return reply

    def _wall(self, ms: int) -> datetime:
        wall = self._walls.get(ms)
        if wall is None:
            wall = self._walls[ms] = wall_from_ms(ms)
        return wall

    def _metric_statistics(self, params: Mapping[str, Any]) -> dict[str, Any]:
        start, end = _window(params)
        key = _key(params["Namespace"], params["MetricName"], params.get("Dimensions", ()))
        points: dict[int, dict[str, Any]] = {}
        period_ms = _period(params["Period"])
        for statistic in params.get("Statistics", ()):
            for at, value in self._read(key, statistic, period_ms, start, end).items():
                points.setdefault(at, {"Timestamp": self._wall(at)})[statistic] = value
        for statistic in params.get("ExtendedStatistics", ()):
            for at, value in self._read(key, statistic, period_ms, start, end).items():
                points.setdefault(at, {"Timestamp": self._wall(at)}).setdefault(
                    "ExtendedStatistics", {}
                )[statistic] = value
        return {"Label": params["MetricName"], "Datapoints": list(points.values())}

    def _list_metrics(self, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {(d["Name"], d.get("Value")) for d in params.get("Dimensions", ())}
        found = [
            {
                "Namespace": space,
                "MetricName": name,
                "Dimensions": [{"Name": n, "Value": v} for n, v in sorted(dims)],
            }
            for space, name, dims in sorted(
                {*self.store.names(self._now_ms()), *self._known}, key=_in_order
            )
            if params.get("Namespace", space) == space
            and params.get("MetricName", name) == name
            and all(any(n == wn and wv in (None, v) for n, v in dims) for wn, wv in wanted)
        ]
        return {"Metrics": found[:500]}

    def _describe_alarms(self, params: Mapping[str, Any]) -> dict[str, Any]:
        names = params.get("AlarmNames")
        prefix = params.get("AlarmNamePrefix", "")
        state = params.get("StateValue")
        found = [
            {
                "AlarmName": name,
                "AlarmArn": f"arn:aws:cloudwatch:::alarm:{name}",
                "StateValue": value,
                "StateUpdatedTimestamp": self._wall(
                    self.alarm_since.get(name, floor_to(self._now_ms(), MINUTE))
                ),
                "ActionsEnabled": True,
            }
            for name, value in sorted(self.alarms.items())
            if (names is None or name in names)
            and name.startswith(prefix)
            and state in (None, value)
        ]
        for one in found:
            self._seen.get(str(one["AlarmName"]), _nothing)()
        kinds = params.get(
            "AlarmTypes", ["MetricAlarm"]
        )  # composite alarms only when asked for, as AWS does
        return {"MetricAlarms": found if "MetricAlarm" in kinds else [], "CompositeAlarms": []}

    def _put(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["Namespace"].startswith("AWS/"):
            raise AwsError(
                "InvalidParameterValue", "The value AWS/ for parameter Namespace is reserved"
            )
        for datum in params["MetricData"]:
            at = wall_ms(datum["Timestamp"]) if "Timestamp" in datum else self._now_ms()
            series = _key(params["Namespace"], datum["MetricName"], datum.get("Dimensions", ()))
            values = datum.get("Values", [datum["Value"]] if "Value" in datum else [])
            for value, count in zip(values, datum.get("Counts", [1.0] * len(values)), strict=True):
                for _ in range(int(count)):
                    self.store.put(series, at, self._now_ms(), float(value))
        return {}


def _in_order(key: Key) -> tuple[str, str, list[tuple[str, str]]]:
    return key[0], key[1], sorted(key[2])


def _nothing() -> None:
    """Nobody wants to be told."""


def _key(namespace: str, metric: str, dimensions: Any) -> Key:
    return namespace, metric, frozenset((d["Name"], d["Value"]) for d in dimensions)


def _period(seconds: int) -> int:
    if seconds < 1 or (seconds % 60 and seconds not in SHORT_PERIODS):
        raise AwsError(
            "ValidationError", f"the Period {seconds} must be 1, 5, 10, 20, 30 or a multiple of 60"
        )
    return max(seconds * SECOND, MINUTE)


def _window(params: Mapping[str, Any]) -> tuple[int, int]:
    start, end = _epoch_ms(params["StartTime"]), _epoch_ms(params["EndTime"])
    if start >= end:
        raise AwsError(
            "ValidationError", "The parameter StartTime must be less than the parameter EndTime."
        )
    return floor_to(start, MINUTE), end


def _epoch_ms(value: object) -> int:
    if isinstance(value, datetime):
        return wall_ms(value if value.tzinfo is not None else value.replace(tzinfo=UTC))
    if isinstance(value, int | float):
        return int(value * 1000)
    return wall_ms(datetime.fromisoformat(str(value)))
