"""Which answers the adversary may combine in one turn."""

from __future__ import annotations

from itertools import product

import pytest

from tests.explore.choices import Chooser, Option, every_way

QUESTIONS = (
    ("meanwhile", ("", "write arrives", "rule gone"), False),
    ("command", ("", "rollback", "pause"), False),
    ("lease", ("", "lost"), False),
    ("read of route 1", ("", "stale", "failed"), False),
    ("verdict", ("", "waiting", "breach"), False),
    ("while it connects", ("", "slow"), True),
    ("write of route 1", ("", "lost", "late"), True),
)
FREE = {"", "write arrives", "pause", "waiting"}
COMBINED = frozenset({"rollback"})


def _turn(chooser: Chooser) -> tuple[str, ...]:
    said = []
    for point, names, acting in QUESTIONS:
        chooser.acting = chooser.acting or acting
        said.append(chooser.pick(point, tuple(Option(one, int(one not in FREE)) for one in names)))
    return tuple(said)


def _allowed(answers: tuple[str, ...], budget: int) -> bool:
    """The rule as the documents say it."""
    if sum(one not in FREE for one in answers) > budget:
        return False
    before = [
        point
        for (point, _, acting), one in zip(QUESTIONS, answers, strict=True)
        if one and not acting
    ]
    acts = [
        point for (point, _, acting), one in zip(QUESTIONS, answers, strict=True) if one and acting
    ]
    if len(acts) > 1:
        return False
    if len(before) < 2:
        return True
    commanded = "command" in before and answers[1] in COMBINED
    beside = {"meanwhile", "lease", "read of route 1"}
    return len(before) == 2 and commanded and bool(beside & set(before))


@pytest.mark.parametrize("budget", range(4))
def test_every_allowed_combination_is_played_once_and_no_other(budget: int) -> None:
    played = [said for _, said in every_way(_turn, budget, combined=COMBINED)]
    assert len(played) == len(set(played))
    every = product(*(names for _, names, _ in QUESTIONS))
    assert set(played) == {one for one in every if _allowed(one, budget)}


def test_the_calm_way_comes_first_and_costs_nothing() -> None:
    chooser, said = next(every_way(_turn, 3, combined=COMBINED))
    assert (chooser.script, chooser.faults, chooser.moves, set(said)) == ((), 0, (), {""})


def test_a_script_repeats_its_turn() -> None:
    for chooser, said in every_way(_turn, 2, combined=COMBINED):
        again = Chooser(chooser.script)
        assert _turn(again) == said
        assert (again.moves, again.faults) == (chooser.moves, chooser.faults)


def test_a_question_that_is_asked_only_after_an_answer_is_answered_in_every_way() -> None:
    def turn(chooser: Chooser) -> tuple[str, ...]:
        first = chooser.pick("meanwhile", (Option(""), Option("write arrives")))
        chooser.acting = True
        options = (Option(""), Option("lost", 1), Option("late", 1))
        return (first, chooser.pick("write", options)) if first else (first,)

    played = [said for _, said in every_way(turn, 1, combined=COMBINED)]
    after = [("write arrives", one) for one in ("", "lost", "late")]
    assert sorted(played) == sorted([("",), *after])
