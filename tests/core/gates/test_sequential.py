"""The sequential judge's arithmetic: numbers of gating.md section 4, and what its guarantee rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import exp, fsum, lgamma, log, log1p, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.gates.api import Counts
from cutover.core.gates.sequential.eprocess import (
    LADDER,
    NOTHING,
    START,
    Course,
    EvidenceReading,
    Loudest,
    Memory,
    Standard,
    Trial,
    Weighed,
    allowed,
    at_most,
    dispersion,
    fold,
    learn,
    likelihood_ratio,
    loudest,
    pooled,
    source_is_spared,
)

ERRORS = Standard(floor=0.002, ratio=2.0, cap=0.01, cv=0.5, fast=0.05)
LATENCY = Standard(floor=0.05, ratio=1.0, cap=1.0, cv=0.4, fast=0.5)
COURSE = Course(steps=5, horizon=120)
NEEDED = 200
USUAL = Counts(5940, 6)
HOUR = (Counts(6000, 6),) * 60


def trial(standard: Standard = ERRORS, cv: float = 0.5, course: Course = COURSE) -> Trial:
    return Trial(standard, cv, course)


def known(pool: tuple[Counts, ...] = HOUR) -> Memory:
    memory = START
    for counts in pool:
        memory = learn(memory, counts)
    return memory


def fed(
    *looks: EvidenceReading, memory: Memory | None = None, judged: Trial | None = None
) -> Memory:
    memory = memory or known()
    for look in looks:
        memory = fold(judged or trial(), memory, look)
    return memory


def minute(total: int, bad: float, weight: int = 10, source: Counts = USUAL) -> EvidenceReading:
    return EvidenceReading(weight, Counts(total, bad), source)


# --- the vectors of gating.md section 8 (test_golden has them all, through the gates)


@pytest.mark.parametrize(
    ("looks", "cv", "evidence"),
    [
        pytest.param([minute(60, 0)] * 10, 0.25, 0.0609, id="healthy"),
        pytest.param([minute(3, 3, source=Counts(297, 0))], 0.5, 9.19e4, id="3 of 3 failed"),
        pytest.param(
            [minute(3000, 30, source=Counts(297_000, 297))] * 3, 0.25, 1.3e7, id="sustained 1 %"
        ),
    ],
)
def test_the_evidence_is_that_of_the_specification(
    looks: list[EvidenceReading], cv: float, evidence: float
) -> None:
    usual = {5940: Counts(6000, 6), 297: Counts(300, 0), 297_000: Counts(300_000, 300)}
    memory = known((usual[int(looks[0].source.total)],) * 60)
    found = fed(*looks, memory=memory, judged=trial(cv=cv)).evidence
    assert found == pytest.approx(evidence, rel=0.01)


# --- dispersion


def wavy(cv: float, mean: float = 60.0, minutes: int = 60) -> list[Counts]:
    """Minutes whose rate swings by exactly `cv` around its mean, on top of what chance explains."""
    swing = sqrt(mean + (cv * mean) ** 2)
    return [Counts(6000, mean + (swing if n % 2 else -swing)) for n in range(minutes)]


@pytest.mark.parametrize(("cv", "measured"), [(0.2, 0.30), (0.4, 0.60), (0.66, 0.99)])
def test_the_dispersion_is_half_as_much_again_as_measured(cv: float, measured: float) -> None:
    assert dispersion(wavy(cv), 0.5) == pytest.approx(measured, rel=1e-6)


@pytest.mark.parametrize(("cv", "clipped"), [(0.0, 0.25), (0.9, 1.0)])
def test_the_dispersion_stays_within_its_bounds(cv: float, clipped: float) -> None:
    assert dispersion(wavy(cv), 0.5) == clipped


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param([], id="nothing"),
        pytest.param(wavy(0.2, minutes=19), id="19 minutes"),
        pytest.param([Counts(6000, 2)] * 60, id="2 bad a minute"),
        pytest.param([Counts(0, 0)] * 60, id="no request"),
        pytest.param(
            [*wavy(0.2, minutes=19), *[Counts(0, 0)] * 20], id="silent minutes do not count"
        ),
    ],
)
def test_the_dispersion_is_the_default_where_it_cannot_be_measured(minutes: list[Counts]) -> None:
    assert dispersion(minutes, 0.37) == 0.37


def test_three_bad_requests_a_minute_for_twenty_minutes_are_enough_to_measure() -> None:
    assert dispersion([Counts(6000, 3)] * 20, 0.37) == 0.25


# --- what is allowed


def upper(bad: float, total: int) -> float:
    return (bad + 1.645 * sqrt(bad) + 1) / total


@pytest.mark.parametrize(
    ("source", "rate"),
    [
        pytest.param(Counts(6000, 6), 2 * upper(66, 66_000), id="twice the source's upper bound"),
        pytest.param(Counts(6000, 0), 2 * upper(60, 66_000), id="a quiet minute forgets nothing"),
        pytest.param(Counts(6000, 18), 2 * 0.003, id="a bad minute of the source counts at once"),
        pytest.param(Counts(6000, 42), 0.01, id="at most the cap"),
        pytest.param(Counts(6000, 120), 0.04, id="unless the source itself is above the cap"),
        pytest.param(Counts(0, 0), 2 * upper(60, 60_000), id="no source: the last known minutes"),
        pytest.param(Counts(6000, 6000), 0.9, id="never all of them"),
    ],
)
def test_what_is_allowed_given_the_source(source: Counts, rate: float) -> None:
    assert allowed(ERRORS, HOUR, source, 0.5)[0] == pytest.approx(rate)


def test_the_floor_is_always_allowed() -> None:
    clean = (Counts(6000, 0),) * 60
    assert allowed(ERRORS, clean, Counts(6000, 0), 0.5)[0] == 0.002
    assert allowed(ERRORS, (), NOTHING, 0.5)[0] == 0.002


def test_an_uncertain_source_widens_the_shape_only_where_it_matters() -> None:
    clean = (Counts(6000, 0),) * 60
    assert allowed(ERRORS, clean, Counts(6000, 0), 0.5)[1] == pytest.approx(1 / 0.25)
    known_bad = 66
    spread = 0.25 + 0.125 + 1 / (known_bad + 1)
    assert allowed(ERRORS, HOUR, Counts(6000, 6), 0.5)[1] == pytest.approx(1 / spread)


@pytest.mark.parametrize(
    ("bad", "minutes"), [(60, 10), (10, 10), (5, 10), (2, 25), (1, 50), (0, 180)]
)
def test_the_source_is_pooled_over_as_many_minutes_as_50_bad_requests_take(
    bad: int, minutes: int
) -> None:
    memory = known((Counts(100, bad),) * 300)
    assert pooled(memory.pool) == Counts(100 * minutes, bad * minutes)


def test_a_minute_without_source_requests_teaches_nothing() -> None:
    assert learn(known(), NOTHING) == known()


# --- start weights


def started(looks: list[EvidenceReading], course: Course) -> list[float]:
    """The weight that each minute added: `(S + weight) x ratio` turned around, for the first alternative."""
    memory, found = known(), []
    for look in looks:
        limit, k = allowed(ERRORS, memory.pool, look.source, 0.5)
        null = limit * look.destination.total
        ratio = exp(likelihood_ratio(look.destination.bad, null, 1.4 * null, k))
        before = memory.sums[0] if memory.sums else 0.0
        memory = fold(trial(course=course), memory, look)
        found.append(memory.sums[0] / ratio - before)
    return found


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
@pytest.mark.parametrize("horizon", [30, 120, 600])
@pytest.mark.parametrize("judged", [1, 60, 2_000])
def test_start_weights_sum_to_one_at_most(steps: int, horizon: int, judged: int) -> None:
    """Though more weights may be judged than the plan has steps: a share that holds, a plan gone on by hand."""
    weights = started([minute(60, 0, weight=n) for n in range(judged)], Course(steps, horizon))
    assert 0 < sum(weights) <= 1 + 1e-9
    assert min(weights) > -1e-12


def test_a_defect_may_begin_with_the_first_request_with_a_step_or_at_any_minute() -> None:
    weights = started([minute(60, 0, weight=n) for n in (10, 10, 50, 10, 50)], COURSE)
    left = [0.4 / 120 * (1 - 1 / 120) ** n for n in range(5)]
    assert weights == pytest.approx([0.4 + left[0], left[1], 0.05 + left[2], left[3], left[4]])


def test_a_plan_of_one_step_has_no_later_step() -> None:
    assert started([minute(60, 0, weight=n) for n in (10, 50)], Course(1, 120))[1] < 0.004


# --- one minute alone


@pytest.mark.parametrize("weight", [10, 1000])
@pytest.mark.parametrize("total", [60, 600, 6_000, 60_000, 3_000_000])
def test_one_minute_alone_cannot_decide_below_fast(total: int, weight: int) -> None:
    before = [minute(total, 0)] if weight != 10 else []
    memory = fed(*before)
    most = int(total * 0.05) - 1 if total > 60 else 2
    found = fed(minute(total, most, weight), memory=memory).evidence
    assert found < NEEDED
    assert found <= 400


def test_two_bad_minutes_do() -> None:
    assert fed(minute(3000, 145), minute(3000, 145)).evidence >= NEEDED


@pytest.mark.parametrize(("total", "bad"), [(3, 3), (60, 5), (6_000, 300)])
def test_one_minute_is_enough_when_the_defect_is_plain(total: int, bad: int) -> None:
    assert fed(minute(total, bad)).evidence >= NEEDED


def test_latency_needs_half_of_its_requests_slow_to_decide_in_one_minute() -> None:
    judged = trial(LATENCY, cv=0.4)
    source = Counts(54_000, 2_700)
    pool = (source,) * 10
    most = fed(minute(6000, 2_999, source=source), memory=known(pool), judged=judged)
    plain = fed(minute(6000, 3_300, source=source), memory=known(pool), judged=judged)
    assert most.evidence < 400 < plain.evidence


def test_nothing_overflows() -> None:
    worst = minute(10**9, 10**9, source=Counts(10**9, 0))
    memory = fed(*[worst] * 50)
    assert memory.evidence == 1e15
    calm = minute(10**9, 0, source=Counts(10**9, 0))
    assert 0 <= fed(*[calm] * 500, memory=memory).evidence < 1


@given(
    st.integers(1, 10**7).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n))
    ),
    st.integers(0, 6000),
    st.floats(0.25, 1.0),
    st.sampled_from([ERRORS, LATENCY]),
)
def test_more_bad_requests_never_lower_the_evidence(
    counts: tuple[int, int, int], sick: int, cv: float, standard: Standard
) -> None:
    total, *bad = counts
    source = Counts(6000, sick)
    less, more = (
        fed(minute(total, one, source=source), judged=trial(standard, cv)) for one in sorted(bad)
    )
    assert all(a <= b for a, b in zip(less.sums, more.sums, strict=True))


# --- the guarantee: one minute's evidence has expectation 1 at most (gating.md section 5)

Pmf = Iterator[tuple[int, float]]


def negative_binomial(mean: float, k: float, most: int) -> Pmf:
    for x in range(most + 1):
        ways = lgamma(x + k) - lgamma(k) - lgamma(x + 1)
        yield x, exp(ways + k * log(k / (k + mean)) + x * log(mean / (k + mean)))


def poisson(mean: float, most: int) -> Pmf:
    for x in range(most + 1):
        yield x, exp(x * log(mean) - mean - lgamma(x + 1))


def binomial(n: int, p: float, most: int) -> Pmf:
    for x in range(min(n, most) + 1):
        ways = lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)
        yield x, exp(ways + x * log(p) + (n - x) * log1p(-p))


def beta_binomial(n: int, p: float, cv: float, most: int) -> Pmf:
    """Binomial around a rate that varies by `cv` of itself."""
    size = (1 - p) / (p * cv * cv) - 1
    a, b = p * size, (1 - p) * size
    base = lgamma(a + b) - lgamma(a) - lgamma(b)
    for x in range(min(n, most) + 1):
        ways = lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)
        yield x, exp(ways + base + lgamma(x + a) + lgamma(n - x + b) - lgamma(n + a + b))


NULLS: dict[str, Callable[[int, float, float, int], Pmf]] = {
    "the worst one": lambda n, p, cv, most: negative_binomial(n * p, 1 / cv**2, most),
    "varying half as much": lambda n, p, cv, most: negative_binomial(n * p, 4 / cv**2, most),
    "poisson": lambda n, p, _cv, most: poisson(n * p, most),
    "binomial": lambda n, p, _cv, most: binomial(n, p, most),
    "beta binomial": beta_binomial,
    "half the mean": lambda n, p, cv, most: negative_binomial(n * p / 2, 1 / cv**2, most),
}


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("cv", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("rate", [0.002, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("requests", [3, 60, 300, 3_000])
def test_a_healthy_minute_brings_no_evidence_on_average(
    requests: int, rate: float, cv: float, null: str
) -> None:
    if null == "beta binomial" and (1 - rate) / (rate * cv * cv) <= 1:
        pytest.skip("a rate cannot vary that much")
    mean, k = requests * rate, 1 / cv**2
    most = int(mean + 12 * sqrt(mean + (cv * mean) ** 2) + 60)
    pmf = list(NULLS[null](requests, rate, cv, most))
    assert fsum(p for _, p in pmf) <= 1 + 1e-9
    for times in LADDER:
        above = requests * min(rate * times, (1 + rate) / 2)
        expected = fsum(p * exp(likelihood_ratio(x, mean, above, k)) for x, p in pmf)
        assert expected <= 1 + 1e-9


@pytest.mark.parametrize(("requests", "bad"), [(60, 0), (600, 2), (6_000, 30)])
def test_the_expectation_is_one_where_the_defect_is_what_is_allowed(
    requests: int, bad: int
) -> None:
    """Against the very distribution it tests the ratio is fair: it neither favours nor blames."""
    mean, k = requests * 0.002, 4.0
    most = int(mean + 200 * sqrt(mean + mean**2 / k) + 200)
    fair = fsum(
        p * exp(likelihood_ratio(x, mean, 2 * mean, k))
        for x, p in negative_binomial(mean, k, most)
    )
    assert fair == pytest.approx(1.0, abs=1e-6)
    assert (likelihood_ratio(bad, mean, 2 * mean, k) > 0) == (bad > 1.5 * mean)


# --- what a sentence speaks of


def weighed(total: int, bad: int, rate: float = 0.002) -> Weighed:
    return Weighed(Counts(total, bad), Counts(total, 1), rate, 1.0)


def test_the_loudest_minutes_are_the_newest_ones_that_exceed_most() -> None:
    memory = replace(START, last=(*[weighed(3000, 3)] * 7, *[weighed(3000, 30)] * 3))
    found = loudest(memory)
    assert (found.destination, found.source) == (Counts(9000, 90), Counts(9000, 3))
    assert found.minutes == 3
    assert found.allowed == pytest.approx(0.002)


def test_only_ten_minutes_are_kept_for_a_sentence() -> None:
    assert len(fed(*[minute(60, 0)] * 30).last) == 10


def test_what_was_allowed_is_weighted_by_requests() -> None:
    memory = replace(START, last=(weighed(1000, 100, 0.01), weighed(3000, 30, 0.002)))
    assert loudest(memory).allowed == pytest.approx((1000 * 0.01 + 3000 * 0.002) / 4000)


def test_nothing_judged_is_nothing_loud() -> None:
    assert loudest(START) == Loudest()


# --- is the source spared?


@pytest.mark.parametrize("mean", [0.5, 5.0, 50.0, 400.0])
@pytest.mark.parametrize("k", [1.0, 4.0, 40.0])
@pytest.mark.parametrize("count", [0, 1, 3, 17])
def test_at_most_is_the_exact_sum(count: int, mean: float, k: float) -> None:
    exact = fsum(p for _, p in negative_binomial(mean, k, count))
    expected = 1.0 if count >= mean else exact
    assert at_most(count, mean, k) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("count", [55_000, 59_990])
def test_at_most_is_no_zero_where_a_count_near_its_mean_is_likely(count: int) -> None:
    """The chance of no bad request at all is smaller than any float here."""
    assert 0.01 < at_most(count, 60_000.0, 160.0) < 0.6


def test_at_most_takes_a_fraction_for_the_whole_requests_in_it() -> None:
    assert at_most(3.9, 50.0, 4.0) == at_most(3, 50.0, 4.0)


@pytest.mark.parametrize(
    ("destination", "source", "minutes", "spared"),
    [
        pytest.param(Counts(6000, 300), Counts(0, 0), 1, False, id="no source: nothing is sure"),
        pytest.param(Counts(0, 0), Counts(60, 0), 1, False, id="no destination"),
        pytest.param(Counts(6000, 300), Counts(60, 3), 1, False, id="it suffers the same"),
        pytest.param(
            Counts(6000, 300), Counts(60, 0), 1, False, id="60 requests are too few for 5 %"
        ),
        pytest.param(Counts(6000, 2400), Counts(60, 0), 1, True, id="but enough for 40 %"),
        pytest.param(Counts(6000, 300), Counts(600, 0), 1, True, id="600 are enough for 5 %"),
        pytest.param(
            Counts(24000, 1200), Counts(240, 0), 4, True, id="and so are four minutes of 60"
        ),
        pytest.param(
            Counts(6000, 2400), Counts(60, 6), 1, False, id="10 % against 40 % may be chance"
        ),
    ],
)
def test_the_source_is_spared_when_chance_does_not_explain_its_few_bad_ones(
    destination: Counts, source: Counts, minutes: int, spared: bool
) -> None:
    assert source_is_spared(Loudest(destination, source, 0.002, minutes), 0.5) is spared


def test_what_was_never_judged_is_no_evidence() -> None:
    assert known().evidence == 0.0
    assert known().sums == ()
