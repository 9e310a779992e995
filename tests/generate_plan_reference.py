"""Writes docs/plan-reference.md from the models: `python -m tests.generate_plan_reference`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cutover.core.gates import GATES
from cutover.core.plan import DEFAULT_GATES, lint_sentences, plan_schema, rule_sentences

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "plan-reference.md"
_SECTIONS = (
    "aws",
    "routes",
    "steps",
    "risk",
    "safety",
    "leave",
    "waive",
    "observe",
    "windows",
    "notify",
)


def page() -> str:
    """The whole page."""
    schema = plan_schema()
    lines = [*_head(), *_table(schema, schema)]
    for name in _SECTIONS:
        about = schema["properties"][name]
        model = _model(schema, about.get("items", about))
        lines += [
            "",
            f"## `{name}`",
            "",
            _sentence(model["description"]),
            "",
            *_table(schema, model),
        ]
    lines += ["", *_gates(schema), "", *_rules()]
    return "\n".join(lines) + "\n"


def _head() -> Iterator[str]:
    yield "# Plan reference"
    yield ""
    yield "Generated from the models by `python -m tests.generate_plan_reference`; a test fails when this page is stale."
    yield "`cutover schema` prints the same as JSON Schema, for editors."
    yield ""
    yield "A plan is YAML 1.2, and less: no anchors, aliases, tags, merge keys, directives or second documents, no duplicate"
    yield "keys, no key without a value, no quoted text over several lines, at most 64 KiB. `on`, `yes`, `12:30` and digits with"
    yield "a leading zero are text. Unknown keys are refused. A number that has a unit is written with it:"
    yield ""
    yield "| kind | write | not |"
    yield "|---|---|---|"
    yield "| duration | `90s` `10m` `1h30m` `800ms` `2d` | `10`, `10:00` |"
    yield "| percentage | `1%` `0.2%` | `1`, `0.01` |"
    yield "| rate | `200/min` `5/s` `3000/h` | `200` |"
    yield "| weight | `25` `0.5`: a bare number of percent in steps of 0.1 | `25%` |"
    yield ""
    yield "A whole plan:"
    yield ""
    yield "```yaml"
    yield from (ROOT / "plans" / "checkout.yaml").read_text().rstrip().splitlines()
    yield "```"
    yield ""
    yield "## Top level"
    yield ""


def _model(schema: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (
        schema["$defs"][about["$ref"].rpartition("/")[2]] if "$ref" in about else about
    )
    return found


def _table(schema: dict[str, Any], model: dict[str, Any]) -> Iterator[str]:
    yield "| key | kind | default | meaning |"
    yield "|---|---|---|---|"
    for key, about in model["properties"].items():
        needed = key in model.get("required", ())
        meaning = about.get("description") or _model(schema, about).get("description", "")
        cells = (
            f"`{key}`",
            _kind(schema, about),
            _default(schema, about, needed=needed),
            _sentence(meaning),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kind(schema: dict[str, Any], about: dict[str, Any]) -> str:
    about = {**_model(schema, about), **about}
    if "enum" in about or "const" in about:
        return " ".join(f"`{one}`" for one in about.get("enum", [about.get("const")]))
    if about.get("type") == "array":
        return "list"
    if about.get("type") == "object":
        return "keys"
    examples = about.get("examples", ())
    shown = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
    }[about["type"]]
    return f"like `{examples[0]}`" if examples else shown


def _default(schema: dict[str, Any], about: dict[str, Any], *, needed: bool) -> str:
    if needed:
        return "required"
    default = about.get("default")
    if default is None or default == []:
        return ""
    if isinstance(default, dict | list):
        return "see below"
    return f"`{json.dumps(default) if not isinstance(default, str) else default}`"


def _sentence(text: str) -> str:
    one = " ".join(text.split()).rstrip(".")
    return one[:1].upper() + one[1:]


def _gates(schema: dict[str, Any]) -> Iterator[str]:
    yield "## `gates`"
    yield ""
    yield "A list; each entry is one of these keys with its settings below it. A plan without `gates` gets:"
    yield ""
    yield "```yaml"
    yield "gates:"
    for entry in DEFAULT_GATES:
        for kind, body in entry.items():
            yield f"  - {kind}: {_flow(body)}"
    yield "```"
    entries = schema["properties"]["gates"]["items"]["properties"]
    shared: dict[str, dict[str, Any]] = {}
    for kind in GATES:
        model = _model(schema, entries[kind])
        yield from ("", f"### `{kind}`", "", _sentence(model["description"]), "")
        yield from _table(schema, model)
        for about in model["properties"].values():
            if "$ref" in about and "properties" in _model(schema, about):
                shared[about["$ref"].rpartition("/")[2]] = _model(schema, about)
    for model in shared.values():
        users = ", ".join(
            f"`{kind}.{key}`"
            for kind in GATES
            for key, about in _model(schema, entries[kind])["properties"].items()
            if _model(schema, about) is model
        )
        yield from ("", f"### {users}", "", _sentence(model["description"]), "")
        yield from _table(schema, model)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    return str(value)


def _rules() -> Iterator[str]:
    yield "## Rules over the whole plan"
    yield ""
    yield "The schema cannot say these; `cutover validate` does."
    yield ""
    yield from (f"- {sentence}" for sentence in rule_sentences())
    yield ""
    yield "## Warnings"
    yield ""
    yield "Printed as `warning:` lines; `cutover validate --strict` makes errors of them."
    yield ""
    yield from (f"- {sentence}" for sentence in lint_sentences())


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
