"""What to type next, as it is shown: a rehearsal asks for nothing that would reach a real run."""

from __future__ import annotations

from cutover.core.messages import next_command
from cutover.core.state import RunState

_REHEARSED = "nothing: this was a rehearsal, `cutover run PLAN` moves real traffic"
_REHEARSING = "nothing: this is a rehearsal, it takes commands from its scenario only"


def rehearsed(state: RunState) -> bool:
    """Its times are emulated, and it takes no commands."""
    return state.mode == "rehearsal"


def next_command_line(state: RunState, *, driven: bool = True) -> str:
    """What to type next; `driven`: a living process drives the run.

    `cutover rollback`, typed after a rehearsal, would find the live run of this machine.
    """
    if rehearsed(state):
        return _REHEARSING if driven else _REHEARSED
    return next_command(state, driven=driven)
