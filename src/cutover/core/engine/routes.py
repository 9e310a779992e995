"""Driving every route of a step to one weight: all or back."""

from __future__ import annotations

from enum import Enum

from cutover.core.actions import SetWeight
from cutover.core.engine.decision import Decision
from cutover.core.engine.turn import Turn
from cutover.core.journal.events import Drift, Verified
from cutover.core.observation import Unknown
from cutover.core.reasons import Code, Reason, because
from cutover.core.routing import config_body
from cutover.core.state import Phase, RouteState
from cutover.core.values import SECOND, RouteId, Weight

COMMIT = 2 * SECOND
"""Two equal reads at least this far apart commit a config."""

WRITE_DEADLINE = 60 * SECOND
"""A step's writes must be applied and read back within this."""

DRIFT_AFTER = 6 * SECOND
"""A foreign config must be seen for this long, over at least two re-reads, before it is drift."""


class RouteStatus(Enum):
    """Where one route is on its way to a weight."""

    AT = "at"
    BEFORE = "before"
    FOREIGN = "foreign"
    UNREAD = "unread"
    UNSETTLED = "unsettled"  # what is read may be older than a write of ours


class Driven(Enum):
    """What became of driving all routes to a weight."""

    COMMITTED = "committed"
    UNDER_WAY = "under_way"
    NOT_WRITTEN = "not_written"
    DENIED = "denied"
    PARTIAL = "partial"
    DRIFTED = "drifted"
    UNREADABLE = "unreadable"


def standing(turn: Turn, route: RouteId, weight: int) -> RouteStatus:
    """Where the route is, by the config read this turn."""
    live = turn.live(route)
    known = turn.state.routes[route]
    if live is None:
        return RouteStatus.UNREAD
    ours = live.hash in known.written or (
        known.committed is not None and live.hash == known.committed.hash
    )
    if ours and live.attached and live.weight == weight:
        return RouteStatus.UNSETTLED if turn.unsettled(route) else RouteStatus.AT
    if known.committed is not None and live.hash == known.committed.hash:
        return RouteStatus.UNSETTLED if turn.unsettled(route) else RouteStatus.BEFORE
    if ours and live.hash in _on_its_way(known):
        return RouteStatus.BEFORE  # at another weight: a partial step on its way back
    return RouteStatus.FOREIGN


def _on_its_way(known: RouteState) -> set[str]:
    """What the newest write may show: what it sent, and what it found for as long as that never went away."""
    sent, seen = known.sent, known.seen
    if sent is None:
        return set()
    untouched = (
        seen is not None and seen.config.hash == sent.pre and seen.since.after(sent.at) <= 0
    )
    return {sent.post.hash, sent.pre} if untouched else {sent.post.hash}


_WRITING = (Phase.ATTACHING, Phase.SHIFTING, Phase.HOLDING)
"""Phases in which the newest write may be visible before it is committed."""


def drifted(turn: Turn) -> tuple[RouteId, ...]:
    """Routes whose live config is neither intended nor prior, seen so for long enough; or that are gone."""
    found = []
    for route, known in turn.state.routes.items():
        live = turn.live(route)
        if live is None and known.gone_since is not None and known.committed is not None:
            found.append(route)
        if live is None or known.committed is None or known.seen is None:
            continue
        expected = {known.committed.hash}
        if turn.state.phase in _WRITING:
            expected |= _on_its_way(known)
        if live.hash not in expected and turn.now.after(known.seen.since) >= DRIFT_AFTER:
            found.append(route)
    return tuple(found)


def suspicious(turn: Turn) -> bool:
    """Some live config is unread, or not the committed one (yet too young to be called drift)."""
    return any(turn.live(route) != known.committed for route, known in turn.state.routes.items())


def mixed(turn: Turn) -> bool:
    """Some routes are above the committed weight and others are not: a step landed late, on some of them."""
    up = {
        route: turn.now.after(known.seen.since)
        for route, known in turn.state.routes.items()
        if known.seen is not None
        and known.seen.config.hash in known.written
        and (known.seen.config.weight or 0) > turn.state.weight
    }
    # a route whose write no read shows yet may be up as well: it is waited for
    lagging = [route for route in turn.state.routes if route not in up]
    surely = any(age >= COMMIT for age in up.values())
    return surely and bool(lagging) and not any(turn.unsettled(route) for route in lagging)


def written_step(turn: Turn) -> int | None:
    """The open step that every route already reads as written, though no record says so (a crash in between)."""
    steps = {
        k.sent.step if k.sent is not None and k.sent.kind == "move" else -1
        for k in turn.state.routes.values()
    }
    target = max(steps, default=-1)
    if target <= turn.state.step:
        return None
    weight = turn.plan.steps[target].weight
    for route, known in turn.state.routes.items():
        live = turn.live(route)
        if live is None or live.weight != weight or live.hash not in known.written:
            return None
    return target


def record_drift(turn: Turn, routes: tuple[RouteId, ...]) -> Reason:
    """Journal the drift and say it."""
    gone = [route for route in routes if turn.state.routes[route].gone_since is not None]
    for route in routes:
        known = turn.state.routes[route]
        expected = known.committed.hash if known.committed is not None else ""
        there = known.seen is not None and route not in gone
        turn.add(
            Drift(route, expected, config_body(known.seen.config) if there and known.seen else {})
        )
    changed = [route for route in routes if route not in gone]
    reasons = [gone_reason(route) for route in gone]
    if changed:
        weights = {str(route): _weight_now(turn.state.routes[route]) for route in changed}
        reasons.append(because(Code.DRIFT, routes=changed, weights=weights))
    return reasons[0] if len(reasons) == 1 else because(Code.SEVERAL, each=reasons)


def gone_reason(route: RouteId) -> Reason:
    """That a route does not exist any more, and where its requests go now.

    AWS docs: a request that matches no rule is handled by the listener's default action (Listener rules for
    your Application Load Balancer); without its listener nobody accepts the connection.
    """
    kind = Code.RULE_GONE if ":listener-rule/" in route else Code.LISTENER_GONE
    return because(kind, route=route)


def _weight_now(known: RouteState) -> int:
    """Per mille; -1 for nothing that can be read."""
    weight = known.seen.config.weight if known.seen is not None else None
    return -1 if weight is None else int(weight)


def drive(turn: Turn, weight: int) -> tuple[Driven, Decision | None]:
    """One turn towards `weight` on every route; the decision when more is to be done."""
    where = {route: standing(turn, route, weight) for route in turn.state.routes}
    late = turn.in_phase() > WRITE_DEADLINE
    if drifted(turn):
        return Driven.DRIFTED, None
    if RouteStatus.FOREIGN in where.values():
        return Driven.UNDER_WAY, turn.soon(because(Code.READING_UNEXPECTED), 3 * SECOND)
    moved = any(
        s is RouteStatus.AT and not _was_there(turn.state.routes[route], weight)
        for route, s in where.items()
    )
    if RouteStatus.UNREAD in where.values():
        if late and turn.unread_for() > WRITE_DEADLINE:
            moved |= any(
                _may_be_there(turn, route, weight)
                for route, s in where.items()
                if s is RouteStatus.UNREAD
            )
            return (Driven.PARTIAL if moved else Driven.UNREADABLE), None
        return Driven.UNDER_WAY, turn.soon(because(Code.READING_ALL), 2 * SECOND)
    if any(
        s is RouteStatus.UNSETTLED and _older(turn, turn.state.routes[route])
        for route, s in where.items()
    ):
        # never written again to find out: a person may have put the route back meanwhile
        if turn.in_phase() > turn.plan.observe.confirm:
            return (Driven.PARTIAL if moved else Driven.NOT_WRITTEN), None
        return Driven.UNDER_WAY, turn.soon(because(Code.READING_UNTIL_SHOWN), 2 * SECOND)
    behind = tuple(
        route for route, s in where.items() if s in (RouteStatus.BEFORE, RouteStatus.UNSETTLED)
    )
    if not behind:
        return _commit(turn)
    if late or any(_hopeless(turn.state.routes[route], weight) for route in behind):
        if moved:
            return Driven.PARTIAL, None
        denied = any(
            (sent := turn.state.routes[r].sent) is not None and sent.denied for r in behind
        )
        return (Driven.DENIED if denied else Driven.NOT_WRITTEN), None
    ready = tuple(route for route in behind if _wait(turn, turn.state.routes[route], weight) <= 0)
    if not ready:
        wait = min(_wait(turn, turn.state.routes[route], weight) for route in behind)
        return Driven.UNDER_WAY, turn.soon(because(Code.WRITE_NOT_VISIBLE), wait)
    why = because(Code.SET_WEIGHT, weight=weight)
    move = SetWeight(ready, Weight(weight), turn.not_after(), why)
    return Driven.UNDER_WAY, turn.decision(move, turn.look(), COMMIT, move.reason)


def _older(turn: Turn, known: RouteState) -> bool:
    """The route's newest write is not of this attempt: a crash or a hold came in between."""
    sent, began = known.sent, turn.state.turned or turn.now
    return sent is None or sent.epoch != turn.state.epoch or sent.at.after(began) < 0


def _was_there(known: RouteState, weight: int) -> bool:
    return (
        known.committed is not None
        and known.committed.attached
        and known.committed.weight == weight
    )


def _may_be_there(turn: Turn, route: RouteId, weight: int) -> bool:
    """A raise was sent to a route that cannot be read now (for another reason than our permissions)."""
    sent, reading = turn.state.routes[route].sent, turn.seen.configs.get(route)
    return (
        sent is not None
        and sent.kind == "move"
        and sent.weight == weight > turn.state.weight
        and not sent.refused
        and not (isinstance(reading, Unknown) and reading.denied)
    )


def _hopeless(known: RouteState, weight: int) -> bool:
    return known.sent is not None and known.sent.weight == weight and known.sent.denied


def _wait(turn: Turn, known: RouteState, weight: int) -> int:
    """Milliseconds until the route may be written (again); our own loop is the only retry."""
    sent = known.sent
    if sent is None or sent.kind != "move" or sent.weight != weight or _older(turn, known):
        return 0
    if not sent.refused:
        return COMMIT  # only reads settle it; what does not show until the deadline holds
    pause: int = 0 if sent.result == "cancelled" else min(2**sent.attempt, 10) * SECOND
    return pause - turn.now.after(sent.at)


def _commit(turn: Turn) -> tuple[Driven, Decision | None]:
    """Every route reads as wanted: commit those read equal twice, at least 2 s apart."""
    waiting = 0
    for route, known in turn.state.routes.items():
        seen = known.seen
        if seen is None or known.committed == seen.config:
            continue
        age = turn.now.after(seen.since)
        if age < COMMIT:
            waiting = max(waiting, COMMIT - age)
            continue
        turn.add(
            Verified(
                route,
                seen.config.hash,
                int(seen.config.weight or 0),
                seen.since.wall_ms,
                turn.now.wall_ms,
            )
        )
    if waiting:
        again = because(Code.READING_AGAIN, times="a second time")
        return Driven.UNDER_WAY, turn.soon(again, waiting)
    return Driven.COMMITTED, None
