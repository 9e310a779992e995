"""Small pieces of sentences: names and places as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable

from cutover.core.arn import route_name
from cutover.core.journal.events import PhaseChanged, WeightObserved
from cutover.core.messages.reasons import explain
from cutover.core.plan import Plan
from cutover.core.reasons import Reason, reason_of
from cutover.core.state import RunState


def route_names(arns: Iterable[str]) -> str:
    """Several routes, in order."""
    return ", ".join(route_name(arn) for arn in arns)


_NAMES = {"minutes": "evidence"}
"""The machine's own gate on fresh minutes, by a name that a person understands."""


def judged(plan: Plan, gate: str, comparison: str) -> str:
    """`errors`, and on which comparison where the plan has several."""
    gate = _NAMES.get(gate, gate)
    return gate if len(plan.comparisons) == 1 else f"{gate} ({comparison})"


def reason_text(plan: Plan, reason: Reason | None) -> str:
    """A reason as a clause of a sentence: the comparison is named only where there are several; "" for none."""

    def gate(found: Reason) -> str:
        facts = found.facts
        return f"{judged(plan, facts['gate'], facts['comparison'])}: {facts['said']}"

    return "" if reason is None else explain(reason, gate).rstrip(". ")


def why_of(state: RunState) -> Reason | None:
    """Why the run stands where it stands: its hold's reason, else its phase's."""
    return state.reason if state.held is None else state.held.because


def why_text(state: RunState) -> str:
    """`why_of` as a sentence; "" before the first change of phase."""
    reason = why_of(state)
    return "" if reason is None else explain(reason)


def text_of(plan: Plan, event: PhaseChanged | WeightObserved) -> str:
    """The reason of a record as a clause of a sentence."""
    return reason_text(plan, reason_of(event.reason, event.facts))
