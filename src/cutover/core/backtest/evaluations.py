"""A table judged as it came: after each minute of the run the engine is asked what it does.

A row that is not the newest is settled. The newest may still be half published: it is judged only when it is as
large as the minutes before it (docs/judge.md). The table says at which step the run stands, whatever the engine did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cutover.core.backtest.column_mapping import ColumnMapping
from cutover.core.backtest.rows import Row, moment_of
from cutover.core.backtest.simulated_run import SimulatedRun, judged_plan
from cutover.core.engine import Decision, decide
from cutover.core.engine.evaluate import GateResult, judge, worst
from cutover.core.engine.forward import baked
from cutover.core.engine.freshness import MINUTES
from cutover.core.engine.turn import Turn
from cutover.core.gates import Verdict
from cutover.core.gates.api import Signal
from cutover.core.gates.sequential.baseline import WHOLE_OF
from cutover.core.gates.sequential.policy import looks_whole
from cutover.core.journal.events import MinuteSettled, PhaseChanged, counts_body
from cutover.core.observation import Comparison
from cutover.core.plan import Plan
from cutover.core.state import Hold, Phase
from cutover.core.state.gate_context import weight_after
from cutover.core.values import MINUTE


class Action(StrEnum):
    """What a run does on a look."""

    ADVANCE = "advance"  # the bake is over and every gate passes
    BAKE = "bake"
    HOLD = "hold"
    ESCALATE = "escalate"  # a person, with a deadline
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Evaluation:
    """What the engine says once `row.minute + 1` minutes are over.

    Attributes:
        row: the newest minute.
        judged: every gate's judgement, in the plan's order.
        decides: the worst of them.
        action: what a run does.
        baked: settled minutes of this step.
        left_out: the newest minute is not judged: it is not completely published yet.
        sentence: why, in one clause.
    """

    row: Row
    judged: tuple[GateResult, ...]
    decides: GateResult
    action: Action
    baked: int
    left_out: bool
    sentence: str

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Those of every gate."""
        return tuple(signal for one in self.judged for signal in one.judgement.signals)


def looks(
    plan: Plan,
    comparison: Comparison,
    mapping: ColumnMapping,
    rows: Sequence[Row],
    *,
    since: int | None = None,
) -> Iterator[Evaluation]:
    """One look after each row that belongs to a step, oldest first; from the minute `since` on, when it is given.

    Rows must come in the order of their minutes, without a gap. `mapping.gates` must not be empty.
    """
    judged = judged_plan(plan, comparison, mapping, period=MINUTE, settle=0, confirm=0)
    run = SimulatedRun(judged, mapping, rows[0].at_ms)
    unsuspecting = plan.safety.model_copy(update={"on_shared_after_raise": "hold"})
    by_gates = judged.model_copy(update={"safety": unsuspecting})
    sizes: list[int] = []
    late: list[MinuteSettled] = []
    for row in rows:
        run.now = moment_of(row.at_ms)
        run.record(*late)
        late = []
        if row.step >= 0 and (row.step, row.weight) != (run.state.step, run.state.weight):
            run.stand_at(row.step, row.weight)
        run.now = moment_of(row.at_ms + MINUTE)
        minute = MinuteSettled(
            comparison.id, row.at_ms, counts_body(mapping.minute(comparison, row))
        )
        if row.step < 0 or (row.known and not row.torn and looks_whole(sizes, row.size)):
            run.record(minute)
        else:
            late = [minute]
        if row.step >= 0:
            look = _look(run, by_gates, row, left_out=bool(late))
            if since is None or row.minute >= since:
                yield look
        if row.known:
            sizes = [*sizes, row.size][-WHOLE_OF:]


def _look(run: SimulatedRun, by_gates: Plan, row: Row, *, left_out: bool) -> Evaluation:
    """What the gates say and the engine does; what it records is remembered, but for its moves.

    The verdicts are the gates' own (docs/judge.md), so they suspect no raise of anything: the engine does, and its
    sentence says so.
    """
    seen = run.observed()
    decision = decide(run.plan, run.state, seen, run.now)
    turn, gates = (Turn(by, run.state, seen, run.now) for by in (run.plan, by_gates))
    judged, sentence = _judged(gates), worst(_judged(turn))
    run.record(*(event for event in decision.records if not isinstance(event, PhaseChanged)))
    return Evaluation(
        row=row,
        judged=judged,
        decides=worst(judged),
        action=_action(decision),
        baked=baked(turn) // MINUTE,
        left_out=left_out,
        sentence=f"{sentence.gate}: {sentence.judgement.why}",
    )


def _judged(turn: Turn) -> tuple[GateResult, ...]:
    """Every judgement; that minutes arrive goes without saying."""
    every = judge(turn, weight_after(turn.plan, turn.state), quietly=True)
    return tuple(one for one in every if (one.gate, one.verdict) != (MINUTES, Verdict.PASS))


_ACTIONS = {
    Phase.BAKING: Action.BAKE,
    Phase.SHIFTING: Action.ADVANCE,
    Phase.COMPLETED: Action.ADVANCE,
    Phase.HOLDING: Action.HOLD,
    Phase.ROLLING_BACK: Action.ROLLBACK,
}


def _action(decision: Decision) -> Action:
    held = decision.state.held
    asks = held is not None and held.reason is Hold.NO_CONTROL
    return Action.ESCALATE if asks else _ACTIONS[decision.state.phase]
