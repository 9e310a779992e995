"""`status` and `list`: what the run directories say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cutover.cli.console import Frame
from cutover.cli.options import found_run, json_option, run_argument
from cutover.core.errors import ExitCode, printable

if TYPE_CHECKING:
    from cutover.app.offline import Beat, Read
    from cutover.core.observation import OperatorCommand
    from cutover.local.rehearsal_file import Rehearsed
    from cutover.local.run_directory import RunDirectory
    from cutover.render.tables import RunRow


@click.command()
@run_argument
@json_option
@click.pass_obj
def status(frame: Frame, run: str | None) -> int:
    """Show where a run is, why, and what can be said to it. Without RUN: the only live one."""
    from cutover.app import api as app_api
    from cutover.core.values import count_of

    if run is None and not _live():
        if frame.json:
            frame.give("cutover.status.v1", {"run": None, "phase": None})
        else:
            past = len(app_api.runs())
            frame.say(
                "no live run"
                + (f"; `cutover list` shows {count_of(past, 'run')} of before" if past else "")
            )
        return 0
    read = app_api.read_run(found_run(frame, run))
    if read.trouble or read.plan is None or read.state is None:
        # what an intact beginning says would be wrong about now
        return _broken(frame, read)
    from dataclasses import replace

    from cutover.app.offline import believed
    from cutover.core.errors import JournalError

    try:
        return believed(read, lambda: _told(frame, read))
    except JournalError as error:
        return _broken(frame, replace(read, trouble=str(error)))


def _told(frame: Frame, read: Read) -> int:
    from cutover.render.status_json import status_json

    if read.plan is None or read.state is None:
        return int(ExitCode.REFUSED)
    if frame.json:
        said = rehearsed(read)
        alive = is_alive(read, said)
        body = status_json(read.state, read.plan, driven=alive)
        extra = {"run": read.run.id, "rehearsal": read.run.rehearsal, "alive": alive,
                 "rehearsed": _rehearsed_body(said), "damage": read.trouble, "restore": restore_of(read),
                 "waiting": [command.name.value for command in _waiting(read)]}  # fmt: skip
        frame.give(str(body.pop("schema")), {**extra, **body})
    else:
        _show(frame, read)
    return int(ExitCode.COMPLETED)


def _live() -> list[RunDirectory]:
    from cutover.app import api as app_api

    return [run for run in app_api.runs() if not run.is_over()]


def _show(frame: Frame, read: Read) -> None:
    from cutover.core.messages import RunView, stamp, standings, tell
    from cutover.local.clock import SystemClock
    from cutover.render.status import status_view

    if read.plan is None or read.state is None:
        return
    story = RunView.begin(read.plan)
    for record in read.contents.records:
        story = tell(story, record)
    lines = [f"run {read.run.id}"]
    said, now = rehearsed(read), SystemClock().now()
    if said is not None:
        lines.append(
            f"rehearsal of scenario {printable(said.scenario)}{_with_judge(said)}, begun {stamp(said.began)} by the real clock"
        )
    lines += status_view(
        story,
        now,
        frame.width,
        liveness=liveness(read, said),
        driven=is_alive(read, said),
        gates=standings(read.plan, read.state),
    )
    for line in lines:  # all of them, or none of a journal that cannot be told
        frame.say(line)
    if read.changed:
        frame.warn(
            f"warning: {read.run.plan} was {read.changed} since the run began: its steps and gates may be others"
        )


def rehearsed(read: Read) -> Rehearsed | None:
    """What a rehearsal's own file says of it; None for a live run."""
    from cutover.local.rehearsal_file import read_rehearsed

    return read_rehearsed(read.run) if read.run.rehearsal else None


def is_alive(read: Read, said: Rehearsed | None) -> bool:
    """A living process drives the run, or rehearses."""
    return said.alive if said is not None else read.driver is not None


OVERDUE_MS = 60_000
"""No look of a process that works takes as long, and its deadline is 13 s for each of its reads."""

RESTING = frozenset({"COMPLETED", "NEEDS_HUMAN"})
"""Phases whose process has ended as it should: only a command acts."""


def liveness(read: Read, said: Rehearsed | None) -> str:
    """What the lock and beat.json say of the process."""
    if said is not None:
        return _rehearsing(said)
    beat, phase = read.beat, read.run.phase()
    if read.driver is not None:
        seen = "" if beat is None else _looks(beat)
        return f"driven by process {read.driver.pid} on {read.driver.host} since {read.driver.since}{seen}"
    if read.run.rehearsal or read.run.is_over():
        return ""
    seen = "" if beat is None else f"; the last look was at {beat.last}"
    if phase in RESTING:
        return (
            f"none, and none is needed: the run rests until somebody gives a command to it{seen}"
        )
    waits = "".join(
        f"; {command.name} said by {printable(command.who)} waits for who takes it up"
        for command in _waiting(read)
    )
    return f"none lives: nobody watches its gates and deadlines{seen}{waits}"


def _looks(beat: Beat) -> str:
    """When a living process looked last and looks next; one that is stopped, or hangs, has not kept its word."""
    from cutover.core.moment import parse_wall, wall_ms
    from cutover.local.clock import SystemClock

    said = f", looked {beat.last}"
    try:
        late = SystemClock().now().wall_ms - wall_ms(parse_wall(beat.next))
    except ValueError:
        return said
    if late > OVERDUE_MS:
        return f"{said}; it should have looked again at {beat.next} and has not: it is stopped, or it hangs"
    return f"{said}, looks again {beat.next}"


def _waiting(read: Read) -> tuple[OperatorCommand, ...]:
    """The commands that the next process will hear first."""
    from cutover.local.inbox import queued_commands

    if read.driver is not None or read.run.rehearsal or read.run.is_over():
        return ()
    return queued_commands(read.run)


def _rehearsing(said: Rehearsed) -> str:
    if said.alive:
        return f"running in process {said.pid} on {printable(said.host)}"
    if said.interrupted:
        return f"interrupted: process {said.pid} ended, nothing goes on, and a rehearsal is not resumed"
    return "ended by an error: nothing goes on" if said.ended == "failed" else ""


def _with_judge(said: Rehearsed) -> str:
    return f", {printable(said.judge)} judge" if said.judge else ""


def restore_of(read: Read) -> str:
    """The path of restore.sh; empty for a rehearsal, whose script restores nothing."""
    return "" if read.run.rehearsal else str(read.run.restore)


def _rehearsed_body(said: Rehearsed | None) -> dict[str, Any] | None:
    from cutover.core.moment import wall_text

    if said is None:
        return None
    return {
        "scenario": said.scenario,
        "judge": said.judge,
        "began": wall_text(said.began),
        "ended": said.ended or ("interrupted" if said.interrupted else None),
    }


def _say_trouble(frame: Frame, read: Read) -> None:
    if read.trouble:
        frame.warn(f"error: {read.trouble}")
        frame.warn(f"hint: {read.way_back}")


def _broken(frame: Frame, read: Read) -> int:
    """A run whose plan or journal cannot be folded: say what is known."""
    said = rehearsed(read)
    if frame.json:
        body: dict[str, Any] = {
            "run": read.run.id,
            "phase": read.run.phase() or None,
            "rehearsal": read.run.rehearsal,
            "alive": is_alive(read, said),
            "rehearsed": _rehearsed_body(said),
            "damage": read.trouble,
            "restore": restore_of(read),
            "waiting": [command.name.value for command in _waiting(read)],
        }
        frame.give("cutover.status.v1", body)
    else:
        frame.say(f"run {read.run.id}: its files cannot be believed, so where it is is not known")
        frame.say(f"  last phase that its journal names: {read.run.phase() or 'none'}")
        frame.say(f"  process: {liveness(read, said) or 'none lives'}")
    _say_trouble(frame, read)
    return int(ExitCode.REFUSED)


@click.command("list")
@click.option("--rehearsals", is_flag=True, help="List rehearsals instead.")
@json_option
@click.pass_obj
def list_runs(frame: Frame, rehearsals: bool) -> int:
    """List the runs on this machine, newest first."""
    from cutover.app import api as app_api

    reads = [app_api.read_run(run) for run in app_api.runs(rehearsals=rehearsals)]
    if not reads and not frame.json:
        frame.say(f"no {'rehearsals' if rehearsals else 'runs'} in {app_api.state_root()}")
    try:
        shown = _listed(frame, reads, rehearsals=rehearsals)
    except Exception:  # noqa: BLE001  one run's absurd content must not hide the others
        sound = [_sound(frame, read, rehearsals=rehearsals) for read in reads]
        shown = _listed(frame, sound, rehearsals=rehearsals)
    for one in shown:
        if isinstance(one, str):
            frame.say(one)
        else:
            frame.give("cutover.run.v1", one)
    return 0


def _sound(frame: Frame, read: Read, *, rehearsals: bool) -> Read:
    """The run, shown as damaged when its row cannot be made."""
    from dataclasses import replace

    from cutover.app.offline import believed
    from cutover.core.errors import JournalError

    try:
        believed(read, lambda: _listed(frame, [read], rehearsals=rehearsals))
    except JournalError as error:
        return replace(read, state=None, trouble=str(error))
    return read


def _listed(
    frame: Frame, reads: list[Read], *, rehearsals: bool
) -> list[str] | list[dict[str, Any]]:
    """The lines of the list, or its JSON objects: newest first."""
    from cutover.render.tables import list_view, rehearsals_list_view

    listed = [_Listed(read) for read in reads]
    listed.sort(key=lambda one: one.began_ms, reverse=True)
    if frame.json:
        return [_row_body(one) for one in listed]
    rows = [_row(one) for one in listed]
    width = frame.width if frame.out.isatty() else None
    return list(rehearsals_list_view(rows, width) if rehearsals else list_view(rows, frame.width))


class _Listed:
    """A run with what its rehearsal says, and when it really began."""

    def __init__(self, read: Read) -> None:
        from cutover.core.moment import wall_ms
        from cutover.local.rehearsal_file import really_began

        self.read = read
        self.said = rehearsed(read)
        self.alive = is_alive(read, self.said)
        records = read.contents.records
        opened = records[0].at.wall if records else None
        # a rehearsal's records have emulated times
        self.began = really_began(read.run, self.said) if read.run.rehearsal else opened
        self.began_ms = 0 if self.began is None else wall_ms(self.began)


def _row(one: _Listed) -> RunRow:
    from cutover.render.tables import RunRow

    read = one.read
    return RunRow(
        run=read.run.id,
        plan=read.opened.plan_name if read.opened else "-",
        phase=_phase(one),
        weight=read.state.weight if read.state and not read.trouble else None,
        alive=one.alive,
        last=read.contents.records[-1].at.wall if read.contents.records else None,
        mode=read.opened.mode if read.opened else "rehearsal" if read.run.rehearsal else "live",
        began=one.began,
        interrupted=one.said is not None and one.said.interrupted,
        judge=one.said.judge if one.said is not None else "",
    )


def _phase(one: _Listed) -> str:
    if one.read.run.never_started() and not one.alive:
        return "ended before it began"
    return ("damaged: " if one.read.trouble else "") + (_phase_of(one.read) or "no phase yet")


def _phase_of(read: Read) -> str:
    """By the intact records, else as the journal's end names it."""
    if read.state is not None and read.contents.records and not read.trouble:
        return read.state.phase.value
    return read.run.phase()


def _row_body(one: _Listed) -> dict[str, Any]:
    from cutover.core.moment import wall_text
    from cutover.core.values import weight_percent

    read = one.read
    records = read.contents.records
    return {
        "run": read.run.id,
        "plan": read.opened.plan_name if read.opened else None,
        "phase": _phase_of(read) or None,
        "weight_percent": weight_percent(read.state.weight)
        if read.state and not read.trouble
        else None,
        "alive": one.alive,
        "rehearsed": _rehearsed_body(one.said),
        "mode": read.opened.mode if read.opened else None,
        "opened": wall_text(records[0].at.wall) if records else None,
        "last": wall_text(records[-1].at.wall) if records else None,
        "routes": list(read.opened.routes) if read.opened else [],
        "damage": read.trouble,
    }
