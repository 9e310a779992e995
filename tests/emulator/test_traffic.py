"""Traffic follows weights, and CloudWatch follows traffic, each with its delay."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.emulator.balancer import forward
from cutover.emulator.world import World
from tests.emulator.worlds import (
    DESTINATION,
    LISTENER,
    MINUTE,
    RULE,
    SOURCE,
    both_moved,
    counts,
    metric,
    moved,
    small_plan,
    world,
)


def share(made: World, minutes: int = 15) -> float:
    mine, theirs = (
        counts(made, "RequestCount", group, minutes=minutes) for group in (DESTINATION, SOURCE)
    )
    return mine / (mine + theirs)


def test_all_requests_go_to_the_source_before_anything_is_moved() -> None:
    with world() as made:
        assert counts(made, "RequestCount", SOURCE) == pytest.approx(20 * 6000, rel=0.2)
        assert metric(made, "RequestCount", group=DESTINATION) == {}
        assert made.truth().requests == 0


def test_the_share_follows_the_weight_of_both_routes() -> None:
    with world() as made:
        both_moved(made, 25)
        made.clock.sleep(25 * MINUTE)
        assert share(made) == pytest.approx(0.25, abs=0.01)


def test_a_weight_on_one_of_two_routes_moves_half_as_much() -> None:
    with world() as made:
        moved(made, 20, RULE)
        made.clock.sleep(25 * MINUTE)
        assert share(made) == pytest.approx(0.10, abs=0.01)


def test_a_weight_takes_its_time_to_reach_the_data_plane() -> None:
    with world({"propagation": "4m"}) as made:
        both_moved(made, 50)
        made.clock.sleep(3 * MINUTE)
        assert made.truth().weights == {RULE: 500, LISTENER: 500}
        assert made.truth().in_force == {RULE: 0, LISTENER: 0}
        assert made.truth().requests == 0
        made.clock.sleep(2 * MINUTE)
        assert made.truth().in_force == {RULE: 500, LISTENER: 500}
        assert made.truth().requests > 1000


def test_a_minute_is_published_in_two_parts() -> None:
    with world() as made:
        made.clock.sleep(20_000)
        assert "00:29" not in metric(made, "RequestCount", group=SOURCE)
        made.clock.sleep(10_000)
        early = metric(made, "RequestCount", group=SOURCE)["00:29"]
        assert "00:29" not in metric(made, "HTTPCode_Target_2XX_Count", group=SOURCE)
        made.clock.sleep(80_000)
        assert metric(made, "RequestCount", group=SOURCE)["00:29"] == pytest.approx(
            early / 0.6, rel=0.01
        )
        assert "00:29" in metric(made, "HTTPCode_Target_2XX_Count", group=SOURCE)


def test_answers_of_a_healthy_side_add_up_to_its_requests() -> None:
    with world() as made:
        made.clock.sleep(30 * MINUTE)
        answered = sum(counts(made, f"HTTPCode_Target_{code}XX_Count", SOURCE) for code in "2345")
        requests = counts(made, "RequestCount", SOURCE)
        assert 0.9999 * requests < answered <= requests
        assert counts(made, "HTTPCode_Target_5XX_Count", SOURCE) / requests == pytest.approx(
            0.0002, rel=0.7
        )


def test_errors_are_reported_only_in_minutes_that_had_some() -> None:
    with world({"traffic": {"errors": "0.002%"}}) as made:
        made.clock.sleep(30 * MINUTE)
        errors = metric(made, "HTTPCode_Target_5XX_Count", group=SOURCE)
        assert len(errors) < 25
        assert all(value > 0 for value in errors.values())


def test_target_errors_show_on_the_group_and_elb_errors_only_on_the_balancer() -> None:
    facts = {"effects": [{"errors": "5%", "elb_504": "3%", "when": {"step": 1}}]}
    with world(facts) as made:
        both_moved(made, 50)
        made.clock.sleep(25 * MINUTE)
        requests = counts(made, "RequestCount", DESTINATION)
        assert counts(made, "HTTPCode_Target_5XX_Count", DESTINATION) / requests == pytest.approx(
            0.05, rel=0.1
        )
        timeouts = sum(metric(made, "HTTPCode_ELB_504_Count", minutes=23, until=3).values())
        assert timeouts / requests == pytest.approx(0.03, rel=0.1)
        assert metric(made, "HTTPCode_ELB_504_Count", group=DESTINATION) == {}
        unanswered = requests - sum(
            counts(made, f"HTTPCode_Target_{c}XX_Count", DESTINATION) for c in "2345"
        )
        assert unanswered / requests == pytest.approx(0.03, rel=0.1)


def test_a_503_without_a_target_is_in_no_request_count() -> None:
    with world({"effects": [{"elb_503": "100%", "when": {"step": 1}}]}) as made:
        both_moved(made, 50)
        made.clock.sleep(20 * MINUTE)
        assert metric(made, "RequestCount", group=DESTINATION, minutes=15) == {}
        assert sum(metric(made, "HTTPCode_ELB_503_Count", minutes=13, until=3).values()) > 20_000
        assert made.harm > 20_000


def test_a_group_without_targets_answers_503_whatever_the_scenario_says() -> None:
    with world({"twin": {"destination_targets": 0}}) as made:
        both_moved(made, 10)
        made.clock.sleep(10 * MINUTE)
        assert metric(made, "RequestCount", group=DESTINATION) == {}
        assert made.harm > 3000


def test_harm_counts_what_the_destination_failed_and_not_what_fails_anyway() -> None:
    with world({"effects": [{"errors": "5%", "when": {"step": 1}, "lasts": "10m"}]}) as made:
        both_moved(made, 10)
        made.clock.sleep(30 * MINUTE)
        requests_in_ten_minutes = counts(made, "RequestCount", DESTINATION, minutes=10)
        assert made.harm == pytest.approx(0.05 * requests_in_ten_minutes, rel=0.25)


def test_latency_has_the_median_and_the_p95_that_were_asked_for() -> None:
    with world() as made:
        assert metric(made, "TargetResponseTime", "p50", group=SOURCE, period=1800)[
            "00:00"
        ] == pytest.approx(0.061, abs=0.004)
        assert metric(made, "TargetResponseTime", "p95", group=SOURCE, period=1800)[
            "00:00"
        ] == pytest.approx(0.170, abs=0.01)


def test_counts_above_a_limit_agree_with_the_percentile() -> None:
    with world() as made:
        made.clock.sleep(30 * MINUTE)
        slow = sum(
            metric(
                made, "TargetResponseTime", "TC(0.17:)", group=SOURCE, minutes=23, until=3
            ).values()
        )
        all_of_them = sum(
            metric(
                made, "TargetResponseTime", "SampleCount", group=SOURCE, minutes=23, until=3
            ).values()
        )
        assert slow / all_of_them == pytest.approx(0.05, abs=0.006)
        slower = sum(
            metric(
                made, "TargetResponseTime", "TC(0.5:)", group=SOURCE, minutes=23, until=3
            ).values()
        )
        assert slower < slow


def test_a_slow_destination_is_slow_in_every_statistic() -> None:
    with world({"effects": [{"latency_factor": 3, "when": {"step": 1}}]}) as made:
        both_moved(made, 50)
        made.clock.sleep(25 * MINUTE)
        theirs = metric(
            made, "TargetResponseTime", "p95", group=SOURCE, minutes=20, until=5, period=900
        )
        mine = metric(
            made, "TargetResponseTime", "p95", group=DESTINATION, minutes=20, until=5, period=900
        )
        assert next(iter(mine.values())) == pytest.approx(3 * next(iter(theirs.values())), rel=0.1)


def test_sticky_clients_outlive_a_rollback_unless_stickiness_is_turned_off() -> None:
    def write(made: World, weight: int, *, sticky: bool) -> None:
        action = forward(
            {SOURCE: 100 - weight, DESTINATION: weight}, sticky_seconds=3600 if sticky else 0
        )
        made.session.client("elbv2").modify_rule(RuleArn=RULE, Actions=[action])

    with world({"twin": {"sticky": "1h"}}) as made:
        write(made, 50, sticky=True)
        made.clock.sleep(120 * MINUTE)
        write(made, 0, sticky=True)
        made.clock.sleep(5 * MINUTE)
        at_first = sum(made.truth().residual.values())
        made.clock.sleep(20 * MINUTE)
        later = sum(made.truth().residual.values())
        assert at_first > 500
        assert later == pytest.approx(at_first / 2, rel=0.15)
        write(made, 0, sticky=False)
        made.clock.sleep(MINUTE)
        assert sum(made.truth().residual.values()) == 0


def test_a_silent_group_publishes_nothing_while_the_balancer_counts_on() -> None:
    with world({"effects": [{"metrics_quiet": True, "when": {"step": 1}}]}) as made:
        both_moved(made, 50)
        made.clock.sleep(15 * MINUTE)
        assert metric(made, "RequestCount", group=DESTINATION) == {}
        assert len(metric(made, "RequestCount", minutes=10)) >= 8


def test_a_third_group_keeps_its_share() -> None:
    with world({"twin": {"third_group": 100}}) as made:
        made.clock.sleep(20 * MINUTE)
        everything = sum(metric(made, "RequestCount", minutes=13, until=3).values())
        assert counts(made, "RequestCount", SOURCE, minutes=10) / everything == pytest.approx(
            0.5, abs=0.02
        )


def test_the_plans_own_metric_grows_with_the_destinations_requests_and_its_alarm_exists() -> None:
    gates = [
        {"errors": {"max": "1%"}},
        {
            "metric": {
                "name": "logs",
                "namespace": "AWS/Logs",
                "metric": "IncomingBytes",
                "dimensions": {"LogGroupName": "/eks/x"},
                "max": 1,
            }
        },
        {"alarm": {"name": "slo"}},
    ]
    with world(
        {"effects": [{"alarm": "slo", "when": {"step": 1}, "lasts": "5m"}]},
        plan=small_plan(gates=gates),
    ) as made:

        def alarm() -> Any:
            return made.session.client("cloudwatch").describe_alarms(AlarmNames=["slo", "none"])[
                "MetricAlarms"
            ]

        assert [a["StateValue"] for a in alarm()] == ["OK"]
        both_moved(made, 5)
        made.clock.sleep(MINUTE)
        assert [a["StateValue"] for a in alarm()] == ["ALARM"]
        made.clock.sleep(9 * MINUTE)
        assert [a["StateValue"] for a in alarm()] == ["OK"]
        written = made.store.read(
            ("AWS/Logs", "IncomingBytes", frozenset({("LogGroupName", "/eks/x")})), "Sum",
            period_ms=MINUTE, start_ms=made.clock.ms - 8 * MINUTE, end_ms=made.clock.ms - 3 * MINUTE, now_ms=made.clock.ms,
        )  # fmt: skip
        per_request = sum(written.values()) / counts(made, "RequestCount", DESTINATION, minutes=5)
        assert per_request == pytest.approx(600, rel=0.25)


def test_one_seed_is_one_world_and_another_seed_is_another() -> None:
    def view(seed: int) -> Any:
        with world({"effects": [{"errors": "2%", "when": {"step": 1}}]}, seed=seed) as made:
            both_moved(made, 10)
            made.clock.sleep(30 * MINUTE)
            answer = made.session.client("elbv2").describe_rules(RuleArns=[RULE])
            return made.truth(), metric(made, "RequestCount", group=DESTINATION), answer

    assert view(7) == view(7)
    assert view(7)[1] != view(8)[1]
