"""The simple judge: is a stream of (requests, bad requests) above the rate it is allowed?

It sees nothing but `Counts`, so that a sequential judge can take its place behind the same `START`,
`restart`, `fold` and `verdict`.

The rules. `n` requests, `x` bad, `a` the rate allowed in that minute. A healthy destination's minute has
`x` around `n a` at most, with a spread of `sqrt(n a + (CV n a)^2)`: Poisson noise, and error rates that
themselves vary from minute to minute (measured CV 35 to 70 %; judges that forget this roll back healthy
cutovers).

- A minute is *bad* when `x >= 3` and `x` is more than 2 spreads above `n a` (or half-way to everything).
- BREACH, `minutes`: 2 of the last 3 judged minutes are bad. One short burst alone never is.
- BREACH, `outage`: one minute with `x >= 20` and at least 25 % and 10 times `a`: nothing healthy does that.
- BREACH, `sum`: the last 5, 10, 30 or 60 judged minutes together (all, while there are fewer) are 4 spreads above what they were allowed,
  with at least 4 bad requests in at least 3 minutes, each minute clipped to 3 of its own spreads. This finds small
  defects and low traffic, and a burst cannot do it alone.
- BREACH, `budget`: of the whole run's requests more than the budget were bad, at least 20, and by more than chance.
- PASS: in this step at least `min_requests`, their 95 % upper bound `(x + 2 sqrt(x) + 3) / n` (the rule of three when
  x = 0) is at most the limit, their rate (bursts clipped) is not surely above the allowed one, and the newest minute is not bad.
- Otherwise WAITING.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from math import sqrt

from cutover.core.gates.api import Counts, Verdict
from cutover.core.gates.rates import NO_REQUESTS, surely_above, upper_bound_ppm
from cutover.core.values import PPM

CV = 0.5
"""How much a healthy group's bad rate varies from minute to minute, relative to itself."""

BAD_SPREADS = 2.0
CLIP_SPREADS = 3.0
SUM_SPREADS = 4.0
BAD_MINUTES, OF_MINUTES = 2, 3
SUM_WINDOWS = (5, 10, 30, 60)
SUM_MINUTES = 3
OUTAGE_REQUESTS, OUTAGE_SHARE, OUTAGE_TIMES = 20, 0.25, 10
BUDGET_REQUESTS = 20


@dataclass(frozen=True)
class ThresholdReading:
    """One settled minute put before the judge.

    Attributes:
        counts: the destination's requests and the bad ones among them; never zero requests.
        allowed_ppm: the rate allowed in this minute.
        step: the step that the minute may prove something for (its `step_began_ms`), or None when it may
            only count against the destination.
        only_outage: the minute is known to be unusual (a cold start): only an outage counts.
        charged: the bad ones count against the run's budget; not while the source is bad itself.
    """

    counts: Counts
    allowed_ppm: int
    step: int | None
    only_outage: bool = False
    charged: bool = True

    @cached_property
    def mean(self) -> float:
        """Bad requests allowed."""
        return self.counts.total * self.allowed_ppm / PPM

    @cached_property
    def clipped(self) -> tuple[float, float]:
        """(bad requests, at most 3 spreads above the allowed ones and at least 2 if there are; the variance)."""
        wide = spread(self.counts.total, self.allowed_ppm)
        return min(self.counts.bad, max(2.0, self.mean + CLIP_SPREADS * wide)), wide * wide

    @cached_property
    def is_over(self) -> bool:
        """More bad requests than allowed on average, be it by chance."""
        return self.counts.bad > self.mean

    @cached_property
    def is_bad(self) -> bool:
        """See `is_bad`."""
        return is_bad(self.counts, self.allowed_ppm)

    @cached_property
    def is_outage(self) -> bool:
        """See `is_outage`."""
        return is_outage(self.counts, self.allowed_ppm)


@dataclass(frozen=True)
class Tally:
    """Requests, bad ones, and the bad ones that were allowed (in millionths of a request).

    `steady` are the bad ones with each minute clipped, so that one burst does not speak for the whole.
    """

    counts: Counts = NO_REQUESTS
    allowance: int = 0
    steady: int = 0

    def plus(self, look: ThresholdReading) -> Tally:
        """With one more minute."""
        return Tally(
            self.counts + look.counts,
            self.allowance + round(look.counts.total * look.allowed_ppm),
            self.steady + int(look.clipped[0]),
        )

    @property
    def allowed_ppm(self) -> int:
        """The rate that was allowed on average; 0 without requests."""
        return int(self.allowance // self.counts.total) if self.counts.total else 0


NO_TALLY = Tally()


class Because(StrEnum):
    """Which rule spoke."""

    OUTAGE = "outage"
    MINUTES = "minutes"
    SUM = "sum"
    BUDGET = "budget"
    FEW = "few"
    UNSURE = "unsure"
    WATCHING = "watching"
    PROVEN = "proven"


@dataclass(frozen=True)
class Breach:
    """What the last minutes say against the destination."""

    because: Because
    tally: Tally
    minutes: int


@dataclass(frozen=True)
class Memory:
    """What the judge keeps. `recent` and `run` are evidence against, `proof` is evidence for `step`."""

    recent: tuple[ThresholdReading, ...] = ()
    run: Counts = NO_REQUESTS
    step: int = 0
    proof: Tally = NO_TALLY
    breach: Breach | None = None


START = Memory()


@dataclass(frozen=True)
class Question:
    """What the gate wants to know.

    Attributes:
        step: `step_began_ms` of the step being judged.
        min_requests: PASS needs as many in this step.
        limit_ppm: PASS must exclude this rate, or the allowed one if that is higher; None: twice the allowed rate.
        budget_ppm: of the whole run.
    """

    step: int
    min_requests: int
    limit_ppm: int | None
    budget_ppm: int | None = None


@dataclass(frozen=True)
class Exceedance:
    """The judge's answer: which rule spoke, and the counts, minutes and rate it spoke about.

    Attributes:
        rate_ppm: what the counts are held against: the allowed rate, the budget, or for PASS and UNSURE the limit.
        bound_ppm: the 95 % upper bound of the destination's rate in this step; PPM without requests.
    """

    verdict: Verdict
    because: Because
    counts: Counts
    minutes: int
    rate_ppm: int
    bound_ppm: int


def spread(total: float, allowed_ppm: int) -> float:
    """One standard deviation of a healthy minute's bad requests."""
    mean = total * allowed_ppm / PPM
    return sqrt(mean + (CV * mean) ** 2)


def is_bad(counts: Counts, allowed_ppm: int) -> bool:
    """More bad requests than noise explains; see the module's rules."""
    mean = counts.total * allowed_ppm / PPM
    line = min(mean + BAD_SPREADS * spread(counts.total, allowed_ppm), (counts.total + mean) / 2)
    return counts.bad >= 3 and counts.bad > line


def is_outage(counts: Counts, allowed_ppm: int) -> bool:
    """So many that one minute is enough; see the module's rules."""
    share = max(OUTAGE_SHARE, OUTAGE_TIMES * allowed_ppm / PPM)
    if (
        allowed_ppm < PPM // 2
    ):  # ten times a high rate is more than everything: 90 % is then as bad as it gets
        share = min(share, 0.9)
    return counts.bad >= OUTAGE_REQUESTS and counts.bad >= share * counts.total


def restart(memory: Memory) -> Memory:
    """Evidence for is gone, evidence against stays."""
    return replace(memory, proof=NO_TALLY)


def fold(memory: Memory, look: ThresholdReading) -> Memory:
    """The memory after one more minute."""
    if look.only_outage and not is_outage(look.counts, look.allowed_ppm):
        return memory
    if look.step is not None and look.step != memory.step:
        memory = replace(memory, step=look.step, proof=NO_TALLY)
    recent = (*memory.recent, look)[-SUM_WINDOWS[-1] :]
    return Memory(
        recent=recent,
        run=memory.run + look.counts if look.charged else memory.run,
        step=memory.step,
        proof=memory.proof if look.step is None else memory.proof.plus(look),
        breach=_breach(recent),
    )


def verdict(memory: Memory, question: Question) -> Exceedance:
    """What the evidence says now: BREACH, PASS or WAITING."""
    proof = memory.proof if memory.step == question.step else NO_TALLY
    bound = upper_bound_ppm(proof.counts)
    if memory.breach is not None:
        tally, because = memory.breach.tally, memory.breach.because
        return Exceedance(
            Verdict.BREACH, because, tally.counts, memory.breach.minutes, tally.allowed_ppm, bound
        )
    budget = question.budget_ppm
    if (
        budget is not None
        and memory.run.bad >= BUDGET_REQUESTS
        and surely_above(memory.run, budget)
    ):
        return Exceedance(Verdict.BREACH, Because.BUDGET, memory.run, 0, budget, bound)
    allowed = proof.allowed_ppm
    limit = 2 * allowed if question.limit_ppm is None else max(question.limit_ppm, allowed)

    def say(verdict: Verdict, because: Because, rate_ppm: int) -> Exceedance:
        return Exceedance(verdict, because, proof.counts, 0, rate_ppm, bound)

    if proof.counts.total < question.min_requests:
        return say(Verdict.WAITING, Because.FEW, limit)
    if memory.recent[-1].is_bad or surely_above(Counts(proof.counts.total, proof.steady), allowed):
        return say(Verdict.WAITING, Because.WATCHING, allowed)
    if bound > limit:
        return say(Verdict.WAITING, Because.UNSURE, limit)
    return say(Verdict.PASS, Because.PROVEN, limit)


def _breach(recent: tuple[ThresholdReading, ...]) -> Breach | None:
    """What the last minutes say against the destination, whatever step they belong to."""
    last = recent[-OF_MINUTES:]
    for look in reversed(last):
        if look.is_outage:
            return _found(Because.OUTAGE, (look,))
    bad = [look.is_bad for look in last]
    if sum(bad) >= BAD_MINUTES:
        return _found(Because.MINUTES, last[bad.index(True) :])
    size = _bad_sum(recent)
    return _found(Because.SUM, recent[-size:]) if size else None


def _found(because: Because, looks: tuple[ThresholdReading, ...]) -> Breach:
    tally = NO_TALLY
    for look in looks:
        tally = tally.plus(look)
    return Breach(because, tally, len(looks))


def _bad_sum(recent: tuple[ThresholdReading, ...]) -> int:
    """The shortest of the windows whose sum is bad; 0 when none is. A history shorter than a window is one too."""
    if sum(look.is_over for look in recent) < SUM_MINUTES:
        return 0  # the ordinary case, at every minute of a healthy run
    clipped = mean = variance = 0.0
    minutes = 0
    for size, look in enumerate(reversed(recent), start=1):
        here, wide = look.clipped
        clipped += here
        mean += look.mean
        variance += wide
        minutes += look.is_over
        if (
            (size in SUM_WINDOWS or size == len(recent))
            and minutes >= SUM_MINUTES
            and clipped >= 4
            and clipped > mean + SUM_SPREADS * sqrt(variance)
        ):
            return size
    return 0
