"""An ALB action list as a person reads it: one short line per action."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cutover.core.arn import group_name
from cutover.core.routing import RouteConfig


def action_lines(config: RouteConfig) -> tuple[str, ...]:
    """One line per action of the config, `forward  checkout-ec2 990  checkout-eks 10`; secrets are never in a config."""
    try:
        actions = json.loads(config.text)
    except ValueError:
        return (config.text,)
    if not isinstance(actions, list):
        return (config.text,)
    return tuple(_action(action) for action in actions)


def _action(action: Any) -> str:
    if not isinstance(action, Mapping):
        return str(action)
    kind = str(action.get("Type", "?"))
    config = action.get("ForwardConfig")
    if kind == "forward" and isinstance(config, Mapping):
        return _forward(config)
    rest = {key: value for key, value in action.items() if key not in ("Type", "Order")}
    said = json.dumps(rest, sort_keys=True, ensure_ascii=True) if rest else ""
    return f"{kind}  {said if len(said) <= 60 else said[:57] + '...'}".rstrip()  # fmt: skip


def _forward(config: Mapping[str, Any]) -> str:
    groups = [
        f"{group_name(str(group.get('TargetGroupArn', '?')))} {group.get('Weight', '?')}"
        for group in config.get("TargetGroups") or ()
    ]
    sticky = config.get("TargetGroupStickinessConfig") or {}
    tail = f"  sticky {sticky.get('DurationSeconds', '?')}s" if sticky.get("Enabled") else ""
    return "forward  " + "  ".join(groups) + tail
