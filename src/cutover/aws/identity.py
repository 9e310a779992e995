"""Who AWS says we are, and how long that lasts."""

from __future__ import annotations

import os
from typing import Final

from cutover.aws.fanout import Fanout
from cutover.aws.retry import Failure
from cutover.aws.session import AwsSession
from cutover.core.moment import wall_ms
from cutover.core.observation import Identity, Known, Reading

DEADLINE_MS: Final = 9_000
"""The first thing that is asked: without a network a command says so within ten seconds."""

AGAIN_MS: Final = 5_000
"""Asked again until here, so that the reason of the last try is known before the deadline."""


def read_identity(aws: AwsSession, fanout: Fanout) -> Reading[Identity]:
    """The caller by sts:GetCallerIdentity, which needs no permission; a lost answer is asked for again."""
    at = aws.clock.now()
    keys = fanout.run({"": aws.keys})[""]
    if isinstance(keys, Failure):
        return keys.unknown()

    def ask() -> Identity:
        answer = aws.client("sts").get_caller_identity()
        return Identity(str(answer["Account"]), str(answer["Arn"]), *_lifetime(aws))

    answer = fanout.run({"": lambda: aws.reads.read(ask, AGAIN_MS)}, DEADLINE_MS)[""]
    return answer.unknown() if isinstance(answer, Failure) else Known(answer, at)


def _lifetime(aws: AwsSession) -> tuple[int | None, bool]:
    """When the credentials end (ms since the epoch, None if nobody says), and whether they refresh.

    Keys without a session token never end. Temporary keys from the environment or the shared file
    never refresh; those of roles, containers and instances do (botocore: credential providers).
    """
    credentials = aws.boto.get_credentials()
    if credentials is None or not credentials.get_frozen_credentials().token:
        return None, True
    credentials = getattr(credentials, "found", credentials)
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
