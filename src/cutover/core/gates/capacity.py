"""Gate `capacity`: requests per healthy target, now and at the next weight.

The load is the busiest of the last 5 settled minutes, shared evenly over the targets that are healthy now. The
projection stops a raise before the raise: a metric can only show an overload after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from cutover.core.gates.api import GateContext, Judgement, Verdict, WithoutCounts
from cutover.core.gates.columns import DESTINATION_REQUESTS, SOURCE_REQUESTS, side_requests
from cutover.core.gates.counting import STALE_PERIODS
from cutover.core.gates.spec import Answer, GateSpec
from cutover.core.observation import Comparison, Known, Minute, Series, Unknown
from cutover.core.units import PerMinute
from cutover.core.values import FULL, MINUTE, rate_text, weight_text

BUSY_MINUTES = 5


class CapacitySpec(GateSpec):
    """Requests a minute per healthy destination target, now and projected to the next weight before the raise."""

    max_requests_per_target: Annotated[
        PerMinute,
        Field(
            gt=0, description="What one target is known to carry, for example from a load test."
        ),
    ]
    on_breach: Answer = "hold"


@dataclass(frozen=True)
class Load:
    """Requests of one settled minute: of both groups, and of the destination alone."""

    at_ms: int
    both: int
    destination: int


@dataclass(frozen=True)
class Memory:
    """The last minutes' load, newest last."""

    loads: tuple[Load, ...] = ()
    unread: bool = False


class CapacityGate(WithoutCounts):
    """Requests a minute per healthy target against what one is known to carry."""

    Spec = CapacitySpec

    def needs(
        self, spec: CapacitySpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """Requests of both sides."""
        return (SOURCE_REQUESTS, DESTINATION_REQUESTS)

    def no_past(self, spec: CapacitySpec) -> str:
        """Target health is read live."""
        return "target health"

    def start(self, spec: CapacitySpec) -> Memory:
        """Nothing seen."""
        return Memory()

    def restart(self, memory: Memory) -> Memory:
        """The load of before says nothing about now."""
        return Memory()

    def fold(
        self, spec: CapacitySpec, memory: Memory, minute: Minute, context: GateContext
    ) -> Memory:
        """The memory after one settled minute; a minute without any request has no load to speak of."""
        source, destination = (
            side_requests(minute, SOURCE_REQUESTS),
            side_requests(minute, DESTINATION_REQUESTS),
        )
        if source is None or destination is None:
            return replace(memory, unread=True)
        if not source + destination:
            return replace(memory, unread=False)
        load = Load(minute.at_ms, source + destination, destination)
        return Memory((*memory.loads, load)[-BUSY_MINUTES:])

    def verdict(
        self, spec: CapacitySpec, memory: Memory, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """Now, and at the next weight."""
        reading = context.health.get(comparison.destination)
        if not isinstance(reading, Known):
            reason = f": {reading.reason}" if isinstance(reading, Unknown) else ""
            return Judgement(
                Verdict.UNKNOWN,
                f"how many targets of the destination are healthy is not known{reason}",
                code="health_unknown",
            )
        if memory.unread:
            return Judgement(
                Verdict.UNKNOWN,
                "the requests of the comparison could not be read in the newest minute",
                code="requests_unread",
            )
        if not memory.loads:
            return Judgement(
                Verdict.WAITING,
                "no settled minute with requests yet: the load per target is not known",
                code="no_requests_yet",
            )
        age = context.now.wall_ms - memory.loads[-1].at_ms
        if age > max(STALE_PERIODS * context.period_ms, 2 * MINUTE):
            return Judgement(
                Verdict.UNKNOWN,
                f"the newest minute with requests is {age // MINUTE} minutes old",
                code="stale",
            )
        return _judge(spec, memory, max(0, reading.value.healthy), context)


CAPACITY = CapacityGate()


def _judge(spec: CapacitySpec, memory: Memory, healthy: int, context: GateContext) -> Judgement:
    periods = MINUTE / context.period_ms
    now = max(load.destination for load in memory.loads) * periods
    both = max(load.both for load in memory.loads) * periods
    then = both * (context.weight if context.next_weight is None else context.next_weight) / FULL
    limit = spec.max_requests_per_target
    facts = {
        "healthy": healthy,
        "requests_now": round(now),
        "requests_projected": round(then),
        "limit": round(limit),
    }
    if not healthy:
        if now or then:
            return Judgement(
                Verdict.BREACH,
                "the destination has no healthy target to carry any request",
                facts,
                code="no_healthy_target",
            )
        return Judgement(
            Verdict.PASS, "the destination carries no request", facts, code="no_requests"
        )
    if now > limit * healthy:
        why = f"each of {healthy} healthy targets gets {rate_text(now / healthy)}, limit {rate_text(limit)}"
        return Judgement(Verdict.BREACH, why, facts, code="overloaded")
    if context.next_weight is None:
        why = f"each of {healthy} healthy targets gets {rate_text(now / healthy)}, limit {rate_text(limit)}"
        return Judgement(Verdict.PASS, why, facts, code="fits")
    at = weight_text(context.next_weight)
    why = f"{at} would bring {rate_text(then / healthy)} to each of {healthy} healthy targets, limit {rate_text(limit)}"
    if then > limit * healthy:
        return Judgement(Verdict.BREACH, why, facts, code="next_weight_overloads")
    return Judgement(Verdict.PASS, why, facts, code="next_weight_fits")
