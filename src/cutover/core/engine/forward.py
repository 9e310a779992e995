"""SHIFTING, SETTLING and BAKING: forward needs proof."""

from __future__ import annotations

from cutover.core.actions import End, SetWeight
from cutover.core.engine.decision import Decision
from cutover.core.engine.evaluate import GateResult, journal, judge, worst
from cutover.core.engine.freshness import MINUTES
from cutover.core.engine.rollback import begin_rollback
from cutover.core.engine.routes import Driven, drifted, drive, suspicious, written_step
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
from cutover.core.messages import LiveVerdict, explain, minute_line
from cutover.core.observation import NotAsked, Unknown
from cutover.core.reasons import Code, Reason, because
from cutover.core.state import Hold, Phase
from cutover.core.state.gate_context import weight_after
from cutover.core.values import FULL, MINUTE, SECOND

WAITING_GRACE = 20 * MINUTE
"""A bake that is over but still waits for requests goes on for as long again, at least this long (docs/judge.md)."""


def shifting(turn: Turn) -> Decision:
    """Write the step's weight to every route, read it back twice: all or back."""
    landed = written_step(turn)
    if landed is not None and turn.state.target == turn.state.step:
        # a person resumed while no read showed it yet; nothing new is raised, it is verified and baked afresh
        turn.to(Phase.SHIFTING, because(Code.ALREADY_WRITTEN), step=landed)
    weight = turn.plan.steps[turn.state.target].weight
    if stop := unsure(turn):
        turn.hold(*stop)
        return turn.poll(because(Code.HOLDING))
    # while no step is in effect the gates can only wait: what counts here is a breach, and nothing else is told
    judged = judge(turn, weight, quietly=True)
    if worst(judged).verdict is Verdict.BREACH and (stopped := harmed(turn, judged)):
        return stopped
    driven, decision = drive(turn, weight)
    if decision is not None:
        if isinstance(decision.effect, SetWeight) and (stop := _no_raise(turn, decision.effect)):
            turn.hold(*stop)
            return turn.poll(because(Code.HOLDING))
        return decision
    stopped = after_drive(turn, driven, attaching=False)
    if stopped is not None:
        return stopped
    turn.to(
        Phase.SETTLING,
        because(Code.COMMITTED, weight=weight),
        step=turn.state.target,
        from_ms=turn.next_minute_ms(min(PROPAGATION, turn.plan.observe.settle)),
    )
    return turn.poll(because(Code.WAITING_FOR_SPLIT))


def _no_raise(turn: Turn, move: SetWeight) -> tuple[Hold, Reason] | None:
    """What forbids this very write, though the evidence passed a moment ago; None for one that lowers."""
    lives = {route: turn.live(route) for route in turn.state.routes}
    if all(config is None or (config.weight or 0) >= move.weight for config in lives.values()):
        return None
    if not turn.state.raising:
        return Hold.NO_DATA, because(Code.NO_FRESH_EVIDENCE, weight=move.weight)
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
        why = because(Code.NOT_CONFIRMED_EVERYWHERE, what=what)
        if short_of := turn.source_short():
            stays = because(Code.NOT_TAKEN_BACK_NOW, first=why, because=short_of)
            turn.hold(Hold.NOT_WRITTEN, stays)
            return turn.poll(because(Code.HOLDING))
        return begin_rollback(turn, why, "partial")
    if driven is Driven.DENIED and attaching and not _ever_applied(turn):
        why = because(Code.FIRST_WRITE_DENIED, said=_last_error(turn))
        turn.to(Phase.REFUSED, why, step=-1)
        return turn.decision(End(ExitCode.CREDENTIALS, why), turn.look(), 0, why)
    if driven is Driven.DENIED:
        turn.hold(Hold.CREDENTIALS, because(Code.WRITE_DENIED, said=_last_error(turn)))
    elif driven is Driven.UNREADABLE:
        turn.hold(Hold.UNREADABLE, because(Code.ROUTES_UNREADABLE, said=_last_error(turn)))
    elif any(turn.unsettled(route) for route in turn.state.routes):
        turn.hold(Hold.NOT_WRITTEN, because(Code.WRITE_NOT_SHOWN))
    else:
        unwritten = because(Code.NOT_WRITTEN, what=what, said=_last_error(turn))
        turn.hold(Hold.NOT_WRITTEN, unwritten)
    return turn.poll(because(Code.HOLDING))


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
        code, facts = found.why.code, found.why.facts
        turn.add(
            WeightObserved(
                turn.state.step, found.from_ms, found.shares, code, facts, explain(found.why)
            )
        )
        turn.to(Phase.BAKING, found.why)
        return turn.poll(because(Code.COLLECTING))
    if turn.in_phase() > settle_deadline(turn.plan):
        turn.hold(Hold.SHARE, because(Code.SHARE_DOES_NOT_FOLLOW, because=found.why))
        return turn.poll(because(Code.HOLDING))
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
        return turn.poll(because(Code.HOLDING))
    if (why := turn.below_reserve()) and (turn.source_short() or overdue):
        turn.hold(Hold.RESERVE, why)
        return turn.poll(because(Code.HOLDING))
    decides = lacking(turn, judged)
    if covered < bake or decides is not None:
        if decides is not None and overdue and _waits(decides):
            turn.hold(Hold.EVIDENCE, decides.short_reason)
        said = minute_line(turn.plan, turn.state, covered, _standing(judged))
        return turn.poll(because(Code.BAKING, covered_ms=covered, bake_ms=bake, said=said))
    if why:
        return turn.poll(because(Code.PASSES_BUT, because=why))
    if suspicious(turn):
        if overdue:
            changing = because(Code.ROUTES_KEEP_CHANGING, said=_last_error(turn))
            turn.hold(Hold.UNREADABLE, changing)
            return turn.poll(because(Code.HOLDING))
        return turn.soon(because(Code.PASSES_READING), 3 * SECOND)
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
        return turn.soon(because(Code.PASSES_ASKING_IDENTITY), identity=True)
    if stop := forbidden(turn, turn.state.step + 1):
        turn.hold(*stop)
        return turn.poll(because(Code.HOLDING))
    return begin_raise(turn, turn.state.step + 1, judged)


def begin_raise(turn: Turn, step: int, judged: tuple[GateResult, ...]) -> Decision:
    """First turn of a raise: journal the evidence, ask for the configs; the next turn moves."""
    for one in judged:
        journal(turn, one)
    turn.to(
        Phase.SHIFTING,
        because(Code.RAISING, weight=turn.plan.steps[step].weight),
        step=step,
    )
    return turn.soon(because(Code.READING_BEFORE_WRITE))


def _complete(turn: Turn, judged: tuple[GateResult, ...]) -> Decision:
    since = [known.seen.since for known in turn.state.routes.values() if known.seen is not None]
    youngest = min((turn.now.after(at) for at in since), default=0)
    if youngest < turn.plan.observe.confirm:
        again = because(Code.READING_AGAIN, times="once more")
        return turn.soon(again, turn.plan.observe.confirm - youngest)
    for one in judged:
        journal(turn, one)
    weight, why = turn.state.weight, because(Code.LAST_BAKE_PASSED)
    if turn.plan.steps[turn.state.step].hands_over:
        baked_at = turn.plan.steps[turn.state.step - 1].weight
        why = because(Code.HAND_OVER_PASSED, baked=baked_at, weight=weight)
    elif weight < FULL:
        why = because(Code.LAST_BAKE_PASSED_AT, weight=weight)
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
