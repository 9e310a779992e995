"""The forecast of a plan: when each step comes, and what it risks."""

from __future__ import annotations

import pytest

from cutover.core.plan.risk import detection_ms
from cutover.core.schedule import ScheduledStep, timeline
from cutover.core.values import MINUTE
from tests.fakes import plan_of


def test_steps_follow_each_other_with_bake_settle_and_two_periods() -> None:
    first, second, third = timeline(plan_of())
    assert first.takes_ms == (10 + 2 + 2) * MINUTE
    assert second.starts_ms == first.starts_ms + first.takes_ms
    assert third.starts_ms == second.starts_ms + second.takes_ms


def at_risk(step: ScheduledStep) -> int | None:
    return None if step.forecast is None else step.forecast.total


def test_a_total_failure_is_over_in_about_three_minutes() -> None:
    assert 2.5 * MINUTE < detection_ms(plan_of()) < 3 * MINUTE


def test_requests_at_risk_are_rate_times_weight_times_detection() -> None:
    plan = plan_of(traffic="6000/min")
    minutes = detection_ms(plan) / MINUTE
    assert [at_risk(step) for step in timeline(plan)] == [
        round(6_000 * weight * minutes) for weight in (0.05, 0.5, 1)
    ]


@pytest.mark.parametrize("rate", [None, 0.0])
def test_without_traffic_the_risk_is_unknown_and_not_zero(rate: float | None) -> None:
    assert [at_risk(step) for step in timeline(plan_of(), rate)] == [None] * 3
    assert timeline(plan_of())[0].requests is None


def test_without_an_errors_gate_nothing_ends_a_failure_and_nothing_is_promised() -> None:
    plan = plan_of(traffic="6000/min", gates=[{"healthy": {"min": 1}}])
    assert [step.forecast for step in timeline(plan)] == [None] * 3


def test_the_measured_rate_wins_over_the_plans_traffic() -> None:
    plan = plan_of(traffic="6000/min")
    assert at_risk(timeline(plan)[0]) == 840
    assert at_risk(timeline(plan, 600.0)[0]) == 84


def test_an_approval_is_part_of_the_forecast() -> None:
    plan = plan_of(
        steps=[{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m", "approve": "sure?"}]
    )
    assert [step.approve for step in timeline(plan)] == ["", "sure?"]
