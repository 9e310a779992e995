"""Real credential helpers that warn, say nothing, fail or hang: denied, soon, and never in the way of a rollback."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials

from cutover.aws.alb import AlbRouter
from cutover.aws.credentials import MOST, THEN_APART_MS, LiveCredentials
from cutover.aws.fanout import Threads
from cutover.aws.identity import read_identity
from cutover.aws.session import AwsSession, open_session
from cutover.core.moment import Moment
from cutover.core.observation import Known, Unknown
from cutover.local.clock import SystemClock
from cutover.ports import Unconditional, WriteResult
from tests.aws.peer import PATIENCE, Peer, http, peer
from tests.aws.test_wire import CHANGES, ENDS, RULE, applied

CALLER = http(
    "<GetCallerIdentityResponse><GetCallerIdentityResult>"
    "<Arn>arn:aws:iam::123456789012:role/ops</Arn><Account>123456789012</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
KEYS = {"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}


def answered(request: bytes) -> bytes:
    return CALLER if b"Action=GetCallerIdentity" in request else applied(request)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    for name in list(__import__("os").environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with peer(answered) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.url)
        yield found


@pytest.fixture
def session_with(
    server: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], AwsSession]:
    """A live session whose profile asks this shell script for credentials."""

    def opened(script: str) -> AwsSession:
        helper = tmp_path / "helper"
        helper.write_text(f"#!/bin/sh\n{script}\n")
        helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
        config = tmp_path / "config"
        config.write_text(f"[default]\nregion = eu-west-1\ncredential_process = {helper}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        return open_session(SystemClock())

    return opened


GOOD = json.dumps(KEYS)


@pytest.mark.parametrize(
    "script",
    [
        f"echo 'WARNING: a new version is available'; echo '{GOOD}'",
        "true",
        "echo 'session expired' >&2; exit 1",
        "echo '[]'",
        "echo 'null'",
        "echo '{\"Version\": 2}'",
        'echo \'{"Version": 1, "AccessKeyId": "a"}\'',
        'echo \'{"Version": 1, "AccessKeyId": 7, "SecretAccessKey": null}\'',
        f"echo '{json.dumps({**KEYS, 'SessionToken': 't', 'Expiration': 'soon'})}'",
        f"echo '{json.dumps({**KEYS, 'SessionToken': 't', 'Expiration': '2020-01-01T00:00:00Z'})}'",
        "printf '\\377\\376'",
        "kill -9 $$",
    ],
)
def test_a_helper_that_gives_no_credentials_is_denied_at_every_port(
    session_with: Callable[[str], AwsSession], server: Peer, script: str
) -> None:
    aws = session_with(script)
    fanout = Threads(SystemClock())
    router = AlbRouter(aws, fanout, {RULE: ENDS})
    for reading in (read_identity(aws, fanout), router.prepare(), router.read([RULE])[RULE]):
        assert isinstance(reading, Unknown)
        assert reading.denied, reading
    outcome = router.write([CHANGES["restore"]], Unconditional())[RULE]
    assert (outcome.result, outcome.denied) == (WriteResult.NOT_APPLIED, True), outcome
    assert server.requests == []


def test_a_helper_that_is_not_there_is_denied(session_with: Callable[[str], AwsSession]) -> None:
    aws = session_with("exit 0")
    Path(aws.boto._session.get_scoped_config()["credential_process"]).unlink()
    found = read_identity(aws, Threads(SystemClock()))
    assert isinstance(found, Unknown)
    assert found.denied


def test_a_good_helper_says_who_we_are_and_is_asked_once(
    session_with: Callable[[str], AwsSession], tmp_path: Path
) -> None:
    aws = session_with(f"echo asked >> {tmp_path}/asked; echo '{GOOD}'")
    fanout = Threads(SystemClock())
    for _ in range(3):
        found = read_identity(aws, fanout)
        assert isinstance(found, Known)
        assert (found.value.account, found.value.refreshes) == ("123456789012", True)
    assert (tmp_path / "asked").read_text() == "asked\n"


@dataclass
class Provider:
    """Temporary keys whose refreshes wait until they are let go, or fail."""

    lifetimes_s: list[int]
    let_go: threading.Event = field(default_factory=threading.Event)
    begun: list[int] = field(default_factory=list)
    hangs: tuple[int, ...] = ()
    fails: tuple[int, ...] = ()

    def load(self) -> RefreshableCredentials:
        made: Any = RefreshableCredentials.create_from_metadata(self.fetch(), self.fetch, "test")
        return made  # type: ignore[no-any-return]

    def fetch(self) -> dict[str, str]:
        number = len(self.begun)
        self.begun.append(number)
        if number in self.hangs:
            self.let_go.wait(PATIENCE)
        if number in self.fails:
            raise ValueError("the helper broke")
        lasts = self.lifetimes_s[min(number, len(self.lifetimes_s) - 1)]
        ends = SystemClock().now().wall + timedelta(seconds=lasts)
        return {
            "access_key": f"key-{number}",
            "secret_key": "test",
            "token": "t",
            "expiry_time": ends.astimezone(UTC).isoformat(),
        }


def keys_of(provider: Provider, patience_ms: int = 200) -> Callable[[], str]:
    live = LiveCredentials(provider.load, SystemClock(), patience_ms=patience_ms)
    return lambda: str(live.get_frozen_credentials().access_key)


def eventually(what: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(600):
        if what():
            return
        waited.wait(0.05)
    raise AssertionError("it did not come")


def test_keys_that_are_still_valid_are_used_while_their_refresh_hangs() -> None:
    provider = Provider([120, 3_600], hangs=(1,))
    key = keys_of(provider)
    assert [key(), key(), key()] == ["key-0"] * 3
    eventually(lambda: len(provider.begun) == 2)
    provider.let_go.set()
    eventually(lambda: key() == "key-1")


def test_a_refresh_ahead_of_time_that_fails_is_not_asked_again_at_every_call() -> None:
    provider = Provider([120], fails=tuple(range(1, 100)))
    key = keys_of(provider)
    assert {key() for _ in range(50)} == {"key-0"}
    assert len(provider.begun) <= 3


def test_keys_that_ended_are_fetched_beside_a_refresh_that_hangs() -> None:
    provider = Provider([1, 3_600], hangs=(1,))  # 1 s left: not signed with any more
    live = LiveCredentials(provider.load, SystemClock(), patience_ms=200)
    live._found = provider.load()
    live._frozen = None
    first = threading.Thread(target=lambda: _ignored(live.get_frozen_credentials))
    first.start()
    eventually(lambda: len(provider.begun) == 2)
    assert live.get_frozen_credentials().access_key in ("key-2", "key-3")
    provider.let_go.set()
    first.join(PATIENCE)


class Hours(SystemClock):
    """A clock that somebody turns on."""

    ahead_ms = 0

    def now(self) -> Moment:
        return super().now().plus(self.ahead_ms)


def test_refreshes_that_hang_for_ever_do_not_keep_away_one_that_works() -> None:
    release = threading.Event()
    begun: list[int] = []

    def load() -> Credentials:
        begun.append(1)
        if len(begun) <= MOST:
            release.wait(PATIENCE)
        return Credentials("works", "test")

    clock = Hours()
    live = LiveCredentials(load, clock, patience_ms=60)
    for _ in range(MOST + 4):
        _ignored(live.get_frozen_credentials)
    assert len(begun) == MOST  # not more at once
    clock.ahead_ms = THEN_APART_MS
    assert live.get_frozen_credentials().access_key == "works"
    release.set()


def test_keys_that_aws_says_have_ended_are_looked_for_again() -> None:
    keys = iter(["old", "new", "newer"])
    live = LiveCredentials(lambda: Credentials(next(keys), "test"), SystemClock())
    assert live.get_frozen_credentials().access_key == "old"
    live.refused()
    assert live.get_frozen_credentials().access_key == "new"
    live.refused()  # a moment later: not for every call that was under way
    assert live.get_frozen_credentials().access_key == "new"


def _ignored(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001
        assert "no answer within" in str(error)  # noqa: PT017
