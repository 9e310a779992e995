"""healthy, capacity, metric and alarm."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cutover.core.gates import GATES, Verdict
from cutover.core.observation import NOT_ASKED, AlarmState, Known, Minute, Unknown
from cutover.core.values import MINUTE
from tests.core.gates.world import (
    COMPARISON,
    GONE,
    METRIC,
    NOW,
    UNREAD,
    Bench,
    alarm,
    group,
    health,
    minute_of,
)

BREACH, UNKNOWN, WAITING, PASS = Verdict.BREACH, Verdict.UNKNOWN, Verdict.WAITING, Verdict.PASS


@pytest.mark.parametrize(
    ("reading", "verdict", "why"),
    [
        (alarm(AlarmState.OK), PASS, "alarm checkout-slo-burn is OK"),
        (alarm(AlarmState.ALARM), BREACH, "alarm checkout-slo-burn is in ALARM"),
        (
            alarm(AlarmState.INSUFFICIENT_DATA),
            UNKNOWN,
            "alarm checkout-slo-burn has insufficient data",
        ),
        (alarm(AlarmState.MISSING), UNKNOWN, "alarm checkout-slo-burn does not exist"),
        (Known({}, NOW), UNKNOWN, "alarm checkout-slo-burn does not exist"),
        (Unknown("throttled"), UNKNOWN, "alarm checkout-slo-burn could not be read: throttled"),
        (NOT_ASKED, UNKNOWN, "alarm checkout-slo-burn was not read"),
        (None, UNKNOWN, "alarm checkout-slo-burn was not read"),
    ],
)
def test_an_alarm_passes_only_when_it_was_read_and_is_ok(
    reading: Any, verdict: Verdict, why: str
) -> None:
    judgement = Bench("alarm", alarms=reading).says()
    assert (judgement.verdict, judgement.why) == (verdict, why)


@pytest.mark.parametrize(
    ("state", "verdict", "response", "why"),
    [
        (
            health(4),
            PASS,
            "",
            "4 of 4 targets of the destination are healthy in 2 zones (a: 2, c: 2)",
        ),
        (
            health(2, total=4, reasons={"unhealthy/Target.Timeout": 2}),
            BREACH,
            "hold",
            "2 of 4 targets of the destination are healthy, needs 3 (2 unhealthy/Target.Timeout)",
        ),
        (
            health(4, {"a": 4, "c": 0}),
            BREACH,
            "hold",
            "healthy targets of the destination in 1 zones (a: 4), needs 2",
        ),
        (
            health(0, total=4),
            BREACH,
            "",
            "the destination has no healthy target: none of 4 targets is healthy",
        ),
        (health(0), BREACH, "", "the destination has no healthy target: no target is registered"),
        (
            health(4, {"?": 4}),
            UNKNOWN,
            "",
            "AWS names no zone for 4 healthy targets of the destination, needs 2 zones",
        ),
        (
            {COMPARISON.destination: Unknown("throttled")},
            UNKNOWN,
            "",
            "the destination's health could not be read: throttled",
        ),
        ({}, UNKNOWN, "", "the destination's health was not read"),
    ],
)
def test_health_now(state: Any, verdict: Verdict, response: str, why: str) -> None:
    judgement = Bench("healthy", health=state).says()
    assert (judgement.verdict, judgement.on_breach, judgement.why) == (verdict, response, why)


def test_one_zone_needs_no_name() -> None:
    assert Bench("healthy", {"min": 1}, health=health(2, {"?": 2})).says().verdict is PASS


def test_the_zones_are_among_the_facts() -> None:
    assert Bench("healthy", health=health(5)).says().facts["zone.a"] == 3


def test_a_shortage_rolls_back_where_the_plan_says_so() -> None:
    judgement = Bench("healthy", {"min": 3, "on_shortage": "rollback"}, health=health(2)).says()
    assert judgement.on_breach == "rollback"


def loads(count: int = 5, destination: object = 600, source: object = 5400) -> list[Minute]:
    return [
        minute_of(at, group("source", source), group("destination", destination))
        for at in range(count)
    ]


def test_capacity_stops_the_raise_that_would_overload() -> None:
    feed = Bench("capacity", health=health(10), next_weight=500).feed(loads())
    judgement = feed.says()
    assert judgement.verdict is BREACH
    assert judgement.why == "50 % would bring 300/min to each of 10 healthy targets, limit 200/min"
    assert judgement.facts["requests_projected"] == 3000
    assert feed.spec.on_breach == "hold"


def test_capacity_allows_the_raise_that_fits() -> None:
    assert (
        Bench("capacity", health=health(10), next_weight=250).feed(loads()).says().verdict is PASS
    )


def test_capacity_sees_an_overload_now() -> None:
    judgement = Bench("capacity", health=health(2)).feed(loads()).says()
    assert (judgement.verdict, judgement.why) == (
        BREACH,
        "each of 2 healthy targets gets 300/min, limit 200/min",
    )


def test_after_the_last_step_only_now_counts() -> None:
    feed = Bench("capacity", health=health(40), weight=1000, next_weight=None).feed(
        loads(5, 6000, GONE)
    )
    assert feed.says().verdict is PASS


def test_capacity_without_a_healthy_target_is_a_breach_once_there_is_a_request() -> None:
    assert Bench("capacity", health=health(0)).feed(loads()).says().verdict is BREACH
    idle = Bench("capacity", health=health(0), weight=0, next_weight=None).feed(loads(5, GONE))
    assert idle.says().verdict is PASS


def test_capacity_needs_health_and_recent_requests() -> None:
    feed = Bench("capacity")
    assert feed.says().verdict is WAITING
    assert (
        feed.feed(minute_of(0, group("source", GONE), group("destination", GONE))).says().verdict
        is WAITING
    )
    feed.feed(loads())
    assert feed.says(health={COMPARISON.destination: Unknown("denied")}).why.endswith(
        "is not known: denied"
    )
    assert feed.says(health={}).verdict is UNKNOWN
    assert feed.restart().says().verdict is WAITING
    feed.feed(loads())
    feed.newest_ms += 40 * MINUTE
    assert feed.says().why == "the newest minute with requests is 43 minutes old"
    feed.feed(minute_of(9, group("source", UNREAD), group("destination", 600)))
    assert feed.says().verdict is UNKNOWN


def volume(at: int, requests: object, per_request: object, **more: Any) -> Minute:
    total = (
        per_request
        if not isinstance(per_request, int) or not isinstance(requests, int)
        else per_request * requests
    )
    value = {"custom.log-volume": total}
    return minute_of(at, group("source", 5400), group("destination", requests), value, **more)


def test_a_log_storm_is_a_breach_per_request() -> None:
    feed = Bench("metric").feed(volume(at, 60, 900_000) for at in range(10))
    assert feed.says().verdict is PASS
    feed.step(10).feed(volume(10 + at, 300, 900_000) for at in range(3))
    assert feed.says().verdict is PASS
    feed.feed([volume(13, 300, 4_000_000), volume(14, 300, 18_000_000)])
    judgement = feed.says()
    assert judgement.verdict is BREACH
    assert judgement.why == (
        "log-volume reached 18,000 per request, limit 2,700 (baseline 900) in 2 of 3 minutes"
    )


def test_one_noisy_minute_is_watched() -> None:
    feed = Bench("metric").feed(
        [*(volume(at, 60, 900_000) for at in range(10)), volume(10, 60, 9_000_000)]
    )
    judgement = feed.says()
    assert (judgement.verdict, judgement.why.endswith("watching")) == (WAITING, True)
    assert judgement.suspects
    assert not feed.feed(volume(11, 60, 900_000)).says().suspects


def test_minutes_before_the_first_raise_are_the_baseline_when_there_are_any() -> None:
    feed = Bench("metric").before(*(volume(at, 60, 100_000) for at in range(-5, 0)))
    assert feed.feed(volume(at, 60, 900_000) for at in range(3)).says().verdict is BREACH


def test_what_grows_is_told_from_what_is_always_high_by_max() -> None:
    feed = Bench("metric", METRIC | {"max": 500.0}).feed(
        volume(at, 60, 900_000) for at in range(2)
    )
    assert feed.says().verdict is BREACH
    assert Bench("metric", METRIC | {"max": 500.0}).feed(
        volume(at, 60, 100_000) for at in range(5)
    ).says().why == ("log-volume is 100 per request, limit 300 (baseline 100)")


def test_a_metric_that_is_not_per_request_is_judged_as_it_is() -> None:
    options = {
        "name": "log-volume",
        "namespace": "X",
        "metric": "Depth",
        "statistic": "p99",
        "max": 10.0,
    }
    feed = Bench("metric", options).feed(volume(at, GONE, 3_000) for at in range(3))
    assert (feed.says().verdict, feed.says().why) == (PASS, "log-volume is 3, limit 10")
    assert feed.feed(volume(at, GONE, 2_000_000) for at in range(3, 5)).says().verdict is BREACH


@pytest.mark.parametrize(
    ("requests", "value", "why"),
    [
        (60, GONE, "log-volume: no datapoint for 3 minutes"),
        (60, UNREAD, "log-volume: no datapoint for 3 minutes"),
        (GONE, 5, "log-volume: the destination has no requests for 3 minutes"),
        (UNREAD, 5, "log-volume: the destination's requests could not be read for 3 minutes"),
    ],
)
def test_a_missing_datapoint_is_never_zero(requests: Any, value: Any, why: str) -> None:
    feed = Bench("metric").feed(
        [*(volume(at, 60, 900_000) for at in range(10)), volume(10, requests, value)]
    )
    assert feed.says().verdict is WAITING
    feed.feed(volume(at, requests, value) for at in (11, 12))
    assert (feed.says().verdict, feed.says().why) == (UNKNOWN, why)


COUNTER = {
    "name": "log-volume",
    "namespace": "Shop",
    "metric": "FailedCalls",
    "missing": "zero",
    "max": 5.0,
}


def test_an_absent_counter_is_zero_where_the_plan_says_so_and_requests_prove_that_it_would_count() -> (
    None
):
    feed = Bench("metric", COUNTER).feed(volume(at, 60, GONE) for at in range(3))
    assert (feed.says().verdict, feed.says().why) == (PASS, "log-volume is 0, limit 5")
    counted = [group("destination", 60) | {"custom.log-volume": 9_000}] * 2
    feed.feed(minute_of(at, group("source", 540), counted[at - 3]) for at in (3, 4))
    assert feed.says().verdict is BREACH


@pytest.mark.parametrize(("requests", "value"), [(GONE, GONE), (UNREAD, GONE), (60, UNREAD)])
def test_an_absent_counter_is_not_zero_where_nobody_knows_that_there_was_anything_to_count(
    requests: Any, value: Any
) -> None:
    feed = Bench("metric", COUNTER).feed(volume(at, requests, value) for at in range(3))
    assert feed.says().verdict is UNKNOWN


@pytest.mark.parametrize("statistic", ["Average", "Maximum", "p99"])
def test_the_absence_of_samples_is_no_average_of_zero(statistic: str) -> None:
    with pytest.raises(ValidationError, match="is for Sum and SampleCount"):
        GATES["metric"].Spec.model_validate(COUNTER | {"statistic": statistic})


def test_silence_from_the_start_is_unknown_after_three_minutes() -> None:
    feed = Bench("metric").before(volume(-1, GONE, GONE)).step(2).feed(volume(1, 60, GONE))
    feed.feed(volume(at, 60, GONE) for at in (2, 3))
    assert feed.says().verdict is WAITING
    assert feed.feed(volume(4, 60, GONE)).says().verdict is UNKNOWN


def test_a_metric_without_a_baseline_above_zero_waits() -> None:
    assert Bench("metric").says().why == "log-volume has no baseline above zero to grow from yet"
    assert Bench("metric").feed(volume(at, 60, 0) for at in range(5)).says().verdict is WAITING


def test_every_step_and_every_restart_needs_its_own_minutes() -> None:
    feed = Bench("metric").feed(volume(at, 60, 900_000) for at in range(10))
    assert feed.step(12).says().why == "log-volume has 0 of 3 minutes of this step"
    feed.feed([volume(11, 60, 900_000), *(volume(at, 300, 900_000) for at in (12, 13))])
    assert feed.says().why == "log-volume has 2 of 3 minutes of this step"
    feed.feed(volume(14, 300, 900_000))
    assert feed.says().verdict is PASS
    assert feed.restart().says().verdict is WAITING


def test_a_restart_does_not_forget_a_storm() -> None:
    feed = Bench("metric").feed(volume(at, 60, 900_000) for at in range(5))
    assert feed.feed(volume(at, 60, 9_000_000) for at in (5, 6)).restart().says().verdict is BREACH


def test_old_values_are_unknown() -> None:
    feed = Bench("metric").feed(volume(at, 60, 900_000) for at in range(5))
    feed.newest_ms += 40 * MINUTE
    assert feed.says().why == "log-volume: the newest value is 43 minutes old"


def test_a_metric_asks_for_exactly_its_dimensions() -> None:
    needs = GATES["metric"].needs(Bench("metric").spec, COMPARISON, {})
    assert needs[0].key == "custom.log-volume"
    assert needs[0].custom is not None
    assert needs[0].custom.dimensions == (("LogGroupName", "/eks/checkout"),)


def test_a_metric_without_a_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no limit to judge by"):
        GATES["metric"].Spec.model_validate(
            {key: METRIC[key] for key in ("name", "namespace", "metric")}
        )


def test_few_requests_wait_and_are_neither_blind_nor_a_pass() -> None:
    feed = Bench("metric").feed(volume(at, 60, 900_000) for at in range(10))
    feed.feed(volume(at, 12, 900_000) for at in range(10, 30))
    assert feed.says().verdict is WAITING
    assert "fewer than 20" in feed.says().why
