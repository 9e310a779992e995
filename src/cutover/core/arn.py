"""What people and CloudWatch call the things that an ARN names. Pure."""

from __future__ import annotations


def resource(arn: str) -> str:
    """The resource part: `targetgroup/checkout-eks/8f2c1a9b0d3e4f56`; other text as it is."""
    return arn.split(":", 5)[-1] if arn.startswith("arn:") else arn


def group_name(arn: str) -> str:
    """`checkout-eks` of a target group's ARN; other text as it is."""
    parts = arn.split("/")
    return parts[-2] if len(parts) > 2 else arn


def route_name(arn: str) -> str:
    """`rule 9683b2d02a6cabee` or `listener f2f7dc8efc522ab2`: short, and found again in the console."""
    kind = "rule" if ":listener-rule/" in arn else "listener" if ":listener/" in arn else "route"
    return f"{kind} {arn.rpartition('/')[2] or arn}"
