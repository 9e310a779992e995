"""The forecast of a plan: when each step comes, and what it risks."""

from __future__ import annotations

import pytest

from cutover.core.schedule import detection_ms, harmed, timeline
from cutover.core.values import MINUTE
from tests.fakes import plan_of


def test_steps_follow_each_other_with_bake_settle_and_two_periods() -> None:
    first, second, third = timeline(plan_of())
    assert first.takes_ms == (10 + 2 + 2) * MINUTE
    assert second.starts_ms == first.starts_ms + first.takes_ms
    assert third.starts_ms == second.starts_ms + second.takes_ms


def test_a_total_failure_is_noticed_after_about_three_minutes() -> None:
    assert detection_ms(plan_of()) == 3 * MINUTE


@pytest.mark.parametrize(("weight", "lost"), [(10, 180), (50, 900), (1000, 18_000)])
def test_requests_at_risk_are_rate_times_weight_times_detection(weight: int, lost: int) -> None:
    assert harmed(plan_of(), weight, 6_000) == lost


def test_without_traffic_the_risk_is_unknown_and_not_zero() -> None:
    assert [step.harmed for step in timeline(plan_of())] == [None] * 3
    assert [step.requests for step in timeline(plan_of())] == [None] * 3


def test_the_measured_rate_wins_over_the_plans_traffic() -> None:
    plan = plan_of(traffic="6000/min")
    assert timeline(plan)[0].harmed == 900
    assert timeline(plan, 600.0)[0].harmed == 90
    assert timeline(plan, 0.0)[0].harmed == 0


def test_an_approval_is_part_of_the_forecast() -> None:
    plan = plan_of(
        steps=[{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m", "approve": "sure?"}]
    )
    assert [step.approve for step in timeline(plan)] == ["", "sure?"]
