"""Lint of `metric` gates: names that CloudWatch can never have data under, and counters that are mostly absent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from cutover.core.arn import resource
from cutover.core.plan.fields import PlanFields
from cutover.core.plan.findings import Loc

ALB_NAMESPACE: Final = "AWS/ApplicationELB"

_SUFFIXES: Final = {
    "LoadBalancer": (re.compile(r"app/[^/:]+/[^/:]+"), "app/NAME/ID"),
    "TargetGroup": (re.compile(r"targetgroup/[^/:]+/[^/:]+"), "targetgroup/NAME/ID"),
}
"""AWS docs: CloudWatch metrics for your Application Load Balancer, metric dimensions: the final portion of the ARN."""

_ONLY_NOT_ZERO: Final = re.compile(
    r"HTTPCode_.*|.*ErrorCount|.*ErrorCode.*|Rejected.*|Dropped.*|.*Failure"
)
"""The same page: "reporting criteria: there is a nonzero value"."""


def alb_suffix(dimension: str, value: str) -> str:
    """What CloudWatch calls the load balancer or target group of an ARN; the value itself when it is none."""
    if not value.startswith("arn:"):
        return value
    whole = resource(value)
    return whole.removeprefix("loadbalancer/") if dimension == "LoadBalancer" else whole


def _not_a_suffix(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A `metric` gate of a load balancer whose dimension is not the last part of the ARN."""
    for i, gate in enumerate(plan.gates):
        if gate.kind != "metric" or gate.spec.namespace != ALB_NAMESPACE:
            continue
        for name, value in gate.spec.dimensions.items():
            if name not in _SUFFIXES or _SUFFIXES[name][0].fullmatch(value):
                continue
            right = alb_suffix(name, value)
            yield (
                ("gates", i, "metric", "dimensions", name),
                f"CloudWatch knows a {name} by the last part of its ARN, {_SUFFIXES[name][1]}: this gate would never have data",
                f"write {right}" if right != value else f"write it as {_SUFFIXES[name][1]}",
            )


def _absent_when_zero(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A `metric` gate on a counter of the load balancer that exists only when it is not zero, without `missing: zero`."""
    for i, gate in enumerate(plan.gates):
        if (
            gate.kind == "metric"
            and gate.spec.namespace == ALB_NAMESPACE
            and gate.spec.statistic in ("Sum", "SampleCount")
            and gate.spec.missing is None
            and _ONLY_NOT_ZERO.fullmatch(gate.spec.metric)
        ):
            yield (
                ("gates", i, "metric", "metric"),
                f"{gate.spec.metric} has datapoints only in minutes in which it is not zero: the others would be unknown",
                "add `missing: zero`",
            )


def _grows_from_zero(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """`missing: zero` with `max_growth` alone: a counter that is zero has nothing to grow from."""
    for i, gate in enumerate(plan.gates):
        if gate.kind == "metric" and gate.spec.missing == "zero" and gate.spec.max is None:
            yield (
                ("gates", i, "metric", "missing"),
                "a baseline of zero has nothing to grow from: the gate would wait",
                "add `max`, or remove `missing: zero`",
            )


METRIC_CHECKS: Final[tuple[Callable[[PlanFields], Iterator[tuple[Loc, str, str]]], ...]] = (
    _not_a_suffix,
    _absent_when_zero,
    _grows_from_zero,
)
