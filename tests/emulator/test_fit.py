"""The shipped scenarios on other plans than the one they were written for: each happens there, or says what it needs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from cutover.app.rehearsals import Task, rehearse_task, task
from cutover.app.scenarios import builtin_scenarios, lacks, load_scenario, planned
from cutover.core.plan import Plan
from cutover.emulator.clock import VirtualClock
from cutover.emulator.ending import ScenarioVerdict
from cutover.emulator.occurrences import Entry
from cutover.emulator.script import Script
from cutover.local.plan_file import load_plan, plan_of_text
from cutover.local.state_directory import StateDirectory
from tests.emulator.fresh import fresh_plan
from tests.generate_rehearsals import PAGE

PLANS = Path(__file__).resolve().parents[2] / "plans"
NAMES = sorted(builtin_scenarios())
GATES = """gates:
  - errors: {max: 1%, versus_source: {ratio: 2.0, floor: 0.2%}}
  - latency: {percentile: 95, versus_source: {ratio: 1.25}}
  - client_errors: {versus_source: {ratio: 1.5, floor: 1%}, on_breach: rollback}
  - healthy: {min: 3, zones: 2}
  - metric:
      {name: log-volume, namespace: Logs, metric: Bytes, dimensions: {Group: eks}, statistic: Sum, per: request, max_growth: 3.0}
  - alarm: {name: our-own}
"""
RICH = """steps:
  - {weight: 10, bake: 30m}
  - {weight: 60, bake: 30m, approve: go}
  - {weight: 100, bake: 100m}
"""
NEED_MORE = {
    "alarm-fires": "an `alarm` gate",
    "approval": "a step with `approve`",
    "approval-never": "a step with `approve`",
    "az-loss": "a `healthy` gate with `zones`",
    "defect-after-source-incident": "a last bake of at least 1h30m",
    "last-bake-shared-incident": "a last bake of at least 30m",
    "log-storm": "a `metric` gate",
    "nobody-to-compare-with": "a last bake of at least 30m",
    "nobody-to-compare-with-answered": "a last bake of at least 30m",
    "node-churn": "a last bake of at least 1h40m",
    "single-az": "a `healthy` gate with `zones`",
    "slow-leak": "bakes of at least 30m",
}
"""What two short steps with the default gates do not have."""


def two_steps() -> Plan:
    return plan_of_text(fresh_plan((10, 100))).plan


def rich() -> Plan:
    """Three steps with everything that a scenario may need."""
    text = fresh_plan((), more=GATES)
    return plan_of_text(text.replace("steps: []\n", RICH)).plan


@cache
def every_plan() -> dict[str, Plan]:
    shipped = {path.stem: load_plan(path).plan for path in sorted(PLANS.glob("*.yaml"))}
    return {**shipped, "two": two_steps(), "rich": rich()}


@pytest.mark.parametrize("name", NAMES)
def test_it_applies_to_a_plan_or_says_what_the_plan_lacks(name: str) -> None:
    for which, plan in every_plan().items():
        scenario = load_scenario(name)[1]
        missing = lacks(plan, scenario)
        if which in ("checkout", "rich"):
            assert missing == ""
        if which == "two":
            assert missing == (f"needs {NEED_MORE[name]}" if name in NEED_MORE else "")
        assert missing == "" or missing.startswith(("needs ", "the scenario's `plan:` does not"))


@pytest.mark.parametrize("name", NAMES)
def test_it_waits_for_no_step_that_a_plan_it_applies_to_does_not_have(name: str) -> None:
    scenario = load_scenario(name)[1]
    entries: list[Entry] = [
        *scenario.effects, *scenario.health, *scenario.writer, *scenario.faults, *scenario.operator, *scenario.crash,
    ]  # fmt: skip
    for plan in every_plan().values():
        if not lacks(plan, scenario):
            script = Script(VirtualClock(scenario.start), planned(plan, scenario))
            assert not [e for e in entries if "and the plan has" in script.waits_for(e.when)]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_on_a_plan_that_it_was_not_written_for_it_happens_and_ends_as_expected(
    name: str, tmp_path: Path
) -> None:
    plan = rich() if name in NEED_MORE else two_steps()
    one = task(plan, name, place=StateDirectory(tmp_path), compare=False)
    assert isinstance(one, Task)
    result = rehearse_task(one)
    assert (result.unreached, result.mismatches) == ((), ())
    assert result.verdict is ScenarioVerdict.AS_EXPECTED


def test_the_scenarios_ended_as_expected_when_the_page_of_the_judge_was_written() -> None:
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    ended = {row[1].strip(): row[2].strip() for row in rows if len(row) == 9}
    for name in NAMES:
        outcome = load_scenario(name)[1].expect.outcome
        assert outcome is None or ended[name].replace(" ", "_") in outcome
