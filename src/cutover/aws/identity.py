"""Who AWS says we are, and how long that lasts."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from cutover.aws import walls
from cutover.aws.fanout import Fanout, TimedOut
from cutover.aws.retry import Failure
from cutover.aws.session import AwsSession
from cutover.core.errors import CredentialsError
from cutover.core.moment import wall_ms
from cutover.core.observation import Identity, Known, Reading, Unknown


def read_identity(aws: AwsSession, fanout: Fanout) -> Reading[Identity]:
    """The caller by sts:GetCallerIdentity, which needs no permission."""
    at = aws.clock.now()

    def ask() -> dict[str, Any]:
        answer: dict[str, Any] = aws.client("sts").get_caller_identity()
        return answer

    call: Callable[[], dict[str, Any] | Failure] = lambda: aws.reads.read(ask)  # noqa: E731
    answer = fanout.run({"identity": call})["identity"]
    if isinstance(answer, TimedOut):
        return Unknown("no answer within 13 s", "timeout")
    if isinstance(answer, Failure):
        return answer.unknown()
    expires_ms, refreshes = _lifetime(aws)
    return Known(Identity(str(answer["Account"]), str(answer["Arn"]), expires_ms, refreshes), at)


def require_account(aws: AwsSession, fanout: Fanout, account: str) -> Identity:
    """The caller, who must be in the plan's account, before anything else is asked or written.

    Raises:
        CredentialsError: when AWS has or takes no credentials, or they are of another account.
        RefusedError: when real AWS answers as the account of all examples.
    """
    reading = read_identity(aws, fanout)
    if not isinstance(reading, Known):
        reason = reading.reason if isinstance(reading, Unknown) else "it was not asked"
        raise CredentialsError(
            f"AWS does not say who we are: {reason}",
            hint="Check AWS_PROFILE or --profile, and log in again.",
        )
    walls.refuse_example_account(reading.value.account, emulated=aws.emulated)
    if reading.value.account != account:
        raise CredentialsError(
            f"these credentials ({reading.value.arn}) are of account {reading.value.account}, the plan is for {account}",
            hint="Use the profile of the plan's account, or correct `aws.account` in the plan.",
        )
    return reading.value


def _lifetime(aws: AwsSession) -> tuple[int | None, bool]:
    """When the credentials end (ms since the epoch, None if nobody says), and whether they refresh.

    Keys without a session token never end. Temporary keys from the environment or the shared file
    never refresh; those of roles, containers and instances do (botocore: credential providers).
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        credentials = aws.boto.get_credentials()
        if credentials is None or not credentials.get_frozen_credentials().token:
            return None, True
    except (BotoCoreError, ClientError, OSError, RuntimeError):
        return None, False  # the next call will say why
    if aws.emulated:
        return None, True
    if credentials.method in ("env", "explicit", "shared-credentials-file", "config-file"):
        return _said_by_environment() if credentials.method == "env" else None, False
    return None, hasattr(credentials, "refresh_needed")


def _said_by_environment() -> int | None:
    from botocore.utils import parse_timestamp  # noqa: PLC0415

    text = os.environ.get("AWS_CREDENTIAL_EXPIRATION", "")
    try:
        return wall_ms(parse_timestamp(text)) if text else None
    except (ValueError, RuntimeError):
        return None
