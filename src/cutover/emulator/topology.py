"""Builds the twin of a plan: every balancer, listener, rule and group that it names, with nothing but the plan to go by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from cutover.core.plan import Plan
from cutover.core.values import SECOND, digest
from cutover.emulator.answers import SourceFleet
from cutover.emulator.balancer import Balancer, balancer_arn, forward, listener_arn
from cutover.emulator.health import Target
from cutover.emulator.scenario import Topology

NOT_FOUND = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
}
FEWEST_DESTINATION_TARGETS = 10
HEADROOM = 1.6
"""Unless a scenario says how many, the destination has targets for its peak by the plan's own capacity gate."""

ALB_IN_A_ZONE = "a c d b e f"
"""Letters of zones in the order they are used."""


def zones_of(region: str, count: int) -> tuple[str, ...]:
    """The first zones of a Region."""
    return tuple(region + letter for letter in ALB_IN_A_ZONE.split()[:count])


def foreign_group(source: str) -> str:
    """The ARN of a group that is not ours, next to a source's."""
    head, _, _ = source.partition(":targetgroup/")
    return f"{head}:targetgroup/foreign/{digest(source)[:16]}"


def build(plan: Plan, facts: Topology, balancer: Balancer, rate: float) -> tuple[SourceFleet, ...]:
    """Everything the plan names, under its ARNs; the fleets behind its sources."""
    fleets = _groups(plan, facts, balancer, rate)
    _listeners(plan, facts, balancer)
    balancer.note_associations()
    balancer.book.settled(balancer.attached())
    for arn in {balancer_arn(listener) for listener in balancer.listeners()}:
        balancer.tag(arn, facts.balancer_tags)
    for route in plan.routes:
        balancer.tag(route.destination, facts.destination_tags)
    return fleets


def destination_targets(plan: Plan, facts: Topology, rate: float) -> int:
    """How many targets a destination has: as said, else enough for the plan's own gates."""
    if facts.destination_targets is not None:
        return facts.destination_targets
    wanted = [FEWEST_DESTINATION_TARGETS]
    for gate in plan.gates:
        if (most := getattr(gate.spec, "max_requests_per_target", None)) is not None:
            wanted.append(math.ceil(rate * HEADROOM / most))
        if isinstance(fewest := getattr(gate.spec, "min", None), int):
            wanted.append(2 * fewest)
    return max(wanted)


def _groups(
    plan: Plan, facts: Topology, balancer: Balancer, rate: float
) -> tuple[SourceFleet, ...]:
    fleets: dict[str, SourceFleet] = {}
    zones = zones_of(plan.aws.region, facts.zones)
    theirs = zones_of(plan.aws.region, facts.destination_zones or facts.zones)
    for route in plan.routes:
        if balancer.group(route.source) is None:
            instances = tuple(_instances(route.source, facts.source_targets, zones))
            balancer.add_group(
                route.source,
                instances,
                kind="instance",
                protocol_version="HTTP1",
                sticky=facts.target_sticky,
            )
            fewest = len(instances) if facts.auto_scaling_min is None else facts.auto_scaling_min
            fleets[route.source] = SourceFleet(route.source, fewest, instances)
        if balancer.group(route.destination) is None:
            pods = tuple(_pods(destination_targets(plan, facts, rate), theirs))
            balancer.add_group(
                route.destination,
                pods,
                kind="ip",
                protocol_version=facts.destination_protocol,
                sticky=facts.target_sticky,
            )
        if facts.third_group is not None and balancer.group(foreign_group(route.source)) is None:
            others = tuple(_instances(foreign_group(route.source), 3, zones))
            balancer.add_group(
                foreign_group(route.source),
                others,
                kind="instance",
                protocol_version="HTTP1",
                sticky=False,
            )
    return tuple(fleets.values())


def _listeners(plan: Plan, facts: Topology, balancer: Balancer) -> None:
    defaults: dict[str, list[dict[str, Any]]] = {}
    rules: dict[str, list[dict[str, Any]]] = {}
    for route in plan.routes:
        actions = _actions(route.source, route.destination, facts)
        if route.kind == "listener":
            defaults[route.id] = actions
        else:
            rules[route.id] = actions
            defaults.setdefault(listener_arn(route.id), [])
    for left in plan.leave:
        others = [
            route
            for route in plan.routes
            if balancer_arn(_listener(route.id)) == balancer_arn(_listener(left.rule))
        ]
        source = (others or plan.routes)[0].source
        if ":listener-rule/" in left.rule:
            rules[left.rule] = [forward({source: 1})]
            defaults.setdefault(listener_arn(left.rule), [])
        elif not defaults.get(left.rule):
            defaults[left.rule] = [forward({source: 1})]
    for arn, actions in defaults.items():
        balancer.add_listener(arn, actions or [NOT_FOUND], https=True)
    for arn, actions in rules.items():
        balancer.add_rule(arn, actions)


def _listener(arn: str) -> str:
    return listener_arn(arn) if ":listener-rule/" in arn else arn


def _actions(source: str, destination: str, facts: Topology) -> list[dict[str, Any]]:
    groups: dict[str, int] = {source: 100}
    if facts.attached:
        groups[destination] = 0
    if facts.third_group is not None:
        groups[foreign_group(source)] = facts.third_group
    seconds = (facts.sticky or 0) // SECOND
    action = forward(groups, sticky_seconds=seconds)
    if facts.authenticate is None:
        return [action]
    return [{**_authenticate(facts.authenticate.kind), "Order": 1}, {**action, "Order": 2}]


def _authenticate(kind: str) -> Mapping[str, Any]:
    if kind == "cognito":
        return {
            "Type": "authenticate-cognito",
            "AuthenticateCognitoConfig": {
                "UserPoolArn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Rehearsal",
                "UserPoolClientId": "rehearsal",
                "UserPoolDomain": "rehearsal",
            },
        }
    return {
        "Type": "authenticate-oidc",
        "AuthenticateOidcConfig": {
            "Issuer": "https://id.example.com",
            "AuthorizationEndpoint": "https://id.example.com/authorize",
            "TokenEndpoint": "https://id.example.com/token",
            "UserInfoEndpoint": "https://id.example.com/userinfo",
            "ClientId": "rehearsal",
            "ClientSecret": "a secret that no reply may show",
        },
    }


def _instances(group: str, count: int, zones: tuple[str, ...]) -> Iterator[Target]:
    for number in range(count):
        yield Target(f"i-{digest(f'{group}/{number}')[:17]}", 8080, zones[number % len(zones)], "")


def _pods(count: int, zones: tuple[str, ...]) -> Iterator[Target]:
    for number in range(count):
        zone = zones[number % len(zones)]
        yield Target(
            f"10.{number % len(zones)}.{number // 250}.{10 + number % 240}", 8080, zone, zone
        )
