"""COMPLETED and NEEDS_HUMAN: the routes are still claimed, and only a person's command acts."""

from __future__ import annotations

from cutover.core.actions import Detach, End, ReadRequest
from cutover.core.engine.decision import Decision
from cutover.core.engine.stop_conditions import unsure
from cutover.core.engine.turn import Turn, short
from cutover.core.errors import ExitCode
from cutover.core.journal.events import Note, Verified
from cutover.core.observation import CommandName
from cutover.core.state import Phase
from cutover.core.values import FULL, SECOND, RouteId, weight_text

COMMIT = 2 * SECOND
DETACH_DEADLINE = 60 * SECOND


def resting(turn: Turn) -> Decision:
    """Finish, confirm, or say where the run is; `rollback` was heard before this."""
    confirming = any(
        command.name is CommandName.CONFIRM_RESTORED for command in turn.seen.commands
    )
    asked = turn.state.finishing != "" or confirming
    if asked and any(turn.live(route) is None for route in turn.state.routes):
        return _refuse(turn, "the routes cannot be read now; nothing was changed")
    if asked and (unsure := [r for r in turn.state.routes if _unsettled(turn, r)]):
        what = f"a write to {short(unsure)} may still take effect, and no read shows it yet"
        return _refuse(turn, f"{what}; say it again in a minute")
    if turn.state.finishing and turn.state.phase is Phase.COMPLETED:
        return _detach(turn) if turn.state.finishing == "detach_source" else _finish(turn)
    if confirming and turn.state.phase is Phase.NEEDS_HUMAN:
        return _confirm_restored(turn)
    code = ExitCode.COMPLETED if turn.state.phase is Phase.COMPLETED else ExitCode.NEEDS_HUMAN
    return turn.decision(End(code, turn.state.why), ReadRequest(), 0, turn.state.why)


def leave(turn: Turn, why: str) -> Decision | None:
    """Give the routes free as they are read now; None when a living run goes on, for that cannot be said."""
    unread = [route for route in turn.state.routes if turn.live(route) is None]
    unsure = [route for route in turn.state.routes if turn.unsettled(route)]
    if unread or unsure:
        what = (
            f"{short(unread)} cannot be read now"
            if unread
            else (f"a write to {short(unsure)} may still take effect, and no read shows it yet")
        )
        no = f"not left as it is: {what}; say it again in a minute, or `rollback`"
        if turn.seen.previous is None or turn.state.phase is Phase.NEEDS_HUMAN:
            return _refuse(turn, no)
        turn.add(Note(no))
        return None
    # first of all the run is over: what is committed below, in a journal that ends in between, is no step of it
    turn.to(Phase.ABANDONED, why)
    for route, known in turn.state.routes.items():
        live = turn.live(route)
        if live is not None and (known.committed is None or live.hash != known.committed.hash):
            weight, at = int(live.weight or 0), turn.now.wall_ms
            turn.add(Verified(route, live.hash, weight, at, at))
    return turn.decision(End(ExitCode.COMPLETED, why), ReadRequest(), 0, why)


def _unsettled(turn: Turn, route: RouteId) -> bool:
    """A write of an earlier process is not accounted for; those of this one are waited for where they are sent."""
    sent = turn.state.routes[route].sent
    return turn.unsettled(route) and (sent is None or sent.epoch != turn.state.epoch)


def _refuse(turn: Turn, why: str) -> Decision:
    turn.add(Note(why))
    return turn.decision(End(ExitCode.REFUSED, why), ReadRequest(), 0, why)


def _foreign(turn: Turn) -> list[RouteId]:
    """Routes that are not as cutover left them."""
    return [
        route
        for route, known in turn.state.routes.items()
        if (live := turn.live(route)) is None
        or known.committed is None
        or live.hash != known.committed.hash
    ]


def _finish(turn: Turn) -> Decision:
    if drift := _foreign(turn):
        return _refuse(
            turn,
            f"not finished: {short(drift)} is not as cutover left it; look, then `rollback` or set it right",
        )
    why = "finished: the destination keeps the traffic, the source stays attached at weight 0"
    if turn.state.weight < FULL:
        why = f"finished: the routes stay at {weight_text(turn.state.weight)}"
    turn.to(Phase.FINISHED, why)
    return turn.decision(End(ExitCode.COMPLETED, why), ReadRequest(), 0, why)


def _detach(turn: Turn) -> Decision:
    """Leave a destination-only action on every route, read back twice."""
    if stop := unsure(turn):
        return _refuse(turn, f"not finished: {stop[1]}")
    if turn.state.weight != FULL:
        return _refuse(turn, "not finished: the source still has traffic, so it is not detached")
    sent = {
        r: k.sent
        for r, k in turn.state.routes.items()
        if k.sent is not None and k.sent.kind == "detach"
    }
    behind = tuple(r for r in turn.state.routes if r not in sent or turn.live(r) != sent[r].post)
    strange = [
        r
        for r in _foreign(turn)
        if r not in sent or (live := turn.live(r)) is None or live.hash != sent[r].post.hash
    ]
    if strange:
        return _refuse(turn, f"not finished: {short(strange)} is not as cutover left it")
    if behind:
        tried = [turn.now.after(one.at) for one in sent.values()]
        since = turn.state.finishing_at
        if tried and since is not None and turn.now.after(since) > DETACH_DEADLINE:
            return _refuse(
                turn,
                f"not finished: no read shows the source detached on {short(behind)}; say finish again",
            )
        waits = any(
            not one.refused and turn.now.after(one.at) <= DETACH_DEADLINE for one in sent.values()
        )
        if tried and (min(tried) < COMMIT or waits):
            return turn.decision(
                None, ReadRequest(configs=True), COMMIT, "reading every route again"
            )
        return turn.decision(
            Detach(behind, turn.not_after(), "finish --detach-source"),
            ReadRequest(configs=True),
            COMMIT,
            "detaching the source",
        )
    young = [
        k.seen
        for k in turn.state.routes.values()
        if k.seen is None or turn.now.after(k.seen.since) < COMMIT
    ]
    if young:
        return turn.decision(
            None, ReadRequest(configs=True), COMMIT, "reading every route a second time"
        )
    why = "finished: the destination keeps the traffic, the source is detached"
    turn.to(Phase.FINISHED, why)
    return turn.decision(End(ExitCode.COMPLETED, why), ReadRequest(), 0, why)


def _confirm_restored(turn: Turn) -> Decision:
    lives = {r: config for r in turn.state.routes if (config := turn.live(r)) is not None}
    wrong = [
        route
        for route, config in lives.items()
        if config != turn.state.routes[route].snapshot and config.weight != 0
    ]
    if wrong:
        why = f"not restored: {short(wrong)} still sends requests to the destination"
        turn.add(Note(why))
        return turn.decision(End(ExitCode.NEEDS_HUMAN, why), ReadRequest(), 0, why)
    for route, config in lives.items():
        weight = int(config.weight or 0)
        turn.add(Verified(route, config.hash, weight, turn.now.wall_ms, turn.now.wall_ms))
    why = "restored by hand; a read agrees"
    turn.to(Phase.ROLLED_BACK, why)
    return turn.decision(End(ExitCode.ROLLED_BACK, why), ReadRequest(), 0, why)
