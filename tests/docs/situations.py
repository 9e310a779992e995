"""The worlds that the runbooks speak of, on an emulated AWS in real time."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from typing import Final

from tests.e2e.stage import Stage
from tests.e2e.witness import is_write, named

LONG = ("weight: 10, bake: 300s", "weight: 50, bake: 300s")
SHORT = ("weight: 10, bake: 2s", "weight: 50, bake: 2s")


def ready(stage: Stage) -> None:
    """A plan whose steps are short."""
    stage.plan(*SHORT)


def baking(stage: Stage) -> None:
    """A run that bakes at 10 % for long."""
    run = stage.run(stage.plan(*LONG))
    stage.until_phase("BAKING", run)


def asking(stage: Stage) -> None:
    """A run that asks before its second step."""
    run = stage.run(stage.plan(SHORT[0], 'weight: 50, bake: 300s, approve: "load test passed"'))
    stage.until_phase("HOLDING", run)


def completed(stage: Stage) -> None:
    """A run that has everything on the destination, and is not finished."""
    run = stage.run(stage.plan("weight: 100, bake: 2s", more="acknowledge_big_bang: true\n"))
    stage.expect(run, 0)


def rolled_back(stage: Stage) -> None:
    """A run that went back by itself."""
    baking(stage)
    stage.witness.traffic.break_destination(0.5)
    stage.expect(stage.processes[-1], 3)


def crashed(stage: Stage) -> None:
    """A run whose process was killed in its first bake."""
    # long enough for a slow machine to kill within it
    run = stage.run(stage.plan("weight: 10, bake: 8s", "weight: 50, bake: 2s"))
    stage.until_phase("BAKING", run)
    os.kill(run.pid, signal.SIGKILL)
    run.ends()


def damaged(stage: Stage) -> None:
    """The same, and its journal is damaged in the middle."""
    crashed(stage)
    journal = stage.directory / "journal.jsonl"
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(bytes(data))


def lost(stage: Stage) -> None:
    """The same, and the machine with the run's files is gone."""
    crashed(stage)
    shutil.rmtree(stage.state)


def drifted(stage: Stage) -> None:
    """A run whose route somebody else changed."""
    baking(stage)
    route = stage.place.routes[0]
    groups = [
        {"TargetGroupArn": stage.place.source, "Weight": 700},
        {"TargetGroupArn": stage.place.destination, "Weight": 300},
    ]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    stage.emulator.write(route, [forward])
    stage.until_phase("HOLDING")


def expired(stage: Stage) -> None:
    """A run whose credentials AWS refuses from now on."""
    run = stage.run(stage.plan("weight: 10, bake: 300s", "weight: 50, bake: 300s"))
    stage.until_phase("BAKING", run)
    stage.witness.happens("expired", lambda _: True, times=1_000_000)
    stage.until_phase("HOLDING")


def silent(stage: Stage) -> None:
    """A run that CloudWatch does not answer."""
    baking(stage)
    stage.witness.happens("denied", named("GetMetricData"), times=1_000_000)
    stage.until_phase("HOLDING")


def stuck(stage: Stage) -> None:
    """A rollback whose writes AWS throttles."""
    baking(stage)
    stage.witness.happens("throttle", is_write(at_most=0.0), times=1_000_000)
    stage.witness.traffic.break_destination(0.5)
    stage.until("a write of the rollback that was refused", lambda: _refused(stage))


def _refused(stage: Stage) -> bool:
    return stage.phase() == "ROLLING_BACK" and stage.records()[-1]["type"] == "outcome"


def no_control(stage: Stage) -> None:
    """A run whose destination fails at 100 %, and nobody can tell whether the source would too."""
    only = "acknowledge_big_bang: true\nhold_back: 0%\n"
    safety = "{blind_budget: 60s, on_shared_after_raise: hold}"
    run = stage.run(stage.plan("weight: 100, bake: 300s", safety=safety, more=only))
    stage.until_phase("BAKING", run)
    stage.witness.traffic.break_destination(0.5)
    stage.until_phase("HOLDING", run)


def aws_answers(stage: Stage) -> None:
    """AWS takes and answers every call again."""
    stage.witness.faults.clear()


def process_ends(stage: Stage) -> None:
    """The run's process ends, however it likes."""
    stage.processes[0].ends()


SITUATIONS: Final[dict[str, Callable[[Stage], None]]] = {
    "ready": ready,
    "baking": baking,
    "asking": asking,
    "completed": completed,
    "rolled-back": rolled_back,
    "crashed": crashed,
    "damaged": damaged,
    "lost": lost,
    "drifted": drifted,
    "expired": expired,
    "silent": silent,
    "stuck": stuck,
    "no-control": no_control,
}

MEANWHILE: Final[dict[str, Callable[[Stage], None]]] = {
    "aws-answers": aws_answers,
    "process-ends": process_ends,
}
