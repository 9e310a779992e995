"""Small pieces of sentences: names and places as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable

from cutover.core.arn import route_name
from cutover.core.plan import Plan


def route_names(arns: Iterable[str]) -> str:
    """Several routes, in order."""
    return ", ".join(route_name(arn) for arn in arns)


_NAMES = {"minutes": "evidence"}
"""The machine's own gate on fresh minutes, by a name that a person understands."""


def judged(plan: Plan, gate: str, comparison: str) -> str:
    """`errors`, and on which comparison where the plan has several."""
    gate = _NAMES.get(gate, gate)
    return gate if len(plan.comparisons) == 1 else f"{gate} ({comparison})"


def reason(plan: Plan, why: str) -> str:
    """A decision's reason as a clause of a sentence: the comparison is named only where there are several."""
    for comparison in plan.comparisons:
        for gate, name in _NAMES.items():
            why = why.replace(f"{gate} on {comparison.id}:", f"{name} on {comparison.id}:")
        short = "" if len(plan.comparisons) == 1 else f" ({comparison.id})"
        why = why.replace(f" on {comparison.id}:", f"{short}:")
    return why.rstrip(". ")
