"""The facts preflight judges: read side by side, read-only, each possibly unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from cutover.core.observation.minutes import CustomMetric
from cutover.core.observation.readings import AlarmState, GroupHealth, Identity, Known, Unknown
from cutover.core.routing import RouteConfig
from cutover.core.values import RouteId

T_co = TypeVar("T_co", covariant=True)


Fact = Known[T_co] | Unknown
"""A reading that was asked for, as all of a survey is. One that is Unknown blocks if its check would."""


@dataclass(frozen=True)
class RouteFacts:
    """One route as found.

    `stickiness strategy` is how a rollback recalls sticky clients: `keep` (no stickiness in the
    way), `unstick` (weight 0 and group stickiness off, put back later), `remove` (take the
    destination's group out of the action), or `none` (no legal way: refuse).
    """

    config: RouteConfig
    stickiness_strategy: str
    stickiness_strategy_why: str
    listener: str
    is_default: bool
    action_types: tuple[str, ...]
    other_groups: Mapping[str, int] = field(default_factory=dict)  # foreign group ARN -> weight
    tags: Mapping[str, str] = field(default_factory=dict)
    sticky_seconds: int = 0
    pair_sum: int = 1000  # what the two weights add up to as found (third groups keep their share)
    bare_actions: tuple[
        str, ...
    ] = ()  # authenticating actions that were read without their settings


@dataclass(frozen=True)
class GroupFacts:
    """One target group as found."""

    arn: str
    name: str
    load_balancers: tuple[str, ...]
    protocol: str
    protocol_version: str
    target_type: str
    sticky: bool
    attributes: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    matcher: str = ""  # codes of a healthy target: HTTP's, or gRPC's where the group speaks it


@dataclass(frozen=True)
class ListenerFacts:
    """One listener of a planned load balancer."""

    arn: str
    load_balancer: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RuleUse:
    """A rule or default action that forwards to a planned group: `routes` and `leave` must cover it."""

    arn: str  # rule ARN, or listener ARN for a default action
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """Metrics that exist, beside one that was asked for.

    Attributes:
        found: the metric itself is among them.
        nearest: those of its namespace and name, or when there are none those of its namespace or of its name; the
            most alike first.
        whole: all metrics of its namespace and name were looked at.
    """

    found: bool
    nearest: tuple[CustomMetric, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class MetricFacts:
    """What CloudWatch has of one metric, over the last hours.

    Attributes:
        asked: exactly as it is queried.
        periods: how many were asked for.
        points: how many have a datapoint.
        gap: the most periods in a row without one, since the first.
        listed: what ListMetrics says; not asked where there are datapoints.
    """

    asked: CustomMetric
    periods: int = 0
    points: int = 0
    gap: int = 0
    listed: Fact[Listed] | None = None


@dataclass(frozen=True)
class AutoScaling:
    """The source's Auto Scaling group."""

    name: str
    min_size: int
    desired: int
    in_service: int
    scale_in_suspended: bool


@dataclass(frozen=True)
class Survey:
    """Everything preflight looks at, about one plan."""

    identity: Fact[Identity]
    region: str
    skew_ms: Fact[int]
    routes: Mapping[RouteId, Fact[RouteFacts]]
    groups: Mapping[str, Fact[GroupFacts]]
    health: Mapping[str, Fact[GroupHealth]]
    uses: Fact[tuple[RuleUse, ...]]
    balancer_tags: Fact[Mapping[str, str]]
    listeners: Mapping[str, Fact[ListenerFacts]]
    auto_scaling: Fact[tuple[AutoScaling, ...]]
    dns_aliases: Fact[
        tuple[str, ...]
    ]  # names of aliases to the balancer with EvaluateTargetHealth
    metrics: Fact[
        Mapping[str, int]
    ]  # by comparison id: source requests in the last 15 settled minutes
    calibration: Fact[Mapping[str, Mapping[str, int]]]
    alarms: Fact[Mapping[str, AlarmState]]
    custom: Fact[Mapping[str, MetricFacts]]  # by name of the plan's metric gates
    silent: Mapping[str, MetricFacts] = field(
        default_factory=dict
    )  # by comparison id: the source's requests, where there were none
    claimed_by: Mapping[RouteId, str] = field(
        default_factory=dict
    )  # live or resting run on a route
    emulated: bool = False
    at_ms: int = 0  # when it was made, ms since the epoch on AWS's clock
