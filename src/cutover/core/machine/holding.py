"""HOLDING: stay at this weight, keep judging, and never wait silently for ever."""

from __future__ import annotations

from cutover.core.actions import End
from cutover.core.errors import ExitCode
from cutover.core.events import Note, Verified
from cutover.core.gates.judging import Verdict
from cutover.core.machine.back import begin_rollback
from cutover.core.machine.decision import Decision
from cutover.core.machine.forward import blind, harmed
from cutover.core.machine.judge import Judged, judge, worst
from cutover.core.machine.routes import drifted, record_drift
from cutover.core.machine.share import share
from cutover.core.machine.turn import Turn
from cutover.core.observation import Known, Word, WordName
from cutover.core.state import HOLDS, NO_STEP, Hold, Phase
from cutover.core.values import SECOND, weight_text


def holding(turn: Turn) -> Decision:
    """One turn of a hold."""
    held = turn.state.held
    if held is None:
        raise ValueError("HOLDING without a reason")
    _adopt(turn)
    if turn.state.exit_on_hold and held.reason is not Hold.CRASHED:
        return turn.decision(End(ExitCode.HELD, held.why), turn.look(), 0, held.why)
    if held.reason is not Hold.DRIFT and (routes := drifted(turn)):
        turn.hold(Hold.DRIFT, record_drift(turn, routes))
        return turn.poll("holding")
    judged = judge(turn, _next_weight(turn))
    if turn.state.step >= 0:
        # also in a hold that began while SHIFTING, when no minute counts for the destination:
        # the memories hold what counts against it
        if held.reason is not Hold.GATE or worst(judged).on_breach == "rollback":
            stopped = harmed(turn, judged)
            if stopped is not None:
                return stopped
        if held.reason in (Hold.NO_DATA, Hold.SHARED, Hold.EVIDENCE, Hold.SHARE) and (
            stopped := blind(turn, judged)
        ):
            return stopped
    if HOLDS[held.reason].clears and (why := _cleared(turn, held.reason, judged)):
        return onward(turn, why, afresh=HOLDS[held.reason].afresh)
    if held.deadline_ms and turn.now.wall_ms >= held.deadline_ms:
        return _deadline(turn, held.reason, held.why)
    return turn.poll(f"holding: {held.why}")


def resume(turn: Turn, word: Word) -> Decision | None:
    """A person says go on: always with a fresh bake."""
    held = turn.state.held
    if held is None:
        turn.add(Note("resume said, but nothing holds"))
        return None
    if any(turn.live(route) is None for route in turn.state.routes):
        turn.add(
            Note("resume not heard: the routes cannot be read now; say it again when they can")
        )
        return None
    if held.reason is Hold.DRIFT and not _drift_settled(turn, word):
        return None
    written = _written_step(turn)
    if written is not None:
        # Nothing new is raised: the routes already are at this step, SHIFTING only verifies and bakes it afresh.
        turn.to(
            Phase.SHIFTING,
            f"resumed by {word.who}; the step had been written before the crash",
            step=written,
        )
        return turn.soon("verifying the step that was written before the crash")
    return onward(
        turn, f"resumed by {word.who}" + (f": {word.why}" if word.why else ""), afresh=True
    )


def onward(turn: Turn, why: str, *, afresh: bool) -> Decision:
    """From a hold back into the forward phases."""
    step = turn.state.step
    if step < 0:
        turn.to(Phase.ATTACHING, why, step=-1)
        return turn.soon(why)
    if not afresh and turn.state.evidence_from_ms != NO_STEP:
        turn.to(Phase.BAKING, why)
        return turn.soon(why)
    away = [
        route
        for route, known in turn.state.routes.items()
        if known.seen is not None and known.seen.form.weight != turn.state.weight
    ]
    if away:
        turn.to(
            Phase.SHIFTING,
            f"{why}; first every route back to {weight_text(turn.state.weight)}",
            step=step,
        )
        return turn.soon(why)
    turn.to(Phase.SETTLING, why, from_ms=turn.next_minute_ms())
    return turn.soon(why, turn.plan.observe.poll)


def _drift_settled(turn: Turn, word: Word) -> bool:
    """The live forms are ours again, or a person accepts them and their weight is what we set."""
    lives = {route: turn.live(route) for route in turn.state.routes}
    if all(
        (form := lives[route]) is not None
        and known.committed is not None
        and form.hash == known.committed.hash
        for route, known in turn.state.routes.items()
    ):
        return True
    if word.name is not WordName.ACCEPT_DRIFT:
        turn.add(
            Note(
                "resume refused: the live form is not ours; `resume --accept-drift WHY`, or `rollback`"
            )
        )
        return False
    wrong = [
        r
        for r, form in lives.items()
        if form is None or not form.attached or form.weight != turn.state.weight
    ]
    if wrong:
        weight = weight_text(turn.state.weight)
        turn.add(
            Note(
                f"drift not accepted: the destination's weight is not {weight} on {', '.join(wrong)}"
            )
        )
        return False
    for route, form in lives.items():
        known = turn.state.routes[route]
        if form is not None and known.committed is not None and form.hash != known.committed.hash:
            since = known.seen.since.wall_ms if known.seen else turn.now.wall_ms
            turn.add(Verified(route, form.hash, int(form.weight or 0), since, turn.now.wall_ms))
    return True


def _written_step(turn: Turn) -> int | None:
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


def _adopt(turn: Turn) -> None:
    """After a crash between write and record: the journal learns what the ALB already says."""
    target, held = _written_step(turn), turn.state.held
    if target is None or held is None:
        return
    for known in turn.state.routes.values():
        if known.seen is None or turn.now.after(known.seen.since) < 2 * SECOND:
            return
    for route, known in turn.state.routes.items():
        if known.seen is not None:
            form = known.seen.form
            turn.add(
                Verified(
                    route,
                    form.hash,
                    int(form.weight or 0),
                    known.seen.since.wall_ms,
                    turn.now.wall_ms,
                )
            )
    turn.hold(
        held.reason,
        f"{held.why}; the step to {weight_text(turn.state.weight)} had been written",
        step=target,
    )


def _next_weight(turn: Turn) -> int | None:
    following = turn.state.step + 1
    return turn.plan.steps[following].weight if following < len(turn.plan.steps) else None


def _cleared(turn: Turn, reason: Hold, judged: tuple[Judged, ...]) -> str:
    """Why the hold's cause is gone; empty while it stands."""
    verdict = worst(judged).verdict
    if reason is Hold.APPROVAL and turn.state.step + 1 in turn.state.approved:
        return "approved"
    if reason is Hold.WINDOW and turn.plan.forbidden_by(turn.now.wall) is None:
        return "the window is over"
    if reason is Hold.RESERVE and not turn.below_reserve():
        return "the source is at its reserve again"
    if reason in (Hold.NO_DATA, Hold.SHARED) and verdict <= Verdict.WAITING:
        return "the evidence is back"
    if reason is Hold.EVIDENCE and verdict is Verdict.PASS:
        return "there is enough evidence now"
    if reason is Hold.SHARE and share(turn).inside:
        return "the observed share follows the weight now"
    if reason is Hold.UNHEALTHY and all(one.verdict is Verdict.PASS for one in judged if one.live):
        healthy = [turn.health(pair.destination) for pair in turn.plan.pairs]
        if all(isinstance(reading, Known) and reading.value.healthy > 0 for reading in healthy):
            return "the destination is healthy now"
    return ""


def _deadline(turn: Turn, reason: Hold, why: str) -> Decision:
    """A hold's deadline: go back when evidence is missing or bad, else page again."""
    goes_back = HOLDS[reason].rolls_back and turn.plan.safety.on_hold_timeout == "rollback"
    if goes_back and not (short_of := turn.below_reserve()):
        return begin_rollback(turn, f"held too long without evidence: {why}", "deadline")
    if goes_back:
        why = (
            f"{why} (not rolled back at the deadline: {short_of})"
            if "deadline" not in why
            else why
        )
    turn.hold(reason, why)
    return turn.poll("holding on; people are told again")
