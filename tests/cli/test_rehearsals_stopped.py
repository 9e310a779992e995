"""A rehearsal that a signal ends, and what is said of one that still goes on: real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cutover.core.journal.events import Close, Note
from cutover.local.clock import SystemClock
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from tests.cli.command import called, held_against_its_schema

pytestmark = pytest.mark.slow

_CALL = """import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
signal.signal(signal.SIGHUP, {hangup})
from cutover.__main__ import main
sys.exit(main())
"""
PATIENCE = 240


@contextlib.contextmanager
def rehearsing(
    *arguments: object, hangup: signal.Handlers = signal.SIG_DFL
) -> Iterator[subprocess.Popen[str]]:
    """`cutover rehearse ARGUMENTS --json` in a process of its own."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _CALL.format(hangup=int(hangup)),
            "rehearse",
            *map(str, arguments),
            "--json",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def read_until(process: subprocess.Popen[str], **wanted: Any) -> dict[str, Any]:
    """The first object on stdout that has these values."""
    assert process.stdout is not None
    for line in process.stdout:
        one: dict[str, Any] = json.loads(line)
        if all(one.get(key) == value for key, value in wanted.items()):
            return one
    raise AssertionError(f"never said {wanted}")


def the_only(place: StateDirectory) -> RunDirectory:
    (run,) = place.list_runs(rehearsals=True)
    return run


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [
        (signal.SIGINT, 130, "Ctrl-C"),
        (signal.SIGTERM, 143, "SIGTERM"),
        (signal.SIGHUP, 129, "SIGHUP"),
    ],
)
def test_a_signal_closes_the_journal_of_a_rehearsal_and_nothing_looks_alive(
    number: int, code: int, name: str, minimal: Path, place: StateDirectory
) -> None:
    with rehearsing(minimal, "--speed", "1") as process:
        read_until(process, type="phase", phase="ATTACHING")
        run = the_only(place)
        going_on = called("status", run.id)
        assert f"running in process {process.pid}" in going_on.out
        assert "this is a rehearsal" in going_on.out
        assert called("list", "--rehearsals", "--json").object["alive"]
        assert "running" in called("list", "--rehearsals").out
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert f"error: {name} ended rehearsal {run.id}" in err
    assert "not resumed" in err
    assert json.loads(out.splitlines()[-1])["exit_code"] == code
    events = [record.event for record in run.contents().records]
    closed, note = events[-1], events[-2]
    assert isinstance(note, Note)
    assert isinstance(closed, Close)
    assert closed.exit_code == code
    assert_interrupted(run)
    assert called("journal", "replay", run.id).code == 0


def test_a_rehearsal_that_was_killed_does_not_look_alive(
    minimal: Path, place: StateDirectory
) -> None:
    with rehearsing(minimal, "--speed", "1") as process:
        read_until(process, type="phase", phase="ATTACHING")
        process.kill()
        process.wait()
        assert_interrupted(the_only(place))


def assert_interrupted(run: RunDirectory) -> None:
    shown = called("status", run.id).out
    assert "interrupted" in shown
    assert "nothing goes on" in shown
    assert "advances in" not in shown
    found = called("status", run.id, "--json").object
    assert (found["alive"], found["rehearsed"]["ended"]) == (False, "interrupted")
    assert found["advance_in_ms"] is None
    assert "interrupted" in called("list", "--rehearsals").out


def test_under_nohup_a_hangup_ends_no_rehearsal(minimal: Path, place: StateDirectory) -> None:
    with rehearsing(minimal, "--speed", "20", hangup=signal.SIG_IGN) as process:
        read_until(process, type="phase", phase="ATTACHING")
        process.send_signal(signal.SIGHUP)
        read_until(process, type="phase", phase="SHIFTING")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert "SIGTERM ended" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_rehearsals_and_what_is_finished_is_shown(
    number: int, minimal: Path
) -> None:
    with rehearsing(minimal, "--all", "--no-judges") as process:
        first = read_until(process, verdict="as_expected")
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + number
        last = json.loads(out.splitlines()[-1])
        held_against_its_schema(last)
        assert last["schema"] == "cutover.error.v1"
        assert "scenarios are not finished" in last["error"]
        assert any(line.split()[:1] == [first["scenario"]] for line in err.splitlines())
        assert "Traceback" not in err
        assert_nobody_left(process.pid)
    listed = called("list", "--rehearsals", "--json").objects
    assert not any(one["alive"] for one in listed)
    assert len(listed) < 60


def assert_nobody_left(group: int) -> None:
    """Soon: whoever was killed may still have to be reaped."""
    for _ in range(PATIENCE):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        SystemClock().sleep(100)
    pytest.fail("a process of the rehearsals is left")


_IN_A_CALLBACK = """import os, signal, sys, weakref
from pathlib import Path
from cutover.app.rehearsal import rehearse
from cutover.app.scenarios import load_scenario
from cutover.core.errors import StoppedError
from cutover.emulator.witness import Witness
from cutover.local.disk import RealDisk
from cutover.local.plan_file import load_plan
from cutover.local.state_directory import StateDirectory

class Thing: pass

class SignalsInACallback(Witness):
    def begins(self, balancer, now_ms):
        thing = Thing()
        ref = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        del thing

name, scenario = load_scenario("healthy")
place = StateDirectory(Path(sys.argv[2]), RealDisk())
try:
    rehearse(
        load_plan(Path(sys.argv[1])).plan, scenario, name=name, plan_text="", seed=0, place=place, witness=SignalsInACallback()
    )
except StoppedError as stopped:
    print(int(stopped.exit_code))
"""


def test_a_signal_while_the_world_is_built_is_heard_wherever_python_stands(
    minimal: Path, tmp_path: Path
) -> None:
    """Python prints and drops what is raised in the callback of a weak reference."""
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_CALLBACK, minimal, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.stdout, done.stderr) == (f"{128 + signal.SIGTERM}\n", "")
