"""The sequential judge: is a stream of (requests, bad requests) above the rate it is allowed, at any look?

A negative-binomial likelihood-ratio e-process with random start times (docs/judge.md). It is told every
minute how many requests the destination and the source had and how many of them were bad, and keeps one number, the
evidence M. For a healthy destination (in each minute the mean of its bad requests is at most what it is allowed, and
their coefficient of variation at most `cv`) M is at least `1/p` in a fraction `p` of all cutovers at most, however often one looks and
however long it goes on (Ville's inequality; docs/judge.md has the argument and its limits).

- *Allowed* is `max(floor, ratio x the source's rate)`, at most `cap` unless the source itself is above it. The source's
  rate is the 95 % upper bound of its last minutes, or this minute's rate if that is higher.
- *Shape*: bad requests vary more than chance alone explains, so minutes are negative binomial with `k = 1/cv^2`.
- *Alternatives*: six multiples of the allowed rate, each with a sum `S = (S + w) x likelihood ratio`; M is their mean.
- *Start weights* `w` say when a defect may begin: with the first request, with a step, or any minute; they sum to 1 at most.
- *One minute alone* counts 400 to 1 at most, unless the defect is plain to see (`fast`): two bad minutes are needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, lgamma, log, sqrt

from cutover.core.gates.api import Counts
from cutover.core.values import with_fields

ALPHA = 0.01
"""At most this part of healthy cutovers is rolled back, over all signals and looks."""

HOLD_ALPHA = 0.10
"""At most this part of healthy cutovers ever waits because of noise."""

LADDER = (1.4, 2.0, 5.0, 15.0, 50.0, 200.0)
"""The defects looked for, as multiples of the allowed rate."""

START_FIRST, START_STEP, START_ANY = 0.4, 0.2, 0.4
"""Prior weight of a defect that begins with the first request, with a later step, or at any minute."""

POOL_MINUTES, POOL_BAD, POOL_MOST = 10, 50, 180
"""The source's rate: at least so many minutes, and as many more (at most 180) as it takes to see 50 bad requests."""

UPPER = 1.645  # one-sided 95 %
CV_MARGIN, CV_LEAST, CV_MOST = 1.5, 0.25, 1.0
CV_MINUTES, CV_BAD = 20, 3
ONE_MINUTE = log(400.0)
LARGEST_RATIO = 600.0  # exp() must not overflow
LARGEST_SUM = 1e15
ALLOWED_MOST = 0.9
WINDOW = 10
"""Judged minutes kept for the sentence."""

SHARED_ODDS = 0.001
"""The source is shown not to suffer the same when its count is rarer than this under the destination's rate."""

NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Standard:
    """What one signal is held against (rates are fractions of 1); docs/judge.md's table.

    Attributes:
        floor: always allowed.
        ratio: times the source's rate.
        cap: never more than this is allowed unless the source is above it; 1 for none.
        cv: how much a healthy group's rate varies from minute to minute, relative to itself.
        fast: from this share of bad requests on one minute alone may decide (and 10 times the allowed rate).
    """

    floor: float
    ratio: float
    cap: float
    cv: float
    fast: float


@dataclass(frozen=True)
class Weighed:
    """One judged minute: both sides, what was allowed, and the evidence after it."""

    destination: Counts
    source: Counts
    allowed: float
    evidence: float


@dataclass(frozen=True)
class Memory:
    """What the judge keeps; all of it follows from the minutes folded.

    Attributes:
        sums: one per alternative; empty before the first judged minute.
        pool: the source's last minutes with requests, newest last.
        begun: the weights (per mille) at which a minute was judged.
        unspent: what is left of the weight for a defect that begins at any minute.
        last: the last judged minutes.
    """

    sums: tuple[float, ...] = ()
    pool: tuple[Counts, ...] = ()
    begun: frozenset[int] = frozenset()
    unspent: float = 1.0
    last: tuple[Weighed, ...] = ()

    @property
    def evidence(self) -> float:
        """M: 1 is no evidence, less speaks for the destination."""
        return self.last[-1].evidence if self.last else 0.0


START = Memory()
NOTHING = Counts(0, 0)


def dispersion(minutes: Iterable[Counts], default: float) -> float:
    """How much a healthy rate varies beyond chance, from the source's minutes before the run.

    1.5 times the method-of-moments CV, within 0.25 and 1; the default with fewer than 20 minutes or 3 bad a minute.
    """
    known = [one for one in minutes if one.total > 0]
    total, bad = sum(one.total for one in known), sum(one.bad for one in known)
    if len(known) < CV_MINUTES or bad < CV_BAD * len(known):
        return default
    rate = bad / total
    beyond = sum((one.bad - rate * one.total) ** 2 - rate * one.total for one in known)
    measured = sqrt(max(0.0, beyond) / sum((rate * one.total) ** 2 for one in known))
    return min(max(CV_MARGIN * measured, CV_LEAST), CV_MOST)


def pooled(pool: tuple[Counts, ...], now: Counts = NOTHING) -> Counts:
    """This minute of the source, with as many before it as it takes."""
    total, bad = now.total, now.bad
    for taken, counts in enumerate(reversed(pool)):
        if taken >= POOL_MINUTES and bad >= POOL_BAD:
            break
        total += counts.total
        bad += counts.bad
    return Counts(total, bad)


def allowed(
    standard: Standard, pool: tuple[Counts, ...], source: Counts, cv: float
) -> tuple[float, float]:
    """The rate a healthy destination may show in this minute, and the shape `k` of its count."""
    known = pooled(pool, source)
    rate = (known.bad + UPPER * sqrt(known.bad) + 1.0) / known.total if known.total else 0.0
    if source.total:
        rate = max(rate, source.bad / source.total)
    relative = standard.ratio * rate
    limit = relative if rate > standard.cap else min(max(standard.floor, relative), standard.cap)
    spread = cv**2
    if relative > standard.floor:  # then what the source showed matters, and is itself uncertain
        spread += cv**2 / 2 + 1.0 / (known.bad + 1.0)
    return min(limit, ALLOWED_MOST), 1.0 / spread


def likelihood_ratio(bad: float, null: float, alternative: float, k: float) -> float:
    """Log likelihood ratio of a negative binomial count: mean `alternative` against mean `null`, same shape `k`."""
    return bad * log(alternative / null) - (bad + k) * log((k + alternative) / (k + null))


def learn(memory: Memory, source: Counts) -> Memory:
    """The memory after a minute that only says something about the source."""
    if source.total <= 0:
        return memory
    return with_fields(memory, pool=(*memory.pool, source)[-POOL_MOST:])


@dataclass(frozen=True)
class Course:
    """What the prior needs to know of the plan: how many steps, and `horizon` minutes (twice the planned ones)."""

    steps: int
    horizon: int


@dataclass(frozen=True)
class Trial:
    """What does not change from minute to minute; `cv` was measured before the run, or is the standard's."""

    standard: Standard
    cv: float
    course: Course


@dataclass(frozen=True)
class EvidenceReading:
    """One minute at a weight (per mille) with requests at the destination."""

    weight: int
    destination: Counts
    source: Counts


def fold(trial: Trial, memory: Memory, look: EvidenceReading) -> Memory:
    """The memory after one judged minute."""
    limit, k = allowed(trial.standard, memory.pool, look.source, trial.cv)
    start, begun = 0.0, memory.begun
    if look.weight not in begun and len(begun) < trial.course.steps:
        start = START_STEP / max(1, trial.course.steps - 1) if begun else START_FIRST
        begun = begun | {look.weight}
    start += START_ANY * memory.unspent / trial.course.horizon
    ratios = _ratios(trial.standard, look.destination, limit, k)
    before = memory.sums or (0.0,) * len(LADDER)
    sums = tuple(
        min((one + start) * ratio, LARGEST_SUM) for one, ratio in zip(before, ratios, strict=True)
    )
    weighed = Weighed(look.destination, look.source, limit, sum(sums) / len(sums))
    folded = Memory(
        sums=sums,
        pool=memory.pool,
        begun=begun,
        unspent=memory.unspent * (1 - 1 / trial.course.horizon),
        last=(*memory.last, weighed)[-WINDOW:],
    )
    return learn(folded, look.source)


def _ratios(standard: Standard, counts: Counts, limit: float, k: float) -> tuple[float, ...]:
    """Likelihood ratio of this minute for each alternative."""
    bad, total = counts.bad, counts.total
    plain = bad >= total * min(0.9, max(standard.fast, 10 * limit))
    most = LARGEST_RATIO if plain else ONE_MINUTE
    null = total * limit
    return tuple(
        exp(min(likelihood_ratio(bad, null, total * min(limit * u, (1 + limit) / 2), k), most))
        for u in LADDER
    )


def is_calm(memory: Memory, minutes: int) -> bool:
    """Each of the last judged minutes shows no more than a healthy destination may.

    Each of them, because what was allowed in a minute before an incident would excuse the incident itself; and all of
    them together, because in a minute with two requests two bad ones are no more than chance may bring.
    """
    last = memory.last[-minutes:]
    may = sum(one.allowed * one.destination.total for one in last)
    together = sum(one.destination.bad for one in last) <= may + 2 * sqrt(may)
    return len(last) == minutes and together and all(_is_calm(one) for one in last)


def _is_calm(one: Weighed) -> bool:
    may = one.allowed * one.destination.total
    return one.destination.bad <= may + 2 * sqrt(may + 1)


@dataclass(frozen=True)
class Loudest:
    """The trailing minutes (at most 10) that exceed most what was allowed, added up."""

    destination: Counts = NOTHING
    source: Counts = NOTHING
    allowed: float = 0.0
    minutes: int = 0


def loudest(memory: Memory) -> Loudest:
    """What a sentence speaks of."""
    best, most = Loudest(), float("-inf")
    destination, source, may = NOTHING, NOTHING, 0.0
    for minutes, one in enumerate(reversed(memory.last), start=1):
        destination += one.destination
        source += one.source
        may += one.allowed * one.destination.total
        excess = (destination.bad - may) / sqrt(max(may, 1e-9))
        if excess > most:
            best, most = Loudest(destination, source, may / destination.total, minutes), excess
    return best


def newest(memory: Memory) -> Loudest:
    """The newest judged minute: while nothing is loud there is nothing to look for."""
    if not memory.last:
        return Loudest()
    one = memory.last[-1]
    return Loudest(one.destination, one.source, one.allowed, 1)


def source_is_spared(found: Loudest, cv: float) -> bool:
    """The source surely does not suffer what the destination suffers.

    If it did, its bad requests in the same minutes would be negative binomial around the destination's rate; a
    count as low as the one seen must be rarer than `SHARED_ODDS`. Without requests at the source nothing is sure.
    """
    if found.source.total <= 0 or found.destination.total <= 0:
        return False
    mean = found.source.total * found.destination.bad / found.destination.total
    return at_most(found.source.bad, mean, found.minutes / cv**2) <= SHARED_ODDS


def at_most(count: float, mean: float, k: float) -> float:
    """Probability that a negative binomial count with this mean and shape is at most `count`.

    Summed from `count` down, where the terms fall: the one for no bad request at all may be too small for a float.
    """
    if count >= mean:
        return 1.0
    most = int(count)
    success = log(mean / (k + mean))
    term = exp(
        lgamma(most + k) - lgamma(k) - lgamma(most + 1) + k * log(k / (k + mean)) + most * success
    )
    total, falls = 0.0, (k + mean) / mean
    for n in range(most, -1, -1):
        total += term
        term *= n / (n - 1 + k) * falls if n else 0.0
        if term < NEGLIGIBLE * total and n < most * (k - 1) / k:
            break
    return min(1.0, total)
