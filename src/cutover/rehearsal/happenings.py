"""What can happen in a scenario, each with the `when` that starts it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PositiveInt,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cutover.core.units import Duration, Model, Percentage, Share
from cutover.core.values import MINUTE, SECOND, duration_text, parse_duration

Factor = Annotated[float, Field(strict=False, gt=0, le=1000)]
Nth = Annotated[int, Field(ge=1, le=10_000)]
Portion = Annotated[int, Field(ge=0, le=999)]


def _never(value: object) -> object:
    if value is None or value == "never":
        return None
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise PydanticCustomError("unit", "{message}", {"message": str(error)}) from None
    raise PydanticCustomError("unit", "needs a unit: write for example 40m, or never")


DurationOrNever = Annotated[
    int | None,
    BeforeValidator(_never),
    PlainSerializer(lambda ms: "never" if ms is None else duration_text(ms)),
    WithJsonSchema({"type": "string", "examples": ["40m", "never"]}),
]
"""Milliseconds, or None for `never` (scenario files know no null)."""


class When(Model):
    """When something happens: every condition named must hold, then `after` passes.

    With no condition it is the start of the run.
    """

    step: Nth | None = Field(
        None,
        description="The weight of the plan's Nth step (1 is the first) is written, or a later one.",
    )
    weight_at_least: Percentage | None = Field(
        None, description="The destination's weight on any route is at least this percent."
    )
    phase: str | None = Field(
        None, description="The run enters this phase, for example BAKING or ROLLING_BACK."
    )
    hold: str | None = Field(
        None,
        description="The run holds, and the reason's name contains this text, for example approval.",
    )
    going_back: bool | None = Field(
        None, description="true: a weight was lowered by someone, for example by a rollback."
    )
    after: Duration = Field(0, ge=0, description="How long after the conditions hold.")


class Effect(Model):
    """A change in how requests fare, for a while."""

    when: When = When()
    lasts: Duration | None = Field(None, gt=0, description="For how long; unset: until the end.")
    every: Duration | None = Field(
        None, gt=0, description="Starts again this long after its last start."
    )
    side: Literal["source", "destination", "both", "balancer", "others"] = "destination"
    errors: Share = Field(
        0, le=1_000_000, description="More requests answered with 5xx by the targets."
    )
    client_errors: Share = Field(
        0, le=1_000_000, description="More requests answered with 4xx by the targets."
    )
    connection_errors: Share = Field(
        0,
        le=1_000_000,
        description="Requests whose target can not be reached: 502 of the balancer.",
    )
    unanswered: Share = Field(0, le=1_000_000, description="Requests that get no answer at all.")
    elb_502: Share = Field(
        0,
        le=1_000_000,
        description="Requests answered 502 by the balancer after a target was chosen.",
    )
    elb_503: Share = Field(
        0,
        le=1_000_000,
        description="Requests answered 503 by the balancer: no target chosen, not in RequestCount.",
    )
    elb_504: Share = Field(
        0, le=1_000_000, description="Requests that time out at the targets: 504 of the balancer."
    )
    latency_factor: Factor = Field(1.0, description="Response times times this.")
    slow: Share = Field(0, le=1_000_000, description="Requests that take about `slow_to` instead.")
    slow_to: Duration = Field(3 * SECOND, gt=0)
    requests_factor: Factor = Field(1.0, description="Requests times this (only for side: both).")
    share: Share | None = Field(
        None,
        le=1_000_000,
        description="The destination really gets this share, whatever the weights say.",
    )
    propagation: Duration | None = Field(
        None, ge=0, description="Weights take this long to reach the data plane."
    )
    metrics_quiet: bool = Field(
        False, description="The side's metrics of these minutes are never published."
    )
    metrics_delay: Duration = Field(
        0, ge=0, description="The side's metrics are published this much later, each minute whole."
    )
    metrics_torn: bool = Field(
        False,
        description="With metrics_delay: 60 % of RequestCount comes in time, everything else late.",
    )
    errors_first: Share | None = Field(
        None,
        gt=0,
        description="Only this part of a minute's RequestCount is visible at first, and already all of its 5xx.",
    )
    log_bytes_factor: Factor = Field(1.0, description="Custom metrics of the plan times this.")
    alarm: str | None = Field(
        None, description="This CloudWatch alarm is in `alarm_state` meanwhile."
    )
    alarm_state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"] = "ALARM"

    @model_validator(mode="after")
    def _sane(self) -> Self:
        if self.every is not None and (self.lasts is None or self.lasts >= self.every):
            raise PydanticCustomError("every", "`every` needs a `lasts` that is shorter")
        return self


class HealthChange(Model):
    """Targets of a group change their state."""

    when: When = When()
    lasts: Duration | None = Field(None, gt=0)
    side: Literal["source", "destination"] = "destination"
    zone: Nth | None = Field(None, description="Only targets in the Nth zone.")
    count: PositiveInt | None = Field(
        None, description="Only this many targets; unset: all of them."
    )
    state: Literal["unhealthy", "initial", "draining", "unavailable", "gone"] = "unhealthy"
    reason: str = Field("Target.Timeout", description="As DescribeTargetHealth says it.")


class Write(Model):
    """A second writer changes a route behind our back."""

    when: When
    who: str = Field("terraform", description="Only for people to read.")
    route: Nth | None = Field(None, description="The plan's Nth route; unset: all of them.")
    weight: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="Sets the pair to this percent for the destination."
    )
    add_group: Portion | None = Field(
        None, description="Adds a group that is not ours, with this weight."
    )
    drop_destination: bool = Field(False, description="Takes the destination out of the action.")
    drop_both: bool = Field(
        False, description="Replaces the action by a fixed response: our groups are gone."
    )
    sticky: Duration | None = Field(None, description="Turns group stickiness on.")


class Fault(Model):
    """AWS calls go wrong."""

    when: When = When()
    lasts: Duration | None = Field(None, gt=0)
    operation: str = Field(
        "*", description="ModifyRule, DescribeRules, GetMetricData, Describe*, Modify*, * ..."
    )
    kind: Literal[
        "throttled", "denied", "expired", "error", "timeout", "lost_reply", "delayed", "slow", "partial_data", "internal_error"
    ]  # fmt: skip
    times: PositiveInt | None = Field(
        None, description="Only that many calls; unset: all of them meanwhile."
    )
    skip: int = Field(0, ge=0, description="Lets that many calls through first.")
    by: Duration = Field(
        10 * SECOND,
        gt=0,
        description="For timeout, lost_reply, delayed and slow: how long the call hangs, or when its effect comes.",
    )


class Say(Model):
    """A person says a word."""

    when: When
    word: Literal[
        "pause",
        "resume",
        "approve",
        "rollback",
        "finish",
        "interrupt",
        "confirm_restored",
        "accept_drift",
        "leave",
    ]
    who: str = "operator"
    why: str = "as the scenario says"


class Crash(Model):
    """The runner's process dies, and somebody starts it again later."""

    when: When
    point: Literal["before_write", "after_write", "waiting"] = Field(
        description="At a write before or after its effect, or between two turns."
    )
    back_after: DurationOrNever = Field(
        40 * MINUTE, description="When it is started again, or never."
    )
    words: tuple[Literal["resume", "rollback", "finish"], ...] = Field(
        ("resume",), description="With which first words."
    )
    rebooted: bool = Field(False, description="On a machine that booted meanwhile.")
