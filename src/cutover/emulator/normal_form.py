"""Actions as AWS reads them back, which is not as they were sent and not as moto echoes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_AUTHENTICATE_DEFAULTS = {
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "Scope": "openid",
    "SessionTimeout": 604_800,
    "OnUnauthenticatedRequest": "authenticate",
}
_AUTHENTICATE = {
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
}
_NEVER_RETURNED = ("ClientSecret", "UseExistingClientSecret")


def normal_actions(actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The list as DescribeRules and DescribeListeners return it.

    Every action has its Order; a forward has a ForwardConfig with every Weight and a stickiness, and a
    `TargetGroupArn` too exactly when it has one group; defaults of authenticate actions are filled in and secrets
    are left out (AWS docs: Action, AuthenticateOidcActionConfig).
    """
    return [_normal(action, order) for order, action in enumerate(actions, start=1)]


def _normal(action: Mapping[str, Any], order: int) -> dict[str, Any]:
    normal: dict[str, Any] = _copy(action)
    normal.setdefault("Order", order)
    if normal["Type"] == "forward":
        forward = normal.get("ForwardConfig")
        if forward is None:
            forward = {"TargetGroups": [{"TargetGroupArn": normal["TargetGroupArn"], "Weight": 1}]}
            normal["ForwardConfig"] = forward
        for group in forward["TargetGroups"]:
            group.setdefault("Weight", 1)
        forward.setdefault("TargetGroupStickinessConfig", {"Enabled": False})
        if len(forward["TargetGroups"]) == 1:
            normal["TargetGroupArn"] = forward["TargetGroups"][0]["TargetGroupArn"]
        else:
            normal.pop("TargetGroupArn", None)
    elif normal["Type"] in _AUTHENTICATE:
        config = normal.setdefault(_AUTHENTICATE[normal["Type"]], {})
        for name in _NEVER_RETURNED:
            config.pop(name, None)
        for name, value in _AUTHENTICATE_DEFAULTS.items():
            config.setdefault(name, value)
    return normal


def _copy(value: Any) -> Any:
    """A deep copy of JSON-like data: several times faster than copy.deepcopy, which tracks identities."""
    if isinstance(value, Mapping):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item) for item in value]
    return value


def keep_secret(
    sent: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What AWS stores of the sent actions: `UseExistingClientSecret` keeps the secret that the rule has."""
    kept = [_copy(action) for action in sent]
    secrets = [secret for action in stored if (secret := _oidc(action).get("ClientSecret"))]
    for action in kept:
        config = _oidc(action)
        if (
            config.pop("UseExistingClientSecret", False)
            and "ClientSecret" not in config
            and secrets
        ):
            config["ClientSecret"] = secrets[0]
    return kept


def _oidc(action: Mapping[str, Any]) -> dict[str, Any]:
    config = action.get("AuthenticateOidcConfig")
    return config if isinstance(config, dict) else {}
