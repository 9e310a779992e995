"""HOLDING: stay at this weight, keep judging, and never wait silently for ever."""

from __future__ import annotations

from cutover.core.actions import End
from cutover.core.engine.decision import Decision
from cutover.core.engine.evaluate import GateResult, judge, worst
from cutover.core.engine.rollback import begin_rollback
from cutover.core.engine.routes import COMMIT, drifted, mixed, written_step
from cutover.core.engine.start import unready
from cutover.core.engine.stop_conditions import (
    harmed,
    lacking,
    no_data,
    on_drift,
    unanswered,
    window,
)
from cutover.core.engine.traffic_share import share
from cutover.core.engine.turn import Turn
from cutover.core.errors import ExitCode
from cutover.core.gates.api import Verdict
from cutover.core.journal.events import Verified
from cutover.core.observation import CommandName, OperatorCommand
from cutover.core.reasons import Code, Reason, because
from cutover.core.state import HOLDS, Held, Hold, Phase
from cutover.core.state.gate_context import weight_after

_STRANDED = (
    Hold.NOT_WRITTEN, Hold.CREDENTIALS, Hold.UNREADABLE, Hold.JOURNAL, Hold.LEASE, Hold.PAUSED, Hold.INTERRUPTED,
)  # fmt: skip
"""Holds in which a step may have landed on some routes: all or back, without waiting for a person."""


def holding(turn: Turn) -> Decision:
    """One turn of a hold."""
    _adopt(turn)
    held = _held(turn)
    if held.reason is not Hold.DRIFT and drifted(turn):
        return on_drift(turn)
    if held.reason in _STRANDED and mixed(turn) and not turn.source_short():
        why = because(Code.ONLY_SOME_RAISED, because=held.because)
        return begin_rollback(turn, why, "partial")
    judged = judge(turn, weight_after(turn.plan, turn.state))
    if turn.state.step >= 0 or turn.exposed():
        if stopped := harmed(turn, judged):
            return stopped
        waits_for_evidence = HOLDS[held.reason].clears or HOLDS[held.reason].rolls_back
        if waits_for_evidence and (stopped := no_data(turn, judged)):
            return stopped
    if turn.state.exit_on_hold:
        return turn.decision(End(ExitCode.HELD, held.because), turn.look(), 0, held.because)
    if HOLDS[held.reason].clears and (cleared := _cleared(turn, held.reason, judged)):
        if any(known.in_doubt is not None for known in turn.state.routes.values()):
            # nothing that nobody answered is sent again by itself: a person looks, and says resume
            not_shown = because(Code.WRITE_NOT_SHOWN)
            why = because(Code.CLEARED_BUT_NOT_SHOWN, first=cleared, because=not_shown)
            turn.hold(Hold.NOT_WRITTEN, why)
            return turn.poll(because(Code.HOLDING))
        return onward(turn, cleared, afresh=HOLDS[held.reason].afresh)
    if held.deadline_ms and turn.now.wall_ms >= held.deadline_ms:
        return _deadline(turn, held)
    return turn.poll(because(Code.HOLDING_FOR, because=held.because))


def resume(turn: Turn, command: OperatorCommand) -> Decision | None:
    """A person says go on: always with a fresh bake."""
    if any(turn.live(route) is None for route in turn.state.routes):
        turn.note(because(Code.RESUME_UNREADABLE))
        return None
    drift = _held(turn).reason is Hold.DRIFT or command.name is CommandName.ACCEPT_DRIFT
    if drift and not _drift_settled(turn, command):
        return None
    if stopped := _breached(turn):
        return stopped
    written = written_step(turn)
    if written is not None:
        # Nothing new is raised: the routes already are at this step, SHIFTING only verifies and bakes it afresh.
        resumed = because(Code.RESUMED_AFTER_WRITE, who=command.who)
        turn.to(Phase.SHIFTING, resumed, step=written)
        return turn.soon(because(Code.ALREADY_WRITTEN))
    step = turn.state.step
    if step >= 0 and turn.state.weight != turn.plan.steps[step].weight:
        wanted, there = turn.plan.steps[step].weight, turn.state.weight
        turn.note(because(Code.RESUME_AT_OTHER_WEIGHT, weight=there, step=step + 1, wanted=wanted))
        return None
    resumed = because(Code.RESUMED, who=command.who, said=command.why)
    return onward(turn, resumed, afresh=True)


def _breached(turn: Turn) -> Decision | None:
    """A breach that goes back and is seen with the very look in which the command is heard: the fresh bake would forget it."""
    judged = judge(turn, weight_after(turn.plan, turn.state), quietly=True)
    decides = worst(judged)
    if decides.verdict is not Verdict.BREACH or decides.on_breach in ("hold", "escalate"):
        return None
    return harmed(turn, judged) if turn.state.step >= 0 or turn.exposed() else None


def onward(turn: Turn, why: Reason, *, afresh: bool) -> Decision:
    """From a hold back into the forward phases."""
    step = turn.state.step
    if step < 0:
        turn.to(Phase.ATTACHING, why, step=-1)
        return turn.soon(why)
    if not afresh and turn.state.shares:  # the split of this step was seen to be in effect
        turn.to(Phase.BAKING, why)
        return turn.soon(why)
    away = [
        route
        for route, known in turn.state.routes.items()
        if known.seen is not None and known.seen.config.weight != turn.state.weight
    ]
    unsettled = any(turn.unsettled(route) for route in turn.state.routes)
    if away or unsettled:
        first = Code.FIRST_BACK if away else Code.FIRST_READING
        turn.to(Phase.SHIFTING, because(first, because=why, weight=turn.state.weight), step=step)
        return turn.soon(why)
    turn.to(Phase.SETTLING, why, from_ms=turn.next_minute_ms())
    return turn.soon(why, turn.plan.observe.poll)


def _drift_settled(turn: Turn, command: OperatorCommand) -> bool:
    """The live configs are ours again, or a person accepts them and their weight is what we set."""
    lives = {route: turn.live(route) for route in turn.state.routes}
    if all(
        (config := lives[route]) is not None
        and known.committed is not None
        and config.hash == known.committed.hash
        for route, known in turn.state.routes.items()
    ):
        return True
    if command.name is not CommandName.ACCEPT_DRIFT:
        turn.note(because(Code.RESUME_DRIFTED))
        return False
    wrong = [
        r
        for r, config in lives.items()
        if config is None or not config.attached or config.weight != turn.state.weight
    ]
    if wrong:
        turn.note(because(Code.DRIFT_NOT_ACCEPTED, weight=turn.state.weight, routes=wrong))
        return False
    for route, config in lives.items():
        known = turn.state.routes[route]
        if (
            config is not None
            and known.committed is not None
            and config.hash != known.committed.hash
        ):
            since = known.seen.since.wall_ms if known.seen else turn.now.wall_ms
            turn.add(
                Verified(route, config.hash, int(config.weight or 0), since, turn.now.wall_ms)
            )
    return True


def _adopt(turn: Turn) -> None:
    """After a crash between write and record: the journal learns what the ALB already says."""
    target = written_step(turn)
    seen = {route: known.seen for route, known in turn.state.routes.items() if known.seen}
    if target is None or any(turn.now.after(one.since) < COMMIT for one in seen.values()):
        return
    for route, one in seen.items():
        weight = int(one.config.weight or 0)
        turn.add(Verified(route, one.config.hash, weight, one.since.wall_ms, turn.now.wall_ms))
    held = _held(turn)
    why = because(Code.STEP_HAD_BEEN_WRITTEN, because=held.because, weight=turn.state.weight)
    # what was seen before belongs to another weight: the window starts anew, or a breach here would go unseen
    turn.hold(held.reason, why, step=target, afresh=True)


def _held(turn: Turn) -> Held:
    held = turn.state.held
    assert held is not None  # noqa: S101 - the fold gives every HOLDING its reason
    return held


def _cleared(turn: Turn, reason: Hold, judged: tuple[GateResult, ...]) -> Reason | None:
    """Why the hold's cause is gone; None while it stands."""
    verdict = worst(judged).verdict
    if reason is Hold.APPROVAL and turn.state.step + 1 in turn.state.approved:
        return because(Code.APPROVED)
    if reason is Hold.WINDOW and window(turn) is None:
        return because(Code.WINDOW_OVER)
    if reason is Hold.RESERVE and not turn.below_reserve():
        return because(Code.RESERVE_BACK)
    if reason in (Hold.NO_DATA, Hold.SHARED) and verdict <= Verdict.WAITING:
        return because(Code.EVIDENCE_BACK)
    if reason is Hold.NO_CONTROL and verdict <= Verdict.WAITING:
        return because(Code.WELL_AGAIN)
    if reason is Hold.EVIDENCE and not lacking(turn, judged):
        return because(Code.ENOUGH_EVIDENCE)
    if reason is Hold.SHARE and share(turn).inside:
        return because(Code.SHARE_FOLLOWS)
    if reason is Hold.UNHEALTHY and not unready(turn, judged):
        return because(Code.READY_NOW)
    return None


def _deadline(turn: Turn, held: Held) -> Decision:
    """A hold's deadline: go back when evidence is missing or bad, else page again."""
    reason, why = held.reason, held.because
    goes_back = HOLDS[reason].rolls_back and turn.plan.safety.on_hold_timeout == "rollback"
    if goes_back and not (short_of := turn.source_short()):
        if HOLDS[reason].asks:
            return unanswered(turn, why)
        return begin_rollback(turn, because(Code.HELD_TOO_LONG, because=why), "deadline")
    if goes_back:
        first = why.inner if why.code is Code.NOT_ROLLED_BACK_AT_DEADLINE else why
        why = because(Code.NOT_ROLLED_BACK_AT_DEADLINE, because=first, short=short_of)
    turn.hold(reason, why)
    return turn.poll(because(Code.TOLD_AGAIN))
