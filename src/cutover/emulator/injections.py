"""What can happen in a scenario, each with the `when` that starts it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PositiveInt,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cutover.core.state import Hold, Phase
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


def _named(kind: str, known: Sequence[str], *, part: bool = False) -> AfterValidator:
    """A name that must be (or with `part` be part of) one of the known ones."""

    def checked(value: str) -> str:
        command = value.strip().lower()
        if (
            any(command in one.lower() if part else command == one.lower() for one in known)
            and command
        ):
            return value
        close = difflib.get_close_matches(command, [one.lower() for one in known], 1)
        meant = next((one for one in known if close and one.lower() == close[0]), "")
        fix = f"did you mean {meant}?" if meant else f"there are: {', '.join(known)}"
        raise PydanticCustomError(
            "name", "there is no {kind} {value}", {"kind": kind, "value": repr(value), "fix": fix}
        )

    return AfterValidator(checked)


PhaseName = Annotated[str, _named("phase", [str(phase) for phase in Phase])]
HoldName = Annotated[str, _named("hold", [str(hold) for hold in Hold], part=True)]


class When(Model):
    """When something happens: every condition named must hold, then `bake` and `after` pass.

    With no condition it is the start of the run.
    """

    step: Nth | None = Field(
        None,
        description="The weight of the plan's Nth step (1 is the first) is written, or a later one.",
    )
    way: Share | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="The same for the step at this share of the way: of the steps that bake, rounded up. "
        "50% of 7 steps is the fourth, of 2 steps the first; 100% is the last bake.",
    )
    bake: Share | None = Field(
        None,
        ge=0,
        lt=1_000_000,
        description="The step is baking, and this share of its bake has passed since that began.",
    )
    weight_at_least: Percentage | None = Field(
        None,
        description="The destination's weight on any route is at least this percent: with the first step of at least so much.",
    )
    phase: PhaseName | None = Field(
        None, description="The run enters this phase, for example BAKING or ROLLING_BACK."
    )
    hold: HoldName | None = Field(
        None,
        description="The run holds, and the reason's name contains this text, for example approval.",
    )
    going_back: bool | None = Field(
        None, description="true: a weight was lowered by someone, for example by a rollback."
    )
    after: Duration = Field(0, ge=0, description="How long after the conditions hold.")

    @model_validator(mode="after")
    def _one_step(self) -> Self:
        if self.step is not None and self.way is not None:
            raise PydanticCustomError("when", "`step` and `way` both name the step: leave one out")
        if self.bake is not None and self.phase is not None and self.phase.upper() != "BAKING":
            raise PydanticCustomError("when", "`bake` is in phase BAKING, and in no other")
        return self

    @property
    def waits(self) -> bool:
        """It comes some time after its conditions hold, not with the write that fulfils them."""
        return self.after > 0 or self.bake is not None


class Injection(Model):
    """What every entry has."""

    optional: bool = Field(
        False,
        description="The rehearsal counts though this never happens, for example because the run is expected to end before.",
    )


class Effect(Injection):
    """A change in how requests fare, for a while."""

    when: When = When()
    lasts: Duration | None = Field(None, gt=0, description="For how long; unset: until the end.")
    every: Duration | None = Field(
        None,
        gt=0,
        description="Starts again this long after its last start; without `lasts` each adds to the last, like a leak.",
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
    share_above: Share = Field(
        0, le=1_000_000, description="The destination really gets this much more than its weight."
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
        None,
        description="This CloudWatch alarm is in `alarm_state` meanwhile; `*` stands for any alarm that the plan names.",
    )
    alarm_state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"] = "ALARM"

    @model_validator(mode="after")
    def _sane(self) -> Self:
        if self.every is not None and self.lasts is not None and self.lasts >= self.every:
            raise PydanticCustomError("every", "`every` needs a `lasts` that is shorter")
        if self.metrics_torn and not self.metrics_delay:
            raise PydanticCustomError("torn", "`metrics_torn` needs a `metrics_delay`")
        if not self.parts:
            raise PydanticCustomError("nothing", "this effect changes nothing: say what it does")
        idle = [
            part
            for part in self.parts
            if self.side in ("balancer", "others") and part in _OF_A_SIDE
        ]
        if idle:
            raise PydanticCustomError(
                "side",
                "`{part}` is of a side of the plan: write side: destination, source or both",
                {"part": idle[0]},
            )
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """The keys by which it changes something."""
        fields = type(self).model_fields
        return tuple(name for name in _PARTS if getattr(self, name) != fields[name].get_default())


_OF_A_SIDE = (
    "errors", "client_errors", "connection_errors", "unanswered", "latency_factor", "slow",
    "metrics_quiet", "metrics_delay", "metrics_torn", "errors_first",
)  # fmt: skip
_PARTS = (
    *_OF_A_SIDE, "elb_502", "elb_503", "elb_504", "requests_factor", "share", "share_above", "propagation",
    "log_bytes_factor", "alarm",
)  # fmt: skip


class HealthChange(Injection):
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


class Write(Injection):
    """A second writer changes a route behind our back."""

    when: When
    who: str = Field("terraform", description="Only for people to read.")
    route: Nth | None = Field(None, description="The plan's Nth route; unset: all of them.")
    weight: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="Sets the comparison to this percent for the destination."
    )
    add_group: Portion | None = Field(
        None, description="Adds a group that is not ours, with this weight."
    )
    drop_destination: bool = Field(False, description="Takes the destination out of the action.")
    drop_both: bool = Field(
        False, description="Replaces the action by a fixed response: our groups are gone."
    )
    sticky: Duration | None = Field(None, description="Turns group stickiness on.")
    delete_rule: bool = Field(False, description="Deletes the rule; a default action stays.")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.model_dump(
            exclude_defaults=True, exclude={"when", "who", "route", "optional"}
        ):
            raise PydanticCustomError("nothing", "this write changes nothing: say what it does")
        return self


class Fault(Injection):
    """AWS calls go wrong."""

    when: When = When()
    lasts: Duration | None = Field(None, gt=0)
    operation: str = Field(
        "*", description="ModifyRule, DescribeRules, GetMetricData, Describe*, Modify*, * ..."
    )
    kind: Literal[
        "throttled", "denied", "expired", "error", "timeout", "lost_reply", "delayed", "slow", "partial_data", "internal_error",
        "stale", "foreign", "incomplete", "another", "mismatch",
    ] = Field(
        description="`stale`: a read of a route is answered as it was `by` ago. `foreign`: somebody else answers with 200, "
        "and the call has no effect. `incomplete`: what was asked for is left out of the reply; `another`: the reply tells "
        "of another route. `mismatch`: a write is applied, and the reply names the weights from before."
    )  # fmt: skip
    times: PositiveInt | None = Field(
        None, description="Only that many calls; unset: all of them meanwhile."
    )
    skip: int = Field(0, ge=0, description="Lets that many calls through first.")
    by: Duration = Field(
        10 * SECOND,
        gt=0,
        description="For timeout, lost_reply, delayed and slow: how long the call hangs, or when its effect comes; for stale: how old.",
    )


class Say(Injection):
    """A person says a command."""

    when: When
    command: Literal[
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


class Crash(Injection):
    """The runner's process dies, and somebody starts it again later."""

    when: When
    point: Literal["before_write", "after_write", "waiting"] = Field(
        description="At a write before or after its effect, or between two turns."
    )
    back_after: DurationOrNever = Field(
        40 * MINUTE, description="When it is started again, or never."
    )
    commands: tuple[Literal["resume", "rollback", "finish"], ...] = Field(
        ("resume",), description="With which first commands."
    )
    rebooted: bool = Field(False, description="On a machine that booted meanwhile.")
