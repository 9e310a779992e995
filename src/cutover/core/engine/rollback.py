"""ROLLING_BACK: back needs nothing but the snapshot, credentials and ELBv2. It is absorbing."""

from __future__ import annotations

from cutover.core.actions import End, ReadRequest, RestoreRoute, RestoreRoutes
from cutover.core.engine.decision import Decision
from cutover.core.engine.routes import gone_reason
from cutover.core.engine.turn import Turn
from cutover.core.errors import ExitCode
from cutover.core.journal.events import Observed, Verified
from cutover.core.observation import CommandName, Unknown
from cutover.core.reasons import Code, Reason, because
from cutover.core.state import Phase, RouteState
from cutover.core.state.model import Sent
from cutover.core.values import MINUTE, SECOND, RouteId, digest

COMMIT = 2 * SECOND
LOST_FOR = 60 * SECOND
"""A route that AWS says does not exist for so long is not coming back."""

ESCALATE = 60 * SECOND
"""After this the banner with the exact commands stands (docs/promises.md P12)."""

AT_ONCE_FOR = 10 * SECOND
"""While a rollback is so young its refused writes are sent again within a second."""

PACE = SECOND
"""Later one write a second, over all routes: a third of what the AWS Load Balancer Controller allows itself for changes
(aws-load-balancer-controller, pkg/aws/throttle/defaults.go: 3 a second), for the account's bucket is shared."""

FAST_FOR = 2 * MINUTE
FAST = 5 * SECOND
SLOW = 30 * SECOND
BLIND_AFTER = 3 * SECOND
"""A route that cannot be read for so long is restored on what the journal says: back needs only the snapshot."""

OVERWRITTEN = 2
"""Restores undone by somebody else before a person must look: no write wars (docs/promises.md P7)."""

REFUSED_SIGNALS = 2

UNREAD_AGAIN = SECOND // 2
"""A young rollback looks again so soon at a route that could not be read."""

_ROUTES = ReadRequest(configs=True, once=True)
"""All that a rollback looks at: a read that fails is tried again by the next turn, so that no write waits for it."""


def begin_rollback(turn: Turn, why: Reason, cause: str) -> Decision:
    """Enter the absorbing phase and restore what can be restored in this very turn."""
    turn.to(Phase.ROLLING_BACK, why, cause=cause)
    return rolling_back(turn)


def rolling_back(turn: Turn) -> Decision:
    """One turn of going back: every route by itself, for ever."""
    ended = _interrupted(turn)
    if ended is not None:
        return ended
    state = turn.state
    span = _span(turn)
    backs: list[RestoreRoute] = []
    wait = FAST if span < FAST_FOR else SLOW
    for route, known in state.routes.items():
        if known.impossible or known.snapshot is None or _lost(turn, known):
            continue
        back, pause = _route(turn, route, known, span)
        if back is not None:
            backs.append(back)
        wait = min(wait, pause)
    open_routes = [
        r
        for r, k in turn.state.routes.items()
        if k.snapshot is not None and (k.restored is None or _lost(turn, k))
    ]
    if open_routes and span > ESCALATE and state.escalated_at is None:
        turn.add(Observed("escalated", {"routes": list(open_routes)}))
    ready, pause = _paced(turn, backs, span)
    if ready:
        # what is refused is sent again in the very next turn, while the rollback is young
        again = 0 if span < AT_ONCE_FOR else PACE
        restoring = because(Code.RESTORING, routes=[one.route for one in ready])
        return turn.decision(RestoreRoutes(tuple(ready), _why(turn)), _ROUTES, again, restoring)
    stuck = [r for r in open_routes if _stuck(turn, turn.state.routes[r])]
    if not open_routes:
        return _confirm(turn)
    if len(stuck) == len(open_routes):
        reasons = _why_stuck(turn, stuck)
        why = reasons[0] if len(reasons) == 1 else because(Code.SEVERAL, each=reasons)
        turn.to(Phase.NEEDS_HUMAN, why)
        return turn.decision(End(ExitCode.NEEDS_HUMAN, why), ReadRequest(), 0, why)
    waiting = because(Code.WAITING_FOR_ROUTES, routes=open_routes)
    return turn.decision(None, _ROUTES, min(wait, pause), waiting)


def _why(turn: Turn) -> Reason:
    """Why the rollback began."""
    assert turn.state.reason is not None  # noqa: S101 - the fold gives every phase its reason
    return turn.state.reason


def _paced(turn: Turn, backs: list[RestoreRoute], span: int) -> tuple[list[RestoreRoute], int]:
    """The writes that leave now, and how long the others wait.

    First writes leave together, and those that never reached AWS: its bucket has not seen them. Once the rollback is not young any more the others take turns, one a second.
    """
    newest = {one.route: _last_restore(turn, turn.state.routes[one.route]) for one in backs}
    first = [one for one in backs if (last := newest[one.route]) is None or last.never_left]
    if span < AT_ONCE_FOR or first or not backs:
        return (backs if span < AT_ONCE_FOR else first), SLOW
    sent = [s for k in turn.state.routes.values() if (s := _last_restore(turn, k)) is not None]
    # one of the backs is among them, or it would be a first write
    quiet = min(turn.now.after(one.at) for one in sent)
    if quiet < PACE:
        return [], PACE - quiet

    def waited(one: RestoreRoute) -> int:
        last = newest[one.route]
        return turn.now.after(last.at) if last is not None else 0

    return [max(backs, key=waited)], SLOW


def _last_restore(turn: Turn, known: RouteState) -> Sent | None:
    """The route's newest write, when it is one of this rollback."""
    sent, state = known.sent, turn.state
    if sent is None or sent.kind != "restore" or sent.epoch != state.epoch:
        return None  # an earlier process's: how long ago that was, nobody knows across a reboot
    began = state.rollback_at if state.rollback_epoch == state.epoch else state.driven_since
    return sent if began is None or sent.at.after(began) >= 0 else None


def _span(turn: Turn) -> int:
    """Milliseconds for which this process has been going back."""
    state = turn.state
    began = state.rollback_at if state.rollback_epoch == state.epoch else state.driven_since
    return 0 if began is None else max(0, turn.now.after(began))


def _lost(turn: Turn, known: RouteState) -> bool:
    """AWS has said for some time, and at every look, that the route does not exist: nothing can be written to it."""
    return known.gone_since is not None and turn.now.after(known.gone_since) >= LOST_FOR


def _stuck(turn: Turn, known: RouteState) -> bool:
    return known.impossible or _lost(turn, known)


def _why_stuck(turn: Turn, stuck: list[RouteId]) -> list[Reason]:
    lost = [route for route in stuck if _lost(turn, turn.state.routes[route])]
    others = [route for route in stuck if route not in lost]
    reasons = [gone_reason(route) for route in lost]
    if others:
        reasons.append(because(Code.CANNOT_BE_RESTORED, routes=others))
    return reasons


def _interrupted(turn: Turn) -> Decision | None:
    signals = [
        command.signal for command in turn.seen.commands if command.name is CommandName.INTERRUPT
    ]
    if not signals:
        return None
    if turn.state.refused_interrupts > REFUSED_SIGNALS:
        why = because(Code.ENDED_BY_PERSON)
        return turn.decision(End(ExitCode.NEEDS_HUMAN, why), ReadRequest(), 0, why)
    turn.note(because(Code.SIGNAL_REFUSED, signal=signals[-1]))
    return None


def _route(
    turn: Turn, route: RouteId, known: RouteState, span: int
) -> tuple[RestoreRoute | None, int]:
    """The route's write, if one is due now, and how long to wait otherwise."""
    live = turn.live(route)
    due = _due(turn, route, known)
    if live is None:
        if (
            route in turn.seen.configs
            and known.gone_since is None
            and known.restored is None
            and span > BLIND_AFTER
            and _blind_allowed(turn, known)
            and due <= 0
        ):
            return RestoreRoute(route, verbatim=not known.accepted, unread=True), FAST
        return None, UNREAD_AGAIN if span < AT_ONCE_FOR else COMMIT
    aimed = (
        known.sent.post.hash if known.sent is not None and known.sent.kind == "restore" else None
    )
    there = live.hash == aimed or live == known.snapshot
    if there and known.in_doubt is None and not _only_read(known):
        return None, _verify(turn, route, known)
    if known.overwritten >= OVERWRITTEN:
        turn.add(Observed("overwritten", {"route": route}))
        return None, FAST
    if due > 0:
        return None, due
    # What a person accepted is in what we wrote since: only our weights go back then. A route that looks restored
    # is written all the same, as it looks, while nobody but that read says so.
    ours = live.hash in known.written and (live == known.snapshot or live.hash != aimed)
    return RestoreRoute(route, verbatim=ours and not known.accepted), COMMIT


def _only_read(known: RouteState) -> bool:
    """This run changed the route and never tried to put it back: a read that says so may be older than the change.

    Once AWS has denied us a restore, reads are believed: whoever is told the commands may have run them. What was only
    throttled is sent again.
    """
    sent, found = known.sent, known.snapshot
    tried = sent is not None and sent.kind == "restore" and (sent.denied or not sent.refused)
    # a raise that one read showed is not committed yet, and may be there all the same
    changed = known.committed != found or any(
        config != found.hash for config in known.written if found is not None
    )
    return changed and not tried


def _verify(turn: Turn, route: RouteId, known: RouteState) -> int:
    if known.restored is not None or known.seen is None:
        return FAST
    age = turn.now.after(known.seen.since)
    if age < COMMIT:
        return COMMIT - age
    turn.add(
        Verified(
            route,
            known.seen.config.hash,
            int(known.seen.config.weight or 0),
            known.seen.since.wall_ms,
            turn.now.wall_ms,
        )
    )
    return FAST


def _due(turn: Turn, route: RouteId, known: RouteState) -> int:
    """Milliseconds until this route may be written again.

    What was answered may not be visible yet. What was refused or lost is sent again at once, then within a second,
    after `AT_ONCE_FOR` at a pace (`_paced`), and after `FAST_FOR` each route every 5 s at most; a refusal of our
    permissions changes less often than that.
    """
    sent = _last_restore(turn, known)
    if sent is None:
        return 0
    since, span = turn.now.after(sent.at), _span(turn)
    if sent.answered or (sent.denied and span >= AT_ONCE_FOR):
        return (FAST if span < FAST_FOR else SLOW) - since
    if span >= AT_ONCE_FOR:
        return (PACE if span < FAST_FOR else FAST) - since
    return 0 if sent.attempt == 1 else _jitter(route, sent.attempt) - since


def _jitter(route: RouteId, attempt: int) -> int:
    """200 to 900 ms, another for each route and attempt: the core draws no random numbers."""
    return 200 + int(digest(f"{route} {attempt}")[:8], 16) % 701


def _blind_allowed(turn: Turn, known: RouteState) -> bool:
    """A restore rests on what the run knows of the route, unless the newest read of it showed somebody else's config."""
    return not known.strange and not isinstance(turn.seen.lease, Unknown)


def _confirm(turn: Turn) -> Decision:
    """Every route is verified: one more equal read after `observe.confirm` before success is claimed."""
    restored = [k.restored for k in turn.state.routes.values() if k.restored is not None]
    quiet = min(turn.now.after(at) for at in restored)
    fresh = all(
        turn.live(r) is not None for r, k in turn.state.routes.items() if k.snapshot is not None
    )
    if not fresh and turn.unread_for() > ESCALATE and turn.state.escalated_at is None:
        unread = [r for r, k in turn.state.routes.items() if k.unreadable_since is not None]
        turn.add(Observed("escalated", {"routes": unread}))
    if quiet < turn.plan.observe.confirm or not fresh:
        wait = min(max(turn.plan.observe.confirm - quiet, COMMIT), turn.plan.observe.poll)
        return turn.decision(None, turn.look(), wait, because(Code.RESTORED_READING))
    began = _why(turn)
    why = because(Code.RESTORED, because=began)
    turn.to(Phase.ROLLED_BACK, began)
    return turn.decision(End(ExitCode.ROLLED_BACK, why), ReadRequest(), 0, why)
