"""What counts as harmed: what the destination did to requests that the source would have served well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cutover.core.values import MINUTE
from cutover.emulator.scenario import Scenario
from tests.emulator.worlds import both_moved, metric, small_plan, world

TEN_MINUTES = 30_000
"""Requests of the destination in ten minutes at half of 6000 a minute, about."""
FLAT: Mapping[str, Any] = {"swing": "0%"}
LATENCY = [{"latency": {"percentile": 95, "max": "800ms", "versus_source": {"ratio": 1.25}}}]


def harmed(
    facts: Mapping[str, Any], *, gates: object = None, minutes: int = 10
) -> tuple[int, int]:
    """(failed, slow) after some minutes at 50 %."""
    plan = small_plan(gates=gates) if gates is not None else None
    with world({"traffic": FLAT, **facts}, plan=plan) as made:
        both_moved(made, 50)
        made.clock.sleep(minutes * MINUTE)
        truth = made.truth()
        return truth.harmed - truth.slow, truth.slow


@pytest.mark.parametrize(
    "traffic",
    [
        {},
        {"errors": "0.5%", "noise": "100%"},
        {"errors": "0.1%", "bursts": "50%"},
        {"destination_latency": 1.2, "errors": "0%"},
    ],
)
def test_a_service_within_its_usual_noise_harms_nobody(traffic: Mapping[str, Any]) -> None:
    assert harmed({"traffic": {**FLAT, **traffic}}, gates=LATENCY) == (0, 0)


def test_what_the_source_suffers_too_is_not_the_destinations_doing() -> None:
    both = {"effects": [{"side": "both", "errors": "5%", "latency_factor": 4}]}
    assert harmed(both, gates=LATENCY) == (0, 0)


def test_of_a_shared_trouble_only_the_worse_part_counts() -> None:
    failed, _ = harmed(
        {"effects": [{"side": "both", "errors": "3%"}, {"side": "destination", "errors": "3%"}]}
    )
    assert failed == pytest.approx(0.03 * TEN_MINUTES, rel=0.2)


def test_a_destination_that_fails_twice_as_often_harms_every_second_of_its_failures() -> None:
    failed, _ = harmed({"traffic": {**FLAT, "errors": "2%", "destination_errors": 2}}, minutes=30)
    assert failed == pytest.approx(0.02 * 3 * TEN_MINUTES, rel=0.2)


@pytest.mark.parametrize("kind", ["errors", "elb_502", "elb_503", "elb_504", "unanswered"])
def test_it_does_not_matter_how_a_request_fails(kind: str) -> None:
    failed, _ = harmed({"effects": [{kind: "10%"}]})
    assert failed == pytest.approx(0.10 * TEN_MINUTES, rel=0.15)


def test_an_answer_of_4xx_is_an_answer() -> None:
    assert harmed({"effects": [{"client_errors": "30%"}]}) == (0, 0)


def test_slow_answers_count_beyond_what_the_plan_lets_be_slow() -> None:
    _, slow = harmed({"effects": [{"slow": "30%", "slow_to": "5s"}]}, gates=LATENCY)
    assert slow == pytest.approx(
        0.28 * TEN_MINUTES, rel=0.15
    )  # 30 % and the usual tail, 5 % may be


def test_without_a_latency_gate_no_answer_is_too_slow() -> None:
    gates = [{"errors": {"max": "1%"}}]
    assert harmed({"effects": [{"latency_factor": 10}]}, gates=gates) == (0, 0)


def test_counting_harm_changes_nothing_that_is_counted() -> None:
    facts = {"effects": [{"errors": "5%"}, {"side": "source", "errors": "2%"}]}
    with world(facts, plan=small_plan(gates=LATENCY)) as one, world(facts) as other:
        for made in (one, other):
            both_moved(made, 50)
            made.clock.sleep(10 * MINUTE)
        name = "HTTPCode_Target_5XX_Count"
        assert metric(one, name) == metric(other, name)


def test_bursts_are_minutes_of_many_times_the_usual_errors_and_rare() -> None:
    with world({"traffic": {**FLAT, "errors": "1%", "noise": "1%", "bursts": "10%"}}) as made:
        made.clock.sleep(60 * MINUTE)
        counts = metric(made, "HTTPCode_Target_5XX_Count", minutes=110, until=3)
    usual = [count for count in counts.values() if count < 150]
    assert 0.75 < len(usual) / len(counts) < 0.99
    assert max(counts.values()) > 5 * 60 * 0.8


def test_errors_can_be_published_long_before_the_requests_they_belong_to() -> None:
    facts = {
        "traffic": {**FLAT, "errors": "2%"},
        "effects": [{"when": {"step": 1}, "side": "source", "errors_first": "2%"}],
    }
    with world(facts) as made:
        both_moved(made, 5)
        made.clock.sleep(5 * MINUTE)
        made.clock.run_until(made.clock.ms // MINUTE * MINUTE + 40_000)
        group = made.plan.routes[0].source
        requests = metric(made, "RequestCount", group=group, minutes=5)
        errors = metric(made, "HTTPCode_Target_5XX_Count", group=group, minutes=5)
    newest = max(requests)
    assert requests[newest] < 0.05 * requests[min(requests)]
    assert errors[newest] > 0.25 * errors[min(errors)]


def test_a_scenario_that_says_a_part_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="errors_first"):
        Scenario.model_validate({"description": "x", "effects": [{"errors_first": "0%"}]})
