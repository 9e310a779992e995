"""Plan fields that are text of a certain shape, each with a message that shows the right one."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError


def _shaped(pattern: str, message: str) -> AfterValidator:
    compiled = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise PydanticCustomError("shape", "{message}", {"message": message})
        return text

    return AfterValidator(check)


def _sentence(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError(
            "blank", "this text is empty; say it in words, or remove the line"
        )
    return text


_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}"

Name = Annotated[
    str,
    _shaped(
        _NAME,
        "a name is 1 to 64 letters, digits, dots, dashes or underscores, and starts with a letter or digit",
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"}),
]
Region = Annotated[
    str,
    _shaped(_REGION, "not a Region; write for example ap-northeast-1"),
    WithJsonSchema({"type": "string", "pattern": f"^{_REGION}$", "examples": ["ap-northeast-1"]}),
]
Account = Annotated[
    str,
    _shaped(r"[0-9]{12}", 'an account is 12 digits in quotes, for example "123456789012"'),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{12}$", "examples": ["123456789012"]}),
]
Sentence = Annotated[
    str, AfterValidator(_sentence), WithJsonSchema({"type": "string", "minLength": 1})
]
Store = Annotated[
    str,
    _shaped(r"local|dynamodb://[A-Za-z0-9_.-]{3,255}", "a store is `local` or `dynamodb://TABLE`"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^(local|dynamodb://[A-Za-z0-9_.-]{3,255})$",
            "default": "local",
        }
    ),
]
