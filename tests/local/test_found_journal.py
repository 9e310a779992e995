"""What is told of a journal without reading all of it, and whether one that was read is still the same file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cutover.core.journal.events import Event
from cutover.local.disk import Disk, RealDisk
from cutover.local.found_journal import find_journal
from cutover.local.journal_end import LAST_LINE, end_of
from cutover.local.run_directory import RunDirectory
from tests import records
from tests.local.samples import OPEN, PREFLIGHT, journal_of, new_run, rolling_back
from tests.local.sim_disk import SimDisk

ATTACHING = records.phase_changed("PREFLIGHT", "ATTACHING", "checks passed", -1)
LONG = records.note("x" * 9_000)


class Counting(RealDisk):
    """Knows how many bytes were read."""

    def __init__(self) -> None:
        self.bytes = 0

    def read_from(self, path: Path, start: int) -> bytes:
        found = super().read_from(path, start)
        self.bytes += len(found)
        return found


def run_with(tmp_path: Path, journal: bytes, disk: Disk | None = None) -> RunDirectory:
    run = new_run(tmp_path, disk)
    run.journal.write_bytes(journal)
    return run


@pytest.mark.parametrize("notes", [0, 1, 7, 8, 9, 80, 700])
def test_the_last_phase_is_found_however_far_from_the_end_it_is(
    tmp_path: Path, notes: int
) -> None:
    run = run_with(tmp_path, journal_of((OPEN, PREFLIGHT, ATTACHING, *[LONG] * notes)))
    assert run.phase() == "ATTACHING"


def test_of_a_long_journal_no_more_is_read_for_it_than_its_end(tmp_path: Path) -> None:
    disk = Counting()
    said: tuple[Event, ...] = (OPEN, *[LONG] * 500, ATTACHING, LONG)
    run = run_with(tmp_path, journal_of(said), disk)
    assert run.phase() == "ATTACHING"
    assert disk.bytes < 100_000 < run.journal.stat().st_size


def test_a_journal_without_a_phase_has_none(tmp_path: Path) -> None:
    assert run_with(tmp_path, journal_of((OPEN, *[LONG] * 20))).phase() == ""


@pytest.mark.parametrize("start", [0, 3, 10, 11, -1, -4, -10, -11])
def test_a_file_is_read_from_a_byte_on_or_to_its_last_ones(tmp_path: Path, start: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    simulated = SimDisk()
    simulated.make_directories(tmp_path)
    simulated.keep(path, b"0123456789", durable=True)
    expected = b"0123456789"[start:]
    assert RealDisk().read_from(path, start) == simulated.read_from(path, start) == expected


def test_the_end_of_a_journal_names_its_last_record(tmp_path: Path) -> None:
    run = run_with(tmp_path, journal_of((OPEN, PREFLIGHT)))
    end = end_of(run.disk, run.journal, run.id)
    assert end is not None
    assert end.hash == run.contents().head_hash
    assert end.size == run.journal.stat().st_size
    assert end.changed == run.journal.stat().st_mtime_ns


@pytest.mark.parametrize(
    "journal",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"\xff\n",
        journal_of((OPEN,))[:-1],
        journal_of((OPEN,)) + b'{"half',
        journal_of((OPEN,)) + b"\n",
        journal_of((OPEN,), run="shop-2"),
        journal_of((OPEN, PREFLIGHT)).replace(b'"v":3', b'"v":4'),
        journal_of((OPEN, PREFLIGHT)).replace(b'"seq":2', b'"seq":3'),
        journal_of((OPEN, records.note("x" * LAST_LINE))),
        b"0" * LAST_LINE + b"\n",
    ],
)
def test_any_other_end_names_nothing(tmp_path: Path, journal: bytes) -> None:
    run = run_with(tmp_path, journal)
    assert end_of(run.disk, run.journal, run.id) is None


def test_a_journal_that_is_no_file_has_no_end(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert end_of(run.disk, run.journal, run.id) is None
    os.mkfifo(run.journal)
    assert end_of(run.disk, run.journal, run.id) is None


def test_a_journal_that_nobody_wrote_to_is_still_the_one_that_was_read(tmp_path: Path) -> None:
    run = run_with(tmp_path, journal_of((OPEN, PREFLIGHT)))
    found = find_journal(run.disk, run.journal)
    assert found.is_still(run.disk, run.journal)
    assert found.contents == run.contents()


@pytest.mark.parametrize("change", ["longer", "other", "gone", "back in time"])
def test_a_journal_that_somebody_wrote_to_is_another(tmp_path: Path, change: str) -> None:
    run = run_with(tmp_path, journal_of((OPEN, PREFLIGHT)))
    found = find_journal(run.disk, run.journal)
    then = run.journal.stat()
    if change == "longer":
        run.journal.write_bytes(journal_of((OPEN, PREFLIGHT, rolling_back())))
    elif change == "gone":
        run.journal.unlink()
    else:
        text = run.journal.read_bytes()
        run.journal.write_bytes(text.replace(b"PREFLIGHT", b"ATTACHING"))
    if change == "back in time":
        os.utime(run.journal, ns=(then.st_atime_ns, then.st_mtime_ns))
    elif change == "other":
        os.utime(run.journal, ns=(then.st_atime_ns, then.st_mtime_ns + 1))
    assert not found.is_still(run.disk, run.journal)


def test_where_no_time_of_change_is_known_a_journal_is_read_again() -> None:
    disk = SimDisk()
    path = Path("/journal.jsonl")
    disk.keep(path, journal_of((OPEN,)), durable=True)
    assert not find_journal(disk, path).is_still(disk, path)
