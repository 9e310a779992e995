"""The twin: moto's load balancer, listeners, rules and groups under exactly the plan's ARNs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from moto.elbv2.models import (
    ELBv2Backend,
    FakeAction,
    FakeListener,
    FakeListenerRule,
    FakeLoadBalancer,
)

from cutover.emulator.health import HealthBook, HonestGroup, Target

CREATED = "2020-01-01T00:00:00.000Z"
"""When every load balancer was made: moto would say the real time."""

ABSENT = -1
"""The pair has no weight: a group is missing or both are 0."""


class Balancer:
    """moto's state, asked and changed directly: what the scenario needs to know and do behind the run's back."""

    def __init__(self, backend: ELBv2Backend, book: HealthBook, zones: Sequence[str]) -> None:
        self.backend = backend
        self.book = book
        self.zones = tuple(zones)
        self._rules: dict[str, FakeListenerRule] = {}
        self._listeners: dict[str, FakeListener] = {}
        self._earlier: dict[str, list[tuple[int, list[dict[str, Any]]]]] = {}

    # What the twin is made of

    def add_balancer(self, arn: str) -> FakeLoadBalancer:
        """An active application load balancer in every zone."""
        found: FakeLoadBalancer | None = self.backend.load_balancers.get(arn)
        if found is None:
            subnets: Any = [
                SimpleNamespace(
                    id=f"subnet-{zone}", availability_zone=zone, vpc_id="vpc-rehearsal"
                )
                for zone in self.zones
            ]
            name = arn.split("/")[-2]
            found = FakeLoadBalancer(  # type: ignore[abstract]
                name=name, security_groups=["sg-rehearsal"], subnets=subnets, vpc_id="vpc-rehearsal", arn=arn,
                dns_name=f"{name}-1.{self.backend.region_name}.elb.amazonaws.com", state="active",
            )  # fmt: skip
            found.created_time = CREATED
            found.attrs.update(
                {"load_balancing.cross_zone.enabled": "true", "idle_timeout.timeout_seconds": "60"}
            )
            self.backend.load_balancers[arn] = found
        return found

    def add_listener(self, arn: str, actions: Sequence[Mapping[str, Any]], *, https: bool) -> None:
        """A listener and its default rule; ports count up from 443 or 80."""
        owner = balancer_arn(arn)
        balancer = self.add_balancer(owner)
        port = (443 if https else 80) + len(balancer.listeners)
        certificate = (
            f"arn:aws:acm:{self.backend.region_name}:{arn.split(':')[4]}:certificate/rehearsal"
        )
        listener = FakeListener(  # type: ignore[abstract]
            owner, arn, "HTTPS" if https else "HTTP", str(port), "ELBSecurityPolicy-TLS13-1-2-2021-06",
            certificate if https else None, _actions(actions), None,
        )  # fmt: skip
        rule = listener._default_rule[0]
        rule.arn = arn.replace(":listener/", ":listener-rule/") + "/0000000000000000"
        balancer.listeners[arn] = listener
        self._listeners[arn] = listener

    def add_rule(self, arn: str, actions: Sequence[Mapping[str, Any]]) -> None:
        """A rule; priorities count up from 10."""
        listener = self._listeners[listener_arn(arn)]
        priority = 10 * (1 + len([r for r in listener.rules.values() if not r.is_default]))
        path = "/*" if priority == 10 else f"/{priority}/*"
        condition = {
            "Field": "path-pattern",
            "Values": [path],
            "PathPatternConfig": {"Values": [path]},
        }
        rule = FakeListenerRule(listener.arn, arn, [condition], priority, _actions(actions))  # type: ignore[abstract]
        rule.priority = str(priority)  # type: ignore[assignment]  # AWS returns it as text
        listener.register(arn, rule)
        self._rules[arn] = rule

    def add_group(
        self,
        arn: str,
        targets: Sequence[Target],
        *,
        kind: str,
        protocol_version: str,
        sticky: bool,
    ) -> None:
        """A target group with its registered targets."""
        group = HonestGroup(  # type: ignore[abstract]
            name=arn.split("/")[-2], account_id=self.backend.account_id, region_name=self.backend.region_name,
            vpc_id="vpc-rehearsal", protocol="HTTP", port="8080", protocol_version=protocol_version, target_type=kind,
            healthcheck_path="/healthz",
        )  # fmt: skip
        group.arn = arn
        group.book = self.book
        group.members = tuple(targets)
        group.bring_back(frozenset(t.id for t in targets))
        if sticky:
            group.attributes.update(
                {"stickiness.enabled": "true", "stickiness.lb_cookie.duration_seconds": "86400"}
            )
        self.backend.target_groups[arn] = group

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Tags, on top of those that are there."""
        if tags:
            self.backend.tagging_service.tag_resource(
                arn, [{"Key": k, "Value": v} for k, v in tags.items()]
            )

    # Asked

    def actions(self, route: str) -> list[dict[str, Any]]:
        """The stored actions of a rule or of a listener's default; empty for an unknown one."""
        rule = self._rules.get(route)
        if rule is not None:
            return [action.data for action in rule.actions]
        listener = self._listeners.get(route)
        return [action.data for action in listener.default_actions] if listener is not None else []

    def actions_at(self, route: str, ms: int) -> list[dict[str, Any]]:
        """The actions as they were at that time (ms since the epoch)."""
        later = (before for until, before in self._earlier.get(route, ()) if until > ms)
        return next(later, None) or self.actions(route)

    def listeners(self) -> Mapping[str, FakeListener]:
        """All of them by ARN."""
        return self._listeners

    def rules(self) -> Mapping[str, FakeListenerRule]:
        """All that are not default rules, by ARN."""
        return self._rules

    def group(self, arn: str) -> HonestGroup | None:
        """The group, if there is one."""
        found = self.backend.target_groups.get(arn)
        return found if isinstance(found, HonestGroup) else None

    def weights(self, route: str) -> dict[str, int]:
        """Weight by group ARN of what the route forwards to; empty when it forwards to nothing."""
        return weights_of(self.actions(route))

    def sticky(self, route: str) -> bool:
        """Group stickiness is on."""
        forward = _forward_of(self.actions(route)).get("ForwardConfig") or {}
        return bool((forward.get("TargetGroupStickinessConfig") or {}).get("Enabled"))

    def portion(self, route: str, source: str, destination: str) -> int:
        """The destination's portion of the pair in per mille, or ABSENT."""
        return portion_of(self.actions(route), source, destination)

    def attached(self) -> set[str]:
        """Every group that some rule or default action names."""
        return {arn for route in (*self._rules, *self._listeners) for arn in self.weights(route)}

    def is_default_rule(self, arn: str) -> bool:
        """This rule ARN is a listener's default rule."""
        return any(listener._default_rule[0].arn == arn for listener in self._listeners.values())

    def listener_of(self, rule: str) -> str:
        """The listener of a rule."""
        return listener_arn(rule)

    def balancer_of(self, listener: str) -> str:
        """The load balancer of a listener."""
        return balancer_arn(listener)

    def is_https(self, listener: str) -> bool:
        """Authenticate actions are possible."""
        found = self._listeners.get(listener)
        return found is not None and found.protocol == "HTTPS"

    def owner_of(self, group: str) -> str | None:
        """The balancer whose routes name the group: "" for none, None for an unknown group."""
        if group not in self.backend.target_groups:
            return None
        for route in (*self._rules, *self._listeners):
            if group in self.weights(route):
                return balancer_arn(route if route in self._listeners else listener_arn(route))
        return ""

    def target_sticky(self, group: str) -> bool:
        """Target stickiness is on."""
        found = self.backend.target_groups.get(group)
        return found is not None and str(found.attributes.get("stickiness.enabled")) == "true"

    def shares_unsticky_rule(self, group: str) -> bool:
        """A route forwards to this and other groups without group stickiness."""
        return any(
            group in weights and len(weights) > 1 and not self.sticky(route)
            for route in (*self._rules, *self._listeners)
            if (weights := self.weights(route))
        )

    # Changed

    def remember(self, route: str) -> None:
        """The route is about to change: keep how it was, for answers that are stale."""
        before = [dict(action) for action in self.actions(route)]
        self._earlier.setdefault(route, []).append((self.book.now_ms(), before))

    def set_actions(self, route: str, actions: Sequence[Mapping[str, Any]]) -> None:
        """Another writer replaces the actions; nobody checks them."""
        made = _actions(actions)
        if route in self._rules:
            self._rules[route].actions = made
        else:
            listener = self._listeners[route]
            listener.default_actions = made
            listener._default_rule[0].actions = made

    def heal(self) -> None:
        """Every target is registered again, and as healthy as its attachment makes it."""
        self.book.sicknesses.clear()
        for group in self.backend.target_groups.values():
            if isinstance(group, HonestGroup):
                group.bring_back(frozenset(one.id for one in group.members))

    def delete_rule(self, route: str) -> bool:
        """Another writer deletes the rule; False for a default action, which only goes with its listener."""
        if route not in self._rules:
            return False
        self._listeners[listener_arn(route)].remove_rule(route)
        del self._rules[route]
        return True

    def note_associations(self) -> None:
        """Keep each group's LoadBalancerArns free of moto's duplicates and of balancers it left."""
        owners: dict[str, set[str]] = {arn: set() for arn in self.backend.target_groups}
        for route in (*self._rules, *self._listeners):
            owner = balancer_arn(route if route in self._listeners else listener_arn(route))
            for group in self.weights(route):
                if group in owners:
                    owners[group].add(owner)
        for arn, found in owners.items():
            self.backend.target_groups[arn].load_balancer_arns = sorted(found)


def weights_of(actions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Weight by group ARN of the forward among these actions."""
    forward = _forward_of(actions)
    groups = (forward.get("ForwardConfig") or {}).get("TargetGroups")
    if groups:
        return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {forward["TargetGroupArn"]: 1} if forward.get("TargetGroupArn") else {}


def portion_of(actions: Sequence[Mapping[str, Any]], source: str, destination: str) -> int:
    """The destination's portion of the pair in per mille, or ABSENT."""
    weights = weights_of(actions)
    both = weights.get(source, 0) + weights.get(destination, 0)
    return round(1000 * weights.get(destination, 0) / both) if both else ABSENT


def forward(groups: Mapping[str, int], *, sticky_seconds: int = 0) -> dict[str, Any]:
    """A forward action to these groups."""
    stickiness: dict[str, Any] = {"Enabled": False}
    if sticky_seconds:
        stickiness = {"Enabled": True, "DurationSeconds": sticky_seconds}
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups.items()
            ],
            "TargetGroupStickinessConfig": stickiness,
        },
    }


def listener_arn(rule: str) -> str:
    """The listener's ARN inside a rule's."""
    return rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def balancer_arn(listener: str) -> str:
    """The load balancer's ARN inside a listener's."""
    return listener.replace(":listener/", ":loadbalancer/").rpartition("/")[0]


def dimension(balancer_or_group_arn: str) -> str:
    """The value CloudWatch uses: `app/name/id` or `targetgroup/name/id`."""
    tail = balancer_or_group_arn.rpartition(":")[2]
    return tail.removeprefix("loadbalancer/")


def _forward_of(actions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    found: Iterator[Mapping[str, Any]] = (
        action for action in actions if action["Type"] == "forward"
    )
    return next(found, {})


def _actions(actions: Sequence[Mapping[str, Any]]) -> list[FakeAction]:
    return [FakeAction(dict(action)) for action in actions]
