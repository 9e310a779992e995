"""The JSON Schema of a scenario file, made from the models: for editors, `cutover schema scenario-file` and docs/scenarios.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.core.plan import tidied
from cutover.emulator.injections import Crash, Effect, Fault, HealthChange, Say, When, Write
from cutover.emulator.scenario import Auth, Expect, Needs, Scenario, Topology, TrafficSpec

if TYPE_CHECKING:
    from pydantic import BaseModel

MODELS: tuple[type[BaseModel], ...] = (
    When, Effect, HealthChange, Write, Fault, Say, Crash, TrafficSpec, Topology, Auth, Needs, Expect,
)  # fmt: skip
"""Everything that a scenario file is made of, below its top level."""


def scenario_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a scenario file."""
    schema: dict[str, Any] = tidied(Scenario.model_json_schema(mode="validation"))
    _say_defaults(schema, Scenario)
    for model in MODELS:
        _say_defaults(schema["$defs"][model.__name__], model)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "cutover scenario",
        "description": "A scenario of `cutover rehearse`: what goes wrong, when, and how the run must end.",
    }


def _say_defaults(section: dict[str, Any], model: type[BaseModel]) -> None:
    """With units, as a file writes them; pydantic gives what the model holds."""
    written = model.model_construct().model_dump(mode="json", exclude_none=True)
    for name, about in section["properties"].items():
        about.pop("default", None)
        if name in written and not isinstance(written[name], dict | list):
            about["default"] = written[name]
