"""What must hold of every run, however it went: asked of its records, by whoever made them."""

from __future__ import annotations

from collections.abc import Sequence

from cutover.core.errors import ExitCode
from cutover.core.events import Close, Effective, Intent, PhaseChanged, Record, Snapshot
from cutover.core.plan import Plan
from cutover.core.state import Phase, RunState, evolve

ENDS: dict[Phase, frozenset[int]] = {
    Phase.COMPLETED: frozenset({0, 2, 7, 130}),
    Phase.FINISHED: frozenset({0}),
    Phase.ABANDONED: frozenset({0}),
    Phase.ROLLED_BACK: frozenset({3, 2}),
    Phase.NEEDS_HUMAN: frozenset({4, 130}),
    Phase.REFUSED: frozenset({7, 8, 2, 130}),
    Phase.HOLDING: frozenset({5, 130}),
    Phase.ROLLING_BACK: frozenset({4}),
}
"""The exit codes that a process may end with in a phase; 2 when it came to a run that had ended, 7 when it refused to finish."""


def broken(plan: Plan, records: Sequence[Record], state: RunState, exit_code: int) -> list[str]:
    """One sentence for every promise that the records break."""
    found: list[str] = []
    folded, highest = RunState(), 0
    passed = {-1}  # nothing bakes before the first step
    allowed = {0, *(int(step.weight) for step in plan.steps)}
    for record in records:
        event = record.event
        if isinstance(event, Snapshot):
            allowed |= {int(str(form["weight"])) for form in event.forms.values()}
            highest = max(0, *(int(str(form["weight"])) for form in event.forms.values()))
        if isinstance(event, Intent):
            found += _intent(event, folded, allowed, highest)
            if event.kind == "move" and event.weight > highest and event.step - 1 not in passed:
                found.append(f"a raise to step {event.step} without the whole bake before it")
            if event.kind == "move":
                highest = max(highest, event.weight)
        if isinstance(event, Effective) and folded.phase is not Phase.SETTLING:
            found.append(f"record {record.seq}: a share was accepted in {folded.phase}")
        if isinstance(event, PhaseChanged) and event.before == "BAKING":
            if event.after in ("SHIFTING", "COMPLETED", "HOLDING") and _covered(plan, folded):
                passed.add(folded.step)
            elif event.after in ("SHIFTING", "COMPLETED"):
                found.append(f"record {record.seq}: step {folded.step} was passed before its time")
        folded = evolve(plan, folded, record)
    if folded != state:
        found.append(f"the journal folds to {folded.phase}, the process was in {state.phase}")
    return found + _end(records, state, exit_code)


def _covered(plan: Plan, state: RunState) -> bool:
    """The settled minutes of the step's evidence fill its bake; one minute does for a hand-over."""
    period = plan.observe.period
    newest = min(state.journalled_ms.get(pair.id, 0) for pair in plan.pairs) + period
    bake = plan.steps[state.step].bake
    return newest - state.evidence_from_ms >= (bake or period)


def _intent(event: Intent, state: RunState, allowed: set[int], highest: int) -> list[str]:
    found = []
    if event.weight not in allowed:
        found.append(f"{event.weight} per mille is in neither the plan nor the snapshot")
    if event.kind == "restore":
        if state.phase is not Phase.ROLLING_BACK:
            found.append(f"a restore in {state.phase}")
        return found
    if state.phase in (Phase.ROLLING_BACK, Phase.NEEDS_HUMAN, Phase.ROLLED_BACK):
        found.append(
            f"a {event.kind} in {state.phase}: nothing goes forward after a rollback began"
        )
    if event.kind == "move" and event.weight > highest:
        if state.phase is not Phase.SHIFTING:
            found.append(f"a raise in {state.phase}")
        # before the first raise no request has reached the destination: its gates can only wait
        good = {"PASS"} if highest > 0 else {"PASS", "WAITING"}
        bad = {key: one.verdict for key, one in state.verdicts.items() if one.verdict not in good}
        if bad or not state.verdicts:
            found.append(
                f"a raise to {event.weight} per mille while {bad or 'nothing was judged'}"
            )
    return found


def _end(records: Sequence[Record], state: RunState, exit_code: int) -> list[str]:
    last = records[-1].event
    if not isinstance(last, Close):
        return []  # it was stopped from outside: the emulated days were over, or nobody came back
    found = []
    if last.exit_code != exit_code or last.phase != state.phase:
        found.append(f"the journal closes with {last.exit_code} in {last.phase}, not {exit_code}")
    if exit_code not in ENDS.get(state.phase, frozenset()):
        found.append(f"{ExitCode(exit_code).name} is no exit code for {state.phase}")
    return found


def after_rollback(records: Sequence[Record]) -> list[Intent]:
    """The writes that were meant after the rollback began."""
    began = next(
        (
            number
            for number, record in enumerate(records)
            if isinstance(record.event, PhaseChanged) and record.event.after == "ROLLING_BACK"
        ),
        len(records),
    )
    return [record.event for record in records[began:] if isinstance(record.event, Intent)]
