"""What a step can see and what it can cost: gating.md section 7's numbers, and what must hold for any traffic."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import inf, sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.core.forecast import (
    LONGEST_BAKE,
    ForecastInputs,
    ForecastStep,
    Infeasible,
    Schedule,
    ScheduleRequest,
    TrafficRate,
    bearable,
    beyond_budget,
    forecasts,
    heaviest_start,
    optimize,
    planned_horizon,
    proposed,
    solve,
)
from cutover.core.forecast.evidence import (
    MEDIAN,
    information,
    leak_minutes,
    minutes_to_trip,
    need,
    need_any_time,
    smallest_rate,
)
from cutover.core.forecast.step_forecast import bake_for, harm
from cutover.core.gates.api import Counts
from cutover.core.gates.sequential.eprocess import (
    START,
    Course,
    EvidenceReading,
    Standard,
    Trial,
    fold,
    learn,
)
from cutover.core.values import FULL, MINUTE, SECOND

ERRORS = Standard(floor=0.002, ratio=2.0, cap=0.01, cv=0.5, fast=0.05)
GATING_POLL = 18 * SECOND
"""With it publication, polling and rule change take the 1.9 minutes of gating.md section 7."""
GATING_WEIGHTS = (5, 10, 20, 30, 50, 70, *range(100, FULL + 1, 50))


def inputs(
    rps: float, *, trough: float = 0.7, peak: float = 1.3, comparisons: int = 1
) -> ForecastInputs:
    traffic = TrafficRate(rps * 60 * trough, rps * 60 * peak, comparisons)
    return ForecastInputs(traffic, ERRORS, poll_ms=GATING_POLL)


def stages(*steps: tuple[float, int]) -> tuple[ForecastStep, ...]:
    return tuple(ForecastStep(round(10 * weight), bake * MINUTE) for weight, bake in steps)


USUAL = stages((1, 10), (5, 10), (25, 10), (50, 10), (100, 15))
RATES = st.floats(1, 500_000)


# evidence


def test_the_evidence_needed_is_more_for_a_defect_that_was_less_expected() -> None:
    course = Course(6, 120)
    assert need(200, course, first=True) == pytest.approx(7.3, abs=0.05)
    assert need(200, course, first=False) == pytest.approx(9.5, abs=0.3)
    assert need_any_time(200, course) == pytest.approx(12.1, abs=0.05)


def test_a_minute_that_is_not_plainly_bad_counts_400_to_1_at_most() -> None:
    assert information(100_000, 0.02, ERRORS) == pytest.approx(5.99, abs=0.01)
    assert information(100_000, 0.5, ERRORS) > 20


def test_what_is_allowed_is_never_found() -> None:
    assert minutes_to_trip(1e6, 0.002, ERRORS, 7.3) == inf
    assert minutes_to_trip(0, 1.0, ERRORS, 7.3) == inf
    assert smallest_rate(0.001, 60, ERRORS, 7.3) is None


@settings(max_examples=200)
@given(st.floats(0.01, 1e6), st.floats(1.01, 100), st.floats(0.003, 1), st.floats(5, 15))
def test_more_traffic_never_needs_more_minutes(
    requests: float, times: float, rate: float, nats: float
) -> None:
    assert minutes_to_trip(requests * times, rate, ERRORS, nats) <= minutes_to_trip(
        requests, rate, ERRORS, nats
    )


@settings(max_examples=200)
@given(st.floats(0.1, 1e6), st.floats(0.003, 0.5), st.floats(1.01, 2), st.floats(5, 15))
def test_a_worse_defect_never_needs_more_minutes(
    requests: float, rate: float, times: float, nats: float
) -> None:
    assert minutes_to_trip(requests, rate * times, ERRORS, nats) <= minutes_to_trip(
        requests, rate, ERRORS, nats
    )


@settings(max_examples=100)
@given(st.floats(0.1, 1e6), st.floats(0.003, 1), st.floats(5, 15))
def test_the_median_comes_before_the_95th_percentile(
    requests: float, rate: float, nats: float
) -> None:
    assert minutes_to_trip(requests, rate, ERRORS, nats, MEDIAN) <= minutes_to_trip(
        requests, rate, ERRORS, nats
    )


@settings(max_examples=100)
@given(st.floats(0.1, 1e6), st.floats(1, 500), st.floats(5, 15))
def test_the_smallest_rate_is_seen_and_a_smaller_one_is_not(
    requests: float, minutes: float, nats: float
) -> None:
    found = smallest_rate(requests, minutes, ERRORS, nats)
    if found is not None:
        assert minutes_to_trip(requests, found, ERRORS, nats) <= minutes
        assert minutes_to_trip(requests, found * 0.995, ERRORS, nats) > minutes


def test_a_slow_leak_is_found_when_it_has_grown() -> None:
    nats = need_any_time(200, Course(5, 120))
    assert leak_minutes(4_200, 0.001, ERRORS, nats, 1_000) == 9
    assert leak_minutes(42, 0.001, ERRORS, nats, 1_000) == 24
    assert leak_minutes(42, 0.001, ERRORS, nats, 10) is None


# the same by simulation of the judge itself


def judged_until_it_trips(
    draw: Random, requests: int, rate: Callable[[int], float], most: int = 200
) -> int:
    """Minutes until the sequential judge trips at the first step (1 %), counts varying by 35 % from minute to minute."""
    trial = Trial(ERRORS, ERRORS.cv, Course(5, 120))
    memory = START
    for minute in range(1 - 60, most):
        source = Counts(99 * requests, failures(draw, 99 * requests, 0.0002))
        if minute < 1:
            memory = learn(memory, source)
            continue
        destination = Counts(requests, failures(draw, requests, rate(minute)))
        memory = fold(trial, memory, EvidenceReading(10, destination, source))
        if memory.evidence >= 200:
            return minute
    return most


def failures(draw: Random, requests: int, rate: float) -> int:
    """Negative binomial, at most all."""
    shape = 1 / 0.35**2
    mean = requests * min(1.0, rate * draw.gammavariate(shape, 1 / shape))
    if mean > 50:
        return min(requests, max(0, round(draw.gauss(mean, sqrt(mean)))))
    count, left = 0, draw.expovariate(1)
    while left < mean:
        count, left = count + 1, left + draw.expovariate(1)
    return min(requests, count)


def percentiles(requests: int, rate: Callable[[int], float], runs: int = 81) -> tuple[int, int]:
    draw = Random(7)
    found = sorted(judged_until_it_trips(draw, requests, rate) for _ in range(runs))
    return found[runs // 2], found[round(0.95 * runs)]


@pytest.mark.parametrize(
    ("requests", "rate"),
    [(10, 0.1), (10, 1.0), (40, 0.05), (200, 0.02), (1_000, 0.01), (1_000, 0.5), (10_000, 0.01)],
)
def test_the_judge_takes_as_long_as_forecast(requests: int, rate: float) -> None:
    nats = need(200, Course(5, 120), first=True)
    median, late = percentiles(requests, lambda _: rate)
    assert abs(median - minutes_to_trip(requests, rate, ERRORS, nats, MEDIAN)) <= 2
    assert abs(late - minutes_to_trip(requests, rate, ERRORS, nats)) <= 3


@pytest.mark.parametrize("requests", [200, 4_200, 100_000])
def test_the_judge_finds_a_slow_leak_when_forecast(requests: int) -> None:
    median, _ = percentiles(requests, lambda minute: 0.001 * (minute - 0.5))
    nats = need_any_time(200, Course(5, 120))
    forecast = leak_minutes(requests, 0.001, ERRORS, nats, 1_000)
    assert forecast is not None
    assert abs(median - forecast) <= 2


# steps


@pytest.mark.parametrize(
    ("rps", "sees", "bake"), [(5, 0.36, 86), (100, 0.035, 8), (5000, 0.006, 5)]
)
def test_what_a_step_of_1_percent_sees_in_10_minutes_and_the_bake_that_sees_5_percent(
    rps: float, sees: float, bake: int
) -> None:
    first = forecasts(inputs(rps), USUAL)[0]
    assert first.catches == pytest.approx(sees, rel=0.05)
    assert first.needs_ms == bake * MINUTE


def test_a_total_failure_costs_2_9_minutes_of_the_steps_traffic_at_the_peak() -> None:
    for one in forecasts(inputs(100), USUAL):
        assert one.total == pytest.approx(2.9 * 7_800 * one.stage.weight / FULL, abs=1)


def test_at_the_trough_a_failure_is_seen_later_and_fails_fewer_a_minute() -> None:
    quiet, busy = (inputs(2, trough=rate, peak=rate) for rate in (0.7, 1.3))
    nats = need(200, Course(5, 120), first=True)
    assert harm(inputs(2), 10, 0.5, nats) == max(
        harm(quiet, 10, 0.5, nats), harm(busy, 10, 0.5, nats)
    )


def test_an_overload_costs_what_the_step_adds() -> None:
    found = [one.overload for one in forecasts(inputs(100), USUAL)]
    assert found == [226, 905, 4_524, 5_655, 11_310]


def test_the_same_traffic_in_more_comparisons_is_seen_later() -> None:
    one, two = forecasts(inputs(5), USUAL)[1], forecasts(inputs(5, comparisons=2), USUAL)[1]
    assert one.catches is not None
    assert two.catches is not None
    assert two.catches > one.catches
    assert two.a_minute == one.a_minute / 2


def test_a_step_without_traffic_sees_nothing_and_promises_nothing() -> None:
    (only,) = forecasts(inputs(0.00001), stages((1, 10)))
    assert (only.catches, only.needs_ms, only.leak_caught) == (None, None, False)


@settings(max_examples=60)
@given(RATES, st.floats(1.1, 20), st.sampled_from([1, 10, 100, 500, 1000]))
def test_more_traffic_never_needs_a_longer_bake(
    a_minute: float, times: float, weight: int
) -> None:
    less, more = inputs(a_minute / 60), inputs(times * a_minute / 60)
    for rate in (0.01, 0.05, 1.0):
        few, many = bake_for(less, weight, rate, 9.0), bake_for(more, weight, rate, 9.0)
        assert few is None or (many is not None and many <= few)


# the budget


def test_a_first_step_is_within_the_budget_when_a_total_failure_of_it_is() -> None:
    assert beyond_budget(inputs(100), USUAL, 227) == ()
    assert beyond_budget(inputs(100), USUAL, 225) == (0,)
    assert heaviest_start(inputs(100), USUAL, 500) == 22
    assert heaviest_start(inputs(100), USUAL, 5) == 0


def test_a_later_step_is_beyond_it_when_no_bake_before_sees_what_it_may_cost() -> None:
    # 5 requests a second: a bake of 10 minutes at 1 % only sees a third failing and more
    hasty = stages((1, 10), (25, 10), (100, 15))
    found = forecasts(inputs(5), hasty)
    assert found[1].left == pytest.approx(0.357, abs=0.01)
    assert found[1].blast == pytest.approx(0.357 * 390 * 0.25 * 2.9, rel=0.02)
    assert beyond_budget(inputs(5), hasty, 50) == (1,)
    assert beyond_budget(inputs(5), stages((1, 60), (25, 10), (100, 15)), 50) == ()


def test_what_any_bake_before_has_seen_counts_not_only_the_last() -> None:
    patient = stages((1, 120), (1.1, 5), (25, 30), (100, 15))
    assert 2 not in beyond_budget(inputs(5), patient, 50)


def test_less_than_twice_the_allowed_rate_is_no_part_of_the_budget() -> None:
    assert (
        beyond_budget(inputs(5000), stages((0.1, 60), (0.5, 60), (2, 60), (100, 60)), 1_200) == ()
    )


# schedules


@pytest.mark.parametrize(
    ("rps", "budget", "overload", "steps"),
    [
        (100, 500, 6_000, ((1, 4), (5, 4), (25, 5), (50, 5), (75, 5), (100, 5))),
        (100, 3_000, 6_000, ((5, 4), (25, 4), (50, 4), (75, 4), (100, 5))),
        (5_000, 25_000, 300_000, ((1, 4), (5, 4), (25, 5), (50, 5), (75, 5), (100, 5))),
        # 60 requests take 15 minutes at 1 % of 5 requests a second; two more until they are settled
        (5, 25, 300, ((2, 17), (10, 8), (25, 8), (50, 8), (75, 8), (100, 17))),
    ],
)
def test_the_schedules_of_gating_section_7(
    rps: float, budget: int, overload: int, steps: tuple[tuple[float, int], ...]
) -> None:
    request = ScheduleRequest(
        budget, overload, shortest_ms=4 * MINUTE, sees_leak=False, weights=GATING_WEIGHTS
    )
    found = optimize(inputs(rps), request)
    assert found is not None
    assert found.stages == stages(*steps)


def test_the_last_bake_sees_a_slow_leak_and_bakes_are_no_shorter_than_lint_wants() -> None:
    found = optimize(inputs(100), ScheduleRequest(500, 6_000))
    assert found is not None
    assert min(stage.bake_ms for stage in found.stages) >= 5 * MINUTE
    assert forecasts(inputs(100), found.stages)[-1].leak_caught


@pytest.mark.parametrize(
    ("rps", "comparisons", "held"),
    [(5_000, 1, 50), (100, 1, 50), (100, 10, 120), (24, 1, 50), (23, 1, 60), (10, 1, 120), (6, 1, 200), (5, 1, 0), (1, 1, 0)],
)  # fmt: skip
def test_what_is_held_back_is_the_least_that_stays_a_comparison_at_the_quietest_traffic(
    rps: float, comparisons: int, held: int
) -> None:
    traffic = inputs(rps, comparisons=comparisons).traffic
    assert proposed(traffic) == held
    kept = traffic.trough / comparisons * held / FULL
    assert kept >= 50 or held == 0
    assert held in {0, 50} or kept * (held - 10) / held < 50
    if not held:
        assert traffic.trough / comparisons / 5 < 50


def test_a_hand_over_is_never_more_than_an_overload_may_fail() -> None:
    of = inputs(100)
    for overload in (0, 100, 300, 500, 1_000, 5_000, 10_000):
        held = proposed(of.traffic, bearable(of, overload))
        assert of.harmed(held, of.swift_ms) <= overload
        assert held == 0 or of.traffic.trough * held / FULL >= 50
    assert proposed(of.traffic, bearable(of, 10_000)) == 50
    assert proposed(of.traffic, bearable(of, 500)) == 20


def test_with_something_held_back_the_last_bake_is_below_100_and_the_rest_follows() -> None:
    whole, held = (
        optimize(inputs(100), ScheduleRequest(500, 6_000)),
        optimize(inputs(100), ScheduleRequest(500, 6_000, hold_back=50)),
    )
    assert whole is not None
    assert held is not None
    assert held.stages[-1].weight == 950
    assert held.takes_ms == whole.takes_ms + inputs(100).between_ms


BUDGETS = st.integers(1, 100_000)


@settings(max_examples=15, deadline=None)
@given(RATES, BUDGETS, BUDGETS, st.floats(1.01, 10), st.floats(1.01, 10))
def test_a_smaller_budget_never_gives_a_faster_schedule(
    a_minute: float, budget: int, overload: int, more: float, over: float
) -> None:
    small = optimize(inputs(a_minute / 60), ScheduleRequest(budget, overload))
    large = optimize(
        inputs(a_minute / 60), ScheduleRequest(round(budget * more), round(overload * over))
    )
    if small is not None:
        assert large is not None
        assert large.takes_ms <= small.takes_ms


@settings(max_examples=15, deadline=None)
@given(RATES, BUDGETS, BUDGETS, st.sampled_from([0, 50]))
def test_every_schedule_keeps_every_rule_it_was_made_by(
    a_minute: float, budget: int, overload: int, hold_back: int
) -> None:
    of = inputs(a_minute / 60)
    found = optimize(of, ScheduleRequest(budget, overload, hold_back=hold_back))
    if found is None:
        return
    assert beyond_budget(of, found.stages, budget) == ()
    assert all(one.overload <= overload + 1 for one in forecasts(of, found.stages))
    weights = [stage.weight for stage in found.stages]
    assert weights[-1] == FULL - hold_back
    assert all(a < b <= 5 * a for a, b in pairwise(weights))
    assert 2 <= len(weights) <= 100
    assert all(5 * MINUTE <= stage.bake_ms <= LONGEST_BAKE for stage in found.stages)
    assert all(one.catches is not None for one in forecasts(of, found.stages))


def test_a_horizon_is_twice_the_bakes_and_two_hours_at_least() -> None:
    assert planned_horizon(10 * MINUTE) == 120
    assert planned_horizon(90 * MINUTE) == 180


# answers


def answered(a_minute: float, request: ScheduleRequest, within: int | None = None) -> Infeasible:
    found = solve(inputs(a_minute / 60), request, within)
    assert isinstance(found, Infeasible)
    return found


def test_a_budget_that_not_even_a_tenth_of_a_percent_fits_says_the_smallest_that_does() -> None:
    found = answered(6_000, ScheduleRequest(5, 6_000))
    assert "all of 0.1 % fails" in found.why
    assert found.instead == "the smallest that fits is harmed_requests=23"
    assert isinstance(solve(inputs(100), ScheduleRequest(23, 6_000), None), Schedule)


@pytest.mark.parametrize(("rps", "budget"), [(5_000, 5), (400, 3), (37, 1)])
def test_the_smallest_budget_that_fits_is_the_smallest(rps: float, budget: int) -> None:
    request = ScheduleRequest(budget, round(60 * rps))
    found = solve(inputs(rps), request, None)
    assert isinstance(found, Infeasible)
    smallest = int(found.instead.rpartition("=")[2])
    assert isinstance(solve(inputs(rps), replace(request, budget=smallest), None), Schedule)
    assert isinstance(solve(inputs(rps), replace(request, budget=smallest - 1), None), Infeasible)


def test_an_overload_budget_below_one_percent_says_the_smallest_that_fits() -> None:
    found = answered(6_000, ScheduleRequest(500, 50))
    assert "every raise by 1 %" in found.why
    smallest = int(found.instead.rpartition("=")[2])
    assert isinstance(solve(inputs(100), ScheduleRequest(500, smallest), None), Schedule)


def test_both_budgets_too_small_are_both_named_each_as_small_as_it_can_be() -> None:
    request = ScheduleRequest(500, 2_000, hold_back=50)
    found = answered(300_000, request)
    assert "all of 0.1 % fails" in found.why
    harmed, overload = (int(one) for one in re.findall(r"requests=(\d+)", found.instead))
    of = inputs(5_000)
    assert isinstance(
        solve(of, replace(request, budget=harmed, overload=overload), None), Schedule
    )
    for budget, over in ((harmed - 1, overload), (harmed, overload - 1)):
        other = replace(request, budget=budget, overload=over)
        assert isinstance(solve(of, other, None), Infeasible)
    assert harmed < 1_200


def test_a_hand_over_that_an_overload_budget_does_not_bear_is_the_reason_and_less_of_it_the_way_out() -> (
    None
):
    found = answered(300_000, ScheduleRequest(2_000, 30_000, hold_back=50))
    assert "after the last bake the 5 % of `hold_back` follow in one raise" in found.why
    assert "every raise" not in found.why
    assert "with `hold_back: 2%` overload_requests=30000 is enough" in found.instead
    assert isinstance(solve(inputs(5_000), ScheduleRequest(2_000, 30_000, 20), None), Schedule)


def test_too_little_time_says_the_time_it_takes_and_the_budget_that_would_do() -> None:
    found = answered(6_000, ScheduleRequest(500, 6_000), 45 * MINUTE)
    assert "take 1h" in found.why
    assert "allow --time 1h" in found.instead
    assert "a budget of harmed_requests=" in found.instead
    assert "no larger budget" in answered(6_000, ScheduleRequest(500, 6_000), MINUTE).instead


def test_traffic_that_no_bake_of_two_weeks_can_judge_is_said_to_be_too_little() -> None:
    found = answered(0.001, ScheduleRequest(1_000, 1_000))
    assert "no bake is long enough" in found.why
    assert "too little traffic" in found.instead
