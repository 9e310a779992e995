"""What a decision may ask for: an effect, and what to look at next."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.errors import ExitCode
from cutover.core.moment import Moment
from cutover.core.reasons import Reason
from cutover.core.values import RouteId, Weight


@dataclass(frozen=True)
class SetWeight:
    """Write this weight to these routes, not later than `not_after`."""

    routes: tuple[RouteId, ...]
    weight: Weight
    not_after: Moment
    reason: Reason


@dataclass(frozen=True)
class RestoreRoute:
    """One route's way back: `verbatim` restores the snapshot, else only our two weights change.

    `unread` is a write on the last config seen, because the live one cannot be read.
    """

    route: RouteId
    verbatim: bool
    unread: bool = False


@dataclass(frozen=True)
class RestoreRoutes:
    """Take these routes back, side by side."""

    routes: tuple[RestoreRoute, ...]
    reason: Reason


@dataclass(frozen=True)
class Detach:
    """Take the source's group out of these routes: only `finish --detach-source` asks for it."""

    routes: tuple[RouteId, ...]
    not_after: Moment
    reason: Reason


@dataclass(frozen=True)
class End:
    """Close the journal and end the process.

    `silently`: another process has the run, so its journal is left alone.
    """

    exit_code: ExitCode
    reason: Reason
    silently: bool = False


Effect = SetWeight | RestoreRoutes | Detach | End


@dataclass(frozen=True)
class ReadRequest:
    """What the next turn observes. `minutes_from_ms` is the start of the metrics window, None for no look.

    `once`: routes whose read fails are not asked again within the look.
    """

    configs: bool = False
    once: bool = False
    health: bool = False
    alarms: bool = False
    identity: bool = False
    survey: bool = False
    minutes_from_ms: int | None = None


NOTHING = ReadRequest()
