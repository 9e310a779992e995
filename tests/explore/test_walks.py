"""Random walks through the explorer's states."""

from __future__ import annotations

from tests.explore.walks import Walk, Walks
from tests.promises.facts import Recorded, Setting
from tests.promises.promise import Promise


def _held(_setting: Setting, memory: bool, fact: Recorded) -> tuple[bool, str]:
    return memory, "it held" if fact.body.get("after") == "HOLDING" else ""


NEVER_HOLDS = Promise("X1", "A run never holds.", "Nowhere.", start=False, hears={Recorded: _held})
"""No run keeps it: what walks find of it is known."""


def _first(walks: Walks) -> Walk:
    return next(walk for seed in range(100) if (walk := walks.walk(seed)) is not None)


def test_a_seed_is_always_the_same_walk() -> None:
    assert _first(Walks(promises=(NEVER_HOLDS,))) == _first(Walks(promises=(NEVER_HOLDS,)))


def test_what_a_walk_broke_is_broken_again_by_its_scripts_and_by_fewer_moves() -> None:
    walks = Walks(promises=(NEVER_HOLDS,))
    walk = _first(walks)
    assert walk.broken == "X1: it held"
    assert walks.played(walk, walk.scripts) == walk
    shorter = walks.shorter(walk)
    assert shorter.moves <= walk.moves
    assert shorter.moves <= 1
    assert len(shorter.scripts) <= len(walk.scripts)
    assert walks.played(shorter, shorter.scripts) == shorter


WALKS = 800
"""About 12 s on one core; `make planted` and `python -m tests.explore.walks` walk on from there."""


def test_random_walks_break_no_promise_and_every_run_ends_or_waits_for_a_person() -> None:
    walks = Walks()
    assert [one for seed in range(WALKS) if (one := walks.walk(seed)) is not None] == []
    assert walks.turns > 20 * WALKS


def test_a_promise_that_is_left_out_is_not_looked_at() -> None:
    walks = Walks(without=("X1",), promises=(NEVER_HOLDS,))
    assert [one for seed in range(6) if (one := walks.walk(seed)) and "X1" in one.broken] == []
