"""Evidence folded from journalled minutes: gate memories, kept so that a corrected minute refolds.

Only the last operations are kept, each with the memories before it; so memory stays flat however long a run
is, and a correction folds again from where it happened. CloudWatch corrects the newest minutes only, and the machine re-reads five.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.core.gates.api import GateContext
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Minute
from cutover.core.plan import Plan
from cutover.core.values import with_fields

KEEP = 30
NO_STEP = 2**53
"""`GateContext.step_began_ms` while no step is effective: a minute then counts for nobody."""


@dataclass(frozen=True)
class Folded:
    """One minute of a comparison, with the weight and the step it belongs to; `restart` is a mark without a minute."""

    minute: Minute | None
    weight: int
    step_began_ms: int
    before: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class ComparisonEvidence:
    """One comparison's gate memories now, by gate name, and what is needed to fold its newest minutes again."""

    memories: Mapping[str, Any] = field(default_factory=dict)
    recent: tuple[Folded, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """Each comparison's evidence by its id: one comparison's minutes never push another's out."""

    comparisons: Mapping[str, ComparisonEvidence] = field(default_factory=dict)
    calibration: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def memories(self) -> dict[tuple[str, str], Any]:
        """Every gate's memory of every comparison, by gate name and comparison id."""
        return {
            (gate, comparison): memory
            for comparison, known in self.comparisons.items()
            for gate, memory in known.memories.items()
        }

    def memory(self, gate: str, comparison: str) -> Any:
        """A gate's memory of a comparison; None where none is folded."""
        known = self.comparisons.get(comparison)
        return None if known is None else known.memories.get(gate)

    def minute(self, comparison: str, at_ms: int) -> Minute | None:
        """The kept minute of a comparison that began then."""
        for folded in reversed(self._recent(comparison)):
            if folded.minute is not None and folded.minute.at_ms == at_ms:
                return folded.minute
        return None

    def minutes(self, comparison: str, from_ms: int) -> tuple[Minute, ...]:
        """The kept minutes of a comparison from then on, oldest first."""
        return tuple(
            f.minute
            for f in self._recent(comparison)
            if f.minute is not None and f.minute.at_ms >= from_ms
        )

    def _recent(self, comparison: str) -> tuple[Folded, ...]:
        known = self.comparisons.get(comparison)
        return () if known is None else known.recent


def begin(plan: Plan) -> Evidence:
    """No evidence yet."""
    return Evidence(
        {
            comparison.id: ComparisonEvidence(
                {gate.name: gate.gate.start(gate.spec) for gate in plan.gates}
            )
            for comparison in plan.comparisons
        }
    )


def fold(plan: Plan, evidence: Evidence, folded: Folded) -> Evidence:
    """The evidence after one more minute of the comparison that it names; of no planned comparison it teaches nothing."""
    minute = folded.minute
    if minute is None or minute.comparison not in evidence.comparisons:
        return evidence
    calibration = evidence.calibration.get(minute.comparison, {})
    changed = _after(plan, evidence.comparisons[minute.comparison], folded, calibration)
    return with_fields(evidence, comparisons={**evidence.comparisons, minute.comparison: changed})


def restart(plan: Plan, evidence: Evidence) -> Evidence:
    """Evidence for the destination is discarded; evidence against it stays."""
    mark = Folded(None, 0, 0)
    comparisons = {
        comparison: _after(plan, known, mark, {})
        for comparison, known in evidence.comparisons.items()
    }
    return with_fields(evidence, comparisons=comparisons)


def correct(plan: Plan, evidence: Evidence, minute: Minute) -> Evidence:
    """The evidence as if the minute had been so from the start; unchanged when it is no longer kept."""
    known = evidence.comparisons.get(minute.comparison)
    if known is None:
        return evidence
    place = next(
        (
            n
            for n, f in enumerate(known.recent)
            if f.minute is not None and f.minute.at_ms == minute.at_ms
        ),
        None,
    )
    if place is None:
        return evidence
    corrected = replace(known.recent[place], minute=minute)
    again = ComparisonEvidence(corrected.before, known.recent[:place])
    calibration = evidence.calibration.get(minute.comparison, {})
    for folded in (corrected, *known.recent[place + 1 :]):
        again = _after(plan, again, folded, calibration)
    return replace(evidence, comparisons={**evidence.comparisons, minute.comparison: again})


def _after(
    plan: Plan, known: ComparisonEvidence, folded: Folded, calibration: Mapping[str, int]
) -> ComparisonEvidence:
    """A comparison's evidence after one more minute, or after a restart mark."""
    kept = with_fields(folded, before=known.memories)
    # one mark says as much as many: they must not push minutes out
    again = folded.minute is None and known.recent and known.recent[-1].minute is None
    recent = known.recent if again else (*known.recent, kept)
    return with_fields(
        known,
        memories=_step(plan, known.memories, folded, calibration),
        recent=recent[-KEEP:] if len(recent) > 2 * KEEP else recent,
    )


def _step(
    plan: Plan, memories: Mapping[str, Any], folded: Folded, calibration: Mapping[str, int]
) -> Mapping[str, Any]:
    minute = folded.minute
    if minute is None:
        return {gate.name: gate.gate.restart(memories[gate.name]) for gate in plan.gates}
    context = GateContext(
        weight=folded.weight,
        next_weight=None,
        step_began_ms=folded.step_began_ms,
        now=Moment(wall_from_ms(minute.at_ms), 0, ""),
        period_ms=plan.observe.period,
        calibration=calibration,
        steps=len(plan.steps),
        horizon=plan.horizon,
        alpha_scale=plan.alpha_scale,
    )
    return {
        gate.name: gate.gate.fold(gate.spec, memories[gate.name], minute, context)
        for gate in plan.gates
    }
