"""What a failed AWS call means, and patient reads: writes are never retried here."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from random import Random
from typing import Any, Final, TypeVar

import tenacity
from botocore import endpoint, parsers
from botocore import exceptions as aws

from cutover.aws.endpoint_policy import DryRunError
from cutover.aws.replies import ForeignReplyError
from cutover.aws.write_tickets import NotSentError
from cutover.core.errors import WITHHELD, CutoverError, masked
from cutover.core.observation import Unknown
from cutover.ports import NOT_SENT, Clock, WriteOutcome, WriteResult

T = TypeVar("T")

READ_BUDGET_MS: Final = 8_800
"""A read is not tried again later than this after it began: the turn's deadline is 13 s, and a lost answer costs 4 s."""

_THROTTLED: Final = frozenset(
    {
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
        "RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException", "BandwidthLimitExceeded",
        "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException",
    }
)  # fmt: skip
_EXPIRED: Final = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException",
        "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
        "MissingAuthenticationTokenException", "AuthFailure", "InvalidAccessKeyId", "InvalidSecurity",
    }
)  # fmt: skip
_DENIED: Final = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "NotAuthorizedException",
        "OptInRequired", "UnauthorizedAccess",
    }
)  # fmt: skip
_NO_CREDENTIALS: Final = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.SSOError,
    aws.RefreshWithMFAUnsupportedError,
    aws.MetadataRetrievalError,
    aws.LoginError,
)
_NEVER_SENT: Final = (
    aws.ConnectTimeoutError,
    aws.EndpointConnectionError,
    aws.ProxyConnectionError,
)


def has_ended(code: str) -> bool:
    """Whether AWS says by this code that the keys have ended, or are none of its own."""
    return code in _EXPIRED


def lacks_permission(code: str) -> bool:
    """Whether AWS knows who asks, and does not let them; else a denial is about the credentials themselves."""
    return code in _DENIED


class Kind(StrEnum):
    """What a failure means for what we asked."""

    THROTTLED = "throttled"
    DENIED = "denied"
    EXPIRED = "expired"  # credentials are gone, wrong or unreadable
    REFUSED = "refused"  # any other definite answer
    NOT_SENT = "not_sent"  # no connection: nothing reached AWS
    AMBIGUOUS = "ambiguous"  # timeout, reset, 5xx: it may have taken effect
    FOREIGN = "foreign"  # an answer that is not AWS's: a proxy's page, JSON without its members
    UNEXPECTED = "unexpected"  # nothing that we know of, perhaps a bug: it may have taken effect


_DEFINITE: Final = frozenset(
    {Kind.THROTTLED, Kind.DENIED, Kind.EXPIRED, Kind.REFUSED, Kind.NOT_SENT}
)
"""What is surely not applied."""

FOREIGN_REPLY: Final = "foreign_reply"
"""The code of an answer that is not AWS's."""

NOT_CONNECTED: Final = "not_connected"
"""The code of a call for which no connection stood."""


@dataclass(frozen=True)
class Failure:
    """One failed call, classified."""

    kind: Kind
    code: str
    message: str
    request_id: str = ""

    @property
    def denied(self) -> bool:
        """Credentials or permissions are the reason."""
        return self.kind in (Kind.DENIED, Kind.EXPIRED)

    @property
    def transient(self) -> bool:
        """Asking again may help; 5xx and timeouts too, for reads change nothing."""
        return self.kind in (Kind.THROTTLED, Kind.AMBIGUOUS, Kind.NOT_SENT, Kind.FOREIGN)

    def unknown(self) -> Unknown:
        """As the answer of a read."""
        return Unknown(f"{self.code}: {self.message}", self.code, self.denied)

    def outcome(self) -> WriteOutcome:
        """As the answer of a write: only a definite refusal is `not_applied`."""
        sure = self.kind in _DEFINITE
        result = WriteResult.NOT_APPLIED if sure else WriteResult.AMBIGUOUS
        return WriteOutcome(result, self.code, self.message, self.request_id, self.denied)


def classify(error: Exception) -> Failure:
    """What a failed call means: every exception has a meaning, for none may end a process that has traffic moved.

    One that nobody foresaw has the code `bug`, and its message names its type and place, so that it can be reported.
    """
    if isinstance(error, aws.ClientError):
        return _answered(error)
    message = masked(str(error))
    name = type(error).__name__
    if isinstance(error, aws.CredentialRetrievalError):
        return Failure(Kind.EXPIRED, name, _without_credentials(error))
    if isinstance(error, _NO_CREDENTIALS):
        return Failure(Kind.EXPIRED, name, message)
    if isinstance(error, aws.ParamValidationError):
        return Failure(Kind.REFUSED, name, message)
    if isinstance(error, _NEVER_SENT):
        return Failure(Kind.NOT_SENT, NOT_CONNECTED, message)
    if isinstance(error, NotSentError):
        return Failure(Kind.NOT_SENT, NOT_SENT, message)
    if isinstance(error, RuntimeError) and "credentials are still expired" in message:
        return Failure(Kind.EXPIRED, "ExpiredCredentials", message)  # botocore has no class for it
    if isinstance(error, CutoverError):
        code = "DryRun" if isinstance(error, DryRunError) else "Refused"
        return Failure(Kind.REFUSED, code, message)
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError | OSError):
        return Failure(Kind.AMBIGUOUS, "timeout" if "Timeout" in name else "connection", message)
    if isinstance(error, ForeignReplyError | parsers.ResponseParserError):
        return Failure(
            Kind.FOREIGN, FOREIGN_REPLY, message.partition("\n")[0]
        )  # not the page itself
    if isinstance(error, aws.BotoCoreError):
        return Failure(Kind.AMBIGUOUS, name, message)
    return _unforeseen(error)


def _unforeseen(error: Exception) -> Failure:
    """The SDK parses a foreign reply by its model, and trips over what is missing in whatever way; the rest are bugs."""
    said = f"{type(error).__name__} at {_place(error)}: {masked(str(error))}"
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if parsers.__file__ in files or files[-1:] == [endpoint.__file__]:
        return Failure(Kind.FOREIGN, FOREIGN_REPLY, f"the reply is not AWS's: {said}")
    return Failure(Kind.UNEXPECTED, "bug", said)


def _place(error: Exception) -> str:
    """File and line where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "no place"


def _without_credentials(error: aws.CredentialRetrievalError) -> str:
    """Which provider has no credentials; botocore repeats all that a `credential_process` wrote to stderr."""
    provider = str(error.kwargs.get("provider", "a provider"))
    if provider == "custom-process":
        return f"the profile's credential_process gave no credentials; {WITHHELD}: run it by hand to see"
    return masked(str(error))


def _answered(error: aws.ClientError) -> Failure:
    said = error.response.get("Error") or {}
    about: dict[str, Any] = dict(error.response.get("ResponseMetadata") or {})
    status = int(about.get("HTTPStatusCode") or 0)
    code, message = str(said.get("Code", "") or status), masked(str(said.get("Message", "")))
    if code in _THROTTLED or status == 429:
        kind = Kind.THROTTLED
    elif code in _EXPIRED:
        kind = Kind.EXPIRED
    elif code in _DENIED or status in (401, 403):
        kind = Kind.DENIED
    elif 400 <= status < 500:
        kind = Kind.REFUSED
    else:
        kind = Kind.AMBIGUOUS
    return Failure(kind, code, message, str(about.get("RequestId", "")))


class Retry:
    """Tries reads again while it may help, jittered, sleeping through the clock.

    Args:
        clock: measures the budget and sleeps.
        random: the jitter's source; seeded where runs must repeat.
        budget_ms: no new try later than this after the first.
    """

    def __init__(self, clock: Clock, random: Random, budget_ms: int = READ_BUDGET_MS) -> None:
        self._clock = clock
        self._random = random
        self._budget_ms = budget_ms

    def read(self, call: Callable[[], T], within_ms: int = READ_BUDGET_MS) -> T | Failure:
        """The answer of a read, or why there is none; not tried again later than `within_ms`."""
        budget_ms = min(within_ms, self._budget_ms)
        began = self._clock.now()

        def pause(state: tenacity.RetryCallState) -> float:
            # AWS docs: exponential backoff with jitter; half of it is certain, so that we do wait
            most = float(min(2_000, 200 * 2 ** (state.attempt_number - 1)))
            return most * (0.5 + 0.5 * self._random.random()) / 1000

        def late(state: tenacity.RetryCallState) -> bool:
            spent = self._clock.now().after(began)
            return spent + round(state.upcoming_sleep * 1000) > budget_ms

        def attempt() -> T | Failure:
            try:
                return call()
            except Exception as error:  # noqa: BLE001  # classify has a meaning for every one
                return classify(error)

        first = attempt()
        if not (isinstance(first, Failure) and first.transient):
            return first  # the ordinary way is free of tenacity's book-keeping: a poll makes six reads
        tried = [first]
        patient = tenacity.Retrying(
            sleep=lambda seconds: self._clock.sleep(round(seconds * 1000)),
            wait=pause,
            stop=late,
            retry=tenacity.retry_if_result(lambda got: isinstance(got, Failure) and got.transient),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        return patient(lambda: tried.pop() if tried else attempt())
