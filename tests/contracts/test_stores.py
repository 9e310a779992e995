"""The store suite on a real directory, on the swarm's disk (but for locks), and on a store without files."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from cutover.core.values import RouteId
from cutover.local.disk import Disk
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.local.store import LocalStore
from cutover.ports.store import StoredRun
from tests.contracts.memory_store import MemoryRun, MemoryStore, Tables
from tests.contracts.store import LeasesContract, RunsContract, StoreStage
from tests.contracts.stored_commands import CommandsContract
from tests.contracts.stored_journals import JournalsContract, SnapshotsContract
from tests.local.samples import AT
from tests.swarm.disk import LosableDisk

HOLDER = """
import sys
from pathlib import Path
from cutover.local.state_directory import StateDirectory
from cutover.local.store import LocalStore
from tests.local.samples import AT
lease = LocalStore(StateDirectory(Path(sys.argv[1]))).take_lease(sys.argv[3:], sys.argv[2], AT)
print("held", flush=True)
sys.stdin.read()
"""


class DirectoryStage(StoreStage):
    """A directory; `disk` is shared by its processes where it is not the real one."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self._root, self._disk = root, disk

    def store(self) -> LocalStore:
        return LocalStore(StateDirectory(self._root, self._disk))

    @contextmanager
    def elsewhere(self, run_id: str, *routes: RouteId) -> Iterator[Callable[[], None]]:
        command = [sys.executable, "-c", HOLDER, str(self._root), run_id, *routes]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:

            def kill() -> None:
                other.send_signal(signal.SIGKILL)
                other.wait()

            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            try:
                yield kill
            finally:
                other.kill()

    def tear(self, run: StoredRun) -> None:
        self._edit(run, lambda text: text[: len(text) - 20])

    def damage(self, run: StoredRun) -> None:
        self._edit(run, lambda text: text.replace(b"the run begins", b"the run began."))

    def cut(self, run: StoredRun) -> None:
        self._edit(run, lambda text: b"".join(text.splitlines(keepends=True)[::2]))

    def replace(self, run: StoredRun, line: bytes) -> None:
        self._edit(run, lambda text: text.splitlines(keepends=True)[0] + line)

    def lose_journal(self, run: StoredRun) -> None:
        directory = self._directory(run)
        directory.disk.remove(directory.journal)

    def spoil_snapshot(self, run: StoredRun) -> None:
        directory = self._directory(run)
        text = directory.disk.read(directory.snapshot)
        directory.disk.keep(directory.snapshot, text.replace(b"live", b"dead"), durable=False)

    def _edit(self, run: StoredRun, change: Callable[[bytes], bytes]) -> None:
        directory = self._directory(run)
        text = directory.disk.read(directory.journal)
        changed = change(text)
        assert changed != text
        directory.disk.keep(directory.journal, changed, durable=False)

    @staticmethod
    def _directory(run: StoredRun) -> RunDirectory:
        assert isinstance(run, RunDirectory)
        return run


class MemoryStage(StoreStage):
    """Rows in memory; a process that is killed takes its lease with it."""

    def __init__(self) -> None:
        self._tables = Tables()

    def store(self) -> MemoryStore:
        return MemoryStore(self._tables)

    @contextmanager
    def elsewhere(self, run_id: str, *routes: RouteId) -> Iterator[Callable[[], None]]:
        lease = self.store().take_lease(routes, run_id, AT)
        try:
            yield lease.close
        finally:
            lease.close()

    def tear(self, run: StoredRun) -> None:
        lines = self._lines(run)
        lines[-1] = lines[-1][:-20]

    def damage(self, run: StoredRun) -> None:
        lines = self._lines(run)
        lines[1] = lines[1].replace(b"the run begins", b"the run began.")

    def cut(self, run: StoredRun) -> None:
        del self._lines(run)[1]

    def replace(self, run: StoredRun, line: bytes) -> None:
        self._lines(run)[1] = line

    def lose_journal(self, run: StoredRun) -> None:
        assert isinstance(run, MemoryRun)
        run.lines = None

    def spoil_snapshot(self, run: StoredRun) -> None:
        assert isinstance(run, MemoryRun)
        run.kept_hash = "of another text"

    @staticmethod
    def _lines(run: StoredRun) -> list[bytes]:
        assert isinstance(run, MemoryRun)
        assert run.lines is not None
        return run.lines


class InMemory:
    @pytest.fixture
    def stage(self) -> MemoryStage:
        return MemoryStage()


class OnADirectory:
    @pytest.fixture
    def stage(self, tmp_path: Path) -> DirectoryStage:
        stage = DirectoryStage(tmp_path / "state")
        stage.store().prepare()
        return stage


class OnADiskInMemory:
    @pytest.fixture
    def stage(self, tmp_path: Path) -> DirectoryStage:
        root = tmp_path / "state"
        stage = DirectoryStage(root, LosableDisk(root, Random(1)))
        stage.store().prepare()
        return stage


class TestRunsOnADirectory(OnADirectory, RunsContract):
    pass


class TestJournalsOnADirectory(OnADirectory, JournalsContract):
    pass


class TestSnapshotsOnADirectory(OnADirectory, SnapshotsContract):
    pass


class TestLeasesOnADirectory(OnADirectory, LeasesContract):
    pass


class TestCommandsOnADirectory(OnADirectory, CommandsContract):
    pass


class TestRunsOnADiskInMemory(OnADiskInMemory, RunsContract):
    pass


class TestJournalsOnADiskInMemory(OnADiskInMemory, JournalsContract):
    pass


class TestSnapshotsOnADiskInMemory(OnADiskInMemory, SnapshotsContract):
    pass


class TestCommandsOnADiskInMemory(OnADiskInMemory, CommandsContract):
    pass


class TestRunsInMemory(InMemory, RunsContract):
    pass


class TestJournalsInMemory(InMemory, JournalsContract):
    pass


class TestSnapshotsInMemory(InMemory, SnapshotsContract):
    pass


class TestLeasesInMemory(InMemory, LeasesContract):
    pass


class TestCommandsInMemory(InMemory, CommandsContract):
    pass
