"""Traffic that follows the weights, and the CloudWatch that would have counted it.

Everything is a function of time and of the weights as they were written: nothing is stored but those.
Written apart from `cutover.emulator` on purpose: two witnesses that share an error prove nothing.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

RATE = 3_000
"""Requests a second over all routes."""


@dataclass
class Traffic:
    """What the load balancer of one place serves.

    Attributes:
        bad_share: failed requests of the destination, from the moment set by `break_destination`.
        silent: CloudWatch has no datapoint of anything newer than this (epoch seconds).
    """

    source: str
    destination: str
    routes: tuple[str, ...]
    bad_share: float = 0.0
    bad_from: float = float("inf")
    silent: float = float("inf")
    _weights: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wrote(self, route: str, share: float) -> None:
        """The route sends this share to the destination from now on."""
        with self._lock:
            self._weights.setdefault(route, [(0.0, 0.0)]).append((time.time(), share))

    def break_destination(self, share: float) -> None:
        """From now on this share of the destination's requests fails with a 5xx."""
        self.bad_share, self.bad_from = share, time.time()

    def _share(self, at: float) -> float:
        with self._lock:
            shares = [
                history[bisect_right(history, (at, 2.0)) - 1][1]
                for route in self.routes
                if (history := self._weights.get(route, [(0.0, 0.0)]))
            ]
        return sum(shares) / len(shares)

    def _second(self, metric: str, group: str | None, at: int) -> float:
        served = round(RATE * self._share(at))
        if group is None:
            return RATE if metric == "RequestCount" else 0
        to_destination = self.destination.endswith(group)
        requests = served if to_destination else RATE - served
        failing = to_destination and at >= self.bad_from
        failed = round(requests * self.bad_share) if failing else 0
        return {
            "RequestCount": requests,
            "HTTPCode_Target_5XX_Count": failed,
            "HTTPCode_Target_2XX_Count": requests - failed,
            "TargetResponseTime": requests,  # its samples
        }.get(metric, 0)

    def _points(self, stat: dict[str, Any], start: int, end: int) -> dict[int, float]:
        metric, period = stat["Metric"], int(stat["Period"])
        names = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        assert metric["Namespace"] == "AWS/ApplicationELB", metric
        assert set(names) <= {"LoadBalancer", "TargetGroup"}, names
        over = min(float(int(time.time())), self.silent)  # a second is published when it is over
        found: dict[int, float] = {}
        for at in range(start - start % period, end, period):
            # a long period is one sample of itself, for counting an hour in seconds helps nobody
            seconds = range(at, at + period) if period <= 10 else (at,)
            total = sum(
                self._second(metric["MetricName"], names.get("TargetGroup"), second)
                for second in seconds
                if second + 1 <= over
            ) * (period / len(seconds))
            if not total:
                continue  # ALB publishes no zeros
            statistic = stat["Stat"]
            if statistic in ("Sum", "SampleCount"):
                found[at] = float(total)
            elif statistic.startswith("p"):
                found[at] = 0.08
            elif statistic.startswith("TC("):
                found[at] = round(total * 0.002)
        return found

    def metric_data(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer of GetMetricData."""
        start, end = int(asked["StartTime"]), int(asked["EndTime"])
        results = []
        for query in asked["MetricDataQueries"]:
            points = self._points(query["MetricStat"], start, end)
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query["MetricStat"]["Metric"]["MetricName"],
                    "Timestamps": list(points),
                    "Values": list(points.values()),
                    "StatusCode": "Complete",
                }
            )
        return {"MetricDataResults": results, "Messages": []}
