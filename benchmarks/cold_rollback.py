"""A rollback by a process of its own, of a run with a long journal: how long until its first write arrives at AWS."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.measuring import ROOT, Figure, wall
from cutover.core.journal.events import MinuteSettled, Record
from cutover.core.plan import Plan
from cutover.core.state import Phase
from cutover.core.values import MINUTE
from cutover.local.disk import RealDisk
from cutover.local.found_journal import find_journal
from cutover.local.journal_file import encode
from cutover.local.plan_file import plan_of_text
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from tests.cli.emulated import Aws, crashed_run, emulated_aws
from tests.e2e.relay import PATIENCE, Relay

RECORDS = 100_000
REPEATS = 3
_COUNTS = {"balancer.requests": 6_000} | {
    f"{side}.{name}": count
    for side, count in (("source", 5_700), ("destination", 300))
    for name in ("requests", "target_2xx")
}


def measure() -> list[Figure]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the emulated AWS tells of each request
    with tempfile.TemporaryDirectory() as directory, emulated_aws() as aws:
        place = StateDirectory(Path(directory) / "state")
        run = crashed_run(place, aws, Phase.BAKING)
        short = _first_write(place, aws, run)
        journal = _grown(run, plan_of_text(run.plan.read_text()).plan)
        disk = RealDisk()
        read = wall(lambda: find_journal(disk, run.journal), repeats=REPEATS)
        taken = min(_first_write(place, aws, run) for _ in range(REPEATS))
    return [
        Figure(
            id="cold-rollback",
            what=f"wall time from the start of `cutover rollback` to its first write, with {RECORDS:,} records",
            promised="at most 2 times reading the file",
            ratio=taken / read,
            yardstick="reading the journal once and verifying its hash chain",
            met=taken <= 2 * read,
            parts={
                "first write s": round(taken, 2),
                "first write with 10 records s": round(short, 2),
                "reading and verifying s": round(read, 2),
                "MB": round(len(journal) / 1e6, 1),
            },
        )
    ]


def _grown(run: RunDirectory, plan: Plan) -> bytes:
    """The run's journal, whose bake then went on minute after minute."""
    found = find_journal(run.disk, run.journal)
    records, prev = found.contents.records, found.contents.head_hash
    at, lines = records[-1].at, [found.data]
    left = RECORDS - len(records)
    for number in range(left):
        minute = MinuteSettled(
            plan.comparisons[0].id, at.wall_ms - (left - number) * MINUTE, _COUNTS
        )
        line, prev = encode(Record(len(records) + number + 1, 1, at, minute), run.id, prev)
        lines.append(line)
    data = b"".join(lines)
    run.journal.write_bytes(data)
    return data


def _first_write(place: StateDirectory, aws: Aws, run: RunDirectory) -> float:
    """Seconds from the start of the process until its first write is there; it is killed then, and the journal put back."""
    before = run.journal.read_bytes()
    with closing(Relay(aws.url)) as relay:
        relay.hold_the_next_write()
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "cutover", "rollback", run.id],
            cwd=ROOT,
            env={
                **os.environ,
                "CUTOVER_STATE_DIR": str(place.root),
                "AWS_ENDPOINT_URL": relay.url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_CONFIG_FILE": os.devnull,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        came = relay.held.wait(PATIENCE)
        taken = time.perf_counter() - began
        process.kill()
        process.wait()
    if not came:
        raise RuntimeError("the rollback wrote nothing")
    run.journal.write_bytes(before)
    for command in run.commands.iterdir():
        command.unlink()
    return taken
