"""Journals whose chain is valid and whose content is absurd: every reader says so, and none falls over."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cutover.core.journal import VERSION
from cutover.core.values import digest
from cutover.local.disk import RealDisk
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from tests.cli.command import called

GOLDEN = Path(__file__).parents[1] / "journals" / f"v{VERSION}"
NEWEST = sorted(GOLDEN.glob("*.jsonl"))

_KEPT = ("v", "seq", "run", "prev", "hash")
_ABSURD: tuple[Any, ...] = (
    10**18, -(10**18), 2**63, 10**400, 0, -1, 1, 253402300799999, True, None, 1.5, 1e308,
    "", "absurd", "\u202e\x1b[2J", "9" * 5_000, "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z",
    "-", "?", [], {}, [[]], {"a": {}}, ["a", 1], {"text": "{}"},
)  # fmt: skip

RUN = "absurd"

READERS: tuple[tuple[str, ...], ...] = (
    ("status", RUN),
    ("status", RUN, "--json"),
    ("list",),
    ("list", "--json"),
    ("journal", "show", RUN),
    ("journal", "show", RUN, "--all"),
    ("journal", "show", RUN, "--json"),
    ("journal", "verify", RUN),
    ("journal", "export", RUN),
    ("journal", "replay", RUN),
    ("journal", "replay", RUN, "--json"),
    ("pause", RUN),
    ("approve", RUN),
)


def rehashed(records: list[dict[str, Any]]) -> bytes:
    """The lines of these records, numbered and chained anew."""
    lines, prev = [], ""
    for number, record in enumerate(records):
        data = {**record, "seq": number + 1, "prev": prev}
        data.pop("hash", None)
        prev = digest(_canonical(data))
        lines.append(_canonical({**data, "hash": prev}))
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _canonical(data: dict[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def mutated(journal: bytes, chance: random.Random) -> bytes:
    """The journal with one thing in it absurd, and its chain made valid again."""
    records = [json.loads(line) for line in journal.splitlines()]
    kind = chance.random()
    at = chance.randrange(len(records))
    if kind < 0.1:
        records.insert(chance.randrange(len(records)), dict(records[at]))
    elif kind < 0.2:
        del records[at]
    elif kind < 0.25:
        records.reverse()
    else:
        _spoil(records[at], chance)
    return rehashed(records)


def _spoil(record: dict[str, Any], chance: random.Random) -> None:
    """Replace one value somewhere in the record."""
    places = list(_places(record, top=True))
    if not places:
        return
    holder, key = chance.choice(places)
    if isinstance(holder, dict) and chance.random() < 0.1:
        del holder[key]
    elif isinstance(holder, dict) and chance.random() < 0.05:
        holder[str(chance.choice(_ABSURD))] = holder.pop(key)
    else:
        holder[key] = chance.choice(_ABSURD)


def _places(value: Any, *, top: bool = False) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        for key in value:
            if not (top and key in _KEPT):
                yield value, key
                yield from _places(value[key])
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield value, index
            yield from _places(inner)


def run_with(place: Path, journal: bytes, plan: dict[str, Any]) -> RunDirectory:
    """A run directory that holds them."""
    run = RunDirectory(place / "runs" / RUN, RealDisk())
    StateDirectory(place).prepare()
    run.commands.mkdir(parents=True, mode=0o700)
    run.plan.write_text(json.dumps(plan))
    run.journal.write_bytes(journal)
    return run


@contextmanager
def state_directory(place: Path) -> Iterator[None]:
    """The commands look here."""
    before = os.environ.get("CUTOVER_STATE_DIR")
    os.environ["CUTOVER_STATE_DIR"] = str(place)
    try:
        yield
    finally:
        if before is None:
            del os.environ["CUTOVER_STATE_DIR"]
        else:
            os.environ["CUTOVER_STATE_DIR"] = before


def read(place: Path, seed: int) -> str:
    """Give every reader the mutated journal of a seed; what `verify` says of it, in a word.

    Raises:
        AssertionError: when one of them falls over; the message names the seed.
    """
    chance = random.Random(seed)
    golden = NEWEST[seed % len(NEWEST)]
    plan = json.loads(golden.with_suffix(".json").read_text())["plan"]
    journal = mutated(golden.read_bytes(), chance)
    with state_directory(place / str(seed)):
        run_with(place / str(seed), journal, plan)
        for command in READERS:
            done = called(*command)
            if done.code == 1 or "a bug in cutover" in done.err:
                raise AssertionError(f"seed {seed}: cutover {' '.join(command)}: {done.err}")
            if command == ("list", "--json"):
                assert len(done.out.splitlines()) == 1, f"seed {seed}: {done.out}{done.err}"
        return "intact" if called("journal", "verify", RUN).code == 0 else "damaged"
