"""The shipped scenarios: each is a file like a user's own, and the quick ones end as they say, in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from cutover.app.scenarios import with_judge
from cutover.core.errors import PlanError
from cutover.core.journal.events import PhaseChanged
from cutover.core.values import MINUTE
from cutover.emulator.ending import Ending, expects_something, unmet
from cutover.emulator.scenario import Scenario
from cutover.emulator.world import World
from cutover.local.yaml_file import load_model
from tests.emulator.driving import SCENARIOS, Drive, checkout, scenario
from tests.generate_rehearsals import PAGE, scenarios_of

NAMES = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
STORIES = {
    "R0": "enza-happy-path", "R1": "targets-unused", "R2": "log-storm", "R3": "imdsv2-hop-limit", "R4": "autoscaler-collapse",
    "R5": "single-az", "R6": "sticky-survivors", "R7": "share-mismatch", "R8": "terraform-drift", "R9": "metrics-quiet",
    "R10": "crash-after-write", "R11": "source-gone", "R12": "elb-throttled", "R13": "node-churn",
}  # fmt: skip
QUICK = [
    "error-burst",
    "single-az",
    "sg-missing",
    "log-storm",
    "interrupted",
    "write-denied",
    "crash-in-rollback",
    "sticky-targets",
    "three-of-three",
    "slow-leak",
]
ONLY_THE_SEQUENTIAL_JUDGE = ["bursts-of-noise"]


def rehearsed(name: str, seed: int = 1, judge: str = "") -> tuple[Scenario, Ending, Drive]:
    facts = scenario(name)
    plan = with_judge(checkout(), judge) if judge else checkout()
    with World.build(plan, facts, seed) as made:
        drive = Drive(plan, made, facts.exit_on_hold)
        return facts, drive.run(), drive


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_scenario_is_valid_and_says_how_it_must_end(name: str) -> None:
    facts = scenario(name)
    assert expects_something(facts.expect)
    assert facts.expect.outcome is not None or facts.expect.exit_code is not None


@pytest.mark.parametrize(("story", "name"), STORIES.items())
def test_every_story_from_the_field_has_its_scenario(story: str, name: str) -> None:
    assert name in NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_it_ends_as_it_says(name: str) -> None:
    facts, ending, _ = rehearsed(name)
    assert unmet(facts.expect, ending) == ()


@pytest.mark.parametrize("name", STORIES.values())
def test_every_story_is_told_with_both_judges(name: str) -> None:
    assert scenario(name).compare


@pytest.mark.slow
@pytest.mark.parametrize("name", ONLY_THE_SEQUENTIAL_JUDGE)
@pytest.mark.parametrize(
    ("judge", "outcome"), [("sequential", "completed"), ("threshold", "rolled_back")]
)
def test_a_healthy_cutover_that_thresholds_take_back_completes(
    name: str, judge: str, outcome: str
) -> None:
    _, ending, _ = rehearsed(name, judge=judge)
    assert (ending.outcome, ending.truth.harmed) == (outcome, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_three_failures_of_three_requests_are_enough(seed: int) -> None:
    _, ending, drive = rehearsed("three-of-three", seed=seed)
    assert ending.outcome == "rolled_back"
    opened, back = (
        drive.journal.records[0].at,
        next(
            record.at
            for record in drive.journal.records
            if isinstance(record.event, PhaseChanged) and record.event.after == "ROLLING_BACK"
        ),
    )
    assert back.after(opened) < 10 * MINUTE


@pytest.mark.slow
def test_one_seed_gives_one_journal() -> None:
    first, second = (
        [record.event for record in rehearsed("error-burst", seed=5)[2].journal.records]
        for _ in range(2)
    )
    assert first == second


def test_a_users_mistakes_are_named_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "description: mine\nefects: []\neffects:\n  - {errors: 5, lasts: 3m}\n  - {every: 5m}\nstart: yesterday\n"
    )
    with pytest.raises(PlanError) as refused:
        load_model(path, Scenario, what="scenario")
    said = {
        (problem.line, problem.message.split(":")[0][:40]) for problem in refused.value.problems
    }
    assert {line for line, _ in said} == {2, 4, 5, 6}


def test_every_scenario_has_a_row_in_the_table_of_both_judges() -> None:
    assert sorted(scenarios_of(PAGE.read_text(encoding="utf-8"))) == NAMES


@pytest.mark.slow
def test_an_installed_wheel_carries_every_scenario_where_the_command_looks_for_it(
    tmp_path: Path,
) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=SCENARIOS.parents[1], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    ZipFile(wheel).extractall(installed)
    listed = subprocess.run(
        [sys.executable, "-P", "-m", "cutover", "rehearse", "--list"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "200"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert [name for name in NAMES if name not in listed.stdout] == []
