"""Plan field types: text with a unit in the file, an integer in the model.

`Duration` is ms, `Share` parts per million, `Percentage` of weight per mille, `PerMinute` requests a
minute. A bare number is refused where a unit belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from cutover.core.values import (
    duration_text,
    parse_duration,
    parse_percent,
    parse_rate,
    parse_weight,
    percent_text,
    rate_text,
)


class Model(BaseModel):
    """Base of every plan model: strict, frozen, unknown keys refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def _text_with_unit(parse: Callable[[str], Any], example: str) -> BeforeValidator:
    def convert(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, str):
            raise PydanticCustomError(
                "unit", "needs a unit: write for example {example}", {"example": example}
            )
        try:
            return parse(value)
        except ValueError as error:
            raise PydanticCustomError("unit", "{message}", {"message": str(error)}) from None

    return BeforeValidator(convert)


def _weight(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError(
            "weight", "a weight is a bare number of percent, for example 25 or 0.5"
        )
    try:
        return parse_weight(value)
    except ValueError as error:
        raise PydanticCustomError("weight", "{message}", {"message": str(error)}) from None


Duration = Annotated[
    int,
    _text_with_unit(parse_duration, "90s, 10m or 1h30m"),
    PlainSerializer(duration_text),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^([0-9]+(d|h|ms|m|s))+$",
            "examples": ["90s", "10m", "1h30m"],
        }
    ),
]
Share = Annotated[
    int,
    _text_with_unit(parse_percent, "1% or 0.2%"),
    PlainSerializer(percent_text),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?%$", "examples": ["1%", "0.2%"]}
    ),
]
PerMinute = Annotated[
    float,
    _text_with_unit(parse_rate, "200/min or 5/s"),
    PlainSerializer(rate_text),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)? ?/ ?(s|min|h)$",
            "examples": ["200/min"],
        }
    ),
]
Percentage = Annotated[
    int,
    BeforeValidator(_weight),
    PlainSerializer(lambda weight: weight / 10 if weight % 10 else weight // 10),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100, "multipleOf": 0.1}),
]
