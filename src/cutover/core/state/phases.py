"""The phases of a run, the reasons to hold, and the table of legal moves between phases.

Two rules of this file: everything that says which phase may follow which is in `TRANSITIONS`, and
nothing here knows how a decision is made. `docs/state-machine.md` is generated from these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a run is."""

    PREFLIGHT = "PREFLIGHT"
    ATTACHING = "ATTACHING"
    SHIFTING = "SHIFTING"
    SETTLING = "SETTLING"
    BAKING = "BAKING"
    HOLDING = "HOLDING"
    ROLLING_BACK = "ROLLING_BACK"
    COMPLETED = "COMPLETED"
    NEEDS_HUMAN = "NEEDS_HUMAN"
    FINISHED = "FINISHED"
    ROLLED_BACK = "ROLLED_BACK"
    REFUSED = "REFUSED"
    ABANDONED = "ABANDONED"


ACTIVE = frozenset(
    {
        Phase.PREFLIGHT,
        Phase.ATTACHING,
        Phase.SHIFTING,
        Phase.SETTLING,
        Phase.BAKING,
        Phase.HOLDING,
        Phase.ROLLING_BACK,
    }
)
RESTING = frozenset({Phase.COMPLETED, Phase.NEEDS_HUMAN})
"""The process has ended, the routes are still claimed; only `rollback` and `finish` act."""

TERMINAL = frozenset({Phase.FINISHED, Phase.ROLLED_BACK, Phase.REFUSED, Phase.ABANDONED})

_P = Phase
TRANSITIONS: dict[Phase, dict[Phase, str]] = {
    _P.PREFLIGHT: {
        _P.ATTACHING: "no check blocks, two equal reads of every route",
        _P.REFUSED: "a check blocks, the routes are unreadable, or the process ended: nothing was written",
    },
    _P.ATTACHING: {
        _P.SHIFTING: "destination attached at weight 0 and healthy, nothing forbids a raise",
        _P.HOLDING: "destination not healthy in time, approval, window, drift, pause, a fault",
        _P.ROLLING_BACK: "rollback said, or the attach reached only some routes",
        _P.REFUSED: "AWS denied the very first write: nothing was changed",
    },
    _P.SHIFTING: {
        _P.SHIFTING: "resumed after a crash, and a read shows that the next step had been written",
        _P.SETTLING: "every route of the step is committed",
        _P.HOLDING: "no route was written by the deadline, a gap before the write, drift, pause, a fault",
        _P.ROLLING_BACK: "only some routes were confirmed by the deadline, breach, or rollback said",
    },
    _P.SETTLING: {
        _P.BAKING: "the observed share is inside its band, or skipped and said so",
        _P.HOLDING: "the share did not follow in time, drift, pause, a fault",
        _P.ROLLING_BACK: "breach, blind for too long, or rollback said",
    },
    _P.BAKING: {
        _P.SHIFTING: "bake over, every gate passes, nothing forbids the next raise",
        _P.COMPLETED: "last bake over, every gate passes, routes read back; after a hand-over: no gate objects",
        _P.HOLDING: "approval, window, missing or bad evidence, drift, pause, a fault",
        _P.ROLLING_BACK: "breach, blind for too long, or rollback said",
    },
    _P.HOLDING: {
        _P.HOLDING: "another reason, a crash adopted, or the deadline passed and people are paged again",
        _P.ATTACHING: "resumed before the first step",
        _P.SHIFTING: "resumed with a route away from this step's weight",
        _P.SETTLING: "resumed, or the evidence came back: always a fresh bake",
        _P.BAKING: "approved, or the window ended: the evidence went on meanwhile",
        _P.ROLLING_BACK: "breach, deadline, blind for too long, only some routes raised, or rollback said",
        _P.NEEDS_HUMAN: "breach with no healthy source to go back to",
        _P.ABANDONED: "finish --leave-as-is",
    },
    _P.ROLLING_BACK: {
        _P.ROLLED_BACK: "every route restored, read back twice, and again after observe.confirm",
        _P.NEEDS_HUMAN: "a route cannot be restored by cutover; the others are",
    },
    _P.COMPLETED: {
        _P.ROLLING_BACK: "rollback said",
        _P.FINISHED: "finish said, no drift",
    },
    _P.NEEDS_HUMAN: {
        _P.ROLLING_BACK: "rollback said",
        _P.ROLLED_BACK: "rollback --confirm-restored, and a read agrees",
        _P.ABANDONED: "finish --leave-as-is",
    },
    _P.FINISHED: {},
    _P.ROLLED_BACK: {},
    _P.REFUSED: {},
    _P.ABANDONED: {},
}
for _phase in (_P.SHIFTING, _P.SETTLING, _P.BAKING):
    TRANSITIONS[_phase][_P.NEEDS_HUMAN] = "breach with no healthy source to go back to"


class Hold(StrEnum):
    """Why a run holds."""

    APPROVAL = "approval"
    WINDOW = "window"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"
    DRIFT = "drift"
    GATE = "gate"
    SHARED = "shared"
    NO_CONTROL = "no_control"
    NO_DATA = "no_data"
    EVIDENCE = "evidence"
    SHARE = "share"
    UNHEALTHY = "unhealthy"
    RESERVE = "reserve"
    CREDENTIALS = "credentials"
    NOT_WRITTEN = "not_written"
    UNREADABLE = "unreadable"
    JOURNAL = "journal"
    LEASE = "lease"


@dataclass(frozen=True)
class HoldRule:
    """How a hold ends.

    `clears`: it ends by itself when its cause is gone. `afresh`: it then bakes afresh (evidence was
    missing); else the evidence went on meanwhile. `rolls_back`: at its deadline it may roll back; the
    others page again (holds for missing or bad evidence only). `asks`: a person must
    decide, and soon: its deadline is `safety.ask_timeout`, that of the others `safety.hold_timeout`.
    """

    clears: bool
    afresh: bool
    rolls_back: bool
    asks: bool = False


HOLDS: dict[Hold, HoldRule] = {
    Hold.APPROVAL: HoldRule(clears=True, afresh=False, rolls_back=False),
    Hold.WINDOW: HoldRule(clears=True, afresh=False, rolls_back=False),
    Hold.PAUSED: HoldRule(clears=False, afresh=True, rolls_back=False),
    Hold.INTERRUPTED: HoldRule(clears=False, afresh=True, rolls_back=False),
    Hold.CRASHED: HoldRule(clears=False, afresh=True, rolls_back=False),
    Hold.DRIFT: HoldRule(clears=False, afresh=True, rolls_back=False),
    Hold.GATE: HoldRule(clears=False, afresh=True, rolls_back=True),
    Hold.SHARED: HoldRule(clears=True, afresh=True, rolls_back=True),
    Hold.NO_CONTROL: HoldRule(clears=True, afresh=True, rolls_back=True, asks=True),
    Hold.NO_DATA: HoldRule(clears=True, afresh=True, rolls_back=True),
    Hold.EVIDENCE: HoldRule(clears=True, afresh=False, rolls_back=True),
    Hold.SHARE: HoldRule(clears=True, afresh=True, rolls_back=True),
    Hold.UNHEALTHY: HoldRule(clears=True, afresh=True, rolls_back=True),
    Hold.RESERVE: HoldRule(clears=True, afresh=False, rolls_back=False),
    Hold.CREDENTIALS: HoldRule(clears=False, afresh=True, rolls_back=False),
    Hold.NOT_WRITTEN: HoldRule(clears=False, afresh=True, rolls_back=False),
    Hold.UNREADABLE: HoldRule(clears=False, afresh=True, rolls_back=False),
    Hold.JOURNAL: HoldRule(clears=False, afresh=True, rolls_back=False),
    Hold.LEASE: HoldRule(clears=False, afresh=True, rolls_back=False),
}
