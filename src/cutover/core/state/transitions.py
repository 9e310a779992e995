"""What a change of phase does to the state: one small function per phase that is entered."""

from __future__ import annotations

from collections.abc import Callable

from cutover.core.journal import events as ev
from cutover.core.moment import Moment, parse_wall, wall_ms
from cutover.core.plan import Plan
from cutover.core.reasons import reason_of
from cutover.core.state import evidence as evid
from cutover.core.state.evidence import NO_STEP
from cutover.core.state.model import Held, RunState
from cutover.core.state.phases import TRANSITIONS, Hold, Phase
from cutover.core.values import with_fields

_PASSED = frozenset({Hold.APPROVAL, Hold.WINDOW})
"""Holds that begin only after every gate of the step passed."""

_ONE_INCIDENT = frozenset({Hold.SHARED, Hold.NO_CONTROL})
"""Holds that may take turns in one incident: the source is bad too, or nobody can tell."""


def turned(plan: Plan, state: RunState, record: ev.Record, event: ev.PhaseChanged) -> RunState:
    """The state in the phase that the record names.

    Raises:
        ValueError: for a change that `TRANSITIONS` forbids.
    """
    before, after = Phase(event.before), Phase(event.after)
    if before is not state.phase or after not in TRANSITIONS[before]:
        raise ValueError(f"record {record.seq}: no way from {state.phase} by {before} -> {after}")
    changed = with_fields(
        state,
        phase=after,
        step=event.step,
        target=event.step,
        turned=record.at,
        reason=reason_of(event.reason, event.facts),
        held=None,
        # only a bake that passed, or a destination attached and healthy, is evidence for a raise
        raising=after is Phase.SHIFTING and before in (Phase.BAKING, Phase.ATTACHING),
    )
    entered = _ENTERED.get(after)
    return changed if entered is None else entered(plan, state, changed, record, event)


def _holding(
    plan: Plan, before: RunState, changed: RunState, record: ev.Record, event: ev.PhaseChanged
) -> RunState:
    reason = Hold(event.hold)
    changed = with_fields(changed, held=_held(before.held, reason, record.at, event))
    if before.phase is Phase.BAKING and reason in _PASSED:
        changed = with_fields(changed, proven=event.step)
    if reason is Hold.APPROVAL:
        changed = with_fields(changed, asked=before.asked | {event.step + 1})
    return _afresh(plan, changed, event) if event.from_ms else changed


def _held(before: Held | None, reason: Hold, now: Moment, event: ev.PhaseChanged) -> Held:
    deadline = wall_ms(parse_wall(event.deadline)) if event.deadline else 0
    since = _held_since(before, reason, now)
    because = reason_of(event.reason, event.facts)
    return Held(reason, because, since, deadline, incident_began(before, reason))


def _held_since(before: Held | None, reason: Hold, now: Moment) -> Moment:
    """When the hold began. People who are told again of a pause did not say it again: it answers nothing newer."""
    again = before is not None and before.reason is reason is Hold.PAUSED
    return before.since if before is not None and again else now


def incident_began(before: Held | None, reason: Hold) -> Moment | None:
    """When the incident began whose hold another one takes over now; None for a new one, or the same one again."""
    if before is None or before.reason is reason or {before.reason, reason} != _ONE_INCIDENT:
        return None
    return before.began or before.since


def _shifting(
    plan: Plan, before: RunState, changed: RunState, record: ev.Record, event: ev.PhaseChanged
) -> RunState:
    # PhaseChanged names the step whose weight is wanted; the committed one stays until verified.
    changed = with_fields(changed, step=before.step, evidence_from_ms=NO_STEP, shares={})
    return with_fields(changed, proven=before.step) if before.phase is Phase.BAKING else changed


def _settling(
    plan: Plan, before: RunState, changed: RunState, record: ev.Record, event: ev.PhaseChanged
) -> RunState:
    return with_fields(_afresh(plan, changed, event), shares={})


def _afresh(plan: Plan, changed: RunState, event: ev.PhaseChanged) -> RunState:
    """The step proves itself again, by minutes from the record's on."""
    return with_fields(
        changed, evidence_from_ms=event.from_ms, evidence=evid.restart(plan, changed.evidence)
    )


def _completed(
    plan: Plan, before: RunState, changed: RunState, record: ev.Record, event: ev.PhaseChanged
) -> RunState:
    return with_fields(changed, proven=event.step)


def _rolling_back(
    plan: Plan, before: RunState, changed: RunState, record: ev.Record, event: ev.PhaseChanged
) -> RunState:
    return with_fields(
        changed,
        rollback_at=record.at,
        rollback_epoch=record.epoch,
        rollback_cause=event.cause,
        escalated_at=None,
        refused_interrupts=0,
        evidence_from_ms=NO_STEP,
        routes={
            r: with_fields(s, restored=None, impossible=False, overwritten=0)
            for r, s in changed.routes.items()
        },
    )


_ENTERED: dict[
    Phase, Callable[[Plan, RunState, RunState, ev.Record, ev.PhaseChanged], RunState]
] = {
    Phase.HOLDING: _holding,
    Phase.SHIFTING: _shifting,
    Phase.SETTLING: _settling,
    Phase.COMPLETED: _completed,
    Phase.ROLLING_BACK: _rolling_back,
}
