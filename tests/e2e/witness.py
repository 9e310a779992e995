"""A proxy before the emulator: it sees every call, answers CloudWatch, and makes the network bad.

It is on nobody's side: with each call it keeps how long every journal was when the call came and when it was
answered, which process made it, what it asked for and what it was told (`tests/promises/from_stage.py`).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from tests.e2e.traffic import Traffic

READS = ("Describe", "Get", "List")
PATIENCE = 300.0
"""Seconds that the emulator, or whoever opens a gate, is waited for."""
_SCOPE = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")

Does = Literal[
    "throttle", "denied", "expired", "500", "page", "lost", "swallow", "kill", "kill_after", "wait"
]
"""What happens to a call. Without effect: throttle denied expired 500 (answers), page (a captive portal's, with
status 200), swallow (the connection breaks), kill (the client dies first). With effect: lost (the answer never comes), kill_after (the client
dies before the answer), wait (until `Fault.gate` opens)."""

_ANSWERS = {
    "throttle": (400, "Throttling"),
    "denied": (403, "AccessDenied"),
    "expired": (403, "ExpiredToken"),
    "500": (500, "InternalFailure"),
}


Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


@dataclass(frozen=True)
class Wire:
    """A call as it is sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Call:
    """One call as it came, and as it was answered.

    Attributes:
        key: the access key of whoever made it: a stage gives each of its processes one of its own.
        journals, journals_then: how long each journal was when it came, and when it was answered at `then`.
        answer: what was told of routes.
        stale: it was answered as it would have been before.
    """

    number: int
    at: float
    operation: str
    asked: dict[str, Any]
    client: int
    key: str = ""
    journals: dict[Path, int] = field(default_factory=dict)
    route: str = ""
    share: float | None = None
    became: str = ""
    then: float = 0.0
    journals_then: dict[Path, int] = field(default_factory=dict)
    answer: bytes = b""
    stale: bool = False

    @property
    def mutates(self) -> bool:
        return not self.operation.startswith(READS)

    @property
    def took_effect(self) -> bool:
        return self.mutates and self.became in ("answered", "lost", "kill_after", "wait")


@dataclass
class Fault:
    """Something that happens to the calls for which `when` holds, at most `times`."""

    does: Does
    when: Callable[[Call], bool]
    times: int = 1
    gate: threading.Event = field(default_factory=threading.Event)
    met: threading.Event = field(default_factory=threading.Event)


def is_write(*, at_least: float = 0.0, at_most: float = 1.0) -> Callable[[Call], bool]:
    """Writes that ask for a share of the destination in this range."""
    return lambda call: (
        call.mutates and call.share is not None and at_least <= call.share <= at_most
    )


def named(*operations: str) -> Callable[[Call], bool]:
    """Calls of these operations."""
    return lambda call: call.operation in operations


class Witness:
    """The proxy of one stage."""

    def __init__(self, emulator: str, traffic: Traffic, state: Path) -> None:
        self.traffic = traffic
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.problems: list[str] = []
        self.alarms: dict[str, str] = {}
        self.account: str | None = None  # what sts says, when it lies
        self.stale = False  # routes are described as they were at the last answer before
        self._described: dict[bytes, Answer] = {}
        self._client = 0
        self._emulator = urllib.parse.urlsplit(emulator).netloc
        self._state = state
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.witness = self
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        ).start()

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL says."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serves(self, pid: int) -> None:
        """The process that a `kill` ends: the one that was started last."""
        self._client = pid

    def close(self) -> None:
        for fault in self.faults:
            fault.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def writes(self) -> list[Call]:
        """Everything that was asked to change anything."""
        with self._lock:
            return [call for call in self.calls if call.mutates]

    def effects(self) -> list[Call]:
        """The writes that the emulator carried out."""
        return [call for call in self.writes() if call.took_effect]

    def happens(self, does: Does, when: Callable[[Call], bool], times: int = 1) -> Fault:
        """Let something happen to calls that come from now on."""
        fault = Fault(does, when, times)
        self.faults.append(fault)
        return fault

    def receive(self, wire: Wire) -> Answer | None:
        """The answer of one call, or None when its connection breaks."""
        operation, asked = _parsed(wire)
        with self._lock:
            call = Call(len(self.calls) + 1, time.time(), operation, asked, self._client)
            call.key, call.journals = _key(wire), self._journals()
            call.then, call.journals_then = call.at, call.journals
            if operation in ("ModifyRule", "ModifyListener"):
                call.route, call.share = self._aimed(asked)
            self.calls.append(call)
            fault = next((one for one in self.faults if one.times > 0 and one.when(call)), None)
            if fault is not None:
                fault.times -= 1
        if fault is not None:
            fault.met.set()
        return self._answer(call, fault, wire)

    def _answer(self, call: Call, fault: Fault | None, wire: Wire) -> Answer | None:
        does = fault.does if fault is not None else ""
        if does in _ANSWERS:
            call.became = does
            return _refusal(*_ANSWERS[does], json_body="X-Amz-Target" in wire.headers)
        if does == "page":
            call.became = does
            return 200, {"Content-Type": "text/html"}, b"<html><body>Log in<br></body></html>"
        if does == "swallow":
            call.became = does
            return None
        if does == "kill":
            call.became = does
            _kill(call.client)
            return None
        if fault is not None and does == "wait":
            fault.gate.wait(PATIENCE)
        answer = self._carried_out(call, wire)
        call.then, call.journals_then = time.time(), self._journals()
        if call.share is not None and answer[0] == 200:
            self.traffic.wrote(call.route, call.share)
        call.became = (does or "answered") if answer[0] == 200 else f"emulator {answer[0]}"
        if does == "kill_after":
            _kill(call.client)
        return None if does in ("lost", "kill_after") else answer

    def _carried_out(self, call: Call, wire: Wire) -> Answer:
        if call.operation == "GetMetricData":
            return _json(self.traffic.metric_data(call.asked))
        if call.operation == "DescribeAlarms":
            found = [
                {"AlarmName": name, "StateValue": self.alarms[name]}
                for name in call.asked.get("AlarmNames", ())
                if name in self.alarms
            ]
            return _json({"MetricAlarms": found, "CompositeAlarms": []})
        described = call.operation in ("DescribeRules", "DescribeListeners")
        if described and self.stale and wire.body in self._described:
            call.stale, call.answer = True, self._described[wire.body][2]
            return self._described[wire.body]
        connection = http.client.HTTPConnection(self._emulator, timeout=PATIENCE)
        try:
            connection.request(wire.method, wire.path, wire.body, wire.headers)
            answer = connection.getresponse()
            said, kept = answer.read(), dict(answer.getheaders())
        finally:
            connection.close()
        if call.operation == "GetCallerIdentity" and self.account is not None:
            said = said.replace(b"123456789012", self.account.encode())
        if described:
            call.answer = said
            self._described[wire.body] = answer.status, kept, said
        return answer.status, kept, said

    def _aimed(self, asked: dict[str, Any]) -> tuple[str, float]:
        """(route, the destination's share) of a write."""
        weights: dict[str, int] = {}
        for name, value in asked.items():
            if name.endswith(".TargetGroupArn"):
                weight = asked.get(name.removesuffix("TargetGroupArn") + "Weight", "1")
                weights[value] = int(weight)
        route = asked.get("RuleArn") or asked["ListenerArn"]
        if any(not 0 <= weight <= 999 for weight in weights.values()) or not sum(weights.values()):
            self.problems.append(f"{route}: weights that AWS refuses: {weights}")
        total = sum(weights.values()) or 1
        return str(route), weights.get(self.traffic.destination, 0) / total

    def _journals(self) -> dict[Path, int]:
        """How long the journal of every run is, in whichever state directory of the stage."""
        found = {}
        for path in self._state.parent.glob("*/runs/*/journal.jsonl"):
            with contextlib.suppress(OSError):  # its directory is just being deleted
                found[path] = path.stat().st_size
        return found


def _key(wire: Wire) -> str:
    """The access key that signed the call."""
    found = _SCOPE.search(wire.headers.get("Authorization", ""))
    return found.group(1) if found else ""


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _parsed(wire: Wire) -> tuple[str, dict[str, Any]]:
    """(operation, parameters) by the protocol that the call speaks."""
    if target := wire.headers.get("X-Amz-Target"):
        return target.rsplit(".", 1)[-1], json.loads(wire.body or b"{}")
    fields = dict(urllib.parse.parse_qsl(wire.body.decode("utf-8", "replace")))
    if "Action" in fields:
        return fields["Action"], fields
    found = _SCOPE.search(wire.headers.get("Authorization", ""))
    verb = "Get" if wire.method == "GET" else wire.method.title()
    return f"{verb} {found.group(2) if found else '?'} {wire.path}", {}


def _json(body: dict[str, Any]) -> Answer:
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(body).encode()


def _refusal(status: int, code: str, *, json_body: bool) -> Answer:
    if json_body:
        body = json.dumps({"__type": code, "message": "the witness says no"})
        return status, {"Content-Type": "application/x-amz-json-1.0"}, body.encode()
    body = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
        "<Message>the witness says no</Message></Error><RequestId>w-1</RequestId></ErrorResponse>"
    )
    return status, {"Content-Type": "text/xml"}, body.encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    witness: Witness

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that died is not worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Calls are kept, not printed."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if (
            len(body) < length
        ):  # who asked was killed while it still wrote: AWS would carry out nothing
            self.close_connection = True
            return
        try:
            answer = self.server.witness.receive(
                Wire(self.command, self.path, dict(self.headers.items()), body)
            )
        except Exception as error:
            self.server.witness.problems.append(f"the witness broke: {error!r}")
            raise
        self.close_connection = True
        if answer is None:
            return
        status, headers, said = answer
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower().startswith(("content-type", "x-amz")):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(said)

    do_GET = _serve  # noqa: N815
    do_POST = _serve  # noqa: N815
    do_PUT = _serve  # noqa: N815
    do_DELETE = _serve  # noqa: N815
