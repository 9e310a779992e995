"""What the adversaries found in the product, turn by turn: each run is played again, and keeps every promise now."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cutover.core.state import Phase
from tests.explore.choices import Asked, Chooser, Option
from tests.explore.configurations import configurations
from tests.explore.turns import Transitions
from tests.explore.world import Node


class Named(Chooser):
    """Answers by name, so that a new move of the adversary changes no run that is kept here."""

    def __init__(self, moves: tuple[str, ...]) -> None:
        super().__init__()
        self.left = list(moves)

    def pick(self, point: str, options: tuple[Option, ...]) -> str:
        names = [one.name for one in options]
        wanted = next((one for one in self.left if one.startswith(f"{point}: ")), "")
        taken = 0
        if wanted:
            self.left.remove(wanted)
            taken = names.index(wanted.removeprefix(f"{point}: "))
        self.asked.append(Asked(point, options, taken, self.acting))
        return names[taken]


def played(name: str, moves: Mapping[int, tuple[str, ...]], turns: int) -> tuple[Node, list[str]]:
    """The run after so many turns, and what it broke; `moves` by the number of the turn, from 1."""
    transitions = Transitions(configurations()[name])
    node, broken = transitions.root(), []
    for number in range(1, turns + 1):
        chooser = Named(moves.get(number, ()))
        _, node, said = transitions.turn(node, chooser)
        broken += said
        assert not chooser.left, f"turn {number} never asked for {chooser.left}"
    return node, broken


def test_a_first_raise_waits_while_a_gate_is_unknown() -> None:
    """Breadth first, 1 fault, 6 turns: SHIFTING although a gate said UNKNOWN (P3, P21)."""
    node, broken = played("small", {6: ("verdict: unknown",)}, 6)
    assert broken == []
    assert node.running is not None
    assert node.running.phase is Phase.ATTACHING


def test_a_route_that_is_changed_during_the_checks_refuses_the_run() -> None:
    """Breadth first, 1 fault, 3 turns: the snapshot was a form that nobody had checked, and was written over (P7)."""
    node, broken = played("small", {2: ("meanwhile: route 1: destination removed",)}, 3)
    assert broken == []
    assert (node.state.phase, node.code) == (Phase.REFUSED, 7)


def test_a_torn_journal_of_a_run_that_was_left_does_not_go_on_from_another_weight() -> None:
    """Breadth first, 2 faults, 13 turns: SETTLING at 25 % with the routes at 0 %, and 100 % next (P5)."""
    moves = {
        10: ("meanwhile: route 1: restored by hand",),
        12: ("command: leave", "records: dies after 2"),
    }
    node, broken = played("small", moves, 20)
    assert broken == []
    assert node.state.phase is Phase.ABANDONED


@pytest.mark.parametrize("kept", [1, 3])
def test_wherever_that_journal_ends_nothing_is_raised(kept: int) -> None:
    moves = {
        10: ("meanwhile: route 1: restored by hand",),
        12: ("command: leave", f"records: dies after {kept}"),
    }
    node, broken = played("small", moves, 40)
    assert broken == []
    assert node.world.places[0].live == configurations()["small"].found


def test_a_restore_that_changes_nothing_is_not_shown_by_a_read_of_what_was_there_before() -> None:
    """A walk: ROLLED_BACK although a raise of a killed process could still arrive (N2)."""
    moves = {
        15: ("write of route 1: dies, and it is late",),
        16: ("meanwhile: route 1: destination removed",),
        17: ("command: rollback", "write of route 1: late"),
    }
    node, broken = played("small", moves, 25)
    assert broken == []
    assert node.state.phase is Phase.ROLLED_BACK
    assert node.world.writes == 5, "the restore is sent until one is answered"


def test_a_form_of_somebody_else_that_a_restore_left_as_it_was_is_not_written_over_unread() -> (
    None
):
    """A walk: the snapshot was written over it while it could not be read (P10)."""
    moves = {
        11: ("verdict: breach_ask",),
        13: ("meanwhile: route 1: sticky",),
        15: ("read of route 1: denied",),
    }
    node, broken = played("other-answers", moves, 20)
    assert broken == []
    live = node.world.places[0].live
    assert live is not None
    assert live.sticky


def test_a_breach_that_is_seen_in_the_look_in_which_a_resume_is_heard_goes_back() -> None:
    """A walk: it was forgotten with the evidence of the hold (P27)."""
    moves = {14: ("command: pause",), 15: ("command: resume", "verdict: breach")}
    node, broken = played("small", moves, 20)
    assert broken == []
    assert node.state.phase is Phase.ROLLED_BACK
