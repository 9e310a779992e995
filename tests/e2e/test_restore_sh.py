"""restore.sh, executed: a shell and the AWS CLI put everything back without this tool."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _restore(stage: Stage) -> subprocess.CompletedProcess[str]:
    tools = Path(sys.executable).parent
    path = f"{tools}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    return subprocess.run(
        ["sh", str(stage.directory / "restore.sh")],
        env=stage.environment({"PATH": path, "AWS_MAX_ATTEMPTS": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )


def _leave_on_the_way(stage: Stage) -> None:
    """A run that is killed with traffic on the destination."""
    run = stage.run(stage.plan("weight: 10, bake: 30s", gates=("healthy: {}",)))
    stage.until_phase("SETTLING", run, step=0)
    os.kill(run.pid, signal.SIGKILL)
    run.ends()
    assert stage.shares() == {0.1}


@pytest.mark.stage(rules=1, listener=True)
def test_it_restores_rules_and_default_actions(stage: Stage) -> None:
    _leave_on_the_way(stage)
    done = _restore(stage)
    assert done.returncode == 0, done.stderr
    assert stage.is_restored(), stage.live()
    assert "all 2 route(s) restored" in done.stderr


@pytest.mark.stage(rules=1, listener=True, sticky=True)
def test_it_restores_stickiness_too(stage: Stage) -> None:
    _leave_on_the_way(stage)
    done = _restore(stage)
    assert done.returncode == 0, done.stderr
    assert stage.is_restored(), stage.live()


@pytest.mark.stage(rules=3)
def test_it_goes_on_after_a_line_that_failed_and_can_be_run_again(stage: Stage) -> None:
    _leave_on_the_way(stage)
    stage.witness.happens("denied", lambda call: call.operation == "ModifyRule")
    done = _restore(stage)
    assert done.returncode == 1
    assert "1 of 3 route(s) were NOT restored" in done.stderr
    restored = [live == stage.found[route] for route, live in stage.live().items()]
    assert sorted(restored) == [False, True, True]
    assert _restore(stage).returncode == 0
    assert stage.is_restored()


def test_it_refuses_another_account(stage: Stage) -> None:
    _leave_on_the_way(stage)
    writes = len(stage.witness.writes())
    stage.witness.account = "999999999999"
    done = _restore(stage)
    assert done.returncode == 1
    assert "999999999999" in done.stderr
    assert len(stage.witness.writes()) == writes
    assert stage.shares() == {0.1}


def test_the_tool_takes_note_of_what_the_script_did(stage: Stage) -> None:
    _leave_on_the_way(stage)
    assert _restore(stage).returncode == 0
    done = stage.say("rollback", "one")
    assert done.code == 3, done.said
    assert stage.is_restored()
