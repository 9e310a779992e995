"""CloudWatch's memory: sparse series of minutes, each visible only some time after it ended.

Exact dimension sets, no namespace ever mixed with another, indexed by minute. It stands in for moto's store, which
crashes on percentiles, ignores namespaces and depends on the order of dimensions.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from cutover.core.moment import floor_to
from cutover.core.values import MINUTE
from cutover.emulator.latency import Latencies, percentile

Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, metric name, exact set of dimensions."""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_TRIMMED_COUNT = re.compile(r"TC\((\d*\.?\d*):(\d*\.?\d*)\)")


def key(namespace: str, metric: str, dimensions: Mapping[str, str]) -> Key:
    """The identity of a series."""
    return namespace, metric, frozenset(dimensions.items())


class UnsupportedStatisticError(ValueError):
    """CloudWatch has no such statistic, or this store does not know it."""


@dataclass(frozen=True)
class Datum:
    """One publication of one minute, seen by readers from `visible_ms` on."""

    visible_ms: int
    count: float
    total: float
    low: float
    high: float
    latencies: Latencies | None = None  # in ms, while the metric is in seconds


class Store:
    """Everything ever published."""

    def __init__(self) -> None:
        self._series: dict[Key, dict[int, list[Datum]]] = defaultdict(dict)
        self._final: dict[Key, dict[str, dict[int, float]]] = {}

    def put(self, key: Key, at_ms: int, visible_ms: int, value: float) -> None:
        """One sample, like PutMetricData with one Value."""
        self._add(key, at_ms, Datum(visible_ms, 1, value, value, value))

    def put_latencies(self, key: Key, at_ms: int, visible_ms: int, many: Latencies) -> None:
        """The response times of a minute; read back in seconds."""
        if many.count:
            low, high = percentile((many,), 0.1) / 1000, percentile((many,), 100) / 1000
            self._add(
                key, at_ms, Datum(visible_ms, many.count, many.total_ms / 1000, low, high, many)
            )

    def _add(self, key: Key, at_ms: int, datum: Datum) -> None:
        self._series[key].setdefault(floor_to(at_ms, MINUTE), []).append(datum)
        minute = floor_to(at_ms, MINUTE)
        for final in self._final.get(key, {}).values():
            final.pop(minute, None)

    def names(self, now_ms: int) -> tuple[Key, ...]:
        """Every series that has a visible datapoint, sorted."""
        seen = [
            k
            for k, minutes in self._series.items()
            if any(d.visible_ms <= now_ms for m in minutes.values() for d in m)
        ]
        return tuple(sorted(seen, key=lambda k: (k[0], k[1], sorted(k[2]))))

    def read(
        self, key: Key, statistic: str, *, period_ms: int, start_ms: int, end_ms: int, now_ms: int
    ) -> dict[int, float]:
        """Datapoints by the start of their period, for minutes in [start, end): oldest first.

        Raises:
            UnsupportedStatisticError: for a statistic that is not known here.
        """
        summary = _summary(statistic)
        series = self._series.get(key)
        if not series:
            return {}
        first = floor_to(start_ms, MINUTE)
        if period_ms == MINUTE:
            return self._minutes(key, statistic, range(first, end_ms, MINUTE), now_ms)
        periods: dict[int, list[Datum]] = {}
        for minute in range(first, end_ms, MINUTE):
            visible = [d for d in series.get(minute, ()) if d.visible_ms <= now_ms]
            if visible:
                period = first + (minute - first) // period_ms * period_ms
                periods.setdefault(period, []).extend(visible)
        return {at: summary(data) for at, data in periods.items()}

    def _minutes(self, key: Key, statistic: str, minutes: range, now_ms: int) -> dict[int, float]:
        """One value a minute; what is visible as a whole is computed once, for runs re-read minutes often."""
        summary, series = _summary(statistic), self._series[key]
        final = self._final.setdefault(key, {}).setdefault(statistic, {})
        found: dict[int, float] = {}
        for minute in minutes:
            if minute in final:
                found[minute] = final[minute]
            elif data := series.get(minute):
                visible = [d for d in data if d.visible_ms <= now_ms]
                if visible:
                    found[minute] = summary(visible)
                    if len(visible) == len(data):
                        final[minute] = found[minute]
        return found


class _Simple:
    """Sum, Average, Minimum, Maximum and SampleCount."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, data: Sequence[Datum]) -> float:
        match self.name:
            case "Sum":
                return sum(d.total for d in data)
            case "SampleCount":
                return sum(d.count for d in data)
            case "Average":
                return sum(d.total for d in data) / sum(d.count for d in data)
            case "Minimum":
                return min(d.low for d in data)
            case _:
                return max(d.high for d in data)


class _Percentile:
    """pNN, from raw samples as CloudWatch does it."""

    def __init__(self, percent: float) -> None:
        self.percent = percent

    def __call__(self, data: Sequence[Datum]) -> float:
        if all(d.latencies is not None for d in data):
            return (
                percentile([d.latencies for d in data if d.latencies is not None], self.percent)
                / 1000
            )
        values = sorted(d.total / d.count for d in data)
        return values[
            min(len(values) - 1, max(0, math.ceil(len(values) * self.percent / 100) - 1))
        ]


class _TrimmedCount:
    """TC(low:high): the samples above `low` and up to `high`, either open when empty."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    def __call__(self, data: Sequence[Datum]) -> float:
        counted = 0.0
        for datum in data:
            if datum.latencies is not None:
                above = (
                    datum.latencies.slower_than(self.low * 1000) if self.low > 0 else datum.count
                )
                counted += above - (
                    datum.latencies.slower_than(self.high * 1000) if self.high < math.inf else 0
                )
            elif self.low < datum.total / datum.count <= self.high:
                counted += datum.count
        return counted


@cache
def _summary(statistic: str) -> _Simple | _Percentile | _TrimmedCount:
    if statistic in ("Sum", "SampleCount", "Average", "Minimum", "Maximum"):
        return _Simple(statistic)
    if found := _PERCENTILE.fullmatch(statistic):
        return _Percentile(float(found[1]))
    if (found := _TRIMMED_COUNT.fullmatch(statistic)) and (found[1] or found[2]):
        return _TrimmedCount(float(found[1] or 0), float(found[2] or math.inf))
    raise UnsupportedStatisticError(statistic)
