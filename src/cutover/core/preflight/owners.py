"""Checks on who else writes the routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cutover.core.arn import resource
from cutover.core.observation import Survey
from cutover.core.plan import Plan
from cutover.core.preflight.finding import (
    CheckResult,
    block,
    listed,
    need,
    need_all,
    ok,
    warn,
)

_CONTROLLER: Final = ("elbv2.k8s.aws/", "ingress.k8s.aws/", "service.k8s.aws/", "gateway.k8s.aws")
"""Tags of the AWS Load Balancer Controller, which reverts what it did not write (its resync: hours)."""

_CLOUDFORMATION: Final = "aws:cloudformation:"


def _tags(plan: Plan, survey: Survey) -> Iterator[tuple[str, str, str]]:
    """(what, key, value) of every tag on the balancer, its listeners, the routes and the groups."""
    for key, value in need(survey.balancer_tags, "tags").items():
        yield "load balancer", key, value
    planned = {
        facts.listener
        for facts in need_all(survey.routes, [r.id for r in plan.routes], "route").values()
    }
    for arn, listener in need_all(survey.listeners, sorted(planned), "listener").items():
        yield from ((resource(arn), key, value) for key, value in listener.tags.items())
    for route, facts in need_all(survey.routes, [r.id for r in plan.routes], "route").items():
        yield from ((resource(route), key, value) for key, value in facts.tags.items())
    arns = [group for route in plan.routes for group in (route.source, route.destination)]
    for arn, group in need_all(survey.groups, arns, "target group").items():
        yield from ((resource(arn), key, value) for key, value in group.tags.items())


def controller(plan: Plan, survey: Survey) -> CheckResult:
    """No Kubernetes controller owns what we are about to write."""
    owned = [
        f"{what}: {key}={value}"
        for what, key, value in _tags(plan, survey)
        if key.startswith(_CONTROLLER)
    ]
    if owned:
        return block(
            listed(owned),
            "the AWS Load Balancer Controller owns this and would put back its own weights",
            "Let it manage only targets (TargetGroupBinding to a group made outside), "
            "or waive this check when you know that it does not own these rules.",
        )
    return ok("no controller's tags")


def cloudformation(plan: Plan, survey: Survey) -> CheckResult:
    """CloudFormation knows of the cutover where it owns something."""
    tags = [tag for tag in _tags(plan, survey) if tag[1].startswith(_CLOUDFORMATION)]
    named = [f"{what}: {value}" for what, key, value in tags if key.endswith(":stack-name")]
    owned = named or [f"{what}: {key}" for what, key, _ in tags]
    if owned and plan.managed_by != "cloudformation":
        return block(
            listed(owned),
            "a stack owns this, and its next update may put back its own weights",
            "Say `managed_by: cloudformation` in the plan once nobody will update the stack during the cutover.",
        )
    return ok("said in the plan" if owned else "no stack's tags")


def managed_by(plan: Plan, _survey: Survey) -> CheckResult:
    """The plan says which infrastructure code owns the routes."""
    if plan.managed_by is None:
        return warn(
            "the plan does not say `managed_by`",
            "infrastructure code that is applied during or after the cutover puts back the old weights",
            "Say terraform, cloudformation or none; `cutover plan` prints what to tell it.",
        )
    return ok(plan.managed_by)
