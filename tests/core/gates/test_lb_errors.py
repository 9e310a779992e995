"""The lb_errors gate: 502, 503 and 504 that the load balancer made itself."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.core.gates import Verdict
from cutover.core.messages.verdicts import with_sentence
from cutover.core.observation import Minute
from tests.core.gates.world import GONE, LB_ERRORS, UNREAD, Bench, group, minute_of


def minute(at: int, requests: object = 600, source: object = 5400, **more: Any) -> Minute:
    return minute_of(at, group("source", source), group("destination", requests), **more)


def bench(options: Any = None, **fields: Any) -> Bench:
    before = [minute(at, GONE, 6000, elb_502=3) for at in range(-30, 0)]
    return Bench("lb_errors", options, **fields).before(*before)


def test_the_balancers_own_rate_is_no_fault_of_the_destination() -> None:
    judgement = bench().feed(minute(at, elb_502=4) for at in range(10)).says()
    assert judgement.verdict is Verdict.PASS


def test_a_balancer_that_always_makes_errors_is_measured_by_itself() -> None:
    feed = Bench("lb_errors").before(*(minute(at, GONE, 6000, elb_502=60) for at in range(-30, 0)))
    assert feed.feed(minute(at, elb_502=60) for at in range(10)).says().verdict is Verdict.PASS


def test_gateway_timeouts_above_it_are_a_breach() -> None:
    judgement = bench().feed(minute(at, elb_504=40) for at in range(3)).says()
    assert judgement.verdict is Verdict.BREACH
    assert "failed at the load balancer beyond its usual rate" in judgement.why
    assert judgement.on_breach == ""


def test_a_dead_destination_is_an_outage_in_one_minute() -> None:
    assert bench().feed(minute(0, GONE, elb_503=600)).says().verdict is Verdict.BREACH


def test_a_drip_of_504_exceeds_the_budget_of_the_run() -> None:
    feed = bench(LB_ERRORS | {"budget": "0.1%"}, weight=1000)
    for burst in range(4):
        at = 15 * burst
        feed.feed(minute(at, 6000, GONE, elb_504=120))
        feed.feed(minute(at + later, 6000, GONE) for later in range(1, 5))
    judgement = feed.says()
    assert judgement.verdict is Verdict.BREACH
    assert judgement.why.endswith("in the whole run, its budget is 0.10 %")


def test_on_a_balancer_with_other_groups_a_breach_holds_unless_said() -> None:
    others = [minute(at, elb_504=400, balancer=12_000) for at in range(3)]
    judgement = bench().feed(others).says()
    assert (judgement.verdict, judgement.on_breach) == (Verdict.BREACH, "hold")
    assert "serves other groups too" in judgement.why
    sequential = with_sentence(bench(LB_ERRORS | {"judge": "sequential"}).feed(others).says())
    assert (sequential.verdict, sequential.on_breach) == (Verdict.BREACH, "hold")
    assert sequential.why.endswith("serves other groups too, so it may not be the destination")
    early = bench(calibration={"elb_bad_ppm": 500}).alarming(others[0])
    assert early is not None
    assert early.on_breach == "hold"
    said = bench(LB_ERRORS | {"on_breach": "rollback"}).feed(others).says()
    assert said.on_breach == "rollback"


def test_a_balancer_whose_requests_cannot_be_told_apart_is_not_called_shared() -> None:
    feed = bench().feed(minute(at, elb_504=40) for at in range(2))
    feed.feed(minute(2, source=UNREAD, elb_504=40))
    assert feed.says().on_breach == ""


def test_a_source_that_leaves_its_requests_unanswered_is_shared() -> None:
    sick = [
        minute_of(at, group("source", 5400, hung=500), group("destination", 600), elb_504=500)
        for at in range(3)
    ]
    assert bench().feed(sick).says().verdict is Verdict.SHARED
    assert bench(calibration={"elb_bad_ppm": 500}).alarming(sick[0]) is None


@pytest.mark.parametrize("judge", ["sequential", "threshold"])
def test_errors_that_are_the_sources_prove_nothing_whoever_judges(judge: str) -> None:
    feed = bench(LB_ERRORS | {"judge": judge, "budget": "0.1%"})
    hung = group("source", 5400, hung=500)
    sick = [minute_of(at, hung, group("destination", 600), elb_504=500) for at in range(3)]
    assert with_sentence(feed.feed(sick).says()).verdict is Verdict.SHARED
    assert feed.feed(minute(at) for at in (3, 4)).says().verdict is not Verdict.SHARED
    assert feed.says().facts["bad"] == 0


def test_a_source_whose_requests_stay_away_is_shared() -> None:
    empty = [minute(at, source=GONE, elb_503=5400) for at in range(3)]
    assert bench().feed(empty).says().verdict is Verdict.SHARED


@pytest.mark.parametrize(
    "column", [{"elb_503": UNREAD}, {"requests": UNREAD}, {"balancer": UNREAD}]
)
def test_unread_is_unknown(column: dict[str, Any]) -> None:
    feed = bench().feed([*(minute(at) for at in range(10)), minute(10, **column)])
    assert feed.says().verdict is Verdict.UNKNOWN


def test_without_a_rate_of_its_own_nothing_can_be_called_an_excess() -> None:
    judgement = Bench("lb_errors").feed(minute(at) for at in range(10)).says()
    assert (judgement.verdict, judgement.why) == (
        Verdict.UNKNOWN,
        "the load balancer's own rate before the run is not known",
    )


def test_the_rate_that_preflight_measured_stands_in() -> None:
    feed = Bench("lb_errors", calibration={"elb_bad_ppm": 500}).feed(
        minute(at) for at in range(10)
    )
    assert feed.says().verdict is Verdict.PASS


def test_at_weight_zero_nothing_is_blamed() -> None:
    feed = bench().feed((minute(at, GONE, elb_503=600) for at in range(3)), weight=0)
    assert feed.says().verdict is Verdict.WAITING


def test_an_unsettled_outage_alarms_if_the_usual_rate_is_known() -> None:
    dead = minute(0, GONE, elb_503=600)
    assert bench(calibration={"elb_bad_ppm": 500}).alarming(dead) is not None
    assert (
        bench(calibration={}).alarming(dead) is not None
    )  # the minutes before the raise say what is usual
    assert Bench("lb_errors", calibration={}).alarming(dead) is None
    assert bench(calibration={"elb_bad_ppm": 500}).alarming(minute(0, elb_503=UNREAD)) is None


def test_a_restart_waits_again() -> None:
    assert bench().feed(minute(at) for at in range(10)).restart().says().verdict is Verdict.WAITING
