"""The simulated world has the moments it says it has, and the same luck for whoever looks."""

from __future__ import annotations

from statistics import fmean, pstdev

import pytest

from benchmarks.gating import latency
from benchmarks.gating.chance import (
    binomial,
    negative_binomial_above,
    negative_binomial_limit,
    poisson,
    surely_above,
    upper_bound,
)
from benchmarks.gating.rows import SLOWER_THAN_TAU, cut
from benchmarks.gating.scenarios import SCENARIOS, WEIGHTS, Course, Kind, of_kind
from benchmarks.gating.world import World

GRID = [(i + 0.5) / 2000 for i in range(2000)]


def course(step_minutes: float = 10.0) -> Course:
    made = Course()
    for step, weight in enumerate(WEIGHTS):
        made.move(step * step_minutes, weight)
    return made


@pytest.mark.parametrize(
    ("n", "p"), [(3, 0.5), (60, 0.01), (3000, 0.002), (300_000, 0.05), (50, 0.97)]
)
def test_a_binomial_quantile_has_the_mean_and_spread_of_the_binomial(n: int, p: float) -> None:
    counts = [binomial(u, n, p) for u in GRID]
    assert fmean(counts) == pytest.approx(n * p, rel=0.02)
    assert pstdev(counts) == pytest.approx((n * p * (1 - p)) ** 0.5, rel=0.05)
    assert counts == sorted(counts)
    assert 0 <= counts[0] <= counts[-1] <= n


@pytest.mark.parametrize("mean", [0.06, 3.0, 24.0, 26.0, 6000.0])
def test_a_poisson_quantile_has_its_mean_and_variance(mean: float) -> None:
    counts = [poisson(u, mean) for u in GRID]
    assert fmean(counts) == pytest.approx(mean, rel=0.02)
    assert pstdev(counts) ** 2 == pytest.approx(mean, rel=0.08)


def test_a_negative_binomial_limit_is_the_smallest_that_keeps_alpha() -> None:
    limit = negative_binomial_limit(6.0, 4.0, 0.005)
    assert negative_binomial_above(6.0, 4.0, limit) <= 0.005
    assert negative_binomial_above(6.0, 4.0, limit - 1) > 0.005


def test_the_tail_of_a_large_negative_binomial_goes_on_where_the_exact_one_ends() -> None:
    exact = negative_binomial_above(2500.0, 4.0, 4000)
    approximate = negative_binomial_above(2500.0, 4.0, 4001)
    assert approximate == pytest.approx(exact, rel=0.05)


def test_forty_runs_forgive_two_rollbacks_and_not_three() -> None:
    assert not surely_above(2, 40, 0.01)
    assert surely_above(3, 40, 0.01)
    assert upper_bound(0, 1320) == pytest.approx(1 - 0.05 ** (1 / 1320), rel=1e-6)


def test_latency_has_the_percentiles_it_is_named_after() -> None:
    assert latency.slower(latency.P95_MS) == pytest.approx(0.05, rel=0.01)
    assert latency.slower(latency.P99_MS) == pytest.approx(0.01, rel=0.01)
    assert latency.quantile(0.05) == pytest.approx(latency.P95_MS, rel=0.01)


def worlds(name: str, rate: float, count: int) -> list[World]:
    return [World(SCENARIOS[name], rate, run) for run in range(count)]


def test_error_rates_and_their_spread_are_those_of_the_scenario() -> None:
    rates = [
        row.e_b / row.n_b
        for world in worlds("null", 5000.0, 12)
        for row in (world.row(t, Course()) for t in range(-60, 0))
    ]
    own_and_shared = ((1 + 0.35**2) * (1 + 0.20**2) - 1) ** 0.5
    assert fmean(rates) == pytest.approx(0.001, rel=0.06)
    assert pstdev(rates) / fmean(rates) == pytest.approx(own_and_shared, rel=0.15)


def test_both_sides_share_a_part_of_their_noise() -> None:
    half = Course()
    half.move(-100.0, 0.5)
    comparisons = [
        (row.e_b / row.n_b, row.e_c / row.n_c)
        for world in worlds("null", 5000.0, 12)
        for row in (world.row(t, half) for t in range(60))
    ]
    mean_b, mean_c = fmean(b for b, _ in comparisons), fmean(c for _, c in comparisons)
    covariance = fmean((b - mean_b) * (c - mean_c) for b, c in comparisons)
    assert covariance / (mean_b * mean_c) == pytest.approx(0.2**2, rel=0.5)


def test_minutes_come_as_late_and_as_partial_as_it_is_said() -> None:
    some = worlds("null", 100.0, 40)
    late = [next(d for d in range(3) if w.shown(t, t + 1 + d)) for w in some for t in range(60)]
    assert [late.count(d) / len(late) for d in range(3)] == pytest.approx(
        [0.35, 0.5, 0.15], abs=0.03
    )
    first = [w.shown(t, t + 1 + d) for w in some for t in range(60) for d in (2,)]
    assert all(first)
    young = [
        shown
        for w, t, d in ((w, t, d) for w in some for t in range(60) for d in range(3))
        if (shown := w.shown(t, t + 1 + d)) and not (d and w.shown(t, t + d))
    ]
    partial = [shown for shown in young if shown[0] < 1.0]
    assert len(partial) / len(young) == pytest.approx(0.30, abs=0.03)
    assert sum(errors for _, errors in partial) / len(partial) == pytest.approx(1 / 3, abs=0.07)


def test_a_minute_half_published_never_invents_requests() -> None:
    world = World(SCENARIOS["err5"], 5000.0, 0)
    row = world.row(20, course())
    part = cut(row, 0.4, all_errors=False)
    assert part.n_c < row.n_c
    assert part.e_c <= row.e_c
    assert part.n_c >= part.e_c + part.u_c
    early = cut(row, 0.4, all_errors=True)
    assert early.e_c == row.e_c


def test_the_weight_decides_who_gets_the_requests_and_nothing_else() -> None:
    world = World(SCENARIOS["null"], 100.0, 3)
    before = world.row(5, course())
    world.row(5, course(2.0))
    assert world.row(5, course()) == before
    other = World(SCENARIOS["null"], 100.0, 3).row(5, course(2.0))
    assert other.n_b + other.n_c == before.n_b + before.n_c
    assert other.n_c > before.n_c


def test_the_same_run_is_the_same_day_in_every_scenario() -> None:
    null, defect = World(SCENARIOS["null"], 100.0, 7), World(SCENARIOS["err5"], 100.0, 7)
    a, b = null.row(12, course()), defect.row(12, course())
    assert (a.n_b, a.e_b, a.tau_b, a.n_c) == (b.n_b, b.e_b, b.tau_b, b.n_c)
    assert b.e_c > a.e_c


def test_in_an_outage_requests_are_counted_and_nobody_answers() -> None:
    row = World(SCENARIOS["outage"], 100.0, 0).row(15, course())
    assert row.u_c == row.n_c > 0
    assert row.e_c == row.tau_c == 0


def test_at_the_edge_the_destination_is_exactly_at_both_tolerances() -> None:
    rows = [w.row(t, course()) for w in worlds("edge", 5000.0, 10) for t in range(30, 40)]
    errors_b, errors_c = (
        sum(r.e_b for r in rows) / sum(r.n_b for r in rows),
        sum(r.e_c for r in rows) / sum(r.n_c for r in rows),
    )
    assert errors_c / errors_b == pytest.approx(2.0, rel=0.2)
    slow = sum(r.tau_c for r in rows) / sum(r.n_c for r in rows)
    assert slow == pytest.approx(latency.slower(SLOWER_THAN_TAU, 1.25), rel=0.15)


def test_harm_is_counted_from_the_onset_until_the_traffic_is_back() -> None:
    world = World(SCENARIOS["late5"], 100.0, 0)
    made = course()
    assert world.onset(made) == 33.0
    assert world.harm(made, 33.0) == 0.0
    requests = sum(world.total(t) for t in (33, 34))
    assert world.harm(made, 35.0) == pytest.approx(0.05 * 0.5 * requests)


def test_a_healthy_scenario_harms_nobody() -> None:
    for scenario in of_kind(Kind.HEALTHY, Kind.APART, Kind.STRESS):
        assert World(scenario, 100.0, 0).harm(course(), 60.0) == 0.0


def test_shared_incidents_begin_later_than_five_minutes_after_a_raise_unless_counted_apart() -> (
    None
):
    made = course()
    for name in ("both5", "both40", "source", "both5@100", "both40@100", "both5<5m", "both40<5m"):
        for run in range(50):
            onset = World(SCENARIOS[name], 5.0, run).onset(made)
            assert onset is not None
            age = made.since_change(onset)
            assert (0 < age < 5) if name.endswith("<5m") else (5 < age < 10)


def test_later_raises_meet_the_same_incident_at_the_same_age_of_the_step() -> None:
    world = World(SCENARIOS["both5"], 5.0, 1)
    fast, slow = course(), course(14.0)
    found = [(made, world.onset(made)) for made in (fast, slow)]
    ages = [made.since_change(onset) for made, onset in found if onset is not None]
    assert ages[0] == pytest.approx(ages[1])
