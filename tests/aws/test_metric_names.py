"""What preflight says of a metric gate, by what CloudWatch really has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cutover.core.observation import Survey
from cutover.core.preflight import Finding, Severity, run_checks
from tests.aws.test_survey import plan_for, survey
from tests.aws.topology import START, Faults, World, raw, world


@pytest.fixture
def there() -> World:
    return world()


def put(namespace: str, metric: str, dimensions: dict[str, str], *ages: int) -> None:
    """One datapoint so many minutes ago."""
    data = [
        {
            "MetricName": metric,
            "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
            "Timestamp": START.wall - timedelta(minutes=age),
            "Value": 1.0,
        }
        for age in ages
    ]
    raw("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


def seen(there: World, **gate: Any) -> Survey:
    spec = {"name": "calls", "namespace": "Shop", "metric": "Failed", "max": 5, **gate}
    return survey(there, plan_for(there, gates=[{"errors": {"max": "1%"}}, {"metric": spec}]))


def judged(there: World, **gate: Any) -> Finding:
    spec = {"name": "calls", "namespace": "Shop", "metric": "Failed", "max": 5, **gate}
    plan = plan_for(there, gates=[{"errors": {"max": "1%"}}, {"metric": spec}])
    found = run_checks(plan, survey(there, plan))
    return next(one for one in found if one.id == "metric-gates")


def test_a_metric_with_data_in_every_minute_is_fine(there: World) -> None:
    put("Shop", "Steady", {"Service": "eks"}, *range(3, 170))
    found = judged(there, metric="Steady", dimensions={"Service": "eks"})
    assert found.severity is Severity.OK
    assert "datapoints in 167 of 180 minutes" in found.seen


def test_an_arn_as_a_dimension_can_never_have_data(there: World) -> None:
    balancer, group = there.balancer.split(":loadbalancer/")[1], there.source.rsplit(":", 1)[1]
    names = {"LoadBalancer": balancer, "TargetGroup": group}
    put("AWS/ApplicationELB", "RequestCount", names, 5)
    found = judged(
        there,
        namespace="AWS/ApplicationELB",
        metric="RequestCount",
        dimensions={"LoadBalancer": balancer, "TargetGroup": there.source},
    )
    assert found.severity is Severity.BLOCK
    asked = f"dimensions LoadBalancer={balancer}, TargetGroup={there.source}"
    assert f"namespace AWS/ApplicationELB, metric RequestCount, {asked}" in found.seen
    assert f"TargetGroup is an ARN here, and {group} in CloudWatch" in found.seen
    assert f"the nearest that exist: namespace AWS/ApplicationELB, metric RequestCount, dimensions LoadBalancer={balancer}, TargetGroup={group}" in found.seen  # fmt: skip


@pytest.mark.parametrize("asked", [{"Service": "eks"}, {"Service": "eks", "Pod": "x"}])
def test_another_set_of_dimensions_than_the_published_one_can_never_have_data(
    there: World, asked: dict[str, str]
) -> None:
    put("Sets", "Failed", {"Service": "eks", "Zone": "a"}, 5)
    found = judged(there, namespace="Sets", dimensions=asked)
    assert found.severity is Severity.BLOCK
    assert "published with the dimensions (Service, Zone), never with" in found.seen
    assert "Service=eks, Zone=a" in found.seen
    waived = plan_for(
        there,
        gates=[
            {
                "metric": {
                    "name": "calls",
                    "namespace": "Sets",
                    "metric": "Failed",
                    "max": 5,
                    "dimensions": asked,
                }
            }
        ],
        waive=[{"check": "metric-gates", "why": "published once EKS serves"}],
    )
    findings = {one.id: one for one in run_checks(waived, survey(there, waived))}
    assert findings["metric-gates"].severity is Severity.WARN


def test_a_value_that_may_come_later_is_a_warning_with_the_nearest(there: World) -> None:
    put("Logs", "Bytes", {"Group": "/eks/chekout"}, 5)
    found = judged(there, namespace="Logs", metric="Bytes", dimensions={"Group": "/eks/checkout"})
    assert found.severity is Severity.WARN
    assert "the nearest that exist: namespace Logs, metric Bytes, dimensions Group=/eks/chekout" in found.seen  # fmt: skip


@pytest.mark.parametrize(
    ("namespace", "metric"), [("Chekout", "Failures"), ("Checkout", "Failure")]
)
def test_a_misspelled_namespace_or_name_finds_the_right_one(
    there: World, namespace: str, metric: str
) -> None:
    put("Checkout", "Failures", {}, 5)
    found = judged(there, namespace=namespace, metric=metric)
    assert found.severity is Severity.WARN
    assert "nearest that exist: namespace Checkout, metric Failures, no dimensions" in found.seen


def test_a_counter_that_exists_only_when_it_counts_is_told_before_anything_is_attached(
    there: World,
) -> None:
    put("Sparse", "Failed", {}, 5, 30, 31)
    found = judged(there, namespace="Sparse")
    assert found.severity is Severity.WARN
    assert "datapoints in 3 of 180 minutes, up to 24 in a row without" in found.seen
    assert "missing: zero" in found.fix
    assert judged(there, namespace="Sparse", missing="zero").severity is Severity.OK
    put("Old", "Failed", {}, 2_000)
    assert judged(there, namespace="Old").severity is Severity.WARN
    assert judged(there, namespace="Old", missing="zero").severity is Severity.OK
    assert judged(there, namespace="Never", missing="zero").severity is Severity.OK


def test_a_denied_listing_blocks_nothing_and_names_the_permission(there: World) -> None:
    Faults({"ListMetrics": ["denied"] * 9}).install(there.aws, "cloudwatch")
    found = judged(there, namespace="Dark", dimensions={"Service": "arn:x"})
    assert found.severity is Severity.WARN
    assert "grant cloudwatch:ListMetrics" in found.seen


def test_where_the_source_has_no_requests_the_question_is_told_word_for_word(
    there: World,
) -> None:
    plan = plan_for(there)
    found = {one.id: one for one in run_checks(plan, survey(there, plan))}["metrics"]
    assert found.severity is Severity.BLOCK
    balancer, group = there.balancer.split(":loadbalancer/")[1], there.source.rsplit(":", 1)[1]
    asked = f"asked for namespace AWS/ApplicationELB, metric RequestCount, dimensions LoadBalancer={balancer}, TargetGroup={group}"
    assert asked in found.seen


def test_a_denied_listing_does_not_hide_that_the_source_is_silent(there: World) -> None:
    Faults({"ListMetrics": ["denied"] * 9}).install(there.aws, "cloudwatch")
    plan = plan_for(there)
    found = {one.id: one for one in run_checks(plan, survey(there, plan))}["metrics"]
    assert found.severity is Severity.BLOCK
    assert "grant cloudwatch:ListMetrics" in found.seen
