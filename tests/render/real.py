"""A bench's records as those of a run that moves real traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cutover.core.journal.events import Record, RunOpen
from tests.fakes import Bench


def real(bench: Bench) -> Iterator[Record]:
    """Every record; the run is opened as a live one."""
    for record in bench.journal.records:
        event = record.event
        yield (
            replace(record, event=replace(event, mode="live"))
            if isinstance(event, RunOpen)
            else record
        )
