"""What is said when a process ends, and what to type next in each phase."""

from __future__ import annotations

from cutover.core.messages.anomalies import anomalies_text
from cutover.core.messages.holds import HOLD_WORDS
from cutover.core.messages.model import RunView
from cutover.core.moment import about
from cutover.core.state import Hold, Phase, RunState
from cutover.core.values import weight_text

NEXT: dict[Phase, str] = {
    Phase.PREFLIGHT: "nothing to do; Ctrl-C ends it and nothing was written",
    Phase.ATTACHING: "`cutover pause`, or `cutover rollback`",
    Phase.SHIFTING: "`cutover pause`, or `cutover rollback`",
    Phase.SETTLING: "`cutover pause`, or `cutover rollback`",
    Phase.BAKING: "`cutover pause`, or `cutover rollback`",
    Phase.HOLDING: "`cutover resume`, or `cutover rollback`",
    Phase.ROLLING_BACK: "nothing to do but watch; if no process lives, `cutover rollback` goes on",
    Phase.COMPLETED: "`cutover finish` when you will not go back, or `cutover rollback`",
    Phase.NEEDS_HUMAN: '`cutover rollback`, `cutover rollback --confirm-restored`, or `cutover finish --leave-as-is "why"`',
    Phase.FINISHED: "nothing; this run is over",
    Phase.ROLLED_BACK: "nothing; this run is over, `cutover run PLAN` starts another",
    Phase.REFUSED: "`cutover preflight PLAN` shows what blocks, `cutover run PLAN` starts another",
    Phase.ABANDONED: "nothing; this run is over",
}
"""What to type next, by phase; a hold's own words go first."""


_ALONE = "`cutover resume`, or `cutover rollback`: no process lives, so nobody watches the gates"

ALONE: dict[Phase, str] = {
    Phase.PREFLIGHT: "nothing was written; `cutover run PLAN` starts another",
    Phase.ATTACHING: _ALONE,
    Phase.SHIFTING: _ALONE,
    Phase.SETTLING: _ALONE,
    Phase.BAKING: _ALONE,
    Phase.HOLDING: _ALONE,
    Phase.ROLLING_BACK: "`cutover rollback` goes on with it: no process lives",
}
"""The same for an active phase whose process is gone."""


def next_command(state: RunState, *, driven: bool = True) -> str:
    """What to type next; `driven`: a living process drives the run."""
    if not driven and state.phase in ALONE:
        return ALONE[state.phase]
    if state.phase is Phase.HOLDING and state.held is not None:
        return HOLD_WORDS[Hold(state.held.reason)].command
    return NEXT[state.phase]


def ending(view: RunView) -> tuple[str, ...]:
    """The summary at the end of a process: how it ended, how long it took, what was odd, what is next without it."""
    state = view.state
    lines = []
    took = ""
    if state.opened is not None and state.last is not None:
        took = f" after {about(state.last.after(state.opened))}"
    name = state.phase.value.replace("_", " ").lower()
    lines.append(f"{view.plan.name}: {name} at {weight_text(state.weight)}{took}")
    if view.reason and state.phase is not Phase.COMPLETED:
        lines.append(f"reason: {view.reason}")
    lines.append(f"odd but no breach: {anomalies_text(view.anomalies)}")
    lines.append(f"next: {next_command(state, driven=False)}")
    return tuple(lines)
