"""Who may move a route: locks that die with their process, claims that do not."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cutover.app.offline import read_run
from cutover.core.errors import ExitCode, LeaseError, RefusedError
from cutover.core.observation import LOST, OWNED, Known, Unknown
from cutover.core.values import RouteId
from cutover.local.claims import Claims
from cutover.local.disk import RealDisk
from cutover.local.holders import driver, holder
from cutover.local.lease import LOOK_S, LOOKS, FlockLease, SoleLease
from cutover.local.state_directory import StateDirectory
from tests import records
from tests.local.samples import AT, INTENT, OPEN, PREFLIGHT, journal_of

A, B, C = (RouteId(f"arn:rule/{name}") for name in "abc")


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    found = StateDirectory(tmp_path / "state")
    found.prepare()
    return found


def run_in(state: StateDirectory, run_id: str, phase: str) -> None:
    run = state.get(run_id) or state.create(run_id, "")
    change = records.phase_changed("", phase, "", 0)
    run.journal.write_bytes(journal_of((OPEN, PREFLIGHT, INTENT, change), run=run_id))


HOLDER = """
import sys
from pathlib import Path
from cutover.core.errors import LeaseError
from cutover.local.lease import FlockLease
from cutover.local.state_directory import StateDirectory
from tests.local.samples import AT
try:
    lease = FlockLease.take(StateDirectory(Path(sys.argv[1])), sys.argv[3:], sys.argv[2], AT)
except LeaseError as error:
    print("refused", flush=True)
else:
    print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def process(
    state: StateDirectory, run_id: str, *routes: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", HOLDER, str(state.root), run_id, *routes]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        try:
            yield other, other.stdout.readline().strip()
        finally:
            other.kill()


def test_another_process_on_one_shared_route_is_refused_and_told_who_holds_it(
    state: StateDirectory,
) -> None:
    with process(state, "shop-1", A, B) as (other, said):
        assert said == "held"
        with pytest.raises(LeaseError) as caught:
            FlockLease.take(state, [B, C], "cart-1", AT)
        message = str(caught.value)
        assert "arn:rule/b is being moved by run shop-1" in message
        assert f"process {other.pid}" in message
        assert "2026-11-20T12:00:00.123Z" in message
        assert "cutover rollback shop-1" in caught.value.hint
        assert caught.value.exit_code is ExitCode.CLAIMED
        assert holder(state, B) is not None
        assert holder(state, C) is None, "a refused lease keeps nothing"
        FlockLease.take(state, [C], "cart-1", AT).close()


def test_a_process_that_drives_is_found_by_its_runs_name_before_the_run_says_anything(
    state: StateDirectory,
) -> None:
    with process(state, "shop-1", A, B) as (other, _):
        found = driver(state, "shop-1")
        assert found is not None
        assert found.pid == other.pid
        assert driver(state, "shop-2") is None
        run = state.create("shop-1", "")
        read = read_run(state, run)
        assert read.driver == found
        assert "journal" not in read.trouble, "it is only not there yet"
    assert driver(state, "shop-1") is None
    assert driver(StateDirectory(state.root / "nowhere"), "shop-1") is None


def test_who_only_looks_at_a_lock_refuses_nobody(state: StateDirectory) -> None:
    FlockLease.take(state, [A], "shop-1", AT).close()
    (lock,) = state.leases.glob("*.lock")
    with lock.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        # longer than who drives is waited for: a look on a machine that stalls
        leaving = threading.Timer(2 * LOOKS * LOOK_S, fcntl.flock, (looking, fcntl.LOCK_UN))
        leaving.start()
        try:
            lease = FlockLease.take(state, [A], "shop-1", AT)
        finally:
            leaving.join()
        found = driver(state, "shop-1")
        assert found is not None
        assert found.pid == os.getpid()
        lease.close()


def test_kill_9_frees_the_lock_but_not_the_claim(state: StateDirectory) -> None:
    run_in(state, "shop-1", "BAKING")
    with process(state, "shop-1", A) as (other, said):
        assert said == "held"
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert holder(state, A) is None
        with pytest.raises(
            LeaseError, match=r"belongs to run shop-1 \(BAKING\), which is not over"
        ):
            FlockLease.take(state, [A], "cart-1", AT)
        FlockLease.take(state, [A], "shop-1", AT).close()


def test_of_many_processes_that_start_together_exactly_one_wins(state: StateDirectory) -> None:
    for _ in range(3):
        commands = [
            [sys.executable, "-c", HOLDER, str(state.root), f"run-{n}", A, B] for n in range(4)
        ]
        others = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for command in commands
        ]
        said = [other.stdout.readline().strip() for other in others if other.stdout]
        assert sorted(said) == ["held", "refused", "refused", "refused"]
        for other in others:
            other.communicate("")


def test_a_stopped_process_keeps_its_lock(state: StateDirectory) -> None:
    with process(state, "shop-1", A) as (other, _):
        other.send_signal(signal.SIGSTOP)
        with pytest.raises(LeaseError):
            FlockLease.take(state, [A], "cart-1", AT)


def test_a_command_that_the_runner_starts_does_not_inherit_the_lock(state: StateDirectory) -> None:
    lease = FlockLease.take(state, [A], "shop-1", AT)
    command = [sys.executable, "-c", "print('up', flush=True); input()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, close_fds=False) as child:
        assert child.stdout is not None
        child.stdout.readline()
        lease.close()
        assert holder(state, A) is None
        child.kill()


def test_a_run_that_rests_keeps_its_routes_until_it_is_over(state: StateDirectory) -> None:
    for phase in ("COMPLETED", "NEEDS_HUMAN", "HOLDING"):
        run_in(state, "shop-1", phase)
        FlockLease.take(state, [A], "shop-1", AT).close()
        with pytest.raises(LeaseError, match=phase):
            FlockLease.take(state, [A], "cart-1", AT)
    run_in(state, "shop-1", "FINISHED")
    FlockLease.take(state, [A], "cart-1", AT).close()
    assert Claims(state, lambda run: False).of([A]) == {A: "cart-1"}


def test_a_run_that_died_in_preflight_claims_nothing(state: StateDirectory) -> None:
    run = state.create("shop-1", "")
    run.journal.write_bytes(journal_of((OPEN, PREFLIGHT)))
    FlockLease.take(state, [A], "shop-1", AT).close()
    lease = FlockLease.take(state, [A], "cart-1", AT)
    assert isinstance(lease.renew(AT), Known)
    lease.close()


def test_released_routes_are_free_and_only_the_owner_releases(state: StateDirectory) -> None:
    run_in(state, "shop-1", "BAKING")
    FlockLease.take(state, [A, B], "shop-1", AT).close()
    claims = Claims(state)
    claims.release([A, B], "cart-1")
    assert claims.of([A, B, C]) == {A: "shop-1", B: "shop-1"}
    claims.release([A, B], "shop-1")
    assert claims.of([A, B, C]) == {}


def test_a_claim_that_cannot_be_read_excludes_everybody(state: StateDirectory) -> None:
    FlockLease.take(state, [A], "shop-1", AT).close()
    (claim,) = state.leases.glob("*.claim")
    claim.write_text("{")
    with pytest.raises(LeaseError, match="cannot be read") as caught:
        FlockLease.take(state, [A], "cart-1", AT)
    assert "remove the file" in caught.value.hint
    assert holder(state, A) is None


def code_of(reading: object) -> str:
    assert isinstance(reading, Unknown), reading
    return reading.code


def test_a_lock_file_that_was_removed_is_unknown_once_and_then_taken_again(
    state: StateDirectory,
) -> None:
    lease = FlockLease.take(state, [A, B], "shop-1", AT)
    assert isinstance(lease.renew(AT), Known)
    assert lease.ends(AT) is None
    for lock in state.leases.glob("*.lock"):
        lock.unlink()
    unproven = lease.renew(AT)
    assert code_of(unproven) == LOST
    assert "deleted or replaced" in str(unproven)
    assert lease.other_owner() == ""
    assert isinstance(lease.renew(AT), Known)
    with process(state, "shop-1", A) as (_, said):
        assert said == "refused"
    lease.close()
    assert code_of(lease.renew(AT)) == LOST


def test_a_lease_directory_that_was_removed_is_made_again_and_one_that_cannot_be_stays_unknown(
    state: StateDirectory,
) -> None:
    lease = FlockLease.take(state, [A], "shop-1", AT)
    shutil.rmtree(state.leases)
    assert code_of(lease.renew(AT)) == LOST
    assert isinstance(lease.renew(AT), Known)
    assert len(list(state.leases.iterdir())) == 2, "its lock and its claim"
    shutil.rmtree(state.root)
    assert code_of(lease.renew(AT)) == LOST
    assert code_of(lease.renew(AT)) == LOST
    lease.close()


def test_whoever_holds_the_new_lock_file_is_the_proved_owner(state: StateDirectory) -> None:
    lease = FlockLease.take(state, [A, B], "shop-1", AT)
    for lock in state.leases.glob("*.lock"):
        lock.unlink()
    with process(state, "shop-1", A, B) as (other, said):
        assert said == "held"
        for _ in range(2):
            owned = lease.renew(AT)
            assert code_of(owned) == OWNED
            assert f"process {other.pid}" in str(owned)
        assert "drives run shop-1" in lease.other_owner()
    assert lease.other_owner() == "", "it died, and nothing else proves that it was there"
    lease.close()


def test_a_lock_in_the_hand_of_somebody_without_a_name_proves_no_owner(
    state: StateDirectory,
) -> None:
    lease = FlockLease.take(state, [A], "shop-1", AT)
    (lock,) = state.leases.glob("*.lock")
    lock.unlink()
    with lock.open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        assert code_of(lease.renew(AT)) == LOST
    assert code_of(lease.renew(AT)) == LOST, "taken again only now"
    assert isinstance(lease.renew(AT), Known)
    lease.close()


def test_another_runs_claim_or_a_foreign_record_proves_an_owner_too(state: StateDirectory) -> None:
    lease = FlockLease.take(state, [A], "shop-1", AT)
    shutil.rmtree(state.leases)
    state.leases.mkdir()
    run_in(state, "cart-1", "COMPLETED")
    FlockLease.take(state, [A], "cart-1", AT).close()
    assert "belongs to run cart-1" in lease.other_owner()
    Claims(state).release([A], "cart-1")
    assert lease.other_owner() == ""
    lease.journalled_by = lambda: "epoch 2 of run shop-1's journal"
    assert code_of(lease.renew(AT)) == OWNED
    lease.close()


class SwappingDisk(RealDisk):
    """Between open and lock, somebody removes the lock file."""

    def open_lock(self, path: Path) -> int:
        handle = super().open_lock(path)
        path.unlink()
        path.touch()
        return handle


def test_a_lock_on_a_file_that_was_just_removed_is_no_lock(state: StateDirectory) -> None:
    with pytest.raises(LeaseError, match="being moved"):
        FlockLease.take(StateDirectory(state.root, SwappingDisk()), [A], "shop-1", AT)


def test_a_lease_directory_that_is_gone_is_not_another_run(state: StateDirectory) -> None:
    state.leases.rmdir()
    with pytest.raises(RefusedError, match="No such file or directory"):
        FlockLease.take(state, [A], "shop-1", AT)


def test_a_lock_file_without_a_name_in_it_still_refuses(state: StateDirectory) -> None:
    lease = FlockLease.take(state, [A], "shop-1", AT)
    (lock,) = state.leases.glob("*.lock")
    os.truncate(lock, 0)
    with pytest.raises(LeaseError, match=r"run \(starting\)"):
        FlockLease.take(state, [A], "cart-1", AT)
    lease.close()


def test_a_rehearsals_own_world_needs_no_lock() -> None:
    assert isinstance(SoleLease().renew(AT), Known)
    assert SoleLease().ends(AT) is None


def test_a_full_disk_does_not_keep_a_rollback_from_its_lease(state: StateDirectory) -> None:
    class Full(RealDisk):
        def write_all(self, handle: int, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    full = StateDirectory(state.root, Full())
    with pytest.raises(RefusedError, match="cannot be written: No space left") as caught:
        FlockLease.take(full, (A,), "one", AT)
    assert caught.value.exit_code is ExitCode.REFUSED, "6 would name another run"
    assert "free space" in caught.value.hint
    lease = FlockLease.take(full, (A,), "one", AT, for_rollback=True)
    assert isinstance(lease.renew(AT), Known)
    with pytest.raises(LeaseError, match="being moved"):
        FlockLease.take(state, (A,), "two", AT)
    lease.close()


def test_a_disk_without_a_byte_for_a_new_lock_file_does_not_keep_a_rollback(
    state: StateDirectory,
) -> None:
    class Full(RealDisk):
        def open_lock(self, path: Path) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    full = StateDirectory(state.root, Full())
    with pytest.raises(RefusedError, match="No space left"):
        FlockLease.take(full, (A,), "one", AT)
    lease = FlockLease.take(full, (A,), "one", AT, for_rollback=True)
    assert code_of(lease.renew(AT)) == LOST, "nothing may be raised with it"
    assert lease.other_owner() == ""
    lease.close()


def test_a_fifo_in_the_place_of_a_lock_or_a_claim_blocks_nobody(state: StateDirectory) -> None:
    FlockLease.take(state, [A], "shop-1", AT).close()
    for path in state.leases.iterdir():
        path.unlink()
        os.mkfifo(path)
    with pytest.raises(RefusedError, match="not a regular file"):
        FlockLease.take(state, [A], "shop-1", AT)
    with pytest.raises(LeaseError, match="cannot be looked at"):
        driver(state, "shop-1")
    lease = FlockLease.take(state, [A], "shop-1", AT, for_rollback=True)
    assert lease.other_owner() == ""
    lease.close()
