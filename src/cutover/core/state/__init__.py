"""The value folded from the journal: `evolve` one record, `replay` all of them, `replay_without_evidence` to go back.

State is never stored and never changed in place; anything a later decision rests on is in a record.
"""

from cutover.core.state.evidence import NO_STEP, Evidence
from cutover.core.state.fold import evolve, replay
from cutover.core.state.model import Held, ObservedConfig, RouteState, RunState, Sent, Verdicts
from cutover.core.state.phases import (
    ACTIVE,
    HOLDS,
    RESTING,
    TERMINAL,
    TRANSITIONS,
    Hold,
    HoldRule,
    Phase,
)
from cutover.core.state.transitions import incident_began
from cutover.core.state.without_evidence import replay_without_evidence, without_superseded

__all__ = [
    "ACTIVE",
    "HOLDS",
    "NO_STEP",
    "RESTING",
    "TERMINAL",
    "TRANSITIONS",
    "Evidence",
    "Held",
    "Hold",
    "HoldRule",
    "ObservedConfig",
    "Phase",
    "RouteState",
    "RunState",
    "Sent",
    "Verdicts",
    "evolve",
    "incident_began",
    "replay",
    "replay_without_evidence",
    "without_superseded",
]
