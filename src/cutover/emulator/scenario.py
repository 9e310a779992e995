"""A scenario file: what happens to a rehearsed cutover, and how it is expected to end.

Strict like a plan: unknown keys are refused, and every time, share and rate carries a unit. Nothing here
imports boto3 or moto, so that listing and validating scenarios stays fast.
"""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cutover.core.gates import GATES
from cutover.core.units import Duration, Model, PerMinute, Share
from cutover.core.values import HOUR, MINUTE, SECOND
from cutover.emulator.injections import (
    Crash,
    DurationOrNever,
    Effect,
    Factor,
    Fault,
    HealthChange,
    HoldName,
    Nth,
    Portion,
    Say,
    Write,
)


def _instant(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            instant = None
        if instant is not None and instant.tzinfo is not None:
            return instant
    raise PydanticCustomError(
        "instant", "write a time with its zone, for example 2026-03-03T09:30:00+09:00"
    )


Instant = Annotated[datetime, BeforeValidator(_instant)]


class TrafficSpec(Model):
    """What clients do, and how the source serves them."""

    rate: PerMinute | None = Field(
        None, description="Requests a minute over all routes; the plan's `traffic`, else 6000/min."
    )
    others: PerMinute = Field(
        0.0,
        description="Requests a minute of other services behind the same load balancer, steady over the day.",
    )
    errors: Share = Field(200, description="Target 5xx of a healthy side.")
    client_errors: Share = Field(15_000, description="Target 4xx of a healthy side.")
    latency: Duration = Field(60, gt=0, description="Median response time.")
    latency_p95: Duration = Field(
        170, gt=0, description="95th percentile of response times, tail included."
    )
    tail: Share = Field(
        30_000, le=200_000, description="Requests in the slow tail, around 5 times the median."
    )
    swing: Share = Field(
        150_000, le=900_000, description="How much the rate swings around its mean over a day."
    )
    noise: Share = Field(
        350_000,
        le=2_000_000,
        description="How unsteady error rates are from minute to minute (coefficient of variation).",
    )
    bursts: Share = Field(
        0,
        le=500_000,
        description="Minutes in which a healthy side's error rate is 5 to 30 times its usual one, each side for itself.",
    )
    destination_latency: Factor = Field(
        1.0, description="The destination's response times over the source's."
    )
    destination_errors: Factor = Field(
        1.0, description="The destination's error rate over the source's."
    )
    log_bytes: Factor = Field(
        600.0, description="Custom metrics of the plan: units each destination request adds."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.latency_p95 <= self.latency:
            raise PydanticCustomError("latency", "latency_p95 must be above the median latency")
        return self


class Auth(Model):
    """An authenticate action in front of every route's forward."""

    kind: Literal["oidc", "cognito"] = "oidc"


class Topology(Model):
    """What stands behind the plan's ARNs when the run starts."""

    attached: bool = Field(
        False, description="The destination is already in the routes, at weight 0."
    )
    sticky: Duration | None = Field(
        None, description="Group stickiness on every route, with this cookie lifetime."
    )
    target_sticky: bool = Field(
        False,
        description="Target stickiness on both groups: group stickiness can then not be turned off.",
    )
    third_group: Portion | None = Field(
        None, description="A group that is not ours, with this weight, in every route."
    )
    authenticate: Auth | None = Field(
        None, description="An authenticate action before the forward."
    )
    source_targets: int = Field(12, ge=0, le=1000)
    destination_targets: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Unset: enough for the plan's own capacity and healthy gates.",
    )
    zones: int = Field(
        3, ge=1, le=6, description="Zones of the source, and of the destination unless said."
    )
    destination_zones: int | None = Field(None, ge=1, le=6)
    destination_protocol: Literal["HTTP1", "HTTP2", "GRPC"] = Field(
        "HTTP1", description="Protocol version of the destination's group."
    )
    auto_scaling_min: int | None = Field(
        None,
        ge=0,
        description="Smallest size of the source's Auto Scaling group; unset: it can not shrink.",
    )
    balancer_tags: dict[str, str] = Field(default_factory=dict)
    destination_tags: dict[str, str] = Field(default_factory=dict)
    dns_alias: bool = Field(
        False, description="A Route 53 alias with EvaluateTargetHealth points at the balancer."
    )


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise PydanticCustomError(
            "pattern", "is not a regular expression: {why}", {"why": str(error)}
        ) from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


def _gate(name: str) -> str:
    kind, _, setting = name.partition(".")
    if kind not in GATES:
        close = difflib.get_close_matches(kind, GATES, 1)
        fix = f"did you mean {close[0]}?" if close else f"there are: {', '.join(GATES)}"
        raise PydanticCustomError(
            "gate", "there is no gate {name}", {"name": repr(kind), "fix": fix}
        )
    known = list(GATES[kind].Spec.model_fields)
    if setting and setting not in known:
        close = difflib.get_close_matches(setting, known, 1)
        fix = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        raise PydanticCustomError(
            "gate",
            "gate {kind} has no setting {name}",
            {"kind": kind, "name": repr(setting), "fix": fix},
        )
    return name


GateName = Annotated[str, AfterValidator(_gate)]
DEFAULT_RATE = 6000.0
"""Requests a minute over all routes of a plan that says no `traffic`."""

FEWEST_HARMED = 100
"""So many requests have to fail before anybody can tell from few requests that they do."""


Outcome = Literal["completed", "rolled_back", "held", "refused", "needs_human", "ended"]


def _several(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _weight(value: object) -> object:
    if value in ("unchanged", "last") or (
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= FULL_PERCENT
    ):
        return value
    raise PydanticCustomError(
        "weight", "write a whole number of percent from 0 to 100, `unchanged` or `last`"
    )


FULL_PERCENT = 100
Outcomes = Annotated[
    tuple[Outcome, ...],
    BeforeValidator(_several),
    PlainSerializer(lambda several: several[0] if len(several) == 1 else list(several)),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(get_args(Outcome))},
                {"type": "array", "items": {"enum": list(get_args(Outcome))}, "minItems": 1},
            ],
            "examples": ["rolled_back", "[held, rolled_back]"],
        }
    ),
]
EndWeight = Annotated[
    int | str,
    BeforeValidator(_weight),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 100},
                {"enum": ["unchanged", "last"]},
            ],
            "examples": ["0", "unchanged"],
        }
    ),
]


class Expect(Model):
    """How the rehearsal must end; only what is named is compared."""

    outcome: Outcomes | None = Field(
        None, min_length=1, description="How the run ends; a list for one of several."
    )
    exit_code: int | None = Field(None, ge=0, le=255)
    weight: EndWeight | None = Field(
        None,
        description="The destination's percent in the live routes at the end; `unchanged`: what the trouble found; "
        "`last`: that of the plan's last step.",
    )
    no_raise_after: bool = Field(
        False, description="No weight was raised after the last entry of the scenario began."
    )
    held: HoldName | None = Field(
        None,
        description="The run held at some time, and the reason's name contains this text; else its trouble was not reached.",
    )
    step: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="The last step whose weight was ever written (1 is the first, 0: none)."
    )
    reached: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="The highest percent ever written."
    )
    reason: Pattern | None = Field(
        None,
        description="A regular expression found in what the run says last about why, case aside.",
    )
    harmed_at_most: int | None = Field(
        None,
        ge=0,
        description="Requests that the destination failed or answered too slowly, and the source would not have.",
    )
    outage_at_most: Duration | None = Field(
        None,
        gt=0,
        description="Requests harmed, as the time in which the destination gets as many at the highest weight that was written; "
        f"{FEWEST_HARMED} are always allowed. Unlike a number it fits every traffic.",
    )
    no_requests_to_destination: bool = Field(
        False, description="Not one request reached the destination."
    )
    writes_at_most: int | None = Field(
        None, ge=0, description="Changes of routes that the run made."
    )


class Needs(Model):
    """What a plan must have for the scenario to mean anything; else it does not apply."""

    gates: tuple[GateName, ...] = Field(
        (),
        description="Gates, by kind, or by kind and setting: `latency`, `healthy.zones`, `errors.versus_source`.",
    )
    steps: Nth = Field(1, description="Steps that bake.")
    approval: bool = Field(False, description="A step with `approve`.")
    last_weight: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="The last step raises to this percent."
    )
    traffic: PerMinute | None = Field(
        None, description="The plan's `traffic` (6000/min where it says none) is at least this."
    )
    last_bake: Duration = Field(0, ge=0, description="The last bake is at least so long.")
    bakes: Duration = Field(0, ge=0, description="Every bake is at least so long.")


class Scenario(Model):
    """One rehearsal."""

    description: str = Field(min_length=1, max_length=500)
    story: str = Field("", description="Where it happened for real.")
    start: Instant = Field(
        default=datetime.fromisoformat("2026-03-03T09:30:00+09:00"),
        description="The wall clock when the run starts.",
    )
    limit: Duration = Field(
        48 * HOUR, gt=0, description="The rehearsal is stopped after this much virtual time."
    )
    compare: bool = Field(
        False,
        description="Rehearsed with the threshold judge too, to say how many requests each judge harms.",
    )
    exit_on_hold: bool = Field(
        False,
        description="The run ends with exit code 5 instead of waiting when it holds; for an approval it is started again after `approve_after`.",
    )
    approve_after: DurationOrNever = Field(
        2 * MINUTE, description="Somebody approves this long after being asked, or never."
    )
    healthy_after: Duration = Field(
        45 * SECOND, ge=0, description="Attached targets pass their checks this long after."
    )
    propagation: Duration = Field(
        20 * SECOND, ge=0, description="Weights reach the data plane this long after the call."
    )
    cookie_half_life: Duration = Field(
        20 * MINUTE, gt=0, description="Half of the sticky clients are gone after this."
    )
    publish_first: Duration = Field(
        25 * SECOND,
        ge=0,
        description="60 % of a minute's RequestCount is visible this long after the minute.",
    )
    publish_rest: Duration = Field(
        100 * SECOND,
        ge=0,
        description="The rest, errors and response times are visible this long after it.",
    )
    aws_clock: Annotated[int, Field(ge=-3_600_000, le=3_600_000)] = Field(
        0, description="AWS's clock minus ours, in ms."
    )
    plan: dict[str, Any] = Field(
        default_factory=dict, description="Top-level keys that replace those of the plan."
    )
    traffic: TrafficSpec = TrafficSpec()
    twin: Topology = Topology()
    effects: tuple[Effect, ...] = ()
    health: tuple[HealthChange, ...] = ()
    writer: tuple[Write, ...] = ()
    faults: tuple[Fault, ...] = ()
    operator: tuple[Say, ...] = ()
    crash: tuple[Crash, ...] = ()
    needs: Needs = Needs()
    caught_by: tuple[GateName, ...] = Field(
        (), description="Gates that are there to catch this: named when a plan lets it through."
    )
    expect: Expect = Expect()
