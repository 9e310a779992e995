"""Small pieces of sentences: names, places, times and counts as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from cutover.core.arn import route_name
from cutover.core.journal.events import PhaseChanged, WeightObserved
from cutover.core.messages.reasons import explain
from cutover.core.moment import floor_to, wall_from_ms
from cutover.core.plan import Plan
from cutover.core.reasons import Reason, reason_of
from cutover.core.state import RunState
from cutover.core.values import MINUTE, SECOND, duration_text


def route_names(arns: Iterable[str]) -> str:
    """Several routes, in order."""
    return ", ".join(route_name(arn) for arn in arns)


def clock_text(wall: datetime, now: datetime) -> str:
    """`14:02Z` on the day of `now`, `2026-11-21 14:02Z` on another; rounded up to whole minutes.

    Always UTC and always marked so: the reader, the host and AWS are rarely in one zone.
    """
    utc = wall.astimezone(UTC)
    if utc.second or utc.microsecond:
        utc = wall_from_ms(floor_to(int(utc.timestamp()) * SECOND, MINUTE) + MINUTE)
    same_day = utc.date() == now.astimezone(UTC).date()
    return utc.strftime("%H:%MZ" if same_day else "%Y-%m-%d %H:%MZ")


def stamp(wall: datetime) -> str:
    """`2026-11-20 12:00:15Z`."""
    return wall.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def about(ms: int) -> str:
    """A duration as precise as a person needs it: `45s`, `4m`, `1h05m` is `1h5m`."""
    if ms < MINUTE:
        return duration_text(floor_to(max(0, ms), SECOND))
    return duration_text(floor_to(ms, MINUTE))


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
