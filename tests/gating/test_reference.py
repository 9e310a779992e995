"""The clairvoyant: the shortest one-look test under everybody's null."""

from __future__ import annotations

from math import inf

import pytest

from benchmarks.gating.chance import negative_binomial_limit
from benchmarks.gating.reference import ALPHA, EVEN, STANDARDS, Expected, delay, fires, variation
from benchmarks.gating.scenarios import SCENARIOS, WEIGHTS, Course
from benchmarks.gating.world import World

ERRORS, RELATIVE = STANDARDS["errors"], STANDARDS["relative"]


def course() -> Course:
    made = Course()
    for step, weight in enumerate(WEIGHTS):
        made.move(10.0 * step, weight)
    return made


def test_it_fires_as_soon_as_the_expected_count_passes_the_null_s_limit() -> None:
    limit = negative_binomial_limit(6000 * 0.002, 2 / 0.5**2, ALPHA * ERRORS.share)
    enough, even, short = 1.5 * limit / 6000, 1.1 * limit / 6000, 0.9 * limit / 6000
    assert fires(ERRORS, 0.5, [Expected(3000, enough, 0.002)] * 2)
    assert not fires(ERRORS, 0.5, [Expected(3000, even, 0.002)] * 2)
    assert fires(ERRORS, 0.5, [Expected(3000, even, 0.002)] * 2, EVEN)
    assert not fires(ERRORS, 0.5, [Expected(3000, short, 0.002)] * 2, EVEN)


def test_one_minute_below_the_fast_rate_never_fires_alone() -> None:
    assert not fires(ERRORS, 0.5, [Expected(300_000, 0.049, 0.002)])
    assert fires(ERRORS, 0.5, [Expected(300_000, 0.05, 0.002)])
    assert fires(ERRORS, 0.5, [Expected(300_000, 0.049, 0.002)] * 2)
    assert not fires(RELATIVE, 0.4, [Expected(300_000, 0.45, 0.05)])


def test_it_never_fires_on_what_is_allowed() -> None:
    assert not fires(ERRORS, 0.5, [Expected(300_000, 0.002, 0.002)] * 60)


def test_a_wider_null_needs_more_minutes() -> None:
    minutes = [Expected(3000, 0.005, 0.002)]
    tight = next(n for n in range(1, 60) if fires(ERRORS, 0.25, minutes * n))
    wide = next(n for n in range(1, 60) if fires(ERRORS, 1.0, minutes * n))
    assert tight < wide


def test_the_allowed_rate_follows_the_source_up_to_the_cap() -> None:
    assert ERRORS.allowed(0.0005) == 0.002
    assert ERRORS.allowed(0.003) == pytest.approx(0.006)
    assert ERRORS.allowed(0.008) == 0.01
    assert ERRORS.allowed(0.02) == pytest.approx(0.04)


def test_more_traffic_and_larger_defects_are_known_sooner() -> None:
    found = {
        (name, rate): delay(World(SCENARIOS[name], rate, 0), course(), 0.25)
        for name in ("err1", "err50")
        for rate in (5.0, 5000.0)
    }
    assert all(value is not None and value < inf for value in found.values())
    assert found["err1", 5.0] > found["err1", 5000.0] >= found["err50", 5000.0]  # type: ignore[operator]


def test_the_delay_counts_publication_and_half_a_poll() -> None:
    world = World(SCENARIOS["err50"], 5000.0, 2)
    assert delay(world, course(), 0.25) == world.whole_at(0) + 0.125


def test_before_the_defect_there_is_nothing_to_know() -> None:
    made = Course()
    made.move(0.0, 0.01)
    assert delay(World(SCENARIOS["late5"], 100.0, 0), made, 0.25) is None


def test_the_measured_variation_is_the_judge_s_own_and_no_less_than_the_default_for_latency() -> (
    None
):
    found = variation(World(SCENARIOS["null"], 5000.0, 0))
    assert 0.25 <= found["errors"] <= 1.0
    assert found["relative"] >= 0.4
    assert found["absolute"] >= 0.5
