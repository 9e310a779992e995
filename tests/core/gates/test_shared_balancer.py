"""At 100 % on a load balancer that serves others too: whose 503s are they, and how many requests were due?"""

from __future__ import annotations

from typing import Any

import pytest

from cutover.core.gates import Verdict
from cutover.core.gates.errors import OTHERS_503
from cutover.core.gates.neighbours import Neighbours
from cutover.core.observation import Minute
from tests.core.gates.world import CLIENT_ERRORS, ERRORS, GONE, UNREAD, Bench, group, minute_of

OURS, THEIRS = 600, 4_000
JUDGES = pytest.mark.parametrize("judge", ["threshold", "sequential"])
FULL = 1000


def minute(at: int, ours: Any = OURS, theirs: Any = THEIRS, **elb: Any) -> Minute:
    """The destination has all of the comparison's traffic; the balancer counts what found a target."""
    served = ours if isinstance(ours, int) else 0
    balancer = theirs if theirs is UNREAD else served + theirs
    return minute_of(
        at, group("source", GONE), group("destination", ours), balancer=balancer or GONE, **elb
    )


def bench(judge: str = "threshold", kind: str = "errors", theirs: int = THEIRS) -> Bench:
    options = (ERRORS if kind == "errors" else CLIENT_ERRORS) | {"judge": judge}
    before = [minute_of(at, group("source", OURS), balancer=OURS + theirs) for at in range(-60, 0)]
    feed = Bench(kind, options, next_weight=None).before(*before).step(0, FULL)
    return feed.feed(minute(at, theirs=theirs) for at in range(10))


@JUDGES
def test_another_services_503s_are_not_the_destinations(judge: str) -> None:
    feed = bench(judge).feed(minute(at, theirs=0, elb_503=THEIRS) for at in range(10, 60))
    assert feed.says().verdict is Verdict.PASS


@JUDGES
def test_a_flood_of_503s_at_another_service_is_not_the_destinations(judge: str) -> None:
    feed = bench(judge).feed(minute(at, elb_503=50_000) for at in range(10, 14))
    assert feed.says().verdict is Verdict.PASS


@JUDGES
@pytest.mark.parametrize("theirs", [THEIRS, THEIRS * 95 // 100, THEIRS * 2])
def test_a_destination_that_has_vanished_is_a_breach_in_its_first_minute(
    judge: str, theirs: int
) -> None:
    judgement = bench(judge).feed(minute(10, GONE, theirs, elb_503=OURS)).says()
    assert judgement.verdict is Verdict.BREACH
    assert judgement.on_breach == ("escalate" if judge == "sequential" else "")


@JUDGES
def test_when_everybody_vanishes_the_destinations_part_is_a_breach(judge: str) -> None:
    judgement = bench(judge).feed(minute(10, GONE, 0, elb_503=OURS + THEIRS)).says()
    assert judgement.verdict is Verdict.BREACH


@JUDGES
def test_where_nobody_can_tell_whose_they_are_the_run_holds(judge: str) -> None:
    judgement = bench(judge).feed(minute(10, OURS // 3, 0, elb_503=THEIRS * 8 // 10)).says()
    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.why == OTHERS_503


@JUDGES
@pytest.mark.parametrize(("theirs", "made"), [(UNREAD, 900), (THEIRS, UNREAD)])
def test_what_could_not_be_read_is_unknown(judge: str, theirs: Any, made: Any) -> None:
    judgement = bench(judge).feed(minute(10, OURS // 3, theirs, elb_503=made)).says()
    assert judgement.verdict is Verdict.UNKNOWN
    assert "503s could not be read" in judgement.why


def test_few_requests_without_503s_above_the_usual_are_only_few() -> None:
    assert bench().feed(minute(10, OURS // 3)).says().verdict is Verdict.PASS


@JUDGES
def test_what_is_still_being_published_blames_nobody_for_503s_of_a_shared_balancer(
    judge: str,
) -> None:
    assert bench(judge).alarming(minute(10, OURS // 3, THEIRS // 2, elb_503=THEIRS)) is None


@JUDGES
def test_trouble_that_lasts_does_not_become_what_is_usual(judge: str) -> None:
    feed = bench(judge).feed(
        minute(at, OURS // 3, 0, elb_503=THEIRS * 8 // 10) for at in range(10, 40)
    )
    assert feed.says().verdict is Verdict.UNKNOWN
    assert feed.feed(minute(40, GONE, THEIRS, elb_503=OURS)).says().verdict is Verdict.BREACH


@JUDGES
def test_a_silent_destination_is_held_against_what_it_usually_gets_not_against_everybody(
    judge: str,
) -> None:
    few = bench(judge).feed(minute(at, 2) for at in range(10, 20))
    quiet = few.feed(minute(at, GONE) for at in range(20, 24)).says()
    assert quiet.verdict is not Verdict.UNKNOWN
    judgement = bench(judge).feed(minute(at, GONE) for at in range(10, 14)).says()
    assert judgement.verdict is Verdict.UNKNOWN
    assert "about 2,400 requests" in judgement.why


def test_without_others_the_whole_balancer_is_the_destinations() -> None:
    feed = bench(theirs=0).feed(minute(10, OURS // 3, 0, elb_503=2 * OURS))
    assert feed.says().verdict is Verdict.BREACH


def test_another_services_malformed_requests_are_not_the_destinations_464() -> None:
    feed = bench(kind="client_errors").feed(minute(at, elb_4xx=3_000) for at in range(10, 14))
    assert feed.says().verdict is Verdict.PASS
    refused = [minute(at, OURS // 2, elb_4xx=OURS // 2) for at in range(14, 17)]
    assert feed.feed(refused).says().verdict is Verdict.BREACH


def test_what_is_usual_needs_three_minutes_and_both_numbers() -> None:
    usual = Neighbours().learn(minute(0)).learn(minute(1, theirs=UNREAD)).learn(minute(2, GONE))
    assert usual.minutes == ((OURS, THEIRS),)
    assert not usual.shared
    assert usual.due(minute(3), FULL) == OURS + THEIRS
    usual = usual.learn(minute(4)).learn(minute(5))
    assert usual.shared
    assert usual.due(minute(6, GONE), FULL) == OURS
    assert usual.missing_others(minute(7, theirs=UNREAD)) is None
