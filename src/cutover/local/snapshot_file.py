"""snapshot.json and restore.sh: the way back that needs no journal.

The journal holds the snapshot too; this copy is what a rollback uses when the journal is damaged or
written by a newer version, so it also says which account, Region and mode it is from.
"""

from __future__ import annotations

import json
import os
from typing import Any

from cutover.core.errors import NeedsHumanError, UsageError
from cutover.core.journal.codec import body, parse
from cutover.core.journal.events import Event, RunOpen, Snapshot
from cutover.core.routing import config_of
from cutover.core.values import canonical_json, digest
from cutover.local.disk import SCRIPT_MODE
from cutover.local.run_directory import RunDirectory
from cutover.ports.store import KeptSnapshot

SCHEMA = "cutover.snapshot/1"


def snapshot_text(run_id: str, opened: RunOpen | None, snapshot: Snapshot) -> str:
    """The text of snapshot.json; its `hash` shows a changed file."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run_id,
        "opened": body(opened) if opened else {},
        "snapshot": body(snapshot),
    }
    return (
        json.dumps({**data, "hash": digest(canonical_json(data))}, indent=1, sort_keys=True) + "\n"
    )


def read_snapshot(run: RunDirectory) -> KeptSnapshot | None:
    """The run's snapshot, from snapshot.json, else from the intact part of its journal.

    None when neither holds one: then this run changed nothing on AWS, for both are durable before
    the first change.

    Raises:
        NeedsHumanError: when there was or may have been one, and none can be believed.
    """
    why = ""
    try:
        return _parsed(run.disk.read(run.snapshot), run.id)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        why = str(error)
    events: list[Event] = []
    try:
        contents = run.contents()
    except UsageError as error:
        why = why or (str(error) if run.disk.look(run.journal) is not None else "")
    else:
        events = [record.event for record in contents.records]
        if contents.damage is not None:
            why = why or f"missing, and the journal is damaged at line {contents.damage.line}"
    snapshots = [event for event in events if isinstance(event, Snapshot)]
    if snapshots:
        opened = next((event for event in events if isinstance(event, RunOpen)), None)
        return KeptSnapshot(snapshots[-1], opened)
    if why:
        raise NeedsHumanError(
            f"{run.snapshot}: {why}",
            hint=f"read {run.restore} and run its commands, or use cutover rollback --plan PLAN --no-run",
        )
    return None


_DISARMED = "echo 'This script is disarmed"


def disarm_restore(run: RunDirectory, why: str) -> None:
    """Make restore.sh exit at its first line: a finished run must not be undone by an old script.

    Two processes may do it at once: each writes a file of its own, and the last one stays.

    Raises:
        OSError: when the disk does not take it; the script is then still armed.
    """
    said = "".join(c if c.isalnum() or c in " .,:;()/%-" else "?" for c in why)
    first = f"{_DISARMED}: {said}. Nothing was done.' >&2; exit 1\n"
    try:
        script = run.disk.read(run.restore).decode()
    except FileNotFoundError:
        return
    shebang, _, rest = (
        script.partition("\n") if script.startswith("#!") else ("#!/bin/sh", "", script)
    )
    if rest.startswith(_DISARMED):
        return
    ours = run.restore.with_name(f".restore.{os.getpid()}.sh")
    text = f"{shebang}\n{first}{rest}".encode()
    run.disk.keep(ours, text, durable=not run.rehearsal, mode=SCRIPT_MODE)
    run.disk.replace(ours, run.restore)
    if not run.rehearsal:
        run.disk.sync_directory(run.path)


def is_armed(run: RunDirectory) -> bool:
    """restore.sh exists and would move traffic; one that cannot be read may."""
    try:
        script = run.disk.read(run.restore)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return _DISARMED.encode() not in b"".join(script.splitlines(keepends=True)[:2])


def _parsed(text: bytes, run_id: str) -> KeptSnapshot:
    try:
        data = json.loads(text)
        hashed = data.pop("hash")
        intact = (
            digest(canonical_json(data)) == hashed
            and data["schema"] == SCHEMA
            and data["run"] == run_id
        )
        opened = parse(RunOpen.type, data["opened"]) if data["opened"] else None
        snapshot = parse(Snapshot.type, data["snapshot"])
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ValueError(f"not a snapshot: {error}") from None
    if (
        not intact
        or not isinstance(snapshot, Snapshot)
        or not (opened is None or isinstance(opened, RunOpen))
    ):
        raise ValueError("it was changed, or belongs to another run")
    for route, config in snapshot.configs.items():
        if not isinstance(config, dict) or not isinstance(config.get("text"), str):
            raise ValueError(f"the form of {route} is none")
        config_of(config)
    return KeptSnapshot(snapshot, opened)
