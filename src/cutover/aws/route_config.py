"""ALB action lists as canonical configs: read, aimed and taken back without losing anything else. Pure.

The text of a `RouteConfig` is canonical JSON of the whole action list, so equal routing has equal text:
the single `TargetGroupArn` shorthand is written out, groups are sorted by ARN (their order means
nothing), stickiness that is off is `{"Enabled": false}`, the weight of a lone group is 1, the order
of a lone action is dropped, and secrets are never kept. Everything else stays as AWS gave it. What is
written is made of the original spelling: a config remembers it beside the canonical text.
AWS docs: ModifyRule and ModifyListener replace the whole list, so a config always holds all of it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cutover.core.preflight.routing import KNOWN_ACTIONS, MOST_GROUPS
from cutover.core.preflight.split import MOST, split
from cutover.core.routing import RouteConfig
from cutover.core.values import FULL, Weight, canonical_json

Actions = list[dict[str, Any]]

AUTHENTICATION: Final = {
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}
"""Actions that come before the forward, and the member without which they are nothing (AWS docs: Action)."""


@dataclass(frozen=True)
class Ends:
    """The two target groups of a route, by ARN."""

    source: str
    destination: str


def canonical(actions: Sequence[Mapping[str, Any]]) -> Actions:
    """The action list in the one spelling that equal routing shares."""
    found: Actions = [dict(copy.deepcopy(dict(action))) for action in actions]
    for action in found:
        if action.get("Type") == "forward":
            _canonical_forward(action)
        _forget_secret(action)
    found.sort(key=lambda action: int(action.get("Order", 0)))
    if len(found) == 1:
        found[0].pop("Order", None)
    else:
        for place, action in enumerate(found, start=1):
            action.setdefault("Order", place)
    return found


def _canonical_forward(action: dict[str, Any]) -> None:
    config = action.setdefault("ForwardConfig", {})
    alone = action.pop("TargetGroupArn", None)
    groups = config.get("TargetGroups") or ([{"TargetGroupArn": alone}] if alone else [])
    for group in groups:
        group.setdefault("Weight", 1)
    if len(groups) == 1 and groups[0]["Weight"]:
        groups[0]["Weight"] = 1  # a lone group has everything, whatever its weight says
    config["TargetGroups"] = sorted(groups, key=lambda group: str(group["TargetGroupArn"]))
    stickiness = config.get("TargetGroupStickinessConfig") or {}
    if not stickiness.get("Enabled"):
        config["TargetGroupStickinessConfig"] = {"Enabled": False}


def _as_found(actions: Sequence[Mapping[str, Any]]) -> Actions:
    """The action list as it was spelled, without secrets; several actions all have an `Order`."""
    found: Actions = [dict(copy.deepcopy(dict(action))) for action in actions]
    for place, action in enumerate(found, start=1):
        _forget_secret(action)
        if len(found) > 1:
            action.setdefault("Order", place)  # AWS docs: required once there are several actions
    return sorted(found, key=lambda action: int(action.get("Order", 0)))


def _forget_secret(action: Mapping[str, Any]) -> None:
    if oidc := action.get("AuthenticateOidcConfig"):
        oidc.pop("ClientSecret", None)
        oidc.pop("UseExistingClientSecret", None)


def config_of_actions(
    actions: Sequence[Mapping[str, Any]], ends: Ends, unmodelled: Sequence[str] = ()
) -> RouteConfig:
    """The form of an action list as AWS (or this module) spells it.

    Args:
        actions: all of the route's.
        ends: its two groups.
        unmodelled: members of the actions that the SDK's model left out of the list.
    """
    found = canonical(actions)
    forward = _forward(found)
    weights = weights_in(forward) if forward is not None else {}
    source, destination = weights.get(ends.source), weights.get(ends.destination)
    weight: Weight | None = None
    if source is not None and destination is not None and source + destination > 0:
        # rounded half up; ALB's range of 0 to 999 keeps any real share off the two ends
        weight = Weight(
            (2 * FULL * destination + source + destination) // (2 * (source + destination))
        )
    sticky = forward is not None and bool(_stickiness(forward).get("Enabled"))
    text, original = canonical_json(found), canonical_json(_as_found(actions))
    return RouteConfig(
        text,
        weight,
        attached=destination is not None,
        source_present=source is not None,
        sticky=sticky,
        original="" if original == text else original,
        unmodelled=tuple(unmodelled),
    )


def actions_of(config: RouteConfig) -> Actions:
    """The action list to send: all of it as found, and OIDC told to keep the secret that AWS never shows.

    AWS docs: `ClientSecret` may be left out on a change when `UseExistingClientSecret` is true
    (AuthenticateOidcActionConfig).
    """
    found = _original(config)
    for action in found:
        if "AuthenticateOidcConfig" in action:
            action["AuthenticateOidcConfig"]["UseExistingClientSecret"] = True
    return found


def weights_of(config: RouteConfig) -> dict[str, int]:
    """ALB weight by target group ARN; empty when the route does not forward to groups."""
    forward = _forward(_parsed(config))
    return weights_in(forward) if forward is not None else {}


def action_types(config: RouteConfig) -> tuple[str, ...]:
    """The types of the actions in their order."""
    return tuple(str(action.get("Type", "?")) for action in _parsed(config))


def bare_actions(config: RouteConfig) -> tuple[str, ...]:
    """Types of the authenticating actions that were read without their settings: to write them destroys those."""
    return tuple(
        str(action["Type"])
        for action in _parsed(config)
        if (needed := AUTHENTICATION.get(str(action.get("Type")))) and not action.get(needed)
    )


def sticky_seconds(config: RouteConfig) -> int:
    """How long a client sticks to a group of the action; 0 when group stickiness is off."""
    forward = _forward(_parsed(config))
    stickiness = _stickiness(forward) if forward is not None else {}
    return int(stickiness.get("DurationSeconds", 0)) if stickiness.get("Enabled") else 0


def pair_sum(config: RouteConfig, ends: Ends) -> int:
    """What the two weights add up to."""
    weights = weights_of(config)
    return weights.get(ends.source, 0) + weights.get(ends.destination, 0)


def others(config: RouteConfig, ends: Ends) -> dict[str, int]:
    """The foreign groups of the action and their weights."""
    return {
        arn: weight
        for arn, weight in weights_of(config).items()
        if arn not in (ends.source, ends.destination)
    }


def with_weight(
    config: RouteConfig, ends: Ends, weight: int, *, may_drop: bool = False
) -> RouteConfig:
    """`config` with the pair at `weight` and nothing else changed; the destination is added if absent.

    `may_drop`: the plan accepts that members which this version cannot read are lost.

    Raises:
        ValueError: when the action holds what this tool cannot preserve, lacks the source, has no
            room for another group, or cannot carry the weight beside a third group.
    """
    actions, forward = _open(config, may_drop=may_drop)
    weights = weights_in(forward)
    if ends.source not in weights:
        raise ValueError(f"the source {ends.source} is not in the action")
    bound = pair_sum(config, ends) if any(others(config, ends).values()) else None
    if ends.destination not in weights and len(weights) >= MOST_GROUPS:
        raise ValueError(
            f"the action already has {len(weights)} target groups, AWS takes {MOST_GROUPS}"
        )
    source, destination = split(weight, bound)
    put_weights(forward, {ends.source: source, ends.destination: destination})
    return config_of_actions(actions, ends, config.unmodelled)


def detach(config: RouteConfig, ends: Ends, *, may_drop: bool = False) -> RouteConfig:
    """`config` without the source's group; the destination takes over its weight, so 0/0 is impossible.

    Raises:
        ValueError: as `with_weight`, and when the destination is not in the action.
    """
    if ends.destination not in weights_of(config):
        raise ValueError(f"the destination {ends.destination} is not in the action")
    actions, forward = _open(config, may_drop=may_drop)
    take_out(forward, Ends(source=ends.destination, destination=ends.source))
    return config_of_actions(actions, ends, config.unmodelled)


def take_out(forward: dict[str, Any], ends: Ends) -> None:
    """Take `ends.destination` out and give its weight to `ends.source`: third groups keep their share, 0/0 is impossible."""
    config = forward["ForwardConfig"]
    weights = weights_in(forward)
    put_weights(
        forward, {ends.source: min(weights.get(ends.source, 0) + weights[ends.destination], MOST)}
    )
    config["TargetGroups"] = [
        group for group in config["TargetGroups"] if group["TargetGroupArn"] != ends.destination
    ]


def _open(config: RouteConfig, *, may_drop: bool) -> tuple[Actions, dict[str, Any]]:
    """The actions to change and the forward among them, when all of them can be written again.

    Raises:
        ValueError: when a write would lose something.
    """
    if config.unmodelled and not may_drop:
        raise ValueError(f"this version would drop {', '.join(config.unmodelled)}")
    actions, forward = spelled_out(config)
    if bare := bare_actions(config):
        raise ValueError(
            f"the action {bare[0]} was read without its {AUTHENTICATION[bare[0]]}, and a write would remove that"
        )
    types = [str(action.get("Type")) for action in actions]
    if unknown := sorted(set(types) - KNOWN_ACTIONS - {"redirect", "fixed-response"}):
        raise ValueError(
            f"action type {unknown[0]!r} is unknown to this version and could be damaged by a write"
        )
    if forward is None:
        raise ValueError(
            f"the route does not forward to target groups: its actions are {', '.join(types)}"
        )
    return actions, forward


def _parsed(config: RouteConfig) -> Actions:
    found: Actions = json.loads(config.text)
    return found


def _original(config: RouteConfig) -> Actions:
    found: Actions = json.loads(config.original or config.text)
    return found


def spelled_out(config: RouteConfig) -> tuple[Actions, dict[str, Any] | None]:
    """The actions as found, ready to be changed: the forward names its groups in the long spelling only.

    AWS docs: `TargetGroupArn` may stand beside one group, never beside several (CreateRule, Action).
    """
    actions = _original(config)
    forward = _forward(actions)
    if forward is not None:
        alone = forward.pop("TargetGroupArn", None)
        split = forward.setdefault("ForwardConfig", {})
        groups = split.get("TargetGroups") or ([{"TargetGroupArn": alone}] if alone else [])
        for group in groups:
            group.setdefault("Weight", 1)
        split["TargetGroups"] = groups
        split.setdefault("TargetGroupStickinessConfig", {"Enabled": False})
    return actions, forward


def _forward(actions: Actions) -> dict[str, Any] | None:
    routing = [action for action in actions if action.get("Type") not in AUTHENTICATION]
    return routing[0] if len(routing) == 1 and routing[0].get("Type") == "forward" else None


def weights_in(forward: Mapping[str, Any]) -> dict[str, int]:
    """ALB weight by target group ARN of a forward action in its long spelling."""
    return {
        str(group["TargetGroupArn"]): int(group["Weight"])
        for group in forward["ForwardConfig"]["TargetGroups"]
    }


def _stickiness(forward: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = forward["ForwardConfig"]["TargetGroupStickinessConfig"]
    return found


def put_weights(forward: dict[str, Any], weights: Mapping[str, int]) -> None:
    """Set these groups' weights in the action; a group that is not in it is added."""
    groups = forward["ForwardConfig"]["TargetGroups"]
    for arn, weight in weights.items():
        mine = [group for group in groups if group["TargetGroupArn"] == arn]
        if mine:
            mine[0]["Weight"] = weight
        else:
            groups.append({"TargetGroupArn": arn, "Weight": weight})
