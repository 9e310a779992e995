"""The latency gate: requests slower than a limit, never a percentile; and the rules of the threshold judge."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cutover.core.gates import GATES, Verdict
from cutover.core.observation import Minute, Series, Side
from tests.core.gates.world import COMPARISON, GONE, UNREAD, Bench, group, minute_of, slow

BREACH, SHARED, UNKNOWN, WAITING, PASS = (
    Verdict.BREACH,
    Verdict.SHARED,
    Verdict.UNKNOWN,
    Verdict.WAITING,
    Verdict.PASS,
)
RELATIVE = {"percentile": 95, "versus_source": {"ratio": 1.25}, "judge": "threshold"}
ABSOLUTE = {"percentile": 95, "max": "800ms", "judge": "threshold"}


def minute(
    at: int,
    requests: object = 1500,
    slower: object = 30,
    very_slow: object = 0,
    source: object = 4500,
    source_slower: object = 225,
    source_very_slow: object = 0,
) -> Minute:
    """tau is 200 ms: `slower` counts the destination's over 250 ms, `source_slower` the source's over 200 ms."""
    return minute_of(
        at,
        group("source", source),
        slow("source", {200: source_slower, 800: source_very_slow}),
        group("destination", requests),
        slow("destination", {250: slower, 800: very_slow}),
    )


def bench(options: Any = None, **fields: Any) -> Bench:
    fields.setdefault("weight", 250)
    return Bench("latency", options, **fields).before(*(minute(at, GONE) for at in range(-15, 0)))


def test_it_asks_for_requests_slower_than_each_limit_on_both_sides() -> None:
    spec = bench().spec
    assert {s.key for s in GATES["latency"].needs(spec, COMPARISON, {"p95": 200})} >= {
        "destination.slower.800",
        "source.slower.800",
        "destination.slower.250",
        "source.slower.200",
    }
    assert Series(Side.SOURCE, "slower", 200) not in GATES["latency"].needs(spec, COMPARISON, {})


def test_as_fast_as_the_source_passes() -> None:
    judgement = bench().feed(minute(at) for at in range(10)).says()
    assert judgement.verdict is PASS


def test_a_p95_twice_the_source_is_a_breach() -> None:
    judgement = bench(RELATIVE).feed(minute(at, slower=195) for at in range(3)).says()
    assert judgement.verdict is BREACH
    assert judgement.why.startswith(
        "585 of 4,500 requests were slower than 250ms, 1.25 x the source's p95 (13.00 %) in 3 minutes, allowed 5."
    )


def test_a_p95_over_the_limit_is_a_breach_of_the_limit() -> None:
    judgement = bench(ABSOLUTE).feed(minute(at, very_slow=200) for at in range(2)).says()
    assert judgement.verdict is BREACH
    assert "slower than 800ms" in judgement.why
    assert judgement.facts["allowed_ppm"] == 50_000


def test_a_slow_down_that_both_share_is_nobodys_fault() -> None:
    shared = [minute(at, slower=600, source_slower=1800) for at in range(3)]
    assert bench(RELATIVE).feed(shared).says().verdict is SHARED


def test_a_source_over_the_limit_itself_is_shared() -> None:
    shared = [minute(at, very_slow=150, source_very_slow=450) for at in range(3)]
    assert bench(ABSOLUTE).feed(shared).says().verdict is SHARED


def test_a_destination_much_slower_than_a_source_over_the_limit_is_a_breach() -> None:
    shared = [minute(at, very_slow=900, source_very_slow=450) for at in range(3)]
    assert bench(ABSOLUTE).feed(shared).says().verdict is BREACH


def test_without_a_calibration_there_is_nothing_to_compare_with() -> None:
    judgement = bench(RELATIVE, calibration={}).feed(minute(at) for at in range(10)).says()
    assert judgement.verdict is UNKNOWN
    assert judgement.why == "the source's p95 before the run is not known: nothing to compare with"


def test_a_missing_count_is_not_zero() -> None:
    for column in ({"slower": GONE}, {"slower": UNREAD}, {"source_slower": GONE}):
        feed = bench(RELATIVE).feed([*(minute(at) for at in range(10)), minute(10, **column)])
        judgement = feed.says()
        assert judgement.verdict is UNKNOWN
        assert "slow requests could not be read" in judgement.why


def test_the_worse_limit_speaks() -> None:
    assert bench().feed(minute(at, very_slow=200) for at in range(2)).says().verdict is BREACH
    assert bench().feed(minute(at, slower=200) for at in range(2)).says().verdict is BREACH


def test_a_cold_start_around_the_change_counts_only_as_an_outage() -> None:
    cold = [minute(at, slower=400) for at in range(3)]
    assert bench(RELATIVE).step(3).feed(cold).says().verdict is WAITING
    assert bench(RELATIVE).step(3).feed(minute(0, slower=1400)).says().verdict is BREACH
    assert bench(RELATIVE).step(3).alarming(cold[0]) is None


def test_at_full_weight_the_tail_itself_is_allowed() -> None:
    feed = Bench("latency", RELATIVE, weight=1000)
    feed.feed(minute(at, requests=6000, slower=120, source=GONE) for at in range(5))
    assert feed.says().verdict is PASS


def test_a_p99_needs_more_requests_than_a_p95() -> None:
    feed = {
        percentile: bench({"percentile": percentile, "max": "1s", "judge": "threshold"}).feed(
            minute_of(
                at,
                group("source", 5940),
                slow("source", {1000: 0}),
                group("destination", 60),
                slow("destination", {1000: 0}),
            )
            for at in range(4)
        )
        for percentile in (95, 99)
    }
    assert feed[95].says().verdict is PASS
    assert feed[99].says().verdict is WAITING


def test_a_restart_keeps_only_what_speaks_against() -> None:
    assert bench().feed(minute(at) for at in range(10)).restart().says().verdict is WAITING
    assert (
        bench().feed(minute(at, slower=300) for at in range(3)).restart().says().verdict is BREACH
    )


@pytest.mark.parametrize(("slower", "alarms"), [(1000, True), (75, False)])
def test_slow_requests_still_being_published_already_count(slower: Any, alarms: bool) -> None:
    judgement = bench(RELATIVE).alarming(minute(0, slower=slower))
    assert (judgement is not None) is alarms


def test_a_fraction_of_a_slow_request_is_no_whole_one() -> None:
    """Three requests a minute, one of a hundred slow: rounded up they would be a third of all."""
    few = [minute(at, requests=3, slower=0.03, source=9, source_slower=0.45) for at in range(30)]
    assert bench(RELATIVE, weight=250).feed(few).says().verdict is not BREACH


def test_a_latency_gate_without_a_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no limit to judge by"):
        GATES["latency"].Spec.model_validate({"percentile": 95})
