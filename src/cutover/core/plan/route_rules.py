"""Rules over the routes of a plan and the ARNs in it."""

from __future__ import annotations

from collections.abc import Iterator

from cutover.core.plan.arns import parse_arn, target_group_name
from cutover.core.plan.fields import PlanFields, Route
from cutover.core.plan.findings import Loc


def routes_come_once(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """Every rule or listener is a route once."""
    seen: dict[str, int] = {}
    for i, route in enumerate(plan.routes):
        if (first := seen.setdefault(route.id, i)) != i:
            yield (
                ("routes", i, route.kind),
                f"this route is in the plan twice; first as route {first + 1}",
                "remove one of them",
            )


def sides_differ(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """Source and destination of a route are different target groups."""
    for i, route in enumerate(plan.routes):
        if route.source == route.destination:
            yield (
                ("routes", i, "destination"),
                "source and destination are the same target group",
                "write the EKS side's target group here",
            )


def sides_are_not_mixed(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """No target group is the source of one route and the destination of another."""
    sources = {route.source: i for i, route in reversed(list(enumerate(plan.routes)))}
    for i, route in enumerate(plan.routes):
        other = sources.get(route.destination)
        if other is not None and other != i and route.source != route.destination:
            yield (
                ("routes", i, "destination"),
                f"target group {target_group_name(route.destination)} is the destination here and the source of route {other + 1}",
                "its traffic could not be told apart: put the routes into two plans",
            )


def arns_are_home(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """Every ARN is of `aws.region` and `aws.account`."""
    for loc, text in _arns(plan):
        arn = parse_arn(text, "listener-rule", "listener", "targetgroup")
        if arn.region != plan.aws.region:
            yield (
                loc,
                f"this ARN is in {arn.region}, but aws.region is {plan.aws.region}",
                "a plan moves routes of one Region; correct the ARN or aws.region",
            )
        if arn.account != plan.aws.account:
            yield (
                loc,
                f"this ARN is in account {arn.account}, but aws.account is {plan.aws.account}",
                "a plan moves routes of one account; correct the ARN or aws.account",
            )


def _arns(plan: PlanFields) -> Iterator[tuple[Loc, str]]:
    for i, route in enumerate(plan.routes):
        yield ("routes", i, route.kind), route.id
        yield ("routes", i, "source"), route.source
        yield ("routes", i, "destination"), route.destination
    for i, leave in enumerate(plan.leave):
        yield ("leave", i, "rule"), leave.rule


def groups_have_one_balancer(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A target group is on one load balancer."""
    # AWS docs: a target group can be used with only one load balancer.
    home: dict[str, tuple[int, str]] = {}
    for i, route in enumerate(plan.routes):
        for side, group in _sides(route):
            first, balancer = home.setdefault(group, (i, route.load_balancer))
            if balancer != route.load_balancer:
                yield (
                    ("routes", i, side),
                    f"target group {target_group_name(group)} is on {route.load_balancer} here and on {balancer} in route {first + 1}",
                    "a target group belongs to one load balancer; correct the ARN of the group, rule or listener",
                )


def names_are_unique(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """Two target groups do not have one name (a stale ARN)."""
    known: dict[str, str] = {}
    for i, route in enumerate(plan.routes):
        for side, group in _sides(route):
            name = target_group_name(group)
            if (
                known.setdefault(name, group) != group
                and parse_arn(group, "targetgroup").region == plan.aws.region
            ):
                yield (
                    ("routes", i, side),
                    f"another ARN in this plan also names the target group {name}",
                    "names are unique in a Region: one of the ARNs is of a deleted group",
                )


def _sides(route: Route) -> tuple[tuple[str, str], ...]:
    return ("source", route.source), ("destination", route.destination)


def leave_is_not_moved(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """What is left is not a route, and is left once."""
    moved: dict[str, int] = {route.id: i for i, route in enumerate(plan.routes)}
    seen: dict[str, int] = {}
    for i, leave in enumerate(plan.leave):
        if leave.rule in moved:
            yield (
                ("leave", i, "rule"),
                f"this is route {moved[leave.rule] + 1}: it cannot be moved and left",
                "remove it here or from `routes`",
            )
        if (first := seen.setdefault(leave.rule, i)) != i:
            yield (
                ("leave", i, "rule"),
                f"left twice; first as entry {first + 1}",
                "remove one of them",
            )
