"""A load balancer, its groups and rules on moto, and a session to it under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from random import Random
from typing import Any, ClassVar, TypeVar

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError
from botocore.stub import Stubber
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from cutover.aws.fanout import DEADLINE_MS, Fanout, Inline, too_late
from cutover.aws.retry import Failure
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession
from cutover.core.moment import Moment
from cutover.core.values import RouteId
from cutover.ports import Clock

REGION = "eu-west-1"
_NUMBERS = count(1)
K = TypeVar("K")
R = TypeVar("R")
START = Moment(datetime(2026, 3, 2, 9, 0, 7, tzinfo=UTC), 5_000_000, "boot-1")


class StepClock(Clock):
    """A clock that only moves when something sleeps."""

    def __init__(self, at: Moment = START) -> None:
        self.at = at
        self.slept: list[int] = []

    def now(self) -> Moment:
        return self.at

    def sleep(self, ms: int) -> None:
        self.slept.append(ms)
        self.at = self.at.plus(ms)


@cache  # its loader remembers the service models, which take longer to read than any test
def dummy_session() -> boto3.Session:
    """Keys that no AWS knows."""
    return boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
    )


@cache
def raw(service: str) -> Any:
    """A client without walls."""
    return dummy_session().client(service)


def session(clock: Clock | None = None, **settings: Any) -> AwsSession:
    """A session as a rehearsal makes it."""
    return AwsSession(
        dummy_session(),
        clock or StepClock(),
        **{"emulated": True, "random": Random(1), **settings},
    )


@dataclass
class Faults:
    """Faults on the wire, by operation: before they apply (`throttle`, `denied`, `expired`, `500`,
    `unconnected`) or after (`lost`, `reset`). Each is used once, in order."""

    plan: dict[str, list[str]]
    calls: list[str] = field(default_factory=list)

    _ANSWERS: ClassVar = {
        "throttle": ("Throttling", 400),
        "denied": ("AccessDenied", 403),
        "expired": ("ExpiredToken", 403),
        "500": ("InternalFailure", 500),
    }

    def install(self, aws: AwsSession, service: str = "elbv2") -> Faults:
        client = aws.client(service)
        client.meta.events.unregister("before-send", botocore_stubber)
        client.meta.events.register_first("before-send", self)
        return self

    def __call__(self, event_name: str, request: Any, **_: Any) -> Any:
        operation = event_name.rsplit(".", 1)[-1]
        self.calls.append(operation)
        waiting = self.plan.get(operation, [])
        fault = waiting.pop(0) if waiting else ""
        if fault in self._ANSWERS:
            code, status = self._ANSWERS[fault]
            body = (
                f"<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error>"
                "<RequestId>req-1</RequestId></ErrorResponse>"
            )
            headers: Any = {"Content-Type": "text/xml", "x-amzn-query-error": f"{code};Sender"}
            return AWSResponse(request.url, status, headers, MockRawResponse(body))
        if fault == "unconnected":
            raise ConnectTimeoutError(endpoint_url=request.url)
        answer = botocore_stubber(event_name=event_name, request=request)
        assert answer is not None
        if fault == "lost":
            raise ReadTimeoutError(endpoint_url=request.url)
        if fault == "reset":
            raise ConnectionClosedError(endpoint_url=request.url)
        return answer


@dataclass
class World:
    """What stands on moto."""

    aws: AwsSession
    balancer: str
    listener: str
    source: str
    destination: str
    rule: RouteId
    default_rule: RouteId
    instances: list[str]

    @property
    def ends(self) -> Ends:
        return Ends(self.source, self.destination)

    @property
    def elb(self) -> Any:
        """A client without walls, to build with."""
        return raw("elbv2")

    def rule_actions(self, rule: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.elb.describe_rules(RuleArns=[rule or self.rule])[
            "Rules"
        ][0]["Actions"]
        return found

    def default_actions(self) -> list[dict[str, Any]]:
        listeners = self.elb.describe_listeners(ListenerArns=[self.listener])["Listeners"]
        found: list[dict[str, Any]] = listeners[0]["DefaultActions"]
        return found


def world(*, instances: bool = False, **settings: Any) -> World:
    """A new balancer on the emulator of `conftest.py`, one listener whose default goes to the source, one rule for /checkout."""
    number = next(_NUMBERS)
    elb = raw("elbv2")
    vpc, subnets = inputs()
    balancer = elb.create_load_balancer(Name=f"prod-{number}", Subnets=subnets)["LoadBalancers"][
        0
    ]["LoadBalancerArn"]
    common = {"Protocol": "HTTP", "Port": 80, "VpcId": vpc}
    source, destination = (
        elb.create_target_group(Name=name, TargetType=kind, **common)["TargetGroups"][0][
            "TargetGroupArn"
        ]
        for name, kind in ((f"ec2-{number}", "instance"), (f"eks-{number}", "ip"))
    )
    forward = [{"Type": "forward", "TargetGroupArn": source}]
    listener = elb.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward
    )
    listener_arn = listener["Listeners"][0]["ListenerArn"]
    rule = elb.create_rule(
        ListenerArn=listener_arn,
        Priority=10,
        Conditions=[{"Field": "path-pattern", "Values": ["/checkout*"]}],
        Actions=forward,
    )["Rules"][0]["RuleArn"]
    rules = elb.describe_rules(ListenerArn=listener_arn)["Rules"]
    machines = _machines() if instances else []
    if machines:
        elb.register_targets(TargetGroupArn=source, Targets=[{"Id": one} for one in machines])
    elb.register_targets(
        TargetGroupArn=destination,
        Targets=[
            {"Id": f"10.0.{n}.9", "Port": 80, "AvailabilityZone": f"{REGION}{z}"}
            for n, z in enumerate("ab")
        ],
    )
    return World(
        session(**settings),
        balancer,
        listener_arn,
        source,
        destination,
        RouteId(rule),
        RouteId(next(one["RuleArn"] for one in rules if one["IsDefault"])),
        machines,
    )


@cache  # cleared with the emulator, in `conftest.py`
def inputs() -> tuple[str, list[str]]:
    """A network and a subnet in each of two zones, shared by all worlds of a module."""
    ec2 = raw("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return vpc, [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}"
        )["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]


@cache
def _machines() -> list[str]:
    ec2 = raw("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    found = [
        ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=one)
        for one in inputs()[1]
    ]
    return [answer["Instances"][0]["InstanceId"] for answer in found]


def forget() -> None:
    """What stood on an emulator that is gone."""
    inputs.cache_clear()
    _machines.cache_clear()


def stubbed(service: str, *answers: tuple[str, Mapping[str, Any]]) -> AwsSession:
    """A session whose client of this service gives exactly these answers, in order."""
    aws = session()
    stubber = Stubber(aws.client(service))
    for operation, answer in answers:
        stubber.add_response(operation, dict(answer))
    stubber.activate()
    return aws


class Late(Fanout):
    """Every call comes too late: it was never begun."""

    def run(
        self, calls: Mapping[K, Callable[[], R]], within_ms: int = DEADLINE_MS
    ) -> dict[K, R | Failure]:
        return dict.fromkeys(calls, too_late(within_ms))


INLINE = Inline()
