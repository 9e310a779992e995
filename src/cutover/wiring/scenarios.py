"""Scenario files, and the plan that a scenario makes of the one it is given."""

from __future__ import annotations

import json
from pathlib import Path

from cutover.core.errors import UsageError
from cutover.core.plan import Plan
from cutover.local.yaml_file import load_model
from cutover.rehearsal.scenario import Scenario


def scenarios_directory() -> Path:
    """Where the scenarios that ship with cutover are: in the wheel, or in a checkout."""
    shipped = Path(__file__).resolve().parent.parent / "rehearsal" / "scenarios"
    if shipped.is_dir():
        return shipped
    return Path(__file__).resolve().parents[3] / "plans" / "scenarios"


def builtin_scenarios() -> dict[str, Path]:
    """By name, the files of the scenarios that ship with cutover."""
    return {path.stem: path for path in sorted(scenarios_directory().glob("*.y*ml"))}


def load_scenario(name: str) -> tuple[str, Scenario]:
    """A shipped scenario by name, or a user's file.

    Raises:
        UsageError: when there is neither.
        PlanError: when the file is wrong; every problem with its position.
    """
    shipped = builtin_scenarios()
    path = shipped.get(name)
    if path is None:
        path = Path(name)
        if not path.is_file():
            raise UsageError(
                f"no scenario {name!r}: neither one of the shipped ones nor a file",
                hint="`cutover rehearse --list` names the shipped ones",
            )
    return path.stem, load_model(path, Scenario, what="scenario").model


def planned(plan: Plan, scenario: Scenario) -> Plan:
    """The plan with the scenario's top-level keys in place of its own.

    Raises:
        UsageError: when the result is no plan any more.
    """
    if not scenario.plan:
        return plan
    try:
        return Plan.model_validate_json(json.dumps({**plan.data(), **scenario.plan}))
    except ValueError as error:
        raise UsageError(f"the scenario's `plan:` does not fit this plan: {error}") from None


WEIGHED = ("errors", "latency")
"""The gates that the sequential judge can weigh; `judge: threshold` is what others have in any case."""


def judges_of(plan: Plan) -> str:
    """The judges that the plan names for those gates: `sequential`, `threshold`, or both; empty without such a gate."""
    named = {str(gate.spec.judge) for gate in plan.gates if gate.kind in WEIGHED}
    return " and ".join(sorted(named))


def with_judge(plan: Plan, judge: str) -> Plan:
    """The plan with this judge behind every gate that has the choice."""
    data = plan.data()
    for entry in data["gates"]:
        for kind in WEIGHED:
            if kind in entry:
                entry[kind]["judge"] = judge
    return Plan.model_validate_json(json.dumps(data))


def text_of_plan(plan: Plan) -> str:
    """A plan file that says exactly this plan, for one that no file says: JSON is YAML."""
    said = json.dumps(plan.data(), ensure_ascii=False, indent=2)
    return f"# the plan that this rehearsal ran, as its scenario and judge make it\n{said}\n"
