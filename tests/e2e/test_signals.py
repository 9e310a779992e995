"""Ctrl-C, SIGTERM, a closed terminal: a run ends in order, or does not end at all."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from tests.e2e.stage import Process, Record, Stage
from tests.e2e.witness import is_write

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _seconds(first: Record, last: Record) -> float:
    return float(last["boot_ms"] - first["boot_ms"]) / 1000


PATIENCE = 15
"""Seconds of a signal that are no bake's; 5 are promised, on a machine that does not stall (P22)."""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_journals_a_hold_and_ends_the_process(
    stage: Stage, number: signal.Signals, code: int
) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 60s"))
    stage.until_phase("BAKING", run, step=0)
    run.signal(number)
    stage.expect(run, code)
    command = next(one for one in stage.records() if one["type"] == "command")
    close = stage.records()[-1]
    assert (close["type"], close["exit_code"], close["phase"]) == ("close", code, "HOLDING")
    assert _seconds(command, close) < PATIENCE
    assert stage.shares() == {0.1}
    assert "cutover resume one" in run.said
    stage.expect(stage.drive("rollback", "one"), 3)
    assert stage.is_restored()


def test_a_signal_does_not_wait_for_an_answer_that_never_comes(stage: Stage) -> None:
    hanging = stage.witness.happens("wait", is_write(at_least=0.05))
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until("the raise", hanging.met.is_set, run)
    assert not hanging.gate.is_set()
    run.signal(signal.SIGTERM)
    stage.expect(run, 143)
    assert not hanging.gate.is_set(), "the write is still on its way"
    outcome = next(one for one in reversed(stage.records()) if one["type"] == "outcome")
    assert outcome["result"] == "ambiguous"
    assert outcome["code"] == "timeout", (
        "not waited for until the call's own 10 s, which have another code"
    )
    hanging.gate.set()
    stage.until("the late write", lambda: stage.shares() == {0.1})
    stage.expect(stage.drive("rollback", "one"), 3)
    assert stage.is_restored()


def test_a_rollback_refuses_two_signals_and_the_third_leaves_the_commands(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    refusing = stage.witness.happens("throttle", is_write(at_most=0.0), times=1_000)
    stage.witness.traffic.break_destination(0.5)
    stage.until_phase("ROLLING_BACK", run)

    def refused(times: int) -> bool:
        return times == sum("refused" in one.get("text", "") for one in stage.records())

    for times in (1, 2):
        run.signal(signal.SIGINT)
        stage.until(f"refusal {times}", partial(refused, times), run)
    run.signal(signal.SIGINT)
    stage.expect(run, 4)
    assert "aws elbv2 modify-rule" in run.said
    refusing.times = 0
    stage.expect(stage.drive("rollback", "one"), 3)
    assert stage.is_restored()


def test_neither_a_hangup_nor_a_closed_pipe_ends_a_run(stage: Stage) -> None:
    plan = stage.plan("weight: 100, bake: 2s", more="acknowledge_big_bang: true\n")
    reading, writing = os.pipe()
    run: Process = stage.start("run", plan, "--yes", "--run-id", "one", stdout=writing)
    os.close(writing)
    stage.until_phase("ATTACHING", run)
    os.close(reading)
    run.signal(signal.SIGHUP)
    run.signal(signal.SIGPIPE)
    stage.expect(run, 0)
    assert stage.shares() == {1.0}


def test_a_signal_before_the_first_write_leaves_everything_as_it_was(stage: Stage) -> None:
    run = stage.run(stage.plan())
    stage.until("the first look, 5 s before the second", lambda: len(stage.records()) > 3, run)
    run.signal(signal.SIGTERM)
    stage.expect(run, 143)
    assert stage.phase() == "REFUSED", stage.view()
    assert not stage.witness.writes()
    assert stage.say("list").code == 0
