"""Facts of a run on `tests.fakes`: what the fakes saw, folded by every promise while the run goes on."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from cutover.core.journal.codec import body
from cutover.core.journal.events import Record
from cutover.core.moment import Moment
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig
from cutover.core.state import RunState
from cutover.core.values import RouteId
from cutover.ports import (
    Change,
)
from cutover.render.status_json import status_json
from tests.promises.catalogue import PROMISES
from tests.promises.facts import (
    Changed,
    Died,
    DiskRefused,
    Ended,
    Fact,
    Jumped,
    Ordered,
    Owner,
    Recorded,
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


UNSEEN = frozenset({"N3", "P29", "P30"})
"""Promises that nothing here can break: which minutes a verdict rests on, and what is printed, is not seen."""


def portion(config: RouteConfig) -> int:
    """The destination's portion (per mille): a group that is alone has everything; -1 without the comparison."""
    if config.weight is not None:
        return int(config.weight)
    if config.source_present == config.attached:
        return -1
    return 1000 if config.attached else 0


def taken_out(config: RouteConfig) -> bool:
    """The source's group is in it and the destination's is not."""
    return config.source_present and not config.attached


def rest(config: RouteConfig) -> str:
    """What a fake config says beside the comparison."""
    known = json.loads(config.text)
    return json.dumps({key: known[key] for key in ("sticky", "tag") if key in known})


def setting_of(plan: Plan, found: Mapping[RouteId, RouteConfig]) -> Setting:
    """What is fixed before a run of this plan."""
    observe = plan.observe
    return Setting(
        routes=tuple(str(route.id) for route in plan.routes),
        weights=tuple(int(step.weight) for step in plan.steps),
        bakes=tuple(step.bake for step in plan.steps),
        found={str(route): (config.text, portion(config)) for route, config in found.items()},
        period_ms=observe.period,
        settle_ms=observe.settle,
        poll_ms=observe.poll,
        confirm_ms=observe.confirm,
        source_reserve_ppm=plan.safety.source_reserve,
        comparisons=tuple(comparison.id for comparison in plan.comparisons),
        asks=tuple(number for number, step in enumerate(plan.steps) if step.approve),
    )


class Log:
    """Folds facts as they come. Before `begin` only what people said is kept: there is no run yet."""

    def __init__(self, now: Callable[[], Moment]) -> None:
        self.broken: list[str] = []
        self.watched = False
        self.newest: deque[Fact] = deque(maxlen=KEPT)
        self.setting: Setting | None = None
        self.number = 0
        self.at_start: dict[str, int] = {}
        self._now = now
        self._last = now()
        self._at_ms = self._last.wall_ms
        self._watch: Watch | None = None
        self._before: list[Fact] = []
        self._ours = True

    @staticmethod
    def watch(log: Log) -> None:
        """Whoever looks after the runs of a test, or of a proof, will ask for it; without one nothing is folded."""
        log.watched = bool(_WATCHED)
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
        if self.watched:
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
        if not self.watched:
            return
        event, wall_ms = record.event, record.at.wall_ms
        at_ms = self.time() if at_ms is None else at_ms
        fact = Recorded(at_ms, event.type, body(event), record.seq, record.epoch, durable, wall_ms)
        self._fold(fact)

    def sent(self, change: Change) -> int:
        """A write left; its number."""
        self.number += 1
        config = change.config
        self.add(Sent, str(change.route), config.text, portion(config), self.number, rest(config))
        return self.number

    def took(self, route: RouteId, config: RouteConfig, number: int) -> None:
        self.add(Took, str(route), config.text, portion(config), number)

    def changed(self, route: RouteId, config: RouteConfig) -> None:
        if self.setting is not None:
            self.add(Changed, str(route), config.text, portion(config))

    def refused(self) -> None:
        self.add(DiskRefused)

    def started(self) -> None:
        self._ours = True
        self.add(Started)

    def view(self) -> str:
        """The newest facts, for a person who wants to know how it came about."""
        return "\n".join(str(fact) for fact in self.newest)

    def died(self, plan: Plan, state: RunState) -> None:
        self.add(Died)
        self.on_record(plan, state)

    def ended(self, exit_code: int, configs: Mapping[RouteId, RouteConfig]) -> None:
        live = {str(route): (config.text, portion(config)) for route, config in configs.items()}
        self.add(Ended, exit_code, live)

    def on_record(self, plan: Plan, state: RunState) -> None:
        """What `cutover status --json` says now."""
        if not self.watched:
            return
        said = status_json(state, plan)
        routes: Any = said["routes"]
        hold: Any = said["hold"]
        claims = {str(one["route"]): claimed(one) for one in routes}
        self.add(Told, str(said["phase"]), hold["reason"] if hold else "", claims)


def claimed(route: Mapping[str, Any]) -> int:
    """The portion that `status` names as live; -1 where it says that nobody knows."""
    live = route["live_weight_percent"]
    doubtful = route["in_doubt_percent"] is not None or not route["readable"]
    if live is None or doubtful or not route["exists"]:
        return -1
    return round(float(live) * 10)


class Forms(dict[RouteId, RouteConfig]):
    """The live configs: what a test puts there is somebody else's change."""

    def __init__(self, configs: Mapping[RouteId, RouteConfig], log: Callable[[], Log]) -> None:
        super().__init__(configs)
        self._log = log

    def __setitem__(self, route: RouteId, config: RouteConfig) -> None:
        super().__setitem__(route, config)
        self._log().changed(route, config)

    def update(self, *others: Any, **named: RouteConfig) -> None:
        for route, config in dict(*others, **named).items():
            self[route] = config

    def carry_out(self, route: RouteId, config: RouteConfig) -> None:
        """A write of ours took effect."""
        super().__setitem__(route, config)
