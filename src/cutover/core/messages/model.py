"""The view of a run: its state, its newest sentences and its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cutover.core.journal import events as ev
from cutover.core.messages.anomalies import Anomalies, count_oddity
from cutover.core.messages.sentences import sentence
from cutover.core.moment import Moment
from cutover.core.plan import Plan
from cutover.core.state import NO_STEP, Phase, RunState, evolve

KEEP = 200
"""Sentences kept; older ones are in the journal, and memory stays flat over a day's run."""


class Tone(StrEnum):
    """How much a sentence wants to be seen."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class StepStanding(StrEnum):
    """Where a step stands."""

    AHEAD = "ahead"
    RAISING = "raising"
    SETTLING = "settling"
    BAKING = "baking"
    HOLDING = "holding"
    PASSED = "passed"
    TAKEN_BACK = "taken back"


@dataclass(frozen=True)
class ViewLine:
    """One sentence, with the phase and the weight (per mille) that it left the run in."""

    seq: int
    at: Moment
    phase: Phase
    weight: int
    tone: Tone
    text: str


@dataclass(frozen=True)
class StepView:
    """One step so far.

    Attributes:
        weight: per mille.
        planned_ms, baked_ms: the bake the plan asks for, and the settled evidence collected.
        raised: when the weight was first committed.
        ended: when the step was passed or taken back.
        verdicts: by gate and comparison, the newest of this step.
    """

    weight: int
    planned_ms: int
    stand: StepStanding = StepStanding.AHEAD
    baked_ms: int = 0
    raised: Moment | None = None
    ended: Moment | None = None
    verdicts: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunView:
    """What a person is told of one run; views render it and nothing else."""

    plan: Plan
    state: RunState = field(default_factory=RunState)
    lines: tuple[ViewLine, ...] = ()
    steps: tuple[StepView, ...] = ()
    anomalies: Anomalies = field(default_factory=Anomalies)
    reason: str = ""  # why the run went back or needs a person, in one sentence

    @classmethod
    def begin(cls, plan: Plan) -> RunView:
        """Before the first record."""
        return cls(plan, steps=tuple(StepView(step.weight, step.bake) for step in plan.steps))


def fold(view: RunView, record: ev.Record) -> RunView:
    """The view after one more record.

    Raises:
        ValueError: as `state.evolve`, for a phase change that no table allows.
    """
    before = view.state
    state = _folded(view.plan, before, record)
    text = sentence(view.plan, before, record)
    told = replace(
        view,
        state=state,
        steps=_steps(view, before, state, record),
        anomalies=count_oddity(view.anomalies, before, record.event),
    )
    if text is None:
        return told
    tone = tone_of(before, record.event)
    line = ViewLine(record.seq, record.at, state.phase, state.weight, tone, text)
    decisive = isinstance(record.event, ev.PhaseChanged) and state.phase in _DECISIVE
    return replace(
        told,
        lines=(*told.lines[1 - KEEP :], line),
        reason=text if decisive else told.reason,
    )


def _folded(plan: Plan, before: RunState, record: ev.Record) -> RunState:
    """The state without the gates' memories: no sentence needs them, and folding them is the dear part."""
    event = record.event
    if isinstance(event, ev.MinuteSettled):
        newest = {**before.journalled_ms, event.comparison: event.at_ms}
        return replace(
            before, seq=record.seq, epoch=record.epoch, last=record.at, journalled_ms=newest
        )
    if isinstance(event, ev.MinuteCorrected):
        return replace(before, seq=record.seq, epoch=record.epoch, last=record.at)
    return evolve(plan, before, record)


_DECISIVE = frozenset({Phase.ROLLING_BACK, Phase.NEEDS_HUMAN, Phase.REFUSED, Phase.ABANDONED})

_PHASE_TONES: dict[Phase, Tone] = {
    Phase.HOLDING: Tone.WARN,
    Phase.ROLLING_BACK: Tone.BAD,
    Phase.NEEDS_HUMAN: Tone.BAD,
    Phase.REFUSED: Tone.BAD,
    Phase.ABANDONED: Tone.WARN,
    Phase.ROLLED_BACK: Tone.GOOD,
    Phase.COMPLETED: Tone.GOOD,
    Phase.FINISHED: Tone.GOOD,
}


def tone_of(before: RunState, event: ev.Event) -> Tone:
    """How much the sentence of an event wants to be seen."""
    if isinstance(event, ev.PhaseChanged):
        return _PHASE_TONES.get(Phase(event.after), Tone.PLAIN)
    if isinstance(event, ev.Observed):
        return Tone.BAD if event.what in ("escalated", "overwritten") else Tone.WARN
    if isinstance(event, ev.Outcome):
        if event.result == "impossible":
            return Tone.BAD
        return Tone.PLAIN if event.result == "applied" else Tone.WARN
    if isinstance(event, ev.CheckFound):
        return Tone.BAD if event.severity == "block" else Tone.WARN
    if isinstance(event, ev.GateJudged):
        return Tone.GOOD if event.verdict == "PASS" else Tone.WARN
    if isinstance(event, ev.Verified):
        return Tone.GOOD if before.phase is Phase.ROLLING_BACK else Tone.PLAIN
    return Tone.WARN if isinstance(event, ev.Gap | ev.Drift | ev.Note) else Tone.PLAIN


def baked(plan: Plan, state: RunState) -> int:
    """Milliseconds of settled evidence that the current step has, by its slowest comparison."""
    if state.evidence_from_ms == NO_STEP:
        return 0
    newest = [
        state.journalled_ms.get(comparison.id, 0) + plan.observe.period
        for comparison in plan.comparisons
    ]
    return max(0, min(newest, default=0) - state.evidence_from_ms)


_STANDS: dict[Phase, StepStanding] = {
    Phase.SHIFTING: StepStanding.RAISING,
    Phase.SETTLING: StepStanding.SETTLING,
    Phase.BAKING: StepStanding.BAKING,
    Phase.HOLDING: StepStanding.HOLDING,
    Phase.NEEDS_HUMAN: StepStanding.HOLDING,
    Phase.ABANDONED: StepStanding.HOLDING,
    Phase.COMPLETED: StepStanding.PASSED,
    Phase.FINISHED: StepStanding.PASSED,
}


def _steps(
    view: RunView, before: RunState, state: RunState, record: ev.Record
) -> tuple[StepView, ...]:
    event = record.event
    if isinstance(event, ev.PhaseChanged):
        return tuple(
            _after_phase(step, index, state, record.at) for index, step in enumerate(view.steps)
        )
    at = state.step
    if not 0 <= at < len(view.steps):
        return view.steps
    step = view.steps[at]
    if isinstance(event, ev.GateJudged):
        step = replace(
            step, verdicts={**step.verdicts, (event.gate, event.comparison): event.verdict}
        )
    elif isinstance(event, ev.MinuteSettled | ev.WeightObserved) and state.phase in (
        Phase.SETTLING,
        Phase.BAKING,
        Phase.HOLDING,
    ):
        step = replace(step, baked_ms=baked(view.plan, state))
    else:
        return view.steps
    return (*view.steps[:at], step, *view.steps[at + 1 :])


def _after_phase(step: StepView, index: int, state: RunState, at: Moment) -> StepView:
    """The step at `index` after a phase change."""
    going_back = state.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    if going_back and step.raised is not None and step.stand is not StepStanding.TAKEN_BACK:
        return replace(step, stand=StepStanding.TAKEN_BACK, ended=step.ended or at)
    if going_back:
        return (
            replace(step, stand=StepStanding.AHEAD) if step.stand is StepStanding.RAISING else step
        )
    current = state.target if state.phase is Phase.SHIFTING else state.step
    if index < current and step.stand is not StepStanding.PASSED:
        return replace(step, stand=StepStanding.PASSED, ended=at)
    if index != current or state.phase not in _STANDS:
        return step
    raised = step.raised
    if raised is None and state.phase is not Phase.SHIFTING:
        raised = at
    fresh = state.phase is Phase.SETTLING
    ended = at if _STANDS[state.phase] is StepStanding.PASSED else step.ended
    return replace(
        step,
        stand=_STANDS[state.phase],
        raised=raised,
        ended=ended,
        baked_ms=0 if fresh else step.baked_ms,
        verdicts={} if fresh else step.verdicts,
    )
