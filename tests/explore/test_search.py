"""The search itself: it closes, it finds what is nearest, and it sees where a run neither ends nor waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.explore.configurations import configurations
from tests.explore.normal import Normal
from tests.explore.search import Search, Violation
from tests.explore.turns import Transitions
from tests.promises.catalogue import PROMISES
from tests.promises.facts import Recorded, Setting
from tests.promises.promise import Promise

EVERY = configurations()
STATES = 500
"""Of each configuration in the slice; `make explore` goes on for as long as it is told."""


def _drifted(_setting: Setting, memory: bool, fact: Recorded) -> tuple[bool, str]:
    return memory, "it held for drift" if fact.body.get("hold") == "drift" else ""


NO_DRIFT = Promise(
    "X1", "No run holds for drift.", "Nowhere.", start=False, records={"phase": _drifted}
)
"""Broken as soon as somebody else changes a route: what the search finds of it is known."""


def _calm(name: str) -> str:
    """The phase in which a run with nothing out of the ordinary ends, or waits for a person."""
    turns = Transitions(EVERY[name])
    node = turns.root()
    for _ in range(100):
        if turns.waits(node):
            return (node.running or node.state).phase.value
        edge, _ = turns.again(node, ())
        assert edge.broken == ()
        node = edge.to
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize("name", EVERY)
def test_a_calm_run_of_every_configuration_gets_to_its_end(name: str) -> None:
    assert _calm(name) == ("HOLDING" if name == "approval" else "COMPLETED")


@pytest.mark.parametrize("name", EVERY)
def test_the_nearest_states_of_every_configuration_break_no_promise(name: str) -> None:
    search = Search(EVERY[name])
    search.run(lambda so_far: len(so_far.graph.parents) < STATES)
    search.judge_endings()
    assert search.violations == []
    assert search.closed or len(search.graph.parents) >= STATES


def test_the_same_script_makes_the_same_turn() -> None:
    turns, normal = Transitions(EVERY["small"]), Normal(EVERY["small"])
    node = turns.root()
    for _ in range(12):
        for edge in turns.edges(node, 1):
            again, _played = turns.again(node, edge.script)
            assert (again.moves, again.faults, again.broken) == (
                edge.moves,
                edge.faults,
                edge.broken,
            )
            over = turns.over(edge.to)
            assert normal.key(again.to, over=over) == normal.key(edge.to, over=over)
        node = turns.again(node, ())[0].to


def test_a_process_that_dies_while_it_keeps_records_leaves_what_playing_that_leaves() -> None:
    turns = Transitions(EVERY["small"])
    node, died = turns.root(), 0
    for _ in range(8):
        for edge in turns.edges(node, 2):
            if any("dies after " in move for move in edge.moves):
                again, _played = turns.again(node, edge.script)
                assert replace(again.to, watch=edge.to.watch) == edge.to
                assert again.to.watch.memories == edge.to.watch.memories
                died += 1
        node = turns.again(node, ())[0].to
    assert died > 50


def test_one_process_and_several_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.explore.search.WORTH_A_FORK", 5)
    found = []
    for processes in (1, 3):
        search = Search(replace(EVERY["small"], faults=0))
        search.run(lambda _so_far: True, processes)
        graph = search.graph
        assert search.closed
        known = {key: graph.faults[number] for key, number in graph.keys.items()}
        calm = {*zip(graph.calm_from, graph.calm_to, strict=True)}
        found.append((known, search.transitions, len(calm)))
    assert found[0] == found[1]


def test_a_state_counts_with_the_fewest_faults_that_lead_to_it() -> None:
    """A dearer way is often found first: by a command and a fault of one turn."""
    without = Search(replace(EVERY["small"], faults=0))
    without.run(lambda _so_far: True)
    search = Search(replace(EVERY["small"], faults=1))
    search.run(_only_calm)
    graph = search.graph
    free = {key for key, number in graph.keys.items() if not graph.faults[number]}
    assert free == set(without.graph.keys)


def _only_calm(so_far: Search) -> bool:
    graph = so_far.graph
    return not any(faults and left for faults, left in zip(graph.faults, graph.left, strict=True))


def test_without_faults_the_small_configuration_closes_and_has_no_dead_end() -> None:
    search = Search(replace(EVERY["small"], faults=0))
    search.run(lambda _so_far: True)
    search.judge_endings()
    assert search.closed
    assert search.violations == []
    assert len(search.graph.parents) > 100
    assert len(set(search.graph.keys.values())) == len(search.graph.parents)


def test_the_shortest_way_to_break_a_promise_is_found() -> None:
    search = Search(EVERY["small"], (*PROMISES, NO_DRIFT))
    search.run(lambda so_far: not so_far.violations)
    (found, *_) = search.nearest()
    assert found.broken == ("X1: it held for drift",)
    assert found.faults == 1
    assert len(found.scripts) == _turns_to_drift()


def _turns_to_drift() -> int:
    """The same by hand: every fault of every turn of the calm run, until one breaks it."""
    turns = Transitions(EVERY["small"], (*PROMISES, NO_DRIFT))
    node = turns.root()
    for number in range(1, 30):
        if any(edge.broken for edge in turns.edges(node, 1)):
            return number
        node = turns.again(node, ())[0].to
    raise AssertionError("nothing breaks it")


def _graph(calm: dict[int, tuple[int, ...]], good: set[int], left: set[int]) -> Search:
    """A search that found these calm transitions; state n was first reached from n - 1."""
    search = Search(EVERY["small"])
    count = 1 + max([*calm, *good, *left, *(one for targets in calm.values() for one in targets)])
    for number in range(count):
        search.graph.reached(bytes([number]), number - 1, (number,), 0)
        search.graph.left[number] = number in left
        search.graph.good[number] = number in good
    for source, targets in calm.items():
        for target in targets:
            search.graph.calm_from.append(source)
            search.graph.calm_to.append(target)
    return search


def test_where_every_calm_way_ends_well_there_is_no_dead_end() -> None:
    search = _graph({0: (1,), 1: (2, 3), 2: (3,)}, good={3}, left={0, 1, 2, 3})
    assert search.graph.dead_ends() == []


def test_a_circle_that_calm_moves_never_leave_is_a_dead_end_and_so_is_what_may_lead_into_it() -> (
    None
):
    search = _graph({0: (4, 1), 1: (2,), 2: (3,), 3: (2,)}, good={4}, left={0, 1, 2, 3, 4})
    assert search.graph.dead_ends() == [0, 1, 2, 3]


def test_a_state_without_any_calm_move_is_a_dead_end() -> None:
    assert _graph({0: (1,)}, good=set(), left={0, 1}).graph.dead_ends() == [0, 1]


def test_a_state_that_was_not_searched_yet_is_not_called_a_dead_end() -> None:
    assert _graph({0: (1,)}, good=set(), left={0}).graph.dead_ends() == []


def test_a_dead_end_is_a_violation_with_the_way_to_the_nearest_one() -> None:
    search = _graph({0: (1,), 2: (3,), 3: (2,)}, good={1}, left={0, 1, 2, 3})
    search.judge_endings()
    why = "2 states from which the run neither ends nor waits for a person who was told"
    assert search.violations == [Violation("small", ((1,), (2,)), (why,), 0)]
