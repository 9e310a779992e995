"""Evidence folded from journalled minutes: gate memories, kept so that a corrected minute refolds.

Only the last operations are kept, each with the memories before it; so memory stays flat however long a run
is, and a correction folds again from where it happened. CloudWatch corrects the newest minutes only (aws.md
1.5), and the machine re-reads five.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.core.gates.judging import Scene
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Minute
from cutover.core.plan import Plan
from cutover.core.values import with_fields

KEEP = 30
NO_STEP = 2**53
"""`Scene.step_began_ms` while no step is effective: a minute then counts for nobody."""

Key = tuple[str, str]
"""(gate name, pair id)."""


@dataclass(frozen=True)
class Folded:
    """One minute, with the weight and the step it belongs to; `restart` is a mark without a minute."""

    minute: Minute | None
    weight: int
    step_began_ms: int
    before: Mapping[Key, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Evidence:
    """Memories now, and what is needed to fold the newest minutes again."""

    memories: Mapping[Key, Any] = field(default_factory=dict)
    recent: tuple[Folded, ...] = ()
    calibration: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def minute(self, pair: str, at_ms: int) -> Minute | None:
        """The kept minute of a pair that began then."""
        for folded in reversed(self.recent):
            if (
                folded.minute is not None
                and folded.minute.at_ms == at_ms
                and folded.minute.pair == pair
            ):
                return folded.minute
        return None

    def minutes(self, pair: str, from_ms: int) -> tuple[Minute, ...]:
        """The kept minutes of a pair from then on, oldest first."""
        return tuple(
            f.minute
            for f in self.recent
            if f.minute is not None and f.minute.pair == pair and f.minute.at_ms >= from_ms
        )


def begin(plan: Plan) -> Evidence:
    """No evidence yet."""
    memories = {
        (gate.name, pair.id): gate.gate.start(gate.spec)
        for gate in plan.gates
        for pair in plan.pairs
    }
    return Evidence(memories=memories)


def fold(plan: Plan, evidence: Evidence, folded: Folded) -> Evidence:
    """The evidence after one more minute, or after a restart mark."""
    kept = with_fields(folded, before=evidence.memories)
    recent = (*evidence.recent, kept)
    keep = KEEP * len(plan.pairs)
    return with_fields(
        evidence,
        memories=_step(plan, evidence, evidence.memories, folded),
        recent=recent[-keep:] if len(recent) > 2 * keep else recent,
    )


def restart(plan: Plan, evidence: Evidence) -> Evidence:
    """Evidence for the destination is discarded; evidence against it stays."""
    return fold(plan, evidence, Folded(None, 0, 0))


def correct(plan: Plan, evidence: Evidence, minute: Minute) -> Evidence:
    """The evidence as if the minute had been so from the start; unchanged when it is no longer kept."""
    place = next(
        (
            n
            for n, f in enumerate(evidence.recent)
            if f.minute is not None
            and (f.minute.at_ms, f.minute.pair) == (minute.at_ms, minute.pair)
        ),
        None,
    )
    if place is None:
        return evidence
    corrected = replace(evidence.recent[place], minute=minute)
    again = replace(evidence, memories=corrected.before, recent=evidence.recent[:place])
    for folded in (corrected, *evidence.recent[place + 1 :]):
        again = fold(plan, again, folded)
    return again


def _step(
    plan: Plan, evidence: Evidence, memories: Mapping[Key, Any], folded: Folded
) -> Mapping[Key, Any]:
    after = dict(memories)
    if folded.minute is None:
        for gate in plan.gates:
            for pair in plan.pairs:
                key = (gate.name, pair.id)
                after[key] = gate.gate.restart(after[key])
        return after
    minute = folded.minute
    scene = Scene(
        weight=folded.weight,
        next_weight=None,
        step_began_ms=folded.step_began_ms,
        now=Moment(wall_from_ms(minute.at_ms), 0, ""),
        period_ms=plan.observe.period,
        calibration=evidence.calibration.get(minute.pair, {}),
        steps=len(plan.steps),
        horizon=plan.horizon,
        alpha_scale=plan.alpha_scale,
    )
    for gate in plan.gates:
        key = (gate.name, minute.pair)
        if key in after:
            after[key] = gate.gate.fold(gate.spec, after[key], minute, scene)
    return after
