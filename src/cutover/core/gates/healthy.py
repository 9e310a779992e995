"""Gate `healthy`: enough healthy targets of the destination, in enough zones, now.

Judged live at every look. No healthy target at all is a rollback: an ALB does not fail over to the other group of a
forward action, its share of requests simply fails. Fewer than asked for, or a zone lost, harms nobody yet: that holds,
and a breach of another gate still rolls back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from cutover.core.gates.api import GateContext, Judgement, Verdict, WithoutCounts
from cutover.core.gates.spec import GateSpec, OnBreach
from cutover.core.observation import Comparison, GroupHealth, Known, Minute, Series, Unknown

NO_ZONE = "?"


class HealthySpec(GateSpec):
    """Healthy targets of the destination, judged live at every look; `on_breach` is for none left at all."""

    min: Annotated[
        int, Field(ge=1, le=100_000, description="Healthy targets the destination needs.")
    ] = 1
    zones: Annotated[
        int,
        Field(ge=1, le=10, description="Availability zones that must each have a healthy target."),
    ] = 1
    on_shortage: Annotated[
        OnBreach,
        Field(
            description="What a breach leads to while the destination still has a healthy target: "
            "fewer than `min`, or a zone lost, harms nobody yet."
        ),
    ] = "hold"


class HealthyGate(WithoutCounts):
    """Judges live target health: nothing is remembered."""

    Spec = HealthySpec

    def needs(
        self, spec: HealthySpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """No series: health is read live."""
        return ()

    def no_past(self, spec: HealthySpec) -> str:
        """Target health is read live."""
        return "target health"

    def start(self, spec: HealthySpec) -> None:
        """Nothing to remember."""

    def restart(self, memory: None) -> None:
        """Nothing to forget."""

    def fold(self, spec: HealthySpec, memory: None, minute: Minute, context: GateContext) -> None:
        """Minutes say nothing about health now."""

    def verdict(
        self, spec: HealthySpec, memory: None, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """PASS only when the health was read and is enough."""
        reading = context.health.get(comparison.destination)
        if isinstance(reading, Known):
            return _judge(spec, reading.value)
        if isinstance(reading, Unknown):
            return Judgement(
                Verdict.UNKNOWN,
                f"the destination's health could not be read: {reading.reason}",
                code="unread",
            )
        return Judgement(Verdict.UNKNOWN, "the destination's health was not read", code="unread")


HEALTHY = HealthyGate()


def _judge(spec: HealthySpec, health: GroupHealth) -> Judgement:
    zones = {zone: count for zone, count in health.zones.items() if count > 0 and zone != NO_ZONE}
    nowhere = max(0, health.healthy - sum(zones.values()))
    facts = {
        "healthy": health.healthy,
        "total": health.total,
        "min": spec.min,
        "zones": len(zones),
    }
    facts |= {f"zone.{zone}": count for zone, count in sorted(zones.items())}
    why_not = ", ".join(
        f"{count} {reason}" for reason, count in sorted(health.reasons.items()) if count > 0
    )
    why_not = f" ({why_not})" if why_not else ""
    if health.healthy <= 0:
        have = (
            f"none of {health.total:,} targets is healthy"
            if health.total > 0
            else "no target is registered"
        )
        return Judgement(
            Verdict.BREACH,
            f"the destination has no healthy target: {have}{why_not}",
            facts,
            code="no_healthy_target",
        )
    if health.healthy < spec.min:
        why = f"{health.healthy} of {health.total} targets of the destination are healthy, needs {spec.min}{why_not}"
        return Judgement(
            Verdict.BREACH, why, facts, on_breach=spec.on_shortage, code="too_few_healthy"
        )
    named = ", ".join(f"{zone}: {count}" for zone, count in sorted(zones.items()))
    # a target that AWS names no zone for may be anywhere; that is no proof, and with one zone asked for it needs none
    if len(zones) < spec.zones and not (spec.zones == 1 and nowhere):
        if len(zones) + nowhere >= spec.zones:
            why = f"AWS names no zone for {nowhere} healthy targets of the destination, needs {spec.zones} zones"
            return Judgement(Verdict.UNKNOWN, why, facts, code="zone_unnamed")
        why = f"healthy targets of the destination in {len(zones)} zones ({named}), needs {spec.zones}{why_not}"
        return Judgement(
            Verdict.BREACH, why, facts, on_breach=spec.on_shortage, code="too_few_zones"
        )
    where = f" in {len(zones)} zone{'' if len(zones) == 1 else 's'} ({named})" if zones else ""
    return Judgement(
        Verdict.PASS,
        f"{health.healthy} of {health.total} targets of the destination are healthy{where}",
        facts,
        code="healthy",
    )
