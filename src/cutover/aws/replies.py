"""What AWS promises of the replies that we read: anything else is a foreign reply, whoever sent it.

A captive portal answers with a page and status 200, a proxy cuts a body short, an emulator leaves members out.
botocore's models require nothing of a reply, so it parses all of that into something. Here stands once which members
every adapter relies on and of which type (AWS docs: the API references' response elements). More members are fine.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict


class ForeignReplyError(Exception):
    """A reply without what AWS promises of it."""


class _Group(TypedDict):
    TargetGroupArn: str
    Weight: NotRequired[Annotated[int, Field(ge=0, le=999)]]


class _Stickiness(TypedDict):
    Enabled: NotRequired[bool]
    DurationSeconds: NotRequired[int]


class _ForwardAction(TypedDict):
    TargetGroups: NotRequired[list[_Group]]
    TargetGroupStickinessConfig: NotRequired[_Stickiness]


class _Action(TypedDict):
    Type: str
    Order: NotRequired[int]
    TargetGroupArn: NotRequired[str]
    ForwardConfig: NotRequired[_ForwardAction]


class _Rule(TypedDict):
    RuleArn: str
    Actions: list[_Action]
    IsDefault: NotRequired[bool]


class _Listener(TypedDict):
    ListenerArn: str
    DefaultActions: list[_Action]


class _Rules(TypedDict):
    Rules: list[_Rule]


class _Listeners(TypedDict):
    Listeners: list[_Listener]


class _Balancer(TypedDict):
    LoadBalancerArn: str
    DNSName: str


class _Balancers(TypedDict):
    LoadBalancers: list[_Balancer]


class _TargetGroup(TypedDict):
    TargetGroupArn: str
    TargetGroupName: str
    LoadBalancerArns: NotRequired[list[str]]


class _TargetGroups(TypedDict):
    TargetGroups: list[_TargetGroup]


class _Attribute(TypedDict):
    Key: str
    Value: NotRequired[str]


class _Attributes(TypedDict):
    Attributes: list[_Attribute]


class _Tagged(TypedDict):
    ResourceArn: str
    Tags: NotRequired[list[_Attribute]]


class _TagDescriptions(TypedDict):
    TagDescriptions: list[_Tagged]


class _Target(TypedDict):
    Id: str
    AvailabilityZone: NotRequired[str]


class _State(TypedDict):
    State: str
    Reason: NotRequired[str]


class _Described(TypedDict):
    Target: _Target
    TargetHealth: _State


class _Health(TypedDict):
    TargetHealthDescriptions: list[_Described]


class _Result(TypedDict):
    Id: str
    Timestamps: list[datetime]
    Values: list[float]
    StatusCode: NotRequired[str]


class _MetricData(TypedDict):
    MetricDataResults: list[_Result]
    NextToken: NotRequired[str]


class _Dimension(TypedDict):
    Name: str
    Value: str


class _Metric(TypedDict):
    Namespace: str
    MetricName: str
    Dimensions: NotRequired[list[_Dimension]]


class _Metrics(TypedDict):
    Metrics: list[_Metric]


class _Alarm(TypedDict):
    AlarmName: str
    StateValue: str


class _MetricAlarms(TypedDict):
    MetricAlarms: list[_Alarm]
    CompositeAlarms: NotRequired[list[_Alarm]]


class _CompositeAlarms(TypedDict):
    CompositeAlarms: list[_Alarm]


class _Caller(TypedDict):
    Account: Annotated[str, Field(pattern=r"^\d{12}$")]
    Arn: Annotated[str, Field(pattern="^arn:")]


class _Placement(TypedDict):
    AvailabilityZone: str


class _Instance(TypedDict):
    InstanceId: str
    Placement: _Placement


class _Reservation(TypedDict):
    Instances: list[_Instance]


class _Reservations(TypedDict):
    Reservations: list[_Reservation]


class _AutoScalingGroup(TypedDict):
    AutoScalingGroupName: str
    MinSize: int
    DesiredCapacity: int


class _AutoScalingGroups(TypedDict):
    AutoScalingGroups: list[_AutoScalingGroup]


class _Zone(TypedDict):
    Id: str


class _Zones(TypedDict):
    HostedZones: list[_Zone]


class _Alias(TypedDict):
    DNSName: str
    EvaluateTargetHealth: NotRequired[bool]


class _RecordSet(TypedDict):
    Name: str
    AliasTarget: NotRequired[_Alias]


class _RecordSets(TypedDict):
    ResourceRecordSets: list[_RecordSet]


_PROMISED: Final[Mapping[str, Any]] = {
    "DescribeAlarms": _MetricAlarms | _CompositeAlarms,
    "DescribeAutoScalingGroups": _AutoScalingGroups,
    "DescribeInstances": _Reservations,
    "DescribeListeners": _Listeners,
    "DescribeLoadBalancers": _Balancers,
    "DescribeRules": _Rules,
    "DescribeTags": _TagDescriptions,
    "DescribeTargetGroupAttributes": _Attributes,
    "DescribeTargetGroups": _TargetGroups,
    "DescribeTargetHealth": _Health,
    "GetCallerIdentity": _Caller,
    "ListMetrics": _Metrics,
    "GetMetricData": _MetricData,
    "ListHostedZones": _Zones,
    "ListResourceRecordSets": _RecordSets,
    "ModifyListener": _Listeners,
    "ModifyRule": _Rules,
}


@cache
def _promise(operation: str) -> TypeAdapter[Any] | None:
    kind = _PROMISED.get(operation)
    return None if kind is None else TypeAdapter(kind)


def hold_to_promise(operation: str, reply: object) -> None:
    """Look at a parsed reply, before any adapter does.

    Raises:
        ForeignReplyError: when it is not what AWS promises of this operation; the message says what is wrong.
    """
    promise = _promise(operation)
    try:
        if promise is not None:
            promise.validate_python(reply, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ForeignReplyError(
            f"the reply to {operation} is not AWS's: {place}: {first['msg'].lower()}"
        ) from None
