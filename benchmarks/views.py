"""`status` with a live run and `list` with a thousand runs, against the AWS CLI's own start."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.journals import records_of
from benchmarks.measuring import BIN, Figure, cpu_of
from cutover.core.journal.events import Record, RunOpen
from cutover.core.messages import RunView, standings
from cutover.core.messages.past import view_of_past
from cutover.core.state import replay
from cutover.core.values import RouteId, digest, with_fields
from cutover.local.clock import SystemClock
from cutover.local.journal_end import end_of
from cutover.local.journal_file import encode
from cutover.local.lease import FlockLease
from cutover.local.state_directory import StateDirectory
from cutover.local.view_file import view_text
from cutover.render.run_status import status_data
from cutover.render.status import status_of
from tests.shown_runs import PLAN, TEXT

LIVE_RECORDS = 1_000
RUNS, RECORDS = 1_000, 750
YARDSTICK = "`aws --version` of the AWS CLI in the same environment"


def measure() -> list[Figure]:
    theirs = cpu_of([str(BIN / "aws"), "--version"])
    return [_status(theirs), _list(theirs)]


def _status(theirs: float) -> Figure:
    with _runs(1, LIVE_RECORDS) as place:
        (run,) = place.list_runs()
        lease = FlockLease.take(place, (RouteId("bench"),), run.id, SystemClock().now())
        shown = _cutover(place, "status")
        run.view.unlink()
        folded = _cutover(place, "status")
        lease.close()
    return Figure(
        id="status-live",
        what=f"CPU time of `cutover status` with a live run of {LIVE_RECORDS:,} records, from start to exit",
        promised="at most half of `aws --version`",
        ratio=shown / theirs,
        yardstick=YARDSTICK,
        met=shown <= theirs / 2,
        parts={
            "status ms": round(1000 * shown),
            "the same without view.json ms": round(1000 * folded),
            "aws --version ms": round(1000 * theirs),
        },
    )


def _list(theirs: float) -> Figure:
    with _runs(RUNS, RECORDS) as place:
        size = sum(run.journal.stat().st_size for run in place.list_runs())
        shown = _cutover(place, "list")
    return Figure(
        id="list-runs",
        what=f"CPU time of `cutover list` with {RUNS:,} runs of {RECORDS} records each, from start to exit",
        promised="at most 2 times `aws --version`",
        ratio=shown / theirs,
        yardstick=YARDSTICK,
        met=shown <= 2 * theirs,
        parts={
            "list ms": round(1000 * shown),
            "aws --version ms": round(1000 * theirs),
            "journals MB": round(size / 1e6),
        },
    )


def _cutover(place: StateDirectory, command: str) -> float:
    return cpu_of([sys.executable, "-m", "cutover", command], CUTOVER_STATE_DIR=str(place.root))


@contextmanager
def _runs(count: int, records: int) -> Iterator[StateDirectory]:
    """A state directory with so many runs, each with its journal and the view that a process leaves."""
    said = [_live(record) for record in records_of(PLAN, records)]
    state = replay(PLAN, said)
    view = view_of_past(RunView.begin(PLAN), said)
    status = status_data(status_of(view, state, standings(PLAN, state)))
    last = said[-1].at
    with tempfile.TemporaryDirectory() as directory:
        place = StateDirectory(Path(directory) / "state")
        place.prepare()
        for number in range(count):
            run = place.create(f"checkout-20261120-120000-{number:04x}", TEXT)
            lines, prev = [], ""
            for record in said:
                line, prev = encode(record, run.id, prev)
                lines.append(line)
            run.journal.write_bytes(b"".join(lines))
            end = end_of(run.disk, run.journal, run.id)
            run.view.write_bytes(
                view_text(
                    run.id, last=last, next_look=last, status=status, end=end, plan=digest(TEXT)
                )
            )
        yield place


def _live(record: Record) -> Record:
    event = record.event
    if not isinstance(event, RunOpen):
        return record
    return with_fields(record, event=with_fields(event, mode="live"))
