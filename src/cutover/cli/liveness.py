"""Whether a process drives a run, or rehearses, and what the files say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from cutover.core.errors import printable

if TYPE_CHECKING:
    from cutover.core.observation import OperatorCommand
    from cutover.local.rehearsal_file import Rehearsed
    from cutover.local.run_directory import RunDirectory
    from cutover.local.view_file import KeptView
    from cutover.ports.holder import Holder


class Watched(Protocol):
    """A run, however it was read."""

    @property
    def run(self) -> RunDirectory:
        """Its directory."""

    @property
    def driver(self) -> Holder | None:
        """The living process that drives it, by its lock."""

    @property
    def view(self) -> KeptView | None:
        """The newest look of its process."""


def rehearsed(read: Watched) -> Rehearsed | None:
    """What a rehearsal's own file says of it; None for a live run."""
    from cutover.local.rehearsal_file import read_rehearsed

    return read_rehearsed(read.run) if read.run.rehearsal else None


def is_alive(read: Watched, said: Rehearsed | None) -> bool:
    """A living process drives the run, or rehearses."""
    return said.alive if said is not None else read.driver is not None


OVERDUE_MS = 60_000
"""No look of a process that works takes as long, and its deadline is 13 s for each of its reads."""

RESTING = frozenset({"COMPLETED", "NEEDS_HUMAN"})
"""Phases whose process has ended as it should: only a command acts."""


def liveness(read: Watched, said: Rehearsed | None) -> str:
    """What the lock and view.json say of the process."""
    if said is not None:
        return _rehearsing(said)
    view, phase = read.view, read.run.phase()
    if read.driver is not None:
        seen = "" if view is None else _looks(view)
        return f"driven by process {read.driver.pid} on {read.driver.host} since {read.driver.since}{seen}"
    if read.run.rehearsal or read.run.is_over():
        return ""
    seen = "" if view is None else f"; the last look was at {view.last}"
    if phase in RESTING:
        return (
            f"none, and none is needed: the run rests until somebody gives a command to it{seen}"
        )
    waits = "".join(
        f"; {command.name} said by {printable(command.who)} waits for who takes it up"
        for command in waiting_commands(read)
    )
    return f"none lives: nobody watches its gates and deadlines{seen}{waits}"


def _looks(view: KeptView) -> str:
    """When a living process looked last and looks next; one that is stopped, or hangs, has not kept its word."""
    from cutover.core.moment import parse_wall, wall_ms
    from cutover.local.clock import SystemClock

    said = f", looked {view.last}"
    try:
        late = SystemClock().now().wall_ms - wall_ms(parse_wall(view.next))
    except ValueError:
        return said
    if late > OVERDUE_MS:
        return f"{said}; it should have looked again at {view.next} and has not: it is stopped, or it hangs"
    return f"{said}, looks again {view.next}"


def waiting_commands(read: Watched) -> tuple[OperatorCommand, ...]:
    """The commands that the next process will hear first."""
    if read.driver is not None or read.run.rehearsal or read.run.is_over():
        return ()
    from cutover.local.inbox import queued_commands

    return queued_commands(read.run)


def _rehearsing(said: Rehearsed) -> str:
    if said.alive:
        return f"running in process {said.pid} on {printable(said.host)}"
    if said.interrupted:
        return f"interrupted: process {said.pid} ended, nothing goes on, and a rehearsal is not resumed"
    return "ended by an error: nothing goes on" if said.ended == "failed" else ""


def with_judge(said: Rehearsed) -> str:
    """The judge that it was rehearsed with, as a clause."""
    return f", {printable(said.judge)} judge" if said.judge else ""


def rehearsed_body(said: Rehearsed | None) -> dict[str, Any] | None:
    """A rehearsal's own file, for programs."""
    from cutover.core.moment import wall_text

    if said is None:
        return None
    return {
        "scenario": said.scenario,
        "judge": said.judge,
        "began": wall_text(said.began),
        "ended": said.ended or ("interrupted" if said.interrupted else None),
    }
