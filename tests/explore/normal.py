"""When two states are the same to the search: what cannot matter again is left out, each time by a rule that says why.

Time enters as the ages that some comparison reads, up to the longest one that does: an older moment compares the same
for ever. Everything that only sentences are made of is left out. `docs/reliability.md` says what this cannot see.
"""

from __future__ import annotations

import hashlib
import marshal
from typing import Any

from cutover.core.engine.evaluate import SHARED_AFTER_RAISE
from cutover.core.engine.forward import WAITING_GRACE
from cutover.core.engine.freshness import HOLES_OF, STALE_PERIODS
from cutover.core.engine.rollback import FAST_FOR, SLOW
from cutover.core.engine.routes import COMMIT, DRIFT_AFTER, WRITE_DEADLINE
from cutover.core.engine.start import HEALTHY_DEADLINE, SNAPSHOT_DEADLINE
from cutover.core.engine.traffic_share import settle_deadline
from cutover.core.journal.events import LeaseTaken, Record
from cutover.core.moment import Moment
from cutover.core.observation import Absent, Unknown
from cutover.core.routing import RouteConfig
from cutover.core.state import HOLDS, NO_STEP, Hold, Phase, RouteState, RunState, evolve
from cutover.core.state.model import Sent
from cutover.core.values import SECOND
from cutover.runner import Loop
from tests.explore.world import Configuration, Node, World
from tests.promises.promise import At

_WITHOUT_EVIDENCE = (Phase.ROLLING_BACK, Phase.COMPLETED, Phase.NEEDS_HUMAN)

OLDEST = FAST_FOR + 10 * SECOND
"""The longest age that is compared, but for those that a rule below names: the pace of a rollback."""

ATTEMPTS = 4
LONGEST_PAUSE = 10 * SECOND
"""2, 4, 8 and 10 s of pause come from the first four attempts of a write (`routes._wait`); a rollback asks for the first."""


class Normal:
    """Normal forms of one plan's states."""

    def __init__(self, configuration: Configuration) -> None:
        plan = configuration.plan
        self._plan, self._setting = plan, configuration.setting
        self._grain = configuration.grain_ms
        self._near = max(plan.observe.confirm, WRITE_DEADLINE) + SECOND
        observe = plan.observe
        self._blind = max(plan.safety.blind_budget, 3 * observe.period, plan.safety.ask_timeout)
        # what is settled now began a period and the settling time ago (`_right_after_raise`)
        self._suspected = SHARED_AFTER_RAISE * observe.period + observe.settle + SECOND
        self._ask = plan.safety.ask_timeout
        self._bake = max(step.bake for step in plan.steps)
        self._phase_age = {
            Phase.PREFLIGHT: SNAPSHOT_DEADLINE + SECOND,
            Phase.ATTACHING: HEALTHY_DEADLINE + SECOND,
            Phase.SHIFTING: max(WRITE_DEADLINE, observe.confirm) + SECOND,
            Phase.SETTLING: max(settle_deadline(plan), self._blind) + SECOND,
        }
        self._texts: dict[str, bytes] = {}
        # of the memories without times
        self._memories: dict[Any, bytes] = {}
        self._horizons: tuple[int, ...] = ()

    def key(self, node: Node, *, over: bool) -> bytes:
        """Equal for states that are the same to the search; `over`: nothing of ours can happen in it any more."""
        whole = (node.state.phase.value,) if over else self._whole(node)
        return _digest(marshal.dumps(whole, 0))

    def _whole(self, node: Node) -> tuple[Any, ...]:
        now, state = node.world.at, node.state
        if node.running is None:
            # whatever a process did not hand on is forgotten by the next one
            state = evolve(self._plan, state, Record(state.seq + 1, state.epoch + 1, now, _NEXT))
        running = state if node.running is None else node.running
        return (
            None if node.running is None else self._state(node.running, now),
            None if node.running is node.state else self._state(state, now),
            None if node.running is None else self._loop(node.loop, now, node.wake, running.phase),
            self._world(node.world, running),
            tuple(
                self._timeless(memory)
                or self._memory(memory, now.wall_ms + node.world.skew_ms, horizon)
                for horizon, memory in zip(self._cuts(node), node.watch.memories, strict=True)
            ),
            # that people know why it holds: what `waits` asks for
            running.held is None or node.told[1] == running.held.reason.value,
        )

    def _timeless(self, memory: Any) -> bytes:
        """A short name of a memory without times; empty for one with some."""
        known = self._memories.get(memory)
        if known is None:
            plain = b"" if _timed(memory) else marshal.dumps(self._memory(memory, 0, 0), 0)
            known = _digest(plain) if plain else b""
            if known or len(self._memories) < TIMED_KEPT:
                self._memories[memory] = known
        return known

    def _cuts(self, node: Node) -> tuple[int, ...]:
        """By promise, the age beyond which a time in its memory does not matter; 0 for one without times."""
        if not self._horizons:
            self._horizons = tuple(one.horizon(self._setting) for one in node.watch.promises)
        return self._horizons

    def _text(self, text: str) -> bytes:
        """A short name of a text, the same in every process."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = _digest(text.encode())
        return known

    def _config(self, config: RouteConfig | None) -> bytes:
        return b"" if config is None else self._text(config.text)

    def _memory(self, memory: Any, now_ms: int, horizon: int) -> Any:
        """A promise's memory, with its times as ages."""
        if isinstance(memory, At):
            return min(now_ms - memory, horizon)
        if isinstance(memory, tuple):
            return tuple(self._memory(one, now_ms, horizon) for one in memory)
        if isinstance(memory, frozenset):
            return tuple(sorted((self._memory(one, now_ms, horizon) for one in memory), key=repr))
        return memory

    def _world(self, world: World, state: RunState) -> tuple[Any, ...]:
        now = world.at.wall_ms
        # a minute that every comparison has journalled is never asked for with another answer
        known = [
            state.journalled_ms.get(comparison.id, 0) for comparison in self._plan.comparisons
        ]
        newest = min(known, default=0)
        return (
            tuple(
                (
                    self._config(place.live),
                    self._config(place.older) if place.older != place.live else b"=",
                    tuple(self._config(one.config) for one in place.flying),
                )
                for place in world.places
            ),
            None
            if state.phase in _WITHOUT_EVIDENCE
            else (
                tuple((now - at, weight) for at, weight in world.split if at > newest),
                world.skew_ms,
            ),
            world.commands,
            world.disk,
            world.owned,
        )

    def _loop(self, loop: Loop, now: Moment, wake: Moment, phase: Phase) -> tuple[Any, ...]:
        look = loop.look
        asked = None
        if look is not None:
            asked = (
                look.configs, look.once, look.health, look.alarms, look.identity, look.survey,
                None
                if look.minutes_from_ms is None or phase in _WITHOUT_EVIDENCE
                else min(now.wall_ms - look.minutes_from_ms, 20 * 60_000),
            )  # fmt: skip
        return (
            asked,
            loop.previous is None,
            # the process gets time on the grid only
            (wait := max(0, wake.after(now))) and wait + -(now.wall_ms + wait) % self._grain,
            isinstance(loop.journal, Unknown),
        )

    def _state(self, state: RunState, now: Moment) -> tuple[Any, ...]:
        phase, now_ms = state.phase, now.wall_ms
        if phase in _WITHOUT_EVIDENCE:
            return self._without_evidence(state, now)
        held = state.held
        # no evidence ends such a hold, and what a person says in it begins afresh
        rule = None if held is None else HOLDS[held.reason]
        person = rule is not None and rule.afresh and not rule.clears and not rule.rolls_back
        newest = {comparison: now_ms - at for comparison, at in state.journalled_ms.items()}
        return (
            phase.value,
            state.step,
            state.target,
            state.proven,
            state.raising,
            None
            if held is None
            else (
                held.reason.value,
                max(0, held.deadline_ms - now_ms) if held.deadline_ms else -1,
                # whether a pause was said before or after the destination turned bad
                tuple(
                    held.since.after(one.since) > 0
                    for _, one in sorted(state.verdicts.items())
                    if one.verdict == "BREACH"
                )
                if held.reason is Hold.PAUSED
                else (),
                None if held.began is None else held.began.after(now),
            ),
            tuple(self._route(known, state, now) for known in state.routes.values()),
            state.weight,
            state.first_raise_ms is not None,
            # when the newest weight came: a source that turns bad soon after may suffer from it
            min(now_ms - state.weights[-1][0], self._suspected)
            if state.weight and self._plan.safety.on_shared_after_raise == "rollback"
            else -1,
            self._silent(state) if person else self._evidence(state, now_ms),
            # the others are compared with nothing: a change of one is journalled, and that is all
            tuple(
                (key, one.verdict, _age(one.since, now, self._since(one.verdict, person=person)))
                for key, one in sorted(state.verdicts.items())
                if _lasts(one.verdict)
            ),
            bool(state.shares) and not person,
            # only the age of the newest minute is compared, and how much of the bake it covers
            tuple(
                sorted((comparison, min(age, 10 * 60_000)) for comparison, age in newest.items())
            ),
            None
            if newest or state.opened is None
            else _age(
                state.opened, now, self._plan.observe.settle + 5 * self._plan.observe.period
            ),
            tuple(
                (gate, comparison, now_ms - at)
                for gate, comparison, at in sorted(state.alarming)
                if at > state.journalled_ms.get(comparison, 0)
            ),
            tuple(sorted(state.asked)),
            tuple(sorted(one for one in state.approved if one >= 0)),
            _age(state.turned, now, self._phase_age.get(phase, self._blind)),
            state.pause_asked and phase is Phase.PREFLIGHT,
            state.epoch > 1 if phase is Phase.PREFLIGHT else True,
            "survey" in state.observed,
            len(state.blocked),
        )

    def _without_evidence(self, state: RunState, now: Moment) -> tuple[Any, ...]:
        """A rollback, and what is completed, read no minutes any more, nor does anything after them."""
        began = state.rollback_at if state.rollback_epoch == state.epoch else state.driven_since
        back = state.phase is Phase.ROLLING_BACK
        return (
            state.phase.value,
            tuple(self._route(known, state, now) for known in state.routes.values()),
            state.weight if state.phase is Phase.COMPLETED else -1,
            # the pace of a rollback: since it began, or since its process came
            (
                _age(began, now, OLDEST),
                state.escalated_at is not None,
                min(state.refused_interrupts, 3),
            )
            if back
            else None,
            state.finishing,
            _age(state.finishing_at, now, WRITE_DEADLINE + SECOND) if not back else None,
        )

    def _since(self, verdict: str, *, person: bool) -> int:
        """How long a breach must stand until it is gone back from unanswered; and a run be blind."""
        if verdict == "BREACH":
            return self._ask
        return 0 if person else self._blind

    def _silent(self, state: RunState) -> tuple[Any, ...]:
        """Of the newest minutes of each comparison whether anybody had a request in them, whatever began since (`fresh`)."""
        return tuple(
            tuple(
                bool(minute.number("source.requests") or minute.number("destination.requests"))
                for minute in state.evidence.minutes(comparison.id, 0)[-STALE_PERIODS:]
            )
            for comparison in self._plan.comparisons
        )

    def _evidence(self, state: RunState, now_ms: int) -> tuple[Any, ...]:
        began = state.evidence_from_ms
        if began == NO_STEP:
            return (None, self._silent(state))
        since = min(now_ms - began, self._evidence_age(state))
        kept = tuple(
            tuple(
                (
                    now_ms - minute.at_ms,
                    *(_count(minute.counts[key]) for key in sorted(minute.counts)),
                )
                for minute in state.evidence.minutes(comparison.id, began)[-HOLES_OF:]
            )
            for comparison in self._plan.comparisons
        )
        return (since, kept, self._silent(state))

    def _evidence_age(self, state: RunState) -> int:
        """How long evidence must have been collected until more of it says nothing."""
        if state.phase is Phase.BAKING:
            return self._bake + WAITING_GRACE + 3 * self._plan.observe.period
        held = state.held
        if held is not None and not HOLDS[held.reason].afresh:
            return self._bake + WAITING_GRACE + 3 * self._plan.observe.period
        # the bake starts afresh in any case: only blindness is compared with it
        return self._blind

    def _route(self, known: RouteState, state: RunState, now: Moment) -> tuple[Any, ...]:
        back = state.phase is Phase.ROLLING_BACK
        last = max(state.step, state.target) + 1 >= len(self._plan.steps)
        seen, doubt = known.seen, known.doubt
        return (
            self._config(known.snapshot),
            self._config(known.committed),
            self._sent(known.sent, state, now, back=back),
            # going back it is not asked since when
            None
            if doubt is None
            else (0 if back else _age(doubt.since, now, self._near), doubt.weight),
            None
            if seen is None
            else (
                self._config(seen.config),
                # the routes are read once more after `confirm` before the run is over
                _age(seen.since, now, COMMIT if back else self._near if last else DRIFT_AFTER),
                # whether what the newest write found never went away
                known.sent is not None
                and seen.config.hash == known.sent.pre
                and seen.since.after(known.sent.at) <= 0,
            ),
            _age(known.unreadable_since, now, self._near),
            _age(known.gone_since, now, self._near),
            # only the configs that may be met again are asked for; hashes are as good as configs
            tuple(sorted(self._text(one) for one in known.written)),
            _age(known.restored, now, self._near),
            known.impossible,
            min(known.overwritten, 2),
            known.accepted,
            known.strange,
        )

    def _sent(
        self, sent: Sent | None, state: RunState, now: Moment, *, back: bool
    ) -> tuple[Any, ...] | None:
        if sent is None:
            return None
        same = sent.epoch == state.epoch
        if back:
            # an earlier process's write, or one that went forward, does not set the pace
            age = _age(sent.at, now, SLOW + SECOND) if sent.kind == "restore" and same else 0
            attempt = min(sent.attempt, 2) if not age else 0
        elif sent.shown and sent.kind != "detach":
            age, attempt = 0, 0  # accounted for
        else:
            age = _age(sent.at, now, LONGEST_PAUSE if sent.refused else self._near)
            attempt = min(sent.attempt, ATTEMPTS) if self._grain < LONGEST_PAUSE else 0
        return (
            sent.kind,
            sent.step,
            attempt,
            self._text(sent.pre),
            self._config(sent.post),
            sent.weight,
            age,
            # whether it is of this attempt: going back, of this process; else of this phase, too
            same if back and sent.kind == "restore" else not back and self._older(sent, state),
            same and state.finishing != "",
            sent.result,
            sent.code,
            sent.denied,
            sent.novel,
            sent.changes,
            sent.shown,
        )

    def _older(self, sent: Sent, state: RunState) -> bool:
        turned = state.turned
        return sent.epoch != state.epoch or (turned is not None and sent.at.after(turned) < 0)


TIMED_KEPT = 200_000


def _timed(memory: Any) -> bool:
    if isinstance(memory, At):
        return True
    return isinstance(memory, (tuple, frozenset)) and any(_timed(one) for one in memory)


_NEXT = LeaseTaken("ana@bastion", "bastion", 2)


def _digest(text: bytes) -> bytes:
    """96 bits: among a million states two share one by chance less often than once in 10**16 searches."""
    return hashlib.blake2b(text, digest_size=12).digest()


def _lasts(verdict: str) -> bool:
    """How long it has been so is compared: blindness, and a breach that asks for a person."""
    return verdict in ("UNKNOWN", "BREACH")


def _age(at: Moment | None, now: Moment, cap: int) -> int | None:
    return None if at is None else min(now.after(at), cap)


def _count(count: int | Absent) -> int:
    return count if isinstance(count, int) else -1 if count is Absent.NO_DATAPOINT else -2
