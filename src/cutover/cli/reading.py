"""`status` and `list`: what the run directories say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cutover.cli.frame import Frame
from cutover.cli.options import json_option, run_argument
from cutover.core.errors import ExitCode

if TYPE_CHECKING:
    from cutover.local.run_directory import RunDirectory
    from cutover.wiring.offline import Read


@click.command()
@run_argument
@json_option
@click.pass_obj
def status(frame: Frame, run: str | None) -> int:
    """Show where a run is, why, and what can be said to it. Without RUN: the only live one."""
    from cutover import api

    if run is None and not _live():
        if frame.json:
            frame.give("cutover.status.v1", {"run": None, "phase": None})
        else:
            past = len(api.runs())
            frame.say(
                "no live run" + (f"; `cutover list` shows {past} that are over" if past else "")
            )
        return 0
    read = api.read_run(api.find_run(run))
    if read.trouble or read.plan is None or read.state is None:
        # what an intact beginning says would be wrong about now
        return _broken(frame, read)
    from cutover.views.status_json import status_json

    if frame.json:
        body = status_json(read.state, read.plan, driven=read.driver is not None)
        extra = {"run": read.run.id, "rehearsal": read.run.rehearsal, "alive": read.driver is not None,
                 "damage": read.trouble, "restore": str(read.run.restore)}  # fmt: skip
        frame.give(str(body.pop("schema")), {**extra, **body})
    else:
        _show(frame, read)
    return int(ExitCode.COMPLETED)


def _live() -> list[RunDirectory]:
    from cutover import api

    return [run for run in api.runs() if not run.is_over()]


def _show(frame: Frame, read: Read) -> None:
    from cutover.core.story import Story, standings, tell
    from cutover.local.clock import SystemClock
    from cutover.views.status import status_view

    if read.plan is None or read.state is None:
        return
    story = Story.begin(read.plan)
    for record in read.contents.records:
        story = tell(story, record)
    frame.say(f"run {read.run.id}")
    now, driven = SystemClock().now(), read.driver is not None
    for line in status_view(
        story,
        now,
        frame.width,
        liveness=liveness(read),
        driven=driven or read.run.rehearsal,
        gates=standings(read.plan, read.state),
    ):
        frame.say(line)


def liveness(read: Read) -> str:
    """What the lock and beat.json say of the process."""
    seen = (
        f", looked {read.beat.last}, looks again {read.beat.next}" if read.beat is not None else ""
    )
    if read.driver is not None:
        return f"driven by process {read.driver.pid} on {read.driver.host} since {read.driver.since}{seen}"
    if read.run.rehearsal or read.run.is_over():
        return ""
    return f"none lives: nobody watches its gates and deadlines{seen}"


def _say_trouble(frame: Frame, read: Read) -> None:
    if read.trouble:
        frame.warn(f"error: {read.trouble}")
        frame.warn(
            f"hint: no weight is raised from it; `cutover rollback {read.run.id}` works, and sh {read.run.restore}"
        )


def _broken(frame: Frame, read: Read) -> int:
    """A run whose plan or journal cannot be folded: say what is known."""
    if frame.json:
        body: dict[str, Any] = {
            "run": read.run.id,
            "phase": read.run.phase() or None,
            "alive": read.driver is not None,
            "damage": read.trouble,
            "restore": str(read.run.restore),
        }
        frame.give("cutover.status.v1", body)
    else:
        frame.say(f"run {read.run.id}: its files cannot be believed, so where it is is not known")
        frame.say(f"  last phase that its journal names: {read.run.phase() or 'none'}")
        frame.say(f"  process: {liveness(read) or 'none lives'}")
    _say_trouble(frame, read)
    return int(ExitCode.REFUSED)


@click.command("list")
@click.option("--rehearsals", is_flag=True, help="List rehearsals instead.")
@json_option
@click.pass_obj
def list_runs(frame: Frame, rehearsals: bool) -> int:
    """List the runs on this machine, newest first."""
    from cutover import api

    reads = sorted(
        (api.read_run(run) for run in api.runs(rehearsals=rehearsals)),
        key=lambda read: read.contents.records[0].at.wall_ms if read.contents.records else 0,
        reverse=True,
    )
    if frame.json:
        for read in reads:
            frame.give("cutover.run.v1", _row_body(read))
        return 0
    from cutover.views.tables import RunRow, list_view

    rows = [
        RunRow(
            run=read.run.id,
            plan=read.opened.plan_name if read.opened else "-",
            phase=("damaged: " if read.trouble else "") + (read.run.phase() or "no phase yet"),
            weight=read.state.weight if read.state and not read.trouble else None,
            alive=read.driver is not None,
            last=read.contents.records[-1].at.wall if read.contents.records else None,
            mode=read.opened.mode if read.opened else "live",
        )
        for read in reads
    ]
    if not rows:
        frame.say(f"no runs in {api.state_root()}")
    for line in list_view(rows, frame.width):
        frame.say(line)
    return 0


def _row_body(read: Read) -> dict[str, Any]:
    from cutover.core.moment import wall_text

    records = read.contents.records
    return {
        "run": read.run.id,
        "plan": read.opened.plan_name if read.opened else None,
        "phase": read.run.phase() or None,
        "weight": read.state.weight if read.state and not read.trouble else None,
        "alive": read.driver is not None,
        "mode": read.opened.mode if read.opened else None,
        "opened": wall_text(records[0].at.wall) if records else None,
        "last": wall_text(records[-1].at.wall) if records else None,
        "routes": list(read.opened.routes) if read.opened else [],
        "damage": read.trouble,
    }
