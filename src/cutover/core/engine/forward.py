"""SHIFTING, SETTLING and BAKING: forward needs proof."""

from __future__ import annotations

from cutover.core.actions import End, SetWeight
from cutover.core.engine.decision import Decision
from cutover.core.engine.evaluate import GateResult, journal, judge, worst
from cutover.core.engine.freshness import MINUTES
from cutover.core.engine.rollback import begin_rollback
from cutover.core.engine.routes import UNSHOWN, Driven, drifted, drive, suspicious, written_step
from cutover.core.engine.stop_conditions import (
    forbidden,
    harmed,
    lacking,
    no_data,
    on_drift,
    unsure,
    window,
)
from cutover.core.engine.traffic_share import settle_deadline, share
from cutover.core.engine.turn import PROPAGATION, Turn
from cutover.core.errors import ExitCode
from cutover.core.gates.api import Verdict
from cutover.core.journal.events import WeightObserved
from cutover.core.messages import LiveVerdict, minute_line
from cutover.core.observation import NotAsked, Unknown
from cutover.core.state import Hold, Phase
from cutover.core.state.gate_context import weight_after
from cutover.core.values import MINUTE, SECOND, weight_text

WAITING_GRACE = 20 * MINUTE
"""A bake that is over but still waits for requests goes on for as long again, at least this long (docs/judge.md)."""


def shifting(turn: Turn) -> Decision:
    """Write the step's weight to every route, read it back twice: all or back."""
    landed = written_step(turn)
    if landed is not None and turn.state.target == turn.state.step:
        # a person resumed while no read showed it yet; nothing new is raised, it is verified and baked afresh
        turn.to(Phase.SHIFTING, "the step had been written before the crash", step=landed)
    weight = turn.plan.steps[turn.state.target].weight
    if stop := unsure(turn):
        turn.hold(*stop)
        return turn.poll("holding")
    # while no step is in effect the gates can only wait: what counts here is a breach, and nothing else is told
    judged = judge(turn, weight, quietly=True)
    if worst(judged).verdict is Verdict.BREACH and (stopped := harmed(turn, judged)):
        return stopped
    driven, decision = drive(turn, weight)
    if decision is not None:
        if isinstance(decision.effect, SetWeight) and (stop := _no_raise(turn, decision.effect)):
            turn.hold(*stop)
            return turn.poll("holding")
        return decision
    stopped = after_drive(turn, driven, attaching=False)
    if stopped is not None:
        return stopped
    turn.to(
        Phase.SETTLING,
        f"every route is committed at {weight_text(weight)}",
        step=turn.state.target,
        from_ms=turn.next_minute_ms(min(PROPAGATION, turn.plan.observe.settle)),
    )
    return turn.poll("waiting until the data plane follows")


def _no_raise(turn: Turn, move: SetWeight) -> tuple[Hold, str] | None:
    """What forbids this very write, though the evidence passed a moment ago; None for one that lowers."""
    lives = {route: turn.live(route) for route in turn.state.routes}
    if all(config is None or (config.weight or 0) >= move.weight for config in lives.values()):
        return None
    if not turn.state.raising:
        return Hold.NO_DATA, (
            f"not raised to {weight_text(move.weight)}: there is no fresh evidence for it, the bake starts again"
        )
    if any(
        config is not None and (config.weight or 0) > turn.state.weight
        for config in lives.values()
    ):
        return None  # some routes are raised already: all or back, and not half of it for hours
    if stop := window(turn):
        return stop
    if why := turn.source_short():
        return Hold.RESERVE, why
    return None


def after_drive(turn: Turn, driven: Driven, *, attaching: bool) -> Decision | None:
    """What a drive that ended badly leads to; None when every route is committed."""
    if driven is Driven.COMMITTED:
        return None
    what = "the attach" if attaching else "the step"
    if driven is Driven.DRIFTED:
        return on_drift(turn)
    if driven is Driven.PARTIAL:
        why = f"{what} was not confirmed on every route within 60 s, only on some: all or back"
        if short_of := turn.source_short():
            turn.hold(Hold.NOT_WRITTEN, f"{why}; not taken back now: {short_of}")
            return turn.poll("holding")
        return begin_rollback(turn, why, "partial")
    if driven is Driven.DENIED and attaching and not _ever_applied(turn):
        why = f"AWS denied the first write, nothing was changed: {_last_error(turn)}"
        turn.to(Phase.REFUSED, why, step=-1)
        return turn.decision(End(ExitCode.CREDENTIALS, why), turn.look(), 0, why)
    if driven is Driven.DENIED:
        turn.hold(Hold.CREDENTIALS, f"AWS denied the write: {_last_error(turn)}")
    elif driven is Driven.UNREADABLE:
        turn.hold(Hold.UNREADABLE, f"the routes could not be read for 60 s: {_last_error(turn)}")
    elif any(turn.unsettled(route) for route in turn.state.routes):
        turn.hold(Hold.NOT_WRITTEN, UNSHOWN)
    else:
        turn.hold(Hold.NOT_WRITTEN, f"{what} was not written within 60 s: {_last_error(turn)}")
    return turn.poll("holding")


def _ever_applied(turn: Turn) -> bool:
    """Some write of this run may have reached a route, or what it left is there."""
    return any(
        (known.sent is not None and not known.sent.refused) or turn.live(route) != known.snapshot
        for route, known in turn.state.routes.items()
    )


def _last_error(turn: Turn) -> str:
    for reading in turn.seen.configs.values():
        if isinstance(reading, Unknown):
            return reading.reason
    sent = [
        known.sent
        for known in turn.state.routes.values()
        if known.sent is not None and known.sent.message
    ]
    newest = max(sent, key=lambda one: one.denied, default=None)
    return f"{newest.code} {newest.message}".strip() if newest else "no answer"


def settling(turn: Turn) -> Decision:
    """Wait until the observed share follows the weight; a breach does not wait for that."""
    if drifted(turn):
        return on_drift(turn)
    judged = judge(turn, weight_after(turn.plan, turn.state))
    if stopped := harmed(turn, judged) or no_data(turn, judged):
        return stopped
    found = share(turn)
    if found.inside:
        turn.add(WeightObserved(turn.state.step, found.from_ms, found.shares, found.why))
        turn.to(Phase.BAKING, found.why)
        return turn.poll("collecting evidence")
    if turn.in_phase() > settle_deadline(turn.plan):
        turn.hold(Hold.SHARE, f"the observed share does not follow the weight: {found.why}")
        return turn.poll("holding")
    return turn.poll(found.why)


def baking(turn: Turn) -> Decision:
    """Collect evidence; go on when the bake is over and every gate passes.

    A hand-over has no bake of its own: one settled minute in which no gate objects completes it (`lacking`).
    """
    if drifted(turn):
        return on_drift(turn)
    steps = turn.plan.steps
    last = turn.state.step + 1 >= len(steps)
    judged = judge(turn, weight_after(turn.plan, turn.state))
    if stopped := harmed(turn, judged) or no_data(turn, judged):
        return stopped
    covered, bake = baked(turn), steps[turn.state.step].bake or turn.plan.observe.period
    overdue = covered >= bake + max(bake, WAITING_GRACE)
    if stop := unsure(turn):
        turn.hold(*stop)
        return turn.poll("holding")
    if (why := turn.below_reserve()) and (turn.source_short() or overdue):
        turn.hold(Hold.RESERVE, why)
        return turn.poll("holding")
    decides = lacking(turn, judged)
    if covered < bake or decides is not None:
        if decides is not None and overdue and _waits(decides):
            turn.hold(Hold.EVIDENCE, f"{decides.gate}: {decides.judgement.why}")
        return turn.poll(minute_line(turn.plan, turn.state, covered, _standing(judged)))
    if why:
        return turn.poll(f"every gate passes, but {why}")
    if suspicious(turn):
        if overdue:
            changing = f"the routes cannot be read, or keep changing: {_last_error(turn)}"
            turn.hold(Hold.UNREADABLE, changing)
            return turn.poll("holding")
        return turn.soon("every gate passes; reading every route before going on", 3 * SECOND)
    return _complete(turn, judged) if last else _earned(turn, judged)


def _standing(judged: tuple[GateResult, ...]) -> tuple[LiveVerdict, ...]:
    """The plan's gates for the status line; that minutes arrive goes without saying."""
    return tuple(
        LiveVerdict(
            one.gate, one.comparison, one.verdict, one.judgement.why, one.judgement.signals
        )
        for one in judged
        if one.gate != MINUTES or one.verdict is not Verdict.PASS
    )


def _waits(decides: GateResult) -> bool:
    """For more evidence; also when the source looks bad by what may be chance."""
    return decides.verdict is Verdict.WAITING or decides.judgement.perhaps_shared


def _earned(turn: Turn, judged: tuple[GateResult, ...]) -> Decision:
    """The step earned the next one; what a plan or the world forbids besides evidence comes here."""
    if isinstance(turn.seen.identity, NotAsked):
        return turn.soon("every gate passes; asking who we are before the raise", identity=True)
    if stop := forbidden(turn, turn.state.step + 1):
        turn.hold(*stop)
        return turn.poll("holding")
    return begin_raise(turn, turn.state.step + 1, judged)


def begin_raise(turn: Turn, step: int, judged: tuple[GateResult, ...]) -> Decision:
    """First turn of a raise: journal the evidence, ask for the configs; the next turn moves."""
    for one in judged:
        journal(turn, one)
    turn.to(
        Phase.SHIFTING,
        f"every gate passes; raising to {weight_text(turn.plan.steps[step].weight)}",
        step=step,
    )
    return turn.soon("reading every route before the write")


def _complete(turn: Turn, judged: tuple[GateResult, ...]) -> Decision:
    since = [known.seen.since for known in turn.state.routes.values() if known.seen is not None]
    youngest = min((turn.now.after(at) for at in since), default=0)
    if youngest < turn.plan.observe.confirm:
        return turn.soon("reading every route once more", turn.plan.observe.confirm - youngest)
    for one in judged:
        journal(turn, one)
    why = "the last bake is over and every gate passes; the source stays attached at weight 0"
    if turn.plan.steps[turn.state.step].hands_over:
        sliver = weight_text(turn.plan.steps[turn.state.step - 1].weight)
        why = f"the last bake passed at {sliver}, and no gate objects at {weight_text(turn.state.weight)}; the source stays attached at weight 0"
    elif turn.state.weight < 1000:
        why = "the last bake is over and every gate passes; the routes stay at " + weight_text(
            turn.state.weight
        )
    turn.to(Phase.COMPLETED, why)
    return turn.decision(End(ExitCode.COMPLETED, why), turn.look(), 0, why)


def baked(turn: Turn) -> int:
    """Milliseconds of settled minutes since the evidence of this step began, the worst comparison."""
    began = turn.state.evidence_from_ms
    period = turn.plan.observe.period
    return max(
        0,
        min(
            (
                turn.state.journalled_ms.get(p.id, 0) + period - began
                for p in turn.plan.comparisons
            ),
            default=0,
        ),
    )
