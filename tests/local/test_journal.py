"""The journal on real files, on a disk that breaks, and across processes that are killed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cutover.app.offline import read_run
from cutover.core.errors import ExitCode, JournalError, NeedsHumanError, RefusedError
from cutover.core.journal.events import Record
from cutover.core.observation import Known, Unknown
from cutover.local.disk import RealDisk
from cutover.local.journal import FileJournal
from cutover.local.run_directory import RunDirectory
from cutover.local.snapshot_file import disarm_restore, read_snapshot
from cutover.local.state_directory import StateDirectory
from tests.local.samples import (
    AT,
    EVERY_TYPE,
    INTENT,
    NOTE,
    OPEN,
    PREFLIGHT,
    SNAPSHOT,
    journal_of,
    new_run,
    restore_text,
    rolling_back,
)
from tests.local.sim_disk import SimDisk

ROOT = Path("/")


def opened(run: RunDirectory, said: list[str] | None = None, **options: Any) -> FileJournal:
    complain = (said if said is not None else []).append
    return FileJournal.open_new(run, restore_text=restore_text, complain=complain, **options)


def reopened(run: RunDirectory, said: list[str] | None = None, **options: Any) -> FileJournal:
    complain = (said if said is not None else []).append
    return FileJournal.open_existing(run, restore_text=restore_text, complain=complain, **options)


def known(reading: object) -> Record:
    assert isinstance(reading, Known), reading
    assert isinstance(reading.value, Record)
    return reading.value


def test_records_are_numbered_from_one_and_come_back_in_the_next_epoch(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    written = [known(journal.append(event, AT)) for event in EVERY_TYPE]
    assert [record.seq for record in written] == list(range(1, len(EVERY_TYPE) + 1))
    journal.close()
    again = reopened(run)
    assert list(again.contents.records) == written
    assert known(again.append(NOTE, AT)).epoch == 2
    assert again.head_hash == run.contents().head_hash


def test_every_file_is_the_owners_alone(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    journal.append(OPEN, AT)
    assert isinstance(journal.keep_snapshot(SNAPSHOT, ["aws ..."]), Known)
    for path in [run.path, *run.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) in (0o600, 0o700), path
    assert stat.S_IMODE(run.journal.stat().st_mode) == 0o600
    assert os.access(run.restore, os.X_OK)


def test_an_existing_journal_is_never_begun_again(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    opened(run).close()
    with pytest.raises(RefusedError, match="File exists"):
        opened(run)


def test_a_torn_tail_is_moved_aside_before_anything_is_appended(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    journal.append(OPEN, AT)
    journal.close()
    with run.journal.open("ab") as file:
        file.write(b'{"half a li')
    again = reopened(run)
    known(again.append(NOTE, AT))
    assert (run.path / "journal.torn-1").read_bytes() == b'{"half a li'
    assert [record.event for record in run.contents().records] == [OPEN, NOTE]


def test_a_damaged_journal_refuses_to_go_on_and_names_the_line(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    for event in (OPEN, PREFLIGHT, NOTE):
        journal.append(event, AT)
    journal.close()
    run.journal.write_bytes(run.journal.read_bytes().replace(b"the run begins", b"the run began."))
    with pytest.raises(JournalError, match="line 2 is corrupt: its hash does not fit") as caught:
        reopened(run)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "cutover rollback shop-1" in caught.value.hint


def test_a_rollback_goes_on_from_a_damaged_journal_and_leaves_it_alone(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    for event in (OPEN, PREFLIGHT):
        journal.append(event, AT)
    journal.close()
    damaged = run.journal.read_bytes() + b"graffiti\n" + b"more\n"
    run.journal.write_bytes(damaged)
    for attempt in (1, 2):
        back = reopened(run, for_rollback=True)
        assert isinstance(back.append(NOTE, AT), Unknown)
        assert back.forced(rolling_back(), AT).seq == 2 + attempt
        back.close()
    assert run.journal.read_bytes() == damaged
    assert [r.event for r in run.contents().records] == [
        OPEN,
        PREFLIGHT,
        rolling_back(),
        rolling_back(),
    ]
    assert run.phase() == "ROLLING_BACK"


def test_a_deleted_directory_stops_raises_and_lets_a_rollback_leave_its_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    run, said = new_run(tmp_path), list[str]()
    journal = opened(run, said)
    journal.append(OPEN, AT)
    shutil.rmtree(run.path)
    refused = journal.append(INTENT, AT)
    assert isinstance(refused, Unknown)
    assert "deleted or replaced" in refused.reason
    assert journal.forced(rolling_back(), AT).seq == 2
    assert journal.end() is None
    (kept,) = tmp_path.glob("cutover-shop-1-*.jsonl")
    assert "ROLLING_BACK" in kept.read_text()
    assert str(kept) in said[0]


@pytest.mark.parametrize("how", ["rotated", "written to by another"])
def test_a_journal_that_is_not_ours_alone_any_more_takes_nothing(tmp_path: Path, how: str) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    journal.append(OPEN, AT)
    if how == "rotated":
        run.journal.rename(run.path / "journal.jsonl.1")
        run.journal.touch()
    else:
        with run.journal.open("ab") as file:
            file.write(b"x")
    assert isinstance(journal.append(INTENT, AT), Unknown)
    assert journal.trouble


def test_who_lost_the_run_to_a_later_epoch_knows_it_and_leaves_every_file_alone(
    tmp_path: Path,
) -> None:
    run = new_run(tmp_path)
    lost = opened(run)
    lost.append(OPEN, AT)
    lost.keep_snapshot(SNAPSHOT, [])
    assert lost.other_writer() == ""
    other = reopened(run)
    assert lost.other_writer() == "", "it has written nothing yet"
    known(other.append(PREFLIGHT, AT))
    assert "epoch 2" in lost.other_writer()
    before = {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    assert isinstance(lost.append(INTENT, AT), Unknown)
    assert lost.forced(rolling_back(), AT).event == rolling_back()
    assert isinstance(lost.keep_snapshot(SNAPSHOT, ["aws elbv2 modify-rule"]), Unknown)
    assert lost.end() is None
    lost.close()
    assert {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()} == before
    known(other.append(NOTE, AT))
    assert run.contents().damage is None


def test_who_has_the_lease_by_now_is_asked_before_a_record_is_written(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    journal.append(OPEN, AT)
    journal.locked_by = lambda: "process 7 on bastion drives run shop-1"
    before = run.journal.read_bytes()
    refused = journal.append(INTENT, AT)
    assert isinstance(refused, Unknown)
    assert "process 7 on bastion" in refused.reason
    assert run.journal.read_bytes() == before
    journal.close()
    assert (run.path / "ballast").exists(), "it is the other's"


@pytest.mark.parametrize("how", ["deleted", "graffiti", "an older copy", "a damaged part behind"])
def test_what_is_not_a_later_epoch_proves_no_other_owner(tmp_path: Path, how: str) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    journal.append(OPEN, AT)
    older = run.journal.read_bytes()
    journal.append(PREFLIGHT, AT)
    if how == "deleted":
        run.journal.unlink()
    elif how == "graffiti":
        with run.journal.open("ab") as file:
            file.write(b'{"epoch":9,"v":2,"hash":"00"}\n[]\n\xff\n')
    elif how == "an older copy":
        run.journal.unlink()
        run.journal.write_bytes(older)
    else:
        journal.close()
        run.journal.write_bytes(b"graffiti\n" + journal_of(epoch=7))
        journal = reopened(run, for_rollback=True)
    assert journal.other_writer() == ""


def sim_run(space: int | None = None) -> tuple[SimDisk, RunDirectory]:
    disk = SimDisk(space)
    return disk, new_run(ROOT, disk)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


class FullRun(RealDisk):
    """A disk on which the run directory takes nothing new."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run.path
        self._theirs: set[int] = set()

    def create(self, path: Path, mode: int = 0o600) -> int:
        if self._run in path.parents:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        handle = super().create(path, mode)
        self._theirs.add(handle)
        return handle

    def write(self, handle: int, data: bytes) -> int:
        if handle not in self._theirs:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(handle, data)


def rolled_back_on_a_full_disk(run: RunDirectory) -> None:
    journal = opened(run)
    journal.append(OPEN, AT)
    journal.close()
    full = RunDirectory(run.path, FullRun(run))
    back = reopened(full, for_rollback=True)
    assert isinstance(back.append(rolling_back(), AT), Unknown)
    back.forced(rolling_back(), AT)
    back.forced(NOTE, AT)
    back.close()


def test_what_a_full_disk_sent_to_the_temporary_directory_is_found_again(
    tmp_path: Path, temporary: Path
) -> None:
    run = new_run(tmp_path)
    rolled_back_on_a_full_disk(run)
    (kept,) = temporary.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [r.event for r in run.contents().records] == [OPEN, rolling_back(), NOTE]
    assert run.phase() == "ROLLING_BACK"
    again = reopened(run)
    assert [r.event for r in again.contents.records] == [OPEN, rolling_back(), NOTE]
    assert known(again.append(NOTE, AT)).epoch == 3
    assert list(temporary.iterdir()) == [], "the journal has it now"
    assert (run.path / "journal.fallback-1").exists()


def test_two_fallbacks_of_two_processes_are_both_found(tmp_path: Path, temporary: Path) -> None:
    run = new_run(tmp_path)
    rolled_back_on_a_full_disk(run)
    full = RunDirectory(run.path, FullRun(run))
    back = reopened(full, for_rollback=True)
    back.forced(PREFLIGHT, AT)
    back.close()
    assert len(list(temporary.iterdir())) == 2
    said = [OPEN, rolling_back(), NOTE, PREFLIGHT]
    assert [r.event for r in run.contents().records] == said
    assert [r.event for r in reopened(run).contents.records] == said


def test_what_others_put_into_the_temporary_directory_is_neither_written_to_nor_believed(
    tmp_path: Path, temporary: Path
) -> None:
    run = new_run(tmp_path)
    rolled_back_on_a_full_disk(run)
    (kept,) = temporary.iterdir()
    os.mkfifo(temporary / "cutover-shop-1-fifo.jsonl")
    (temporary / "cutover-shop-1-link.jsonl").symlink_to(kept)
    (temporary / "cutover-shop-1-none.jsonl").write_bytes(b"{}\n")
    (temporary / f"cutover-shop-1-{os.getpid()}.jsonl").mkdir()
    assert [r.event for r in run.contents().records] == [OPEN, rolling_back(), NOTE]
    if os.geteuid() == 0:  # only root can give a file away
        os.chown(kept, 12_345, -1)
        assert [r.event for r in run.contents().records] == [OPEN]


@pytest.mark.parametrize("what", ["fifo", "directory", "link"])
def test_a_rollback_is_not_kept_by_what_stands_in_the_place_of_its_fallback(
    tmp_path: Path, temporary: Path, what: str
) -> None:
    run, said = new_run(tmp_path), list[str]()
    journal = opened(run, said)
    journal.append(OPEN, AT)
    if what == "fifo":
        os.mkfifo(run.fallback)
    elif what == "directory":
        run.fallback.mkdir()
    else:
        run.fallback.symlink_to(tmp_path / "elsewhere")
    run.journal.unlink()
    journal.forced(rolling_back(), AT)
    (kept,) = temporary.iterdir()
    assert str(kept) in said[0]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("what", ["journal", "snapshot", "restore", "plan", "view", "fallback"])
def test_a_fifo_in_the_place_of_a_runs_file_blocks_nobody(tmp_path: Path, what: str) -> None:
    run = new_run(tmp_path)
    journal = opened(run)
    journal.append(OPEN, AT)
    journal.keep_snapshot(SNAPSHOT, [])
    journal.close()
    path: Path = getattr(run, what)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    place = StateDirectory(run.path.parents[1])
    read_run(place, run)
    run.pid()
    with contextlib.suppress(NeedsHumanError):
        read_snapshot(run)
    with contextlib.suppress(OSError):
        disarm_restore(run, "test")
    again = reopened(run, for_rollback=True)
    assert again.forced(OPEN, AT).event == OPEN  # a rollback goes on, and keeps what it says
    again.close()


def test_a_failed_sync_is_never_retried_and_the_rollback_goes_to_the_fallback() -> None:
    disk, run = sim_run()
    journal = opened(run)
    journal.append(OPEN, AT)
    disk.fail("sync", errno.EIO, times=1)
    assert isinstance(journal.append(INTENT, AT), Unknown)
    before = disk.calls.count("sync")
    assert isinstance(journal.append(INTENT, AT), Unknown), (
        "the disk is well again, the descriptor is not"
    )
    assert disk.calls.count("sync") == before
    assert journal.forced(rolling_back(), AT).seq == 2
    assert b"ROLLING_BACK" in disk.read(run.fallback)
    assert b"ROLLING_BACK" not in disk.read(run.journal)


def test_the_next_process_takes_the_fallback_in_and_drops_what_was_never_confirmed() -> None:
    disk, run = sim_run()
    journal = opened(run)
    journal.append(OPEN, AT)
    disk.fail("sync", errno.EIO, times=1)
    journal.append(INTENT, AT)
    journal.forced(rolling_back(), AT)
    journal.close()
    assert [r.event for r in run.contents().records] == [OPEN, rolling_back()], (
        "readers see it at once"
    )
    again = reopened(run)
    assert [r.event for r in again.contents.records] == [OPEN, rolling_back()]
    assert known(again.append(NOTE, AT)).epoch == 2
    assert {"journal.torn-1", "journal.fallback-1"} <= set(disk.list(run.path))
    assert disk.look(run.fallback) is None
    assert [r.event for r in run.contents().records] == [OPEN, rolling_back(), NOTE]


def test_a_turn_whose_records_all_failed_is_replaced_by_what_the_rollback_said() -> None:
    disk, run = sim_run()
    journal = opened(run)
    journal.append(OPEN, AT)
    disk.fail("sync", errno.EIO, times=1)
    assert isinstance(journal.append_all((INTENT, INTENT, NOTE), AT), Unknown)
    for event in (rolling_back(), NOTE):
        journal.forced(event, AT)
    journal.close()
    said = [OPEN, rolling_back(), NOTE]
    assert [r.event for r in run.contents().records] == said
    assert [r.event for r in reopened(run).contents.records] == said


def test_a_crash_while_the_fallback_is_taken_in_loses_nothing() -> None:
    for boundary in range(40):
        disk, run = sim_run()
        journal = opened(run)
        journal.append(OPEN, AT)
        disk.fail("sync", errno.EIO, times=1)
        journal.append(INTENT, AT)
        for event in (rolling_back(), NOTE):
            journal.forced(event, AT)
        journal.close()
        disk.calls.clear()
        crashing = CrashAt(disk, boundary)
        try:
            reopened(RunDirectory(run.path, crashing)).close()
        except CrashError:
            disk.crash(seed=boundary)
            survived = [r.event for r in reopened(run).contents.records]
            assert survived == [OPEN, rolling_back(), NOTE], f"crash at operation {boundary}"
        else:
            assert boundary > 10
            return
    pytest.fail("it never got through")


class CrashError(Exception):
    """The power went."""


class CrashAt(SimDisk):
    """The same files as another disk; the power goes at the n-th operation."""

    def __init__(self, disk: SimDisk, boundary: int) -> None:
        super().__init__()
        self._root, self._open, self._left = disk._root, disk._open, boundary

    def _called(self, operation: str) -> None:
        if self._left == 0:
            raise CrashError
        self._left -= 1
        super()._called(operation)


@pytest.mark.parametrize("seed", range(5))
def test_what_append_confirmed_survives_a_power_loss_at_every_operation(seed: int) -> None:
    for boundary in range(200):
        disk, run = sim_run()
        confirmed = []
        try:
            journal = opened(RunDirectory(run.path, CrashAt(disk, boundary)))
            for event in EVERY_TYPE:
                confirmed.append(known(journal.append(event, AT)).event)  # noqa: PERF401  it may end early
        except CrashError:
            disk.crash(seed)
            if not confirmed:
                continue
            survived = [r.event for r in reopened(run).contents.records]
            assert survived[: len(confirmed)] == confirmed
            assert len(survived) <= len(confirmed) + 1
        else:
            return
    pytest.fail("it never got through")


def test_a_full_disk_refuses_the_raise_and_still_journals_the_hold() -> None:
    _, run = sim_run(space=(1 << 20) + 2_000)
    journal = opened(run)
    journal.append(OPEN, AT)
    reading: object = None
    for _ in range(20):
        reading = journal.append(INTENT, AT)
        if isinstance(reading, Unknown):
            break
    assert isinstance(reading, Unknown)
    assert reading.code == "disk_full"
    known(journal.append(PREFLIGHT, AT))
    known(journal.append(rolling_back(), AT))
    contents = run.contents()
    assert (contents.damage, contents.torn) == (None, b"")
    assert contents.records[-1].event == rolling_back()


def test_a_rollback_that_meets_a_full_disk_is_journalled_in_the_room_of_the_ballast() -> None:
    disk, run = sim_run(space=(1 << 20) + 1_000)
    journal = opened(run)
    journal.append(OPEN, AT)
    disk.space = 0
    assert isinstance(journal.append(rolling_back(), AT), Unknown)
    assert journal.forced(rolling_back(), AT) == run.contents().records[-1]
    assert disk.look(run.fallback) is None


def test_after_a_record_went_to_the_fallback_the_journal_takes_none() -> None:
    disk, run = sim_run()
    journal = opened(run)
    journal.append(OPEN, AT)
    disk.fail("write", errno.ENOSPC, times=2)
    assert isinstance(journal.append(rolling_back(), AT), Unknown)
    journal.forced(rolling_back(), AT)
    assert isinstance(journal.append(NOTE, AT), Unknown), "or the two would tell different stories"
    journal.forced(NOTE, AT)
    assert [r.event for r in run.contents().records] == [OPEN, rolling_back(), NOTE]


def test_a_file_that_did_not_fit_leaves_no_half_of_it_on_the_full_disk() -> None:
    disk, run = sim_run()
    before = disk.list(run.path)
    disk.space = 10
    with pytest.raises(OSError, match="No space left"):
        disk.keep(run.snapshot, b"x" * 20, durable=True)
    assert disk.list(run.path) == before
    assert disk.space == 10


def test_what_a_killed_process_left_half_written_is_in_nobodys_way_and_swept_by_the_next(
    tmp_path: Path,
) -> None:
    run = new_run(tmp_path)
    opened(run).close()
    left = run.path / ".snapshot.json.0123456789abcdef.new"
    left.write_text("half")
    run.disk.keep(run.snapshot, b"whole", durable=True)
    assert run.snapshot.read_bytes() == b"whole"
    reopened(run).close()
    assert not left.exists()
    assert run.snapshot.exists()


def test_two_processes_may_keep_one_file_at_once_and_one_of_them_is_kept_whole(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"

    class Interrupted(RealDisk):
        """Another process keeps the same file while this one writes."""

        def sync(self, handle: int) -> None:
            RealDisk().keep(path, b"theirs, and longer", durable=False)
            super().sync(handle)

    Interrupted().keep(path, b"ours", durable=True)
    assert path.read_bytes() == b"ours"
    assert list(tmp_path.iterdir()) == [path]


def test_what_one_turn_says_is_durable_by_one_sync_and_all_or_nothing() -> None:
    disk, run = sim_run(space=(1 << 20) + 8_000)
    journal = opened(run)
    journal.append(OPEN, AT)
    before = disk.calls.count("sync")
    assert isinstance(journal.append_all((PREFLIGHT, NOTE, INTENT), AT), Known)
    assert disk.calls.count("sync") == before + 1
    size = len(disk.read(run.journal))
    refused = journal.append_all((INTENT,) * 20, AT)
    assert isinstance(refused, Unknown)
    assert refused.code == "disk_full"
    assert len(disk.read(run.journal)) == size, "none of them"
    assert isinstance(journal.append_all((NOTE, NOTE), AT), Known), "in the ballast's room"
    assert [r.event for r in run.contents().records] == [
        OPEN, PREFLIGHT, NOTE, INTENT, NOTE, NOTE,
    ]  # fmt: skip


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    disk, target, link = RealDisk(), tmp_path / "target", tmp_path / "link"
    target.write_text("secret")
    link.symlink_to(target)
    for touch in (disk.read, disk.open_append, disk.open_lock, disk.create):
        with pytest.raises(OSError, match=r"symbolic links|File exists"):
            touch(link)


def test_a_disk_without_room_for_the_ballast_begins_no_run() -> None:
    _, run = sim_run(space=100_000)
    with pytest.raises(RefusedError, match="No space left") as caught:
        opened(run)
    assert "2 MiB" in caught.value.hint


@pytest.mark.parametrize("code", [errno.EROFS, errno.EIO, errno.ENOSPC])
def test_when_no_disk_takes_anything_the_rollback_is_told_to_stderr(code: int) -> None:
    disk, run = sim_run()
    said: list[str] = []
    journal = opened(run, said)
    journal.append(OPEN, AT)
    disk.fail("*", code)
    assert isinstance(journal.append(INTENT, AT), Unknown)
    first, second = journal.forced(rolling_back(), AT), journal.forced(NOTE, AT)
    assert (first.seq, second.seq) == (2, 3)
    assert journal.fallback_records == [first, second]
    assert len(said) == 2
    assert all(line.isascii() and "\n" not in line for line in said)
    assert "ROLLING_BACK" in said[0]


def test_a_read_only_disk_stops_a_resume_and_not_a_rollback() -> None:
    disk, run = sim_run()
    journal = opened(run)
    journal.append(OPEN, AT)
    journal.close()
    for operation in ("open_append", "create", "write", "truncate", "replace", "remove"):
        disk.fail(operation, errno.EROFS)
    with pytest.raises(JournalError, match="cannot be written: Read-only file system"):
        reopened(run)
    back = reopened(run, for_rollback=True)
    assert back.contents.records[0].event == OPEN
    assert back.forced(rolling_back(), AT).seq == 2


def test_a_snapshot_that_is_not_durable_is_unknown() -> None:
    disk, run = sim_run()
    journal = opened(run)
    journal.append(OPEN, AT)
    disk.fail("sync", errno.EIO)
    assert isinstance(journal.keep_snapshot(SNAPSHOT, []), Unknown)
    disk.heal()
    assert isinstance(journal.keep_snapshot(SNAPSHOT, []), Known)
    disk.crash()
    assert disk.read(run.restore) == restore_text([]).encode()


def test_a_rehearsal_never_waits_for_the_disk() -> None:
    disk, run = sim_run()
    disk.calls.clear()
    journal = opened(run, durable=False)
    for event in EVERY_TYPE:
        known(journal.append(event, AT))
    journal.keep_snapshot(SNAPSHOT, [])
    journal.close()
    assert not {"sync", "sync_directory"} & set(disk.calls)
    assert [r.event for r in reopened(run, durable=False).contents.records] == list(EVERY_TYPE)


def test_a_real_file_system_that_is_full_behaves_as_the_simulated_one(tmp_path: Path) -> None:
    mount = tmp_path / "tiny"
    mount.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=1200k,mode=700", "tmpfs", str(mount)]
    if (
        os.geteuid() != 0
        or shutil.which("mount") is None
        or subprocess.run(options, check=False).returncode
    ):
        pytest.skip("needs the right to mount a tmpfs")
    try:
        run = new_run(mount)
        journal = opened(run)
        journal.append(OPEN, AT)
        (mount / "hog").write_bytes(b"")
        with (mount / "hog").open("ab", buffering=0) as hog:
            while True:
                try:
                    hog.write(b"x" * 4096)
                except OSError:
                    break
        readings = [journal.append(INTENT, AT) for _ in range(20)]
        assert any(isinstance(reading, Unknown) for reading in readings)
        assert known(journal.append(rolling_back(), AT)) == run.contents().records[-1]
        assert run.contents().damage is None
        journal.close()
    finally:
        subprocess.run(["umount", str(mount)], check=True)


WRITER = """
import sys
from pathlib import Path
from cutover.local.disk import RealDisk
from cutover.local.journal import FileJournal
from cutover.local.run_directory import RunDirectory
from cutover.local.snapshot_file import disarm_restore, read_snapshot
from cutover.local.state_directory import StateDirectory
from cutover.app.offline import read_run
from cutover.core.journal.events import Note
from tests.local.samples import AT
run = RunDirectory(Path(sys.argv[1]), RealDisk())
journal = FileJournal.open_new(run, restore_text=lambda commands: "")
for number in range(1_000_000):
    journal.append(Note("process_note", {}, f"record {number}"), AT)
    print(number, flush=True)
"""


@pytest.mark.crash
@pytest.mark.parametrize("wanted", [1, 40, 200])
def test_after_kill_9_the_journal_holds_every_record_that_was_confirmed(
    tmp_path: Path, wanted: int
) -> None:
    run = new_run(tmp_path)
    command = [sys.executable, "-c", WRITER, str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= wanted:
                break
        process.send_signal(signal.SIGKILL)
        rest = [line for line in process.stdout if line.endswith("\n")]
        confirmed = wanted + 1 + len(rest)
    contents = reopened(run).contents
    assert contents.damage is None
    assert len(contents.records) in (confirmed, confirmed + 1)
