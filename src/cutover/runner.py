"""The loop: observe, decide, journal, act. It carries decisions out and never makes one (design 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cutover.core.actions import Back, Detach, End, Look, Move, Restore
from cutover.core.errors import ExitCode
from cutover.core.events import Close, Event, Intent, Note, Outcome, Record, Snapshot
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
from cutover.core.state import Phase, RunState, evolve
from cutover.core.values import FULL, SECOND, RouteId
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
    WriteOutcome,
    WriteResult,
)

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
    mailbox: Mailbox
    listeners: tuple[Listener, ...] = ()


class Runner:
    """Drives one run from its state to an exit code."""

    def __init__(self, plan: Plan, ports: Ports, state: RunState) -> None:
        self.plan = plan
        self.state = state
        self._ports = ports
        self._look: Look | None = None
        self._previous: Moment | None = None
        self._due: Moment | None = None
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
        while isinstance(wake := self.turn(words), Moment):
            words = self._ports.mailbox.wait(wake)
        return wake

    def turn(self, words: tuple[Word, ...] = ()) -> Moment | ExitCode:
        """Observe, decide, journal and act once: when to look again, or the exit code."""
        if self._look is None:
            self._keep_snapshot_again()
            self._look = first_look(self.plan, self.state, self._ports.clock.now())
        observation = self._observe(self._look, words)
        now = self._ports.clock.now()
        decision = decide(self.plan, self.state, observation, now)
        self._carry_out(decision, observation, now)
        if isinstance(decision.effect, End):
            return self._end(decision.effect)
        self._previous, self._due, self._look = now, decision.wake, decision.look
        self._ports.journal.beat(now, decision.wake)
        for listener in self._ports.listeners:
            listener.looked(now, decision.wake, decision.reason)
        return decision.wake

    def _observe(self, look: Look, words: tuple[Word, ...]) -> Observation:
        """Look at what was asked; the lease is renewed last, between observe and act."""
        ports, plan, state = self._ports, self.plan, self.state
        began = ports.clock.now()
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
            previous=self._previous,
            due=self._due,
            began=began,
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
            self._keep(event)
        appended = self._ports.journal.append(event, at)
        if isinstance(appended, Known):
            record = appended.value
        else:
            self._journal = appended
            record = self._ports.journal.forced(event, at)
        self.state = evolve(self.plan, self.state, record)
        self._tell(record)
        return isinstance(appended, Known)

    def _keep(self, snapshot: Snapshot) -> None:
        """snapshot.json and restore.sh; without them nothing is raised."""
        forms = {RouteId(route): form_of(body) for route, body in snapshot.forms.items()}
        kept = self._ports.journal.keep_snapshot(
            snapshot, self._ports.router.restore_commands(forms)
        )
        if isinstance(kept, Unknown):
            self._journal = kept

    def _keep_snapshot_again(self) -> None:
        """A process that may go forward needs them too: an earlier one may have met a full disk."""
        state = self.state
        forms = {
            str(r): form_body(k.snapshot)
            for r, k in state.routes.items()
            if k.snapshot is not None
        }
        if state.phase not in _MAY_WRITE or not forms:
            return
        recipes = {str(route): known.recipe for route, known in state.routes.items()}
        calibration = state.evidence.calibration
        self._keep(Snapshot(forms, recipes, state.source_healthy, calibration))

    def _tell(self, record: Record) -> None:
        for listener in self._ports.listeners:
            listener.told(record)

    def _move(self, move: Move, observation: Observation) -> None:
        """Write-ahead: every intent is durable before anything is sent; too late is cancelled."""
        posts: dict[RouteId, tuple[Form, Form]] = {}
        for route in move.routes:
            live = self._read(route, observation)
            try:
                posts[route] = (live, self._ports.router.aim(route, live, move.weight))
            except ValueError as error:
                # only a form that a person accepted after preflight: nothing is sent, the step times out
                self._record(Note(f"not written: {error}"), self._ports.clock.now())
                return
        durable = not isinstance(self._journal, Unknown)
        for route, (live, post) in posts.items():
            durable &= self._intend(
                Change(route, post), "move", int(move.weight), pre=live.hash, why=move.reason
            )
        now = self._ports.clock.now()
        late = now.after(move.not_after) > 0 or self._lease_too_short(now)
        changes = [Change(route, post) for route, (_, post) in posts.items()]
        if durable and not late:
            self._send(changes)
            return
        self._cancel(changes, "too late after the look" if durable else _NOT_TAKEN)

    def _lease_too_short(self, now: Moment) -> bool:
        ends = self._ports.lease.ends(now)
        return ends is not None and ends.after(now) < REQUEST

    def _restore(self, restore: Restore, observation: Observation) -> None:
        """A rollback: intents when the disk takes them, and the writes in any case."""
        changes: list[Change] = []
        for back in restore.routes:
            post, pre = self._way_back(back, observation)
            if post is None:
                why = "the planned groups are not in the action any more"
                self._outcome(
                    back.route, WriteOutcome(WriteResult.NOT_APPLIED, "", why), "impossible"
                )
                continue
            change = Change(back.route, post)
            self._intend(change, "restore", int(post.weight or 0), pre=pre, why=restore.reason)
            changes.append(change)
        self._send(changes)

    def _detach(self, detach: Detach, observation: Observation) -> None:
        """The last write of a finished run: the source leaves the action."""
        changes: list[Change] = []
        durable = not isinstance(self._journal, Unknown)
        for route in detach.routes:
            live = self._read(route, observation)
            change = Change(route, self._ports.router.detach(route, live))
            durable &= self._intend(change, "detach", FULL, pre=live.hash, why=detach.reason)
            changes.append(change)
        if durable:
            self._send(changes)
        else:
            self._cancel(changes, _NOT_TAKEN)

    def _read(self, route: RouteId, observation: Observation) -> Form:
        """The form that this turn's decision saw: it decides on a forward write only when it saw one."""
        reading = observation.forms[route]
        assert isinstance(reading, Known)  # noqa: S101 - see above
        return reading.value

    def _intend(self, change: Change, kind: str, weight: int, *, pre: str, why: str) -> bool:
        """Journal an intent as the attempt that it is. False when it is not durable."""
        intent = Intent(
            change.route,
            kind,
            self.state.target,
            self._attempt(change.route, kind, weight),
            pre,
            form_body(change.form),
            weight,
            why,
        )
        return self._record(intent, self._ports.clock.now())

    def _way_back(self, back: Back, observation: Observation) -> tuple[Form | None, str]:
        known = self.state.routes[back.route]
        reading = observation.forms.get(back.route)
        live = reading.value if isinstance(reading, Known) else None
        if live is None and known.seen is not None:
            live = known.seen.form
        if (
            live is None or known.snapshot is None
        ):  # pragma: no cover - back.py asks for no such route,
            return None, ""  # and a rollback must not end in an assertion
        post = self._ports.router.aim_back(
            back.route, live, known.snapshot, known.recipe, verbatim=back.verbatim
        )
        return post, "" if back.blind else live.hash

    def _attempt(self, route: RouteId, kind: str, weight: int) -> int:
        sent, began = self.state.routes[route].sent, self.state.turned
        if sent is None or began is None or sent.at.after(began) < 0:
            return 1
        same = sent.kind == kind and (kind != "move" or sent.weight == weight)
        return sent.attempt + 1 if same else 1

    def _send(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        outcomes = self._ports.router.write(changes)
        for change in changes:
            self._outcome(change.route, outcomes[change.route])

    def _cancel(self, changes: Sequence[Change], why: str) -> None:
        for change in changes:
            nothing = WriteOutcome(WriteResult.NOT_APPLIED, "", why)
            self._outcome(change.route, nothing, "cancelled")

    def _outcome(self, route: RouteId, outcome: WriteOutcome, result: str = "") -> None:
        sent = self.state.routes[route].sent
        event = Outcome(
            route,
            sent.attempt if sent is not None else 0,
            result or str(outcome.result),
            outcome.code,
            outcome.message,
            outcome.request_id,
            int(outcome.denied),
        )
        self._record(event, self._ports.clock.now())

    def _end(self, end: End) -> ExitCode:
        self._record(
            Close(int(end.exit_code), self.state.phase, end.reason), self._ports.clock.now()
        )
        for listener in self._ports.listeners:
            listener.closed()
        return end.exit_code
