"""What one turn decided."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.actions import Effect, Look
from cutover.core.events import Event
from cutover.core.moment import Moment


@dataclass(frozen=True)
class Decision:
    """Records to append first, then at most one effect; what to look at next, when, and why."""

    records: tuple[Event, ...]
    effect: Effect | None
    look: Look
    wake: Moment
    reason: str
