"""One field per source of facts; each is known, unknown with its reason, or was not asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from cutover.core.moment import Moment

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Known(Generic[T_co]):
    """A value that was really read, and when."""

    value: T_co
    at: Moment


@dataclass(frozen=True)
class Unknown:
    """An expected failure to read: throttled, denied, timed out, unreadable.

    `code` is the AWS error code or a short word (`timeout`, `disk_full`); `denied` is true when
    credentials or permissions are the reason; `gone` when the service says that what was asked for does
    not exist (any more); `missing_permission` names what to grant, where the asker knows it.
    """

    reason: str
    code: str = ""
    denied: bool = False
    gone: bool = False
    missing_permission: str = ""


OWNED = "owned"
"""`Unknown.code` of a lease that another process is proved to own: this one writes nothing any more."""

LOST = "lease"
"""`Unknown.code` of a lease that is missing or unreadable, and nobody else's as far as can be seen."""


@dataclass(frozen=True)
class NotAsked:
    """This turn did not look."""


NOT_ASKED = NotAsked()

Reading = Known[T_co] | Unknown | NotAsked


class CommandName(StrEnum):
    """What an operator (or a signal) can say to a run."""

    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    ROLLBACK = "rollback"
    FINISH = "finish"
    INTERRUPT = "interrupt"  # SIGINT, SIGTERM or SIGHUP; `signal` says which
    CONFIRM_RESTORED = "confirm_restored"
    ACCEPT_DRIFT = "accept_drift"
    LEAVE = "leave"  # finish --leave-as-is


@dataclass(frozen=True)
class OperatorCommand:
    """One command, who said it, why, and through what.

    `id` tells it from every other one, so that whoever said it knows the answer to it. Empty for what nobody waits
    to see answered: keys, signals, kill switches, and what could not be read.
    """

    name: CommandName
    who: str
    why: str = ""
    source: str = "commands"  # commands, signal, keyboard, first
    signal: int = 0
    detail: str = ""  # for finish: detach_source
    id: str = ""

    @property
    def stops(self) -> bool:
        """Nothing may be raised once it was said."""
        return self.name in (CommandName.PAUSE, CommandName.ROLLBACK, CommandName.INTERRUPT)


@dataclass(frozen=True)
class GroupHealth:
    """Live health of one target group, from DescribeTargetHealth.

    Attributes:
        healthy: targets that pass their checks.
        total: registered targets.
        zones: healthy targets by availability zone; a target without one counts under `?`.
        reasons: how many targets have each state and reason, `unhealthy/Target.Timeout`.
        registered_zones: registered targets by zone, healthy or not: all that is known of a group
            that is in no action yet.
    """

    healthy: int
    total: int
    zones: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    registered_zones: Mapping[str, int] = field(default_factory=dict)


class AlarmState(StrEnum):
    """A CloudWatch alarm's state; MISSING when no alarm of that name exists."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Identity:
    """Who AWS says we are, and how long the credentials live."""

    account: str
    arn: str
    expires_ms: int | None = None  # ms since the epoch; None: they refresh or never expire
    refreshes: bool = True
