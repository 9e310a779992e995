"""What the runner needs of the world. Adapters implement these; `tests/fakes.py` subclasses them.

A port answers whatever is not the answer that the service promises (throttled, denied, timed out,
foreign, malformed) with `Unknown`, a write with an outcome. An exception out of a port is a bug: the
runner takes it for `Unknown` (or ambiguous), keeps its traceback beside the run, and goes on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

# Only annotations need them, and loading them takes longer than all that `status` does.
if TYPE_CHECKING:
    from cutover.core.journal.events import Event, Record, Snapshot
    from cutover.core.moment import Moment
    from cutover.core.observation import (
        AlarmState,
        Comparison,
        GroupHealth,
        Identity,
        Minute,
        OperatorCommand,
        Reading,
        Series,
        Survey,
    )
    from cutover.core.plan import Plan
    from cutover.core.routing import RouteConfig
    from cutover.core.values import RouteId, Weight

NOT_SENT = "not_sent"
"""`WriteOutcome.code` of a write that never left this machine, and never will."""


class WriteResult(StrEnum):
    """What is known of a write after its reply, or after none came."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"  # a definite refusal: 4xx, throttled
    AMBIGUOUS = "ambiguous"  # timeout, reset, 5xx: only a read can tell


@dataclass(frozen=True)
class WriteOutcome:
    """The outcome of one route's write."""

    result: WriteResult
    code: str = ""
    message: str = ""
    request_id: str = ""
    denied: bool = False


@dataclass(frozen=True)
class Change:
    """One route and the config it shall have."""

    route: RouteId
    config: RouteConfig


class Permit(ABC):
    """Whether a write may still leave.

    It is asked at the wire: in the thread that sends, once the connection stands and the first byte of
    the request is next. What a name server, a proxy, a handshake or a credential helper took until then
    can so never send what was given up long ago.

    Attributes:
        lasting: the write may still leave after its turn has stopped waiting for it: a restore is never too
            late. Another write is given up then, for good.
    """

    lasting: bool = False

    @abstractmethod
    def refusal(self, route: RouteId) -> str:
        """Why the route's write must not leave now; empty when it may. Thread-safe, quick, never raises."""


@dataclass(frozen=True)
class Unconditional(Permit):
    """For a write that nothing may keep from leaving: break-glass, which has no run and no lease."""

    lasting: bool = False

    def refusal(self, route: RouteId) -> str:
        """Never one."""
        return ""


class Router(ABC):
    """Where the split is set. `with_weight`, `restored`, `detach` and `restore_commands` are pure."""

    @abstractmethod
    def read(
        self, routes: Sequence[RouteId], *, once: bool = False
    ) -> Mapping[RouteId, Reading[RouteConfig]]:
        """The live form of each route, read side by side; one entry for every route asked.

        `once`: what fails is not asked again within this call, for the next turn is soon enough.
        """

    @abstractmethod
    def with_weight(self, route: RouteId, config: RouteConfig, weight: Weight) -> RouteConfig:
        """`config` with the comparison at `weight` and nothing else changed; attaches the destination if absent.

        Raises:
            ValueError: when the config cannot carry the weight (preflight refuses such plans).
        """

    @abstractmethod
    def restored(
        self,
        route: RouteId,
        live: RouteConfig,
        snapshot: RouteConfig,
        stickiness_strategy: str,
        *,
        verbatim: bool,
    ) -> RouteConfig | None:
        """The way back: the snapshot (`verbatim`), or `live` with only our two weights changed.

        `stickiness strategy` (see `RouteFacts`) is followed even over verbatim. None when our groups are gone.
        """

    @abstractmethod
    def detach(self, route: RouteId, config: RouteConfig) -> RouteConfig:
        """`config` without the source's group: the destination alone keeps the comparison's traffic."""

    @abstractmethod
    def prepare(self) -> Reading[None]:
        """Do now what may hang before a write (refreshing credentials), under the turn's deadline.

        It is called before the intent of a forward write; Unknown: nothing is to be sent this turn.
        """

    @abstractmethod
    def write(self, changes: Sequence[Change], permit: Permit) -> Mapping[RouteId, WriteOutcome]:
        """Send every change side by side, one attempt each, under one deadline of 13 s.

        `permit` is asked for each at the wire; what it refuses, and what this call has given up before it
        left, is NOT_APPLIED with code NOT_SENT and never leaves; what may still leave is AMBIGUOUS. No write
        leaves after a newer one of its route has. One entry for every change, whatever became of the others.
        """

    @abstractmethod
    def restore_commands(self, configs: Mapping[RouteId, RouteConfig]) -> tuple[str, ...]:
        """One plain `aws elbv2 modify-...` line per route that writes the config without this tool."""


class Metrics(ABC):
    """Minutes of evidence."""

    @abstractmethod
    def read(
        self, wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        """Every period of every comparison that starts in [start_ms, end_ms), oldest first.

        `end_ms` is now on AWS's clock: a period is settled when it ended `observe.settle` before.
        """


class TargetHealth(ABC):
    """Live health of target groups."""

    @abstractmethod
    def read(self, groups: Sequence[str]) -> Mapping[str, Reading[GroupHealth]]:
        """Health by target group ARN; one entry for every group asked."""


class Alarms(ABC):
    """CloudWatch alarms by name."""

    @abstractmethod
    def read(self, names: Sequence[str]) -> Reading[Mapping[str, AlarmState]]:
        """The state of every name asked; MISSING where no such alarm exists."""


class Surveyor(ABC):
    """Preflight's eyes, and who AWS says we are."""

    @abstractmethod
    def survey(self, plan: Plan) -> Survey:
        """All facts, read side by side and read-only; what cannot be read is `Unknown`."""

    @abstractmethod
    def identity(self) -> Reading[Identity]:
        """The caller, asked again."""

    @abstractmethod
    def skew_ms(self) -> int:
        """AWS's clock minus ours, by the Date header of the last reply; 0 before any."""


class Journal(ABC):
    """The run's append-only memory. `append` returns only when the record is durable."""

    @abstractmethod
    def append(self, event: Event, at: Moment) -> Reading[Record]:
        """The record as written; Unknown when the disk did not take it.

        After a failure every later append is Unknown too, but for a full disk (code `disk_full`) on which room was
        made. What was not taken is in no file; a rollback gives it to `forced`, so that it leaves a trace.

        Raises:
            TypeError: for an event that no journal can hold; nothing of its turn is taken.
        """

    @abstractmethod
    def append_all(self, events: Sequence[Event], at: Moment) -> Reading[tuple[Record, ...]]:
        """The records of one turn as written, durable together; Unknown when the disk took none of them."""

    @abstractmethod
    def bug(self, error: Exception) -> None:
        """Keep the traceback of an exception that a port must not raise, beside the run; never raises."""

    @abstractmethod
    def forced(self, event: Event, at: Moment) -> Record:
        """The record of an append that failed, as kept in the fallback: only a rollback uses it."""

    @abstractmethod
    def keep_snapshot(self, snapshot: Snapshot, commands: Sequence[str]) -> Reading[None]:
        """Write snapshot.json and restore.sh durably, before the first change."""


class Lease(ABC):
    """The right to be the one runner on the plan's routes."""

    @abstractmethod
    def renew(self, now: Moment) -> Reading[None]:
        """Known while it is ours; Unknown when that cannot be proven.

        Code OWNED: another owner is proved (its lock is held, a higher epoch, a foreign record in the
        journal). Code LOST: it is missing or unreadable and nobody else's; then it is taken again here,
        and still Unknown this once, so that nothing is raised on what was read without it.
        """

    @abstractmethod
    def other_owner(self) -> str:
        """Who else is proved to own it, for people; empty for nobody. Thread-safe and quick: asked at the wire."""

    @abstractmethod
    def ends(self, now: Moment) -> Moment | None:
        """When it ends unless renewed; None for a lease that cannot expire while the process lives."""


class Clock(ABC):
    """Time. `sleep` is for retries of reads only; the loop waits in `Inbox.wait`."""

    @abstractmethod
    def now(self) -> Moment:
        """This instant."""

    @abstractmethod
    def sleep(self, ms: int) -> None:
        """Wait, not longer than a read's deadline allows."""


class Inbox(ABC):
    """Commands of operators and signals, and the loop's only sleep."""

    @abstractmethod
    def wait(self, until: Moment) -> tuple[OperatorCommand, ...]:
        """The commands said by now; returns early when one arrives. A past `until` only polls."""

    @abstractmethod
    def stopping(self) -> str:
        """Which pause, rollback, switch or signal waits to be heard, for people; empty for none.

        It takes nothing: the next `wait` still returns the command. Thread-safe, quick, never raises: asked
        at the wire. In doubt (a key was pressed, a file cannot be read) something waits.
        """


class Listener(ABC):
    """Is told of every record once, after it is durable. Must never delay or fail the loop."""

    @abstractmethod
    def on_record(self, record: Record) -> None:
        """One record."""

    def on_tick(self, at: Moment, next_look: Moment, reason: str) -> None:
        """A turn ended without news: for heartbeats."""

    def closed(self) -> None:
        """The run's process is about to end: flush."""
