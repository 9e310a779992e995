"""The sequential judge behind its gates: which rule speaks, in which commands, and what a restart keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from cutover.core.gates import Verdict
from cutover.core.gates.api import SOURCE_SURELY_BAD, Counts, Judgement, Rule
from cutover.core.observation import Minute
from cutover.core.values import MINUTE
from tests.core.gates.world import GONE, UNREAD, Bench, group, minute_of, slow
from tests.fakes import TWO_ROUTES, plan_of

BREACH, SHARED, UNKNOWN, WAITING, PASS = (
    Verdict.BREACH,
    Verdict.SHARED,
    Verdict.UNKNOWN,
    Verdict.WAITING,
    Verdict.PASS,
)
ERRORS = {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}
LATENCY = {"percentile": 95, "versus_source": {"ratio": 1.25}}
SECOND_COMPARISON = {
    **TWO_ROUTES[1],
    "destination": str(TWO_ROUTES[0]["destination"]).replace("checkout-eks", "basket-eks"),
}


def minute(
    at: int,
    requests: object = 3000,
    bad: int = 3,
    source: object = 57_000,
    source_bad: int = 57,
    **more: Any,
) -> Minute:
    return minute_of(
        at, group("source", source, source_bad), group("destination", requests, bad), **more
    )


def slow_minute(at: int, slower: object, source_slower: object = 225) -> Minute:
    return minute_of(
        at,
        group("source", 4500),
        slow("source", {200: source_slower}),
        group("destination", 1500),
        slow("destination", {250: slower}),
    )


def bench(options: Mapping[str, Any] | None = None, **fields: Any) -> Bench:
    """A destination at 5 % whose source fails 0.1 % of 60,000 requests a minute, after an hour of that."""
    fields.setdefault("weight", 50)
    before = [minute_of(at, group("source", 60_000, 60)) for at in range(-60, 0)]
    return Bench("errors", {**ERRORS, **(options or {})}, **fields).before(*before)


def latency() -> Bench:
    before = (slow_minute(at, GONE, 300) for at in range(-30, 0))
    return Bench("latency", LATENCY, weight=250).before(*before)


def good(minutes: int = 10, first: int = 0, **more: Any) -> Iterable[Minute]:
    return (minute(at, **more) for at in range(first, first + minutes))


def rule(judgement: Judgement) -> Rule:
    assert judgement.reason is not None
    return judgement.reason.rule


# --- one sentence per rule


def test_a_breach_says_counts_what_was_allowed_and_how_rare_that_is() -> None:
    before = [minute_of(at, group("source", 300_000, 300)) for at in range(-60, 0)]
    bad = [minute(at, bad=30, source=297_000, source_bad=297) for at in range(3)]
    judgement = Bench("errors", ERRORS, weight=10).before(*before).feed(bad).says()
    assert judgement.verdict is BREACH
    assert judgement.why == (
        "90 of 9,000 requests failed (1.00 %) in the last 3 judged minutes, allowed 0.21 % given the source; "
        "a healthy destination would ever show this in fewer than 1 of 6,479,776 cutovers"
    )
    assert judgement.facts["needed"] == 200


def test_a_plain_breach_says_that_no_healthy_destination_would_ever_show_it() -> None:
    judgement = bench().feed(minute(0, bad=3000)).says()
    assert judgement.why == (
        "3,000 of 3,000 requests failed (100.00 %) in one minute, allowed 0.21 % given the source; "
        "a healthy destination would never show this (fewer than 1 of 1,000,000,000,000 cutovers)"
    )


def test_a_slow_destination_is_told_by_its_limit() -> None:
    judgement = latency().feed(slow_minute(at, 600) for at in range(5)).says()
    assert judgement.verdict is BREACH
    assert judgement.why.startswith(
        "2,400 of 6,000 requests were slower than 250ms, 1.25 x the source's p95 (40.00 %) in the last 4 judged minutes, "
        "allowed 5.3"
    )


def test_with_little_to_compare_with_the_breach_says_so_and_asks() -> None:
    low = [minute(at, 60_000, 3_000, source=60, source_bad=0) for at in range(1)]
    judgement = bench(weight=999).feed(low).says()
    assert (judgement.verdict, judgement.on_breach) == (BREACH, "escalate")
    assert judgement.why == (
        "3,000 of 60,000 requests failed (5.00 %) in one minute, allowed 0.21 % given the source; "
        "a healthy destination would never show this (fewer than 1 of 1,000,000,000,000 cutovers); "
        "only 60 requests of the source to compare with, so it may be an incident of both sides"
    )
    assert judgement.facts["source_requests"] == 60


def test_without_a_source_the_breach_asks() -> None:
    judgement = bench(weight=1000).feed(minute(0, 60_000, 600, source=GONE)).says()
    assert judgement.verdict is WAITING
    judgement = (
        bench(weight=1000).feed(minute(at, 60_000, 600, source=GONE) for at in range(2)).says()
    )
    assert (judgement.verdict, judgement.on_breach) == (BREACH, "escalate")
    assert judgement.why.endswith(
        " cutovers; no source traffic is left to compare with, so it may be an incident of both sides"
    )
    assert "given the source" not in judgement.why


def test_evidence_that_builds_up_waits_and_says_how_far_it_is() -> None:
    judgement = bench().feed(minute(0, bad=45)).says()
    assert (judgement.verdict, rule(judgement)) == (WAITING, Rule.WATCHING)
    assert judgement.why.startswith(
        "45 of 3,000 requests failed (1.50 %) in one minute, allowed 0.21 % given the source: watching, evidence "
    )
    assert judgement.why.endswith(" cutovers")
    assert 20 <= judgement.signals[0].evidence < 200


def test_a_source_that_is_bad_is_shared_and_named() -> None:
    judgement = bench().feed(good(source_bad=5_700)).says()
    assert judgement.verdict is SHARED
    assert judgement.why == (
        "the source is bad: 5,700 of 57,000 (10.00 %) of its requests failed in its newest bad minute, "
        "3 of 3,000 (0.10 %) of the destination's"
    )
    assert judgement.facts["source_bad"] == 5_700


def test_silence_says_what_was_due() -> None:
    judgement = bench().feed([*good(), *(minute(at, GONE) for at in range(10, 14))]).says()
    assert judgement.verdict is UNKNOWN
    assert judgement.why == (
        "no destination datapoint for 4 minutes, although its weight should have brought it about 12,000 requests"
    )


def test_a_source_that_was_never_seen_is_nothing_to_compare_with() -> None:
    minutes = [minute_of(at, group("source", 0), group("destination", 3000)) for at in range(30)]
    fed = Bench("errors", ERRORS, weight=50).feed(minutes)
    assert fed.says().verdict is Verdict.UNKNOWN
    assert "the source never had a datapoint" in fed.says().why
    alone = Bench("errors", {"max": "1%"}, weight=50).feed(minutes)
    assert alone.says().verdict is Verdict.PASS, "a plain limit compares with nobody"
    last = Bench("errors", ERRORS, weight=1000).feed(minutes)
    assert last.says().verdict is Verdict.PASS, "at 100 % the source is due nothing"


def test_silence_that_is_no_surprise_waits() -> None:
    silent = [minute(at, GONE, source=19) for at in range(10, 14)]
    judgement = bench().feed([*good(), *silent]).says()
    assert judgement.verdict is WAITING
    assert judgement.why == "no destination datapoint for 4 minutes"


def test_nothing_seen_waits() -> None:
    judgement = bench().says()
    assert (judgement.verdict, judgement.why) == (
        WAITING,
        "no settled minute of this step with requests yet",
    )


def test_few_requests_say_how_many_the_plan_asks_for() -> None:
    judgement = bench({"min_requests": 10_000}).feed(good(3)).says(bake_ms=0)
    assert (judgement.verdict, judgement.why) == (
        WAITING,
        "9 of 9,000 requests failed (0.10 %) in this step, which needs 10,000 requests",
    )


def test_a_step_that_proves_too_little_says_what_may_still_be() -> None:
    judgement = bench().feed(minute(at, 3, 0) for at in range(10)).says(bake_ms=10 * MINUTE)
    assert (judgement.verdict, rule(judgement)) == (WAITING, Rule.BOUND)
    assert judgement.why == (
        "0 of 30 requests failed (0.00 %) in this step, but up to 10.00 % may be bad (95 %): "
        "needs more requests to exclude 5.00 %"
    )


def test_patience_says_what_it_goes_on_without() -> None:
    judgement = bench().feed(minute(at, 1, 0) for at in range(30)).says(bake_ms=10 * MINUTE)
    assert (judgement.verdict, rule(judgement)) == (PASS, Rule.PATIENCE)
    assert judgement.why == (
        "0 of 30 requests failed (0.00 %) in this step; waited for more requests 20 minutes beyond the bake and goes on "
        "without them: up to 10.00 % may be bad (95 %)"
    )


def test_a_pass_says_how_sure_it_is() -> None:
    judgement = bench().feed(good()).says()
    assert judgement.verdict is PASS
    assert judgement.why == (
        "30 of 30,000 requests failed (0.10 %) in this step, at most 0.15 % (95 %); "
        "allowed 0.21 % in its newest judged minute; evidence against it 0.0 of 200"
    )


def test_a_budget_says_what_the_whole_run_cost() -> None:
    judgement = bench({"budget": "0.05%"}).feed(good(25)).says()
    assert judgement.verdict is BREACH
    assert (
        judgement.why
        == "75 of 75,000 requests failed (0.10 %) in the whole run, its budget is 0.050 %"
    )


# --- BREACH: who is asked


@pytest.mark.parametrize(
    ("source", "source_bad", "minutes", "answer"),
    [
        pytest.param(60_000, 60, 1, "", id="a source as large as the destination"),
        pytest.param(15_000, 15, 1, "", id="a fourth of it is enough to compare with"),
        pytest.param(14_999, 15, 1, "", id="less, but surely spared"),
        pytest.param(600, 0, 1, "", id="600 requests without a failure: surely spared"),
        pytest.param(100, 1, 2, "escalate", id="200 requests that fail less: it may be chance"),
        pytest.param(60, 0, 1, "escalate", id="60 requests: too few to tell"),
        pytest.param(60, 0, 3, "", id="three such minutes tell"),
        pytest.param(GONE, 0, 1, "escalate", id="no source at all"),
    ],
)
def test_a_person_is_asked_when_the_source_may_suffer_the_same(
    source: object, source_bad: int, minutes: int, answer: str
) -> None:
    """5 % of 60,000 requests fail at the destination, every minute."""
    bad = [
        minute(at, 60_000, 3_000, source=source, source_bad=source_bad) for at in range(minutes)
    ]
    judgement = bench(weight=990).feed(bad).says()
    assert (judgement.verdict, judgement.on_breach) == (BREACH, answer)


def test_errors_of_the_load_balancer_have_no_source_to_ask_about() -> None:
    made = (minute_of(at, group("source", 6000)) for at in range(-30, 0))
    feed = Bench("lb_errors", {"max": "1%", "judge": "sequential"}, weight=1000).before(*made)
    dead = minute_of(0, group("source", GONE), group("destination", 6000), elb_502=3000)
    judgement = feed.feed(dead).says()
    assert (judgement.verdict, judgement.on_breach) == (BREACH, "")


# --- SHARED


@pytest.mark.parametrize(
    ("bad", "verdict"),
    [
        pytest.param((571, 57, 57), PASS, id="one bad minute of three"),
        pytest.param((571, 571, 57), SHARED, id="two"),
        pytest.param((571, 57, 571), SHARED, id="not in a row"),
        pytest.param((571, 571, 57, 57), PASS, id="two of the last three, not of four"),
        pytest.param((570, 570, 570), PASS, id="at the limit is not above it"),
    ],
)
def test_a_source_above_max_in_two_of_three_minutes_is_shared(
    bad: tuple[int, ...], verdict: Verdict
) -> None:
    feed = bench().feed(minute(at, source_bad=one) for at, one in enumerate(bad))
    assert feed.says().verdict is verdict


@pytest.mark.parametrize(("requests", "verdict"), [(19, PASS), (20, SHARED)])
def test_a_source_with_fewer_than_twenty_requests_is_not_called_bad(
    requests: int, verdict: Verdict
) -> None:
    feed = bench().feed(good(3, source=requests, source_bad=requests))
    assert feed.says().verdict is verdict


def test_a_destination_far_worse_than_a_bad_source_is_still_a_breach() -> None:
    feed = bench().feed(minute(at, bad=1500, source_bad=855) for at in range(3))
    assert feed.says().verdict is BREACH


def test_an_incident_of_both_sides_is_nobodys_breach() -> None:
    feed = bench().feed(good())
    for at in range(10, 22):
        feed.feed(minute(at, bad=150, source_bad=2_850))
        assert feed.says().verdict is not BREACH
    assert feed.says().verdict is SHARED


def test_a_slow_source_excuses_a_slow_destination_without_a_hold() -> None:
    feed = latency().feed(slow_minute(at, 600, 1_800) for at in range(10))
    assert feed.says().verdict is PASS


# --- UNKNOWN


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        pytest.param(
            (group("source", 57_000), group("destination", UNREAD)),
            "the destination's requests and errors could not be read in the newest minute",
            id="requests of the destination",
        ),
        pytest.param(
            (group("source", UNREAD), group("destination", 3000)),
            "the source's requests and errors could not be read in the newest minute",
            id="requests of the source",
        ),
        pytest.param(
            (group("source", 57_000), group("destination", 3000, target_5xx=UNREAD)),
            "the destination's requests and errors could not be read in the newest minute",
            id="5xx of the destination",
        ),
        pytest.param(
            (group("source", 57_000), group("destination", 3000, hung=3000)),
            "the destination has requests but no answer is published, and no error of the load balancer explains it",
            id="requests without one answer",
        ),
    ],
)
def test_what_nobody_could_read_is_unknown_until_a_newer_minute_is(parts: Any, said: str) -> None:
    feed = bench().feed([*good(), minute_of(10, *parts)])
    judgement = feed.says()
    assert (judgement.verdict, judgement.why) == (UNKNOWN, said)
    assert feed.feed(minute(11)).says().verdict is PASS


def test_503s_that_nobody_could_read_are_unknown_when_requests_are_missing() -> None:
    judgement = bench().feed([*good(), minute(10, 300, 0, elb_503=UNREAD)]).says()
    assert judgement.verdict is UNKNOWN
    assert judgement.why == "the load balancer's 503s could not be read in the newest minute"


def test_a_missing_count_of_slow_requests_is_not_zero() -> None:
    feed = latency().feed([*(slow_minute(at, 30) for at in range(10)), slow_minute(10, GONE)])
    judgement = feed.says()
    assert judgement.verdict is UNKNOWN
    assert (
        judgement.why == "the destination's slow requests could not be read in the newest minute"
    )


def test_evidence_that_stops_coming_is_unknown() -> None:
    feed = bench().feed(good())
    feed.newest_ms += 40 * MINUTE
    judgement = feed.says()
    assert (judgement.verdict, judgement.why) == (UNKNOWN, "no minute of evidence for 43 minutes")


def test_three_silent_minutes_still_pass_and_four_are_unknown() -> None:
    feed = bench().feed([*good(), *(minute(at, GONE) for at in range(10, 13))])
    assert feed.says().verdict is PASS
    assert feed.feed(minute(13, GONE)).says().verdict is UNKNOWN


def test_evidence_against_counts_even_in_a_minute_that_proves_nothing() -> None:
    """Its 503s could not be read; its 5xx could."""
    blind = (minute(at, 300, 300, elb_503=UNREAD) for at in range(1))
    assert bench().feed(blind).says().verdict is BREACH


def test_a_minute_that_nobody_could_read_whole_proves_nothing() -> None:
    feed = bench().feed([minute(0, 300, 0, elb_503=UNREAD), minute(1, 200, 0)])
    assert feed.says().facts["requests"] == 200


def test_a_minute_whose_source_nobody_could_read_weighs_nothing() -> None:
    blind = minute_of(0, group("source", UNREAD), group("destination", 3000, 3000))
    judgement = bench().feed(blind).says()
    assert judgement.verdict is UNKNOWN
    assert judgement.signals[0].evidence == 0


# --- WAITING and PASS


@pytest.mark.parametrize(
    ("requests", "bad", "verdict"),
    [
        pytest.param(59, 0, WAITING, id="59 clean requests leave 5.1 %"),
        pytest.param(60, 0, PASS, id="60 exclude 5 %"),
        pytest.param(119, 1, WAITING, id="with a bad one 120 do"),
        pytest.param(120, 1, PASS, id="and not one fewer"),
    ],
)
def test_sixty_clean_requests_are_enough_to_pass(
    requests: int, bad: int, verdict: Verdict
) -> None:
    judgement = bench().feed(minute(0, requests, bad)).says(bake_ms=10 * MINUTE)
    assert judgement.verdict is verdict


@pytest.mark.parametrize(("slower", "verdict"), [(59, WAITING), (60, PASS)])
def test_a_latency_gate_passes_with_as_many_requests(slower: int, verdict: Verdict) -> None:
    """Slow ones are judged by the evidence alone: 5 % of them are allowed."""
    feed = Bench("latency", LATENCY, weight=250)
    few = minute_of(
        0,
        group("source", 4500),
        slow("source", {200: 225}),
        group("destination", slower),
        slow("destination", {250: 3}),
    )
    judgement = feed.feed(few).says(bake_ms=10 * MINUTE)
    assert judgement.verdict is verdict
    if verdict is WAITING:
        assert judgement.why.endswith("in this step, which needs 60 requests")


@pytest.mark.parametrize(
    ("minutes", "min_requests", "verdict"),
    [
        pytest.param(29, None, WAITING, id="within 20 minutes of the bake"),
        pytest.param(30, None, PASS, id="then it goes on"),
        pytest.param(300, 400, WAITING, id="never with fewer than the plan asks for"),
        pytest.param(300, 300, PASS, id="with as many, it does"),
    ],
)
def test_a_step_with_few_requests_waits_twenty_minutes_beyond_its_bake(
    minutes: int, min_requests: int | None, verdict: Verdict
) -> None:
    asked = {} if min_requests is None else {"min_requests": min_requests}
    feed = bench(asked).feed(minute(at, 1, 0) for at in range(minutes))
    assert feed.says(bake_ms=10 * MINUTE).verdict is verdict


def test_requests_that_the_plan_asks_for_are_waited_for_without_end() -> None:
    feed = bench({"min_requests": 40}).feed(minute(at, 1, 0) for at in range(45))
    assert feed.says(bake_ms=10 * MINUTE).verdict is WAITING  # 40 there, 5 % not excluded
    feed.feed(minute(at, 1, 0) for at in range(45, 60))
    assert feed.says(bake_ms=10 * MINUTE).verdict is PASS


def test_patience_never_goes_on_with_requests_that_surely_fail_too_often() -> None:
    feed = Bench("errors", ERRORS, weight=1000, next_weight=None)
    feed.before(*(minute_of(at, group("source", 2)) for at in range(-60, 0)))
    flapping = feed.feed(_alone(at, 1, int(at % 8 < 4)) for at in range(40)).says()
    assert (flapping.verdict, rule(flapping)) == (WAITING, Rule.TOO_MANY)


def test_silence_ends_patience() -> None:
    silent = [minute(at, GONE, source=19) for at in range(30, 34)]
    feed = bench().feed([*(minute(at, 1, 0) for at in range(30)), *silent])
    assert feed.says(bake_ms=10 * MINUTE).verdict is WAITING


def test_a_new_step_starts_without_proof_and_with_all_evidence() -> None:
    feed = bench().feed([*good(), minute(10, bad=45)])
    before = feed.says().signals[0].evidence
    judgement = feed.step(11).says()
    assert judgement.signals[0].evidence == before
    assert judgement.signals[0].bound_ppm == 1_000_000


def test_minutes_that_straddle_a_shift_count_against_only() -> None:
    feed = bench().step(5).feed(good(5))
    assert feed.says().verdict is WAITING
    assert feed.says().signals[0].bound_ppm == 1_000_000
    assert bench().step(5).feed(minute(at, bad=300) for at in range(2)).says().verdict is BREACH


# --- the budget


@pytest.mark.parametrize(
    ("bad", "verdict"),
    [
        pytest.param([19, *[0] * 3], WAITING, id="fewer than 20 prove nothing"),
        pytest.param([55, *[0] * 3], WAITING, id="not surely above it, at any look"),
        pytest.param([70, *[0] * 3], BREACH, id="surely above it"),
    ],
)
def test_a_budget_needs_twenty_bad_requests_and_more_than_chance(
    bad: list[int], verdict: Verdict
) -> None:
    feed = bench({"budget": "0.3%", "max": "50%", "min_requests": 10**6})
    feed.feed(minute(at, bad=one) for at, one in enumerate(bad))
    assert feed.says().verdict is verdict


def test_a_budget_survives_steps_and_restarts_and_leaves_out_a_bad_source() -> None:
    feed = bench({"budget": "0.06%"}).feed(good(20)).step(20).restart()
    assert feed.says().verdict is WAITING
    feed.feed(good(30, first=20))
    assert (feed.says().verdict, rule(feed.says())) == (BREACH, Rule.BUDGET)
    shared = bench({"budget": "0.06%"}).feed(
        minute(at, bad=30, source_bad=5_700) for at in range(20)
    )
    assert shared.says().verdict is SHARED


# --- minutes that are still being published


def test_a_whole_minute_counts_before_it_is_settled() -> None:
    judgement = bench().feed(good()).alarming(minute(10, bad=300))
    assert judgement is not None
    assert judgement.verdict is BREACH
    assert judgement.why.startswith(
        "300 of 3,000 requests failed (10.00 %) in one minute (some still being published), "
        "allowed 0.21 % given the source; a healthy destination would "
    )


def test_building_evidence_is_watched_before_it_is_settled() -> None:
    judgement = bench().alarming(minute(0, bad=45))
    assert judgement is not None
    assert judgement.verdict is WAITING
    assert "in one minute (some still being published), allowed" in judgement.why


@pytest.mark.parametrize(
    ("requests", "source", "counts"),
    [
        pytest.param(2_400, 45_600, True, id="80 % of the usual volume"),
        pytest.param(2_399, 45_600, False, id="a request less is half published"),
        pytest.param(300, 13_000, False, id="errors first"),
    ],
)
def test_a_half_published_minute_says_nothing(requests: int, source: int, counts: bool) -> None:
    early = minute(10, requests, 290, source=source, source_bad=0)
    assert (bench().feed(good()).alarming(early) is not None) is counts


@pytest.mark.parametrize(
    ("requests", "bad", "breaches"),
    [
        pytest.param(30, 9, False, id="the errors of a whole minute, few of its requests yet"),
        pytest.param(900, 900, True, id="so many errors that they are a third of all that is due"),
    ],
)
def test_a_destination_published_in_part_is_held_against_what_its_weight_brings(
    requests: int, bad: int, breaches: bool
) -> None:
    early = bench().feed(good()).alarming(minute(10, requests, bad))
    assert (early is not None and early.verdict is BREACH) is breaches


def test_one_quiet_minute_does_not_make_the_next_one_look_whole() -> None:
    """The usual volume is the median of five minutes, not the newest one's."""
    feed = bench().feed([*good(), minute(10, 300, 0, source=5_700, source_bad=5)])
    assert feed.alarming(minute(11, 300, 290, source=13_000, source_bad=0)) is None


def test_each_unsettled_minute_is_held_against_those_before_it() -> None:
    whole, half = minute(0, bad=45), minute(1, 300, 290, source=13_000, source_bad=0)
    watched = bench().alarming(whole, half)
    assert watched is not None
    assert watched.verdict is WAITING
    both = bench().alarming(minute(0, bad=45), minute(1, bad=45))
    assert both is not None
    assert both.verdict is BREACH


def test_unsettled_minutes_speak_against_only() -> None:
    assert bench().feed(good()).alarming(minute(10)) is None
    assert bench().feed(good()).alarming() is None
    shared = minute(10, source_bad=57_000)
    assert bench().feed(good()).alarming(shared, minute(11, source_bad=57_000)) is None


def test_unsettled_minutes_leave_no_trace() -> None:
    feed = bench().feed(good())
    before = feed.memory
    feed.alarming(minute(10, bad=300))
    assert feed.memory == before


@pytest.mark.parametrize(
    ("made", "breach"),
    [
        pytest.param({}, False, id="no error of the load balancer explains them: late answers"),
        pytest.param({"elb_504": 10}, False, id="ten are explained"),
        pytest.param({"elb_504": 900}, True, id="all of them"),
        pytest.param({"elb_502": 400, "elb_504": 500}, True, id="by two kinds of errors"),
    ],
)
def test_requests_without_an_answer_count_early_only_as_far_as_the_load_balancer_says_so(
    made: dict[str, int], breach: bool
) -> None:
    hung = minute_of(10, group("source", 57_000, 57), group("destination", 3000, hung=900), **made)
    judgement = bench().feed(good()).alarming(hung)
    assert (judgement is not None and judgement.verdict is BREACH) is breach
    settled = bench().feed([*good(), hung]).says()
    assert settled.verdict is BREACH


def test_a_dead_destination_breaches_in_its_first_settled_minute_by_what_is_missing() -> None:
    """503s carry no target group: the requests that its weight should have brought are its failures."""
    dead = minute_of(0, group("source", 57_000, 57), group("destination", GONE), elb_503=3000)
    judgement = bench().feed(dead).says()
    assert judgement.verdict is BREACH
    assert judgement.why.startswith("3,000 of 3,000 requests failed (100.00 %) in one minute")


def test_usual_503s_are_not_blamed_on_a_weight_that_is_late() -> None:
    before = [minute_of(at, group("source", 60_000, 60), elb_503=30) for at in range(-60, 0)]
    late = minute_of(0, group("source", 60_000, 60), group("destination", GONE), elb_503=30)
    feed = Bench("errors", ERRORS, weight=50).before(*before).feed(late)
    assert feed.says().verdict is WAITING


# --- warm-up


def test_the_first_minute_at_a_weight_is_cold_for_latency_only() -> None:
    cold = latency().feed(slow_minute(0, 1_500))
    assert cold.says().signals[0].evidence == 0
    assert cold.feed(slow_minute(1, 1_500)).says().verdict is BREACH
    assert cold.step(2, 500).feed(slow_minute(2, 1_500)).says().signals[0].evidence == (
        latency().feed([slow_minute(0, 1_500), slow_minute(1, 1_500)]).says().signals[0].evidence
    )
    assert bench().feed(minute(0, bad=1500)).says().verdict is BREACH


# --- alpha


@pytest.mark.parametrize(
    ("routes", "gates", "scale"),
    [
        pytest.param(1, [{"errors": ERRORS}], 1, id="half is taken"),
        pytest.param(
            1, [{"errors": ERRORS}, {"latency": {**LATENCY, "max": "1s"}}], 1, id="all is taken"
        ),
        pytest.param(
            1,
            [
                {"errors": ERRORS},
                {"latency": {**LATENCY, "max": "1s"}},
                {"lb_errors": {"max": "1%", "judge": "sequential"}},
            ],
            1 / 1.25,
            id="five quarters are taken",
        ),
        pytest.param(
            1,
            [
                {"errors": ERRORS},
                {"latency": {**LATENCY, "max": "1s"}},
                {"lb_errors": {"max": "1%"}},
            ],
            1,
            id="the threshold judge takes none",
        ),
        pytest.param(2, [{"errors": ERRORS}], 1 / 2, id="two comparisons share it"),
    ],
)
def test_alpha_is_divided_over_gates_and_comparisons(
    routes: int, gates: list[dict[str, Any]], scale: float
) -> None:
    plan = plan_of(gates=gates, routes=[TWO_ROUTES[0], SECOND_COMPARISON][:routes])
    assert plan.alpha_scale == pytest.approx(scale)
    taken = sum(gate.gate.alpha(gate.spec) for gate in plan.gates) * plan.alpha_scale
    assert taken * len(plan.comparisons) <= 1 + 1e-9


def test_a_part_of_alpha_needs_as_much_more_evidence() -> None:
    feed = bench().feed(minute(at, bad=30) for at in range(2))
    assert 200 < feed.says().signals[0].evidence < 40_000
    assert feed.says().verdict is BREACH
    parted = feed.says(alpha_scale=0.005)
    assert parted.signals[0].needed == pytest.approx(40_000)
    assert parted.verdict is not BREACH


def test_each_signal_needs_what_its_share_says() -> None:
    needed = {
        signal.name: round(signal.needed)
        for judgement in (bench().says(), latency().says())
        for signal in judgement.signals
    }
    assert needed == {"errors": 200, "latency.versus_source": 400}


def test_a_restart_keeps_what_was_spent_and_discards_what_was_proven() -> None:
    feed = bench().feed(good())
    spent = feed.memory.counting.weigher
    feed.restart()
    assert feed.memory.counting.weigher == spent
    assert feed.says().verdict is WAITING
    assert feed.feed(good(first=10)).memory.counting.weigher == (
        bench().feed(good(20)).memory.counting.weigher
    )


def test_evidence_against_outlives_a_restart() -> None:
    assert bench().feed(minute(at, bad=30) for at in range(3)).restart().says().verdict is BREACH


def test_what_the_source_taught_is_named_for_preflight() -> None:
    feed = bench()
    assert dict(feed.gate.learned(feed.spec, feed.memory)) == {
        "cv.errors": 250_000,
        "unanswered_ppm": 0,
    }


def _alone(at: int, requests: int, failed: int) -> Minute:
    """A minute at 100 %: nobody is left at the source."""
    return minute_of(at, group("source", GONE), group("destination", requests, failed))


def test_an_incident_that_nobody_could_attribute_is_forgotten_once_it_is_over() -> None:
    feed = Bench("errors", ERRORS, weight=1000, next_weight=None)
    feed.before(*(minute_of(at, group("source", 6000, 6)) for at in range(-60, 0)))
    feed.feed(_alone(at, 6000, 6) for at in range(5))
    calm = feed.says().signals[0].evidence
    assert "left out" not in feed.says().why
    asked = feed.feed(_alone(at, 6000, 300) for at in range(5, 17)).says()
    assert (asked.verdict, asked.on_breach) == (Verdict.BREACH, "escalate")
    feed.feed(_alone(at, 6000, 6) for at in range(17, 19))
    assert feed.says().verdict is Verdict.BREACH
    over = feed.feed(_alone(19, 6000, 6)).says()
    assert over.verdict is Verdict.PASS
    assert over.signals[0].evidence <= calm
    assert "; left out of that evidence: 12 minutes of an incident that is over" in over.why
    fresh = feed.restart().feed(_alone(at, 6000, 6) for at in range(20, 25)).says()
    assert "left out" not in fresh.why


@pytest.mark.parametrize(("requests", "failed"), [(1, 1), (2, 2), (3, 2), (4, 2)])
def test_few_requests_are_no_calm_while_they_fail(requests: int, failed: int) -> None:
    feed = Bench("errors", ERRORS, weight=1000, next_weight=None)
    feed.before(*(minute_of(at, group("source", requests)) for at in range(-60, 0)))
    for at in range(40):
        judgement = feed.feed(_alone(at, requests, failed)).says()
        assert at < 4 or (judgement.verdict, judgement.on_breach) == (BREACH, "escalate")


def test_what_the_source_was_there_to_see_is_not_forgotten_when_it_is_gone() -> None:
    feed = bench(weight=750)
    bad = [minute(at, 3000, 600, source=1000, source_bad=10) for at in range(3)]
    seen = feed.feed(bad).says()
    assert (seen.verdict, seen.on_breach) == (BREACH, "")
    feed.weight = 1000
    assert (
        feed.feed(minute(at, 60_000, 60, source=GONE) for at in range(3, 7)).says().verdict
        is BREACH
    )


def test_a_noisy_minute_of_the_source_does_not_excuse_the_defect_after_it() -> None:
    feed = bench(weight=990)
    quiet = [minute(at, 59_400, 60, source=600, source_bad=1) for at in range(5)]
    noisy = minute(5, 59_400, 60, source=40, source_bad=4)
    feed.feed([*quiet, noisy])
    bad = [minute(at, 59_400, 3_000, source=40, source_bad=0) for at in (6, 7)]
    judgement = feed.feed(bad).says()
    assert (judgement.verdict, judgement.on_breach) == (BREACH, "escalate")


def _sliver(at: int, source_bad: int, bad: int = 6) -> Minute:
    """A minute at 95 %: 300 requests are left at the source."""
    return minute(at, 5_700, bad, source=300, source_bad=source_bad)


def test_an_incident_of_the_source_excuses_nothing_once_the_source_is_well() -> None:
    feed = Bench("errors", ERRORS, weight=950)
    feed.before(*(minute_of(at, group("source", 6000, 6)) for at in range(-60, 0)))
    feed.feed(_sliver(at, source_bad=60) for at in range(10))
    assert feed.says().verdict is Verdict.SHARED
    assert feed.feed(_sliver(at, source_bad=0) for at in range(10, 14)).says().verdict is PASS
    defect = feed.feed(_sliver(at, source_bad=0, bad=114) for at in range(14, 17)).says()
    assert defect.verdict is BREACH
    assert defect.signals[0].allowed_ppm <= 10_000


def test_an_incident_of_the_source_before_the_run_excuses_nothing_either() -> None:
    feed = Bench("errors", ERRORS, weight=500)
    hour = [minute_of(at, group("source", 300, 60 if at < -5 else 0)) for at in range(-60, 0)]
    feed.before(*hour).feed(minute(at, 300, 6, source=300, source_bad=0) for at in range(4))
    assert feed.says().signals[0].allowed_ppm <= 10_000


def test_noisy_minutes_of_a_source_stay_in_what_it_taught() -> None:
    """Leaving out its bad luck alone would make it look better than it is, and the destination worse."""
    feed = Bench("errors", ERRORS, weight=950)
    feed.before(*(minute_of(at, group("source", 300, 2)) for at in range(-60, 0)))
    feed.feed(_sliver(at, source_bad=6 if at == 3 else 2) for at in range(10))
    assert Counts(300, 6) in feed.memory.counting.weigher.pool


def test_a_source_that_vanishes_in_a_step_is_unknown_from_its_fourth_minute_on() -> None:
    feed = bench()
    feed.feed(good(5))
    feed.feed(minute(at, source=GONE) for at in range(5, 8))
    assert feed.says().verdict is PASS
    gone = feed.feed(minute(8, source=GONE)).says()
    assert gone.verdict is Verdict.UNKNOWN
    assert gone.why == (
        "no source datapoint for 4 minutes, although its share of the weight should have brought it about "
        "228,000 requests: nothing to compare with"
    )
    assert feed.feed(minute(9)).says().verdict is PASS


def test_a_minute_still_being_published_never_hides_evidence_behind_a_silent_source() -> None:
    feed = bench().feed(good(5))
    feed.feed(minute(at, source=GONE) for at in (5, 6))
    feed.feed(minute(7, bad=40, source=GONE))
    early = feed.alarming(minute(8, bad=40, source=GONE))
    assert early is not None
    assert early.verdict >= WAITING


def test_at_a_hundred_percent_no_source_is_missed() -> None:
    feed = bench(weight=1000).feed(_alone(at, 6000, 6) for at in range(10))
    assert feed.says().verdict is PASS


def test_a_fresh_bake_counts_the_minutes_without_a_source_anew() -> None:
    feed = bench().feed(minute(at, source=GONE) for at in range(4))
    assert feed.says().verdict is Verdict.UNKNOWN
    feed.restart().feed(minute(at, source=GONE) for at in range(4, 7))
    assert feed.says().verdict is not Verdict.UNKNOWN


def test_without_a_limit_beside_the_source_nobody_needs_it() -> None:
    alone = bench({"versus_source": None}).feed(minute(at, source=GONE) for at in range(9))
    assert alone.says().verdict is PASS


def test_an_incident_that_the_source_surely_did_not_share_is_not_forgotten() -> None:
    feed = Bench("errors", ERRORS, weight=950, next_weight=1000)
    feed.before(*(minute_of(at, group("source", 6000, 6)) for at in range(-60, 0)))

    def minute(at: int, failed: int) -> Minute:
        return minute_of(at, group("source", 300), group("destination", 5700, failed))

    feed.feed(minute(at, 5) for at in range(5))
    breach = feed.feed(minute(at, 285) for at in range(5, 10)).says()
    assert (breach.verdict, breach.on_breach) == (Verdict.BREACH, "")


def test_a_source_that_is_bad_by_chance_alone_is_said_so() -> None:
    feed = Bench("errors", ERRORS)
    feed.before(*(minute_of(at, group("source", 300, 1)) for at in range(-60, 0)))

    def minute(at: int, failed: int) -> Minute:
        return minute_of(at, group("source", 270, failed), group("destination", 30))

    by_chance = feed.feed(minute(at, 4) for at in range(3)).says()
    assert by_chance.verdict is Verdict.SHARED
    assert by_chance.facts[SOURCE_SURELY_BAD] == 0
    surely = feed.feed(minute(at, 40) for at in range(3, 6)).says()
    assert surely.facts[SOURCE_SURELY_BAD] == 1


def test_what_the_source_was_there_to_see_is_not_forgotten_at_100_percent() -> None:
    feed = bench({"on_breach": "hold"}).feed(minute(at, bad=300) for at in range(5))
    assert feed.says().verdict is BREACH
    feed.step(5, weight=1000).feed(minute(at, 60_000, 60, source=GONE) for at in range(5, 10))
    assert feed.says().verdict is BREACH  # it fades minute by minute, as evidence does


def test_nothing_is_learned_without_minutes_before_the_run_or_by_the_threshold_judge() -> None:
    new = Bench("errors", ERRORS)
    assert dict(new.gate.learned(new.spec, new.memory)) == {}
    old = bench({"judge": "threshold"})
    assert dict(old.gate.learned(old.spec, old.memory)) == {"unanswered_ppm": 0}
    assert dict(latency().gate.learned(latency().spec, latency().memory)).keys() == {
        "cv.latency.versus_source"
    }
