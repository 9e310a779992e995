"""The errors gate, as sentences: how minutes become counts, and the rules of the threshold judge."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.core.gates import Verdict
from cutover.core.observation import Minute
from tests.core.gates.world import ERRORS, GONE, UNREAD, Bench, group, minute_of

BREACH, SHARED, UNKNOWN, WAITING, PASS = (
    Verdict.BREACH,
    Verdict.SHARED,
    Verdict.UNKNOWN,
    Verdict.WAITING,
    Verdict.PASS,
)


def minute(
    at: int,
    requests: object,
    bad: int = 0,
    source: object = 5400,
    source_bad: int = 1,
    **more: Any,
) -> Minute:
    failures = {key: more.pop(key) for key in ("hung",) if key in more}
    return minute_of(
        at,
        group("source", source, source_bad),
        group("destination", requests, bad, **failures),
        **more,
    )


def bench(**options: Any) -> Bench:
    before = [minute_of(at, group("source", 6000, 1)) for at in range(-15, 0)]
    return Bench("errors", ERRORS | options).before(*before)


def test_ten_clean_minutes_pass_and_say_how_sure() -> None:
    judgement = bench().feed(minute(at, 600) for at in range(10)).says()
    assert judgement.verdict is PASS
    assert (
        judgement.why
        == "0 of 6,000 requests failed (0.00 %), at most 0.050 % (95 %), limit 1.00 %"
    )
    assert judgement.facts["requests"] == 6000


def test_nothing_seen_is_waiting() -> None:
    judgement = bench().says()
    assert (judgement.verdict, judgement.why) == (
        WAITING,
        "no settled minute of this step with requests yet",
    )


def test_few_requests_wait_for_more() -> None:
    judgement = bench().feed(minute(0, 60)).says()
    assert judgement.verdict is WAITING
    assert "needs 100 requests" in judgement.why


def test_the_rule_of_three_decides_when_a_clean_destination_passes() -> None:
    assert bench().feed(minute(at, 60) for at in range(4)).says().verdict is WAITING
    judgement = bench().feed(minute(at, 60) for at in range(4)).says()
    assert judgement.why.endswith("may still be 1.25 % (95 %), limit 1.00 %: needs more requests")
    assert bench().feed(minute(at, 60) for at in range(5)).says().verdict is PASS


def test_two_bad_minutes_are_a_breach_that_reads_at_night() -> None:
    judgement = bench().feed([minute(0, 3000), minute(1, 3000, 30), minute(2, 3000, 30)]).says()
    assert judgement.verdict is BREACH
    assert (
        judgement.why
        == "60 of 6,000 requests failed (1.00 %) in 2 minutes, allowed 0.20 % given the source"
    )
    assert judgement.facts == {
        "requests": 6000,
        "bad": 60,
        "allowed_ppm": 2000,
        "minutes": 2,
        "bound_ppm": 8722,
    }


def test_one_blip_of_0_8_percent_is_watched_and_then_passes() -> None:
    feed = bench().feed([*(minute(at, 600) for at in range(5)), minute(5, 600, 5)])
    assert feed.says().verdict is WAITING
    assert "watching a bad minute" in feed.says().why
    assert feed.feed([minute(6, 600), minute(7, 600)]).says().verdict is PASS


@pytest.mark.parametrize("burst", [30, 150, 500, 1000])
def test_one_burst_never_rolls_back(burst: int) -> None:
    feed = bench().feed([*(minute(at, 5000, 5) for at in range(10)), minute(10, 5000, burst)])
    for at in range(11, 30):
        assert feed.says().verdict is not BREACH
        feed.feed(minute(at, 5000, 5))
    assert feed.says().verdict is PASS


def test_an_outage_needs_one_minute() -> None:
    judgement = bench().feed([minute(0, 600), minute(1, 600, 600)]).says()
    assert judgement.verdict is BREACH
    assert (
        judgement.why
        == "600 of 600 requests failed (100.00 %) in one minute, allowed 0.20 % given the source"
    )


def test_a_third_of_the_requests_failing_is_an_outage() -> None:
    assert bench().feed(minute(0, 60, 20)).says().verdict is BREACH


def test_a_small_defect_at_low_traffic_adds_up() -> None:
    feed = bench().feed(minute(at, 60, at % 2) for at in range(20))
    judgement = feed.says()
    assert judgement.verdict is BREACH
    assert (
        judgement.why
        == "10 of 1,200 requests failed (0.83 %) in 20 minutes, allowed 0.20 % given the source"
    )


def test_two_isolated_bursts_at_low_traffic_do_not_add_up_to_a_breach() -> None:
    bursts = (4, 0, 0, 0, 4, 0)
    feed = bench()
    for at, bad in enumerate(bursts):
        assert feed.feed(minute(at, 60, bad)).says().verdict is WAITING


def test_requests_that_no_target_answered_are_failures() -> None:
    judgement = bench().feed([minute(0, 600, hung=60), minute(1, 600, hung=60)]).says()
    assert judgement.verdict is BREACH
    assert judgement.facts["bad"] == 120


def test_connection_errors_are_not_counted_twice() -> None:
    hit = minute_of(
        0, group("source", 5400, 1), group("destination", 600, hung=200, connection_errors=150)
    )
    assert bench().feed(hit).says().facts["bad"] == 200


def test_a_source_that_never_answers_websockets_switches_the_unanswered_term_off() -> None:
    before = [minute_of(at, group("source", 6000, 1, hung=120)) for at in range(-15, 0)]
    feed = Bench("errors").before(*before)
    feed.feed(
        minute_of(at, group("source", 5400, 1, hung=108), group("destination", 600, hung=12))
        for at in range(10)
    )
    assert feed.says().verdict is PASS
    assert feed.says().facts["bad"] == 0
    refused = group("destination", 600, hung=40, connection_errors=30)
    feed.feed(minute_of(at, group("source", 5400, 1, hung=108), refused) for at in (10, 11))
    assert feed.says().facts["bad"] == 60


def test_a_dead_destination_has_no_requests_but_its_503s_breach_in_one_minute() -> None:
    dead = minute_of(0, group("source", 5400, 1), group("destination", GONE), elb_503=600)
    judgement = bench().feed(dead).says()
    assert judgement.verdict is BREACH
    assert judgement.facts["bad"] == 599  # one 503 is usual here


def test_a_dead_destination_at_full_weight_breaches_too() -> None:
    feed = bench()
    feed.weight = 1000
    dead = minute_of(
        0, group("source", GONE), group("destination", GONE), balancer=5, elb_503=6000
    )
    assert feed.feed(dead).says().verdict is BREACH


def test_usual_503s_of_the_balancer_are_not_blamed_on_a_weight_that_is_late() -> None:
    before = [minute_of(at, group("source", 6000, 1), elb_503=30) for at in range(-15, 0)]
    late = minute_of(0, group("source", 6000, 1), group("destination", GONE), elb_503=35)
    assert Bench("errors").before(*before).feed(late).says().verdict is WAITING


def test_503s_that_nobody_could_read_prove_nothing_when_requests_are_missing() -> None:
    blind = minute_of(0, group("source", 5400, 1), group("destination", 100), elb_503=UNREAD)
    judgement = bench().feed(blind).says()
    assert judgement.verdict is UNKNOWN
    assert "503s could not be read" in judgement.why


def test_a_missing_5xx_is_zero_only_where_requests_exist() -> None:
    feed = bench().feed(minute(at, 600) for at in range(3))
    assert feed.says().facts["bad"] == 0
    silent = bench().feed(minute(at, GONE) for at in range(3)).says()
    assert silent.verdict is UNKNOWN
    assert silent.why.startswith("no destination datapoint for 3 minutes")


def test_two_silent_minutes_still_wait() -> None:
    assert bench().feed(minute(at, GONE) for at in range(2)).says().verdict is WAITING


def test_silence_is_no_surprise_when_hardly_a_request_is_due() -> None:
    assert bench().feed(minute(at, GONE, source=9) for at in range(5)).says().verdict is WAITING


def test_five_good_minutes_and_then_silence_are_unknown() -> None:
    feed = bench().feed(
        [*(minute(at, 600) for at in range(5)), *(minute(at, GONE) for at in range(5, 11))]
    )
    assert feed.says().verdict is UNKNOWN


@pytest.mark.parametrize(
    "parts",
    [
        (group("source", 5400), group("destination", UNREAD)),
        (group("source", UNREAD), group("destination", 600)),
        (group("source", 5400), group("destination", 600, target_5xx=UNREAD)),
        (group("source", 5400), group("destination", 600, target_2xx=UNREAD)),
        (group("source", 5400), group("destination", 600, connection_errors=UNREAD)),
    ],
)
def test_what_could_not_be_read_is_unknown_until_a_newer_minute_is(parts: Any) -> None:
    feed = bench().feed([*(minute(at, 600) for at in range(10)), minute_of(10, *parts)])
    assert feed.says().verdict is UNKNOWN
    assert feed.feed(minute(11, 600)).says().verdict is PASS


def test_evidence_against_counts_even_when_the_source_could_not_be_read() -> None:
    blind = [
        minute_of(at, group("source", UNREAD), group("destination", 600, 60)) for at in range(2)
    ]
    assert bench().feed(blind).says().verdict is BREACH


def test_both_sick_is_shared_and_names_the_source() -> None:
    judgement = bench().feed(minute(at, 600, 60, source_bad=540) for at in range(3)).says()
    assert judgement.verdict is SHARED
    assert judgement.why.startswith("the source is bad too: 540 of 5,400 (10.00 %)")
    assert judgement.facts["source_bad"] == 540


def test_a_sick_source_alone_is_shared() -> None:
    assert (
        bench().feed(minute(at, 600, 0, source_bad=540) for at in range(3)).says().verdict
        is SHARED
    )


def test_both_dead_is_shared() -> None:
    assert (
        bench().feed(minute(at, 600, 600, source_bad=5400) for at in range(3)).says().verdict
        is SHARED
    )


def test_a_destination_far_worse_than_a_sick_source_is_a_breach() -> None:
    assert (
        bench().feed(minute(at, 600, 300, source_bad=81) for at in range(3)).says().verdict
        is BREACH
    )


def test_a_source_that_recovered_is_forgotten() -> None:
    feed = bench().feed(minute(at, 600, 6, source_bad=540) for at in range(3))
    feed.feed(minute(at, 600) for at in range(3, 14))
    assert feed.says().verdict is PASS


def test_at_full_weight_the_last_known_source_is_the_measure() -> None:
    feed = bench()
    feed.step(0, 1000)
    assert feed.feed(minute(at, 6000, 6, source=GONE) for at in range(10)).says().verdict is PASS
    assert (
        feed.feed(minute(at, 6000, 60, source=GONE) for at in range(10, 12)).says().verdict
        is BREACH
    )


def test_without_versus_source_only_max_counts() -> None:
    feed = Bench("errors", {"max": "1%", "judge": "threshold"}).feed(
        minute(at, 600, 4) for at in range(10)
    )
    assert feed.says().verdict is PASS
    judgement = feed.feed(minute(at, 600, 30) for at in range(10, 12)).says()
    assert judgement.verdict is BREACH
    assert judgement.why.endswith("allowed 1.00 %")


def test_a_bad_newest_minute_is_suspect_before_it_is_a_breach_and_with_few_requests_too() -> None:
    feed = Bench("errors", {"max": "1%", "judge": "threshold", "min_requests": 100_000})
    feed.feed(minute(at, 600, 0) for at in range(10))
    assert not feed.says().suspects
    suspected = feed.feed(minute(10, 600, 30)).says()
    assert (suspected.verdict, suspected.suspects) == (Verdict.WAITING, True)
    assert not feed.feed(minute(11, 600, 0)).says().suspects


def test_the_allowance_never_rises_above_max_for_a_healthy_source() -> None:
    feed = Bench("errors").feed(minute(at, 600, 30, source=60, source_bad=0) for at in range(2))
    judgement = feed.says()
    assert judgement.verdict is BREACH
    assert judgement.facts["allowed_ppm"] <= 10_000


def test_a_destination_that_is_never_compared_with_a_source_is_held_to_max() -> None:
    feed = Bench("errors").feed(minute(at, 600, 30, source=GONE) for at in range(2))
    assert feed.says().facts["allowed_ppm"] == 10_000


def test_a_new_step_starts_without_proof() -> None:
    feed = bench().feed(minute(at, 600) for at in range(10))
    assert feed.step(12).says().verdict is WAITING
    feed.feed([minute(10, 600), minute(11, 600)])
    assert feed.says().facts["requests"] == 0
    assert feed.feed(minute(12, 1500)).says().facts["requests"] == 1500


def test_minutes_that_straddle_a_shift_count_against_only() -> None:
    feed = bench().step(5)
    feed.feed(minute(at, 1500) for at in range(5))
    assert feed.says().facts["requests"] == 0
    assert bench().step(5).feed(minute(at, 1500, 150) for at in range(2)).says().verdict is BREACH


def test_a_restart_discards_proof_and_keeps_the_harm() -> None:
    feed = bench().feed(minute(at, 600) for at in range(10)).restart()
    assert feed.says().verdict is WAITING
    assert bench().feed(minute(at, 600, 60) for at in range(2)).restart().says().verdict is BREACH


def test_a_budget_is_for_the_whole_run_and_survives_steps_and_restarts() -> None:
    feed = bench(budget="0.1%")
    for burst in range(4):
        base = burst * 15
        feed.feed(
            [minute(base, 6000, 80), *(minute(base + at, 6000, 1) for at in range(1, 15))]
        ).step(base).restart()
    judgement = feed.says()
    assert judgement.verdict is PASS or judgement.verdict is WAITING
    for burst in range(4, 12):
        base = burst * 15
        feed.feed(
            [minute(base, 6000, 150), *(minute(base + at, 6000, 1) for at in range(1, 15))]
        ).step(base).restart()
    judgement = feed.says()
    assert judgement.verdict is BREACH
    assert judgement.why.endswith("in the whole run, its budget is 0.10 %")


def test_evidence_that_stops_coming_is_unknown() -> None:
    feed = bench().feed(minute(at, 600) for at in range(10))
    feed.newest_ms += 40 * 60_000
    judgement = feed.says()
    assert (judgement.verdict, judgement.why) == (UNKNOWN, "no minute of evidence for 43 minutes")


@pytest.mark.parametrize(
    ("requests", "bad", "source_bad", "alarms"),
    [
        (600, 60, 1, True),
        (600, 19, 1, False),
        (6000, 20, 1, False),
        (600, 60, 270, False),
        (30, 29, 1, True),
    ],
)
def test_a_minute_still_being_published_counts_from_20_bad_and_twice_the_allowed(
    requests: Any, bad: int, source_bad: int, alarms: bool
) -> None:
    unsettled = minute(0, requests, bad, source_bad=source_bad)
    judgement = bench().alarming(unsettled)
    assert (judgement is not None) is alarms
    if judgement is not None:
        assert judgement.verdict is BREACH
        assert "still being published" in judgement.why


def test_errors_published_before_their_requests_are_held_against_what_was_due() -> None:
    feed = bench()
    feed.weight = 500
    early = minute(0, 30, 25, source=100_000)
    assert feed.alarming(early) is None


def test_an_unsettled_minute_without_answers_yet_alarms_nobody() -> None:
    early = minute_of(0, group("source", 5400), group("destination", 600, target_2xx=GONE))
    assert bench().alarming(early) is None
    assert bench().alarming(minute(0, GONE)) is None
    assert bench().alarming(minute(0, 600, 600), weight=0) is None


def test_at_full_weight_an_unsettled_outage_alarms_without_a_source() -> None:
    judgement = bench().alarming(minute(0, 6000, 900, source=GONE), weight=1000)
    assert judgement is not None


def test_requests_without_any_published_answer_are_late_metrics_and_prove_nothing() -> None:
    torn = [minute(at, 300, hung=300) for at in range(3)]
    assert bench().feed(torn).says().verdict is not Verdict.BREACH
    assert bench().feed(torn).says().verdict is not Verdict.PASS


def test_requests_that_the_load_balancer_answered_instead_are_failures() -> None:
    dead = [minute(at, 300, hung=300, elb_504=290) for at in range(3)]
    assert bench().feed(dead).says().verdict is Verdict.BREACH
