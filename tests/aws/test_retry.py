from __future__ import annotations

from random import Random
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from cutover.aws.endpoint_policy import DryRunError
from cutover.aws.retry import Failure, Kind, Retry, classify
from cutover.ports import WriteResult
from tests.aws.topology import StepClock


def answered(code: str, status: int) -> ClientError:
    about: Any = {"HTTPStatusCode": status, "RequestId": "r-1"}
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": about}, "ModifyRule"
    )


@pytest.mark.parametrize(
    ("error", "kind", "result"),
    [
        (answered("Throttling", 400), Kind.THROTTLED, WriteResult.NOT_APPLIED),
        (answered("ThrottlingException", 400), Kind.THROTTLED, WriteResult.NOT_APPLIED),
        (answered("Whatever", 429), Kind.THROTTLED, WriteResult.NOT_APPLIED),
        (answered("AccessDenied", 403), Kind.DENIED, WriteResult.NOT_APPLIED),
        (answered("SomethingNew", 403), Kind.DENIED, WriteResult.NOT_APPLIED),
        (answered("ExpiredToken", 403), Kind.EXPIRED, WriteResult.NOT_APPLIED),
        (answered("ExpiredTokenException", 400), Kind.EXPIRED, WriteResult.NOT_APPLIED),
        (answered("RequestExpired", 400), Kind.EXPIRED, WriteResult.NOT_APPLIED),
        (answered("RuleNotFound", 400), Kind.REFUSED, WriteResult.NOT_APPLIED),
        (answered("InternalFailure", 500), Kind.AMBIGUOUS, WriteResult.AMBIGUOUS),
        (answered("ServiceUnavailable", 503), Kind.AMBIGUOUS, WriteResult.AMBIGUOUS),
        (answered("Odd", 302), Kind.AMBIGUOUS, WriteResult.AMBIGUOUS),
        (
            exceptions.ReadTimeoutError(endpoint_url="https://x"),
            Kind.AMBIGUOUS,
            WriteResult.AMBIGUOUS,
        ),
        (
            exceptions.ConnectionClosedError(endpoint_url="https://x"),
            Kind.AMBIGUOUS,
            WriteResult.AMBIGUOUS,
        ),
        (exceptions.HTTPClientError(error="broken"), Kind.AMBIGUOUS, WriteResult.AMBIGUOUS),
        (
            exceptions.SSLError(endpoint_url="https://x", error=OSError("eof")),
            Kind.AMBIGUOUS,
            WriteResult.AMBIGUOUS,
        ),
        (
            exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
            Kind.AMBIGUOUS,
            WriteResult.AMBIGUOUS,
        ),
        (ConnectionResetError("reset"), Kind.AMBIGUOUS, WriteResult.AMBIGUOUS),
        (
            exceptions.ConnectTimeoutError(endpoint_url="https://x"),
            Kind.NOT_SENT,
            WriteResult.NOT_APPLIED,
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://x"),
            Kind.NOT_SENT,
            WriteResult.NOT_APPLIED,
        ),
        (exceptions.NoCredentialsError(), Kind.EXPIRED, WriteResult.NOT_APPLIED),
        (exceptions.UnauthorizedSSOTokenError(), Kind.EXPIRED, WriteResult.NOT_APPLIED),
        (exceptions.ParamValidationError(report="bad"), Kind.REFUSED, WriteResult.NOT_APPLIED),
        (
            RuntimeError(
                "Credentials were refreshed, but the refreshed credentials are still expired."
            ),
            Kind.EXPIRED,
            WriteResult.NOT_APPLIED,
        ),
        (DryRunError("no"), Kind.REFUSED, WriteResult.NOT_APPLIED),
    ],
)
def test_every_failure_has_one_meaning(error: Exception, kind: Kind, result: WriteResult) -> None:
    failure = classify(error)
    assert failure.kind is kind
    assert failure.outcome().result is result
    denied = kind in (Kind.DENIED, Kind.EXPIRED)
    assert failure.unknown().denied == failure.outcome().denied == denied
    assert failure.unknown().reason.startswith(failure.code)
    assert failure.code


def test_the_request_id_is_kept_for_support() -> None:
    assert classify(answered("RuleNotFound", 400)).outcome().request_id == "r-1"


def test_a_bug_is_no_answer_and_is_asked_once() -> None:
    read = Failing(1, KeyError("Rules"))
    failure = Retry(StepClock(), Random(7)).read(read)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.outcome().result) == ("bug", WriteResult.AMBIGUOUS)
    assert failure.message.startswith("KeyError at test_retry.py:")
    assert read.asked == 1


class Failing:
    """A read that fails some times before it answers."""

    def __init__(self, times: int, error: Exception) -> None:
        self.times, self.error, self.asked = times, error, 0

    def __call__(self) -> str:
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return "answer"


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_throttled_read_is_answered_in_the_end(times: int) -> None:
    clock = StepClock()
    read = Failing(times, answered("Throttling", 400))
    found: object = Retry(clock, Random(7)).read(read)
    assert found == "answer"
    assert read.asked == times + 1
    assert len(clock.slept) == times
    assert all(slept >= 100 for slept in clock.slept)


def test_a_read_gives_up_inside_its_budget() -> None:
    clock = StepClock()
    found = Retry(clock, Random(7), budget_ms=3_000).read(Failing(99, answered("Throttling", 400)))
    assert isinstance(found, Failure)
    assert sum(clock.slept) <= 3_000


def test_a_definite_answer_is_not_asked_for_again() -> None:
    clock = StepClock()
    read = Failing(1, answered("RuleNotFound", 400))
    assert isinstance(Retry(clock, Random(7)).read(read), Failure)
    assert (read.asked, clock.slept) == (1, [])


def test_the_jitter_repeats_with_its_seed() -> None:
    def sleeps(seed: int) -> list[int]:
        clock = StepClock()
        Retry(clock, Random(seed)).read(Failing(3, answered("Throttling", 400)))
        return clock.slept

    assert sleeps(1) == sleeps(1) != sleeps(2)
