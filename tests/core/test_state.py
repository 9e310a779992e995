"""State is only what the journal folds to."""

from __future__ import annotations

import itertools

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import CommandName
from cutover.core.state import (
    ACTIVE,
    HOLDS,
    RESTING,
    TERMINAL,
    TRANSITIONS,
    Hold,
    Phase,
    RunState,
    evolve,
    replay,
)
from cutover.core.state import evidence as evid
from cutover.core.values import MINUTE
from tests import records
from tests.fakes import START, Bench, plan_of


def test_an_illegal_move_raises_and_changes_nothing() -> None:
    plan = plan_of()
    state = RunState()
    for before, after in itertools.product(Phase, Phase):
        if after not in TRANSITIONS[before]:
            event = records.phase_changed(before, after, "x", -1)
            with pytest.raises(ValueError, match="no way"):
                evolve(plan, state, ev.Record(1, 1, START, event))
    assert state == RunState()


def test_a_phase_is_active_resting_or_terminal_and_terminal_ones_have_no_way_out() -> None:
    assert set(Phase) == ACTIVE | RESTING | TERMINAL
    assert len(Phase) == len(ACTIVE) + len(RESTING) + len(TERMINAL)
    assert all(not TRANSITIONS[phase] for phase in TERMINAL)


def test_rolling_back_is_absorbing() -> None:
    reachable, todo = set(), [Phase.ROLLING_BACK]
    while todo:
        for after in TRANSITIONS[todo.pop()]:
            if after not in reachable:
                reachable.add(after)
                todo.append(after)
    assert not reachable & {
        Phase.SHIFTING,
        Phase.SETTLING,
        Phase.BAKING,
        Phase.ATTACHING,
        Phase.COMPLETED,
    }


def test_every_hold_has_a_rule_and_only_missing_or_bad_evidence_rolls_back() -> None:
    assert set(HOLDS) == set(Hold)
    assert {hold for hold, rule in HOLDS.items() if rule.rolls_back} == {
        Hold.GATE,
        Hold.SHARED,
        Hold.NO_CONTROL,
        Hold.NO_DATA,
        Hold.EVIDENCE,
        Hold.SHARE,
        Hold.UNHEALTHY,
    }
    assert {hold for hold, rule in HOLDS.items() if rule.asks} == {Hold.NO_CONTROL}


def test_the_state_folded_live_is_the_state_replayed_at_every_prefix_end() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 20 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert replay(bench.plan, bench.journal.records) == bench.state


def test_memory_of_minutes_stays_bounded_and_old_ones_are_folded_away() -> None:
    plan = plan_of()
    evidence = evid.begin(plan)
    comparison = plan.comparisons[0].id
    for at in range(1_000):
        minute = ev.minute_of(
            ev.MinuteSettled(
                comparison, at * MINUTE, {"source.requests": 100, "destination.requests": 5}
            )
        )
        evidence = evid.fold(plan, evidence, evid.Folded(minute, 50, MINUTE))
    assert len(evidence.comparisons[plan.comparisons[0].id].recent) <= 2 * evid.KEEP
    assert evidence.minute(comparison, 0) is None
    assert evidence.minute(comparison, 999 * MINUTE) is not None


def test_a_corrected_minute_folds_as_if_it_had_been_so_from_the_start() -> None:
    plan = plan_of()
    comparison = plan.comparisons[0].id

    def folded(at: int, errors: int) -> evid.Folded:
        asked = plan.series({})[plan.comparisons[0]]
        counts: dict[str, int | str] = {series.key: "-" for series in asked}
        counts |= {"source.requests": 900, "source.target_2xx": 900, "balancer.requests": 1000}
        counts |= {
            "destination.requests": 100,
            "destination.target_2xx": 100 - errors,
            "destination.target_5xx": errors,
        }
        return evid.Folded(
            ev.minute_of(ev.MinuteSettled(comparison, at * MINUTE, counts)), 100, MINUTE
        )

    early = right = evid.begin(plan)
    for at in range(1, 300):
        early = evid.fold(plan, early, folded(at, 0))
        right = evid.fold(plan, right, folded(at, 40 if at == 298 else 0))
    corrected = folded(298, 40).minute
    assert corrected is not None
    mended = evid.correct(plan, early, corrected)
    assert mended.comparisons[comparison].memories == right.comparisons[comparison].memories
    assert mended.comparisons[comparison].memories != early.comparisons[comparison].memories


def test_an_outcome_without_an_intent_changes_nothing() -> None:
    bench = Bench()
    bench.open()
    state = replay(bench.plan, bench.journal.records)
    stray = ev.Record(3, 1, START, ev.Outcome(bench.plan.routes[0].id, 0, "applied"))
    assert evolve(bench.plan, state, stray).routes == state.routes
