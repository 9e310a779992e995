"""`list`: the runs on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.console import Frame
from cutover.cli.liveness import is_alive, rehearsed, rehearsed_body
from cutover.cli.options import json_option

if TYPE_CHECKING:
    from cutover.app.offline import Read
    from cutover.app.shown import ShownRun
    from cutover.local.rehearsal_file import Rehearsed
    from cutover.local.run_directory import RunDirectory


@click.command("list")
@click.option("--rehearsals", is_flag=True, help="List rehearsals instead.")
@json_option
@click.pass_obj
def list_runs(frame: Frame, rehearsals: bool) -> int:
    """List the runs on this machine, newest first."""
    from cutover.app import api as app_api

    reads = app_api.shown_runs(app_api.runs(rehearsals=rehearsals))
    if not reads and not frame.json:
        frame.say(f"no {'rehearsals' if rehearsals else 'runs'} in {app_api.state_root()}")
    listed = [_listed(read) for read in reads]
    try:
        shown = _shown(frame, listed, rehearsals=rehearsals)
    except Exception:  # noqa: BLE001  one run's absurd content must not hide the others
        sound = [_sound(frame, one, rehearsals=rehearsals) for one in listed]
        shown = _shown(frame, sound, rehearsals=rehearsals)
    for one in shown:
        if isinstance(one, str):
            frame.say(one)
        else:
            frame.give("cutover.run.v1", one)
    return 0


@dataclass(frozen=True)
class _Listed:
    """One run, whether its process showed it or its journal was read.

    Attributes:
        weight: per mille; None: not to be believed.
        opened, last: of its first and newest record, emulated in a rehearsal.
        began: when it really began.
        phase: as programs read it; empty for none.
        shown: the same for people.
        read: the journal's, when that was read.
    """

    run: RunDirectory
    said: Rehearsed | None
    alive: bool
    plan: str | None
    mode: str | None
    phase: str
    shown: str
    weight: int | None
    opened: datetime | None
    last: datetime | None
    began: datetime | None
    routes: tuple[str, ...]
    damage: str
    read: Read | None = None


def _listed(read: ShownRun | Read) -> _Listed:
    from cutover.app.shown import ShownRun

    if not isinstance(read, ShownRun):
        return _of_journal(read)
    try:
        return _of_view(read)
    except Exception:  # noqa: BLE001  whatever a view holds, the journal is there to be read
        from cutover.app import api as app_api

        return _of_journal(app_api.read_run(read.run))


def _of_view(one: ShownRun) -> _Listed:
    status, said = one.status, one.said
    return _Listed(
        one.run,
        said,
        is_alive(one, said),
        status.plan,
        status.mode,
        status.phase,
        status.phase,
        status.weight,
        status.began,
        status.ended,
        # a rehearsal's records have emulated times
        _really_began(one.run, said) if one.run.rehearsal else status.began,
        tuple(str(route["route"]) for route in status.body["routes"]),
        "",
    )


def _of_journal(read: Read) -> _Listed:
    said, records = rehearsed(read), read.contents.records
    alive = is_alive(read, said)
    opened = records[0].at.wall if records else None
    phase = _phase(read)
    damaged = "damaged: " if read.trouble else ""
    never = read.run.never_started() and not alive
    return _Listed(
        read.run,
        said,
        alive,
        read.opened.plan_name if read.opened else None,
        read.opened.mode if read.opened else None,
        phase,
        "ended before it began" if never else damaged + (phase or "no phase yet"),
        read.state.weight if read.state and not read.trouble else None,
        opened,
        records[-1].at.wall if records else None,
        _really_began(read.run, said) if read.run.rehearsal else opened,
        tuple(str(route) for route in read.opened.routes) if read.opened else (),
        read.trouble,
        read,
    )


def _really_began(run: RunDirectory, said: Rehearsed | None) -> datetime | None:
    from cutover.local.rehearsal_file import really_began

    return really_began(run, said)


def _phase(read: Read) -> str:
    """By the intact records, else as the journal's end names it."""
    if read.state is not None and read.contents.records and not read.trouble:
        return read.state.phase.value
    return read.run.phase()


def _sound(frame: Frame, one: _Listed, *, rehearsals: bool) -> _Listed:
    """The run, shown as damaged when its row cannot be made."""
    from dataclasses import replace

    from cutover.app import api as app_api
    from cutover.app.offline import believed
    from cutover.core.errors import JournalError

    read = one.read or app_api.read_run(one.run)
    try:
        believed(read, lambda: _shown(frame, [one], rehearsals=rehearsals))
    except JournalError as error:
        return _of_journal(replace(read, state=None, trouble=str(error)))
    return one


def _shown(
    frame: Frame, listed: list[_Listed], *, rehearsals: bool
) -> list[str] | list[dict[str, Any]]:
    """The lines of the list, or its JSON objects: newest first."""
    from cutover.core.moment import wall_ms
    from cutover.render.tables import RunRow, list_view, rehearsals_list_view

    ordered = sorted(
        listed, key=lambda one: 0 if one.began is None else wall_ms(one.began), reverse=True
    )
    if frame.json:
        return [_body(one) for one in ordered]
    rows = [
        RunRow(
            run=one.run.id,
            plan=one.plan or "-",
            phase=one.shown,
            weight=one.weight,
            alive=one.alive,
            last=one.last,
            mode=one.mode or ("rehearsal" if one.run.rehearsal else "live"),
            began=one.began,
            interrupted=one.said is not None and one.said.interrupted,
            judge=one.said.judge if one.said is not None else "",
        )
        for one in ordered
    ]
    width = frame.width if frame.out.isatty() else None
    return list(rehearsals_list_view(rows, width) if rehearsals else list_view(rows, frame.width))


def _body(one: _Listed) -> dict[str, Any]:
    from cutover.core.moment import wall_text
    from cutover.core.values import weight_percent

    return {
        "run": one.run.id,
        "plan": one.plan,
        "phase": one.phase or None,
        "weight_percent": None if one.weight is None else weight_percent(one.weight),
        "alive": one.alive,
        "rehearsed": rehearsed_body(one.said),
        "mode": one.mode,
        "opened": None if one.opened is None else wall_text(one.opened),
        "last": None if one.last is None else wall_text(one.last),
        "routes": list(one.routes),
        "damage": one.damage,
    }
