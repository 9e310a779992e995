"""Replies and refusals as botocore hands them to an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class AwsError(Exception):
    """AWS refuses a call: becomes the ClientError that an adapter would see."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class NetworkBlockedError(RuntimeError):
    """A rehearsal tried to reach something that is not emulated: a bug, never sent."""


class RunnerKilledError(BaseException):
    """The scenario's crash: no `except Exception` may survive it, as none survives `kill -9`.

    Attributes:
        back_after_ms: virtual time until somebody starts it again; None for never.
        commands: the first commands it is started with.
        rebooted: on a machine that booted meanwhile.
    """

    def __init__(
        self, *, back_after_ms: int | None, commands: tuple[str, ...], rebooted: bool
    ) -> None:
        super().__init__("killed by the scenario")
        self.back_after_ms = back_after_ms
        self.commands = commands
        self.rebooted = rebooted


class RehearsalOverError(BaseException):
    """The scenario's `limit` of virtual time has passed: the rehearsal ends here, whatever the run does."""


@dataclass(frozen=True)
class Call:
    """One AWS call as the adapter made it."""

    service: str  # botocore's name: elbv2, cloudwatch, sts ...
    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """It would change something."""
        return not self.operation.startswith(
            ("Describe", "Get", "List", "Head", "Lookup", "Simulate", "Search")
        )


@dataclass(frozen=True)
class Http:
    """The little of an HTTP response that botocore looks at."""

    status_code: int
    headers: Mapping[str, str]


def _metadata(status: int, headers: Mapping[str, str], request_id: str) -> dict[str, Any]:
    return {
        "RequestId": request_id,
        "HTTPStatusCode": status,
        "HTTPHeaders": dict(headers),
        "RetryAttempts": 0,
    }


def reply(body: dict[str, Any], date: str, request_id: str) -> tuple[Http, dict[str, Any]]:
    """A good reply."""
    headers = {"date": date, "x-amzn-requestid": request_id}
    return Http(200, headers), {**body, "ResponseMetadata": _metadata(200, headers, request_id)}


def refusal(error: AwsError, date: str, request_id: str) -> tuple[Http, dict[str, Any]]:
    """A refusal: botocore raises it as a ClientError of the right class."""
    headers = {"date": date, "x-amzn-requestid": request_id}
    return Http(error.status, headers), {
        "Error": {"Type": "Sender", "Code": error.code, "Message": error.message},
        "ResponseMetadata": _metadata(error.status, headers, request_id),
    }
