from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from cutover.aws.survey import AwsSurveyor
from cutover.core.observation import AlarmState, Known, Survey, Unknown
from cutover.core.observation.survey import Fact
from cutover.core.plan import Plan
from cutover.core.preflight import CHECKS, Severity, run_checks
from cutover.core.values import RouteId
from tests.aws.topology import INLINE, START, Faults, World, raw, world


@pytest.fixture
def there() -> World:
    return world(instances=True)


def plan_for(there: World, **changes: Any) -> Plan:
    ends = {"source": there.source, "destination": there.destination}
    return Plan.model_validate_json(
        json.dumps(
            {
                "version": 1,
                "name": "checkout",
                "aws": {"region": "eu-west-1", "account": "123456789012"},
                "routes": [{"rule": there.rule, **ends}, {"listener": there.listener, **ends}],
                "steps": [{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m"}],
                "gates": [
                    {"errors": {"max": "1%"}},
                    {"latency": {"percentile": 90, "max": "800ms"}},
                    {"healthy": {"min": 2}},
                    {"alarm": {"name": "burn"}},
                ],
                "managed_by": "none",
                **changes,
            }
        )
    )


def survey(
    there: World, plan: Plan | None = None, claims: Mapping[RouteId, str] | None = None
) -> Survey:
    held = claims or {}
    return AwsSurveyor(there.aws, INLINE, lambda _: held).survey(plan or plan_for(there))


def seen(fact: Fact[Any]) -> Any:
    assert isinstance(fact, Known), fact
    return fact.value


def traffic(there: World, minutes: int = 40) -> None:
    """Requests, latencies and a few ELB errors of the source, up to three minutes ago."""
    balancer = there.balancer.split(":loadbalancer/")[1]
    both = {"LoadBalancer": balancer, "TargetGroup": there.source.rsplit(":", 1)[1]}
    data = []
    for minute in range(3, minutes):
        at = START.wall - timedelta(minutes=minute)
        for name, dimensions, value in (
            ("RequestCount", both, 100.0),
            ("HTTPCode_Target_2XX_Count", both, 100.0),
            ("RequestCount", {"LoadBalancer": balancer}, 100.0),
            ("HTTPCode_ELB_503_Count", {"LoadBalancer": balancer}, 1.0),
        ):
            data.append(
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
                    "Timestamp": at,
                    "Value": value,
                }
            )
    for start in range(0, len(data), 100):
        raw("cloudwatch").put_metric_data(
            Namespace="AWS/ApplicationELB", MetricData=data[start : start + 100]
        )


def test_routes_groups_and_health_are_seen_as_they_are(there: World) -> None:
    found = survey(there)
    assert seen(found.identity).account == "123456789012"
    assert (found.region, found.emulated, found.at_ms) == ("eu-west-1", True, START.wall_ms)
    rule = seen(found.routes[there.rule])
    assert (rule.stickiness_strategy, rule.listener, rule.is_default) == (
        "keep",
        there.listener,
        False,
    )
    assert rule.action_types == ("forward",)
    assert seen(found.routes[RouteId(there.listener)]).is_default
    source = seen(found.groups[there.source])
    assert source.load_balancers == (there.balancer,)
    assert (source.protocol, source.protocol_version, source.target_type) == (
        "HTTP",
        "HTTP1",
        "instance",
    )
    assert not source.sticky
    assert seen(found.groups[there.destination]).load_balancers == ()
    assert seen(found.health[there.source]).healthy == 2
    assert {use.arn for use in seen(found.uses)} == {there.rule, there.listener}
    assert set(found.listeners) == {there.listener}
    assert seen(found.auto_scaling) == ()
    assert seen(found.dns_aliases) == ()
    assert found.claimed_by == {}


def test_a_claim_of_another_run_is_told(there: World) -> None:
    assert survey(there, claims={there.rule: "checkout-7"}).claimed_by == {
        there.rule: "checkout-7"
    }


def test_tags_of_everything_planned_are_seen(there: World) -> None:
    tag = [{"Key": "elbv2.k8s.aws/cluster", "Value": "prod"}]
    there.elb.add_tags(
        ResourceArns=[there.balancer, there.listener, there.rule, there.destination], Tags=tag
    )
    found = survey(there)
    told = {"elbv2.k8s.aws/cluster": "prod"}
    assert seen(found.balancer_tags) == told
    assert seen(found.listeners[there.listener]).tags == told
    assert seen(found.routes[there.rule]).tags == told
    assert seen(found.groups[there.destination]).tags == told
    assert seen(found.groups[there.source]).tags == {}


def test_target_stickiness_of_any_group_decides_the_stickiness_strategy(there: World) -> None:
    sticky = [{"Key": "stickiness.enabled", "Value": "true"}]
    there.elb.modify_target_group_attributes(TargetGroupArn=there.destination, Attributes=sticky)
    found = survey(there)
    assert seen(found.routes[there.rule]).stickiness_strategy == "none"
    assert seen(found.groups[there.destination]).sticky


def test_a_rule_outside_the_plan_that_forwards_to_the_source_is_seen(there: World) -> None:
    other = there.elb.create_rule(
        ListenerArn=there.listener,
        Priority=20,
        Conditions=[{"Field": "path-pattern", "Values": ["/internal*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": there.source}],
    )["Rules"][0]["RuleArn"]
    assert other in {use.arn for use in seen(survey(there).uses)}


def test_a_group_that_is_gone_is_missing_and_hides_nothing_else(there: World) -> None:
    gone = there.destination[:-4] + "beef"
    routes = [{"rule": there.rule, "source": there.source, "destination": gone}]
    found = survey(there, plan_for(there, routes=routes))
    assert isinstance(found.groups[gone], Unknown)
    assert isinstance(found.groups[there.source], Known)
    assert isinstance(found.routes[there.rule], Unknown)


def test_every_denied_read_names_its_permission(there: World) -> None:
    operations = {
        "elbv2": {
            "DescribeTags": "elasticloadbalancing:DescribeTags",
            "DescribeTargetGroups": "elasticloadbalancing:DescribeTargetGroups",
            "DescribeTargetGroupAttributes": "elasticloadbalancing:DescribeTargetGroupAttributes",
            "DescribeTargetHealth": "elasticloadbalancing:DescribeTargetHealth",
            "DescribeRules": "elasticloadbalancing:DescribeRules",
        },
        "autoscaling": {"DescribeAutoScalingGroups": "autoscaling:DescribeAutoScalingGroups"},
        "route53": {"ListHostedZones": "route53:ListResourceRecordSets"},
        "cloudwatch": {
            "GetMetricData": "cloudwatch:GetMetricData",
            "DescribeAlarms": "cloudwatch:DescribeAlarms",
        },
    }
    for service, some in operations.items():
        Faults({operation: ["denied"] * 99 for operation in some}).install(there.aws, service)
    found = survey(there)
    facts = [
        found.balancer_tags,
        found.uses,
        found.auto_scaling,
        found.dns_aliases,
        found.metrics,
        found.calibration,
        found.alarms,
        found.routes[there.rule],
        *found.groups.values(),
        *found.health.values(),
    ]
    assert all(isinstance(fact, Unknown) for fact in facts)
    named = {fact.missing_permission for fact in facts if isinstance(fact, Unknown)}
    assert named == {p for some in operations.values() for p in some.values()} - {
        "elasticloadbalancing:DescribeTargetGroupAttributes"  # its group was not readable at all
    }
    findings = {one.id: one for one in run_checks(plan_for(there), found)}
    assert findings["controller"].severity is Severity.BLOCK
    assert "Grant" in findings["registered"].fix
    assert findings["dns-alias"].severity is Severity.WARN


def test_the_source_is_measured_over_its_last_hour(there: World) -> None:
    traffic(there)
    found = survey(there)
    comparison = plan_for(there).comparisons[0].id
    # settled ends at 08:58: 15 minutes of 100 requests, and one ELB error per 100
    assert seen(found.metrics)[comparison] == pytest.approx(1500, abs=200)
    assert seen(found.calibration)[comparison]["elb_bad_ppm"] == round(1_000_000 / 101)


def test_alarms_are_seen_by_name(there: World) -> None:
    assert seen(survey(there).alarms) == {"burn": AlarmState.MISSING}
    raw("cloudwatch").put_metric_alarm(
        AlarmName="burn", ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=1.0,
        MetricName="m", Namespace="n", Period=60, Statistic="Sum",
    )  # fmt: skip
    raw("cloudwatch").set_alarm_state(AlarmName="burn", StateValue="ALARM", StateReason="test")
    assert seen(survey(there).alarms) == {"burn": AlarmState.ALARM}


def test_an_alias_that_evaluates_health_is_seen_by_its_name(there: World) -> None:
    dns = there.elb.describe_load_balancers(LoadBalancerArns=[there.balancer])["LoadBalancers"][0][
        "DNSName"
    ]
    route53 = raw("route53")
    zone = route53.create_hosted_zone(Name="shop.example", CallerReference=there.balancer)[
        "HostedZone"
    ]["Id"]
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "UPSERT",
                    "ResourceRecordSet": {
                        "Name": f"{name}.shop.example",
                        "Type": "A",
                        "AliasTarget": {
                            "HostedZoneId": "Z1",
                            "DNSName": f"dualstack.{dns}.",
                            "EvaluateTargetHealth": evaluates,
                        },
                    },
                }
                for name, evaluates in (("www", True), ("quiet", False))
            ]
        },
    )
    assert seen(survey(there).dns_aliases) == ("www.shop.example.",)


def test_the_sources_auto_scaling_group_is_found_by_its_target_group(there: World) -> None:
    scaling = raw("autoscaling")
    image = raw("ec2").describe_images()["Images"][0]["ImageId"]
    for name, group in (
        (f"a-{there.source[-6:]}", there.source),
        (f"b-{there.source[-6:]}", there.destination),
    ):
        scaling.create_launch_configuration(
            LaunchConfigurationName=name, ImageId=image, InstanceType="t3.micro"
        )
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchConfigurationName=name, MinSize=1, MaxSize=4, DesiredCapacity=2,
            AvailabilityZones=["eu-west-1a"], TargetGroupARNs=[group],
        )  # fmt: skip
    (one,) = seen(survey(there).auto_scaling)
    assert (one.name, one.min_size, one.desired, one.in_service) == (
        f"a-{there.source[-6:]}",
        1,
        2,
        2,
    )
    assert not one.scale_in_suspended
    scaling.suspend_processes(AutoScalingGroupName=one.name, ScalingProcesses=["Terminate"])
    assert seen(survey(there).auto_scaling)[0].scale_in_suspended


def test_a_survey_writes_nothing(there: World) -> None:
    faults = [
        Faults({}).install(there.aws, s)
        for s in ("elbv2", "cloudwatch", "autoscaling", "route53", "sts", "ec2")
    ]
    survey(there)
    calls = [call for one in faults for call in one.calls]
    assert calls
    assert all(call.startswith(("Describe", "Get", "List")) for call in calls)


def test_preflight_of_a_sound_plan_only_lacks_what_this_emulator_does_not_have(
    there: World,
) -> None:
    traffic(there)
    found = run_checks(
        plan_for(there, gates=[{"errors": {"max": "1%"}}, {"healthy": {"min": 2}}]), survey(there)
    )
    assert [f for f in found if f.severity is not Severity.OK] == []
    assert {f.id for f in found} == {*CHECKS, "waive"}


def test_what_a_grpc_group_speaks_and_takes_for_healthy_is_seen(there: World) -> None:
    known = there.elb.describe_target_groups(TargetGroupArns=[there.source])["TargetGroups"][0]
    calls = there.elb.create_target_group(
        Name="calls-eks",
        TargetType="ip",
        Protocol="HTTP",
        ProtocolVersion="GRPC",
        Port=50051,
        VpcId=known["VpcId"],
        Matcher={"GrpcCode": "0-12"},
    )["TargetGroups"][0]["TargetGroupArn"]
    plan = plan_for(
        there,
        routes=[{"rule": there.rule, "source": there.source, "destination": calls}],
        gates=[{"errors": {"max": "1%"}}],
    )
    found = survey(there, plan)
    assert seen(found.groups[calls]).protocol_version == "GRPC"
    findings = {one.id: one for one in run_checks(plan, found)}
    assert findings["grpc"].severity is Severity.BLOCK
    assert "calls-eks" in findings["grpc"].seen
    assert findings["grpc-health"].severity is Severity.WARN
    assert "0-12" in findings["grpc-health"].seen
