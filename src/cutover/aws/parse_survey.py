"""What a survey's answers mean: AWS's items folded into facts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cutover.aws.alb import listener_of
from cutover.aws.facts import fact
from cutover.aws.retry import Failure
from cutover.core.moment import Moment
from cutover.core.observation import GroupFacts, Known, ListenerFacts, RuleUse, Unknown
from cutover.core.observation.survey import Fact
from cutover.core.plan import Plan, Route

Answer = Any
"""What one read of a side-by-side batch gave: its items, or a Failure."""

ELB: Final = "elasticloadbalancing:"


@dataclass(frozen=True)
class Elements:
    """The first side-by-side look: what exists. It began at `at`."""

    balancers: Mapping[str, Answer]
    listeners: Mapping[str, Answer]  # by load balancer ARN
    groups: Mapping[str, Answer]
    attributes: Mapping[str, Answer]
    at: Moment


def permission(route: Route) -> str:
    """The permission that reading a route needs."""
    return ELB + ("DescribeRules" if route.kind == "rule" else "DescribeListeners")


def rule_arns(plan: Plan) -> tuple[str, ...]:
    """The planned routes that are rules, which have tags of their own."""
    return tuple(route.id for route in plan.routes if route.kind == "rule")


def gone(answer: Answer) -> bool:
    """One of several asked resources does not exist."""
    return isinstance(answer, Failure) and answer.code.endswith("NotFound")


def is_default(route: str, rules: Mapping[str, Answer]) -> bool:
    """The rule is its listener's default."""
    answer = rules.get(listener_of(route))
    return isinstance(answer, list) and any(
        rule["RuleArn"] == route and rule.get("IsDefault") for rule in answer
    )


def group_facts(
    arn: str, seen: Elements, tags: Mapping[str, Fact[Mapping[str, str]]]
) -> Fact[GroupFacts]:
    """One target group, with what was read of it."""
    answer: Fact[list[dict[str, Any]]] = fact(
        seen.groups[arn], ELB + "DescribeTargetGroups", seen.at
    )
    attributes: Fact[dict[str, str]] = fact(
        seen.attributes[arn], ELB + "DescribeTargetGroupAttributes", seen.at
    )
    if isinstance(answer, Unknown):
        return answer
    if isinstance(attributes, Unknown):
        return attributes
    found = next((one for one in answer.value if one["TargetGroupArn"] == arn), None)
    if found is None:
        return Unknown("AWS does not know this target group")
    own = tags.get(arn)
    return Known(
        GroupFacts(
            arn=arn,
            name=found["TargetGroupName"],
            load_balancers=tuple(dict.fromkeys(found.get("LoadBalancerArns", ()))),
            protocol=str(found.get("Protocol", "")),
            protocol_version=str(found.get("ProtocolVersion", "HTTP1")),
            target_type=str(found.get("TargetType", "instance")),
            sticky=attributes.value.get("stickiness.enabled") == "true",
            attributes=attributes.value,
            tags=own.value if isinstance(own, Known) else {},
            matcher=_matcher(found),
        ),
        seen.at,
    )


def _matcher(group: Mapping[str, Any]) -> str:
    matcher = group.get("Matcher") or {}
    return str(matcher.get("GrpcCode") or matcher.get("HttpCode") or "")


def rule_uses(
    groups: Sequence[str],
    seen: Elements,
    rules: Mapping[str, Answer],
    planned: Sequence[str],
) -> Fact[tuple[RuleUse, ...]]:
    """Every rule and default action that forwards to a planned group; Unknown when any is unread.

    Lists that lack a planned route (by ARN) are not the lists of its load balancer, and prove nothing.
    """
    found: list[RuleUse] = []
    named: set[str] = set()
    for by_balancer, what in ((seen.listeners, "DescribeListeners"), (rules, "DescribeRules")):
        for arn, answer in by_balancer.items():
            got: Fact[list[dict[str, Any]]] = fact(answer, ELB + what, seen.at)
            if isinstance(got, Unknown):
                return replace(got, reason=f"{arn}: {got.reason}")
            for item in got.value:
                named.add(str(item.get("RuleArn") or item["ListenerArn"]))
                if item.get("IsDefault"):
                    continue  # the listener's own default action says the same
                used = _forwards_to(item.get("DefaultActions", item.get("Actions", ())), groups)
                if used:
                    found.append(RuleUse(item.get("RuleArn") or item["ListenerArn"], used))
    if unnamed := [arn for arn in planned if arn not in named]:
        return Unknown(f"the lists of its load balancer do not name {unnamed[0]}")
    return Known(tuple(found), seen.at)


def _forwards_to(actions: Sequence[Mapping[str, Any]], groups: Sequence[str]) -> tuple[str, ...]:
    named = {str(action.get("TargetGroupArn", "")) for action in actions}
    for action in actions:
        named |= {
            str(one["TargetGroupArn"])
            for one in action.get("ForwardConfig", {}).get("TargetGroups", ())
        }
    return tuple(arn for arn in groups if arn in named)


def listener_facts(
    seen: Elements, tags: Mapping[str, Fact[Mapping[str, str]]]
) -> dict[str, Fact[ListenerFacts]]:
    """The listeners of the planned load balancers; one that was not listed stands under its balancer."""
    found: dict[str, Fact[ListenerFacts]] = {}
    for balancer, answer in seen.listeners.items():
        got: Fact[list[dict[str, Any]]] = fact(answer, ELB + "DescribeListeners", seen.at)
        if isinstance(got, Unknown):
            found[balancer] = got
            continue
        for item in got.value:
            arn = item["ListenerArn"]
            own = tags.get(arn, Known({}, seen.at))
            found[arn] = (
                own
                if isinstance(own, Unknown)
                else Known(ListenerFacts(arn, balancer, own.value), seen.at)
            )
    return found


def all_tags(
    tags: Mapping[str, Fact[Mapping[str, str]]], balancers: Sequence[str], at: Moment
) -> Fact[Mapping[str, str]]:
    """The tags of all planned load balancers together.

    Unknown when the tags of *any* resource of the plan were not readable: a controller that owns a rule
    or group must not hide behind a failed read.
    """
    together: dict[str, str] = {}
    for arn, own in tags.items():
        if isinstance(own, Unknown):
            return replace(own, reason=f"{arn}: {own.reason}")
        if arn in balancers:
            together.update(own.value)
    return Known(together, at)
