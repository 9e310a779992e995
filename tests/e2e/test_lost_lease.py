"""A process that lost its lease: to another process, which it leaves alone from then on, or to nobody, and it goes on."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _delete_locks(stage: Stage) -> None:
    for lock in stage.state.glob("leases/*.lock"):
        lock.unlink()


def test_a_process_that_wakes_up_to_find_its_run_completed_by_another_writes_nothing(
    stage: Stage,
) -> None:
    first = stage.run(stage.plan("weight: 10, bake: 5s", "weight: 40, bake: 5s"))
    stage.until_phase("BAKING", first, step=0)
    first.signal(signal.SIGSTOP)
    _delete_locks(stage)
    stage.expect(stage.drive("resume", "one"), 0)
    assert stage.shares() == {0.4}
    files = {path: path.read_bytes() for path in stage.directory.iterdir() if path.is_file()}
    writes = len(stage.witness.writes())

    first.signal(signal.SIGCONT)
    assert first.ends() == 4, stage.view()
    assert stage.shares() == {0.4}, stage.view()
    assert len(stage.witness.writes()) == writes, "it asked AWS for nothing"
    assert {
        path: path.read_bytes() for path in stage.directory.iterdir() if path.is_file()
    } == files, "journal, ballast, restore.sh and all others are the new owner's"
    assert "cutover status one" in first.said
    status = stage.say("status", "one")
    assert "COMPLETED" in status.out
    stage.verified()


def test_a_process_whose_run_is_driven_by_another_by_now_ends_and_hears_no_command_for_it(
    stage: Stage,
) -> None:
    first = stage.run(stage.plan("weight: 10, bake: 60s"))
    stage.until_phase("BAKING", first, step=0)
    first.signal(signal.SIGSTOP)
    _delete_locks(stage)
    second = stage.drive("resume", "one")
    stage.until(
        "a second process", lambda: [r for r in stage.records() if r["type"] == "lease"][1:]
    )
    first.signal(signal.SIGCONT)
    assert first.ends() == 4, stage.view()
    said = stage.say("rollback", "one")
    assert said.code == 0, said.said
    stage.expect(second, 3)
    assert stage.is_restored()
    stage.verified()


def test_lock_files_that_are_deleted_stop_the_raise_and_not_the_rollback(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 60s", "weight: 100, bake: 2s"))
    stage.until_phase("BAKING", run, step=0)
    before = {lock: lock.stat().st_ino for lock in stage.state.glob("leases/*.lock")}
    _delete_locks(stage)
    stage.until(
        "the lease, taken again",
        lambda: all(lock.exists() and lock.stat().st_size for lock in before),
        run,
    )
    said = stage.say("rollback", "one")
    assert said.code == 0, said.said
    stage.expect(run, 3)
    assert stage.is_restored()
    stage.verified()
