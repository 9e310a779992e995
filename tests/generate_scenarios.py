"""Writes docs/scenarios.md from the models and the shipped files: `python -m tests.generate_scenarios`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cutover.app.scenarios import builtin_scenarios, load_scenario
from cutover.emulator.new_scenario import NEW_SCENARIO
from cutover.emulator.scenario_schema import scenario_schema

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "scenarios.md"
_HEAD = """# Scenarios

Made from the models and from `plans/scenarios` by `python -m tests.generate_scenarios`; a check fails when this page is stale.

A scenario is what goes wrong in a rehearsal, when, and how the run must end. `cutover rehearse --new NAME` writes one to
begin with, `cutover schema scenario-file` prints the JSON Schema for editors, `cutover rehearse --list` lists those that ship
with cutover. The files are as strict as a plan: unknown keys are refused with the nearest known one, and every time, share and
rate carries a unit. `cutover rehearse PLAN --scenario NAME|FILE` runs one, `cutover rehearse PLAN --all` all that ship.

## Verdicts

| verdict | means | exit code |
|---|---|---|
| as expected | all of the trouble happened, and the run ended as `expect` says | 0; the run's own without `expect` |
| not reached | an entry never began, or met nothing: a fault on a call that was never made, an effect on a side without requests, a command that no process heard. The reason says what it waited for | 9 |
| let through | your plan let it through: the run should have been stopped and went on, or harmed more people than it may. `caught_by` names the gate that is there for it | 9 |
| otherwise | it ended otherwise than expected, for example a healthy cutover was taken back | 9 |
| does not apply | the plan lacks what the scenario `needs`: a gate, an approval, a last step at 100 | alone 2; with `--all` it does not count |

An entry with `optional: true` may stay away. Steps that ask for an approval get it after `approve_after`; that is the script's,
and no entry is needed for it. Every file fits any plan as long as it places its trouble by `way`, `bake`, `weight_at_least`,
`phase` or `hold`, and expects `unchanged`, `last`, `no_raise_after` and `outage_at_most` rather than numbers.

A whole scenario, as `--new` writes it:

```yaml
{new}
```

## Top level
"""
_SECTIONS = (
    ("When", "`when`"),
    ("Effect", "`effects`"),
    ("HealthChange", "`health`"),
    ("Write", "`writer`"),
    ("Fault", "`faults`"),
    ("Say", "`operator`"),
    ("Crash", "`crash`"),
    ("TrafficSpec", "`traffic`"),
    ("Topology", "`twin`"),
    ("Auth", "`twin.authenticate`"),
    ("Needs", "`needs`"),
    ("Expect", "`expect`"),
)


def page() -> str:
    """The whole page."""
    schema = scenario_schema()
    lines = [_HEAD.replace("{new}", NEW_SCENARIO.rstrip()), *_table(schema, schema)]
    for name, title in _SECTIONS:
        model = schema["$defs"][name]
        lines += ["", f"## {title}", "", model["description"], "", *_table(schema, model)]
    lines += ["", *_shipped()]
    return "\n".join(lines) + "\n"


def _table(schema: dict[str, Any], model: dict[str, Any]) -> Iterator[str]:
    yield "| key | kind | default | meaning |"
    yield "|---|---|---|---|"
    for key, about in model["properties"].items():
        whole = {**_target(schema, about), **about}
        default = "required" if key in model.get("required", ()) else _text(about.get("default"))
        meaning = " ".join(str(whole.get("description", "")).split()).rstrip(".")
        cells = (f"`{key}`", _kind(schema, whole), default, meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _target(schema: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (
        schema["$defs"][about["$ref"].rpartition("/")[2]] if "$ref" in about else {}
    )
    return found


def _kind(schema: dict[str, Any], about: dict[str, Any]) -> str:
    if "anyOf" in about or "examples" in about:
        return "like " + " ".join(f"`{one}`" for one in about["examples"][:2])
    if "enum" in about or "const" in about:
        return " ".join(f"`{one}`" for one in about.get("enum", [about.get("const")]))
    if about.get("type") == "array":
        return f"list of {_kind(schema, {**_target(schema, about['items']), **about['items']})}"
    named = {
        "object": "keys",
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
    }
    return named.get(about.get("type", ""), "number")


def _text(default: Any) -> str:
    if default in (None, ""):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _shipped() -> Iterator[str]:
    yield "## Shipped"
    yield ""
    yield "| scenario | what happens | needs | ends |"
    yield "|---|---|---|---|"
    for name in builtin_scenarios():
        scenario = load_scenario(name)[1]
        said = scenario.needs.model_dump(mode="json", exclude_defaults=True)
        needs = ", ".join(f"{key}: {_flow(value)}" for key, value in said.items())
        outcome = " or ".join(scenario.expect.outcome or ("anything",)).replace("_", " ")
        story = f" ({scenario.story.rstrip('.')})" if scenario.story else ""
        yield f"| `{name}` | {scenario.description}{story} | {needs} | {outcome} |"


def _flow(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else _text(value).strip("`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
