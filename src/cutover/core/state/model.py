"""The shape of a run's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cutover.core.moment import Moment
from cutover.core.reasons import Reason
from cutover.core.routing import RouteConfig
from cutover.core.state.evidence import NO_STEP, Evidence
from cutover.core.state.phases import Hold, Phase
from cutover.core.values import RouteId

NEVER_LEFT = frozenset({"not_sent", "not_connected"})
"""`Outcome.code` of a write that was not permitted at the wire, or had no connection."""

MISMATCH = "ResponseMismatch"
"""`Outcome.code` of a write that AWS accepted and answered with other weights than were sent."""


@dataclass(frozen=True)
class ObservedConfig:
    """The form a route was last seen with, and since when it has been so at every read."""

    config: RouteConfig
    since: Moment


@dataclass(frozen=True)
class Sent:
    """The newest write of a route: its intent, and the outcome when there is one.

    `novel`: no form of this run was known before that has this text.
    `changes`: no read had found this text there before; a write that is novel and changes something is shown by a
    read that finds it.
    `shown`: a read showed it.
    """

    kind: str  # move or restore
    step: int
    attempt: int
    pre: str
    post: RouteConfig
    weight: int
    at: Moment
    result: str = (
        ""  # "" while there is none, applied, not_applied, ambiguous, cancelled, impossible
    )
    code: str = ""
    message: str = ""
    denied: bool = False
    epoch: int = 0
    novel: bool = False
    changes: bool = True
    shown: bool = False

    @property
    def answered(self) -> bool:
        """AWS took it and said so, if not in the commands that were expected: a read that comes after shows what became of it."""
        return self.result == "applied" or self.code == MISMATCH

    @property
    def never_left(self) -> bool:
        """It did not leave this machine, so AWS has not counted it."""
        return self.refused and self.code in NEVER_LEFT

    @property
    def refused(self) -> bool:
        """It definitely did not reach the route."""
        return self.result in ("not_applied", "cancelled")


@dataclass(frozen=True)
class Doubt:
    """A write that may have reached a route, or may still, though no read has shown it.

    Attributes:
        since: when its intent was journalled.
        weight: the highest weight (per mille) that may be there.
    """

    since: Moment
    weight: int


@dataclass(frozen=True)
class RouteState:
    """One route.

    Attributes:
        snapshot: the config found at the start.
        stickiness strategy: how a rollback recalls sticky clients.
        committed: the config last verified (the snapshot until the first write).
        sent: the newest write.
        doubt: of an older write than `sent`; see `in_doubt`.
        seen: the live config at the last readable look.
        unreadable_since: when looks began to fail, None while they succeed.
        gone_since: when AWS first said that the route does not exist, None while it does.
        written: hashes of every config we wrote or found.
        restored: verified as restored during a rollback.
        impossible: cutover cannot restore it; a person must.
        overwritten: how often somebody else undid an applied restore.
        accepted: a person accepted somebody else's change of this route, so going back keeps it.
        strange: the newest read, of whichever process, found a config that this run neither wrote nor found.
    """

    snapshot: RouteConfig | None = None
    stickiness_strategy: str = "keep"
    committed: RouteConfig | None = None
    sent: Sent | None = None
    doubt: Doubt | None = None
    seen: ObservedConfig | None = None
    unreadable_since: Moment | None = None
    gone_since: Moment | None = None
    written: frozenset[str] = frozenset()
    restored: Moment | None = None
    impossible: bool = False
    overwritten: int = 0
    accepted: bool = False
    strange: bool = False

    @property
    def in_doubt(self) -> Doubt | None:
        """Writes of ours that may have reached the route and that no read has shown; None: reads can be believed.

        A read that is older than such a write looks like one that says that nothing happened. A write is
        shown once a read that began after its answer finds it; or, without an answer, once a read finds what
        only that write can have put there. An answered write also settles every older one.
        """
        sent, older = self.sent, self.doubt
        if sent is None or sent.refused:
            return older
        if sent.shown:
            return None
        if older is None or sent.answered:
            return Doubt(sent.at, sent.weight)
        return Doubt(older.since, max(older.weight, sent.weight))


@dataclass(frozen=True)
class Held:
    """Why and until when a run holds.

    `began`: of an incident that another hold was for before, None when it began with this one. A hold that asks a
    person and one for a shared incident take turns as the source's traffic comes and goes: that must not move the
    deadline for ever.
    """

    reason: Hold
    because: Reason
    since: Moment
    deadline_ms: int  # wall ms; 0 for none
    began: Moment | None = None


@dataclass(frozen=True)
class Verdicts:
    """A gate's newest journalled verdict on a comparison, and since when it says so."""

    verdict: str
    reason: str
    why: str
    since: Moment


@dataclass(frozen=True)
class RunState:
    """Everything the journal says about one run.

    Attributes:
        step: index of the step whose weight is committed, -1 before the first.
        target: index of the step being shifted to (equals `step` when none is).
        proven: index of the last step that passed all its gates.
        raising: SHIFTING rests on evidence that just passed; without it routes are only lowered or verified.
        weights: (wall ms, per mille) of every committed weight, oldest first.
        evidence_from_ms: evidence for this step counts from this minute on; NO_STEP while none does.
        journalled_ms: by comparison: start of the newest journalled minute.
        alarming: (gate, comparison, minute) of unsettled minutes seen bad once, and when.
        asked, approved: steps that the run held for, and those that a person then approved.
        driven_since: when the process that drives it now became the runner.
        rollback_at, rollback_epoch, rollback_cause, escalated_at: of the rollback, if one began.
        refused_interrupts: signals refused since the rollback began.
        pause_asked: pause was said during PREFLIGHT, which can not hold.
        finishing, finishing_at: `keep` or `detach_source` once finish was said to this process, and when.
        turned: when the phase or its attempt began.
    """

    phase: Phase = Phase.PREFLIGHT
    plan_hash: str = ""
    mode: str = ""
    account: str = ""
    region: str = ""
    tool: str = ""
    plan_name: str = ""
    opened: Moment | None = None
    epoch: int = 0
    actor: str = ""
    host: str = ""
    pid: int = 0
    exit_on_hold: bool = False
    seq: int = 0
    last: Moment | None = None
    turned: Moment | None = None
    step: int = -1
    target: int = -1
    proven: int = -1
    raising: bool = False
    reason: Reason | None = None
    held: Held | None = None
    routes: Mapping[RouteId, RouteState] = field(default_factory=dict)
    source_healthy: Mapping[str, int] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    verdicts: Mapping[tuple[str, str], Verdicts] = field(default_factory=dict)
    weights: tuple[tuple[int, int], ...] = ()
    evidence_from_ms: int = NO_STEP
    shares: Mapping[str, int] = field(default_factory=dict)
    share_reason: Reason | None = None
    journalled_ms: Mapping[str, int] = field(default_factory=dict)
    alarming: Mapping[tuple[str, str, int], Moment] = field(default_factory=dict)
    asked: frozenset[int] = frozenset()
    approved: frozenset[int] = frozenset()
    driven_since: Moment | None = None
    rollback_at: Moment | None = None
    rollback_epoch: int = 0
    rollback_cause: str = ""
    escalated_at: Moment | None = None
    refused_interrupts: int = 0
    pause_asked: bool = False
    finishing: str = ""
    finishing_at: Moment | None = None
    closed: bool = False
    exit_code: int = -1
    blocked: tuple[str, ...] = ()
    observed: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def weight_in(self, at_ms: int, period_ms: int) -> int:
        """The highest weight (per mille) committed at any time in the minute that began then.

        The minute of a raise carries the destination's real counts, so it belongs to the new weight (docs/judge.md).
        """
        highest = 0
        for since, weight in reversed(self.weights):
            if since < at_ms + period_ms:
                highest = max(highest, weight)
            if since <= at_ms:
                break
        return highest

    @property
    def weight(self) -> int:
        """The committed weight in per mille, 0 before the first step."""
        return self.weights[-1][1] if self.weights else 0

    @property
    def first_raise_ms(self) -> int | None:
        """When the first weight above 0 was committed (wall ms)."""
        return next((at for at, weight in self.weights if weight > 0), None)
