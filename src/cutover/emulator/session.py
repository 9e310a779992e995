"""A boto3 session that can not reach AWS: every call is answered here, by moto behind it, or refused.

Calls go through botocore as for real: parameters are validated, requests serialised, events fired, errors raised as
ClientErrors of the right class. Frequent reads are answered from moto's state before they are signed and sent (a test
holds them equal to what the wire gives); writes and everything else go over the wire into moto. A call that moto does not
answer raises: no byte leaves the process.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.loaders import Loader, create_loader
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.models import botocore_stubber

from cutover.core.moment import wall_from_ms
from cutover.emulator.answers import Answers, garbled
from cutover.emulator.balancer import Balancer
from cutover.emulator.clock import VirtualClock
from cutover.emulator.fast_path import shortened
from cutover.emulator.faults import Faults
from cutover.emulator.injections import Fault
from cutover.emulator.normal_form import keep_secret, normal_actions
from cutover.emulator.responses import AwsError, Call, Http, NetworkBlockedError, refusal, reply
from cutover.emulator.validation import refuse
from cutover.emulator.witness import Witness

_LEAKS = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "MOTO_ACCOUNT_ID", "MOTO_CALL_RESET_API")
"""What moto itself would read from the environment."""

_REQUEST_ID = re.compile(r"(<RequestId>)[^<]*(</RequestId>)", re.IGNORECASE)
_ROUTING = {
    "ModifyRule": ("RuleArn", "Actions"),
    "ModifyListener": ("ListenerArn", "DefaultActions"),
}


@dataclass
class Emulation:
    """What stands behind the session.

    Attributes:
        portion: the destination's portion (per mille) that a route's actions mean; None for other routes.
        wrote: told after the effect of each change of a route.
        fast: answer frequent reads without the wire.
        aws_ahead_ms: AWS's clock minus ours.
        witness: is told what AWS receives and does.
    """

    clock: VirtualClock
    faults: Faults
    answers: Answers
    balancer: Balancer
    account: str
    portion: Callable[[str, list[dict[str, Any]]], int | None]
    wrote: Callable[[str], None]
    fast: bool = True
    aws_ahead_ms: int = 0
    witness: Witness = field(default_factory=Witness)
    calls: dict[str, int] = field(default_factory=dict)


@dataclass
class _OnTheWire:
    call: Call
    fault: Fault | None
    weight: int | None
    before: list[dict[str, Any]]
    number: int


def open_session(region: str, emulation: Emulation) -> boto3.Session:
    """The session: dummy keys, nothing read from the environment or the home directory."""
    core: Any = botocore.session.Session(session_vars=_deaf())
    core.register_component("data_loader", _models())
    core.set_credentials("REHEARSAL00000000000", "rehearsal")
    core.unregister(
        "before-send", botocore_stubber
    )  # it would answer besides ours inside a mock_aws
    handlers = _Handlers(emulation)
    core.register("provide-client-params", handlers.remember, unique_id="rehearsal-remember")
    core.register("before-call", handlers.answer, unique_id="rehearsal-answer")
    core.register("before-send", handlers.send, unique_id="rehearsal-send")
    core.register("after-call", handlers.normalise, unique_id="rehearsal-normalise")
    if emulation.fast:
        core.register("creating-client-class", shortened(emulation.answers.at_once))
    return boto3.Session(botocore_session=core, region_name=region)


@cache
def _models() -> Loader:
    """What reads botocore's service models, once for all worlds of this process: it takes a fifth of a rehearsal."""
    return create_loader()


def _deaf() -> dict[str, tuple[Any, Any, Any, Any]]:
    """Botocore's settings without their environment variables, and with empty files."""
    deaf = {
        name: (key, None, default, convert)
        for name, (key, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    fixed = {
        "config_file": os.devnull,
        "credentials_file": os.devnull,
        "use_dualstack_endpoint": False,
        "use_fips_endpoint": False,
        "ignore_configured_endpoint_urls": True,
    }
    for name, value in fixed.items():
        deaf[name] = (None, None, value, None)
    return deaf


class _Handlers:
    """botocore's events, from a call's parameters to its parsed reply."""

    def __init__(self, emulation: Emulation) -> None:
        self._of = emulation
        self._moto = BotocoreStubber()
        self._here = threading.local()
        self._requests = 0
        self._changes = 0
        self._gone: set[int] = set()

    def remember(self, params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        """Keep the parameters as the adapter gave them: later events only see the serialised request."""
        context["rehearsal_params"] = params

    def answer(
        self, model: Any, context: dict[str, Any], **_: Any
    ) -> tuple[Http, dict[str, Any]] | None:
        """Answer or refuse the call, or let it go over the wire (None)."""
        call = Call(
            model.service_model.service_name, model.name, context.get("rehearsal_params", {})
        )
        of = self._of
        of.calls[call.operation] = of.calls.get(call.operation, 0) + 1
        number = self._changes = self._changes + (call.operation in _ROUTING)
        of.witness.calling(call)
        try:
            return self._answer(call, number)
        except AwsError as error:
            self._left(call, number)
            self._replied(call, number, "lost" if error.status >= 500 else "refused")
            return refusal(error, self._date(), self._request_id())
        except Exception:
            self._replied(call, number, "lost")
            raise

    def _left(self, call: Call, number: int) -> None:
        """It is on its way, whatever becomes of it: said once, and not of what the adapter holds back at the wire."""
        if call.operation in _ROUTING and number not in self._gone:
            self._gone.add(number)
            key, actions = _ROUTING[call.operation]
            self._of.witness.sent(
                number, str(call.params[key]), list(call.params.get(actions, []))
            )

    def _replied(self, call: Call, number: int, answer: str) -> None:
        if number in self._gone and call.operation in _ROUTING:
            self._of.witness.replied(number, str(call.params[_ROUTING[call.operation][0]]), answer)
        elif call.operation not in _ROUTING:
            self._of.witness.answered(call, None)

    def _answer(self, call: Call, number: int) -> tuple[Http, dict[str, Any]] | None:
        of = self._of
        weight, before = None, []
        if call.operation in _ROUTING:
            key, actions = _ROUTING[call.operation]
            route = str(call.params[key])
            weight = of.portion(route, list(call.params.get(actions, [])))
            before = of.balancer.actions(route)
            of.faults.crash("before_write", weight)
        fault = of.faults.next_for(call, weight)
        if fault is not None:
            of.witness.met(fault.kind, call.operation)
        if fault is not None and fault.kind in ("timeout", "foreign"):
            self._left(call, number)
        of.faults.without_effect(fault, call)
        if fault is not None and fault.kind == "foreign":
            self._replied(call, number, "lost")
            return reply({}, self._date(), self._request_id())
        if call.service == "elbv2":
            refuse(call.operation, call.params, of.balancer)
        with of.answers.spoiled(fault):
            body = of.answers.to(call, fast=of.fast)
        if body is not None:
            if fault is not None and fault.kind == "delayed":
                of.faults.delay(fault, call, lambda: None)
            of.faults.after_effect(fault, call)
            body = garbled(body, fault)
            of.witness.answered(call, body)
            return reply(body, self._date(), self._request_id())
        self._here.sending = _OnTheWire(call, fault, weight, before, number)
        return None

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """The wire: moto answers, or nobody does.

        Raises:
            NetworkBlockedError: for whatever moto does not know.
        """
        sending: _OnTheWire | None = getattr(self._here, "sending", None)
        self._here.sending = None
        if sending is None:
            raise NetworkBlockedError(f"a rehearsal sends nothing: {request.url}")
        self._left(sending.call, sending.number)
        try:
            response = self._sent(request, sending)
        except Exception:
            self._replied(sending.call, sending.number, "lost")
            raise
        if sending.call.operation in _ROUTING:
            said = "mismatch" if self._mismatch(sending) else "applied"
            self._replied(
                sending.call, sending.number, said if response.status_code < 300 else "refused"
            )
        return response

    def _sent(self, request: AWSPreparedRequest, sending: _OnTheWire) -> AWSResponse:
        call, of = sending.call, self._of
        if sending.fault is not None and sending.fault.kind == "delayed":
            of.faults.delay(sending.fault, call, lambda: self._apply(request, sending))
        response = self._apply(request, sending)
        if call.operation in _ROUTING:
            of.faults.crash("after_write", sending.weight)
        of.faults.after_effect(sending.fault, call)
        self._here.mismatch = sending if self._mismatch(sending) else None
        self._here.read = None if call.operation in _ROUTING else call
        return response

    @staticmethod
    def _mismatch(sending: _OnTheWire) -> bool:
        return sending.fault is not None and sending.fault.kind == "mismatch"

    def _apply(self, request: AWSPreparedRequest, sending: _OnTheWire) -> AWSResponse:
        request.headers["x-moto-account-id"] = self._of.account
        if sending.call.operation in _ROUTING:
            self._of.balancer.remember(
                str(sending.call.params[_ROUTING[sending.call.operation][0]])
            )
        with _environment_without(_LEAKS):
            try:
                answer = self._moto.process_request(request)
            except NotImplementedError as error:
                raise NetworkBlockedError(
                    f"moto does not implement {sending.call.operation}: {error}"
                ) from None
        if answer is None:
            raise NetworkBlockedError(f"a rehearsal sends nothing: {request.url}")
        status, headers, body = answer
        if status == 404 and body == "Not yet implemented":
            raise NetworkBlockedError(
                f"moto does not implement {sending.call.service} {sending.call.operation}"
            )
        if status < 300 and sending.call.operation in _ROUTING:
            self._keep(sending)
        request_id = self._request_id()  # moto draws its own from a generator that we do not seed
        headers = {**headers, "date": self._date(), "x-amzn-requestid": request_id}
        body = _REQUEST_ID.sub(
            rf"\g<1>{request_id}\g<2>", body if isinstance(body, str) else body.decode()
        )
        return AWSResponse(request.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]

    def _keep(self, sending: _OnTheWire) -> None:
        """What moto stored of the actions, put right."""
        key, actions = _ROUTING[sending.call.operation]
        route = str(sending.call.params[key])
        if actions in sending.call.params:
            self._of.balancer.set_actions(
                route, keep_secret(sending.call.params[actions], sending.before)
            )
            self._of.wrote(route)
            self._of.witness.took(sending.number, route)

    def normalise(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        """Actions in a reply from the wire, as AWS words them."""
        if model.service_model.service_name != "elbv2":
            return
        mismatch: _OnTheWire | None = getattr(self._here, "mismatch", None)
        self._here.mismatch = None
        for key, member in (("Rules", "Actions"), ("Listeners", "DefaultActions")):
            for one in parsed.get(key, ()):
                said = one.get(member, ()) if mismatch is None else mismatch.before
                one[member] = normal_actions(said)
        read: Call | None = getattr(self._here, "read", None)
        self._here.read = None
        if read is not None:
            self._of.witness.answered(read, None if "Error" in parsed else parsed)

    def _date(self) -> str:
        wall = wall_from_ms(self._of.clock.ms + self._of.aws_ahead_ms)
        return format_datetime(wall, usegmt=True)

    def _request_id(self) -> str:
        self._requests += 1
        return f"00000000-0000-4000-8000-{self._requests:012d}"


@contextmanager
def _environment_without(names: tuple[str, ...]) -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
