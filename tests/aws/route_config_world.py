"""Action lists as AWS answers them, and as hypothesis invents them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from cutover.aws.route_config import Ends

ARN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/{}/0123456789abcdef"
SOURCE = ARN.format("checkout-ec2")
DESTINATION = ARN.format("checkout-eks")
THIRD = ARN.format("beta")
ENDS = Ends(SOURCE, DESTINATION)


def forward(weights: dict[str, int], *, sticky: int = 0, **extra: Any) -> dict[str, Any]:
    """A forward action over several groups."""
    stickiness: dict[str, Any] = {"Enabled": False}
    if sticky:
        stickiness = {"Enabled": True, "DurationSeconds": sticky}
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": a, "Weight": w} for a, w in weights.items()],
            "TargetGroupStickinessConfig": stickiness,
        },
        **extra,
    }


def oidc(**extra: Any) -> dict[str, Any]:
    """An authentication before the forward, as AWS shows it: without its secret."""
    return {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://idp.example.com",
            "AuthorizationEndpoint": "https://idp.example.com/authorize",
            "TokenEndpoint": "https://idp.example.com/token",
            "UserInfoEndpoint": "https://idp.example.com/userinfo",
            "ClientId": "checkout",
            "SessionCookieName": "AWSELBAuthSessionCookie",
            "Scope": "openid",
            "SessionTimeout": 604800,
            "AuthenticationRequestExtraParams": {"display": "page"},
            "OnUnauthenticatedRequest": "authenticate",
            **extra,
        },
    }


def cognito() -> dict[str, Any]:
    """Cognito before the forward."""
    return {
        "Type": "authenticate-cognito",
        "Order": 1,
        "AuthenticateCognitoConfig": {
            "UserPoolArn": "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_x",
            "UserPoolClientId": "abc",
            "UserPoolDomain": "checkout",
            "SessionTimeout": 3600,
        },
    }


def jwt() -> dict[str, Any]:
    """JWT validation before the forward."""
    return {
        "Type": "jwt-validation",
        "Order": 1,
        "JwtValidationConfig": {
            "JwksEndpoint": "https://idp.example.com/jwks",
            "Issuer": "https://idp.example.com",
            "AdditionalClaims": [
                {"Format": "single-string", "Name": "aud", "Values": ["checkout"]}
            ],
        },
    }


WEIGHTS = st.integers(min_value=0, max_value=999)


@st.composite
def action_lists(draw: st.DrawFn, *, third: bool | None = None) -> list[dict[str, Any]]:
    """Any legal action list with the source in it: attached or not, authenticated or not, sticky or not."""
    weights = {SOURCE: draw(st.integers(1, 999))}
    if draw(st.booleans()):
        weights[DESTINATION] = draw(WEIGHTS)
    for name in ("beta", "gamma", "delta")[
        : draw(st.integers(0, 3)) if third is None else int(third)
    ]:
        weights[ARN.format(name)] = draw(WEIGHTS if third is None else st.integers(1, 999))
    order = draw(st.permutations(list(weights)))
    weights = {arn: weights[arn] for arn in order}
    if len(weights) == 1 and draw(st.booleans()):
        last: dict[str, Any] = {"Type": "forward", "TargetGroupArn": SOURCE}
    else:
        last = forward(weights, sticky=draw(st.sampled_from([0, 0, 600, 604800])))
    before = draw(st.sampled_from([None, oidc, cognito, jwt]))
    if before is None:
        return [last]
    return [before(), {**last, "Order": draw(st.integers(2, 50000))}]
