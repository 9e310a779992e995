"""What AWS refuses must be refused here: moto takes almost any list of actions.

Sources are the API reference of Elastic Load Balancing (Action, ModifyRule, ModifyListener, TargetGroupTuple, quotas) and, where it is
silent, errors that users of the real service reported. A rehearsal may be stricter than AWS, never laxer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cutover.emulator.balancer import Balancer
from cutover.emulator.responses import AwsError

ROUTING = ("forward", "redirect", "fixed-response")
AUTHENTICATING = {
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}
MOST_GROUPS = 5
HEAVIEST = 999
LONGEST_STICKINESS = 604_800
MOST_GROUPS_PER_BALANCER = 100


def refuse(operation: str, params: Mapping[str, Any], balancer: Balancer) -> None:
    """Let a change of routing through, or not.

    Raises:
        AwsError: with the code that AWS gives.
    """
    if operation == "ModifyRule":
        arn = params["RuleArn"]
        if balancer.is_default_rule(arn):
            raise AwsError("OperationNotPermitted", f"Default rule '{arn}' cannot be modified")
        if "Actions" in params:
            _actions(params["Actions"], balancer.listener_of(arn), balancer.actions(arn), balancer)
    elif operation == "ModifyListener":
        arn = params["ListenerArn"]
        if "DefaultActions" in params:
            _actions(params["DefaultActions"], arn, balancer.actions(arn), balancer)
    elif operation == "ModifyTargetGroupAttributes":
        _attributes(params, balancer)


def _actions(
    actions: Sequence[Mapping[str, Any]],
    listener: str,
    before: Sequence[Mapping[str, Any]],
    balancer: Balancer,
) -> None:
    if not actions:
        raise AwsError("ValidationError", "Actions must hold at least one action")
    routing = [action for action in actions if action["Type"] in ROUTING]
    if len(routing) != 1:
        raise AwsError(
            "InvalidLoadBalancerAction",
            "exactly one of forward, redirect or fixed-response is required",
        )
    if len([action for action in actions if action["Type"] in AUTHENTICATING]) > 1:
        raise AwsError("InvalidLoadBalancerAction", "at most one authenticate action is allowed")
    if len(actions) > 1:
        _order(actions, routing[0])
        if any(action["Type"] in AUTHENTICATING for action in actions) and not balancer.is_https(
            listener
        ):
            raise AwsError(
                "InvalidLoadBalancerAction", "authenticate actions need an HTTPS listener"
            )
    for action in actions:
        settings = AUTHENTICATING.get(action["Type"])
        if settings and not action.get(settings):
            raise AwsError("ValidationError", f"{action['Type']} needs {settings}")
        _secret(action, before)
        if action["Type"] == "forward":
            _forward(action, listener, balancer)


def _order(actions: Sequence[Mapping[str, Any]], routing: Mapping[str, Any]) -> None:
    orders = [action.get("Order") for action in actions]
    if None in orders or len(set(orders)) != len(orders):
        raise AwsError(
            "ValidationError", "several actions need an Order each, and no two the same"
        )
    if routing["Order"] != max(order for order in orders if order is not None):
        raise AwsError("InvalidLoadBalancerAction", "the routing action must be performed last")


def _secret(action: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> None:
    config = action.get("AuthenticateOidcConfig")
    if config is None or config.get("ClientSecret"):
        return
    stored = any((old.get("AuthenticateOidcConfig") or {}).get("ClientSecret") for old in before)
    if not (config.get("UseExistingClientSecret") and stored):
        raise AwsError("InvalidLoadBalancerAction", "A client secret must be specified")


def _forward(action: Mapping[str, Any], listener: str, balancer: Balancer) -> None:
    forward = action.get("ForwardConfig") or {}
    groups: Sequence[Mapping[str, Any]] = forward.get("TargetGroups") or []
    alone = action.get("TargetGroupArn")
    arns = [group["TargetGroupArn"] for group in groups]
    if not arns and not alone:
        raise AwsError("ValidationError", "a forward action needs a target group")
    if len(arns) > MOST_GROUPS:
        raise AwsError(
            "TooManyTargetGroups", f"an action can forward to at most {MOST_GROUPS} target groups"
        )
    if len(set(arns)) != len(arns):
        raise AwsError("ValidationError", "a target group is named twice")
    if alone and arns and arns != [alone]:
        raise AwsError(
            "ValidationError", "TargetGroupArn and ForwardConfig name different target groups"
        )
    _weights(groups)
    _stickiness(forward, arns, balancer)
    for arn in {*arns, *([alone] if alone else [])}:
        owner = balancer.owner_of(arn)
        if owner is None:
            raise AwsError("TargetGroupNotFound", f"Target group '{arn}' not found")
        if owner and owner != balancer.balancer_of(listener):
            raise AwsError(
                "TargetGroupAssociationLimit", f"'{arn}' is associated with another load balancer"
            )


def _weights(groups: Sequence[Mapping[str, Any]]) -> None:
    if any(not 0 <= group.get("Weight", 1) <= HEAVIEST for group in groups):
        raise AwsError("ValidationError", f"a weight must be between 0 and {HEAVIEST}")
    if len(groups) > 1:
        if any("Weight" not in group for group in groups):
            raise AwsError("ValidationError", "several target groups need a Weight each")
        if not any(group["Weight"] for group in groups):
            # AWS does not say what it does with it, so a rehearsal does not allow it.
            raise AwsError(
                "InvalidLoadBalancerAction", "at least one target group needs a weight above 0"
            )


def _stickiness(forward: Mapping[str, Any], arns: Sequence[str], balancer: Balancer) -> None:
    stickiness = forward.get("TargetGroupStickinessConfig") or {}
    if stickiness.get("Enabled"):
        if not 1 <= stickiness.get("DurationSeconds", 0) <= LONGEST_STICKINESS:
            raise AwsError(
                "ValidationError",
                f"stickiness needs DurationSeconds from 1 to {LONGEST_STICKINESS}",
            )
    elif len(arns) > 1 and any(balancer.target_sticky(arn) for arn in arns):
        raise AwsError(
            "InvalidLoadBalancerAction",
            "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups",
        )


def _attributes(params: Mapping[str, Any], balancer: Balancer) -> None:
    arn = params["TargetGroupArn"]
    wanted = {a["Key"]: a["Value"] for a in params["Attributes"]}
    if wanted.get("stickiness.enabled") == "true" and balancer.shares_unsticky_rule(arn):
        raise AwsError(
            "InvalidConfigurationRequest",
            "You cannot enable target stickiness on a target group of a rule without group stickiness",
        )
