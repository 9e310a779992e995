"""COMPLETED and NEEDS_HUMAN: the routes are still claimed, and only a person's command acts."""

from __future__ import annotations

from cutover.core.actions import Detach, End, ReadRequest
from cutover.core.engine.decision import Decision
from cutover.core.engine.stop_conditions import unsure
from cutover.core.engine.turn import Turn
from cutover.core.errors import ExitCode
from cutover.core.journal.events import Verified
from cutover.core.observation import CommandName
from cutover.core.reasons import Code, Reason, because
from cutover.core.state import Phase
from cutover.core.values import FULL, SECOND, RouteId

COMMIT = 2 * SECOND
DETACH_DEADLINE = 60 * SECOND


def resting(turn: Turn) -> Decision:
    """Finish, confirm, or say where the run is; `rollback` was heard before this."""
    confirming = any(
        command.name is CommandName.CONFIRM_RESTORED for command in turn.seen.commands
    )
    asked = turn.state.finishing != "" or confirming
    if asked and any(turn.live(route) is None for route in turn.state.routes):
        return _refuse(turn, because(Code.UNREADABLE_NOW))
    if asked and (unsure := [r for r in turn.state.routes if _unsettled(turn, r)]):
        what = because(Code.MAY_STILL_TAKE_EFFECT, routes=unsure)
        return _refuse(turn, because(Code.SAY_AGAIN, because=what))
    if turn.state.finishing and turn.state.phase is Phase.COMPLETED:
        return _detach(turn) if turn.state.finishing == "detach_source" else _finish(turn)
    if confirming and turn.state.phase is Phase.NEEDS_HUMAN:
        return _confirm_restored(turn)
    code = ExitCode.COMPLETED if turn.state.phase is Phase.COMPLETED else ExitCode.NEEDS_HUMAN
    why = turn.state.reason
    assert why is not None  # noqa: S101 - the fold gives every phase its reason
    return turn.decision(End(code, why), ReadRequest(), 0, why)


def leave(turn: Turn, why: Reason) -> Decision | None:
    """Give the routes free as they are read now; None when a living run goes on, for that cannot be said."""
    unread = [route for route in turn.state.routes if turn.live(route) is None]
    unsure = [route for route in turn.state.routes if turn.unsettled(route)]
    if unread or unsure:
        what = (
            because(Code.UNREADABLE_ROUTES, routes=unread)
            if unread
            else because(Code.MAY_STILL_TAKE_EFFECT, routes=unsure)
        )
        no = because(Code.NOT_LEFT, because=what)
        if turn.seen.previous is None or turn.state.phase is Phase.NEEDS_HUMAN:
            return _refuse(turn, no)
        turn.note(no)
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


def _refuse(turn: Turn, why: Reason) -> Decision:
    turn.note(why)
    return turn.decision(End(ExitCode.REFUSED, why), ReadRequest(), 0, why)


def _not_finished(turn: Turn, why: Reason, then: str = "") -> Decision:
    return _refuse(turn, because(Code.NOT_FINISHED, because=why, then=then))


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
        return _not_finished(
            turn,
            because(Code.NOT_AS_LEFT, routes=drift),
            then="look, then `rollback` or set it right",
        )
    why = because(Code.FINISHED)
    if turn.state.weight < FULL:
        why = because(Code.FINISHED_AT, weight=turn.state.weight)
    turn.to(Phase.FINISHED, why)
    return turn.decision(End(ExitCode.COMPLETED, why), ReadRequest(), 0, why)


def _detach(turn: Turn) -> Decision:
    """Leave a destination-only action on every route, read back twice."""
    if stop := unsure(turn):
        return _not_finished(turn, stop[1])
    if turn.state.weight != FULL:
        return _not_finished(turn, because(Code.SOURCE_HAS_TRAFFIC))
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
        return _not_finished(turn, because(Code.NOT_AS_LEFT, routes=strange))
    if behind:
        tried = [turn.now.after(one.at) for one in sent.values()]
        since = turn.state.finishing_at
        if tried and since is not None and turn.now.after(since) > DETACH_DEADLINE:
            return _not_finished(
                turn, because(Code.DETACH_NOT_SHOWN, routes=behind), then="say finish again"
            )
        waits = any(
            not one.refused and turn.now.after(one.at) <= DETACH_DEADLINE for one in sent.values()
        )
        if tried and (min(tried) < COMMIT or waits):
            again = because(Code.READING_AGAIN, times="again")
            return turn.decision(None, ReadRequest(configs=True), COMMIT, again)
        return turn.decision(
            Detach(behind, turn.not_after(), because(Code.DETACHING)),
            ReadRequest(configs=True),
            COMMIT,
            because(Code.DETACHING),
        )
    young = [
        k.seen
        for k in turn.state.routes.values()
        if k.seen is None or turn.now.after(k.seen.since) < COMMIT
    ]
    if young:
        again = because(Code.READING_AGAIN, times="a second time")
        return turn.decision(None, ReadRequest(configs=True), COMMIT, again)
    why = because(Code.FINISHED_DETACHED)
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
        why = because(Code.STILL_SENT_TO_DESTINATION, routes=wrong)
        turn.note(why)
        return turn.decision(End(ExitCode.NEEDS_HUMAN, why), ReadRequest(), 0, why)
    for route, config in lives.items():
        weight = int(config.weight or 0)
        turn.add(Verified(route, config.hash, weight, turn.now.wall_ms, turn.now.wall_ms))
    why = because(Code.RESTORED_BY_HAND)
    turn.to(Phase.ROLLED_BACK, why)
    return turn.decision(End(ExitCode.ROLLED_BACK, why), ReadRequest(), 0, why)
