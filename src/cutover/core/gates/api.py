"""What every gate shares: verdicts, the judgement it returns, and what it may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from cutover.core.moment import Moment
from cutover.core.observation import AlarmState, Comparison, GroupHealth, Minute, Reading, Series


class Verdict(IntEnum):
    """Closed and ordered, worst wins."""

    PASS = 0
    WAITING = 1  # evidence is building: too few requests or minutes yet
    UNKNOWN = 2  # no data, late, partial, denied
    SHARED = 3  # the source is bad too
    BREACH = 4


@dataclass(frozen=True)
class Counts:
    """Bad requests out of all of them, the only thing statistics ever see.

    Both may be fractions: CloudWatch interpolates the count of requests slower than a limit (`TC`), and requests that
    found no target are at most what the weight should have brought. `lost` are those: bad ones that the load balancer
    answered itself and counts for no target group. Only sentences ask for them.
    """

    total: float
    bad: float
    lost: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(self.total + other.total, self.bad + other.bad, self.lost + other.lost)


@dataclass(frozen=True)
class Signal:
    """One stream of counts that a sequential judge weighs: what it has seen against the destination so far.

    Attributes:
        name: `errors`, `latency.versus_source`, `latency.max`; `latency.p99.max` for another percentile.
        evidence: the mixture likelihood ratio M of docs/judge.md; 1 is none.
        needed: M at which it is a breach, `1 / (alpha x share)`.
        counts: the destination's in the minutes that speak loudest.
        allowed_ppm: what a healthy destination may show in them, given the source.
        minutes: how many those are.
        bound_ppm: 95 % upper bound of the destination's rate in this step; PPM without requests.
    """

    name: str
    evidence: float
    needed: float
    counts: Counts
    allowed_ppm: int
    minutes: int
    bound_ppm: int


SOURCE_SURELY_BAD = "source_surely_bad"
"""A fact of a SHARED judgement: 0 when the source may look bad by noise alone."""


class Rule(StrEnum):
    """Which rule of the sequential judge spoke."""

    EVIDENCE = "evidence"
    BUDGET = "budget"
    SHARED = "shared"
    SILENT = "silent"
    UNREAD = "unread"
    NOTHING = "nothing"
    WATCHING = "watching"
    FEW = "few"
    BOUND = "bound"
    TOO_MANY = "too_many"
    PATIENCE = "patience"
    PASSES = "passes"


@dataclass(frozen=True)
class SequentialReason:
    """Why a sequential judge says what it says; `core.messages` makes the sentence of it.

    Attributes:
        rule: the rule that spoke.
        what: the bad ones: "failed", "were slower than 800 ms".
        signal: the numbers of the signal it spoke about.
        odds: a healthy destination would ever show this in fewer than 1 of so many cutovers; 0: not said.
        source: the source's counts in the same minutes; for `too_many` only those that clear the destination.
        destination: the destination's in the minute of a bad source, where it had requests.
        limit_ppm: the rate to exclude, or the budget.
        count: minutes of silence, or requests that the plan asks for, as the rule has it.
        due: requests that the weight should have brought in those minutes.
        said: a clause that the rule brings along.
        early: some of the minutes are still being published.
        left_out: minutes of incidents that nobody could compare with the source, and that are over.
    """

    rule: Rule
    what: str
    signal: Signal
    odds: float = 0.0
    source: Counts = Counts(0, 0)
    destination: Counts = Counts(0, 0)
    limit_ppm: int = 0
    count: int = 0
    due: int = 0
    said: str = ""
    early: bool = False
    left_out: int = 0


@dataclass(frozen=True)
class Judgement:
    """A verdict, why in one clause a person can read, and the numbers behind it (integers).

    `on_breach` is set when the gate knows better than its spec what this breach should lead to, else
    empty: the plan's word counts. `hold`: a lost zone harms nobody yet. `escalate`: the destination is bad, and there
    is too little traffic at the source to tell whether it suffers the same: a person is asked, with a deadline.
    `suspects`: the newest minute speaks against the destination, though it is no breach yet; where a sequential judge
    says so by the evidence of its signals it stays False.
    `signals` are those of a sequential judge, in the order of the gate's limits; empty for other gates. Its `why` is
    empty until `core.messages` has made a sentence of `reason`. `began_ms`: start of the first minute of what a SHARED or
    BREACH is about, by the minute's own time; 0 where no minutes are. `code` is public (docs/reasons.md): one short word
    for each sentence that the gate has.
    """

    verdict: Verdict
    why: str
    facts: Mapping[str, int] = field(default_factory=dict)
    on_breach: str = ""
    signals: tuple[Signal, ...] = ()
    reason: SequentialReason | None = None
    began_ms: int = 0
    code: str = ""

    @property
    def perhaps_shared(self) -> bool:
        """SHARED, but few requests may make the source look bad by chance: no raise, and nothing more."""
        return self.verdict is Verdict.SHARED and not self.facts.get(SOURCE_SURELY_BAD, 1)

    suspects: bool = False


@dataclass(frozen=True)
class Early:
    """What minutes say that are still being published: evidence against the destination only.

    Attributes:
        at_ms: the newest of those minutes.
        twice: it counts only when the same minute was read so twice.
    """

    judgement: Judgement
    at_ms: int
    twice: bool


@dataclass(frozen=True)
class GateContext:
    """What is true now, besides minutes: for the gates that judge live facts.

    Attributes:
        weight: the committed weight, per mille.
        next_weight: the weight that would follow, None after the last step.
        step_began_ms: the evidence window of this step starts at this minute (ms since epoch).
        now: this turn's moment.
        period_ms: `observe.period`.
        health: by target group ARN, as read this turn.
        alarms: as read this turn.
        calibration: what preflight measured for this comparison, `{"p95": 170, ...}` in ms; see the latency gate.
        steps: how many the plan has.
        horizon: minutes over which a defect may begin at any time: twice the planned ones (docs/judge.md).
        bake_ms: of the step being judged.
        alpha_scale: the part of each signal's share of alpha that is this comparison's; see `Plan.alpha_scale`.
    """

    weight: int
    next_weight: int | None
    step_began_ms: int
    now: Moment
    period_ms: int
    health: Mapping[str, Reading[GroupHealth]] = field(default_factory=dict)
    alarms: Reading[Mapping[str, AlarmState]] | None = None
    calibration: Mapping[str, int] = field(default_factory=dict)
    steps: int = 1
    horizon: int = 120
    bake_ms: int = 0
    alpha_scale: float = 1.0


S = TypeVar("S", bound=BaseModel)


class Hooks:
    """What preflight, the runner, backtest and the emulator ask a gate; a gate that has nothing to say inherits the answer."""

    def alarms(self, spec: Any) -> tuple[str, ...]:
        """CloudWatch alarms to read at every look, by name."""
        return ()

    def percentiles(self, spec: Any) -> tuple[str, ...]:
        """Percentiles of the source's latency that preflight measures, `p95`."""
        return ()

    def no_past(self, spec: Any) -> str:
        """Facts of which nobody keeps the past, so that no backtest can judge it; empty for none."""
        return ""

    def no_column(self, spec: Any) -> str:
        """What a table of minutes cannot hold of it; empty when it can."""
        return self.no_past(spec) or "column for it"


class Gate(Protocol, Generic[S]):
    """One file of this package: a module-level object with these pure functions, and `Hooks` where it has more to say.

    A memory is a frozen dataclass (or tuple) made only by `start`, `fold` and `restart`, so that it is
    the same whether folded live or from the journal.
    """

    Spec: type[S]

    def needs(
        self, spec: S, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """The series that a minute must carry for this gate; empty for gates on live facts."""

    def start(self, spec: S) -> Any:
        """The memory before any minute."""

    def restart(self, memory: Any) -> Any:
        """Evidence *for* the destination is discarded; evidence *against* it stays."""

    def fold(self, spec: S, memory: Any, minute: Minute, context: GateContext) -> Any:
        """The memory after one settled minute.

        `scene.weight` is the weight committed when the minute began; `scene.step_began_ms` is 0
        for minutes before the first raise (they are the baseline), and a minute older than
        `step_began_ms` of a later step belongs to no step (it straddles a shift): it may count against
        the destination, never for it.
        """

    def verdict(
        self, spec: S, memory: Any, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """What the evidence says now."""

    def early(
        self, spec: S, memory: Any, minutes: Sequence[Minute], context: GateContext
    ) -> Early | None:
        """What *unsettled* minutes of this step, oldest first, already say against the destination.

        The threshold judge: partial data only under-count, so at least 20 bad requests and twice the allowed
        rate are evidence. The sequential judge weighs minutes that look published whole
        (docs/judge.md). None for gates without such a rule.
        """

    def learned(self, spec: S, memory: Any) -> Mapping[str, int]:
        """What the minutes before the first raise taught: `cv.errors`, `unanswered_ppm` (ppm); may be empty."""

    def alpha(self, spec: S) -> float:
        """The share of alpha that its signals take (docs/judge.md's table); 0 without a sequential judge."""

    def alarms(self, spec: S) -> tuple[str, ...]:
        """See `Hooks`."""

    def percentiles(self, spec: S) -> tuple[str, ...]:
        """See `Hooks`."""

    def no_past(self, spec: S) -> str:
        """See `Hooks`."""

    def no_column(self, spec: S) -> str:
        """See `Hooks`."""


class WithoutCounts(Hooks):
    """What a gate answers that counts nothing, and so has no judge."""

    def early(
        self, spec: Any, memory: Any, minutes: Sequence[Minute], context: GateContext
    ) -> None:
        """Minutes that are still being published say nothing."""

    def learned(self, spec: Any, memory: Any) -> Mapping[str, int]:
        """Nothing."""
        return {}

    def alpha(self, spec: Any) -> float:
        """It does not use alpha."""
        return 0.0
