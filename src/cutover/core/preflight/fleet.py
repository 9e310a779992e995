"""Checks on the two fleets: the source can take everything back, the destination can take anything."""

from __future__ import annotations

from collections.abc import Callable

from cutover.core.arn import resource
from cutover.core.observation import GroupHealth, Survey
from cutover.core.plan import Plan, Route
from cutover.core.preflight.finding import (
    CheckResult,
    block,
    listed,
    need,
    need_all,
    ok,
    warn,
)
from cutover.core.values import PPM, percent_text


def _health(plan: Plan, survey: Survey, side: Callable[[Route], str]) -> dict[str, GroupHealth]:
    return need_all(survey.health, [side(route) for route in plan.routes], "health of")


def _wanted(plan: Plan) -> tuple[int, int]:
    """(targets, zones) that the plan's `healthy` gates ask for."""
    specs = [gate.spec for gate in plan.gates if gate.kind == "healthy"]
    return max((spec.min for spec in specs), default=1), max(
        (spec.zones for spec in specs), default=1
    )


def protocol_version(plan: Plan, survey: Survey) -> CheckResult:
    """Both groups speak the same HTTP version to their targets."""
    found = need_all(
        survey.groups, [g for r in plan.routes for g in (r.source, r.destination)], "target group"
    )
    unlike = [
        f"{resource(comparison.source)} {found[comparison.source].protocol_version}, "
        f"{resource(comparison.destination)} {found[comparison.destination].protocol_version}"
        for comparison in plan.comparisons
        if found[comparison.source].protocol_version
        != found[comparison.destination].protocol_version
    ]
    if unlike:
        return block(
            listed(unlike),
            "AWS docs: a client whose protocol the group does not speak gets 464, which no 5xx counts",
            "Create the destination's group with the source's protocol version.",
        )
    return ok("the same on both sides")


def registered(plan: Plan, survey: Survey) -> CheckResult:
    """The destination has enough registered targets; health begins with the attachment."""
    least, _ = _wanted(plan)
    found = _health(plan, survey, lambda route: route.destination)
    few = [
        f"{resource(arn)} has {h.total} registered targets, the plan wants {least}"
        for arn, h in found.items()
        if h.total < least
    ]
    if few:
        return block(
            listed(few),
            "AWS docs: a group without targets answers 503, and there is no failover between groups",
            "Register targets (TargetGroupBinding, replicas) and try again.",
        )
    return ok(listed(f"{resource(arn)}: {h.total} registered" for arn, h in found.items()))


def destination_zones(plan: Plan, survey: Survey) -> CheckResult:
    """The destination's targets are spread over enough zones."""
    _, zones = _wanted(plan)
    narrow: list[str] = []
    unsure: list[str] = []
    for arn, health in _health(plan, survey, lambda route: route.destination).items():
        known = set(health.registered_zones) - {"?"}
        if len(known) < zones:
            unknown = not known or "?" in health.registered_zones
            (unsure if unknown else narrow).append(
                f"{resource(arn)}: {', '.join(sorted(known)) or 'no zone known'}"
            )
    if narrow:
        return block(
            listed(narrow),
            f"the plan wants healthy targets in {zones} zones, and one zone's loss would take them all",
            "Spread the destination (topologySpreadConstraints, node groups in every zone).",
        )
    if unsure and zones > 1:
        return warn(
            listed(unsure),
            f"the plan wants {zones} zones, and AWS does not name the zone of some targets",
            "Grant ec2:DescribeInstances; the healthy gate will hold the run if they stay unknown.",
        )
    return ok(f"{zones} zone{'s' * (zones != 1)} wanted, and there")


def destination_healthy(plan: Plan, survey: Survey) -> CheckResult:
    """A destination that is attached already is healthy already."""
    least, _ = _wanted(plan)
    routes = need_all(survey.routes, [route.id for route in plan.routes], "route")
    attached = {route.destination for route in plan.routes if routes[route.id].config.attached}
    found = _health(plan, survey, lambda route: route.destination)
    few = [
        f"{resource(arn)}: {_seen(found[arn])}"
        for arn in sorted(attached)
        if found[arn].healthy < least
    ]
    if few:
        return block(
            listed(few),
            f"it is attached, so AWS checks its health, and the plan wants {least} healthy targets",
            "Repair the targets: the reasons are named.",
        )
    return ok(
        "healthy"
        if attached
        else "not attached yet: health is proven after attaching, before the first step"
    )


def source_healthy(plan: Plan, survey: Survey) -> CheckResult:
    """The source can take everything back: it is at its reserve now."""
    reserve = plan.safety.source_reserve
    found = _health(plan, survey, lambda route: route.source)
    ill = [
        f"{resource(arn)}: {_seen(h)}"
        for arn, h in found.items()
        if not h.healthy or h.healthy * PPM < reserve * h.total
    ]
    if ill:
        return block(
            listed(ill),
            f"a rollback needs the source; the plan keeps {percent_text(reserve)} of it in reserve",
            "Repair the source first, or deregister targets that are gone for good.",
        )
    return ok(listed(f"{resource(arn)}: {_seen(h)}" for arn, h in found.items()))


def source_capacity(plan: Plan, survey: Survey) -> CheckResult:
    """Automatic scaling cannot take the source away while its traffic leaves."""
    found = need(survey.auto_scaling, "the source's Auto Scaling group")
    shrinking = [
        f"{one.name} may shrink from {one.in_service} to {one.min_size}"
        for one in found
        if one.min_size < one.in_service and not one.scale_in_suspended
    ]
    if shrinking:
        return block(
            listed(shrinking),
            "as its traffic leaves, scaling in would leave no fleet to roll back to",
            "Raise the group's minimum to what runs now, or suspend its Terminate process, until `cutover finish`.",
        )
    return ok(
        listed(f"{one.name} stays at {one.in_service}" for one in found) or "no Auto Scaling group"
    )


def dns_alias(_plan: Plan, survey: Survey) -> CheckResult:
    """A DNS alias that evaluates target health reacts to an attached group that is ill."""
    names = need(survey.dns_aliases, "Route 53 aliases of the load balancer")
    if names:
        return warn(
            f"{listed(names)} evaluate{'s' * (len(names) == 1)} target health",
            "AWS docs: every group with targets needs a healthy one and an empty group counts as ill, "
            "so attaching a bad destination or emptying the source can take the whole name out of DNS",
            "Be sure of the destination before the run, and do not empty the source's group while it is attached.",
        )
    return ok("no alias evaluates target health")


def _seen(health: GroupHealth) -> str:
    reasons = listed(f"{n} {reason}" for reason, n in sorted(health.reasons.items()))
    return f"{health.healthy} of {health.total} healthy" + (f" ({reasons})" if reasons else "")
