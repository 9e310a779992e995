"""Scenario files, and the plan that a scenario makes of the one it is given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from cutover.core.errors import RefusedError, UsageError
from cutover.core.plan import Plan
from cutover.core.values import MINUTE, SECOND, count_of, duration_text, rate_text
from cutover.emulator.new_scenario import NEW_SCENARIO
from cutover.emulator.scenario import DEFAULT_RATE, Scenario
from cutover.local.yaml_file import load_model


def scenarios_directory() -> Path:
    """Where the scenarios that ship with cutover are: in the wheel, or in a checkout."""
    shipped = Path(__file__).resolve().parent.parent / "emulator" / "scenarios"
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
            close = get_close_matches(name.lower(), shipped, 1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise UsageError(
                f"no scenario {name!r}: neither one of the shipped ones nor a file",
                hint=f"{meant}`cutover rehearse --list` names the shipped ones",
            )
    return path.stem, load_model(path, Scenario, what="scenario")


def planned(plan: Plan, scenario: Scenario) -> Plan:
    """The plan with the scenario's top-level keys in place of its own, and periods that the emulation publishes.

    Raises:
        UsageError: when the result is no plan any more.
    """
    coarser = _coarser(plan)
    if not scenario.plan and not coarser:
        return plan
    data = plan.data()
    data["observe"] = {**data["observe"], **coarser}
    whose = "the scenario's `plan:`" if scenario.plan else f"`observe: {_flow(coarser)}`"
    try:
        return Plan.model_validate_json(json.dumps({**data, **scenario.plan}))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        said = "; ".join(_problem(one["loc"], one["msg"]) for one in found)
        raise UsageError(
            f"{whose} does not fit this plan: {said}",
            hint="a rehearsal needs both: `cutover rehearse --all PLAN` shows which scenarios apply",
        ) from None


_PUBLISHED = {"period": MINUTE, "settle": 120 * SECOND}
"""What the emulated CloudWatch needs: whole minutes, complete 100 s after their end (`publish_rest`)."""


def _coarser(plan: Plan) -> dict[str, str]:
    """The keys of `observe` that are rehearsed otherwise than written."""
    return {
        key: duration_text(least)
        for key, least in _PUBLISHED.items()
        if getattr(plan.observe, key) < least - (key == "settle") * 20 * SECOND
    }


def too_fine(plan: Plan) -> tuple[str, ...]:
    """What the emulated CloudWatch publishes too late for this plan, and what a rehearsal does instead; one sentence."""
    coarser = _coarser(plan)
    if not coarser:
        return ()
    said = {key: duration_text(getattr(plan.observe, key)) for key in coarser}
    facts = "the emulated CloudWatch publishes whole minutes, complete 100 s after their end"
    return (f"{facts}: rehearsed with `observe: {_flow(coarser)}` instead of `{_flow(said)}`",)


def _flow(said: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in said.items()) + "}"


def _problem(loc: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, loc))}: {message}" if loc else message


def lacks(plan: Plan, scenario: Scenario) -> str:
    """What the scenario needs and the plan lacks, for `does not apply: ...`; empty when it applies."""
    try:
        ran = planned(plan, scenario)
    except UsageError as error:
        return str(error)
    needs, missing = scenario.needs, []
    missing += [_gate_text(name) for name in needs.gates if not _has_gate(ran, name)]
    if len(ran.written) < needs.steps:
        missing.append(f"at least {count_of(needs.steps, 'step')}")
    if needs.approval and not any(step.approve for step in ran.written):
        missing.append("a step with `approve`")
    if needs.last_weight is not None and ran.written[-1].weight < 10 * needs.last_weight:
        missing.append(f"a last step at {needs.last_weight} %")
    if needs.traffic is not None and (ran.traffic or DEFAULT_RATE) < needs.traffic:
        missing.append(f"traffic of at least {rate_text(needs.traffic)}")
    if ran.written[-1].bake < needs.last_bake:
        missing.append(f"a last bake of at least {duration_text(needs.last_bake)}")
    if min(step.bake for step in ran.written) < needs.bakes:
        missing.append(f"bakes of at least {duration_text(needs.bakes)}")
    return f"needs {' and '.join(missing)}" if missing else ""


def _has_gate(plan: Plan, name: str) -> bool:
    """With a setting: one that says more than its default."""
    kind, _, setting = name.partition(".")
    return any(
        gate.kind == kind
        and (
            not setting
            or getattr(gate.spec, setting) != type(gate.spec).model_fields[setting].get_default()
        )
        for gate in plan.gates
    )


def _gate_text(name: str) -> str:
    kind, _, setting = name.partition(".")
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} `{kind}` gate" + (f" with `{setting}`" if setting else "")


def what_catches(plan: Plan, scenario: Scenario) -> str:
    """With the plan as the scenario makes it: which gate is there to catch what the plan let through, as a sentence; empty when the scenario names none."""
    if not scenario.caught_by:
        return ""
    there = [name for name in scenario.caught_by if _has_gate(plan, name)]
    absent = [name for name in scenario.caught_by if name not in there]
    if not there:
        return (
            f"{' or '.join(map(_gate_text, absent))} is there to catch this, and the plan has none"
        )
    named = " and ".join(f"`{name}`" for name in there)
    more = f", or {' or '.join(map(_gate_text, absent))}" if absent else ""
    return f"its {named} did not catch it: a stricter limit, a longer bake{more} would see more"


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


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def write_new(name: str) -> Path:
    """A commented scenario file in the working directory, or at a path that ends with .yaml.

    Raises:
        UsageError: when the name cannot be one, or something is there already.
        RefusedError: when the disk does not take it.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = Path(f"{name}.yaml")
    if not _NAME.fullmatch(path.name):
        raise UsageError(
            f"{name!r} cannot be the name of a scenario",
            hint="write letters, digits, dots and dashes: `cutover rehearse --new my-bad-day`",
        )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(NEW_SCENARIO)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already", hint="name another one; nothing was overwritten"
        ) from None
    except OSError as error:
        raise RefusedError(
            f"{path} cannot be written: {error.strerror}", hint="name another place"
        ) from None
    return path
