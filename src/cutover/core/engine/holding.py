"""HOLDING: stay at this weight, keep judging, and never wait silently for ever."""

from __future__ import annotations

from cutover.core.actions import End
from cutover.core.engine.decision import Decision
from cutover.core.engine.evaluate import GateResult, judge, worst
from cutover.core.engine.rollback import begin_rollback
from cutover.core.engine.routes import COMMIT, UNSHOWN, drifted, mixed, written_step
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
from cutover.core.journal.events import Note, Verified
from cutover.core.observation import CommandName, OperatorCommand
from cutover.core.state import HOLDS, Held, Hold, Phase
from cutover.core.state.gate_context import weight_after
from cutover.core.values import weight_text

_STRANDED = (
    Hold.NOT_WRITTEN, Hold.CREDENTIALS, Hold.UNREADABLE, Hold.JOURNAL, Hold.LEASE, Hold.PAUSED, Hold.INTERRUPTED,
)  # fmt: skip
"""Holds in which a step may have landed on some routes: all or back, without waiting for a person."""

_NOT_BACK = " (not rolled back at the deadline: "


def holding(turn: Turn) -> Decision:
    """One turn of a hold."""
    _adopt(turn)
    held = _held(turn)
    if held.reason is not Hold.DRIFT and drifted(turn):
        return on_drift(turn)
    if held.reason in _STRANDED and mixed(turn) and not turn.source_short():
        return begin_rollback(
            turn, f"only some routes are at the next weight: {held.why}", "partial"
        )
    judged = judge(turn, weight_after(turn.plan, turn.state))
    if turn.state.step >= 0 or turn.exposed():
        if stopped := harmed(turn, judged):
            return stopped
        waits_for_evidence = HOLDS[held.reason].clears or HOLDS[held.reason].rolls_back
        if waits_for_evidence and (stopped := no_data(turn, judged)):
            return stopped
    if turn.state.exit_on_hold:
        return turn.decision(End(ExitCode.HELD, held.why), turn.look(), 0, held.why)
    if HOLDS[held.reason].clears and (why := _cleared(turn, held.reason, judged)):
        if any(known.in_doubt is not None for known in turn.state.routes.values()):
            # nothing that nobody answered is sent again by itself: a person looks, and says resume
            turn.hold(Hold.NOT_WRITTEN, f"{why}, but {UNSHOWN}")
            return turn.poll("holding")
        return onward(turn, why, afresh=HOLDS[held.reason].afresh)
    if held.deadline_ms and turn.now.wall_ms >= held.deadline_ms:
        return _deadline(turn, held.reason, held.why)
    return turn.poll(f"holding: {held.why}")


def resume(turn: Turn, command: OperatorCommand) -> Decision | None:
    """A person says go on: always with a fresh bake."""
    if any(turn.live(route) is None for route in turn.state.routes):
        turn.add(
            Note("resume not heard: the routes cannot be read now; say it again when they can")
        )
        return None
    drift = _held(turn).reason is Hold.DRIFT or command.name is CommandName.ACCEPT_DRIFT
    if drift and not _drift_settled(turn, command):
        return None
    if stopped := _breached(turn):
        return stopped
    written = written_step(turn)
    if written is not None:
        # Nothing new is raised: the routes already are at this step, SHIFTING only verifies and bakes it afresh.
        turn.to(
            Phase.SHIFTING,
            f"resumed by {command.who}; the step had been written before the crash",
            step=written,
        )
        return turn.soon("verifying the step that was written before the crash")
    step = turn.state.step
    if step >= 0 and turn.state.weight != turn.plan.steps[step].weight:
        wanted, there = weight_text(turn.plan.steps[step].weight), weight_text(turn.state.weight)
        what = f"the routes are committed at {there}, and step {step + 1} is {wanted}"
        turn.add(Note(f"resume refused: {what}; say rollback"))
        return None
    return onward(
        turn,
        f"resumed by {command.who}" + (f": {command.why}" if command.why else ""),
        afresh=True,
    )


def _breached(turn: Turn) -> Decision | None:
    """A breach that goes back and is seen with the very look in which the command is heard: the fresh bake would forget it."""
    judged = judge(turn, weight_after(turn.plan, turn.state), quietly=True)
    decides = worst(judged)
    if decides.verdict is not Verdict.BREACH or decides.on_breach in ("hold", "escalate"):
        return None
    return harmed(turn, judged) if turn.state.step >= 0 or turn.exposed() else None


def onward(turn: Turn, why: str, *, afresh: bool) -> Decision:
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
        weight = weight_text(turn.state.weight)
        first = (
            f"every route back to {weight}" if away else f"reading on whether all are at {weight}"
        )
        turn.to(Phase.SHIFTING, f"{why}; first {first}", step=step)
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
        turn.add(
            Note(
                "resume refused: the live config is not ours; `resume --accept-drift WHY`, or `rollback`"
            )
        )
        return False
    wrong = [
        r
        for r, config in lives.items()
        if config is None or not config.attached or config.weight != turn.state.weight
    ]
    if wrong:
        weight = weight_text(turn.state.weight)
        turn.add(
            Note(
                f"drift not accepted: the destination's weight is not {weight} on {', '.join(wrong)}"
            )
        )
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
    why = f"{held.why}; the step to {weight_text(turn.state.weight)} had been written"
    # what was seen before belongs to another weight: the window starts anew, or a breach here would go unseen
    turn.hold(held.reason, why, step=target, afresh=True)


def _held(turn: Turn) -> Held:
    held = turn.state.held
    assert held is not None  # noqa: S101 - the fold gives every HOLDING its reason
    return held


def _cleared(turn: Turn, reason: Hold, judged: tuple[GateResult, ...]) -> str:
    """Why the hold's cause is gone; empty while it stands."""
    verdict = worst(judged).verdict
    if reason is Hold.APPROVAL and turn.state.step + 1 in turn.state.approved:
        return "approved"
    if reason is Hold.WINDOW and window(turn) is None:
        return "the window is over"
    if reason is Hold.RESERVE and not turn.below_reserve():
        return "the source is at its reserve again"
    if reason in (Hold.NO_DATA, Hold.SHARED) and verdict <= Verdict.WAITING:
        return "the evidence is back"
    if reason is Hold.NO_CONTROL and verdict <= Verdict.WAITING:
        return "the destination is well again"
    if reason is Hold.EVIDENCE and not lacking(turn, judged):
        return "there is enough evidence now"
    if reason is Hold.SHARE and share(turn).inside:
        return "the observed share follows the weight now"
    if reason is Hold.UNHEALTHY and not unready(turn, judged):
        return "the destination is ready now"
    return ""


def _deadline(turn: Turn, reason: Hold, why: str) -> Decision:
    """A hold's deadline: go back when evidence is missing or bad, else page again."""
    goes_back = HOLDS[reason].rolls_back and turn.plan.safety.on_hold_timeout == "rollback"
    if goes_back and not (short_of := turn.source_short()):
        if HOLDS[reason].asks:
            return unanswered(turn, why)
        return begin_rollback(turn, f"held too long without evidence: {why}", "deadline")
    if goes_back:
        why = f"{why.split(_NOT_BACK, maxsplit=1)[0]}{_NOT_BACK}{short_of})"
    turn.hold(reason, why)
    return turn.poll("holding on; people are told again")
