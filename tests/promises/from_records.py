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
from tests.promises.from_bench import portion, setting_of
from tests.promises.promise import broken

JOURNALLED = tuple(
    promise
    for promise in PROMISES
    if promise.id in ("P3", "P4", "P5", "P11", "P15", "P21", "P22", "P23", "P24", "P28", "N5")
)


def journal_broken(plan: Plan, records: Sequence[Record], exit_code: int) -> list[str]:
    """One sentence for every promise that a run's records break; `exit_code` of its last process."""
    found = {
        RouteId(route): config_of(form)
        for record in records
        if isinstance(record.event, Snapshot)
        for route, form in record.event.forms.items()
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
    if event.type == "word":
        yield Ordered(at_ms, said["word"])
    if event.type == "observed" and said["what"] == "form":
        yield from _seen(at_ms, said["facts"])
    yield Recorded(at_ms, event.type, said, record.seq, record.epoch, wall_ms=at_ms)
    if event.type == "intent":
        form = config_of(said["post"])
        yield Sent(at_ms, said["route"], form.text, said["weight"])
        yield Took(at_ms, said["route"], form.text, portion(form))


def _seen(at_ms: int, facts: dict[str, Any]) -> Iterator[Fact]:
    form = config_of(facts["form"])
    yield Changed(at_ms, facts["route"], form.text, portion(form))
    yield Read(at_ms, facts["route"], form.text, weight=portion(form))
