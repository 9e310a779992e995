"""Facts of a run of which only the journal is known: what its records say was sent, read and answered.

Nobody else saw it, so nothing here can show that a record lies: `JOURNALLED` are the promises that records alone can break.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cutover.core.journal.codec import body
from cutover.core.journal.events import Record, Snapshot
from cutover.core.plan import Plan
from cutover.core.routing import config_of
from cutover.core.values import RouteId
from tests.promises.catalogue import PROMISES
from tests.promises.facts import Changed, Ended, Fact, Ordered, Read, Recorded, Sent, Started, Took
from tests.promises.from_bench import portion, setting_of, taken_out
from tests.promises.promise import broken

JOURNALLED = tuple(
    promise
    for promise in PROMISES
    if promise.id in ("P3", "P4", "P5", "P11", "P15", "P21", "P22", "P23", "P24", "P28", "N5")
)


def journal_broken(plan: Plan, records: Sequence[Record], exit_code: int) -> list[str]:
    """One sentence for every promise that a run's records break; `exit_code` of its last process."""
    found = {
        RouteId(route): config_of(config)
        for record in records
        if isinstance(record.event, Snapshot)
        for route, config in record.event.configs.items()
    }
    if not found:
        return []  # nothing was written, or it could not have been taken back
    facts = [fact for record in records for fact in _facts(record)]
    if records[-1].event.type == "close":
        facts.append(Ended(records[-1].at.wall_ms, exit_code))
    return broken(JOURNALLED, setting_of(plan, found), facts)


def _facts(record: Record) -> Iterator[Fact]:
    at_ms, event = record.at.wall_ms, record.event
    said: dict[str, Any] = body(event)
    if event.type == "lease":
        yield Started(at_ms)
    if event.type == "command":
        yield Ordered(at_ms, said["command"])
    if event.type == "observed" and said["what"] == "config":
        yield from _seen(at_ms, said["facts"])
    yield Recorded(at_ms, event.type, said, record.seq, record.epoch, wall_ms=at_ms)
    if event.type == "intent":
        config = config_of(said["post"])
        yield Sent(at_ms, said["route"], config.text, said["weight"])
        yield Took(at_ms, said["route"], config.text, portion(config))


def _seen(at_ms: int, facts: dict[str, Any]) -> Iterator[Fact]:
    config = config_of(facts["config"])
    yield Changed(at_ms, facts["route"], config.text, portion(config))
    out = taken_out(config)
    yield Read(at_ms, facts["route"], config.text, weight=portion(config), taken_out=out)
