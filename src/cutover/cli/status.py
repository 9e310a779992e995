"""`status`: where a run is, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cutover.cli.console import Frame
from cutover.cli.liveness import (
    Watched,
    is_alive,
    liveness,
    rehearsed,
    rehearsed_body,
    waiting_commands,
    with_judge,
)
from cutover.cli.options import found_run, json_option, run_argument
from cutover.core.errors import ExitCode, printable

if TYPE_CHECKING:
    from cutover.app.offline import Read
    from cutover.local.run_directory import RunDirectory
    from cutover.render.run_status import RunStatus


@click.command()
@run_argument
@json_option
@click.pass_obj
def status(frame: Frame, run: str | None) -> int:
    """Show where a run is, why, and what can be said to it. Without RUN: the only live one."""
    from cutover.app import api as app_api
    from cutover.core.values import count_of

    live = _live() if run is None else []
    if run is None and not live:
        if frame.json:
            frame.give("cutover.status.v1", {"run": None, "phase": None})
        else:
            past = len(app_api.runs())
            frame.say(
                "no live run"
                + (f"; `cutover list` shows {count_of(past, 'run')} of before" if past else "")
            )
        return 0
    found = live[0] if len(live) == 1 else found_run(frame, run)
    shown = app_api.shown_run(found)
    if shown is None:
        return _from_journal(frame, app_api.read_run(found))
    try:
        said = _said(frame, shown, shown.status)
    except Exception:  # noqa: BLE001  whatever a view holds, the journal is there to be read
        return _from_journal(frame, app_api.read_run(found))
    return _tell(frame, said)


def _from_journal(frame: Frame, read: Read) -> int:
    from dataclasses import replace

    from cutover.app.offline import believed
    from cutover.core.errors import JournalError

    if read.trouble or read.plan is None or read.state is None:
        # what an intact beginning says would be wrong about now
        return _broken(frame, read)
    try:
        said = believed(read, lambda: _said(frame, read, _status_of(read)))
    except JournalError as error:
        return _broken(frame, replace(read, trouble=str(error)))
    code = _tell(frame, said)
    if read.changed and not frame.json:
        frame.warn(
            f"warning: {read.run.plan} was {read.changed} since the run began: its steps and gates may be others"
        )
    return code


def _status_of(read: Read) -> RunStatus:
    from cutover.core.messages import RunView, standings
    from cutover.core.messages.past import view_of_past
    from cutover.render.status import status_of

    if read.plan is None or read.state is None:
        raise ValueError(read.trouble)
    view = view_of_past(RunView.begin(read.plan), read.contents.records)
    return status_of(view, read.state, standings(read.plan, read.state))


def _said(frame: Frame, read: Watched, known: RunStatus) -> list[str] | dict[str, Any]:
    """The lines for people, or the object for programs: all of it, or nothing of what cannot be told."""
    from cutover.local.clock import SystemClock
    from cutover.render.run_status import status_body, status_lines

    said = rehearsed(read)
    alive = is_alive(read, said)
    if frame.json:
        extra = {"run": read.run.id, "rehearsal": read.run.rehearsal, "alive": alive,
                 "rehearsed": rehearsed_body(said), "damage": "", "restore": restore_of(read),
                 "waiting": [command.name.value for command in waiting_commands(read)]}  # fmt: skip
        return {**extra, **status_body(known, driven=alive)}
    lines = [f"run {read.run.id}"]
    if said is not None:
        from cutover.core.moment import stamp

        lines.append(
            f"rehearsal of scenario {printable(said.scenario)}{with_judge(said)}, begun {stamp(said.began)} by the real clock"
        )
    now = SystemClock().now()
    told = status_lines(known, now, frame.width, liveness=liveness(read, said), driven=alive)
    return [*lines, *told]


def _tell(frame: Frame, said: list[str] | dict[str, Any]) -> int:
    if isinstance(said, dict):
        frame.give("cutover.status.v1", said)
    else:
        for line in said:
            frame.say(line)
    return int(ExitCode.COMPLETED)


def _live() -> list[RunDirectory]:
    from cutover.app import api as app_api

    return [run for run in app_api.runs() if not run.is_over()]


def restore_of(read: Watched) -> str:
    """The path of restore.sh; empty for a rehearsal, whose script restores nothing."""
    return "" if read.run.rehearsal else str(read.run.restore)


def _broken(frame: Frame, read: Read) -> int:
    """A run whose plan or journal cannot be folded: say what is known."""
    said = rehearsed(read)
    if frame.json:
        body: dict[str, Any] = {
            "run": read.run.id,
            "phase": read.run.phase() or None,
            "rehearsal": read.run.rehearsal,
            "alive": is_alive(read, said),
            "rehearsed": rehearsed_body(said),
            "damage": read.trouble,
            "restore": restore_of(read),
            "waiting": [command.name.value for command in waiting_commands(read)],
        }
        frame.give("cutover.status.v1", body)
    else:
        frame.say(f"run {read.run.id}: its files cannot be believed, so where it is is not known")
        frame.say(f"  last phase that its journal names: {read.run.phase() or 'none'}")
        frame.say(f"  process: {liveness(read, said) or 'none lives'}")
    if read.trouble:
        frame.warn(f"error: {read.trouble}")
        frame.warn(f"hint: {read.way_back}")
    return int(ExitCode.REFUSED)
