"""Replies given without the wire: CloudWatch, frequent reads of the balancer, and facts moto has no room for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cutover.emulator.balancer import Balancer
from cutover.emulator.cloudwatch import CloudWatch
from cutover.emulator.health import Target
from cutover.emulator.injections import Fault
from cutover.emulator.normal_form import normal_actions
from cutover.emulator.responses import AwsError, Call

_SPOILED = {"partial_data": "PartialData", "internal_error": "InternalError"}


@dataclass(frozen=True)
class SourceFleet:
    """The Auto Scaling group behind the source."""

    group: str
    min_size: int
    instances: tuple[Target, ...]

    @property
    def name(self) -> str:
        """The Auto Scaling group's name."""
        return f"{self.group.split('/')[-2]}-asg"


class Answers:
    """Who answers what."""

    def __init__(
        self,
        cloudwatch: CloudWatch,
        balancer: Balancer,
        account: str,
        region: str,
        fleets: Sequence[SourceFleet],
    ) -> None:
        self.cloudwatch = cloudwatch
        self._balancer = balancer
        self._account = account
        self._region = region
        self._fleets = tuple(fleets)
        self._age_ms = 0
        self.aliases: tuple[
            str, ...
        ] = ()  # DNS names of balancers that a Route 53 alias points at

    def to(self, call: Call, *, fast: bool) -> dict[str, Any] | None:
        """The reply, or None when the wire shall answer.

        Raises:
            AwsError: for a refusal.
        """
        if call.service == "cloudwatch":
            return self.cloudwatch.answer(call.operation, call.params)
        if call.service == "sts" and call.operation == "GetCallerIdentity":
            arn = f"arn:aws:sts::{self._account}:assumed-role/cutover/rehearsal"
            return {"Account": self._account, "UserId": "AROAREHEARSAL:rehearsal", "Arn": arn}
        if call.service == "autoscaling" and call.operation == "DescribeAutoScalingGroups":
            return {"AutoScalingGroups": self._scaling(call.params)}
        if call.service == "ec2" and call.operation == "DescribeInstances":
            return self._instances(call.params)
        if call.service == "route53":
            return self._names(call)
        if call.service == "elbv2" and fast:
            return self._balancing(call)
        return None

    def at_once(self, call: Call) -> bool:
        """`to` would surely answer this: a frequent read of what is here."""
        params, balancer = call.params, self._balancer
        match call.operation:
            case "GetMetricData" | "DescribeAlarms":
                return True
            case "DescribeRules":
                return "RuleArns" in params and all(
                    a in balancer.rules() for a in params["RuleArns"]
                )
            case "DescribeListeners":
                return "ListenerArns" in params and all(
                    a in balancer.listeners() for a in params["ListenerArns"]
                )
            case "DescribeTargetHealth":
                return "Targets" not in params
            case _:
                return False

    @contextmanager
    def spoiled(self, fault: Fault | None) -> Iterator[None]:
        """Results are partial, missing or old while such a fault lasts."""
        kind = fault.kind if fault is not None else ""
        self.cloudwatch.partial = _SPOILED.get(kind, "")
        self._age_ms = fault.by if fault is not None and kind == "stale" else 0
        try:
            yield
        finally:
            self.cloudwatch.partial, self._age_ms = "", 0

    def _actions(self, route: str) -> list[dict[str, Any]]:
        """As they are, or as they were where the answer is stale."""
        if not self._age_ms:
            return self._balancer.actions(route)
        return self._balancer.actions_at(route, self._balancer.book.now_ms() - self._age_ms)

    def _balancing(self, call: Call) -> dict[str, Any] | None:
        params = call.params
        if not self.at_once(call):
            return None
        match call.operation:
            case "DescribeRules":
                rules = self._balancer.rules()
                return {
                    "Rules": [self._rule(rules[arn]) for arn in rules if arn in params["RuleArns"]]
                }
            case "DescribeListeners":
                listeners = self._balancer.listeners()
                return {
                    "Listeners": [self._listener(listeners[arn]) for arn in params["ListenerArns"]]
                }
            case _:
                return self._health(str(params["TargetGroupArn"]))

    def _rule(self, rule: Any) -> dict[str, Any]:
        return {
            "RuleArn": rule.arn,
            "Priority": str(rule.priority),
            "Conditions": [dict(condition) for condition in rule.conditions],
            "Actions": normal_actions(self._actions(rule.arn)),
            "IsDefault": False,
        }

    def _listener(self, listener: Any) -> dict[str, Any]:
        return {
            "ListenerArn": listener.arn,
            "LoadBalancerArn": listener.load_balancer_arn,
            "Port": int(listener.port),
            "Protocol": listener.protocol,
            "Certificates": [{"CertificateArn": arn} for arn in listener.certificates],
            "SslPolicy": listener.ssl_policy,
            "AlpnPolicy": list(listener.alpn_policy),
            "DefaultActions": normal_actions(self._actions(listener.arn)),
        }

    def _health(self, arn: str) -> dict[str, Any]:
        group = self._balancer.group(arn)
        if group is None:
            raise AwsError("TargetGroupNotFound", f"One or more target groups not found: {arn}")
        found = []
        for target in group.members:
            if target.id not in group.targets:
                continue
            status = group.status_of(target)
            found.append(
                {
                    "Target": {**status.target, "Port": target.port},
                    "HealthCheckPort": status.health_check_port,
                    "TargetHealth": status.target_health,
                }
            )
        return {"TargetHealthDescriptions": found}

    def _scaling(self, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        names = params.get("AutoScalingGroupNames")
        return [
            {
                "AutoScalingGroupName": fleet.name,
                "AutoScalingGroupARN": f"arn:aws:autoscaling:{self._region}:{self._account}:autoScalingGroup:rehearsal",
                "MinSize": fleet.min_size,
                "MaxSize": len(fleet.instances) * 2,
                "DesiredCapacity": len(fleet.instances),
                "TargetGroupARNs": [fleet.group],
                "SuspendedProcesses": [],
                "Instances": [
                    {
                        "InstanceId": one.id,
                        "LifecycleState": "InService",
                        "HealthStatus": "Healthy",
                        "AvailabilityZone": one.zone,
                        "ProtectedFromScaleIn": False,
                    }
                    for one in fleet.instances
                ],
            }
            for fleet in self._fleets
            if not names or fleet.name in names
        ]

    def _instances(self, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted = set(params.get("InstanceIds", ()))
        for one in params.get("Filters", ()):
            if one["Name"] != "instance-id":
                raise AwsError(
                    "NotImplemented",
                    f"a rehearsal does not filter instances by {one['Name']}",
                    status=501,
                )
            wanted |= set(one["Values"])
        found = [
            {
                "InstanceId": one.id,
                "State": {"Code": 16, "Name": "running"},
                "Placement": {"AvailabilityZone": one.zone},
                "MetadataOptions": {
                    "State": "applied",
                    "HttpTokens": "required",
                    "HttpPutResponseHopLimit": 2,
                },
            }
            for fleet in self._fleets
            for one in fleet.instances
            if not wanted or one.id in wanted
        ]
        return {
            "Reservations": [{"ReservationId": "r-rehearsal", "Instances": found}] if found else []
        }

    def _names(self, call: Call) -> dict[str, Any] | None:
        zone = {
            "Id": "/hostedzone/ZREHEARSAL",
            "Name": "example.com.",
            "CallerReference": "rehearsal",
        }
        if call.operation == "ListHostedZones":
            return {
                "HostedZones": [zone] if self.aliases else [],
                "IsTruncated": False,
                "MaxItems": "100",
            }
        if call.operation == "ListResourceRecordSets":
            records = [
                {
                    "Name": "www.example.com.",
                    "Type": "A",
                    "AliasTarget": {
                        "HostedZoneId": "ZREHEARSALELB",
                        "DNSName": f"dualstack.{name}.",
                        "EvaluateTargetHealth": True,
                    },
                }
                for name in self.aliases
            ]
            return {"ResourceRecordSets": records, "IsTruncated": False, "MaxItems": "300"}
        return None


def garbled(body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
    """The reply as it comes: without what was asked for, or about another route, while such a fault lasts."""
    match fault.kind if fault is not None else "":
        case "incomplete":
            return {key: [] if isinstance(said, list) else said for key, said in body.items()}
        case "another":
            return {key: _of_another(said) for key, said in body.items()}
        case _:
            return body


def _of_another(said: Any) -> Any:
    """The same, under ARNs that nobody asked for."""
    if not isinstance(said, list):
        return said
    return [
        {key: f"{value}0" if key in _ROUTE_ARNS else value for key, value in one.items()}
        for one in said
    ]


_ROUTE_ARNS = ("RuleArn", "ListenerArn")
