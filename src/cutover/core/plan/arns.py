"""ARNs of Elastic Load Balancing as a plan writes them, taken apart and refused by kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_ELB = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):elasticloadbalancing:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<rest>\S+)"
)
_ID = "[0-9a-f]{4,32}"
_NAME = "[A-Za-z0-9-]{1,32}"
_RESOURCE: Final = {
    "listener-rule": re.compile(rf"listener-rule/(app/{_NAME}/{_ID})/{_ID}/{_ID}", re.ASCII),
    "listener": re.compile(rf"listener/(app/{_NAME}/{_ID})/{_ID}", re.ASCII),
    "targetgroup": re.compile(rf"targetgroup/({_NAME})/{_ID}", re.ASCII),
}
_WORDS: Final = {
    "listener-rule": "a listener rule",
    "listener": "a listener",
    "targetgroup": "a target group",
    "loadbalancer": "a load balancer",
}
_EXAMPLE: Final = {
    "listener-rule": "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener-rule/app/NAME/ID/ID/ID",
    "listener": "arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/NAME/ID/ID",
    "targetgroup": "arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID",
}
_KEY: Final = {"listener-rule": "rule", "listener": "listener"}


@dataclass(frozen=True)
class Arn:
    """One ELBv2 ARN taken apart; `scope` is `app/NAME/ID` of its balancer, or a target group's name."""

    partition: str
    region: str
    account: str
    kind: str
    scope: str


def parse_arn(text: str, *kinds: str) -> Arn:
    """The parts of an ELBv2 ARN that is one of `kinds` (`listener-rule`, `listener`, `targetgroup`).

    Raises:
        ValueError: when it is no ELBv2 ARN, of another kind, or of a load balancer that is not `app/`.
    """
    example = f"write for example {_EXAMPLE[kinds[0]]}"
    found = _ELB.fullmatch(text)
    if found is None:
        raise ValueError(f"not the ARN of {_WORDS[kinds[0]]}; {example}")
    kind, _, rest = found["rest"].partition("/")
    if kind not in kinds:
        what = _WORDS.get(kind, f"`{kind}`")
        move = f"; write it under `{_KEY[kind]}:`" if kind in _KEY and kinds[0] in _KEY else ""
        raise ValueError(f"this is the ARN of {what}, not of {_WORDS[kinds[0]]}{move}")
    if kind != "targetgroup" and (family := rest.partition("/")[0]) in ("net", "gwy"):
        raise ValueError(_NOT_APPLICATION[family])
    parts = _RESOURCE[kind].fullmatch(found["rest"])
    if parts is None:
        raise ValueError(f"incomplete or malformed ARN of {_WORDS[kind]}; {example}")
    return Arn(found["partition"], found["region"], found["account"], kind, parts[1])


# AWS docs: Network Load Balancer weighted target groups split flows, and publish no HTTP metrics.
_NOT_APPLICATION: Final = {
    "net": "a Network Load Balancer (net/) splits connections and has no HTTP metrics to judge: "
    "only Application Load Balancers (app/) can be cut over",
    "gwy": "a Gateway Load Balancer (gwy/) has no HTTP routes: only Application Load Balancers (app/) can be cut over",
}


def target_group_name(arn: str) -> str:
    """`checkout-ec2` of a target group's ARN.

    Raises:
        ValueError: when it is no such ARN.
    """
    return parse_arn(arn, "targetgroup").scope


def _kind(*kinds: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse_arn(text, *kinds)
        except ValueError as error:
            raise PydanticCustomError("arn", "{message}", {"message": str(error)}) from None
        return text

    return AfterValidator(check)


def _schema(kind: str) -> WithJsonSchema:
    middle = {
        "listener-rule": f"app/{_NAME}(/{_ID}){{3}}",
        "listener": f"app/{_NAME}(/{_ID}){{2}}",
    }
    rest = middle.get(kind, f"{_NAME}/{_ID}")
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^arn:aws(-[a-z]+)*:elasticloadbalancing:[a-z0-9-]+:[0-9]{{12}}:{kind}/{rest}$",
            "examples": [_EXAMPLE[kind]],
        }
    )


RuleArn = Annotated[str, _kind("listener-rule"), _schema("listener-rule")]
ListenerArn = Annotated[str, _kind("listener"), _schema("listener")]
TargetGroupArn = Annotated[str, _kind("targetgroup"), _schema("targetgroup")]
RouteArn = Annotated[
    str,
    _kind("listener-rule", "listener"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^arn:aws(-[a-z]+)*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener(-rule)?/app/.+$",
        }
    ),
]
