"""A journal of 100,000 records: read with its hash chain checked, and folded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from benchmarks.measuring import Figure, cpu
from cutover.core.journal.events import Event, MinuteSettled, PhaseChanged, Record
from cutover.core.plan import Plan
from cutover.core.state import replay
from cutover.core.values import MINUTE
from cutover.local.journal_file import encode, read_journal
from tests.fakes import Bench, plan_of

RECORDS = 100_000


def measure() -> list[Figure]:
    plan = plan_of()
    data = _journal()
    lines = data.splitlines()

    def floor() -> None:
        for line in lines:
            json.loads(line)
            hashlib.sha256(line).hexdigest()

    yard = cpu(floor, repeats=2)
    read = cpu(lambda: read_journal(data), repeats=2)
    records = read_journal(data).records
    fold = cpu(lambda: replay(plan, records), repeats=2)
    if len(records) != RECORDS:
        raise RuntimeError(f"{len(records)} records were believed, not {RECORDS}")
    return [
        Figure(
            id="journal-replay",
            what=f"CPU time of reading, verifying and folding {RECORDS:,} records",
            promised="under 2 s",
            ratio=(read + fold) / yard,
            yardstick="JSON and SHA-256 of the same lines, and nothing else",
            met=read + fold < 2,
            parts={
                "read and verify s": round(read, 2),
                "fold s": round(fold, 2),
                "yardstick s": round(yard, 2),
                "MB": round(len(data) / 1e6, 1),
            },
        )
    ]


def _journal() -> bytes:
    """The records of a real run until its last bake, which then goes on minute after minute."""
    made, prev = [], ""
    for record in records_of(plan_of(), RECORDS):
        line, prev = encode(record, "bench", prev)
        made.append(line)
    return b"".join(made)


def records_of(plan: Plan, count: int) -> Iterator[Record]:
    """The first so many of them."""
    bench = Bench(plan)
    bench.run()
    last = max(
        number
        for number, record in enumerate(bench.journal.records)
        if isinstance(record.event, PhaseChanged) and record.event.after == "BAKING"
    )
    first = bench.journal.records[: last + 1]
    yield from first
    minutes = [record.event for record in first if isinstance(record.event, MinuteSettled)]
    newest, at = minutes[-1], first[-1].at
    for number in range(count - len(first)):
        at = at.plus(MINUTE)
        event: Event = MinuteSettled(
            newest.comparison, newest.at_ms + (number + 1) * MINUTE, newest.counts
        )
        yield Record(len(first) + number + 1, 1, at, event)
