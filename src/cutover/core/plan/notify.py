"""Who is told: one key per entry, and secrets only by the name of an environment variable."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from cutover.core.plan.texts import Sentence
from cutover.core.units import Model

_ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TOPIC = re.compile(
    r"arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?", re.ASCII
)


def _reference(text: str) -> str:
    if _ENV.fullmatch(text) is None:
        # the value may be the secret itself: it must not be printed again
        raise PydanticCustomError(
            "secret",
            "a secret does not belong in a plan; write env:NAME and put the value into that environment variable",
        )
    return text


def _topic(text: str) -> str:
    if _TOPIC.fullmatch(text) is None:
        raise PydanticCustomError(
            "topic",
            "not the ARN of an SNS topic; write for example arn:aws:sns:REGION:ACCOUNT:TOPIC",
        )
    return text


Reference = Annotated[
    str,
    AfterValidator(_reference),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{_ENV.pattern}$", "examples": ["env:SLACK_WEBHOOK"]}
    ),
]
Topic = Annotated[
    str,
    AfterValidator(_topic),
    WithJsonSchema({"type": "string", "pattern": f"^{_TOPIC.pattern}$"}),
]
KINDS = ("sns", "slack", "pagerduty", "webhook", "command")


class Notify(Model):
    """One receiver: exactly one of these keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    sns: Topic | None = Field(default=None, description="ARN of an SNS topic")
    slack: Reference | None = Field(
        default=None, description="environment variable with a Slack webhook address"
    )
    pagerduty: Reference | None = Field(
        default=None, description="environment variable with a PagerDuty routing key"
    )
    webhook: Reference | None = Field(
        default=None, description="environment variable with an address that takes JSON"
    )
    command: Sentence | None = Field(
        default=None, description="a program that is given the event as JSON on its standard input"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Notify:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError(
                "one_key", "a receiver is one key, for example `- slack: env:SLACK_WEBHOOK`"
            )
        return self

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return next(iter(self.model_fields_set))

    @property
    def value(self) -> str:
        """The topic, the `env:NAME`, or the command."""
        return str(getattr(self, self.kind))
