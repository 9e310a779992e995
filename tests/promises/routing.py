"""A route's actions as the adapters compare them: read from XML, from a form of fields, or from a journal's config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

SECRETS = ("ClientSecret", "UseExistingClientSecret")


@dataclass(frozen=True)
class Routing:
    """What an action list does.

    Attributes:
        text: the same for all that do the same.
        portion: the destination's, per mille; -1 without the comparison.
        rest: the same without the comparison.
    """

    text: str
    portion: int
    rest: str


def routing(actions: Any, source: str, destination: str) -> Routing:
    """Of an action list, however it is spelled."""
    whole, others, portion = [], [], 0
    for action in actions:
        config = action.get("ForwardConfig") or {}
        alone = action.get("TargetGroupArn")
        groups = config.get("TargetGroups") or ([{"TargetGroupArn": alone}] if alone else [])
        weights = {one["TargetGroupArn"]: int(one.get("Weight", 1)) for one in groups}
        if len(weights) == 1:
            weights = dict.fromkeys(weights, 1)  # a lone group has everything
        if source in weights or destination in weights:
            portion = _portion(weights, source, destination)
        said = [action["Type"], _sticky(config), _others(action)]
        beside = {group: weights[group] for group in weights if group not in (source, destination)}
        whole.append([*said, sorted(weights.items())])
        others.append([*said, sorted(beside.items())])
    return Routing(json.dumps(whole), portion, json.dumps(others))


def _portion(weights: Mapping[str, int], source: str, destination: str) -> int:
    if destination not in weights:
        return 0
    both = weights.get(source, 0) + weights[destination]
    return (2000 * weights[destination] + both) // (2 * both) if both else -1


def _sticky(config: Mapping[str, Any]) -> str:
    sticky = config.get("TargetGroupStickinessConfig") or {}
    on = str(sticky.get("Enabled", "")).lower() == "true"
    return str(sticky.get("DurationSeconds", "")) if on else ""


def _others(action: Mapping[str, Any]) -> str:
    """Everything that is not the forward itself; a secret is never kept."""
    known = ("Type", "Order", "ForwardConfig", "TargetGroupArn")
    return json.dumps(
        {key: _plain(one) for key, one in sorted(action.items()) if key not in known}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in sorted(value.items()) if key not in SECRETS}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def asked_actions(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The action list of a ModifyRule or ModifyListener, of its config fields."""
    nested: dict[str, Any] = {}
    for name, value in asked.items():
        first, *inner = name.split(".")
        if first not in ("Actions", "DefaultActions"):
            continue
        place = nested
        for one in inner[:-1]:
            place = place.setdefault(one, {})
        place[inner[-1]] = value
    listed: list[dict[str, Any]] = _listed(nested)
    return listed


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {"member"}:
        return [_listed(one) for _, one in sorted(value["member"].items(), key=_number)]
    return {key: _listed(one) for key, one in value.items()}


def _number(item: tuple[str, Any]) -> int:
    return int(item[0])


def told_actions(body: bytes) -> dict[str, list[dict[str, Any]]]:
    """By route, of the answer of a DescribeRules or DescribeListeners; empty for any other answer."""
    try:
        told = _read(ET.fromstring(body))
    except ET.ParseError:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    for result in told.values() if isinstance(told, dict) else ():
        for rule in (result.get("Rules") or ()) if isinstance(result, dict) else ():
            found[rule["RuleArn"]] = rule.get("Actions") or []
        for listener in (result.get("Listeners") or ()) if isinstance(result, dict) else ():
            found[listener["ListenerArn"]] = listener.get("DefaultActions") or []
    return found


def _read(element: ET.Element) -> Any:
    children = list(element)
    if not children:
        return (element.text or "").strip()
    names = [child.tag.rpartition("}")[2] for child in children]
    if set(names) == {"member"}:
        return [_read(child) for child in children]
    return {name: _read(child) for name, child in zip(names, children, strict=True)}
