"""Disks that fill up, files that are damaged, directories that go away: raises stop, going back never does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.stage import Process, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@contextmanager
def _small_disk(place: Path) -> Iterator[None]:
    """A file system of 4 MiB; skips where this process may not mount one (SimDisk's tests stand in)."""
    place.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(place: Path, name: str = "ballast") -> Path:
    ballast = place / name
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 64):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def test_a_full_disk_stops_the_raise_and_not_the_rollback(stage: Stage) -> None:
    with _small_disk(stage.state):
        run = stage.run(stage.plan("weight: 10, bake: 30s", "weight: 100, bake: 2s"))
        stage.until_phase("BAKING", run, step=0)
        ballast = _fill(stage.state)
        stage.until("a command about it", lambda: "No space left" in run.said, run)
        stage.witness.traffic.break_destination(0.5)
        code = run.ends()
        assert code == 3, stage.view()
        assert stage.is_restored()
        assert max(stage.climbs()) == 0.1
        assert not stage.witness.problems
        ballast.unlink()
        assert stage.say("status", "one").code == 0
        again = stage.say("rollback", "one")
        assert again.code == 3, again.said
        assert stage.is_restored()


def test_a_state_directory_that_is_deleted_stops_the_raise_and_not_the_rollback(
    stage: Stage,
) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 60s", "weight: 100, bake: 2s"))
    stage.until_phase("BAKING", run, step=0)
    gone = stage.state.rename(
        stage.state.with_name("deleted")
    )  # nothing is written to it any more
    shutil.rmtree(gone)
    stage.until("a hold", lambda: "HOLDING" in run.said, run)
    stage.witness.traffic.break_destination(0.5)
    assert run.ends() == 3, stage.view()
    assert stage.is_restored()
    assert max(stage.climbs()) == 0.1


def test_without_its_directory_a_run_is_taken_back_by_its_plan(stage: Stage) -> None:
    plan = stage.plan("weight: 10, bake: 30s")
    run = stage.run(plan)
    stage.until_phase("BAKING", run, step=0)
    os.kill(run.pid, signal.SIGKILL)
    run.ends()
    shutil.rmtree(stage.state)
    done = stage.say("rollback", "--plan", plan, "--no-run")
    assert done.code == 3, done.said
    assert stage.shares() == {0.0}


def test_a_damaged_journal_refuses_to_go_on_and_still_goes_back(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    os.kill(run.pid, signal.SIGKILL)
    run.ends()
    journal = stage.directory / "journal.jsonl"
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(bytes(data))
    resumed = stage.say("resume", "one")
    assert resumed.code == 7, resumed.said
    assert "cutover rollback one" in resumed.err
    assert stage.say("journal", "verify", "one").code != 0
    assert stage.shares() == {0.1}
    stage.expect(stage.drive("rollback", "one"), 3)
    # what was written is not known any more: only our two weights are taken back
    assert stage.shares() == {0.0}


def test_a_torn_last_line_never_happened(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 8s"))
    stage.until_phase("BAKING", run, step=0)
    os.kill(run.pid, signal.SIGKILL)
    run.ends()
    journal = stage.directory / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    stage.expect(stage.drive("resume", "one"), 0)
    assert stage.shares() == {0.1}
    stage.verified()


def _fill_to_the_last_byte(stage: Stage, run: Process) -> None:
    """Until the run has given up the room that it kept for the hold, and that is taken too."""
    _fill(stage.state)
    stage.until("a command about it", lambda: "No space left" in run.said, run)
    _fill(stage.state, "more")


def _run_at_10(stage: Stage) -> Process:
    plan = stage.plan("weight: 10, bake: 60s", "weight: 100, bake: 2s")
    commands = ("run", plan, "--yes", "--run-id", "one")
    run = stage.drive(*commands)
    stage.until_phase("BAKING", run, step=0)
    return run


def test_a_rollback_reaches_a_living_run_on_a_full_disk(stage: Stage) -> None:
    with _small_disk(stage.state):
        run = _run_at_10(stage)
        _fill_to_the_last_byte(stage, run)
        said = stage.say("rollback", "one", "--why", "the phone rings")
        assert said.code == 0, said.said + stage.view()
        assert "heard by run one" in said.said
        assert run.ends() == 3, stage.view()
        assert stage.is_restored()
        assert not stage.witness.problems
        assert "ROLLED_BACK" in stage.say("status", "one").out
        exported = stage.say("journal", "export", "one").out.splitlines()
        commands = [one for one in map(json.loads, exported) if one["type"] == "command"]
        assert [(one["command"], one["why"]) for one in commands] == [
            ("rollback", "the phone rings")
        ]


def test_a_rollback_that_can_reach_nobody_restores_the_routes_itself_and_says_so(
    stage: Stage,
) -> None:
    with _small_disk(stage.state):
        run = _run_at_10(stage)
        _fill_to_the_last_byte(stage, run)
        (stage.directory / "commands.pipe").unlink()
        said = stage.say("rollback", "one")
        assert said.code == 4, said.said + stage.view()
        assert stage.shares() == {0.0}, said.said
        assert f"process {run.pid}" in said.err
        assert "cannot be told" in said.err
        assert f"kill -9 {run.pid}" in said.err
        stage.until("that it saw the change", lambda: "changed by somebody else" in run.said, run)
        assert max(stage.climbs()) == 0.1
