"""ROLLING_BACK: back needs nothing but the snapshot, credentials and ELBv2. It is absorbing."""

from __future__ import annotations

from cutover.core.actions import Back, End, Look, Restore
from cutover.core.errors import ExitCode
from cutover.core.events import Note, Observed, Verified
from cutover.core.machine.decision import Decision
from cutover.core.machine.turn import Turn, short
from cutover.core.observation import Unknown, WordName
from cutover.core.state import Phase, RouteState
from cutover.core.values import MINUTE, SECOND, RouteId

COMMIT = 2 * SECOND
ESCALATE = 60 * SECOND
"""After this the banner with the exact commands stands (promises.md P12)."""

FAST_FOR = 2 * MINUTE
FAST = 5 * SECOND
SLOW = 30 * SECOND
BLIND_AFTER = 3 * SECOND
BLIND_WITHIN = 2 * MINUTE
"""A blind write rests on a read at most this old that showed our own form (promises.md P10)."""

OVERWRITTEN = 2
"""Restores undone by somebody else before a person must look: no write wars (promises.md P7)."""

REFUSED_SIGNALS = 2


def begin_rollback(turn: Turn, why: str, cause: str) -> Decision:
    """Enter the absorbing phase and restore what can be restored in this very turn."""
    turn.to(Phase.ROLLING_BACK, why, cause=cause)
    return rolling_back(turn)


def rolling_back(turn: Turn) -> Decision:
    """One turn of going back: every route by itself, for ever."""
    ended = _interrupted(turn)
    if ended is not None:
        return ended
    state = turn.state
    began = state.rollback_at or turn.now
    span = turn.now.after(began)
    backs: list[Back] = []
    wait = FAST if span < FAST_FOR else SLOW
    for route, known in state.routes.items():
        if known.impossible or known.snapshot is None:
            continue
        back, pause = _route(turn, route, known, span)
        if back is not None:
            backs.append(back)
        wait = min(wait, pause)
    if backs:
        return turn.decision(
            Restore(tuple(backs), state.why),
            Look(forms=True),
            COMMIT,
            f"restoring {short(b.route for b in backs)}",
        )
    open_routes = [
        r for r, k in turn.state.routes.items() if k.restored is None and k.snapshot is not None
    ]
    stuck = [r for r in open_routes if turn.state.routes[r].impossible]
    if not open_routes:
        return _confirm(turn)
    if len(stuck) == len(open_routes):
        why = f"{short(stuck)} cannot be restored by cutover: the planned groups are gone or somebody keeps changing it"
        turn.to(Phase.NEEDS_HUMAN, why)
        return turn.decision(End(ExitCode.NEEDS_HUMAN, why), Look(), 0, why)
    if span > ESCALATE and state.escalated_at is None:
        turn.add(Observed("escalated", {"routes": list(open_routes), "why": state.why}))
    return turn.decision(None, Look(forms=True), wait, f"waiting for {short(open_routes)}")


def _interrupted(turn: Turn) -> Decision | None:
    signals = [word.signal for word in turn.seen.words if word.name is WordName.INTERRUPT]
    if not signals:
        return None
    if turn.state.refused_interrupts > REFUSED_SIGNALS:
        why = "ended by a person during the rollback: a route may not be restored"
        return turn.decision(End(ExitCode.NEEDS_HUMAN, why), Look(), 0, why)
    turn.add(
        Note(
            f"signal {signals[-1]} refused: the rollback goes on (a third signal ends it, unrestored)"
        )
    )
    return None


def _route(turn: Turn, route: RouteId, known: RouteState, span: int) -> tuple[Back | None, int]:
    """The route's write, if one is due now, and how long to wait otherwise."""
    live = turn.live(route)
    if live is None:
        if (
            route in turn.seen.forms
            and span > BLIND_AFTER
            and _blind_allowed(turn, known)
            and _due(turn, known) <= 0
        ):
            return Back(route, verbatim=not known.accepted, blind=True), FAST
        return None, COMMIT
    aimed = (
        known.sent.post.hash if known.sent is not None and known.sent.kind == "restore" else None
    )
    if live.hash == aimed or live == known.snapshot:
        return None, _verify(turn, route, known)
    if known.overwritten >= OVERWRITTEN:
        turn.add(Observed("overwritten", {"route": route}))
        return None, FAST
    due = _due(turn, known)
    if due > 0:
        return None, due
    # a change that a person accepted is in what we wrote since: only our weights go back then
    return Back(route, verbatim=live.hash in known.written and not known.accepted), COMMIT


def _verify(turn: Turn, route: RouteId, known: RouteState) -> int:
    if known.restored is not None or known.seen is None:
        return FAST
    age = turn.now.after(known.seen.since)
    if age < COMMIT:
        return COMMIT - age
    turn.add(
        Verified(
            route,
            known.seen.form.hash,
            int(known.seen.form.weight or 0),
            known.seen.since.wall_ms,
            turn.now.wall_ms,
        )
    )
    return FAST


def _due(turn: Turn, known: RouteState) -> int:
    """Milliseconds until this route may be written again: at most 5 s apart at first, then 30 s."""
    sent = known.sent
    began = turn.state.rollback_at or turn.now
    if sent is None or sent.kind != "restore" or sent.at.after(began) < 0:
        return 0
    pause = (
        min(2 ** min(sent.attempt - 1, 3) * SECOND, FAST)
        if turn.now.after(began) < FAST_FOR
        else SLOW
    )
    return pause - turn.now.after(sent.at)


def _blind_allowed(turn: Turn, known: RouteState) -> bool:
    if (
        known.seen is None
        or known.seen.form.hash not in known.written
        or known.unreadable_since is None
        or isinstance(turn.seen.lease, Unknown)
    ):
        return False
    return turn.now.after(known.unreadable_since) <= BLIND_WITHIN


def _confirm(turn: Turn) -> Decision:
    """Every route is verified: one more equal read after `observe.confirm` before success is claimed."""
    restored = [k.restored for k in turn.state.routes.values() if k.restored is not None]
    quiet = min(turn.now.after(at) for at in restored)
    fresh = all(
        turn.live(r) is not None for r, k in turn.state.routes.items() if k.snapshot is not None
    )
    if quiet < turn.plan.observe.confirm or not fresh:
        wait = min(max(turn.plan.observe.confirm - quiet, COMMIT), turn.plan.observe.poll)
        return turn.decision(
            None, turn.look(), wait, "restored; reading every route once more before saying so"
        )
    why = f"restored and read back: {turn.state.why}"
    turn.to(Phase.ROLLED_BACK, turn.state.why)
    return turn.decision(End(ExitCode.ROLLED_BACK, why), Look(), 0, why)
