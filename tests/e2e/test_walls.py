"""Worlds that must not mix: emulated and real, this account and another."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.stage import Stage
from tests.e2e.witness import named

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NOBODY = "http://127.0.0.1:9"  # the discard port: whatever tries to reach real AWS ends here
OFFLINE = {"HTTPS_PROXY": NOBODY, "HTTP_PROXY": NOBODY, "NO_PROXY": None}


@pytest.mark.parametrize(
    "endpoint", ["http://emulator.example:5000", "https://10.0.0.7", "http://0.0.0.0:4566"]
)
def test_an_endpoint_that_is_neither_aws_nor_this_machine_is_refused(
    stage: Stage, endpoint: str
) -> None:
    done = stage.say("run", stage.plan(), "--yes", env={**OFFLINE, "AWS_ENDPOINT_URL": endpoint})
    assert done.code == 7, done.said
    assert endpoint in done.err
    assert not stage.witness.calls
    assert not list(stage.state.glob("runs/*"))


def test_an_emulated_run_cannot_be_continued_on_real_aws(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    run.signal(signal.SIGTERM)
    stage.expect(run, 143)
    calls = len(stage.witness.calls)
    for command in ("resume", "rollback"):
        done = stage.say(command, "one", env={**OFFLINE, "AWS_ENDPOINT_URL": None})
        assert done.code == 7, done.said
        assert "emulated" in done.err
    assert len(stage.witness.calls) == calls
    stage.expect(stage.drive("rollback", "one"), 3)


def test_another_account_is_refused_before_anything_is_written(stage: Stage) -> None:
    stage.witness.account = "999999999999"
    done = stage.say("run", stage.plan(), "--yes", "--run-id", "one")
    assert done.code == 7, done.said
    assert "999999999999" in done.said
    assert stage.phase() == "REFUSED"
    assert not stage.witness.writes()


def test_a_caller_that_aws_does_not_know_ends_with_8(stage: Stage) -> None:
    stage.witness.happens("expired", lambda _: True, times=10_000)
    done = stage.say("run", stage.plan(), "--yes", "--run-id", "one")
    assert done.code == 8, done.said
    assert not stage.witness.writes()


def test_a_first_write_that_aws_denies_ends_with_8(stage: Stage) -> None:
    stage.witness.happens("denied", named("ModifyRule"), times=10_000)
    stage.expect(stage.run(stage.plan()), 8)
    assert stage.is_restored()
