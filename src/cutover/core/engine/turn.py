"""One turn of deciding: what is known, the records made so far, and small questions about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cutover.core.actions import Effect, ReadRequest
from cutover.core.engine.decision import Decision
from cutover.core.errors import ExitCode
from cutover.core.journal.events import Event, Note, PhaseChanged, Record
from cutover.core.messages import explain
from cutover.core.moment import Moment, floor_to, wall_from_ms, wall_text
from cutover.core.observation import GroupHealth, Known, Observation, Reading, Unknown
from cutover.core.plan import Plan
from cutover.core.reasons import Code, Reason, because
from cutover.core.routing import RouteConfig
from cutover.core.state import HOLDS, NO_STEP, Hold, Phase, RunState, evolve, incident_began
from cutover.core.values import PPM, SECOND, RouteId

FRESH = 2 * SECOND
"""A forward write is sent at most this long after the look it rests on."""

PROPAGATION = 30 * SECOND
"""A weight change reaches the data plane in an undocumented time; 30 to 60 s is usual."""

REREAD = 5
"""Settled minutes read again every look: CloudWatch may still correct them."""

BASELINE_MINUTES = 65
"""Minutes before the run that gates learn from: an hour of the source's own rate and noise (docs/judge.md)."""


class Turn:
    """Collects a turn's records; `state` always includes them, so later rules see earlier ones."""

    def __init__(self, plan: Plan, state: RunState, seen: Observation, now: Moment) -> None:
        self.plan = plan
        self.state = state
        self.seen = seen
        self.now = now
        self.records: list[Event] = []

    def note(self, reason: Reason) -> None:
        """Record what changes nothing but is worth remembering."""
        self.add(Note(reason.code, reason.facts, explain(reason)))

    def add(self, event: Event) -> None:
        """Record an event and fold it at once."""
        self.state = evolve(
            self.plan, self.state, Record(self.state.seq + 1, self.state.epoch, self.now, event)
        )
        self.records.append(event)

    def to(
        self,
        after: Phase,
        reason: Reason,
        *,
        step: int | None = None,
        cause: str = "",
        from_ms: int = 0,
    ) -> None:
        """Change the phase."""
        self.add(
            PhaseChanged(
                before=self.state.phase,
                after=after,
                reason=reason.code,
                facts=reason.facts,
                why=explain(reason),
                step=self.state.step if step is None else step,
                cause=cause,
                from_ms=from_ms,
            )
        )

    def hold(
        self, hold: Hold, reason: Reason, *, step: int | None = None, afresh: bool = False
    ) -> None:
        """Hold at the committed weight, with a deadline; its gates go on judging.

        A hold from SHIFTING finds no evidence window: it opens one, or a breach would go unseen.
        """
        unseen = self.state.evidence_from_ms == NO_STEP and (
            self.state.step >= 0 or self.exposed()
        )
        self.add(
            PhaseChanged(
                before=self.state.phase,
                after=Phase.HOLDING,
                reason=reason.code,
                facts=reason.facts,
                why=explain(reason),
                step=self.state.step if step is None else step,
                hold=hold,
                deadline=wall_text(wall_from_ms(self._deadline(hold))),
                from_ms=self.next_minute_ms() if afresh or unseen else 0,
            )
        )

    def _deadline(self, hold: Hold) -> int:
        """The plan's deadline (wall ms); one incident whose holds take turns ends by the first one's `hold_timeout`."""
        safety, held, now = self.plan.safety, self.state.held, self.now.wall_ms
        deadline = now + (safety.ask_timeout if HOLDS[hold].asks else safety.hold_timeout)
        began = incident_began(held, hold)
        return deadline if began is None else min(deadline, began.wall_ms + safety.hold_timeout)

    @property
    def aws_ms(self) -> int:
        """Now on AWS's clock, ms since the epoch."""
        return self.now.wall_ms + self.seen.aws_skew_ms

    @property
    def aws_wall(self) -> datetime:
        """Now on AWS's clock: what windows are compared with."""
        return wall_from_ms(self.aws_ms)

    def next_minute_ms(self, after_ms: int = 0) -> int:
        """The start of the first whole period from now (plus `after_ms`) on, on AWS's clock."""
        return (
            floor_to(self.aws_ms + after_ms, self.plan.observe.period) + self.plan.observe.period
        )

    def in_phase(self) -> int:
        """Milliseconds since the phase began."""
        return self.now.after(self.state.turned) if self.state.turned else 0

    def live(self, route: RouteId) -> RouteConfig | None:
        """The route's config as read this very turn."""
        reading = self.seen.configs.get(route)
        return reading.value if isinstance(reading, Known) else None

    def not_after(self) -> Moment:
        """The last moment for a forward write that rests on this turn's oldest look at a route."""
        known = [
            reading.at for reading in self.seen.configs.values() if isinstance(reading, Known)
        ]
        return min(known, key=lambda at: at.after(self.now)).plus(FRESH)

    def health(self, group: str) -> Reading[GroupHealth]:
        """A group's health as read this very turn."""
        return self.seen.health.get(group, Unknown("not read this turn"))

    def source_healthy(self) -> Mapping[str, int | None]:
        """Healthy targets of every source group; None where unknown."""
        found: dict[str, int | None] = {}
        for comparison in self.plan.comparisons:
            reading = self.health(comparison.source)
            found[comparison.source] = (
                reading.value.healthy if isinstance(reading, Known) else None
            )
        return found

    def below_reserve(self) -> Reason | None:
        """Why the source is not known to be able to take all traffic back; None when it is. For raises."""
        unknown = [group for group, healthy in self.source_healthy().items() if healthy is None]
        if unknown:
            return because(Code.SOURCE_HEALTH_UNKNOWN, groups=unknown)
        return self.source_short()

    def source_short(self) -> Reason | None:
        """Why the source is known to be too small to take all traffic back. For automatic rollbacks.

        Unknown health never delays a rollback (docs/promises.md P14).
        """
        reserve = self.plan.safety.source_reserve
        for group, healthy in self.source_healthy().items():
            needed = self.state.source_healthy.get(group, 1)
            if healthy is not None and (healthy * PPM < needed * reserve or healthy == 0):
                return because(Code.SOURCE_TOO_SMALL, group=group, healthy=healthy, needed=needed)
        return None

    def exposed(self) -> bool:
        """Some route may be above the committed weight: a write above it was not refused."""
        return any(
            (
                known.sent is not None
                and known.sent.kind == "move"
                and known.sent.weight > self.state.weight
                and not known.sent.refused
            )
            or (known.in_doubt is not None and known.in_doubt.weight > self.state.weight)
            for known in self.state.routes.values()
        )

    def unsettled(self, route: RouteId) -> bool:
        """A write of ours may still reach the route, or has reached it without a read that shows it.

        For the ways forward only: after `observe.confirm` of reads that show nothing they believe the reads
        again. A rollback never does (`RouteState.in_doubt`).
        """
        known = self.state.routes[route]
        doubt = known.in_doubt
        if doubt is None:
            return False
        newest = doubt.since if known.sent is None or known.sent.refused else known.sent.at
        confirm = self.plan.observe.confirm
        if self.now.after(newest) < confirm:
            return True
        # what was young when this attempt began must show in it, or the attempt ends in a hold
        began = (
            self.state.turned if self.state.phase in (Phase.ATTACHING, Phase.SHIFTING) else None
        )
        return began is not None and 0 <= began.after(newest) < confirm

    def unread_for(self) -> int:
        """Milliseconds for which some route could not be read; 0 when all can."""
        since = [known.unreadable_since for known in self.state.routes.values()]
        return max((self.now.after(at) for at in since if at is not None), default=0)

    def look(self, *, identity: bool = False) -> ReadRequest:
        """The ordinary look of a running step."""
        journalled = [
            self.state.journalled_ms.get(comparison.id) for comparison in self.plan.comparisons
        ]
        known = [at for at in journalled if at is not None]
        period = self.plan.observe.period
        if len(known) == len(journalled) and known:
            start = min(known) + period
            settles_ms = start + period + self.plan.observe.settle
            if self.aws_ms + self.plan.observe.poll >= settles_ms:
                # a look that may find a newly settled minute also reads the last ones again; the
                # others only ask for what is still being published: less to pay, and to wait for
                start -= REREAD * period
        else:
            opened = self.state.opened.wall_ms if self.state.opened else self.now.wall_ms
            start = floor_to(opened + self.seen.aws_skew_ms, period) - BASELINE_MINUTES * period
        return ReadRequest(
            configs=True,
            health=True,
            alarms=bool(self.plan.alarms),
            identity=identity,
            minutes_from_ms=start,
        )

    def decision(
        self, effect: Effect | None, look: ReadRequest, wait_ms: int, reason: Reason
    ) -> Decision:
        """The turn's decision; `wait_ms` from now until the next look."""
        wake = self.now.plus(max(0, wait_ms))
        return Decision(tuple(self.records), self.state, effect, look, wake, reason)

    def poll(self, reason: Reason) -> Decision:
        """Look again after one poll."""
        return self.decision(None, self.look(), self.plan.observe.poll, reason)

    def soon(self, reason: Reason, ms: int = 0, *, identity: bool = False) -> Decision:
        """Look again at once, or after `ms`."""
        return self.decision(None, self.look(identity=identity), ms, reason)


def signal_exit(signal: int) -> ExitCode:
    """The exit code of a signal: 128 plus its number."""
    return ExitCode(128 + signal) if 128 + signal in set(ExitCode) else ExitCode.TERMINATED


__all__ = ["NO_STEP", "PROPAGATION", "Turn", "signal_exit"]
