"""Runs as their processes show them: status and list without reading a journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cutover.core.errors import LeaseError
from cutover.local.holders import drivers
from cutover.local.rehearsal_file import Rehearsed, read_rehearsed
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.local.view_file import KeptView, read_view, status_of_view
from cutover.ports.holder import Holder
from cutover.render.run_status import RunStatus, status_from


@dataclass(frozen=True)
class ShownRun:
    """A run whose view.json still is that of its journal.

    Attributes:
        run: its directory.
        status: where it is.
        driver: the living process that drives it, by its lock.
        view: the newest look of its process.
        said: what a rehearsal's own file says of it; None for a live run.
    """

    run: RunDirectory
    status: RunStatus
    driver: Holder | None
    view: KeptView | None
    said: Rehearsed | None


def shown_run(run: RunDirectory, driving: Mapping[str, Holder]) -> ShownRun | None:
    """The run as view.json shows it; None when its journal must be read. `driving`: processes by run."""
    view = read_view(run)
    data = status_of_view(run, view)
    if data is None:
        return None
    try:
        status = status_from(data)
    except (KeyError, TypeError, ValueError):
        return None
    said = read_rehearsed(run) if run.rehearsal else None
    return ShownRun(run, status, driving.get(run.id), view, said)


def driving_processes(place: StateDirectory) -> Mapping[str, Holder]:
    """The living processes by the run that each drives, for display; none when the locks cannot be looked at."""
    try:
        return drivers(place)
    except LeaseError:
        return {}
