"""`journal`: a run's memory, shown, verified, exported, folded again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cutover.cli.console import Frame
from cutover.cli.options import found_run, json_option, run_argument
from cutover.core.errors import ExitCode, JournalError

if TYPE_CHECKING:
    from cutover.app.offline import Read


@click.group()
def journal() -> None:
    """Show, verify, export or replay a run's journal."""


def _read(frame: Frame, run: str | None) -> Read:
    from cutover.app import api as app_api

    return app_api.read_run(found_run(frame, run))


@journal.command()
@run_argument
@click.option(
    "--all", "everything", is_flag=True, help="Also minutes and other noise, one line per record."
)
@json_option
@click.pass_obj
def show(frame: Frame, run: str | None, everything: bool) -> int:
    """Show what happened, in sentences; with --json every record with its sentence."""
    read = _read(frame, run)
    if read.plan is None:
        raise JournalError(read.trouble, hint="`cutover journal export` needs no plan")
    from cutover.app.offline import believed

    believed(read, lambda: _shown(frame, read, everything=everything))
    return _said(frame, read)


def _shown(frame: Frame, read: Read, *, everything: bool) -> None:
    if read.plan is None:
        return
    if frame.json:
        from cutover.render.jsonlines import JsonView

        view = JsonView(read.plan, frame.out)
        for record in read.contents.records:
            view.on_record(record)
    elif everything:
        _every(frame, read)
    else:
        from cutover.render.lines import LinesView

        lines = LinesView(read.plan, frame.out, heartbeat_ms=0, summary=False, colour=frame.colour)
        for record in read.contents.records:
            lines.on_record(record)


def _every(frame: Frame, read: Read) -> None:
    from cutover.core.errors import printable
    from cutover.core.journal.codec import body
    from cutover.core.moment import wall_text
    from cutover.core.values import canonical_json

    for record in read.contents.records:
        said = printable(canonical_json(body(record.event)), 4_000)
        frame.say(f"{record.seq:>6} {wall_text(record.at.wall)} {record.event.type:<9} {said}")


def _said(frame: Frame, read: Read) -> int:
    """The exit code of a journal that was read: 7 when it is damaged or says nothing, and say where."""
    if read.contents.damage is None and read.contents.records:
        return int(ExitCode.COMPLETED)
    if not read.contents.records:
        raise JournalError(
            read.trouble
            or f"{read.run.journal} holds no record, so nothing can be said of the run",
            hint=read.way_back,
        )
    raise JournalError(
        read.trouble,
        hint=f"nothing from there on is believed; {read.way_back}",
    )


@journal.command()
@run_argument
@json_option
@click.pass_obj
def verify(frame: Frame, run: str | None) -> int:
    """Check the hash chain of every record, and that they fold. Exit 7 when one is damaged."""
    read = _read(frame, run)
    contents = read.contents
    code = _said(frame, read)
    if read.plan is not None and read.state is None:
        raise JournalError(read.trouble, hint=f"its chain is intact all the same; {read.way_back}")
    if frame.json:
        body = {
            "run": read.run.id,
            "records": len(contents.records),
            "head": contents.head_hash,
            "torn_bytes": len(contents.torn),
            "intact": True,
        }
        frame.give("cutover.journal.v1", body)
    else:
        torn = (
            f", and a torn last line of {len(contents.torn)} bytes, which never happened"
            if contents.torn
            else ""
        )
        frame.say(f"{read.run.journal}: {len(contents.records)} records intact{torn}")
        frame.say(f"head {contents.head_hash}")
    return code


@journal.command()
@run_argument
@click.pass_obj
def export(frame: Frame, run: str | None) -> int:
    """Write the intact records as NDJSON, byte for byte as they are kept: weights and shares are per mille there."""
    from cutover.app import api as app_api

    found = found_run(frame, run)
    read = app_api.read_run(found)
    if not read.contents.records:
        return _said(frame, read)
    data = found.journal_bytes()[: read.contents.good_bytes]
    frame.out.write(data.decode("ascii"))
    frame.out.flush()
    return _said(frame, read)


@journal.command()
@run_argument
@json_option
@click.pass_obj
def replay(frame: Frame, run: str | None) -> int:
    """Fold the journal again; check every phase change and every pass against what stood before it. Exit 7 on doubt."""
    from cutover.app import api as app_api
    from cutover.cli.watchers import result_body
    from cutover.core.values import weight_text

    read = _read(frame, run)
    replayed = app_api.replay(read)
    for doubt in replayed.doubts:
        frame.warn(f"error: {doubt}")
    state = replayed.state
    code = ExitCode.REFUSED if replayed.doubts else ExitCode.COMPLETED
    from cutover.app.offline import believed

    body = believed(read, lambda: result_body(read.run.id, code, state))
    if frame.json:
        counts = {
            "records": len(read.contents.records),
            "phases": replayed.phases,
            "gates": replayed.gates,
        }
        frame.give("cutover.replay.v1", {**body, **counts, "doubts": list(replayed.doubts)})
    else:
        frame.say(
            f"{len(read.contents.records)} records, {replayed.phases} phase changes and {replayed.gates} verdicts "
            f"checked, {len(replayed.doubts)} doubts"
        )
        step = f", step {state.step + 1}" if state.step >= 0 else ""
        why = f": {body['why']}" if body["why"] else ""
        frame.say(f"{body['phase']} at {weight_text(state.weight)}{step}{why}")
    return int(code)
