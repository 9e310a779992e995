"""Publishes a minute of traffic the way ALB does: sparse, in two parts, and some time after the minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutover.core.values import MINUTE
from cutover.emulator.active_injections import Fare
from cutover.emulator.balancer import Balancer, dimension
from cutover.emulator.randomness import Randomness
from cutover.emulator.scenario import Scenario
from cutover.emulator.store import Store, key
from cutover.emulator.traffic import GroupTally, Traffic, TrafficMinute

ALB = "AWS/ApplicationELB"
FIRST_PART = 0.6
"""What share of RequestCount is visible early: partial minutes only under-count (Netflix Atlas, YACE and others wait for it)."""


@dataclass(frozen=True)
class CustomSeries:
    """A metric that the plan names itself; it grows with the destination's requests."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]


class Publisher:
    """Turns minutes into datapoints."""

    def __init__(
        self,
        store: Store,
        traffic: Traffic,
        balancer: Balancer,
        scenario: Scenario,
        *,
        customs: Sequence[CustomSeries],
        seed: int,
    ) -> None:
        self._store = store
        self._scenario = scenario
        self._weather = traffic.weather
        self._balancer = balancer
        self._customs = tuple(customs)
        self._destinations = {flow.destination for flow in traffic.flows}
        self._sources = {flow.source for flow in traffic.flows}
        self._luck = Randomness(seed, "published")

    def publish(self, at_ms: int, minute: TrafficMinute) -> None:
        """Everything about the minute that began at `at_ms`."""
        for (balancer, group), tally in minute.groups.items():
            self._group(at_ms, balancer, group, tally)
        for balancer, made in minute.balancers.items():
            names = {"LoadBalancer": balancer}
            self._requests(at_ms, names, made.requests, Fare())
            failed = {"502": made.elb_502, "503": made.elb_503, "504": made.elb_504}
            for code, count in failed.items():
                self._count(at_ms, f"HTTPCode_ELB_{code}_Count", names, count, 0)
            self._count(at_ms, "HTTPCode_ELB_5XX_Count", names, sum(failed.values()), 0)
            self._count(at_ms, "HTTPCode_ELB_4XX_Count", names, made.elb_4xx, 0)
            for name, attribute in _CODES.items():
                total = sum(
                    getattr(t, attribute)
                    for (owner, _), t in minute.groups.items()
                    if owner == balancer
                )
                self._count(at_ms, name, names, total, 0)
        self._custom(at_ms, sum(minute.destination_requests.values()))

    def _group(self, at_ms: int, balancer: str, arn: str, tally: GroupTally) -> None:
        fare = self._fare(arn)
        luck = self._luck.uniform()  # drawn in any case, so that silence changes nothing else
        if not tally.requests:
            return
        self._meet(arn, tally)
        if fare.quiet:
            return
        names = {"LoadBalancer": balancer, "TargetGroup": dimension(arn)}
        self._requests(at_ms, names, tally.requests, fare)
        for name, attribute in _CODES.items():
            early = fare.first is not None and attribute == "errors"
            delay = self._head_start if early else fare.delay_ms
            self._count(at_ms, name, names, getattr(tally, attribute), delay)
        self._count(
            at_ms, "TargetConnectionErrorCount", names, tally.connection_errors, fare.delay_ms
        )
        visible = self._rest(at_ms) + fare.delay_ms
        self._store.put_latencies(
            key(ALB, "TargetResponseTime", names), at_ms, visible, tally.latencies(luck)
        )
        self._hosts(at_ms, names, arn, tally, visible)

    def _meet(self, arn: str, tally: GroupTally) -> None:
        """Note which effects this minute of a side meets."""
        if arn in self._destinations or arn in self._sources:
            self._weather.meet(
                "destination" if arn in self._destinations else "source",
                {
                    "metrics_quiet": 1,
                    "metrics_delay": 1,
                    "metrics_torn": 1,
                    "errors_first": tally.errors,
                },
            )

    def _hosts(
        self, at_ms: int, names: dict[str, str], arn: str, tally: GroupTally, visible: int
    ) -> None:
        group = self._balancer.group(arn)
        if group is None:
            return
        states = [group.book.state(arn, target)[0] for target in group.targets]
        healthy = states.count("healthy")
        self._store.put(key(ALB, "HealthyHostCount", names), at_ms, visible, healthy)
        self._store.put(
            key(ALB, "UnHealthyHostCount", names), at_ms, visible, len(states) - healthy
        )
        if states:
            self._store.put(
                key(ALB, "RequestCountPerTarget", names),
                at_ms,
                visible,
                tally.requests / len(states),
            )

    def _custom(self, at_ms: int, requests: int) -> None:
        value = (
            requests
            * self._scenario.traffic.log_bytes
            * self._weather.log_factor
            * self._luck.wobble(0.05)
        )
        if not requests or self._weather.destination.quiet:
            return
        self._weather.meet("", {"log_bytes_factor": len(self._customs)})
        for series in self._customs:
            self._store.put(
                key(series.namespace, series.metric, dict(series.dimensions)),
                at_ms,
                self._rest(at_ms),
                round(value),
            )

    def _fare(self, arn: str) -> Fare:
        if arn in self._destinations:
            return self._weather.destination
        return self._weather.source if arn in self._sources else Fare()

    def _requests(self, at_ms: int, names: dict[str, str], requests: int, fare: Fare) -> None:
        if not requests:
            return
        rest = self._rest(at_ms) + fare.delay_ms
        early = at_ms + MINUTE + self._scenario.publish_first
        part = FIRST_PART if fare.first is None else fare.first
        first = int(requests * part) if fare.torn or not fare.delay_ms else 0
        if first:
            self._store.put(key(ALB, "RequestCount", names), at_ms, early, first)
        self._store.put(key(ALB, "RequestCount", names), at_ms, rest, requests - first)

    def _count(
        self, at_ms: int, name: str, names: dict[str, str], count: int, delay_ms: int
    ) -> None:
        if count:  # reported only when not zero
            self._store.put(key(ALB, name, names), at_ms, self._rest(at_ms) + delay_ms, count)

    @property
    def _head_start(self) -> int:
        """How much later the first part is visible than the rest: negative."""
        return self._scenario.publish_first - self._scenario.publish_rest

    def _rest(self, at_ms: int) -> int:
        return at_ms + MINUTE + self._scenario.publish_rest


_CODES = {
    "HTTPCode_Target_2XX_Count": "ok",
    "HTTPCode_Target_3XX_Count": "redirected",
    "HTTPCode_Target_4XX_Count": "client_errors",
    "HTTPCode_Target_5XX_Count": "errors",
}
