"""All gates over all comparisons: the worst verdict wins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cutover.core.engine.freshness import MINUTES, fresh
from cutover.core.engine.turn import Turn
from cutover.core.gates import columns
from cutover.core.gates.api import Early, GateContext, Judgement, Verdict
from cutover.core.journal.events import GateJudged, Observed
from cutover.core.messages import with_sentence
from cutover.core.observation import Comparison, Known
from cutover.core.plan import PlannedGate
from cutover.core.reasons import Code, Reason, because
from cutover.core.state import Hold
from cutover.core.state.gate_context import context_of

SHARED_AFTER_RAISE = 5
"""Minutes after our own raise in which a bad source may be suffering from it."""


@dataclass(frozen=True)
class GateResult:
    """One gate's judgement on one comparison."""

    gate: str
    comparison: str
    judgement: Judgement
    on_breach: str
    live: bool  # judged on live facts, needs no minutes

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.judgement.verdict

    @property
    def reason(self) -> Reason:
        """The judgement, with the comparison it is about."""
        return because(Code.GATE_ON, comparison=self.comparison, **self._facts)

    @property
    def short_reason(self) -> Reason:
        """The judgement, where the comparison goes without saying."""
        return because(Code.GATE, **self._facts)

    @property
    def _facts(self) -> dict[str, object]:
        judgement = self.judgement
        return {
            "gate": self.gate,
            "verdict": judgement.verdict.name,
            "reason": judgement.code,
            "said": judgement.why,
        }


def judge(turn: Turn, next_weight: int | None, *, quietly: bool = False) -> tuple[GateResult, ...]:
    """Every gate's judgement now; a changed verdict is journalled, unless it is asked `quietly`."""
    judged: list[GateResult] = []
    for comparison in turn.plan.comparisons:
        context = _context(turn, comparison, next_weight)
        judged.append(
            GateResult(MINUTES, comparison.id, fresh(turn, comparison), "rollback", live=True)
        )
        for gate in turn.plan.gates:
            memory = turn.state.evidence.memory(gate.name, comparison.id)
            judgement = with_sentence(gate.gate.verdict(gate.spec, memory, comparison, context))
            needs = gate.gate.needs(gate.spec, comparison, context.calibration)
            judgement = _shared_after_raise(turn, gate, comparison, judgement)
            sooner = _early(turn, gate, comparison, context)
            if sooner is not None and _speaks_louder(sooner, judgement):
                judgement = sooner
            judgement = _suspects_the_raise(turn, gate, comparison, judgement)
            on_breach = leads_to(judgement, gate)
            judged.append(
                GateResult(gate.name, comparison.id, judgement, on_breach, live=not needs)
            )
    for one in () if quietly else judged:
        before = turn.state.verdicts.get((one.gate, one.comparison))
        if before is None or before.verdict != one.verdict.name:
            journal(turn, one)
    return tuple(judged)


def journal(turn: Turn, one: GateResult) -> None:
    """Journal a judgement with its numbers."""
    newest = turn.state.journalled_ms.get(one.comparison, 0)
    turn.add(
        GateJudged(
            one.gate,
            one.comparison,
            one.verdict.name,
            one.judgement.code,
            one.judgement.why,
            newest,
            dict(one.judgement.facts),
        )
    )


def _speaks_louder(sooner: Judgement, settled: Judgement) -> bool:
    """A worse verdict; or newer minutes prove a breach that the settled ones could only ask about."""
    if sooner.verdict is Verdict.BREACH and settled.on_breach == "escalate":
        return sooner.on_breach != "escalate"
    return sooner.verdict > settled.verdict


_ANSWERS = ("hold", "escalate", "rollback")
"""What a breach leads to, the most urgent last."""


def leads_to(judgement: Judgement, gate: PlannedGate) -> str:
    """What this breach leads to: a gate may know better than its plan, but never makes more of a `hold` by asking."""
    if judgement.on_breach == "escalate" and gate.on_breach == "hold":
        return "hold"
    return judgement.on_breach or gate.on_breach


def worst(judged: tuple[GateResult, ...]) -> GateResult:
    """The one that decides: the worst verdict; of equal breaches one that rolls back, then one that asks."""
    return max(judged, key=lambda one: (one.verdict, _ANSWERS.index(one.on_breach)))


def building(judged: tuple[GateResult, ...]) -> GateResult | None:
    """A gate that suspects the destination, or whose evidence against it is a tenth of a breach or more; None when none.

    docs/judge.md: with M at 1/(0.10 share) nothing advances, 1/(0.01 share) is a breach.
    """
    return next(
        (
            one
            for one in judged
            if one.judgement.suspects
            or any(signal.evidence * 10 >= signal.needed for signal in one.judgement.signals)
        ),
        None,
    )


def unknown_for(turn: Turn, judged: tuple[GateResult, ...]) -> int:
    """Milliseconds of this phase, or of this evidence window, for which some gate has been UNKNOWN.

    A gap opens a new window; looks that are slow enough to be gaps must not make a blind run wait for ever.
    """
    window = max(turn.aws_ms - turn.state.evidence_from_ms, turn.in_phase())
    spans = [
        turn.now.after(turn.state.verdicts[(one.gate, one.comparison)].since)
        for one in judged
        if one.verdict is Verdict.UNKNOWN
    ]
    return max(0, min(window, max(spans, default=0)))


def _context(turn: Turn, comparison: Comparison, next_weight: int | None) -> GateContext:
    return context_of(
        turn.plan,
        turn.state,
        comparison.id,
        turn.now,
        next_weight=next_weight,
        health=turn.seen.health,
        alarms=turn.seen.alarms,
    )


def _shared_after_raise(
    turn: Turn, gate: PlannedGate, comparison: Comparison, judgement: Judgement
) -> Judgement:
    """A source that turns bad right after our raise may be suffering from it: that is a breach."""
    if judgement.verdict is not Verdict.SHARED or judgement.perhaps_shared:
        return judgement
    if not _right_after_raise(turn, gate, comparison, judgement):
        return judgement
    why = f"the source turned bad right after the raise and may be suffering from it: {judgement.why}"
    return replace(judgement, verdict=Verdict.BREACH, why=why, code="blamed_on_the_raise")


def _suspects_the_raise(
    turn: Turn, gate: PlannedGate, comparison: Comparison, judgement: Judgement
) -> Judgement:
    """A destination that turns bad right after our raise, with nobody to compare with: the plan's own word counts.

    Even a source that is seen to be bad then is taken for a victim of the raise; one that cannot be seen is no better.
    """
    if judgement.on_breach != "escalate" or not _right_after_raise(
        turn, gate, comparison, judgement
    ):
        return judgement
    why = f"{judgement.why}; it began right after the raise"
    return replace(judgement, on_breach="", why=why, code="began_with_the_raise")


def _right_after_raise(
    turn: Turn, gate: PlannedGate, comparison: Comparison, judgement: Judgement
) -> bool:
    """What the gate sees began after our own raise, in a minute that ended within 5 of it, whenever it is seen.

    The minutes' own time decides: a run that was blind or dead meanwhile sees it late. The plan may say that this
    raises no suspicion. A hand-over never does: it moves a sliver away from the source.
    """
    raised, step = turn.state.weights[-1] if turn.state.weights else None, turn.state.step
    if turn.plan.safety.on_shared_after_raise != "rollback" or raised is None or raised[1] == 0:
        return False
    if step >= 0 and turn.plan.steps[step].hands_over:
        return False
    held = turn.state.held
    if held is not None and held.reason is Hold.NO_CONTROL:
        return False  # it was not suspected when it began
    observe, skew_ms = turn.plan.observe, turn.seen.aws_skew_ms
    began_ms = judgement.began_ms or turn.aws_ms - observe.settle - observe.period
    sent_ms = min(
        (
            known.sent.at.wall_ms
            for known in turn.state.routes.values()
            if known.sent is not None and known.sent.weight == raised[1]
        ),
        default=raised[0],
    )
    last_ms = raised[0] + skew_ms + SHARED_AFTER_RAISE * observe.period
    return sent_ms + skew_ms < began_ms + observe.period <= last_ms


def _early(
    turn: Turn, gate: PlannedGate, comparison: Comparison, context: GateContext
) -> Judgement | None:
    """Unsettled minutes count against the destination, for some judges once the same minute was read so twice.

    Only those of which every series that the gate reads, of both sides, is published (`columns.published`). From the minute of the raise on, and also before the split is seen to be in effect: harm does not wait for that.
    """
    reading = turn.seen.minutes
    if not isinstance(reading, Known) or context.weight <= 0:
        return None
    raised = turn.state.weights[-1][0] - turn.plan.observe.period + turn.seen.aws_skew_ms
    after = max(turn.state.journalled_ms.get(comparison.id, 0), raised)
    needed = gate.gate.needs(gate.spec, comparison, context.calibration)
    unsettled = sorted(
        (
            m
            for m in reading.value
            if m.comparison == comparison.id
            and not m.settled
            and m.at_ms > after
            and columns.published(m, needed, context.weight)
        ),
        key=lambda minute: minute.at_ms,
    )
    if not unsettled:
        return None
    memory = turn.state.evidence.memory(gate.name, comparison.id)
    found: Early | None = gate.gate.early(gate.spec, memory, unsettled, context)
    if found is None:
        return None
    judgement = with_sentence(found.judgement)
    return _twice(turn, gate, comparison, found, judgement) if found.twice else judgement


def _twice(
    turn: Turn, gate: PlannedGate, comparison: Comparison, found: Early, judgement: Judgement
) -> Judgement | None:
    first = turn.state.alarming.get((gate.name, comparison.id, found.at_ms))
    if first is not None and turn.now.after(first) > 0:
        return replace(judgement, why=f"{judgement.why}, read twice")
    if first is None:
        facts = {
            "gate": gate.name,
            "comparison": comparison.id,
            "at_ms": found.at_ms,
            "reason": judgement.code,
            "why": judgement.why,
        }
        turn.add(Observed("alarming", facts))
    return None
