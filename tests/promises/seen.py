"""Ports of the runner whose answers are facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cutover.core.moment import Moment
from cutover.core.observation import OWNED, GroupHealth, Known, Reading, Unknown
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig
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
from tests.promises.facts import (
    Health,
    Read,
    Replied,
)
from tests.promises.from_bench import Log, portion, rest, taken_out

NEVER_LEFT = (NOT_SENT, "not_connected")


class SeenRouter(Router):
    """A router whose answers are facts."""

    def __init__(self, router: Router, log: Log) -> None:
        self._router, self._log = router, log

    def read(
        self, routes: Sequence[RouteId], *, once: bool = False
    ) -> Mapping[RouteId, Reading[RouteConfig]]:
        found = self._router.read(routes, once=once)
        for route in routes:
            reading = found.get(route)
            if isinstance(reading, Known):
                config = reading.value
                seen = {"weight": portion(config), "rest": rest(config)}
                out = taken_out(config)
                self._log.add(Read, str(route), config.text, taken_out=out, **seen)
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

    def with_weight(self, route: RouteId, config: RouteConfig, weight: Weight) -> RouteConfig:
        return self._router.with_weight(route, config, weight)

    def restored(
        self,
        route: RouteId,
        live: RouteConfig,
        snapshot: RouteConfig,
        stickiness_strategy: str,
        *,
        verbatim: bool,
    ) -> RouteConfig | None:
        return self._router.restored(route, live, snapshot, stickiness_strategy, verbatim=verbatim)

    def detach(self, route: RouteId, config: RouteConfig) -> RouteConfig:
        return self._router.detach(route, config)

    def prepare(self) -> Reading[None]:
        return self._router.prepare()

    def restore_commands(self, configs: Mapping[RouteId, RouteConfig]) -> tuple[str, ...]:
        return self._router.restore_commands(configs)


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
        self._sources = {comparison.source for comparison in plan.comparisons}

    def read(self, groups: Sequence[str]) -> Mapping[str, Reading[GroupHealth]]:
        found = self._health.read(groups)
        for group in sorted(self._sources & set(groups)):
            reading = found.get(group)
            healthy = reading.value.healthy if isinstance(reading, Known) else -1
            if healthy >= 0:
                self._log.at_start.setdefault(group, healthy)
            self._log.add(Health, healthy, self._log.at_start.get(group, 1), group)
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
