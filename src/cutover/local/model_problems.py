"""What pydantic found, as problems: the place in the file, plain words, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydantic.errors import PydanticInvalidForJsonSchema

from cutover.core.errors import Problem, printable
from cutover.core.values import duration_text, parse_duration, percent_text
from cutover.local.yaml_tree import Path, Tree

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

_EXPECTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}
_LIMITS: Final = {
    "greater_than": ("gt", "must be above {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be below {}"),
    "less_than_equal": ("le", "must be at most {}"),
}


def below(tree: Tree, loc: tuple[str | int, ...]) -> bool:
    """The place is inside something that is broken as YAML: what is wrong there is a consequence."""
    known = tree.known(loc)
    return any(known[: len(path)] == path for path in tree.broken)


def hollow(tree: Tree, found: ErrorDetails) -> bool:
    """Pydantic calls a list too short when its entries are wrong: those are the finding, this is not."""
    return found["type"] == "too_short" and bool(tree.get(tree.known(found["loc"])))


def as_problem(tree: Tree, model: type[BaseModel], found: ErrorDetails) -> Problem:
    """One finding of pydantic (`ValidationError.errors()`) in the words of a plan's author."""
    loc, kind = found["loc"], found["type"]
    if kind == "extra_forbidden":
        return _unknown_key(tree, model, loc)
    if kind == "missing":
        return _missing_key(tree, model, loc)
    path = tree.known(tuple(part for part in loc if part != "#key"))
    value = tree.get(path) if kind != "rule" else None
    message, fix = _in_words(found, value)
    return tree.source.problem(tree.place(loc), message, fix)


def _in_words(found: ErrorDetails, value: Any) -> tuple[str, str]:
    kind, context = found["type"], found.get("ctx", {})
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, found {_described(value)}", _fix_of_kind(kind, value)
    if kind in _LIMITS:
        key, sentence = _LIMITS[kind]
        return sentence.format(_with_unit(context[key], value)), ""
    if kind == "literal_error" and " or " not in context["expected"]:
        return f"must be {context['expected']}, found {_described(value)}", ""
    if kind in ("literal_error", "enum"):
        return f"{_described(value)} is not one of {context['expected']}", _meant(
            str(value), context["expected"]
        )
    if kind in ("too_short", "string_too_short"):
        return "must not be empty" if context[
            "min_length"
        ] == 1 else f"needs at least {context['min_length']}", ""
    if kind in ("too_long", "string_too_long"):
        return f"is longer than {context['max_length']}", ""
    if kind == "string_pattern_mismatch":
        return f"{_described(value)} has not the shape {context['pattern']}", ""
    message = found["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return printable(message, 400), printable(str(context.get("fix", "")), 400)


def _fix_of_kind(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if kind == "bool_type" and str(value).lower() in ("yes", "no", "on", "off", "y", "n"):
        return f"write {'true' if str(value).lower() in ('yes', 'on', 'y') else 'false'}"
    if kind in ("tuple_type", "list_type"):
        return "start each entry with `- `"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return "write a bare number, without quotes or unit"
    return ""


def _described(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{printable(value, 60)}'"
    return "a list" if isinstance(value, list) else "keys and values"


def _with_unit(limit: Any, value: Any) -> str:
    """A limit in the unit of the text that broke it: models hold ppm and ms."""
    if isinstance(value, str) and value.endswith("%"):
        return percent_text(int(limit))
    if isinstance(value, str):
        try:
            parse_duration(value)
        except ValueError:
            return f"{limit:g}"
        return duration_text(int(limit))
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def _meant(word: str, expected: str) -> str:
    options = [option.strip("' ") for option in expected.replace(" or ", ", ").split(",")]
    close = difflib.get_close_matches(word.lower(), options, 1)
    return f"did you mean {close[0]}?" if close else ""


def _unknown_key(tree: Tree, model: type[BaseModel], loc: Path) -> Problem:
    name = str(loc[-1])
    path = tree.known(loc)
    known = list(_properties(model, loc[:-1]))
    message = f"unknown key `{printable(name, 40)}`"
    close = difflib.get_close_matches(name.lower(), known, 1)
    home = None if close else _home(model, name)
    if close:
        fix = f"did you mean `{close[0]}`?"
    elif home:
        fix = f"`{name}` belongs {home}"
    else:
        fix = f"known here: {', '.join(known)}" if known else ""
    return tree.source.problem(tree.place((*path, "#key")), message, fix)


def _missing_key(tree: Tree, model: type[BaseModel], loc: Path) -> Problem:
    parent, name = tree.known(loc), str(loc[-1])
    about = _properties(model, loc[:-1]).get(name, {})
    meaning = about.get("description") or ""
    return tree.source.problem(
        tree.place((*parent, "#key"))
        if parent and isinstance(parent[-1], str)
        else tree.place(parent),
        f"`{name}` is missing",
        f"`{name}`: {meaning}" if meaning else "",
    )


@lru_cache(maxsize=8)
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    try:
        return model.model_json_schema(by_alias=True)
    except (
        PydanticInvalidForJsonSchema
    ):  # a model with fields that no schema can say: no suggestions
        return {}


def _properties(model: type[BaseModel], loc: Path) -> Mapping[str, Any]:
    """The keys that may stand at a place, with their schemas."""
    schema = _schema_of(model)
    here: list[Mapping[str, Any]] = [schema]
    for part in loc:
        following = [found for option in here if (found := _child(option, part)) is not None]
        if following:  # else the part is a union tag
            here = [option for found in following for option in _options(schema, found)]
    return {key: about for option in here for key, about in option.get("properties", {}).items()}


def _options(schema: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "$ref" in node:
        return _options(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    several = [
        *node.get("anyOf", ()),
        *(option for option in node.get("oneOf", ()) if "required" not in option),
    ]
    return [found for option in several for found in _options(schema, option)] or [node]


def _child(node: Mapping[str, Any], part: str | int) -> Mapping[str, Any] | None:
    if isinstance(part, int):
        found = node.get("items")
    else:
        found = node.get("properties", {}).get(part)
        if found is None and isinstance(node.get("additionalProperties"), dict):
            found = node["additionalProperties"]
    return found if isinstance(found, dict) else None


def _home(model: type[BaseModel], name: str) -> str | None:
    """Where a known key belongs that stands in a wrong place, when that is one place."""
    schema = _schema_of(model)
    if name in schema.get("properties", {}):
        return "at the top level"
    homes = [
        f"in an entry of `{key}`" if isinstance(about.get("items"), dict) else f"under `{key}`"
        for key, about in schema.get("properties", {}).items()
        for option in _options(
            schema, about["items"] if isinstance(about.get("items"), dict) else about
        )
        if name in option.get("properties", {})
    ]
    return homes[0] if len(homes) == 1 else None
