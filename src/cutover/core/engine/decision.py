"""What one turn decided."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.actions import Effect, ReadRequest
from cutover.core.journal.events import Event
from cutover.core.moment import Moment
from cutover.core.reasons import Reason
from cutover.core.state import RunState


@dataclass(frozen=True)
class Decision:
    """Records to append first, then at most one effect; what to look at next, when, and why.

    Attributes:
        state: with the records folded, each as the next one of the process's own journal.
    """

    records: tuple[Event, ...]
    state: RunState
    effect: Effect | None
    look: ReadRequest
    wake: Moment
    reason: Reason
