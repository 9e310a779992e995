"""The journal and inbox suites on this machine's, the emulator's and the fakes that tests of the engine use."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutover.core.journal.events import Record
from cutover.core.moment import Moment
from cutover.core.observation import CommandName, Unknown
from cutover.emulator.injections import Say, When
from cutover.emulator.world import World
from cutover.local.journal import FileJournal
from cutover.local.journal_file import read_journal
from tests.contracts.inbox import InboxContract, InboxStage
from tests.contracts.journal import JournalContract, JournalStage
from tests.emulator.worlds import world
from tests.fakes import FakeClock, FakeInbox, FakeJournal
from tests.local.samples import new_run, restore_text
from tests.local.sim_disk import SimDisk


class FileStage(JournalStage):
    def __init__(self) -> None:
        self._disk = SimDisk()
        self._run = new_run(Path("/"), self._disk)
        self.journal = FileJournal.open_new(
            self._run, restore_text=restore_text, complain=lambda _line: None
        )

    def records(self) -> list[Record]:
        return list(read_journal(self._disk.read(self._run.journal)).records)

    def refuse(self) -> None:
        self._disk.fail("write", errno.EIO)


class FakeJournalStage(JournalStage):
    def __init__(self) -> None:
        self.journal: FakeJournal = FakeJournal()

    def records(self) -> list[Record]:
        return self.journal.records

    def refuse(self) -> None:
        self.journal.fails = Unknown("Input/output error", "journal")


class TestFileJournal(JournalContract):
    @pytest.fixture
    def stage(self) -> FileStage:
        return FileStage()


class TestFakeJournal(JournalContract):
    @pytest.fixture
    def stage(self) -> FakeJournalStage:
        return FakeJournalStage()


class FakeInboxStage(InboxStage):
    def __init__(self) -> None:
        self._clock = FakeClock()
        self.inbox: FakeInbox = FakeInbox(self._clock)

    def now(self) -> Moment:
        return self._clock.now()

    def say_in(self, ms: int, name: CommandName) -> None:
        if ms:
            self.inbox.say_in(ms, name)
        else:
            self.inbox.say(name)


class ScriptedInboxStage(InboxStage):
    def __init__(self, made: World) -> None:
        self._made = made
        self.inbox = made.inbox

    def now(self) -> Moment:
        return self._made.clock.now()

    def say_in(self, ms: int, name: CommandName) -> None:
        line = Say(when=When(), command=name.value)
        if ms:
            clock = self._made.clock
            clock.at(clock.ms + ms, lambda: self._made.inbox.say(line))
        else:
            self._made.inbox.say(line)


class TestFakeInbox(InboxContract):
    @pytest.fixture
    def stage(self) -> FakeInboxStage:
        return FakeInboxStage()


class TestScriptedInbox(InboxContract):
    @pytest.fixture
    def stage(self) -> Iterator[ScriptedInboxStage]:
        with world() as made:
            yield ScriptedInboxStage(made)
