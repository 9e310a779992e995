from __future__ import annotations

from datetime import UTC, datetime

import boto3
import pytest

from cutover.aws.identity import read_identity
from cutover.aws.session import AwsSession
from cutover.core.moment import wall_ms
from cutover.core.observation import Identity, Known, Unknown
from tests.aws.topology import INLINE, REGION, Late, StepClock, session


def identity(aws: AwsSession) -> Identity:
    reading = read_identity(aws, INLINE)
    assert isinstance(reading, Known), reading
    return reading.value


def keys(**more: str) -> AwsSession:
    made = boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name=REGION,
        **more,  # type: ignore[arg-type]
    )
    return AwsSession(made, StepClock(), emulated=False)


def test_long_lived_keys_never_end() -> None:
    found = identity(keys())
    assert (found.expires_ms, found.refreshes) == (None, True)


def test_a_pasted_token_ends_some_day_and_nobody_knows_when() -> None:
    found = identity(keys(aws_session_token="token"))
    assert (found.expires_ms, found.refreshes) == (None, False)


@pytest.mark.parametrize(
    ("text", "expires"),
    [("2026-03-02T12:00:00Z", wall_ms(datetime(2026, 3, 2, 12, tzinfo=UTC))), ("soon", None)],
)
def test_an_exported_token_says_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, text: str, expires: int | None
) -> None:
    made = keys(aws_session_token="token")
    credentials = made.boto.get_credentials()
    assert credentials is not None
    credentials.method = "env"
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", text)
    found = identity(made)
    assert (found.expires_ms, found.refreshes) == (expires, False)


def test_an_emulators_token_is_no_worry() -> None:
    assert identity(session()).refreshes


def test_who_we_are_is_unknown_when_the_answer_is_late() -> None:
    assert isinstance(read_identity(session(), Late()), Unknown)
