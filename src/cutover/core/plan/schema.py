"""The JSON Schema of a plan file, made from the models: for editors, and for `cutover schema`."""

from __future__ import annotations

from typing import Any

from cutover.core.plan.gates import DEFAULT_GATES
from cutover.core.plan.model import Plan


def plan_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a plan file.

    Rules over the whole plan (weights rise, ARNs of one account, ...) are not in it: `cutover validate` knows them.
    """
    schema = tidied(Plan.model_json_schema(by_alias=True, mode="validation"))
    schema["properties"]["gates"]["default"] = list(DEFAULT_GATES)
    schema["properties"]["gates"]["minItems"] = 1
    for about in schema["properties"].values():
        # pydantic writes a section's default with units, but its keys' defaults as the model holds them
        if isinstance(about.get("default"), dict):
            section = schema["$defs"][about["$ref"].rpartition("/")[2]]
            for key, default in about["default"].items():
                section["properties"][key]["default"] = default
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cutover plan",
        **schema,
        "description": "A cutover plan. Rules over the whole plan are checked by `cutover validate`.",
    }


def tidied(value: Any) -> Any:
    """A schema as files need it: without null (a key without a value is refused), and without titles that repeat the key."""
    if isinstance(value, list):
        return [tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    body = {key: tidied(item) for key, item in value.items() if not _noise(key, item)}
    options = body.get("anyOf")
    if isinstance(options, list):
        left = [option for option in options if option != {"type": "null"}]
        if len(left) == 1:
            del body["anyOf"]
            body = {**left[0], **body}
        else:
            body["anyOf"] = left
    return body


def _noise(key: str, item: Any) -> bool:
    return (key == "title" and isinstance(item, str)) or (key == "default" and item is None)
