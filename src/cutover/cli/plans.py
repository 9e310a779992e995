"""`validate` and `schema`: plan files, without AWS."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import click

from cutover.cli.console import Frame, problem_body
from cutover.cli.options import json_option, plan_argument
from cutover.core.errors import UsageError, printable, problem_lines


@click.command()
@plan_argument
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@json_option
@click.pass_obj
def validate(frame: Frame, plan: Path, strict: bool) -> int:
    """Check a plan file: every error at once, with its position. Needs no AWS and writes nothing."""
    from cutover.app import api as app_api

    loaded = app_api.load_plan(plan, strict=strict)
    if frame.json:
        body = {
            "file": str(plan),
            "plan": loaded.plan.name,
            "hash": loaded.plan.hash,
            "warnings": [problem_body(warning) for warning in loaded.warnings],
        }
        frame.give("cutover.validate.v1", body)
        return 0
    show_warnings(frame, str(plan), loaded.warnings)
    count = len(loaded.warnings)
    said = f", {count} warning{'s' if count != 1 else ''}" if count else ""
    routes, steps, gates = (
        len(loaded.plan.routes),
        len(loaded.plan.written),
        len(loaded.plan.gates),
    )
    frame.say(
        f"{printable(str(plan))}: ok: {loaded.plan.name}, {_some(routes, 'route')}, {_some(steps, 'step')}, "
        f"{_some(gates, 'gate')}{said}"
    )
    return 0


def show_warnings(frame: Frame, file: str, warnings: tuple) -> None:  # type: ignore[type-arg]
    """Lint warnings with their positions, on stderr."""
    for warning in warnings:
        for line in problem_lines(file, warning):
            frame.warn(line)


def count_warnings(frame: Frame, file: str, warnings: tuple) -> None:  # type: ignore[type-arg]
    """One line on stderr that lint warnings are there: `validate` and `run` say them, each once."""
    if warnings:
        said = _some(len(warnings), "warning")
        frame.warn(f"note: {file}: {said} about the plan, `cutover validate {file}` shows what")


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


@click.command()
@click.argument("name", default="plan", metavar="[NAME]")
@click.pass_obj
def schema(frame: Frame, name: str) -> int:
    """Print a JSON Schema: of plan files, of scenario files (`scenario-file`), or of the `--json` output called NAME (`status`, or `cutover.status.v1` as it says itself)."""
    if name == "plan":
        from cutover.app import api as app_api

        _print(frame, json.dumps(app_api.plan_schema(), indent=2))
        return 0
    if name == "scenario-file":
        from cutover.app import api as app_api

        frame.say(json.dumps(app_api.scenario_schema(), indent=2))
        return 0
    found = output_schemas()
    for text in found.values():
        if json.loads(text)["title"] == name:  # `cutover.plan.v1`: what an output calls itself
            _print(frame, text)
            return 0
    if name not in found:
        raise UsageError(
            f"there is no schema {name!r}",
            hint=f"there are: plan, scenario-file, {', '.join(sorted(found))}",
        )
    _print(frame, found[name])
    return 0


def _print(frame: Frame, text: str) -> None:
    for line in text.splitlines():
        frame.say(line)


def output_schemas() -> dict[str, str]:
    """The text of every schema of a `--json` output, by name."""
    place = resources.files("cutover.cli") / "schemas"
    return {
        entry.name.removesuffix(".schema.json"): entry.read_text(encoding="utf-8").rstrip()
        for entry in place.iterdir()
        if entry.name.endswith(".schema.json")
    }
