"""Checks on the routes: they exist, belong together, are complete and can carry every step."""

from __future__ import annotations

from collections import Counter
from typing import Final

from cutover.core.arn import resource
from cutover.core.observation import RouteFacts, Survey
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
from cutover.core.preflight.split import nearest_text, split
from cutover.core.values import RouteId, duration_text, weight_text

KNOWN_ACTIONS: Final = frozenset(
    {"forward", "authenticate-oidc", "authenticate-cognito", "jwt-validation"}
)
"""Actions that can be written again without loss."""

MOST_GROUPS: Final = 5
"""AWS docs: at most five target groups per action (quotas of Application Load Balancers)."""


def _routes(plan: Plan, survey: Survey) -> dict[RouteId, RouteFacts]:
    return need_all(survey.routes, [route.id for route in plan.routes], "route")


def _place(route: str, facts: RouteFacts) -> str:
    """Where the route really is: a default rule is its listener's default action."""
    return facts.listener if facts.is_default else route


def routes(plan: Plan, survey: Survey) -> CheckResult:
    """Every route exists, forwards to its source, and holds nothing a write could damage."""
    found = _routes(plan, survey)
    wrong: list[str] = []
    for route in plan.routes:
        facts = found[route.id]
        foreign = sorted(set(facts.action_types) - KNOWN_ACTIONS)
        if "forward" not in facts.action_types:
            wrong.append(f"{resource(route.id)} does not forward: {', '.join(facts.action_types)}")
        elif foreign:
            wrong.append(
                f"{resource(route.id)} has an action this version does not know: {foreign[0]}"
            )
        elif facts.bare_actions:
            wrong.append(
                f"{resource(route.id)} has an action {facts.bare_actions[0]} without settings that this version can read"
            )
        elif not facts.config.source_present:
            wrong.append(
                f"{resource(route.id)} does not forward to its source {resource(route.source)}"
            )
    places = Counter(_place(route, facts) for route, facts in found.items())
    wrong += [
        f"{resource(place)} is planned {times} times"
        for place, times in places.items()
        if times > 1
    ]
    if wrong:
        return block(
            listed(wrong),
            "only a forward to the planned source can be moved without losing what else is there",
            "Correct `routes`, or the rule.",
        )
    return ok(f"{len(found)} route{'s' * (len(found) != 1)} found")


def unmodelled(plan: Plan, survey: Survey) -> CheckResult:
    """No action holds what this version cannot read, and would lose by writing the list back."""
    found = _routes(plan, survey)
    lost = [
        f"{resource(route)} has {', '.join(facts.config.unmodelled)}"
        for route, facts in found.items()
        if facts.config.unmodelled
    ]
    if lost:
        return block(
            f"AWS describes what this version cannot read: {listed(lost)}",
            "a change replaces the whole list of actions, so this version would drop it; a rollback could not bring it back",
            "Update cutover and boto3. If it may be lost, waive the check `unmodelled` with the reason.",
        )
    return ok("every action is read whole")


def groups(plan: Plan, survey: Survey) -> CheckResult:
    """Both groups exist; the source is on the route's balancer, the destination on no other."""
    found = need_all(
        survey.groups, [g for r in plan.routes for g in (r.source, r.destination)], "target group"
    )
    wrong: list[str] = []
    for route in plan.routes:
        for arn, must in ((route.source, True), (route.destination, False)):
            names = [
                balancer.partition(":loadbalancer/")[2] for balancer in found[arn].load_balancers
            ]
            if any(name != route.load_balancer for name in names):
                wrong.append(
                    f"{resource(arn)} is used by {listed(n for n in names if n != route.load_balancer)}"
                )
            elif must and not names:
                wrong.append(f"{resource(arn)} is used by no load balancer")
    if wrong:
        return block(
            listed(wrong),
            "AWS docs: a target group serves one load balancer, so this route cannot use it",
            "Use a group of the route's own load balancer; create one for the destination if need be.",
        )
    return ok(f"{len(found)} target groups found")


def application_balancer(plan: Plan, survey: Survey) -> CheckResult:
    """Only Application Load Balancers: others have no HTTP evidence."""
    other = [
        resource(route.id) for route in plan.routes if not route.load_balancer.startswith("app/")
    ]
    found = need_all(
        survey.groups, [g for r in plan.routes for g in (r.source, r.destination)], "target group"
    )
    other += [
        f"{resource(arn)} speaks {g.protocol}"
        for arn, g in found.items()
        if g.protocol not in ("HTTP", "HTTPS")
    ]
    if other:
        return block(
            listed(other),
            "Network Load Balancers weigh flows, not requests, and publish other metrics",
            "Plan only routes of Application Load Balancers (`app/`).",
        )
    return ok("application load balancers")


def complete(plan: Plan, survey: Survey) -> CheckResult:
    """Every use of a planned group is moved, or left on purpose."""
    uses = need(survey.uses, "the rules of the load balancer")
    found = _routes(plan, survey)
    covered = {route.id for route in plan.routes} | {leave.rule for leave in plan.leave}
    covered |= {_place(route, facts) for route, facts in found.items()}
    loose = [use.arn for use in uses if use.arn not in covered]
    if loose:
        return block(
            f"{listed(resource(arn) for arn in loose)} also forward{'s' * (len(loose) == 1)} to a planned group",
            "share and evidence are measured per group: traffic of a route that does not move would hide the truth",
            "Add it to `routes`, or to `leave` with a reason.",
        )
    return ok(f"{len(uses)} use{'s' * (len(uses) != 1)} of the planned groups, all in the plan")


def start_weight(plan: Plan, survey: Survey) -> CheckResult:
    """The destination starts without traffic, or evenly below the first step."""
    found = _routes(plan, survey)
    starts: dict[RouteId, int] = {}
    for route, facts in found.items():
        weight = facts.config.weight if facts.config.attached else 0
        if weight is None:
            return block(
                f"both groups of {resource(route)} weigh 0",
                "what it does now is not documented by AWS, so there is nothing safe to return to",
                "Give the source its weight by hand first.",
            )
        starts[route] = int(weight)
    weights = set(starts.values())
    first = plan.steps[0].weight
    if weights == {0}:
        return ok("the destination has no traffic yet")
    if len(weights) == 1 and max(weights) < first:
        return ok(f"the destination starts at {weight_text(max(weights))} on every route")
    return block(
        listed(
            f"{resource(route)} is at {weight_text(weight)}" for route, weight in starts.items()
        ),
        f"every route must start at 0, or all at one weight below the first step ({weight_text(first)})",
        "Set them alike by hand, take out the steps that are done, or finish the other rollout first.",
    )


def weights(plan: Plan, survey: Survey) -> CheckResult:
    """Every step can be written on every route, and the destination has room in the action."""
    wrong: list[str] = []
    for route, facts in _routes(plan, survey).items():
        count = len(facts.other_groups) + 1 + facts.config.attached
        if not facts.config.attached and count >= MOST_GROUPS:
            wrong.append(f"{resource(route)} already has {count} groups, AWS takes {MOST_GROUPS}")
        if not any(facts.other_groups.values()):
            continue
        for weight in (0, *(step.weight for step in plan.steps)):
            try:
                split(weight, facts.pair_sum)
            except ValueError:
                able = nearest_text(weight, facts.pair_sum)
                wrong.append(
                    f"{resource(route)} cannot be at {weight_text(weight)} (comparison sum {facts.pair_sum}; nearest: {able})"
                )
    if wrong:
        return block(
            listed(wrong),
            "a third group keeps its share, so our two weights must keep their sum",
            "Use the weights named, or scale all weights of the rule up by hand (for example 9/1 to 900/100).",
        )
    return ok("every step can be set")


def stickiness(plan: Plan, survey: Survey) -> CheckResult:
    """A rollback can recall clients that a cookie would keep on the destination."""
    found = _routes(plan, survey)
    stuck = [
        f"{resource(route)}: {facts.stickiness_strategy_why}"
        for route, facts in found.items()
        if facts.stickiness_strategy == "none"
    ]
    if stuck:
        return block(
            listed(stuck),
            "stickiness takes precedence over weights, so nothing could recall these clients",
            "Switch group stickiness on in the rule, or target stickiness off on the group.",
        )
    stickiness_strategies = Counter(facts.stickiness_strategy for facts in found.values())
    return ok(
        "rollback stickiness strategy: "
        + ", ".join(f"{name} ({n})" for name, n in sorted(stickiness_strategies.items()))
    )


def sticky_bake(plan: Plan, survey: Survey) -> CheckResult:
    """A bake that is shorter than the stickiness only sees new sessions."""
    longest = (
        max((facts.sticky_seconds for facts in _routes(plan, survey).values()), default=0) * 1000
    )
    shortest = min(step.bake for step in plan.steps if not step.hands_over)
    if longest > shortest:
        return warn(
            f"clients stick for {duration_text(longest)}, the shortest bake is {duration_text(shortest)}",
            "such a bake judges new sessions only, and the observed share lags behind the weight",
            "Bake longer than the stickiness, or shorten it before the cutover.",
        )
    return ok(f"clients stick for {duration_text(longest)}" if longest else "no group stickiness")


def cognito(plan: Plan, survey: Survey) -> CheckResult:
    """A write of a Cognito action needs one more permission, which no read can prove."""
    with_it = [
        resource(r)
        for r, facts in _routes(plan, survey).items()
        if "authenticate-cognito" in facts.action_types
    ]
    if with_it:
        return warn(
            f"{listed(with_it)} authenticate{'s' * (len(with_it) == 1)} by Cognito",
            "AWS docs: writing such an action also needs cognito-idp:DescribeUserPoolClient",
            "Make sure the caller has it: without it the first change is refused.",
        )
    return ok("no Cognito action")
