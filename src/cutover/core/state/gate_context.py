"""What a gate may look at besides minutes, as the state has it: for the machine, for a replay, and for `status`."""

from __future__ import annotations

from collections.abc import Mapping

from cutover.core.gates.api import GateContext
from cutover.core.moment import Moment
from cutover.core.observation import AlarmState, GroupHealth, Known, Reading
from cutover.core.plan import Plan
from cutover.core.state.model import RunState
from cutover.core.state.phases import Phase


def context_of(
    plan: Plan,
    state: RunState,
    comparison: str,
    now: Moment,
    *,
    next_weight: int | None,
    health: Mapping[str, Reading[GroupHealth]],
    alarms: Reading[Mapping[str, AlarmState]] | None = None,
) -> GateContext:
    """The scene of a comparison now.

    Args:
        plan: the run's plan.
        state: folded from its journal.
        comparison: its id.
        now: this turn's moment.
        next_weight: the weight that would follow, per mille; None after the last step.
        health: by target group, as read, or as `health_said` remembers it.
        alarms: as read; None when nobody asked.
    """
    return GateContext(
        weight=state.weight,
        next_weight=next_weight,
        step_began_ms=state.evidence_from_ms,
        now=now,
        period_ms=plan.observe.period,
        health=health,
        alarms=alarms,
        calibration=state.evidence.calibration.get(comparison, {}),
        steps=len(plan.steps),
        horizon=plan.horizon,
        bake_ms=plan.steps[state.step].bake if state.step >= 0 else 0,
        alpha_scale=plan.alpha_scale,
    )


def weight_after(plan: Plan, state: RunState) -> int | None:
    """The weight of the step after this one, per mille; None after the last, and while this one is not yet in effect."""
    if state.phase is Phase.SETTLING:
        return None
    following = state.step + 1
    return int(plan.steps[following].weight) if following < len(plan.steps) else None


def health_said(state: RunState, at: Moment) -> dict[str, Reading[GroupHealth]]:
    """The healthy targets that the journal last noted, `10/12` by group: capacity is judged on them too."""
    found: dict[str, Reading[GroupHealth]] = {}
    for group, text in state.observed.get("health", {}).items():
        healthy, _, total = str(text).partition("/")
        if healthy.isdigit() and total.isdigit():
            found[group] = Known(GroupHealth(int(healthy), int(total)), at)
    return found
