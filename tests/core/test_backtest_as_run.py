"""What a backtest says of a past is what a run does in it: the same minutes, given to both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from cutover.core.backtest import (
    COLUMNS,
    NOTHING,
    Group,
    History,
    Row,
    SimulatedEnd,
    attempt,
    past_of_rows,
    split,
)
from cutover.core.journal.events import PhaseChanged
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Comparison, Known, Minute, Reading, Series
from cutover.core.plan import Plan
from cutover.core.state import Phase
from cutover.core.values import MINUTE
from tests.fakes import START, Bench, FakeMetrics, plan_of

FIRST = 60
"""The minute in which the run begins."""

GATE = {"errors": {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}}
FINE, BAD = Group(6_000, 6, 0), Group(6_000, 600, 0)
ENDS = {
    Phase.COMPLETED: SimulatedEnd.COMPLETED,
    Phase.HOLDING: SimulatedEnd.HELD,
    Phase.ROLLING_BACK: SimulatedEnd.ROLLED_BACK,
}


class PastMetrics(FakeMetrics):
    """CloudWatch as the past has it, divided by the weights that were really written."""

    past: History

    def read(
        self, wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        settle = self._plan.observe.settle
        return Known(
            tuple(
                replace(self._served(minute), settled=minute.at_ms + MINUTE + settle <= end_ms)
                for minute in self.past.minutes
                if start_ms <= minute.at_ms <= end_ms - MINUTE
            ),
            self._clock.now(),
        )

    def _served(self, minute: Minute) -> Minute:
        weights = [
            int(config.weight or 0)
            for at_ms, _, config in self._router.writes
            if at_ms < minute.at_ms + MINUTE
        ]
        weight = max(weights, default=0)
        return split(minute, weight) if self.past.divided and weight else minute


def run_over(past: History, plan: Plan) -> tuple[SimulatedEnd, int, str]:
    """How a whole run on fakes ends, at which step and why, when it begins in minute `FIRST`."""
    bench = Bench(plan)
    began_ms = past.minutes[FIRST].at_ms
    bench.clock.at = Moment(wall_from_ms(began_ms), START.boot_ms, START.boot_id)
    metrics = PastMetrics(plan, bench.clock, bench.router, bench.traffic)
    metrics.past = past
    bench.metrics = metrics
    bench.run(exit_on_hold=True)
    ended = next(one for one in bench.events(PhaseChanged) if Phase(one.after) in ENDS)
    return ENDS[Phase(ended.after)], ended.step, ended.why


def minutes(change: Callable[[int], Row | Group | None] = lambda _: None) -> list[Row]:
    """Two hours of one service; `change` says what is different in a minute of the run."""
    rows = []
    for n in range(120):
        found = change(n - FIRST)
        row = found if isinstance(found, Row) else Row(n, -1, 0, found or FINE)
        rows.append(replace(row, minute=n))
    return rows


PASTS = {
    "healthy": (minutes(), GATE, SimulatedEnd.COMPLETED, 1),
    "breaching": (
        minutes(lambda n: Row(0, -1, 0, Group(5_700, 6), Group(300, 30 if n >= 0 else 0))),
        GATE,
        SimulatedEnd.ROLLED_BACK,
        0,
    ),
    "source-bad-after-a-raise": (
        minutes(lambda n: BAD if 2 <= n < 12 else None),
        GATE,
        SimulatedEnd.ROLLED_BACK,
        0,
    ),
    "shared-incident": (
        minutes(lambda n: BAD if 8 <= n < 20 else None),
        GATE,
        SimulatedEnd.HELD,
        0,
    ),
    "nobody-to-compare-with": (
        minutes(lambda n: BAD if n >= 24 else None),
        GATE,
        SimulatedEnd.HELD,
        1,
    ),
    "no_data": (
        minutes(lambda n: Row(0, -1, 0, known=False) if n >= 8 else None),
        GATE,
        SimulatedEnd.HELD,
        0,
    ),
    "silent": (minutes(lambda n: NOTHING if n >= 8 else None), GATE, SimulatedEnd.HELD, 0),
    "waiting": (
        minutes(lambda n: Group(60, 0, 0)),
        {"errors": {"max": "1%", "min_requests": 10_000}},
        SimulatedEnd.HELD,
        0,
    ),
}


@pytest.mark.parametrize("name", PASTS)
def test_the_same_minutes_end_a_run_and_its_backtest_alike(name: str) -> None:
    rows, gate, ended, step = PASTS[name]
    plan = plan_of(
        gates=[gate], steps=[{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m"}]
    )
    divided = all(row.destination == NOTHING for row in rows)
    past = past_of_rows(plan, plan.comparisons[0], rows, frozenset(COLUMNS), divided=divided)
    found = attempt(plan, plan.comparisons[0], past, FIRST)
    assert (found.ended, found.step) == (ended, step)
    in_run = run_over(past, plan)
    assert in_run[:2] == (ended, step)
    if ended is not SimulatedEnd.COMPLETED:
        assert _without_seconds(in_run[2]) == _without_seconds(found.sentence)


def _without_seconds(sentence: str) -> str:
    """How old the newest minute is depends on when within a minute somebody looks."""
    return re.sub(r"\b\d+ s\b", "? s", sentence)
