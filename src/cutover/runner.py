"""The loop: observe, decide, journal, act. It carries decisions out and never makes one (design 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cutover.core.actions import Back, Detach, End, Look, Move, Restore
from cutover.core.errors import ExitCode
from cutover.core.events import Close, Event, Intent, Outcome, Record, Snapshot
from cutover.core.forms import Form, form_body, form_of
from cutover.core.machine import Decision, decide, first_look
from cutover.core.moment import Moment
from cutover.core.observation import (
    NOT_ASKED,
    Calibration,
    Known,
    Minute,
    Observation,
    Pair,
    Reading,
    Series,
    Survey,
    Unknown,
    Word,
)
from cutover.core.plan import Plan
from cutover.core.state import RunState, evolve
from cutover.core.values import SECOND, RouteId
from cutover.ports import (
    Alarms,
    Change,
    Clock,
    Journal,
    Lease,
    Listener,
    Mailbox,
    Metrics,
    Router,
    Surveyor,
    TargetHealth,
)

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
    mailbox: Mailbox
    listeners: tuple[Listener, ...] = ()


class Runner:
    """Drives one run from its state to an exit code."""

    def __init__(self, plan: Plan, ports: Ports, state: RunState) -> None:
        self.plan = plan
        self.state = state
        self._ports = ports
        self._journal: Reading[None] = NOT_ASKED
        self._wanted: tuple[Calibration, Mapping[Pair, tuple[Series, ...]]] | None = None
        self._actors: Mapping[type, Callable[[Move | Restore | Detach, Observation], None]] = {
            Move: self._move,  # type: ignore[dict-item]
            Restore: self._restore,  # type: ignore[dict-item]
            Detach: self._detach,  # type: ignore[dict-item]
        }

    def run(self, first_words: Sequence[Word] = ()) -> ExitCode:
        """Loop until a decision ends it."""
        words = tuple(first_words)
        look = first_look(self.plan, self.state, self._ports.clock.now())
        previous: Moment | None = None
        due: Moment | None = None
        while True:
            observation = self._observe(look, words, previous, due)
            now = self._ports.clock.now()
            decision = decide(self.plan, self.state, observation, now)
            self._carry_out(decision, observation, now)
            if isinstance(decision.effect, End):
                return self._end(decision.effect)
            previous, due, look = now, decision.wake, decision.look
            self._ports.journal.beat(now, decision.wake)
            for listener in self._ports.listeners:
                listener.looked(now, decision.wake, decision.reason)
            words = self._ports.mailbox.wait(decision.wake)

    def _observe(
        self, look: Look, words: tuple[Word, ...], previous: Moment | None, due: Moment | None
    ) -> Observation:
        """Look at what was asked; the lease is renewed last, between observe and act."""
        ports, plan, state = self._ports, self.plan, self.state
        minutes = (
            NOT_ASKED if look.minutes_from_ms is None else self._minutes(look.minutes_from_ms)
        )
        groups = sorted(
            {group for pair in plan.pairs for group in (pair.source, pair.destination)}
        )
        names = sorted({gate.spec.name for gate in plan.gates if gate.kind == "alarm"})
        return Observation(
            minutes=minutes,
            alarms=ports.alarms.read(names) if look.alarms and names else NOT_ASKED,
            identity=ports.surveyor.identity() if look.identity else NOT_ASKED,
            survey=self._survey() if look.survey else NOT_ASKED,
            health=ports.health.read(groups) if look.health else {},
            forms=ports.router.read(tuple(state.routes)) if look.forms else {},
            journal=self._journal,
            lease=ports.lease.renew(ports.clock.now()),
            words=words,
            aws_skew_ms=ports.surveyor.skew_ms(),
            previous=previous,
            due=due,
        )

    def _survey(self) -> Reading[Survey]:
        survey = self._ports.surveyor.survey(self.plan)
        return Known(survey, self._ports.clock.now())

    def _minutes(self, start_ms: int) -> Reading[tuple[Minute, ...]]:
        end_ms = self._ports.clock.now().wall_ms + self._ports.surveyor.skew_ms()
        calibration = self.state.evidence.calibration
        if self._wanted is None or self._wanted[0] is not calibration:
            self._wanted = (calibration, self.plan.series(calibration))
        return self._ports.metrics.read(self._wanted[1], start_ms, end_ms)

    def _carry_out(self, decision: Decision, observation: Observation, now: Moment) -> None:
        for event in decision.records:
            self._record(event, now)
        effect = decision.effect
        if effect is not None and not isinstance(effect, End):
            self._actors[type(effect)](effect, observation)

    def _record(self, event: Event, at: Moment) -> bool:
        """Append, fold and tell. False when only the fallback took it."""
        if isinstance(event, Snapshot):
            forms = {RouteId(route): form_of(body) for route, body in event.forms.items()}
            kept = self._ports.journal.keep_snapshot(
                event, self._ports.router.restore_commands(forms)
            )
            if isinstance(kept, Unknown):
                self._journal = kept
        appended = self._ports.journal.append(event, at)
        if isinstance(appended, Known):
            record = appended.value
        else:
            self._journal = appended
            record = self._ports.journal.forced(event, at)
        self.state = evolve(self.plan, self.state, record)
        self._tell(record)
        return isinstance(appended, Known)

    def _tell(self, record: Record) -> None:
        for listener in self._ports.listeners:
            listener.told(record)

    def _move(self, move: Move, observation: Observation) -> None:
        """Write-ahead: every intent is durable before anything is sent; too late is cancelled."""
        changes: list[Change] = []
        durable = not isinstance(self._journal, Unknown)
        for route in move.routes:
            reading = observation.forms.get(route)
            if not isinstance(reading, Known):
                continue
            post = self._ports.router.aim(route, reading.value, move.weight)
            attempt = self._attempt(route, "move", move.weight)
            durable &= self._record(
                Intent(
                    route,
                    "move",
                    self.state.target,
                    attempt,
                    reading.value.hash,
                    form_body(post),
                    move.weight,
                    move.reason,
                ),
                self._ports.clock.now(),
            )
            changes.append(Change(route, post))
        now = self._ports.clock.now()
        if not durable or now.after(move.not_after) > 0 or self._lease_too_short(now):
            why = (
                "the journal did not take the intent" if not durable else "too late after the look"
            )
            for change in changes:
                self._outcome(change.route, "cancelled", "", why)
            return
        self._send(changes)

    def _lease_too_short(self, now: Moment) -> bool:
        ends = self._ports.lease.ends(now)
        return ends is not None and ends.after(now) < REQUEST

    def _restore(self, restore: Restore, observation: Observation) -> None:
        """A rollback: intents when the disk takes them, and the writes in any case."""
        changes: list[Change] = []
        for back in restore.routes:
            post, pre = self._way_back(back, observation)
            if post is None:
                self._outcome(
                    back.route,
                    "impossible",
                    "",
                    "the planned groups are not in the action any more",
                )
                continue
            attempt = self._attempt(back.route, "restore", -1)
            self._record(
                Intent(
                    back.route,
                    "restore",
                    self.state.step,
                    attempt,
                    pre,
                    form_body(post),
                    post.weight or 0,
                    restore.reason,
                ),
                self._ports.clock.now(),
            )
            changes.append(Change(back.route, post))
        self._send(changes)

    def _detach(self, detach: Detach, observation: Observation) -> None:
        """The last write of a finished run: the source leaves the action."""
        changes: list[Change] = []
        durable = not isinstance(self._journal, Unknown)
        for route in detach.routes:
            reading = observation.forms.get(route)
            if not isinstance(reading, Known):
                continue
            post = self._ports.router.detach(route, reading.value)
            attempt = self._attempt(route, "detach", -1)
            durable &= self._record(
                Intent(
                    route,
                    "detach",
                    self.state.step,
                    attempt,
                    reading.value.hash,
                    form_body(post),
                    1000,
                    detach.reason,
                ),
                self._ports.clock.now(),
            )
            changes.append(Change(route, post))
        if durable:
            self._send(changes)

    def _way_back(self, back: Back, observation: Observation) -> tuple[Form | None, str]:
        known = self.state.routes[back.route]
        reading = observation.forms.get(back.route)
        live = reading.value if isinstance(reading, Known) else None
        if live is None and known.seen is not None:
            live = known.seen.form
        if live is None or known.snapshot is None:
            return None, ""
        post = self._ports.router.aim_back(
            back.route, live, known.snapshot, known.recipe, verbatim=back.verbatim
        )
        return post, "" if back.blind else live.hash

    def _attempt(self, route: RouteId, kind: str, weight: int) -> int:
        sent = self.state.routes[route].sent
        began = self.state.turned
        same = sent is not None and sent.kind == kind and (weight < 0 or sent.weight == weight)
        if sent is None or not same or (began is not None and sent.at.after(began) < 0):
            return 1
        return sent.attempt + 1

    def _send(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        outcomes = self._ports.router.write(changes)
        for change in changes:
            outcome = outcomes[change.route]
            self._outcome(
                change.route,
                outcome.result,
                outcome.code,
                outcome.message,
                outcome.request_id,
                denied=outcome.denied,
            )

    def _outcome(
        self,
        route: RouteId,
        result: str,
        code: str,
        message: str,
        request_id: str = "",
        *,
        denied: bool = False,
    ) -> None:
        attempt = self.state.routes[route].sent.attempt if self.state.routes[route].sent else 0  # type: ignore[union-attr]
        self._record(
            Outcome(route, attempt, str(result), code, message, request_id, int(denied)),
            self._ports.clock.now(),
        )

    def _end(self, end: End) -> ExitCode:
        self._record(
            Close(int(end.exit_code), self.state.phase, end.reason), self._ports.clock.now()
        )
        for listener in self._ports.listeners:
            listener.closed()
        return end.exit_code
