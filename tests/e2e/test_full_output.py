"""Standard output that takes nothing: a run loses its lines there, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@contextmanager
def _no_room() -> Iterator[int]:
    """A place without room."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_full_standard_output_does_not_keep_a_run_from_going_back(
    stage: Stage, more: tuple[str, ...]
) -> None:
    plan = stage.plan("weight: 10, bake: 60s", "weight: 100, bake: 2s")
    with _no_room() as full:
        run = stage.start("run", plan, "--yes", "--run-id", "one", *more, stdout=full)
    stage.witness.serves(run.pid)
    stage.until_phase("BAKING", run, step=0)
    stage.witness.traffic.break_destination(0.5)
    stage.expect(run, 3)
    assert stage.is_restored()
    assert "warning: standard output: No space left on device" in run.said
    assert "Traceback" not in run.said
    stage.verified()


def test_a_run_completes_with_0_although_nobody_could_read_it(stage: Stage) -> None:
    for commands in (("run", stage.plan(), "--yes", "--run-id", "one"), ("finish", "one")):
        with _no_room() as full:
            process = stage.start(*commands, stdout=full)
        stage.witness.serves(process.pid)
        stage.expect(process, 0)
        assert "`cutover journal show` say what happened" in process.said


def test_a_rollback_that_a_living_run_heard_is_not_said_to_have_changed_nothing(
    stage: Stage,
) -> None:
    run = stage.start("run", stage.plan("weight: 10, bake: 300s"), "--yes", "--run-id", "one")
    stage.witness.serves(run.pid)
    stage.until_phase("BAKING", run, step=0)
    with _no_room() as full:
        rollback = stage.start("rollback", "one", "--why", "enough", stdout=full)
    stage.expect(rollback, 0)
    assert "changed nothing" not in rollback.said
    assert "`cutover status` and `cutover journal show` say what happened" in rollback.said
    stage.expect(run, 3)
    assert stage.is_restored()
