"""Runs in which an adversary found something wrong: the moves, turn by turn, by name.

Each is played again by `test_found.py`, and its journal is a golden one (`tests.generate_golden_journals`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cutover.core.journal.events import Record
from cutover.core.plan import Plan
from tests.explore.choices import Asked, Chooser, Option
from tests.explore.configurations import configurations
from tests.explore.turns import Transitions
from tests.explore.world import Node

Moves = Mapping[int, tuple[str, ...]]
"""By the number of the turn, from 1."""


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


@dataclass(frozen=True)
class Played:
    """A run after its turns.

    Attributes:
        node: where it is.
        broken: a sentence for everything that it broke.
        records: its journal.
    """

    plan: Plan
    node: Node
    broken: list[str]
    records: list[Record]


@dataclass(frozen=True)
class Run:
    """The moves of one run in one configuration."""

    configuration: str
    moves: Moves
    turns: int

    def played(self) -> Played:
        """Through the shipped runner.

        Raises:
            ValueError: where a move is not asked for any more.
        """
        transitions = Transitions(configurations()[self.configuration])
        node, opened = transitions.opened()
        found = Played(transitions.configuration.plan, node, [], list(opened.kept))
        for number in range(1, self.turns + 1):
            chooser = Named(self.moves.get(number, ()))
            play, node, said = transitions.turn(node, chooser)
            found.broken.extend(said)
            found.records.extend(play.kept)
            if chooser.left:
                raise ValueError(f"turn {number} never asked for {chooser.left}")
        return Played(found.plan, node, found.broken, found.records)


def torn(kept: int, turns: int) -> Run:
    """The journal of a run that was left as it is ends after so many of those records."""
    leave = ("command: leave", f"records: dies after {kept}")
    return Run("small", {10: ("meanwhile: route 1: restored by hand",), 12: leave}, turns)


FOUND = {
    # breadth first, 1 fault, 6 turns: SHIFTING although a gate said UNKNOWN (P3, P21)
    "first-raise-unknown": Run("small", {6: ("verdict: unknown",)}, 6),
    # breadth first, 1 fault, 3 turns: the snapshot was a config that nobody had checked, and was written over (P7)
    "changed-in-checks": Run("small", {2: ("meanwhile: route 1: destination removed",)}, 3),
    # breadth first, 2 faults, 13 turns: SETTLING at 25 % with the routes at 0 %, and 100 % next (P5)
    "torn-as-it-is": torn(2, 20),
    # a walk: ROLLED_BACK although a raise of a killed process could still arrive (N2)
    "restore-that-changes-nothing": Run(
        "small",
        {
            15: ("write of route 1: dies, and it is late",),
            16: ("meanwhile: route 1: destination removed",),
            17: ("command: rollback", "write of route 1: late"),
        },
        25,
    ),
    # a walk: the snapshot was written over somebody else's config while it could not be read (P10)
    "foreign-and-unread": Run(
        "other-answers",
        {
            11: ("verdict: breach_ask",),
            13: ("meanwhile: route 1: sticky",),
            15: ("read of route 1: denied",),
        },
        20,
    ),
    # a walk: a breach was forgotten with the evidence of the hold (P27)
    "breach-with-resume": Run(
        "small", {14: ("command: pause",), 15: ("command: resume", "verdict: breach")}, 20
    ),
    # breadth first, 2 faults, 11 turns: a breach was waited out although an unanswered raise might be live (P27)
    "breach-while-attaching": Run(
        "small",
        {
            7: ("verdict: waiting", "write of route 1: dies, and it is late"),
            9: ("verdict: breach",),
        },
        12,
    ),
    # breadth first, 2 faults, 12 turns: a hold that cleared by itself sent an unanswered raise again (N7)
    "hold-that-clears-in-doubt": Run(
        "small",
        {
            7: ("verdict: waiting", "write of route 1: late"),
            8: ("verdict: breach_ask",),
        },
        14,
    ),
}
