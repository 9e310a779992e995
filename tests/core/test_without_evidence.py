"""The state that going back needs is the whole state but for the evidence, and decides the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from cutover.core.engine import decide, first_look, looked_for
from cutover.core.journal.events import MinuteCorrected, MinuteSettled, Record
from cutover.core.messages import RunView, fold
from cutover.core.messages.past import view_of_past
from cutover.core.observation import CommandName, Known, Observation, OperatorCommand
from cutover.core.plan import Plan
from cutover.core.state import (
    TERMINAL,
    RunState,
    replay,
    replay_without_evidence,
    without_superseded,
)
from cutover.core.values import MINUTE, SECOND
from tests.fakes import TWO_ROUTES, Bench, config, plan_of

COMMAND = OperatorCommand(CommandName.ROLLBACK, "ana@bastion", "enough", "first", id="0" * 16)


@cache
def said() -> tuple[Plan, tuple[Record, ...]]:
    """A run with a pause, a hold, a second step and a rollback."""
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE, "lunch"), 9 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME, "on"), 11 * MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK, "enough"), 9 * MINUTE)
    bench.run()
    return bench.plan, tuple(bench.journal.records)


def lengths() -> range:
    return range(1, len(said()[1]) + 1)


def test_only_the_evidence_is_missing() -> None:
    plan, records = said()
    for count in lengths():
        whole = replay(plan, records[:count])
        light = replay_without_evidence(plan, records[:count])
        assert replace(light, evidence=whole.evidence) == whole


def test_a_minute_that_is_corrected_is_evidence_and_nothing_else() -> None:
    plan, records = said()
    last = max(n for n, one in enumerate(records) if isinstance(one.event, MinuteSettled))
    settled = records[last].event
    assert isinstance(settled, MinuteSettled)
    counts = {**settled.counts, "destination.requests": 1}
    event = MinuteCorrected(settled.comparison, settled.at_ms, counts)
    corrected = Record(last + 2, 1, records[last].at.plus(SECOND), event)
    known = (*records[: last + 1], corrected)
    whole, light = replay(plan, known), replay_without_evidence(plan, known)
    assert whole.evidence != replay(plan, known[:-1]).evidence
    assert replace(light, evidence=whole.evidence) == whole
    assert light.seq == corrected.seq


def test_a_rollback_is_decided_alike_turn_after_turn() -> None:
    plan, records = said()
    phases = set[str]()
    for count in lengths():
        whole = replay(plan, records[:count])
        if whole.phase in TERMINAL:
            continue
        phases.add(whole.phase)
        light = replay_without_evidence(plan, records[:count])
        at = records[count - 1].at.plus(30 * SECOND)
        look = looked_for(whole, first_look(plan, whole, at), (COMMAND,))
        assert look == looked_for(light, first_look(plan, light, at), (COMMAND,))
        configs = {
            route.id: Known(config(whole.weight, attached=whole.weight > 0), at)
            for route in plan.routes
        }
        seen = Observation(configs=configs, commands=(COMMAND,), lease=Known(None, at), began=at)
        previous = None
        for _ in range(3):
            seen = replace(seen, previous=previous)
            first, second = decide(plan, whole, seen, at), decide(plan, light, seen, at)
            assert without_state(first) == without_state(second)
            assert first.state is not None
            assert second.state is not None
            whole, light = first.state, second.state
            previous, at, seen = at, at.plus(3 * SECOND), replace(seen, commands=())
    assert phases >= {"PREFLIGHT", "SHIFTING", "SETTLING", "BAKING", "HOLDING", "ROLLING_BACK"}


def without_state(decision: object) -> object:
    return replace(decision, state=None)  # type: ignore[type-var]


def test_a_story_that_is_told_at_once_is_the_same_story() -> None:
    plan, records = said()
    for count in lengths():
        one_by_one = RunView.begin(plan)
        for record in records[:count]:
            one_by_one = fold(one_by_one, record)
        assert view_of_past(RunView.begin(plan), records[:count]) == one_by_one


def minutes(*comparisons: str) -> Sequence[Record]:
    _, records = said()
    first = next(one for one in records if isinstance(one.event, MinuteSettled))
    return [
        replace(first, seq=number, event=MinuteSettled(comparison, number * MINUTE, {}))
        for number, comparison in enumerate(comparisons)
    ]


@pytest.mark.parametrize(
    ("comparisons", "left"),
    [("", []), ("a", [0]), ("aaa", [2]), ("abab", [2, 3]), ("abbb", [0, 3]), ("bbaab", [3, 4])],
)
def test_of_minutes_in_a_row_the_newest_of_each_comparison_is_left(
    comparisons: str, left: list[int]
) -> None:
    assert [one.seq for one in without_superseded(minutes(*comparisons))] == left


def test_before_the_first_record_there_is_nothing() -> None:
    assert replay_without_evidence(said()[0], ()) == RunState()
