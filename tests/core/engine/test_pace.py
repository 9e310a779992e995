"""A rollback that AWS throttles: at once, then within a second, then at a pace that leaves the account's bucket usable."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.moment import Moment
from cutover.core.observation import CommandName, Comparison, Minute, Reading, Series
from cutover.core.values import MINUTE, SECOND
from tests.fakes import (
    DESTINATION,
    RULE,
    SOURCE,
    TWO_ROUTES,
    Bench,
    FakeMetrics,
    Killed,
    WriteFault,
    plan_of,
)


def throttled(bench: Bench, seconds: int) -> list[Moment]:
    """When each restore was tried, while AWS throttles every write for so long."""
    fault = WriteFault("throttle", times=10**6)
    bench.at_weight(500, lambda: bench.router.faults.append(fault), MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    bench.at_weight(500, lambda: setattr(fault, "times", 0), MINUTE + seconds * SECOND)
    assert bench.run() == ExitCode.ROLLED_BACK
    return [at for at, one in bench.stamped(ev.Intent) if one.kind == "restore"]


def looks_at_metrics(bench: Bench) -> list[Moment]:
    """When CloudWatch is asked, from now on."""
    asked: list[Moment] = []

    class Counted(FakeMetrics):
        def read(
            self, wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
        ) -> Reading[tuple[Minute, ...]]:
            asked.append(bench.clock.at)
            return super().read(wanted, start_ms, end_ms)

    bench.metrics.__class__ = Counted
    return asked


def test_a_throttled_restore_is_sent_again_at_once_and_within_a_second_for_ten_seconds() -> None:
    bench = Bench()
    tries = throttled(bench, 9)
    gaps = [later.after(earlier) for earlier, later in pairwise(tries)]
    assert gaps[0] == 0
    assert all(200 <= gap < SECOND for gap in gaps[1:])
    assert len(set(gaps[1:])) > 3


def test_after_ten_seconds_all_routes_together_try_once_a_second_and_each_has_its_turn() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    tries = throttled(bench, 70)
    began = tries[0]
    late = [at for at in tries if 11 * SECOND < at.after(began) < 69 * SECOND]
    gaps = [later.after(earlier) for earlier, later in pairwise(late)]
    assert all(gap >= SECOND for gap in gaps)
    assert 50 <= len(late) <= 60
    routes = [
        one.route
        for at, one in bench.stamped(ev.Intent)
        if one.kind == "restore" and 11 * SECOND < at.after(began) < 69 * SECOND
    ]
    first, second = (routes.count(route.id) for route in bench.plan.routes)
    assert abs(first - second) <= 1


def test_nothing_else_is_read_while_a_route_is_not_restored() -> None:
    bench = Bench()
    asked = looks_at_metrics(bench)
    tries = throttled(bench, 40)
    assert not [at for at in asked if tries[0].after(at) < 0 < tries[-1].after(at)]


MANY = [
    {"rule": RULE[:-4] + f"{number:04x}", "source": SOURCE, "destination": DESTINATION}
    for number in range(20)
]


def test_routes_that_could_not_be_reached_go_back_together_once_they_can() -> None:
    bench = Bench(plan_of(routes=MANY))
    fault = WriteFault("unconnected", times=10**6)
    bench.at_weight(500, lambda: bench.router.faults.append(fault), MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    bench.at_weight(500, lambda: setattr(fault, "times", 0), MINUTE + 40 * SECOND)
    assert bench.run() == ExitCode.ROLLED_BACK
    applied = [at for at, one in bench.stamped(ev.Outcome) if one.result == "applied"][-20:]
    assert applied[-1].after(applied[0]) < SECOND


def test_a_rollback_taken_up_by_a_new_process_writes_every_route_at_once_whatever_the_clock_says() -> (
    None
):
    bench = Bench(plan_of(routes=MANY))
    fault = WriteFault("throttle", times=10**6)
    bench.at_weight(500, lambda: bench.router.faults.append(fault), MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    bench.at_weight(500, die, MINUTE + 30 * SECOND)
    with pytest.raises(Killed):
        bench.run()
    fault.times = 0
    at = bench.clock.at
    bench.clock.at = Moment(
        at.wall - timedelta(hours=1), 1_000, "boot-2"
    )  # rebooted, an hour behind
    bench.clock._due.clear()
    taken_up = bench.clock.at
    assert bench.run(CommandName.ROLLBACK) == ExitCode.ROLLED_BACK
    applied = [at for at, one in bench.stamped(ev.Outcome) if one.result == "applied"][-20:]
    assert applied[-1].after(taken_up) < SECOND


def die() -> None:
    """The process is killed."""
    raise Killed


def test_the_turn_that_hears_a_rollback_looks_at_nothing_but_the_routes() -> None:
    bench = Bench()
    asked = looks_at_metrics(bench)
    said: list[Moment] = []

    def say() -> None:
        bench.inbox.say(CommandName.ROLLBACK)
        said.append(bench.clock.at)

    bench.at_weight(500, say, MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    restored = next(at for at, one in bench.stamped(ev.Intent) if one.kind == "restore")
    assert not [at for at in asked if at.after(said[0]) >= 0 and restored.after(at) >= 0]
