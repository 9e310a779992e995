"""Facts of a run on `tests.fakes`: what the fakes saw, folded by every promise while the run goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from cutover.core.events import Record
from cutover.core.forms import Form
from cutover.core.moment import Moment
from cutover.core.observation import OWNED, GroupHealth, Known, Reading, Unknown
from cutover.core.plan import Plan
from cutover.core.records import body
from cutover.core.state import RunState
from cutover.core.values import RouteId, Weight
from cutover.ports import (
    NOT_SENT,
    Change,
    Lease,
    Permit,
    Router,
    TargetHealth,
    WriteOutcome,
    WriteResult,
)
from cutover.views.status_json import status_json
from tests.promises.catalogue import PROMISES
from tests.promises.facts import (
    Changed,
    Died,
    DiskRefused,
    Ended,
    Fact,
    Health,
    Jumped,
    Ordered,
    Owner,
    Read,
    Recorded,
    Replied,
    Sent,
    Setting,
    Started,
    Told,
    Took,
)
from tests.promises.promise import Watch

F = TypeVar("F", bound=Fact)
KEPT = 400
"""So many of the newest facts are kept for the story of a promise that was broken."""

_WATCHED: list[list[Log]] = []
"""Those who want to hear of every run that begins, the innermost last."""


@contextmanager
def watched() -> Iterator[list[Log]]:
    """The logs of all runs that are made within."""
    logs: list[Log] = []
    _WATCHED.append(logs)
    try:
        yield logs
    finally:
        _WATCHED.remove(logs)


NEVER_LEFT = (NOT_SENT, "not_connected")


def portion(form: Form) -> int:
    """The destination's portion (per mille), -1 without the pair."""
    if form.weight is not None:
        return int(form.weight)
    return 0 if form.source_present and not form.attached else -1


def setting_of(plan: Plan, found: Mapping[RouteId, Form]) -> Setting:
    """What is fixed before a run of this plan."""
    observe = plan.observe
    return Setting(
        routes=tuple(str(route.id) for route in plan.routes),
        weights=tuple(int(step.weight) for step in plan.steps),
        bakes=tuple(step.bake for step in plan.steps),
        found={str(route): (form.text, portion(form)) for route, form in found.items()},
        period_ms=observe.period,
        settle_ms=observe.settle,
        poll_ms=observe.poll,
        confirm_ms=observe.confirm,
        source_reserve_ppm=plan.safety.source_reserve,
        pairs=tuple(pair.id for pair in plan.pairs),
    )


class Log:
    """Folds facts as they come. Before `begin` only what people said is kept: there is no run yet."""

    def __init__(self, now: Callable[[], Moment]) -> None:
        self.broken: list[str] = []
        self.newest: deque[Fact] = deque(maxlen=KEPT)
        self.setting: Setting | None = None
        self.number = 0
        self._now = now
        self._last = now()
        self._at_ms = self._last.wall_ms
        self._watch: Watch | None = None
        self._before: list[Fact] = []
        self._ours = True

    @staticmethod
    def watch(log: Log) -> None:
        """Whoever looks after the runs of a test, or of a proof, will ask for it."""
        if _WATCHED:
            _WATCHED[-1].append(log)

    def begin(self, setting: Setting) -> None:
        """The run is about to be opened."""
        if self.setting is None:
            self.setting, self._watch = setting, Watch.over(PROMISES)
            for fact in self._before:
                self._fold(fact)

    def add(self, kind: type[F], *values: Any, **named: Any) -> None:
        """One fact, now."""
        self._fold(kind(self.time(), *values, **named))

    def owner(self, *, ours: bool) -> None:
        """Who is entitled; a fact only when that changes."""
        if ours is not self._ours:
            self._ours = ours
            self.add(Owner, ours=ours)

    def _fold(self, fact: Fact) -> None:
        if self.setting is None or self._watch is None:
            if isinstance(fact, Ordered):
                self._before.append(fact)
            return
        self.newest.append(fact)
        self._watch, broken = self._watch.after(self.setting, [fact])
        self.broken += broken

    def time(self) -> int:
        """The observer's own clock, which nobody sets: it goes on as the boot clock does."""
        now = self._now()
        passed = max(0, now.after(self._last))
        jump = now.wall_jump(self._last)
        self._last, self._at_ms = now, self._at_ms + passed
        if jump:
            self._fold(Jumped(self._at_ms, jump))
        return self._at_ms

    # what the fakes tell

    def recorded(self, record: Record, *, durable: bool = True, at_ms: int | None = None) -> None:
        """A record; `at_ms` when it is told later than it was written."""
        event, wall_ms = record.event, record.at.wall_ms
        at_ms = self.time() if at_ms is None else at_ms
        fact = Recorded(at_ms, event.type, body(event), record.seq, record.epoch, durable, wall_ms)
        self._fold(fact)

    def sent(self, change: Change) -> int:
        """A write left; its number."""
        self.number += 1
        self.add(Sent, str(change.route), change.form.text, portion(change.form), self.number)
        return self.number

    def took(self, route: RouteId, form: Form, number: int) -> None:
        self.add(Took, str(route), form.text, portion(form), number)

    def changed(self, route: RouteId, form: Form) -> None:
        if self.setting is not None:
            self.add(Changed, str(route), form.text, portion(form))

    def refused(self) -> None:
        self.add(DiskRefused)

    def started(self) -> None:
        self._ours = True
        self.add(Started)

    def story(self) -> str:
        """The newest facts, for a person who wants to know how it came about."""
        return "\n".join(str(fact) for fact in self.newest)

    def died(self, plan: Plan, state: RunState) -> None:
        self.add(Died)
        self.told(plan, state)

    def ended(self, exit_code: int, forms: Mapping[RouteId, Form]) -> None:
        live = {str(route): (form.text, portion(form)) for route, form in forms.items()}
        self.add(Ended, exit_code, live)

    def told(self, plan: Plan, state: RunState) -> None:
        """What `cutover status --json` says now."""
        said = status_json(state, plan)
        routes: Any = said["routes"]
        hold: Any = said["hold"]
        claims = {str(one["route"]): _claimed(one) for one in routes}
        self.add(Told, str(said["phase"]), hold["reason"] if hold else "", claims)


def _claimed(route: Mapping[str, Any]) -> int:
    """The portion that `status` names as live; -1 where it says that nobody knows."""
    live = route["live_weight_percent"]
    doubtful = route["in_doubt_percent"] is not None or not route["readable"]
    if live is None or doubtful or not route["exists"]:
        return -1
    return round(float(live) * 10)


class Forms(dict[RouteId, Form]):
    """The live forms: what a test puts there is somebody else's change."""

    def __init__(self, forms: Mapping[RouteId, Form], log: Callable[[], Log]) -> None:
        super().__init__(forms)
        self._log = log

    def __setitem__(self, route: RouteId, form: Form) -> None:
        super().__setitem__(route, form)
        self._log().changed(route, form)

    def update(self, *others: Any, **named: Form) -> None:
        for route, form in dict(*others, **named).items():
            self[route] = form

    def carry_out(self, route: RouteId, form: Form) -> None:
        """A write of ours took effect."""
        super().__setitem__(route, form)


class SeenRouter(Router):
    """A router whose answers are facts."""

    def __init__(self, router: Router, log: Log) -> None:
        self._router, self._log = router, log

    def read(
        self, routes: Sequence[RouteId], *, once: bool = False
    ) -> Mapping[RouteId, Reading[Form]]:
        found = self._router.read(routes, once=once)
        for route in routes:
            reading = found.get(route)
            if isinstance(reading, Known):
                form = reading.value
                self._log.add(Read, str(route), form.text, weight=portion(form))
            else:
                gone = isinstance(reading, Unknown) and reading.gone
                self._log.add(Read, str(route), "", gone=gone)
        return found

    def write(self, changes: Sequence[Change], permit: Permit) -> Mapping[RouteId, WriteOutcome]:
        before = self._log.number
        outcomes = self._router.write(changes, permit)
        for number, change in enumerate(changes, before + 1):
            outcome = outcomes.get(change.route)
            if outcome is None or outcome.code in NEVER_LEFT or self._log.number == before:
                continue
            self._log.add(Replied, str(change.route), number, _answer(outcome))
        return outcomes

    def aim(self, route: RouteId, form: Form, weight: Weight) -> Form:
        return self._router.aim(route, form, weight)

    def aim_back(
        self, route: RouteId, live: Form, snapshot: Form, recipe: str, *, verbatim: bool
    ) -> Form | None:
        return self._router.aim_back(route, live, snapshot, recipe, verbatim=verbatim)

    def detach(self, route: RouteId, form: Form) -> Form:
        return self._router.detach(route, form)

    def prepare(self) -> Reading[None]:
        return self._router.prepare()

    def restore_commands(self, forms: Mapping[RouteId, Form]) -> tuple[str, ...]:
        return self._router.restore_commands(forms)


def _answer(outcome: WriteOutcome) -> str:
    if outcome.result is WriteResult.APPLIED:
        return "applied"
    if outcome.result is WriteResult.NOT_APPLIED:
        return "refused"
    return "mismatch" if outcome.code == "ResponseMismatch" else "lost"


class SeenHealth(TargetHealth):
    """The source's health as it is shown."""

    def __init__(self, health: TargetHealth, plan: Plan, log: Log) -> None:
        self._health, self._log = health, log
        self._sources = {pair.source for pair in plan.pairs}
        self._at_start: dict[str, int] = {}

    def read(self, groups: Sequence[str]) -> Mapping[str, Reading[GroupHealth]]:
        found = self._health.read(groups)
        for group in sorted(self._sources & set(groups)):
            reading = found.get(group)
            healthy = reading.value.healthy if isinstance(reading, Known) else -1
            if healthy >= 0:
                self._at_start.setdefault(group, healthy)
            self._log.add(Health, healthy, self._at_start.get(group, 1), group)
        return found


class SeenLease(Lease):
    """A lease whose loss is a fact from when it is asked."""

    def __init__(self, lease: Lease, log: Log) -> None:
        self._lease, self._log = lease, log

    def renew(self, now: Moment) -> Reading[None]:
        found = self._lease.renew(now)
        self._log.owner(ours=not (isinstance(found, Unknown) and found.code == OWNED))
        return found

    def other_owner(self) -> str:
        owner = self._lease.other_owner()
        if owner:
            self._log.owner(ours=False)
        return owner

    def ends(self, now: Moment) -> Moment | None:
        return self._lease.ends(now)


__all__ = ["Forms", "Log", "Ordered", "SeenHealth", "SeenLease", "SeenRouter", "setting_of"]
