"""What the normal form leaves out, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from cutover.core.moment import Moment
from cutover.core.observation import Minute
from cutover.core.state import Hold, Phase, RouteState, RunState, evidence
from cutover.core.state.evidence import Folded
from cutover.core.state.model import ObservedConfig, Sent
from cutover.core.values import HOUR, MINUTE, SECOND
from tests import records
from tests.explore.configurations import configurations
from tests.explore.normal import Normal
from tests.explore.turns import Transitions
from tests.explore.world import Flying, Node
from tests.records import said

SMALL = configurations()["small"]
TURNS = Transitions(SMALL)


def _reached(phase: Phase, step: int = 0) -> Node:
    """The first state of a calm run in this phase."""
    node = TURNS.root()
    while node.state.phase is not phase or node.state.step != step:
        node = TURNS.again(node, ())[0].to
    return node


BAKING = _reached(Phase.BAKING)
ROUTE = BAKING.routes[0]


def _ago(node: Node, ms: int) -> Moment:
    now = node.world.at
    return Moment(now.wall - timedelta(milliseconds=ms), now.boot_ms - ms, now.boot_id)


def _with(node: Node, change: Callable[[RunState], RunState]) -> Node:
    assert node.running is node.state
    state = change(node.state)
    return replace(node, state=state, running=state)


def _turned(ms: int) -> Node:
    return _with(BAKING, lambda state: replace(state, turned=_ago(BAKING, ms)))


def _sent(**changes: object) -> Node:
    def change(state: RunState) -> RunState:
        known = state.routes[ROUTE]
        assert known.sent is not None
        sent = replace(known.sent, **changes)  # type: ignore[arg-type]
        return replace(state, routes={**state.routes, ROUTE: replace(known, sent=sent)})

    return _with(BAKING, change)


def _same(one: Node, other: Node) -> bool:
    normal = Normal(SMALL)
    return normal.key(one, over=False) == normal.key(other, over=False)


def test_a_state_is_itself() -> None:
    assert _same(BAKING, _reached(Phase.BAKING))
    assert not _same(BAKING, _reached(Phase.SETTLING))
    assert not _same(BAKING, _reached(Phase.BAKING, 1))


def test_ages_above_every_threshold_are_one() -> None:
    assert _same(_turned(2 * HOUR), _turned(3 * HOUR))


def test_ages_below_a_threshold_are_kept() -> None:
    assert not _same(_turned(MINUTE), _turned(2 * MINUTE))


def test_what_only_sentences_are_made_of_is_left_out() -> None:
    assert _same(
        BAKING, _with(BAKING, lambda state: replace(state, reason=said("another sentence")))
    )
    assert _same(BAKING, _sent(message="other words of AWS"))


def test_a_number_that_only_grows_is_left_out() -> None:
    assert _same(BAKING, _with(BAKING, lambda state: replace(state, seq=state.seq + 7)))
    assert _same(BAKING, replace(BAKING, world=replace(BAKING.world, writes=99)))


def test_an_unanswered_write_is_kept() -> None:
    assert not _same(BAKING, _sent(result="", shown=False))
    assert not _same(_sent(result="ambiguous", shown=False), _sent(result="applied", shown=False))


def test_a_write_on_its_way_is_kept_and_its_number_is_not() -> None:
    (place,) = BAKING.world.places
    assert place.live is not None

    def flying(number: int) -> Node:
        there = replace(place, flying=(Flying(number, place.live),))  # type: ignore[arg-type]
        return replace(BAKING, world=replace(BAKING.world, places=(there,)))

    assert not _same(BAKING, flying(1))
    assert _same(flying(1), flying(2))


@pytest.mark.parametrize(("ages", "same"), [((9, 2), False), ((HOUR, 2 * HOUR), True)])
def test_how_long_a_config_has_been_seen_matters_until_it_is_drift(
    ages: tuple[int, int], *, same: bool
) -> None:
    def seen(ms: int) -> Node:
        def change(state: RunState) -> RunState:
            known = state.routes[ROUTE]
            assert known.seen is not None
            then = replace(known, seen=ObservedConfig(known.seen.config, _ago(BAKING, ms)))
            return replace(state, routes={**state.routes, ROUTE: then})

        return _with(BAKING, change)

    assert _same(seen(ages[0]), seen(ages[1])) is same


def _held(reason: Hold, change: Callable[[RunState], RunState]) -> Node:
    held = records.held(reason, "why", _ago(BAKING, MINUTE), 0)
    return _with(BAKING, lambda state: change(replace(state, phase=Phase.HOLDING, held=held)))


@pytest.mark.parametrize(("reason", "same"), [(Hold.DRIFT, True), (Hold.GATE, False)])
def test_evidence_is_kept_in_a_hold_that_it_may_end_and_in_no_other(
    reason: Hold, *, same: bool
) -> None:
    def since(ms: int) -> Callable[[RunState], RunState]:
        return lambda state: replace(state, evidence_from_ms=BAKING.world.at.wall_ms - ms)

    assert _same(_held(reason, since(MINUTE)), _held(reason, since(2 * MINUTE))) is same


def _judged(verdict: str, ms: int) -> Callable[[RunState], RunState]:
    def change(state: RunState) -> RunState:
        judged = records.verdicts(verdict, "why", _ago(BAKING, ms))
        return replace(state, verdicts={("alarm.counts", "a>b"): judged})

    return change


@pytest.mark.parametrize(
    ("reason", "verdict", "same"),
    [
        (Hold.DRIFT, "UNKNOWN", True),
        (Hold.GATE, "UNKNOWN", False),
        (Hold.DRIFT, "BREACH", False),
        (Hold.DRIFT, "PASS", True),
    ],
)
def test_how_long_a_verdict_stands_is_kept_where_it_is_compared(
    reason: Hold, verdict: str, *, same: bool
) -> None:
    assert (
        _same(_held(reason, _judged(verdict, 0)), _held(reason, _judged(verdict, MINUTE))) is same
    )


def test_minutes_in_which_nobody_had_a_request_are_kept_whatever_began_since() -> None:
    plan, comparison = SMALL.plan, SMALL.plan.comparisons[0]

    def of(requests: int) -> Node:
        minute = Minute(comparison.id, 0, {"source.requests": requests}, settled=True)
        folded = evidence.fold(plan, evidence.begin(plan), Folded(minute, 0, 0))
        return _held(Hold.DRIFT, lambda state: replace(state, evidence=folded))

    assert _same(of(100), of(200))
    assert not _same(of(100), of(0))


def test_what_the_world_has_is_kept() -> None:
    world = BAKING.world
    (place,) = world.places
    assert not _same(BAKING, replace(BAKING, world=replace(world, owned=True)))
    assert not _same(BAKING, replace(BAKING, world=replace(world, disk="full")))
    assert not _same(BAKING, replace(BAKING, world=replace(world, commands=("rollback",))))
    gone = replace(place, live=None)
    assert not _same(BAKING, replace(BAKING, world=replace(world, places=(gone,))))


def test_when_the_process_looks_again_counts_on_the_grid_alone() -> None:
    wake = BAKING.wake
    assert _same(BAKING, replace(BAKING, wake=wake.plus(-SECOND)))
    assert not _same(BAKING, replace(BAKING, wake=wake.plus(MINUTE)))


def test_nothing_is_told_apart_any_more_when_a_run_is_over() -> None:
    ended = _reached(Phase.COMPLETED, 1)
    normal = Normal(SMALL)
    other = _with_phase(BAKING, Phase.ROLLED_BACK)
    another = _with_phase(ended, Phase.ROLLED_BACK)
    assert normal.key(other, over=True) == normal.key(another, over=True)


def _with_phase(node: Node, phase: Phase) -> Node:
    return replace(node, state=replace(node.state, phase=phase), running=None)


def test_routes_and_writes_have_the_fields_that_these_rules_were_made_for() -> None:
    """A new field goes into the normal form, or is left out there with a reason; then it is named here."""
    assert set(RouteState.__dataclass_fields__) == {
        "snapshot", "stickiness_strategy", "committed", "sent", "doubt", "seen", "unreadable_since", "gone_since", "written",
        "restored", "impossible", "overwritten", "accepted", "strange",
    }  # fmt: skip
    assert set(Sent.__dataclass_fields__) == {
        "kind", "step", "attempt", "pre", "post", "weight", "at", "result", "code", "message", "denied", "epoch",
        "novel", "changes", "shown",
    }  # fmt: skip
