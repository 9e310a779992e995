"""A command to a run: who hears it, and how long its consequence is waited for. The run's process is played here."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from cutover.app.commands import Acknowledged, NoReply, Queued, Unreached, say
from cutover.core.errors import RefusedError
from cutover.core.journal.events import (
    CommandGiven,
    Event,
    RunOpen,
)
from cutover.core.moment import Moment
from cutover.core.observation import CommandName, Known, OperatorCommand
from cutover.core.values import RouteId
from cutover.local.command_pipe import CommandPipe
from cutover.local.disk import Disk, RealDisk
from cutover.local.inbox import LocalInbox, enqueue, queued_commands
from cutover.local.journal import FileJournal
from cutover.local.lease import FlockLease
from cutover.local.run_directory import RunDirectory
from cutover.local.snapshot_file import disarm_restore, is_armed
from cutover.local.state_directory import StateDirectory
from cutover.local.view_file import view_text
from cutover.ports import Clock
from tests import records
from tests.local.samples import AT, SNAPSHOT, restore_text

ROUTE = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/web/1/2"


OURS, THEIRS = "0123456789abcdef", "fedcba9876543210"


class Process:
    """The run's process; what is left of `acts` happens one by one while somebody waits."""

    def __init__(self, place: StateDirectory, run: RunDirectory) -> None:
        self.now = AT
        self.acts: list[Callable[[], object]] = []
        self.lease = FlockLease.take(place, (RouteId(ROUTE),), run.id, AT)
        self.journal = FileJournal.open_new(run, restore_text=restore_text)
        self.writes(RunOpen("shop", "0" * 64, "1", "eu-west-1", "emulated", "0", (ROUTE,)))

    def writes(self, *events: Event) -> None:
        for event in events:
            assert isinstance(self.journal.append(event, self.now), Known)

    def hears(self, command: OperatorCommand) -> None:
        self.writes(
            CommandGiven(command.name, command.who, command.why, command.source, id=command.id)
        )

    def hears_all(self, inbox: LocalInbox) -> None:
        for command in inbox.wait(AT):
            self.hears(command)

    def turns_to(self, after: str, before: str = "BAKING") -> None:
        self.writes(records.phase_changed(before, after, "said so", 0))

    def looks_again(self) -> None:
        run, then = self.journal.run, self.now.plus(1_000)
        text = view_text(run.id, last=self.now, next_look=then, status=None, end=None, plan="")
        run.disk.keep(run.view, text, durable=False)

    def ends(self) -> None:
        self.writes(records.close(0, "ABANDONED", "left"))
        self.journal.close()
        self.lease.close()


class Waits(Clock):
    """Time passes only while somebody waits, and then the process acts."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.waited = 0
        self.at = AT

    def now(self) -> Moment:
        return self.at

    def sleep(self, ms: int) -> None:
        self.waited += ms
        self.at = self.at.plus(ms)
        if self.process.acts:
            self.process.acts.pop(0)()


@pytest.fixture
def run(place: StateDirectory) -> RunDirectory:
    place.prepare()
    return place.create("shop-1", "")


@pytest.fixture
def process(place: StateDirectory, run: RunDirectory) -> Iterator[Process]:
    process = Process(place, run)
    yield process
    process.journal.close()
    process.lease.close()


@pytest.fixture
def waits(process: Process) -> Waits:
    return Waits(process)


def types(heard: object) -> list[object]:
    assert isinstance(heard, Acknowledged), heard
    return [one["type"] for one in heard.followed]


def ids(heard: object) -> list[object]:
    assert isinstance(heard, Acknowledged), heard
    return [one.get("id") for one in heard.followed if one["type"] == "command"]


def test_a_phase_that_a_slow_disk_takes_late_is_still_told(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    pause = OperatorCommand(CommandName.PAUSE, "ana", id=OURS)
    nothing = [lambda: None] * 10
    process.acts = [lambda: process.hears(pause), *nothing, lambda: process.turns_to("HOLDING")]
    assert types(say(place, run, pause, clock=waits)) == ["command", "phase"]


def test_a_note_before_the_phase_is_not_taken_for_the_answer(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    resume = OperatorCommand(CommandName.RESUME, "ana", id=OURS)
    process.acts = [
        lambda: process.hears(resume),
        lambda: process.writes(records.note("something else")),
        lambda: process.turns_to("SETTLING", "HOLDING"),
    ]
    assert types(say(place, run, resume, clock=waits)) == ["command", "note", "phase"]


def test_a_command_that_changes_nothing_is_not_waited_for_longer_than_its_turn(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    process.looks_again()
    process.now = AT.plus(1_000)
    pause = OperatorCommand(CommandName.PAUSE, "ana", id=OURS)
    process.acts = [lambda: process.hears(pause), process.looks_again]
    assert types(say(place, run, pause, clock=waits)) == ["command"]
    assert waits.waited <= 600


def test_a_process_that_never_looks_again_is_not_waited_for_without_end(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    pause = OperatorCommand(CommandName.PAUSE, "ana", id=OURS)
    process.acts = [lambda: process.hears(pause)]
    assert types(say(place, run, pause, clock=waits)) == ["command"]
    assert waits.waited <= 6_000


def test_a_command_that_ends_the_run_is_answered_when_its_process_is_gone(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    leave = OperatorCommand(CommandName.LEAVE, "ana", "they know", id=OURS)
    process.acts = [
        lambda: process.hears(leave),
        lambda: process.turns_to("ABANDONED", "HOLDING"),
        lambda: None,
        process.ends,
    ]
    assert types(say(place, run, leave, clock=waits)) == ["command", "phase", "close"]


def test_a_process_that_hears_and_ends_while_the_command_is_made_durable_is_not_missed(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    leave = OperatorCommand(CommandName.LEAVE, "ana", "they know", id=OURS)

    class Slow(RealDisk):
        """A disk on which the process is done before the speaker's command is durable."""

        def sync_directory(self, path: Path) -> None:
            if path == run.commands:
                process.hears(leave)
                process.turns_to("ABANDONED", "HOLDING")
                process.ends()
            super().sync_directory(path)

    slow = RunDirectory(run.path, Slow())
    assert types(say(place, slow, leave, clock=waits)) == ["command", "phase", "close"]


class Full(RealDisk):
    """A disk that takes no new file."""

    def create(self, path: Path, mode: int = 0o600) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))


def test_on_a_full_disk_a_rollback_that_nobody_hears_is_done_by_who_says_it(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    process.lease.close()
    full = RunDirectory(run.path, Full())
    answer = say(place, full, OperatorCommand(CommandName.ROLLBACK, "ana"), clock=waits)
    assert isinstance(answer, Queued)
    assert answer.path is None


def test_on_a_full_disk_a_command_reaches_a_living_process_through_its_pipe(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    full = RunDirectory(run.path, Full())
    pipe = CommandPipe.open(run)
    pause = OperatorCommand(CommandName.PAUSE, "ana", "lunch")

    def hears() -> None:
        for command in pipe.take():
            process.hears(command)

    process.acts = [hears, process.looks_again]
    assert types(say(place, full, pause, clock=waits)) == ["command"]
    silent = say(
        place, full, OperatorCommand(CommandName.ROLLBACK, "ana"), clock=waits, within_ms=1_000
    )
    assert isinstance(silent, NoReply)
    assert silent.piped, "it waits there, not in a file"
    pipe.close()


def test_on_a_full_disk_without_a_pipe_a_rollback_reaches_nobody_and_another_command_is_refused(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    full = RunDirectory(run.path, Full())
    unreached = say(place, full, OperatorCommand(CommandName.ROLLBACK, "ana"), clock=waits)
    assert isinstance(unreached, Unreached)
    assert "No space left" in unreached.why
    assert "no process listens" in unreached.why
    with pytest.raises(RefusedError, match="no process listens") as caught:
        say(place, full, OperatorCommand(CommandName.PAUSE, "ana"), clock=waits)
    assert "kill -TERM" in caught.value.hint


def test_a_command_that_lies_there_is_not_left_twice(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    process.lease.close()
    rollback = OperatorCommand(CommandName.ROLLBACK, "ana")
    left = say(place, run, rollback, clock=waits)
    assert isinstance(left, Queued)
    assert say(place, run, rollback, left=left, clock=waits) == left
    assert list(run.commands.iterdir()) == [left.path]


def test_two_commands_of_one_name_and_person_in_flight_are_answered_each_with_its_own(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    ours = OperatorCommand(CommandName.RESUME, "ana", id=OURS)
    theirs = OperatorCommand(CommandName.RESUME, "ana", id=THEIRS)
    left = Queued(enqueue(run, theirs, AT), 0, id=THEIRS)
    process.acts = [
        lambda: process.hears(theirs),
        lambda: process.writes(records.note("resume refused: the live config is not ours")),
        lambda: process.hears(ours),
        lambda: process.turns_to("SETTLING", "HOLDING"),
    ]
    answer = say(place, run, ours, clock=waits)
    assert types(answer) == ["command", "phase"], "what became of the other one is not its answer"
    assert ids(answer) == [OURS]
    other = say(place, run, theirs, left=left, clock=waits)
    assert types(other) == ["command", "note", "command", "phase"]
    assert ids(other)[0] == THEIRS


def test_a_command_of_the_same_name_and_person_is_no_answer_to_another_one(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    theirs = OperatorCommand(CommandName.ROLLBACK, "ana", id=THEIRS)
    without = OperatorCommand(CommandName.ROLLBACK, "ana")
    process.acts = [lambda: process.hears(theirs), lambda: process.hears(without)]
    ours = OperatorCommand(CommandName.ROLLBACK, "ana", id=OURS)
    assert isinstance(say(place, run, ours, clock=waits, within_ms=2_000), NoReply)
    assert process.acts == []


def test_a_command_without_an_id_gets_one_of_its_own(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    process.lease.close()
    pause = OperatorCommand(CommandName.PAUSE, "ana")
    first, second = (say(place, run, pause, clock=waits) for _ in range(2))
    assert isinstance(first, Queued)
    assert isinstance(second, Queued)
    assert sorted((first.id, second.id)) == sorted(command.id for command in queued_commands(run))
    assert len({first.id, second.id, ""}) == 3


def test_a_command_that_lies_there_is_answered_by_the_id_that_it_lies_there_with(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits
) -> None:
    left = Queued(enqueue(run, OperatorCommand(CommandName.PAUSE, "ana", id=OURS), AT), 0, id=OURS)
    process.acts = [lambda: process.hears_all(LocalInbox(run, waits))]
    without = OperatorCommand(CommandName.PAUSE, "ana")
    assert ids(say(place, run, without, left=left, clock=waits)) == [OURS]


@pytest.mark.parametrize("full", [False, True], ids=["through a file", "through the pipe"])
def test_a_command_comes_back_with_its_id(
    place: StateDirectory, run: RunDirectory, process: Process, waits: Waits, *, full: bool
) -> None:
    pipe = CommandPipe.open(run)
    inbox = LocalInbox(run, waits, pipe=pipe)
    process.acts = [lambda: process.hears_all(inbox)]
    disk = Full() if full else RealDisk()
    pause = OperatorCommand(CommandName.PAUSE, "ana", id=OURS)
    assert ids(say(place, RunDirectory(run.path, disk), pause, clock=waits)) == [OURS]
    pipe.close()


def _disarm(path: Path) -> None:
    disarm_restore(RunDirectory(path, RealDisk()), "run shop-1 is ABANDONED")


def test_two_processes_may_disarm_one_restore_script_at_once(
    run: RunDirectory, process: Process
) -> None:
    process.journal.keep_snapshot(SNAPSHOT, [])
    assert is_armed(run)
    others: list[int] = []

    class Both(RealDisk):
        """Another process begins and ends while this one writes."""

        def sync(self, handle: int) -> None:
            others.append(handle)
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                pool.submit(_disarm, run.path).result()
            super().sync(handle)

    disk: Disk = Both()
    disarm_restore(RunDirectory(run.path, disk), "run shop-1 is ABANDONED")
    assert others
    assert not is_armed(run)
    assert run.restore.read_text().count("This script is disarmed") == 1
    assert [path.name for path in run.path.glob(".restore*")] == []
