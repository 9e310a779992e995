"""Gate `alarm`: a CloudWatch alarm of yours must be OK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from cutover.core.gates.api import GateContext, Judgement, Verdict, WithoutCounts
from cutover.core.gates.spec import GateSpec
from cutover.core.observation import AlarmState, Comparison, Known, Minute, Series, Unknown


class AlarmSpec(GateSpec):
    """A CloudWatch alarm that must be OK; without enough data it is unknown, never a pass."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            description="The name of a metric or composite alarm in the plan's Region.",
        ),
    ]


class AlarmGate(WithoutCounts):
    """Judges live, at every look: nothing is remembered."""

    Spec = AlarmSpec

    def needs(
        self, spec: AlarmSpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """No series: alarms are read by their name."""
        return ()

    def alarms(self, spec: AlarmSpec) -> tuple[str, ...]:
        """The one that it is about."""
        return (spec.name,)

    def no_past(self, spec: AlarmSpec) -> str:
        """Alarms are read live."""
        return "alarms"

    def start(self, spec: AlarmSpec) -> None:
        """Nothing to remember."""

    def restart(self, memory: None) -> None:
        """Nothing to forget."""

    def fold(self, spec: AlarmSpec, memory: None, minute: Minute, context: GateContext) -> None:
        """Minutes say nothing about an alarm."""

    def verdict(
        self, spec: AlarmSpec, memory: None, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """PASS only when the alarm was read and is OK."""
        if isinstance(context.alarms, Unknown):
            return Judgement(
                Verdict.UNKNOWN,
                f"alarm {spec.name} could not be read: {context.alarms.reason}",
                code="unread",
            )
        if not isinstance(context.alarms, Known):
            return Judgement(Verdict.UNKNOWN, f"alarm {spec.name} was not read", code="unread")
        state = context.alarms.value.get(spec.name, AlarmState.MISSING)
        if state is AlarmState.ALARM:
            return Judgement(Verdict.BREACH, f"alarm {spec.name} is in ALARM", code="in_alarm")
        if state is AlarmState.OK:
            return Judgement(Verdict.PASS, f"alarm {spec.name} is OK", code="ok")
        if state is AlarmState.INSUFFICIENT_DATA:
            why = f"alarm {spec.name} has insufficient data"
            return Judgement(Verdict.UNKNOWN, why, code="insufficient_data")
        return Judgement(Verdict.UNKNOWN, f"alarm {spec.name} does not exist", code="missing")


ALARM = AlarmGate()
