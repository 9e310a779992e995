"""Single facts of AWS that preflight wants, each a read that may fail on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from cutover.aws.retry import Failure
from cutover.aws.session import AwsSession
from cutover.core.moment import Moment
from cutover.core.observation import AutoScaling, Known, Reading, Unknown
from cutover.core.observation.survey import Fact

T = TypeVar("T")

TAGS_BATCH: Final = 20
"""AWS docs: DescribeTags takes at most 20 resources a call."""

MOST_ZONES: Final = 25
"""Hosted zones looked through for aliases: Route 53 takes five requests a second."""

Asked = Callable[[], T | Failure]


def fact(answer: T | Failure, permission: str, at: Moment) -> Fact[T]:
    """A read's answer as a fact; one that was denied names the permission.

    Args:
        answer: what the read gave.
        permission: what the read needs.
        at: a moment before the call: what was learned is at least as new.
    """
    if isinstance(answer, Failure):
        return fact_of(answer.unknown(), permission)
    return Known(answer, at)


def fact_of(reading: Reading[T], permission: str) -> Fact[T]:
    """A port's reading as a fact; one that was denied names the permission."""
    if isinstance(reading, Unknown):
        return replace(reading, missing_permission=permission) if reading.denied else reading
    return reading if isinstance(reading, Known) else Unknown("it was not asked")


class Elb:
    """ELBv2's side of a survey: every method is one thing to ask, ready for a fanout."""

    def __init__(self, aws: AwsSession) -> None:
        self._aws = aws

    def listeners(self, balancer: str) -> Asked[list[dict[str, Any]]]:
        """All listeners of a load balancer."""
        return self._all("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer)

    def rules(self, listener: str) -> Asked[list[dict[str, Any]]]:
        """All rules of a listener, its default one too."""
        return self._all("elbv2", "describe_rules", "Rules", ListenerArn=listener)

    def balancer(self, arn: str) -> Asked[list[dict[str, Any]]]:
        """The load balancer itself."""
        return self._all(
            "elbv2", "describe_load_balancers", "LoadBalancers", LoadBalancerArns=[arn]
        )

    def group(self, arn: str) -> Asked[list[dict[str, Any]]]:
        """One target group; one call each, because one that is gone fails a whole list."""
        return self._all("elbv2", "describe_target_groups", "TargetGroups", TargetGroupArns=[arn])

    def attributes(self, group: str) -> Asked[dict[str, str]]:
        """The attributes of a target group, as far as AWS names them."""

        def ask() -> dict[str, str]:
            answer = self._aws.client("elbv2").describe_target_group_attributes(
                TargetGroupArn=group
            )
            return {one["Key"]: str(one.get("Value", "")) for one in answer["Attributes"]}

        return lambda: self._aws.reads.read(ask)

    def tags(self, arns: Sequence[str]) -> Asked[dict[str, dict[str, str]]]:
        """The tags of at most 20 resources, by ARN."""

        def ask() -> dict[str, dict[str, str]]:
            answer = self._aws.client("elbv2").describe_tags(ResourceArns=list(arns))
            return {
                one["ResourceArn"]: {
                    tag["Key"]: str(tag.get("Value", "")) for tag in one.get("Tags", ())
                }
                for one in answer["TagDescriptions"]
            }

        return lambda: self._aws.reads.read(ask)

    def auto_scaling(self, groups: Iterable[str]) -> Asked[tuple[AutoScaling, ...]]:
        """The Auto Scaling groups that register into any of these target groups."""
        wanted = set(groups)
        every = self._all("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups")

        def ask() -> tuple[AutoScaling, ...] | Failure:
            answer = every()
            if isinstance(answer, Failure):
                return answer
            return tuple(_auto_scaling(one) for one in answer if wanted & _registers_into(one))

        return ask

    def aliases(self, dns_names: Iterable[str]) -> Asked[tuple[str, ...]]:
        """Names of Route 53 aliases to these load balancers that evaluate target health."""
        wanted = {_plain_dns(name) for name in dns_names}

        def ask() -> tuple[str, ...] | Failure:
            zones = self._all("route53", "list_hosted_zones", "HostedZones")()
            if isinstance(zones, Failure):
                return zones
            if len(zones) > MOST_ZONES:
                return _too_many(len(zones))
            found: list[str] = []
            for zone in zones:
                records = self._all(
                    "route53",
                    "list_resource_record_sets",
                    "ResourceRecordSets",
                    HostedZoneId=zone["Id"],
                )()
                if isinstance(records, Failure):
                    return records
                found += [record["Name"] for record in records if _evaluates(record, wanted)]
            return tuple(dict.fromkeys(found))

        return ask

    def _all(
        self, service: str, operation: str, key: str, **asked: Any
    ) -> Asked[list[dict[str, Any]]]:
        def ask() -> list[dict[str, Any]]:
            pages = self._aws.client(service).get_paginator(operation).paginate(**asked)
            return [item for page in pages for item in page[key]]

        return lambda: self._aws.reads.read(ask)


def _too_many(zones: int) -> Failure:
    from cutover.aws.retry import Kind  # noqa: PLC0415

    return Failure(
        Kind.REFUSED, "too_many_zones", f"{zones} hosted zones are more than {MOST_ZONES}"
    )


def _plain_dns(name: str) -> str:
    return name.lower().rstrip(".").removeprefix("dualstack.")


def _evaluates(record: Mapping[str, Any], wanted: set[str]) -> bool:
    alias = record.get("AliasTarget")
    return bool(
        alias and alias.get("EvaluateTargetHealth") and _plain_dns(alias["DNSName"]) in wanted
    )


def _registers_into(group: Mapping[str, Any]) -> set[str]:
    sources = {str(one.get("Identifier")) for one in group.get("TrafficSources", ())}
    return sources | set(group.get("TargetGroupARNs", ()))


def _auto_scaling(group: Mapping[str, Any]) -> AutoScaling:
    suspended = {one["ProcessName"] for one in group.get("SuspendedProcesses", ())}
    serving = [
        one for one in group.get("Instances", ()) if one.get("LifecycleState") == "InService"
    ]
    protected = bool(serving) and all(one.get("ProtectedFromScaleIn") for one in serving)
    return AutoScaling(
        name=group["AutoScalingGroupName"],
        min_size=int(group["MinSize"]),
        desired=int(group["DesiredCapacity"]),
        in_service=len(serving),
        # AWS docs: without Terminate nothing is taken out, whoever lowers the desired capacity
        scale_in_suspended="Terminate" in suspended or protected,
    )
