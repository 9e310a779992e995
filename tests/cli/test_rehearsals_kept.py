"""What a rehearsal leaves on this machine: a plan, a script that does nothing, a name in the list; nothing on a full disk."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest

from cutover.app.rehearsal import builtin_scenarios, load_scenario, planned, rehearse
from cutover.app.scenarios import text_of_plan, with_judge
from cutover.core.errors import ExitCode, RefusedError
from cutover.core.journal.events import RunOpen
from cutover.core.plan import Plan
from cutover.local.disk import RealDisk
from cutover.local.plan_file import load_plan, plan_of_text
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from tests.cli.command import called

ONE_STEP = """description: another plan, and both judges
plan: {steps: [{weight: 50, bake: 10m}, {weight: 100, bake: 10m}]}
expect: {outcome: completed}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "one-step.yaml"
    path.write_text(ONE_STEP)
    return path


def the_only(place: StateDirectory) -> RunDirectory:
    (run,) = place.list_runs(rehearsals=True)
    return run


@pytest.mark.slow
def test_restore_sh_of_a_rehearsal_never_asks_aws(
    minimal: Path, scenario: Path, place: StateDirectory, tmp_path: Path
) -> None:
    told = called("rehearse", minimal, "--scenario", scenario, "--no-judges")
    assert "restore.sh puts that back" not in told.out
    run = the_only(place)
    cli, log = tmp_path / "aws", tmp_path / "log"
    cli.write_text(f"#!/bin/sh\necho asked >> {log}\necho 123456789012\n")
    cli.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(run.restore)],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "was a rehearsal" in done.stderr
    assert not log.exists()
    assert "# aws elbv2 modify-" in run.restore.read_text()
    assert called("status", run.id, "--json").object["restore"] == ""


@pytest.mark.slow
def test_a_damaged_rehearsal_is_no_reason_to_roll_back(
    minimal: Path, scenario: Path, place: StateDirectory
) -> None:
    called("rehearse", minimal, "--scenario", scenario, "--no-judges")
    run = the_only(place)
    run.journal.write_bytes(run.journal.read_bytes().replace(b"lease", b"leash", 1))
    shown = called("status", run.id)
    assert shown.code == 7
    assert "rehearse again" in shown.err
    assert "rollback" not in shown.err
    assert "restore.sh" not in shown.err
    assert called("status", run.id, "--json").object["restore"] == ""


@pytest.mark.slow
def test_the_plan_that_is_kept_is_the_one_that_ran(
    minimal: Path, scenario: Path, place: StateDirectory
) -> None:
    assert called("rehearse", minimal, "--scenario", scenario, "--judges").code == 0
    runs = place.list_runs(rehearsals=True)
    assert len(runs) == 2
    judges = set()
    for run in runs:
        kept = plan_of_text(run.plan.read_text()).plan
        opened = run.contents().records[0].event
        assert isinstance(opened, RunOpen)
        assert kept.hash == opened.plan_hash
        assert [int(step.weight) for step in kept.steps] == [500, 950, 1000]
        judges |= {str(gate.spec.judge) for gate in kept.gates if gate.kind == "errors"}
        assert called("journal", "replay", run.id).code == 0
        assert "step 3 of 3" in called("status", run.id).out
    assert judges == {"sequential", "threshold"}


@pytest.mark.slow
def test_a_plan_that_nothing_changes_is_kept_word_for_word(
    minimal: Path, place: StateDirectory, tmp_path: Path
) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(
        "description: nothing\noperator: [{when: {after: 1m}, command: rollback}]\n"
    )
    called("rehearse", minimal, "--scenario", scenario)
    assert the_only(place).plan.read_text() == minimal.read_text()


@pytest.mark.parametrize("name", sorted(builtin_scenarios()))
def test_the_plan_of_every_scenario_reads_back_as_it_ran(name: str, checkout: Path) -> None:
    plan = planned(load_plan(checkout).plan, load_scenario(name)[1])
    for one in (plan, with_judge(plan, "threshold"), with_judge(plan, "sequential")):
        assert plan_of_text(text_of_plan(one)).plan.hash == one.hash


def test_a_plan_with_any_text_reads_back_as_it_was(checkout: Path) -> None:
    data = load_plan(checkout).plan.data()
    data["steps"][0]["approve"] = '\u7d50\u5408\t \U0001f680 "it\'s" \\ # \u00e9 {x}: |'
    plan = Plan.model_validate_json(json.dumps(data))
    assert plan_of_text(text_of_plan(plan)).plan.hash == plan.hash


@pytest.mark.slow
def test_rehearsals_are_told_apart_and_listed_newest_first_by_real_time(
    minimal: Path, scenario: Path, place: StateDirectory, tmp_path: Path
) -> None:
    other = tmp_path / "another-day.yaml"
    other.write_text(ONE_STEP)
    # by name, and by the emulated time that all share, the order would be another
    ended = [
        called("rehearse", minimal, "--scenario", path, "--no-judges", "--json").objects[-1]
        for path in (other, scenario, other)
    ]
    listed = called("list", "--rehearsals", "--json").objects
    assert [one["run"] for one in listed] == [one["run"] for one in reversed(ended)]
    assert [one["rehearsed"]["scenario"] for one in listed] == [
        "another-day",
        "one-step",
        "another-day",
    ]
    assert "-one-step-" in ended[1]["run"]
    lines = called("list", "--rehearsals").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [one["run"] for one in listed]
    assert all("sequential" in line and "completed".upper() in line for line in lines[1:])
    assert all("2026-03-03" not in line for line in lines)
    assert "scenario one-step" in called("status", ended[1]["run"]).out


@pytest.mark.slow
def test_the_end_of_a_rehearsal_says_how_to_look_at_it(
    minimal: Path, scenario: Path, place: StateDirectory
) -> None:
    told = called("rehearse", minimal, "--scenario", scenario, "--judges").out
    for run in place.list_runs(rehearsals=True):
        assert run.id in told
        assert ("threshold" in run.id) == (run.id in told.splitlines()[-1])
    assert "`cutover status " in told


class FullDisk(RealDisk):
    """A disk on which only so many bytes fit."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, handle: int, data: bytes) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = super().write(handle, data[: self.room])
        self.room -= taken
        return taken


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 600, 1_000, 3_000, 30_000])
def test_a_full_disk_ends_a_rehearsal_at_once_and_leaves_nothing(
    room: int, minimal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    loaded = load_plan(minimal)
    place = StateDirectory(tmp_path / "full", FullDisk(room))
    with pytest.raises(RefusedError) as caught:
        rehearse(loaded.plan, load_scenario("healthy")[1], plan_text=loaded.text, place=place)
    assert caught.value.exit_code == ExitCode.REFUSED
    assert str(caught.value).startswith(
        f"no space left in {place.root}: the rehearsal cannot keep"
    )
    assert "CUTOVER_STATE_DIR" in caught.value.hint
    assert list((tmp_path / "full" / "rehearsals").iterdir()) == []
    assert list(temporary.iterdir()) == []
