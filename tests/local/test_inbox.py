"""Commands reach the runner from files, switches, signals and keys."""

from __future__ import annotations

import errno
import json
import os
import pty
import select
import signal
import termios
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from cutover.core.errors import RefusedError
from cutover.core.moment import Moment
from cutover.core.observation import CommandName, OperatorCommand
from cutover.local.clock import SystemClock
from cutover.local.command_pipe import CommandPipe, send
from cutover.local.inbox import A_TURN, LocalInbox, enqueue
from cutover.local.keyboard import Keyboard
from cutover.local.run_directory import RunDirectory
from cutover.local.signals import Signals
from cutover.ports import Clock
from tests.local.samples import AT, new_run
from tests.local.sim_disk import SimDisk

PAUSE = OperatorCommand(CommandName.PAUSE, "ana", "lunch")
RESUME = OperatorCommand(CommandName.RESUME, "ben", "back")
FINISH = OperatorCommand(CommandName.FINISH, "ana", "done", detail="detach_source")


class Still(Clock):
    """It is always the same moment."""

    def now(self) -> Moment:
        return AT

    def sleep(self, ms: int) -> None:
        raise AssertionError("only reads sleep")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return new_run(tmp_path)


@pytest.fixture
def inbox(run: RunDirectory) -> LocalInbox:
    return LocalInbox(run, Still(), switches=[run.path.parents[1]])


def names(commands: tuple[OperatorCommand, ...]) -> list[CommandName]:
    return [command.name for command in commands]


def test_commands_arrive_whole_once_and_in_the_order_they_were_left(
    run: RunDirectory, inbox: LocalInbox
) -> None:
    for number, command in enumerate((PAUSE, RESUME, FINISH)):
        enqueue(run, command, AT.plus(number))
    assert inbox.wait(AT) == (PAUSE, RESUME, FINISH)
    assert inbox.wait(AT) == ()
    assert not list(run.commands.iterdir())


def test_two_people_who_say_the_same_in_the_same_millisecond_are_both_heard(
    run: RunDirectory, inbox: LocalInbox
) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as somebody:
        theirs = somebody.submit(enqueue, run, RESUME, AT).result()
    # with one file for both, each could find its half-made file taken away by the other
    assert enqueue(run, RESUME, AT) != theirs
    assert inbox.wait(AT) == (RESUME, RESUME)


def test_a_past_deadline_only_polls(inbox: LocalInbox) -> None:
    assert inbox.wait(AT.plus(-1)) == ()


def test_a_first_command_is_said_before_all_others(run: RunDirectory) -> None:
    first = OperatorCommand(CommandName.ROLLBACK, "ana", "told so", "first")
    enqueue(run, PAUSE, AT)
    inbox = LocalInbox(run, Still(), first=[first])
    assert inbox.wait(AT) == (first, PAUSE)
    assert inbox.wait(AT) == ()


def test_a_command_that_stops_is_said_again_after_a_crash_and_one_that_goes_on_is_not(
    run: RunDirectory,
) -> None:
    enqueue(run, PAUSE, AT)
    enqueue(run, RESUME, AT.plus(1))
    assert LocalInbox(run, Still()).wait(AT) == (PAUSE, RESUME)
    assert LocalInbox(run, Still()).wait(AT) == (PAUSE,), (
        "a new process: the old one died before it journalled"
    )


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"name": "explode"}', '{"name": "interrupt"}', '{"name": "pause", "who": 7}',
     '{"name": ["pause"]}', "[" * 9_000, '{"name":"pause","why":"' + "x" * 20_000 + '"}', "\udcff"],
)  # fmt: skip
def test_a_command_that_cannot_be_read_holds_the_run(
    run: RunDirectory, inbox: LocalInbox, text: str
) -> None:
    (run.commands / "0-command.json").write_bytes(text.encode(errors="surrogateescape"))
    (said,) = inbox.wait(AT)
    assert said.name is CommandName.PAUSE
    assert "0-command.json cannot be read" in said.why
    assert inbox.wait(AT) == ()


def test_a_link_or_a_fifo_in_the_place_of_a_command_holds_the_run_and_never_blocks_it(
    run: RunDirectory, inbox: LocalInbox
) -> None:
    (run.commands / "link.json").symlink_to("/etc/hostname")
    os.mkfifo(run.commands / "pipe.json")
    assert names(inbox.wait(AT)) == [CommandName.PAUSE, CommandName.PAUSE]


def test_a_half_written_command_is_not_seen(run: RunDirectory, inbox: LocalInbox) -> None:
    (run.commands / ".1-pause.json.new").write_text("{")
    assert inbox.wait(AT) == ()


def test_a_deleted_directory_of_commands_holds_once(run: RunDirectory, inbox: LocalInbox) -> None:
    run.commands.rmdir()
    assert names(inbox.wait(AT)) == [CommandName.PAUSE]
    assert inbox.wait(AT) == ()
    run.commands.mkdir()
    assert inbox.wait(AT) == ()
    run.commands.rmdir()
    assert names(inbox.wait(AT)) == [CommandName.PAUSE]


def test_a_command_on_a_disk_that_became_read_only_is_said_once() -> None:
    disk = SimDisk()
    run = new_run(Path("/"), disk)
    enqueue(run, RESUME, AT)
    disk.fail("remove", errno.EROFS)
    inbox = LocalInbox(run, Still())
    assert inbox.wait(AT) == (RESUME,)
    assert inbox.wait(AT) == ()


def test_a_command_that_the_disk_does_not_take_names_what_works_without_a_disk() -> None:
    disk = SimDisk()
    run = new_run(Path("/"), disk)
    disk.fail("write", errno.ENOSPC)
    with pytest.raises(RefusedError, match="No space left") as caught:
        enqueue(run, PAUSE, AT)
    assert "kill -TERM" in caught.value.hint
    assert str(run.restore) in caught.value.hint


@pytest.mark.parametrize(
    ("switch", "command"), [("HOLD", CommandName.PAUSE), ("ROLLBACK", CommandName.ROLLBACK)]
)
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_kill_switch_is_said_once_each_time_it_is_touched(
    run: RunDirectory, inbox: LocalInbox, switch: str, command: CommandName, everywhere: bool
) -> None:
    path = (run.path.parents[1] if everywhere else run.path) / switch
    path.touch()
    (said,) = inbox.wait(AT)
    assert (said.name, said.source) == (command, "switch")
    assert str(path) in said.why
    assert inbox.wait(AT) == ()
    path.unlink()
    assert inbox.wait(AT) == ()
    path.touch()
    assert names(inbox.wait(AT)) == [command]


def test_a_resume_does_not_overrule_a_switch_that_is_still_on(
    run: RunDirectory, inbox: LocalInbox
) -> None:
    (run.path / "HOLD").touch()
    inbox.wait(AT)
    enqueue(run, RESUME, AT)
    assert names(inbox.wait(AT)) == [CommandName.RESUME, CommandName.PAUSE]
    (run.path / "HOLD").unlink()
    enqueue(run, RESUME, AT)
    assert names(inbox.wait(AT)) == [CommandName.RESUME]


def test_a_switch_that_cannot_be_looked_at_holds() -> None:
    disk = SimDisk()
    run = new_run(Path("/"), disk)
    inbox = LocalInbox(run, Still())
    disk.fail("look", errno.EIO)
    assert set(names(inbox.wait(AT))) == {CommandName.PAUSE}
    assert inbox.wait(AT) == ()


def test_a_wait_ends_early_when_a_command_is_left(run: RunDirectory) -> None:
    clock = SystemClock()
    inbox = LocalInbox(run, clock)
    answer: list[tuple[OperatorCommand, ...]] = []
    waiting = threading.Thread(target=lambda: answer.append(inbox.wait(clock.now().plus(60_000))))
    waiting.start()
    enqueue(run, PAUSE, clock.now())
    waiting.join(30)
    assert answer == [(PAUSE,)]


def test_a_wait_without_commands_ends_at_its_deadline(run: RunDirectory) -> None:
    clock = SystemClock()
    until = clock.now().plus(60)
    assert LocalInbox(run, clock).wait(until) == ()
    assert clock.now().after(until) >= 0


@pytest.fixture
def signals() -> Iterator[Signals]:
    heard = Signals()
    yield heard
    heard.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_becomes_a_command_and_wakes_the_loop(
    run: RunDirectory, signals: Signals, number: signal.Signals
) -> None:
    clock = SystemClock()
    before = signal.getsignal(number)
    with signals.installed():
        os.kill(os.getpid(), number)
        (command,) = LocalInbox(run, clock, signals=signals).wait(clock.now().plus(60_000))
    assert (command.name, command.signal, command.source, command.why) == (
        CommandName.INTERRUPT,
        number,
        "signal",
        number.name,
    )
    assert signal.getsignal(number) is before


def test_a_hangup_and_a_broken_pipe_end_nothing_and_say_nothing(signals: Signals) -> None:
    with signals.installed():
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGPIPE)
        assert signals.take() == ()


def test_more_signals_than_the_pipe_holds_never_block(signals: Signals) -> None:
    for _ in range(70_000):
        signals._handle(signal.SIGTERM, None)
    assert signals.take()


def test_outside_the_main_thread_no_handler_is_touched(signals: Signals) -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def other() -> None:
        with signals.installed():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


class OursKeyboard(Keyboard):
    """A keyboard on a pseudo terminal that controls no process group."""

    def _ours(self) -> bool:
        return True


def pressed(keyboard: Keyboard, master: int, keys: bytes, at: Moment = AT) -> list[CommandName]:
    os.write(master, keys)
    descriptor = keyboard.fileno()
    assert descriptor is not None
    assert select.select([descriptor], [], [], 10)[0]
    return names(keyboard.take(at))


def test_single_keys_are_commands(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    with OursKeyboard(slave).listening() as keyboard:
        assert pressed(keyboard, master, b"p") == [CommandName.PAUSE]
        assert pressed(keyboard, master, b"r") == [CommandName.RESUME]
        assert pressed(keyboard, master, b"a") == [CommandName.APPROVE]
        assert pressed(keyboard, master, b"x") == []
        assert keyboard.take(AT) == ()


def test_rollback_needs_its_key_twice_in_a_row_and_soon(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    with OursKeyboard(slave).listening() as keyboard:
        assert pressed(keyboard, master, b"R") == []
        assert pressed(keyboard, master, b"R", AT.plus(3_001)) == []
        assert pressed(keyboard, master, b"R", AT.plus(3_500)) == [CommandName.ROLLBACK]
        assert pressed(keyboard, master, b"R", AT.plus(3_600)) == []
        assert pressed(keyboard, master, b"x", AT.plus(3_700)) == []
        assert pressed(keyboard, master, b"R", AT.plus(3_800)) == []


def test_pasted_text_and_arrow_keys_say_nothing(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    with OursKeyboard(slave).listening() as keyboard:
        assert pressed(keyboard, master, b"approve") == []
        assert pressed(keyboard, master, b"\x1b[A") == []
        # more than one read takes: the last part alone would approve
        assert pressed(keyboard, master, b"x" * 1024 + b"a") == []
        assert pressed(keyboard, master, b"a") == [CommandName.APPROVE]


def test_the_terminal_gets_its_modes_back_even_after_an_error(terminal: tuple[int, int]) -> None:
    _, slave = terminal
    before = termios.tcgetattr(slave)
    listening = OursKeyboard(slave).listening()
    listening.__enter__()
    assert termios.tcgetattr(slave) != before
    listening.__exit__(RuntimeError, RuntimeError(), None)
    assert termios.tcgetattr(slave) == before


def test_a_terminal_that_hangs_up_after_a_key_never_keeps_the_loop() -> None:
    master, slave = pty.openpty()

    class HangsUp(OursKeyboard):
        def _more(self) -> bool:
            if not hung_up:
                os.close(master)
                hung_up.append(True)
            return super()._more()

    hung_up: list[bool] = []
    with HangsUp(slave).listening() as keyboard:
        assert pressed(keyboard, master, b"p") == [CommandName.PAUSE]
        assert keyboard.take(AT) == ()
        assert keyboard.fileno() is None
    os.close(slave)


def test_a_terminal_that_hangs_up_ends_the_listening_and_nothing_else() -> None:
    master, slave = pty.openpty()
    with OursKeyboard(slave).listening() as keyboard:
        os.close(master)
        assert keyboard.take(AT) == ()
        assert keyboard.fileno() is None
    os.close(slave)


def test_without_a_terminal_there_are_no_keys(run: RunDirectory) -> None:
    reading, writing = os.pipe()
    with Keyboard(reading).listening() as keyboard:
        os.write(writing, b"p")
        assert keyboard.fileno() is None
        assert LocalInbox(run, Still(), keyboard=keyboard).wait(AT) == ()
    os.close(reading)
    os.close(writing)


def test_a_terminal_of_another_process_group_is_left_alone(terminal: tuple[int, int]) -> None:
    with Keyboard(terminal[1]).listening() as keyboard:
        assert keyboard.fileno() is None


def test_the_boot_id_falls_back_to_one_of_the_process(tmp_path: Path) -> None:
    clock = SystemClock(tmp_path / "none")
    assert clock.now().boot_id.startswith("process-")
    assert clock.now().boot_id == clock.now().boot_id
    assert SystemClock(tmp_path / "none").now().boot_id != clock.now().boot_id


def test_the_clock_moves_forward_and_knows_the_zone() -> None:
    clock = SystemClock()
    before = clock.now()
    clock.sleep(5)
    clock.sleep(-5)
    assert clock.now().after(before) >= 5
    assert before.wall.utcoffset() is not None


ROLLBACK = OperatorCommand(CommandName.ROLLBACK, "ben", "now")


@pytest.fixture
def pipe(run: RunDirectory) -> Iterator[CommandPipe]:
    found = CommandPipe.open(run)
    yield found
    found.close()


def test_a_command_reaches_the_loop_through_the_pipe_and_wakes_it(
    run: RunDirectory, pipe: CommandPipe
) -> None:
    clock = SystemClock()
    send(run, FINISH)
    inbox = LocalInbox(run, clock, pipe=pipe)
    assert inbox.wait(clock.now().plus(60_000)) == (FINISH,)
    assert inbox.wait(clock.now()) == ()


def test_a_command_has_the_same_id_from_a_file_and_from_the_pipe_and_one_without_has_none(
    run: RunDirectory, pipe: CommandPipe
) -> None:
    mine = replace(RESUME, id="0123456789abcdef")
    send(run, mine)
    enqueue(run, mine, AT)
    enqueue(run, RESUME, AT.plus(1))
    assert LocalInbox(run, Still(), pipe=pipe).wait(AT) == (mine, mine, RESUME)


def test_a_command_as_an_older_version_left_it_has_no_id(run: RunDirectory) -> None:
    enqueue(run, PAUSE, AT)
    (file,) = run.commands.iterdir()
    text = json.loads(file.read_text())
    del text["id"]
    file.write_text(json.dumps(text))
    assert LocalInbox(run, Still()).wait(AT) == (PAUSE,)


def test_a_reason_longer_than_a_pipe_takes_at_once_is_cut(
    run: RunDirectory, pipe: CommandPipe
) -> None:
    send(run, OperatorCommand(CommandName.ROLLBACK, "ana", "\U0001f525" * 3_000))
    (command,) = pipe.take()
    assert command.name is CommandName.ROLLBACK
    assert len(command.why) > 100


def test_a_line_that_is_no_command_holds_the_run(run: RunDirectory, pipe: CommandPipe) -> None:
    with run.pipe.open("w") as file:
        file.write("what?\n")
    assert names(pipe.take()) == [CommandName.PAUSE]


def test_who_writes_is_told_that_nobody_listens_and_is_never_kept_waiting(
    run: RunDirectory, pipe: CommandPipe
) -> None:
    with pytest.raises(BlockingIOError):  # noqa: PT012  how much fits is the kernel's
        for _ in range(10_000):
            send(run, PAUSE)
    assert len(pipe.take()) > 100
    pipe.close()
    with pytest.raises(OSError, match="No such device"):
        send(run, PAUSE)
    run.pipe.unlink()
    with pytest.raises(FileNotFoundError):
        send(run, PAUSE)


def test_who_takes_a_run_over_takes_its_pipe_too(run: RunDirectory, pipe: CommandPipe) -> None:
    second = CommandPipe.open(run)
    send(run, ROLLBACK)
    assert pipe.take() == ()
    assert second.take() == (ROLLBACK,)
    second.close()


def test_a_file_in_the_place_of_the_pipe_is_replaced_and_a_directory_is_done_without(
    run: RunDirectory,
) -> None:
    run.pipe.write_text("not a pipe")
    pipe = CommandPipe.open(run)
    send(run, PAUSE)
    assert pipe.take() == (PAUSE,)
    pipe.close()
    run.pipe.unlink()
    run.pipe.mkdir()
    assert CommandPipe.open(run).fileno() is None
    assert [path.name for path in run.path.iterdir() if path.name.endswith(".new")] == []


def test_a_rollback_behind_thousands_of_commands_is_heard_in_the_first_turn(
    run: RunDirectory, inbox: LocalInbox
) -> None:
    approve = OperatorCommand(CommandName.APPROVE, "ana")
    for number in range(300):
        enqueue(run, approve, AT.plus(number))
    enqueue(run, ROLLBACK, AT.plus(300))
    first = inbox.wait(AT)
    assert first[0] == ROLLBACK
    assert len(first) == 1 + A_TURN, "a turn hears a bounded number of others"
    said = [command for _ in range(20) for command in inbox.wait(AT)]
    assert names(tuple(said)).count(CommandName.APPROVE) == 300 - A_TURN
    assert not list(run.commands.iterdir())


def test_what_was_said_before_a_pause_cannot_undo_it(run: RunDirectory, inbox: LocalInbox) -> None:
    for number in range(A_TURN + 5):
        enqueue(run, RESUME, AT.plus(number))
    enqueue(run, PAUSE, AT.plus(1_000))
    first = inbox.wait(AT)
    assert first[0] == PAUSE
    assert inbox.stopping(), "it is said again in its place, so it still waits"
    assert inbox.wait(AT)[-1] == PAUSE
    assert inbox.wait(AT) == ()
    assert inbox.stopping() == ""


def test_what_stops_is_seen_before_it_is_heard_and_what_goes_forward_is_not(
    run: RunDirectory, inbox: LocalInbox
) -> None:
    assert inbox.stopping() == ""
    enqueue(run, RESUME, AT)
    assert inbox.stopping() == ""
    enqueue(run, ROLLBACK, AT.plus(1))
    assert "rollback" in inbox.stopping()
    assert inbox.wait(AT) == (RESUME, ROLLBACK), "looking takes nothing"
    assert inbox.stopping() == "", "it was heard"
    (run.path / "HOLD").touch()
    assert inbox.stopping() == "the switch HOLD"
    inbox.wait(AT)
    assert inbox.stopping() == ""


def test_a_stop_by_pipe_signal_or_key_is_seen_before_it_is_heard(
    run: RunDirectory, pipe: CommandPipe, signals: Signals, terminal: tuple[int, int]
) -> None:
    inbox = LocalInbox(run, Still(), pipe=pipe, signals=signals)
    send(run, RESUME)
    assert inbox.stopping() == ""
    send(run, ROLLBACK)
    assert inbox.stopping() == "rollback through commands.pipe"
    assert inbox.wait(AT) == (RESUME, ROLLBACK)
    signals._handle(signal.SIGTERM, None)
    assert inbox.stopping() == "a signal"
    assert names(inbox.wait(AT)) == [CommandName.INTERRUPT]
    assert inbox.stopping() == ""
    master, slave = terminal
    with OursKeyboard(slave).listening() as keyboard:
        inbox = LocalInbox(run, Still(), keyboard=keyboard)
        assert inbox.stopping() == ""
        os.write(master, b"p")
        assert select.select([slave], [], [], 10)[0]
        assert inbox.stopping() == "a key"


def test_commands_that_cannot_be_looked_at_stop_a_raise(
    run: RunDirectory, inbox: LocalInbox
) -> None:
    run.commands.rmdir()
    assert inbox.stopping() == "commands/ cannot be read"
    assert names(inbox.wait(AT)) == [CommandName.PAUSE]
    assert inbox.stopping() == "", "it was said"
