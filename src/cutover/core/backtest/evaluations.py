"""A table judged as it came: one look after each minute of the run.

A row that is not the newest is settled. The newest may still be half published: it is judged only when it is as
large as the minutes before it (docs/judge.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cutover.core.backtest.column_mapping import ColumnMapping, context
from cutover.core.backtest.rows import Row, ms_of
from cutover.core.engine.evaluate import GateResult, leads_to, worst
from cutover.core.engine.freshness import MINUTES, STALE_PERIODS
from cutover.core.gates import GateContext, Judgement, Verdict
from cutover.core.gates.api import Signal
from cutover.core.gates.sequential.baseline import WHOLE_OF
from cutover.core.gates.sequential.policy import looks_whole
from cutover.core.messages.verdicts import with_sentence
from cutover.core.observation import Comparison, Minute
from cutover.core.plan import Plan, PlannedGate
from cutover.core.values import MINUTE, count_of

SILENT_MINUTES = STALE_PERIODS
"""Minutes without a request on either side are blindness, not health (docs/promises.md P21)."""

Memories = Mapping[str, Any]


class Action(StrEnum):
    """What a run would do on a look."""

    ADVANCE = "advance"  # the bake is over and every gate passes
    BAKE = "bake"
    HOLD = "hold"
    ESCALATE = "escalate"  # a person, with a deadline
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Evaluation:
    """What the judge says once `row.minute + 1` minutes are over.

    Attributes:
        row: the newest minute.
        judged: every gate's judgement, in the plan's order.
        decides: the worst of them.
        action: what a run would do.
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


@dataclass(frozen=True)
class Silence:
    """Minutes in a row in which no request was seen on either side; of `dark` ones there is no datapoint at all."""

    minutes: int = 0
    dark: int = 0

    def after(self, *requests: int | None) -> Silence:
        """With one more minute, and what each side got in it; None: no datapoint."""
        if any(requests):
            return Silence()
        return Silence(self.minutes + 1, self.dark + all(one is None for one in requests))

    @property
    def why(self) -> str:
        """In commands: what is not known is not called nothing."""
        silent = count_of(self.minutes, "minute")
        if self.dark == self.minutes:
            return f"nothing is known of requests on either side in {silent}"
        also = f", {self.dark} of them without a datapoint" if self.dark else ""
        return f"no request on either side in {silent}{also}"


def begin(mapping: ColumnMapping) -> Memories:
    """Nothing seen."""
    return {gate.name: gate.gate.start(gate.spec) for gate in mapping.gates}


def fold(
    mapping: ColumnMapping, memories: Memories, minute: Minute, here: GateContext
) -> Memories:
    """The memories after one minute."""
    return {
        gate.name: gate.gate.fold(gate.spec, memories[gate.name], minute, here)
        for gate in mapping.gates
    }


def judge(
    mapping: ColumnMapping,
    memories: Memories,
    comparison: Comparison,
    here: GateContext,
    silence: Silence,
) -> tuple[GateResult, ...]:
    """Every gate's judgement, and what a silence means."""
    judged = [_judged(gate, memories[gate.name], comparison, here) for gate in mapping.gates]
    if silence.minutes >= SILENT_MINUTES:
        unknown = Judgement(Verdict.UNKNOWN, silence.why, code="silent")
        judged.append(GateResult(MINUTES, comparison.id, unknown, "rollback", live=True))
    return tuple(judged)


def _judged(
    gate: PlannedGate, memory: Any, comparison: Comparison, here: GateContext
) -> GateResult:
    judgement = with_sentence(gate.gate.verdict(gate.spec, memory, comparison, here))
    return GateResult(gate.name, comparison.id, judgement, leads_to(judgement, gate), live=False)


def action_of(decides: GateResult, *, bake_over: bool) -> Action:
    """What a run does on a verdict."""
    if decides.verdict is Verdict.BREACH:
        return Action(decides.on_breach)
    if decides.verdict is Verdict.PASS:
        return Action.ADVANCE if bake_over else Action.BAKE
    if decides.verdict is Verdict.WAITING and not bake_over:
        return Action.BAKE
    return Action.HOLD


def looks(
    plan: Plan,
    comparison: Comparison,
    mapping: ColumnMapping,
    rows: Iterable[Row],
    *,
    since: int | None = None,
) -> Iterator[Evaluation]:
    """One look after each row that belongs to a step, oldest first; from the minute `since` on, when it is given.

    Rows must come in the order of their minutes, without a gap. `lens.gates` must not be empty.
    """
    memories = begin(mapping)
    sizes: list[int] = []
    step, began, silence = -1, 0, Silence()
    for row in rows:
        if row.step != step:
            step, began = row.step, ms_of(row.minute)
        here = context(
            plan,
            mapping,
            step=row.step,
            weight=row.weight,
            began_ms=began if row.step >= 0 else 0,
            now_ms=ms_of(row.minute + 1),
        )
        after = fold(mapping, memories, mapping.minute(comparison, row), here)
        hushed = silence.after(row.source.requests, row.destination.requests)
        if row.step >= 0 and (since is None or row.minute >= since):
            whole = row.known and not row.torn and looks_whole(sizes, row.size)
            yield _look(
                plan,
                mapping,
                row,
                judge(
                    mapping,
                    after if whole else memories,
                    comparison,
                    here,
                    hushed if whole else silence,
                ),
                baked=(row.at_ms - began) // MINUTE + (1 if whole else 0),
                left_out=not whole,
            )
        memories, silence = after, hushed
        if row.known:
            sizes = [*sizes, row.size][-WHOLE_OF:]


def _look(
    plan: Plan,
    mapping: ColumnMapping,
    row: Row,
    judged: tuple[GateResult, ...],
    *,
    baked: int,
    left_out: bool,
) -> Evaluation:
    decides = worst(judged)
    over = baked * MINUTE >= max(MINUTE, plan.steps[row.step].bake)
    return Evaluation(
        row=row,
        judged=judged,
        decides=decides,
        action=action_of(decides, bake_over=over),
        baked=baked,
        left_out=left_out,
        sentence=f"{decides.gate}: {mapping.said(decides.judgement.why)}",
    )
