"""The loop: observe, decide, journal, act. It carries decisions out and never makes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from cutover.core.actions import Detach, End, ReadRequest, RestoreRoute, RestoreRoutes, SetWeight
from cutover.core.engine import Decision, decide, first_look, looked_for
from cutover.core.errors import ExitCode, masked
from cutover.core.journal.events import Close, Event, Intent, Note, Outcome, Record, Snapshot
from cutover.core.messages import explain
from cutover.core.moment import Moment
from cutover.core.observation import (
    NOT_ASKED,
    Calibration,
    Comparison,
    Known,
    Minute,
    Observation,
    OperatorCommand,
    Reading,
    Series,
    Survey,
    Unknown,
)
from cutover.core.plan import Plan
from cutover.core.reasons import Code, Reason
from cutover.core.routing import RouteConfig, config_body, config_of
from cutover.core.state import Phase, RunState, evolve
from cutover.core.values import FULL, SECOND, RouteId
from cutover.ports import (
    NOT_SENT,
    Alarms,
    Change,
    Clock,
    Inbox,
    Journal,
    Lease,
    Listener,
    Metrics,
    Permit,
    Router,
    Surveyor,
    TargetHealth,
    WriteOutcome,
    WriteResult,
)

K = TypeVar("K")
T = TypeVar("T")

BUG = "bug"
"""`Unknown.code` of a port that raised."""

_NOT_TAKEN = "the journal did not take the intent"

_MAY_WRITE = (Phase.ATTACHING, Phase.SHIFTING, Phase.SETTLING, Phase.BAKING, Phase.HOLDING)
"""Phases from which a person can send a new process forward."""

REQUEST = 13 * SECOND
"""The longest a write may take: connect 3 s and read 10 s. No raise when the lease ends sooner."""


@dataclass(frozen=True)
class Ports:
    """Everything the loop needs of the world."""

    router: Router
    metrics: Metrics
    health: TargetHealth
    alarms: Alarms
    surveyor: Surveyor
    journal: Journal
    lease: Lease
    clock: Clock
    inbox: Inbox
    listeners: tuple[Listener, ...] = ()


@dataclass(frozen=True)
class _Forward(Permit):
    """A raise, attach or detach leaves in time, while the lease lasts, and before any command that stops."""

    ports: Ports
    not_after: Moment

    def refusal(self, route: RouteId) -> str:
        try:
            return self._refusal()
        except Exception as error:  # noqa: BLE001 - in doubt nothing goes forward
            return f"nobody can tell whether it may be sent: {type(error).__name__}"

    def _refusal(self) -> str:
        now = self.ports.clock.now()
        if now.after(self.not_after) > 0:
            return "too late after the look"
        ends = self.ports.lease.ends(now)
        if ends is not None and ends.after(now) < REQUEST:
            return "the lease ends too soon"
        if owner := self.ports.lease.other_owner():
            return f"{owner} has the lease"
        if said := self.ports.inbox.stopping():
            return f"{said} came before it was sent"
        return ""


@dataclass(frozen=True)
class _Back(Permit):
    """A restore is never too late: only another owner of the routes keeps it from leaving."""

    ports: Ports
    lasting: bool = True

    def refusal(self, route: RouteId) -> str:
        try:
            owner = self.ports.lease.other_owner()
        except Exception:  # noqa: BLE001 - what cannot be asked proves nobody
            return ""
        return f"{owner} has the lease" if owner else ""


@dataclass(frozen=True)
class Loop:
    """What a process remembers from turn to turn beside the run's state.

    Attributes:
        look: what the next turn looks at; None before the first.
        previous: when the turn before this one decided.
        due: when the next turn is to begin.
        journal: Unknown once an append failed: this process does not go forward any more.
        noted: notes that were made once.
    """

    look: ReadRequest | None = None
    previous: Moment | None = None
    due: Moment | None = None
    journal: Reading[None] = NOT_ASKED
    noted: frozenset[str] = frozenset()


class Runner:
    """Drives one run from its state to an exit code.

    Attributes:
        plan: as given.
        state: folded from the journal, up to its newest record.
        loop: what it remembers beside that; together they are all that the next turn rests on.
        end: how it ended; None while it goes on.
    """

    def __init__(
        self, plan: Plan, ports: Ports, state: RunState, loop: Loop | None = None
    ) -> None:
        self.plan = plan
        self.state = state
        self.loop = loop or Loop()
        self.end: End | None = None
        self._ports = ports
        self._bugs: list[str] = []
        self._wanted: tuple[Calibration, Mapping[Comparison, tuple[Series, ...]]] | None = None
        self._actors: Mapping[
            type, Callable[[SetWeight | RestoreRoutes | Detach, Observation], None]
        ] = {
            SetWeight: self._move,  # type: ignore[dict-item]
            RestoreRoutes: self._restore,  # type: ignore[dict-item]
            Detach: self._detach,  # type: ignore[dict-item]
        }

    def run(self, first_commands: Sequence[OperatorCommand] = ()) -> ExitCode:
        """Loop until a decision ends it."""
        commands = tuple(first_commands)
        while isinstance(wake := self.turn(commands), Moment):
            commands = self._wait(wake)
        return wake

    def _wait(self, wake: Moment) -> tuple[OperatorCommand, ...]:
        said = self._asked(lambda: self._ports.inbox.wait(wake))
        if not isinstance(said, Unknown):
            return said
        self._ports.clock.sleep(SECOND)  # without ears the loop goes on, at a pace
        return ()

    def turn(self, commands: tuple[OperatorCommand, ...] = ()) -> Moment | ExitCode:
        """Observe, decide, journal and act once: when to look again, or the exit code."""
        look = self.loop.look
        if look is None:
            self._keep_snapshot_again()
            look = first_look(self.plan, self.state, self._ports.clock.now())
        observation = self._observe(looked_for(self.state, look, commands), commands)
        now = self._ports.clock.now()
        decision = decide(self.plan, self.state, observation, now)
        self._carry_out(decision, observation, now)
        self._say_bugs()
        if isinstance(decision.effect, End):
            return self._end(decision.effect)
        self.loop = replace(self.loop, previous=now, due=decision.wake, look=decision.look)
        self._listeners(lambda one: one.on_tick(now, decision.wake, explain(decision.reason)))
        return decision.wake

    def _asked(self, call: Callable[[], T]) -> T | Unknown:
        """What a port answers; Unknown when it raises, which is a bug and never ends a rollback."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop goes on
            return Unknown(self._bug(error), BUG)

    def _bug(self, error: Exception) -> str:
        self._ports.journal.bug(error)
        text = f"a bug in cutover, its traceback is beside the journal: {type(error).__name__}: "
        text = f"{text}{masked(str(error))}"[:500]
        self._bugs.append(text)
        return text

    def _say_bugs(self) -> None:
        bugs, self._bugs = self._bugs, []
        for text in bugs:
            self._note_once(text)

    def _note_once(self, text: str) -> None:
        """Once a process: what comes back at every poll must not fill the journal."""
        if text not in self.loop.noted:
            self.loop = replace(self.loop, noted=self.loop.noted | {text})
            self._record(Note(Code.PROCESS_NOTE, {"said": text}, text), self._ports.clock.now())

    def _listeners(self, tell: Callable[[Listener], None]) -> None:
        for listener in self._ports.listeners:
            self._asked(lambda one=listener: tell(one))  # type: ignore[misc]

    def _observe(self, look: ReadRequest, commands: tuple[OperatorCommand, ...]) -> Observation:
        """Look at what was asked; the lease is renewed last, between observe and act."""
        ports, plan, state = self._ports, self.plan, self.state
        began = ports.clock.now()
        start_ms = look.minutes_from_ms
        minutes = NOT_ASKED if start_ms is None else self._asked(lambda: self._minutes(start_ms))
        groups = sorted(
            {
                group
                for comparison in plan.comparisons
                for group in (comparison.source, comparison.destination)
            }
        )
        names = plan.alarms
        survey = self._asked(self._survey) if look.survey else NOT_ASKED
        lost = isinstance(survey, Unknown)  # nobody answers: the other looks would only wait
        skew_ms = self._asked(ports.surveyor.skew_ms)
        return Observation(
            minutes=minutes,
            alarms=self._asked(lambda: ports.alarms.read(names))
            if look.alarms and names
            else NOT_ASKED,
            identity=self._asked(ports.surveyor.identity) if look.identity else NOT_ASKED,
            survey=survey,
            health=self._each(groups, ports.health.read) if look.health and not lost else {},
            configs=self._each(tuple(state.routes), partial(ports.router.read, once=look.once))
            if look.configs and not lost
            else {},
            journal=self.loop.journal,
            lease=self._asked(lambda: ports.lease.renew(ports.clock.now())),
            commands=commands,
            aws_skew_ms=0 if isinstance(skew_ms, Unknown) else skew_ms,
            previous=self.loop.previous,
            due=self.loop.due,
            began=began,
        )

    def _each(
        self, keys: Sequence[K], read: Callable[[Sequence[K]], Mapping[K, Reading[T]]]
    ) -> Mapping[K, Reading[T]]:
        """One reading for every key, also from a port that raises or forgets one."""
        found = self._asked(lambda: read(keys))
        if isinstance(found, Unknown):
            return dict.fromkeys(keys, found)
        nothing = Unknown("it is not in the answer", BUG)
        return {key: found.get(key, nothing) for key in keys}

    def _survey(self) -> Reading[Survey]:
        """Who we are comes first: without an answer to that there is one cause, and nothing to look at."""
        who = self._ports.surveyor.identity()
        if isinstance(who, Unknown):
            return who
        survey = self._ports.surveyor.survey(self.plan)
        return Known(survey, self._ports.clock.now())

    def _minutes(self, start_ms: int) -> Reading[tuple[Minute, ...]]:
        end_ms = self._ports.clock.now().wall_ms + self._ports.surveyor.skew_ms()
        calibration = self.state.evidence.calibration
        if self._wanted is None or self._wanted[0] is not calibration:
            self._wanted = (calibration, self.plan.series(calibration))
        return self._ports.metrics.read(self._wanted[1], start_ms, end_ms)

    def _carry_out(self, decision: Decision, observation: Observation, now: Moment) -> None:
        self._record_all(decision.records, now, folded=decision.state)
        effect = decision.effect
        if effect is not None and not isinstance(effect, End):
            self._actors[type(effect)](effect, observation)

    def _record(self, event: Event, at: Moment) -> bool:
        """Append, fold and tell. False when only the fallback took it."""
        return self._record_all((event,), at)

    def _record_all(
        self, events: Sequence[Event], at: Moment, folded: RunState | None = None
    ) -> bool:
        """What one turn has to say is durable at once, then folded and told. False when only the fallback took it.

        `folded`: the state with the events, as the decision folded them already.
        """
        if not events:
            return True
        journal = self._ports.journal
        for event in events:
            if isinstance(event, Snapshot):
                self._keep(event)
        appended = self._asked(lambda: journal.append_all(events, at))
        records: Sequence[Record]
        if isinstance(appended, Known):
            records = appended.value
        else:
            self.loop = replace(self.loop, journal=appended)
            records = [self._forced(event, at) for event in events]
        newest = records[-1]
        if folded is not None and (newest.seq, newest.epoch) == (folded.seq, folded.epoch):
            self.state = folded
        else:
            for record in records:
                self.state = evolve(self.plan, self.state, record)
        for record in records:
            self._tell(record)
        return isinstance(appended, Known)

    def _forced(self, event: Event, at: Moment) -> Record:
        """In the fallback; what not even that takes is folded all the same, or nothing would be decided on it."""
        kept = self._asked(lambda: self._ports.journal.forced(event, at))
        if isinstance(kept, Unknown):
            return Record(self.state.seq + 1, self.state.epoch, at, event)
        return kept

    def _keep(self, snapshot: Snapshot) -> None:
        """snapshot.json and restore.sh; without them nothing is raised."""
        configs = {RouteId(route): config_of(body) for route, body in snapshot.configs.items()}
        ports = self._ports
        kept = self._asked(
            lambda: ports.journal.keep_snapshot(snapshot, ports.router.restore_commands(configs))
        )
        if isinstance(kept, Unknown):
            self.loop = replace(self.loop, journal=kept)

    def _keep_snapshot_again(self) -> None:
        """A process that may go forward needs them too: an earlier one may have met a full disk."""
        state = self.state
        configs = {
            str(r): config_body(k.snapshot)
            for r, k in state.routes.items()
            if k.snapshot is not None
        }
        if state.phase not in _MAY_WRITE or not configs:
            return
        stickiness_strategies = {
            str(route): known.stickiness_strategy for route, known in state.routes.items()
        }
        calibration = state.evidence.calibration
        self._keep(Snapshot(configs, stickiness_strategies, state.source_healthy, calibration))

    def _tell(self, record: Record) -> None:
        self._listeners(lambda one: one.on_record(record))

    def _move(self, move: SetWeight, observation: Observation) -> None:
        """A raise or an attach: see `_forward`."""

        def aimed(route: RouteId, live: RouteConfig) -> RouteConfig:
            return self._ports.router.with_weight(route, live, move.weight)

        self._forward(move, "move", int(move.weight), aimed, observation)

    def _detach(self, detach: Detach, observation: Observation) -> None:
        """The last write of a finished run: the source leaves the action."""
        self._forward(detach, "detach", FULL, self._ports.router.detach, observation)

    def _forward(
        self,
        effect: SetWeight | Detach,
        kind: str,
        weight: int,
        aimed: Callable[[RouteId, RouteConfig], RouteConfig],
        observation: Observation,
    ) -> None:
        """Write-ahead: every intent is durable before anything is sent; late, doubtful or stopped is cancelled."""
        pres: dict[RouteId, str] = {}
        changes: list[Change] = []
        for route in effect.routes:
            live = self._read(route, observation)
            try:
                changes.append(Change(route, aimed(route, live)))
            except ValueError as error:
                # only a config that a person accepted after preflight: nothing is sent, the step times out
                self._note_once(f"not written: {error}")
                return
            pres[route] = live.hash
        permit = _Forward(self._ports, effect.not_after)
        # before the intent: no credential helper may hang behind what is promised there
        ready = self._asked(self._ports.router.prepare)
        if isinstance(ready, Unknown):
            self._note_once(f"not written, AWS cannot be called: {ready.reason}")
            return
        durable = not isinstance(self.loop.journal, Unknown)
        intents = [
            self._intent(change, kind, weight, pre=pres[change.route], why=effect.reason)
            for change in changes
        ]
        durable &= self._record_all(intents, self._ports.clock.now())
        if not durable:
            self._cancel(changes, _NOT_TAKEN)
        elif why := self._refused(permit, effect.routes):
            self._cancel(changes, why)
        else:
            self._send(changes, permit)

    def _refused(self, permit: Permit, routes: Sequence[RouteId]) -> str:
        """Looked at once more after the intent, for all routes alike: a step is not sent in part."""
        why = self._asked(lambda: next((no for r in routes if (no := permit.refusal(r))), ""))
        return why.reason if isinstance(why, Unknown) else why

    def _restore(self, restore: RestoreRoutes, observation: Observation) -> None:
        """A rollback: intents when the disk takes them, and the writes in any case."""
        changes: list[Change] = []
        events: list[Event] = []
        for back in restore.routes:
            post, pre = self._way_back(back, observation)
            if post is None:
                why = "the planned groups are not in the action any more"
                nothing = WriteOutcome(WriteResult.NOT_APPLIED, "", why)
                events.append(self._outcome(back.route, nothing, "impossible"))
                continue
            change = Change(back.route, post)
            weight = int(post.weight or 0)
            events.append(self._intent(change, "restore", weight, pre=pre, why=restore.reason))
            changes.append(change)
        self._record_all(events, self._ports.clock.now())
        self._send(changes, _Back(self._ports))

    def _read(self, route: RouteId, observation: Observation) -> RouteConfig:
        """The config that this turn's decision saw: it decides on a forward write only when it saw one."""
        reading = observation.configs[route]
        assert isinstance(reading, Known)  # noqa: S101 - see above
        return reading.value

    def _intent(self, change: Change, kind: str, weight: int, *, pre: str, why: Reason) -> Intent:
        """The intent as the attempt that it is."""
        return Intent(
            change.route,
            kind,
            self.state.target,
            self._attempt(change.route, kind, weight),
            pre,
            config_body(change.config),
            weight,
            why.code,
            explain(why),
        )

    def _way_back(
        self, back: RestoreRoute, observation: Observation
    ) -> tuple[RouteConfig | None, str]:
        known = self.state.routes[back.route]
        reading = observation.configs.get(back.route)
        live = reading.value if isinstance(reading, Known) else None
        if live is None:
            live = known.seen.config if known.seen is not None else known.committed
        if (
            live is None or known.snapshot is None
        ):  # pragma: no cover - back.py asks for no such route,
            return None, ""  # and a rollback must not end in an assertion
        snapshot = known.snapshot
        post = self._asked(
            lambda: self._ports.router.restored(
                back.route, live, snapshot, known.stickiness_strategy, verbatim=back.verbatim
            )
        )
        if isinstance(post, Unknown):
            post = snapshot  # what cannot be changed can still be put back as it was found
        return post, "" if back.unread else live.hash

    def _attempt(self, route: RouteId, kind: str, weight: int) -> int:
        sent, began = self.state.routes[route].sent, self.state.turned
        if sent is None or began is None or sent.at.after(began) < 0:
            return 1
        same = sent.kind == kind and (kind != "move" or sent.weight == weight)
        return sent.attempt + 1 if same else 1

    def _send(self, changes: Sequence[Change], permit: Permit) -> None:
        if not changes:
            return
        outcomes = self._asked(lambda: self._ports.router.write(changes, permit))
        if isinstance(outcomes, Unknown):
            unknown = WriteOutcome(WriteResult.AMBIGUOUS, outcomes.code, outcomes.reason)
            outcomes = {change.route: unknown for change in changes}
        forgotten = WriteOutcome(WriteResult.AMBIGUOUS, BUG, "it is not in the answer")
        events = []
        for change in changes:
            outcome = outcomes.get(change.route, forgotten)
            result = "cancelled" if outcome.code == NOT_SENT else str(outcome.result)
            events.append(self._outcome(change.route, outcome, result))
        self._record_all(events, self._ports.clock.now())

    def _cancel(self, changes: Sequence[Change], why: str) -> None:
        nothing = WriteOutcome(WriteResult.NOT_APPLIED, NOT_SENT, why)
        self._record_all(
            [self._outcome(change.route, nothing, "cancelled") for change in changes],
            self._ports.clock.now(),
        )

    def _outcome(self, route: RouteId, outcome: WriteOutcome, result: str) -> Outcome:
        sent = self.state.routes[route].sent
        return Outcome(
            route,
            sent.attempt if sent is not None else 0,
            result,
            outcome.code,
            outcome.message,
            outcome.request_id,
            int(outcome.denied),
        )

    def _end(self, end: End) -> ExitCode:
        self.end = end
        if not end.silently:
            code, facts = end.reason.code, end.reason.facts
            close = Close(int(end.exit_code), self.state.phase, code, facts, explain(end.reason))
            self._record(close, self._ports.clock.now())
        self._listeners(lambda one: one.closed())
        return end.exit_code
