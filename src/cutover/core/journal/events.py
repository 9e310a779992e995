"""What the journal may say: one frozen dataclass per record type, and the table of them.

Every value is a string, an integer, a boolean, or a list or mapping of those: never a float, never
None for a number. The envelope (`v seq run epoch type at boot_ms boot_id prev hash`) belongs to the
journal; the body is what stands here. Adding a type or a field raises `VERSION` and adds a
function to `codec.UPCASTS`; old records are never rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cutover.core.moment import Moment
from cutover.core.observation import Absent, Count, Minute


@dataclass(frozen=True)
class RunOpen:
    """The first record: what this run is, pinned."""

    type: ClassVar[str] = "run_open"
    plan_name: str
    plan_hash: str
    account: str
    region: str
    mode: str  # live, emulated (loopback endpoint) or rehearsal
    tool: str
    routes: tuple[str, ...]


@dataclass(frozen=True)
class LeaseTaken:
    """A process became the runner."""

    type: ClassVar[str] = "lease"
    actor: str
    host: str
    pid: int
    first_command: str = ""
    exit_on_hold: int = 0


@dataclass(frozen=True)
class CheckFound:
    """A preflight finding."""

    type: ClassVar[str] = "check"
    id: str
    severity: str
    seen: str
    why: str
    fix: str


@dataclass(frozen=True)
class Snapshot:
    """The configs found at the start, and what going back needs."""

    type: ClassVar[str] = "snapshot"
    configs: Mapping[str, Mapping[str, Any]]  # route -> config_body()
    stickiness_strategies: Mapping[str, str]
    source_healthy: Mapping[str, int]  # source group ARN -> healthy targets
    calibration: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class PhaseChanged:
    """The run moved from one phase to another."""

    type: ClassVar[str] = "phase"
    before: str
    after: str
    reason: str  # a code of docs/reasons.md
    facts: Mapping[str, Any]
    why: str  # the reason as a sentence
    step: int  # index in plan.steps; -1 before the first
    hold: str = ""  # a HoldReason when after is HOLDING
    deadline: str = ""  # wall text, "" for none
    cause: str = (
        ""  # why a rollback began: breach, command, deadline, no_data, partial, drift, interrupt
    )
    from_ms: int = 0  # SETTLING: evidence may count from this minute on (AWS's clock)


@dataclass(frozen=True)
class Intent:
    """A write is about to be sent for one route."""

    type: ClassVar[str] = "intent"
    route: str
    kind: str  # move or restore
    step: int
    attempt: int
    pre: str  # hash of the config just read, "" for a restore without a read
    post: Mapping[str, Any]  # config_body()
    weight: int
    reason: str  # a code of docs/reasons.md
    why: str  # the reason as a sentence


@dataclass(frozen=True)
class Outcome:
    """What became of a write: applied, not_applied, ambiguous or cancelled."""

    type: ClassVar[str] = "outcome"
    route: str
    attempt: int
    result: str
    code: str = ""
    message: str = ""
    request_id: str = ""
    denied: int = 0


@dataclass(frozen=True)
class Verified:
    """Two equal reads at least 2 s apart: the config is committed."""

    type: ClassVar[str] = "verified"
    route: str
    config: str  # hash
    weight: int
    first_ms: int
    second_ms: int


@dataclass(frozen=True)
class WeightObserved:
    """The data plane follows the weight: the bake may begin."""

    type: ClassVar[str] = "weight_observed"
    step: int
    from_ms: int  # evidence counts from this minute on
    shares: Mapping[str, int]  # comparison -> observed per mille; -1 where it was skipped
    reason: str
    facts: Mapping[str, Any]
    why: str


@dataclass(frozen=True)
class GateJudged:
    """A gate's verdict changed."""

    type: ClassVar[str] = "gate"
    gate: str
    comparison: str
    verdict: str
    reason: str  # the gate's code, see docs/reasons.md
    why: str
    minute_ms: int  # newest minute judged, 0 for none
    facts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MinuteSettled:
    """A settled minute of one comparison, journalled once."""

    type: ClassVar[str] = "minute"
    comparison: str
    at_ms: int
    counts: Mapping[str, int | str]


@dataclass(frozen=True)
class MinuteCorrected:
    """A settled minute that CloudWatch later answered differently."""

    type: ClassVar[str] = "corrected"
    comparison: str
    at_ms: int
    counts: Mapping[str, int | str]


@dataclass(frozen=True)
class Observed:
    """Something seen that later decisions rest on: `what` names it, `facts` are its values."""

    type: ClassVar[str] = "observed"
    what: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class CommandGiven:
    """An operator's command or a signal."""

    type: ClassVar[str] = "command"
    command: str
    who: str
    why: str = ""
    source: str = ""
    signal: int = 0
    detail: str = ""
    id: str = ""  # the command's own; empty for keys, signals and kill switches


@dataclass(frozen=True)
class Gap:
    """Time or sight was lost: evidence for the destination starts afresh."""

    type: ClassVar[str] = "gap"
    reason: str
    why: str
    ms: int
    from_ms: int = 0  # evidence may count from this minute on (AWS's clock)


@dataclass(frozen=True)
class Drift:
    """A live config that is neither intended nor prior."""

    type: ClassVar[str] = "drift"
    route: str
    expected: str
    seen: Mapping[str, Any]  # config_body()


@dataclass(frozen=True)
class Note:
    """Something worth remembering that changes nothing."""

    type: ClassVar[str] = "note"
    reason: str
    facts: Mapping[str, Any]
    text: str


@dataclass(frozen=True)
class Close:
    """The process ends."""

    type: ClassVar[str] = "close"
    exit_code: int
    phase: str
    reason: str
    facts: Mapping[str, Any]
    why: str


Event = (
    RunOpen | LeaseTaken | CheckFound | Snapshot | PhaseChanged | Intent | Outcome | Verified | WeightObserved | GateJudged
    | MinuteSettled | MinuteCorrected | Observed | CommandGiven | Gap | Drift | Note | Close
)  # fmt: skip

TYPES: dict[str, type[Event]] = {
    cls.type: cls
    for cls in (
        RunOpen, LeaseTaken, CheckFound, Snapshot, PhaseChanged, Intent, Outcome, Verified, WeightObserved, GateJudged,
        MinuteSettled, MinuteCorrected, Observed, CommandGiven, Gap, Drift, Note, Close,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One line of the journal: the envelope that the journal owns, and the event."""

    seq: int
    epoch: int
    at: Moment
    event: Event


def counts_body(minute: Minute) -> dict[str, int | str]:
    """A minute's counts as the journal writes them: numbers, `-` for no datapoint, `?` for unknown."""
    return {k: v if isinstance(v, int) else v.value for k, v in sorted(minute.counts.items())}


_ABSENT: Mapping[int | str, Absent] = {one.value: one for one in Absent}


def minute_of(event: MinuteSettled | MinuteCorrected) -> Minute:
    """The minute that a record holds.

    Raises:
        ValueError: for a count that is neither a number nor one of the two marks.
    """
    counts: dict[str, Count] = {
        k: v if isinstance(v, int) else _ABSENT.get(v) or Absent(v)
        for k, v in event.counts.items()
    }
    return Minute(event.comparison, event.at_ms, counts)
