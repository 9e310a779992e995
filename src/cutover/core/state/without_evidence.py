"""The state that going back needs: everything but the gates' evidence, which is the dear part of a long journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cutover.core.journal import events as ev
from cutover.core.plan import Plan
from cutover.core.state.fold import evolve
from cutover.core.state.model import RunState
from cutover.core.values import with_fields


def replay_without_evidence(plan: Plan, records: Iterable[ev.Record]) -> RunState:
    """As `replay`, but the gates' memories are those of a run without a minute: nothing may be judged by this state.

    Raises:
        ValueError: as `evolve`.
    """
    state = RunState()
    for record in without_superseded(records):
        event = record.event
        if isinstance(event, ev.MinuteSettled):
            newest = {**state.journalled_ms, event.comparison: event.at_ms}
            state = with_fields(state, journalled_ms=newest)
        elif not isinstance(event, ev.MinuteCorrected):
            state = evolve(plan, state, record)
        state = with_fields(state, seq=record.seq, epoch=record.epoch, last=record.at)
    return state


def without_superseded(records: Iterable[ev.Record]) -> Iterator[ev.Record]:
    """The records without settled minutes that another one of the same comparison follows before anything else happens.

    Beside the gates' evidence a settled minute leaves nothing but which one is the newest.
    """
    newest: dict[str, ev.Record] = {}
    for record in records:
        event = record.event
        if isinstance(event, ev.MinuteSettled):
            newest.pop(event.comparison, None)  # the newest one comes last
            newest[event.comparison] = record
            continue
        if newest:
            yield from newest.values()
            newest.clear()
        yield record
    yield from newest.values()
