"""A write that hangs before it leaves: it is refused at the wire, or it has left; never late."""

from __future__ import annotations

import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import boto3
import pytest
from botocore.credentials import Credentials

from cutover.aws import route_config
from cutover.aws.alb import AlbRouter
from cutover.aws.credentials import LiveCredentials, Resolver
from cutover.aws.fanout import DEADLINE_MS, Fanout, Threads, attempt, too_late
from cutover.aws.retry import Failure
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession
from cutover.aws.write_tickets import GIVEN_UP, NotSentError
from cutover.core.observation import Known, Unknown
from cutover.core.routing import RouteConfig
from cutover.core.values import RouteId, Weight
from cutover.local.clock import SystemClock
from cutover.ports import NOT_SENT, Change, Permit, Unconditional, WriteResult
from tests.aws.peer import PATIENCE, Peer, certificate, http, peer

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
RULE = RouteId(f"{ARN}listener-rule/app/prod/1/2/3")
LISTENER = RouteId(f"{ARN}listener/app/prod/1/2")
ENDS = Ends(f"{ARN}targetgroup/ec2/1", f"{ARN}targetgroup/eks/2")
K = TypeVar("K")
R = TypeVar("R")


def split(weight: int) -> RouteConfig:
    alone = route_config.config_of_actions(
        [{"Type": "forward", "TargetGroupArn": ENDS.source}], ENDS
    )
    return route_config.with_weight(alone, ENDS, Weight(weight))


CHANGES = {
    "attach": Change(RULE, split(0)),
    "raise": Change(RULE, split(400)),
    "detach": Change(LISTENER, route_config.detach(split(1000), ENDS)),
    "restore": Change(
        RULE,
        route_config.config_of_actions(
            [
                {
                    "Type": "forward",
                    "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": ENDS.source}]},
                }
            ],
            ENDS,
        ),
    ),
}


def applied(request: bytes) -> bytes:
    """What ELBv2 answers to a write: the rule or listener as it is now."""
    asked = dict(urllib.parse.parse_qsl(request.partition(b"\r\n\r\n")[2].decode()))
    operation = asked["Action"]
    prefix = "Actions" if operation == "ModifyRule" else "DefaultActions"
    groups, number = "", 1
    start = f"{prefix}.member.1.ForwardConfig.TargetGroups.member"
    while arn := asked.get(f"{start}.{number}.TargetGroupArn"):
        weight = asked.get(f"{start}.{number}.Weight", "1")
        groups += (
            f"<member><TargetGroupArn>{arn}</TargetGroupArn><Weight>{weight}</Weight></member>"
        )
        number += 1
    config = f"<ForwardConfig><TargetGroups>{groups}</TargetGroups></ForwardConfig>"
    if alone := asked.get(f"{prefix}.member.1.TargetGroupArn"):
        config = f"<TargetGroupArn>{alone}</TargetGroupArn>"
    action = f"<member><Type>forward</Type>{config}</member>"
    kind, name = (
        ("Rules", "RuleArn") if operation == "ModifyRule" else ("Listeners", "ListenerArn")
    )
    return http(
        f"<{operation}Response><{operation}Result><{kind}><member><{name}>{asked[name]}</{name}>"
        f"<{prefix}>{action}</{prefix}></member></{kind}></{operation}Result>"
        f"<ResponseMetadata><RequestId>p-1</RequestId></ResponseMetadata></{operation}Response>"
    )


class Until(Permit):
    """Refuses from when it is told to."""

    def __init__(self) -> None:
        self.why = ""

    def refusal(self, route: RouteId) -> str:
        return self.why


@dataclass
class Hang:
    """Something that holds a write up: whoever comes first waits until it is let go."""

    met: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    _first: list[None] = field(default_factory=lambda: [None])

    def __call__(self, *_: Any, **__: Any) -> None:
        if self._first:
            self._first.pop()
            self.met.set()
            self.let_go.wait(PATIENCE)


class GivesUp(Fanout):
    """Begins every call, and waits for none once this has happened."""

    def __init__(self, happened: threading.Event) -> None:
        self._happened = happened

    def run(
        self, calls: Mapping[K, Callable[[], R]], within_ms: int = DEADLINE_MS
    ) -> dict[K, R | Failure]:
        for call in calls.values():
            threading.Thread(target=attempt, args=(call,), name="cutover-call").start()
        assert self._happened.wait(PATIENCE)
        return dict.fromkeys(calls, too_late(within_ms))


@dataclass
class There:
    """A session to the peer."""

    peer: Peer
    aws: AwsSession

    def router(self, gives_up: threading.Event | None = None) -> AlbRouter:
        fanout = GivesUp(gives_up) if gives_up else Threads(SystemClock())
        return AlbRouter(self.aws, fanout, {RULE: ENDS, LISTENER: ENDS})


@pytest.fixture
def open_to(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., There]:
    """Opens a session to a peer."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)

    def opened(
        server: Peer, load: Callable[[], Any] | None = None, patience_ms: int = 500
    ) -> There:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        made = boto3.Session(region_name="eu-west-1")
        clock = SystemClock()
        found = load or (lambda: Credentials("test", "test"))
        made._session.register_component(
            "credential_provider", Resolver(LiveCredentials(found, clock, patience_ms=patience_ms))
        )
        aws = AwsSession(made, clock, emulated=True, loopback=True, random=Random(1))
        return There(server, aws)

    return opened


def joined() -> None:
    """Every thread that had a call in hand is through with it."""
    for thread in threading.enumerate():
        if thread.name.startswith("cutover-"):
            thread.join(PATIENCE)


@contextmanager
def hung(
    where: str,
    open_to: Callable[..., There],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[tuple[There, Hang]]:
    """A world in which the first write hangs at this place."""
    hang = Hang()
    tls: ssl.SSLContext | None = None
    if where == "handshake":
        file, tls = certificate(tmp_path)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    with peer(applied, tls=tls) as server:

        def load() -> Credentials:
            hang()
            return Credentials("test", "test")

        there = open_to(server, load if where == "credentials" else None)
        client = there.aws.client("elbv2")
        if where == "signer":
            client.meta.events.register("before-sign", hang)
        if where == "resolver":
            real = socket.getaddrinfo

            def resolve(*args: Any, **more: Any) -> Any:
                hang()
                return real(*args, **more)

            monkeypatch.setattr(socket, "getaddrinfo", resolve)
        if where == "handshake":
            hang.met, hang.let_go = server.connected, server.shake
        try:
            yield there, hang
        finally:
            hang.let_go.set()
            joined()


PLACES = ("credentials", "signer", "resolver", "handshake")


@pytest.mark.parametrize("kind", [kind for kind in CHANGES if kind != "restore"])
@pytest.mark.parametrize("where", PLACES)
def test_a_write_that_hangs_before_it_leaves_never_leaves_once_it_was_given_up(
    where: str,
    kind: str,
    open_to: Callable[..., There],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    change = CHANGES[kind]
    with hung(where, open_to, monkeypatch, tmp_path) as (there, hang):
        outcome = there.router(hang.met).write([change], Unconditional())[change.route]
        assert (outcome.result, outcome.code) == (WriteResult.NOT_APPLIED, NOT_SENT)
        assert outcome.message == GIVEN_UP
        hang.let_go.set()
        joined()
        assert there.peer.requests == []


@pytest.mark.parametrize("where", PLACES)
def test_a_restore_that_hangs_is_never_too_late_and_arrives_once_it_can(
    where: str,
    open_to: Callable[..., There],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with hung(where, open_to, monkeypatch, tmp_path) as (there, hang):
        restore = Unconditional(lasting=True)
        outcome = there.router(hang.met).write([CHANGES["restore"]], restore)[RULE]
        assert outcome.result is WriteResult.AMBIGUOUS
        hang.let_go.set()
        joined()
        assert len(there.peer.requests) == 1


def test_a_restore_that_hangs_does_not_follow_a_newer_one_that_has_left(
    open_to: Callable[..., There], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with hung("signer", open_to, monkeypatch, tmp_path) as (there, hang):
        router, restore = there.router(hang.met), Unconditional(lasting=True)
        assert router.write([CHANGES["restore"]], restore)[RULE].result is WriteResult.AMBIGUOUS
        router._fanout = Threads(SystemClock())
        newer = router.write([CHANGES["restore"]], restore)[RULE]
        assert newer.result is WriteResult.APPLIED
        hang.let_go.set()
        joined()
        assert len(there.peer.requests) == 1


@pytest.mark.parametrize("where", ["signer", "resolver", "handshake"])
def test_what_is_forbidden_while_a_write_hangs_is_heard_where_its_first_byte_would_be_written(
    where: str,
    open_to: Callable[..., There],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    permit, change = Until(), CHANGES["raise"]
    with hung(where, open_to, monkeypatch, tmp_path) as (there, hang):

        def say() -> None:
            hang.met.wait(PATIENCE)
            permit.why = "rollback came before it was sent"
            hang.let_go.set()

        threading.Thread(target=say).start()
        outcome = there.router().write([change], permit)[RULE]
        assert (outcome.result, outcome.code) == (WriteResult.NOT_APPLIED, NOT_SENT)
        assert outcome.message == "rollback came before it was sent"
        joined()
        assert there.peer.requests == []


@pytest.mark.parametrize("where", ["credentials", "signer", "resolver"])
def test_a_restore_passes_a_raise_that_hangs_and_the_raise_never_follows_it(
    where: str,
    open_to: Callable[..., There],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with hung(where, open_to, monkeypatch, tmp_path) as (there, hang):
        router = there.router(hang.met)
        given_up = router.write([CHANGES["raise"]], Unconditional())[RULE]
        assert given_up.code == NOT_SENT
        router._fanout = Threads(SystemClock())
        restored = router.write([CHANGES["restore"]], Unconditional())[RULE]
        assert restored.result is WriteResult.APPLIED
        hang.let_go.set()
        joined()
        assert len(there.peer.requests) == 1
        assert urllib.parse.quote(ENDS.destination).encode() not in there.peer.requests[0]


@pytest.mark.parametrize("kind", CHANGES)
def test_a_write_that_has_left_and_is_given_up_is_ambiguous_and_its_connection_is_reset(
    kind: str, open_to: Callable[..., There]
) -> None:
    change = CHANGES[kind]
    with peer(lambda _: None) as silent:
        there = open_to(silent)
        outcome = there.router(silent.arrived).write([change], Unconditional())[change.route]
        assert (outcome.result, outcome.code) == (WriteResult.AMBIGUOUS, "timeout")
        joined()
        assert silent.over.wait(PATIENCE)
        assert len(silent.requests) == 1
        assert silent.endings == ["reset"]


def test_a_write_whose_answer_takes_too_long_is_reset_too(
    open_to: Callable[..., There], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cutover.aws.session.WRITE_SECONDS", 0.3)
    with peer(lambda _: None) as silent:
        outcome = open_to(silent).router().write([CHANGES["raise"]], Unconditional())[RULE]
        assert (outcome.result, outcome.code) == (WriteResult.AMBIGUOUS, "timeout")
        assert silent.over.wait(PATIENCE)
        assert silent.endings == ["reset"]


def test_a_read_waits_shorter_than_a_write_so_that_it_can_be_asked_again(
    open_to: Callable[..., There], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cutover.aws.session.READ_SECONDS", 0.3)
    asked: list[bytes] = []

    def second_time(request: bytes) -> bytes | None:
        asked.append(request)
        return None if len(asked) == 1 else http("<DescribeRulesResponse/>")

    with peer(second_time) as server:
        found = open_to(server).router().read([RULE])[RULE]
        assert isinstance(found, Unknown)
        assert found.code == "foreign_reply", found
        assert len(asked) >= 2


def test_a_write_whose_handshake_fails_never_left(
    open_to: Callable[..., There], tmp_path: Path
) -> None:
    _, unknown = certificate(tmp_path)  # signed by nobody that we trust
    with peer(applied, tls=unknown) as server:
        server.shake.set()
        outcome = open_to(server).router().write([CHANGES["raise"]], Unconditional())[RULE]
        assert (outcome.result, outcome.code) == (WriteResult.NOT_APPLIED, "not_connected")
        assert "certificate" in outcome.message
        assert server.requests == []


def test_a_good_write_arrives_once_and_its_connection_is_left_alone(
    open_to: Callable[..., There],
) -> None:
    with peer(applied) as server:
        there = open_to(server)
        outcome = there.router().write([CHANGES["raise"]], Unconditional())[RULE]
        assert (outcome.result, outcome.request_id) == (WriteResult.APPLIED, "p-1"), outcome
        assert len(server.requests) == 1
        assert server.endings == ["answered"]


def test_no_write_leaves_without_a_ticket(open_to: Callable[..., There]) -> None:
    with peer(applied) as server:
        client = open_to(server).aws.client("elbv2")
        with pytest.raises(NotSentError, match="nobody permitted"):
            client.modify_rule(RuleArn=RULE, Actions=route_config.actions_of(split(400)))
        assert server.requests == []


def test_before_an_intent_the_credentials_are_there_or_nothing_is_promised(
    open_to: Callable[..., There],
) -> None:
    hang = Hang()

    def load() -> Credentials:
        hang()
        return Credentials("test", "test")

    with peer(applied) as server:
        router = open_to(server, load, patience_ms=300).router()
        waiting = router.prepare()
        assert isinstance(waiting, Unknown)
        assert waiting.denied
        assert "no answer within 300ms" in waiting.reason
        assert isinstance(router.prepare(), Known)  # another refresh, beside the one that hangs
        hang.let_go.set()
        joined()


def test_a_botocore_whose_connections_cannot_be_guarded_raises_nothing_and_still_goes_back(
    open_to: Callable[..., There], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("cutover.aws.wire._Guarded.endheaders")
    with peer(applied) as server:
        router = open_to(server).router()
        ready = router.prepare()
        assert isinstance(ready, Unknown)
        assert ready.code == "unguarded"
        restored = router.write([CHANGES["restore"]], Unconditional())[RULE]
        assert restored.result is WriteResult.APPLIED
        permit = Until()
        permit.why = "ana@bastion has the lease"
        assert router.write([CHANGES["restore"]], permit)[RULE].code == NOT_SENT
        assert len(server.requests) == 1
