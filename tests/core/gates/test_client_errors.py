"""The client_errors gate: 4xx that only the destination gives."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cutover.core.gates import GATES, Verdict
from cutover.core.observation import Minute
from tests.core.gates.world import CLIENT_ERRORS, GONE, UNREAD, Bench, group, minute_of


def minute(
    at: int,
    requests: object = 600,
    refused: int = 12,
    source: object = 5400,
    source_refused: int = 108,
    **more: Any,
) -> Minute:
    return minute_of(
        at,
        group("source", source, refused=source_refused),
        group("destination", requests, refused=refused),
        **more,
    )


def bench(options: Any = None, **fields: Any) -> Bench:
    before = [minute(at, GONE, 0, 6000, 120, elb_4xx=10) for at in range(-15, 0)]
    return Bench("client_errors", options, **fields).before(*before)


def test_the_same_4xx_as_the_source_pass() -> None:
    assert bench().feed(minute(at, elb_4xx=10) for at in range(10)).says().verdict is Verdict.PASS


def test_lost_sessions_are_a_breach_and_hold() -> None:
    feed = bench().feed(minute(at, refused=90) for at in range(3))
    judgement = feed.says()
    assert judgement.verdict is Verdict.BREACH
    assert "270 of 1,800 requests got a 4xx (15.00 %) in 3 minutes" in judgement.why
    assert feed.spec.on_breach == "hold"


def test_a_464_is_made_by_the_balancer_and_still_counts() -> None:
    unanswered = group("destination", 600, hung=600)
    mismatch = [
        minute_of(at, group("source", 5400, refused=108), unanswered, elb_4xx=610)
        for at in range(2)
    ]
    assert bench().feed(mismatch).says().verdict is Verdict.BREACH
    absent = [minute(at, GONE, elb_4xx=610) for at in range(2)]
    assert bench().feed(absent).says().verdict is Verdict.BREACH


def test_a_464_for_everybody_at_full_weight_counts() -> None:
    lost = [minute(at, GONE, source=GONE, balancer=10, elb_4xx=6000) for at in range(2)]
    assert bench(weight=1000).feed(lost).says().verdict is Verdict.BREACH


def test_4xx_of_the_balancer_are_not_blamed_on_a_destination_that_answers() -> None:
    busy = [minute(at, elb_4xx=2000) for at in range(10)]
    assert bench().feed(busy).says().verdict is Verdict.PASS


@pytest.mark.parametrize("column", [{"requests": UNREAD}, {"source": UNREAD}])
def test_unread_counts_are_unknown(column: dict[str, Any]) -> None:
    feed = bench().feed([*(minute(at) for at in range(10)), minute(10, **column)])
    assert feed.says().verdict is Verdict.UNKNOWN


def test_4xx_that_could_not_be_read_are_unknown() -> None:
    blind = minute_of(0, group("source", 5400), group("destination", 600, target_4xx=UNREAD))
    assert bench().feed(blind).says().verdict is Verdict.UNKNOWN


def test_other_answers_that_could_not_be_read_add_no_464() -> None:
    blind = minute_of(
        0, group("source", 5400), group("destination", 600, target_2xx=UNREAD), elb_4xx=900
    )
    assert bench().feed(blind).says().facts["bad"] == 0


def test_without_any_source_to_compare_with_it_is_unknown() -> None:
    judgement = Bench("client_errors").feed(minute(at, source=GONE) for at in range(10)).says()
    assert (judgement.verdict, judgement.why) == (
        Verdict.UNKNOWN,
        "the source had no requests to compare with",
    )


def test_a_source_far_above_its_own_usual_rate_is_shared() -> None:
    sick = [minute(at, refused=200, source_refused=2000) for at in range(3)]
    assert bench().feed(sick).says().verdict is Verdict.SHARED


def test_max_caps_the_allowance() -> None:
    feed = bench({"max": "3%"}).feed(minute(at, refused=60) for at in range(3))
    assert feed.says().facts["allowed_ppm"] == 30_000
    assert feed.says().verdict is Verdict.BREACH


def test_a_restart_waits_again() -> None:
    assert bench().feed(minute(at) for at in range(10)).restart().says().verdict is Verdict.WAITING


def test_an_unsettled_flood_of_4xx_alarms() -> None:
    assert bench().alarming(minute(0, refused=300)) is not None
    assert bench().alarming(minute(0)) is None


def test_requests_to_pass_follow_the_smallest_limit() -> None:
    validate = GATES["client_errors"].Spec.model_validate
    assert validate(CLIENT_ERRORS).requests_to_pass == 150
    assert validate(CLIENT_ERRORS | {"max": "0.5%"}).requests_to_pass == 600
    assert validate({"max": "0.5%"}).requests_to_pass == 600


def test_a_gate_without_a_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no limit to judge by"):
        GATES["client_errors"].Spec.model_validate({})


def test_4xx_of_the_source_that_are_not_published_yet_do_not_make_the_destination_look_bad() -> (
    None
):
    """Its settled minutes say what is usual (2 %), whatever this half-published one does not say yet."""
    assert bench().alarming(minute(0, refused=22, source_refused=0)) is None
    assert bench().alarming(minute(0, refused=90, source_refused=0)) is not None
