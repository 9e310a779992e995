"""What the adversary may choose in one turn, question by question, and every way to answer them within a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

R = TypeVar("R")

CALM = ""
"""The first answer to every question: nothing out of the ordinary."""


@dataclass(frozen=True)
class Option:
    """One answer.

    Attributes:
        name: as a counterexample prints it.
        faults: what it costs of the budget; 0 for what happens on every good day.
    """

    name: str
    faults: int = 0


@dataclass(frozen=True)
class Asked:
    """One question, and the answer that was taken."""

    point: str
    options: tuple[Option, ...]
    taken: int
    acting: bool

    @property
    def option(self) -> Option:
        """The answer."""
        return self.options[self.taken]


class Chooser:
    """Answers by a script, then with the first option; keeps what was asked."""

    def __init__(self, script: Sequence[int] = ()) -> None:
        self._script = script
        self.asked: list[Asked] = []
        self.acting = False

    def instead(self, place: int, taken: int) -> Chooser:
        """As if that had been answered at this place, and nothing was asked after it."""
        other = Chooser()
        asked = self.asked[place]
        other.asked = [
            *self.asked[:place],
            Asked(asked.point, asked.options, taken, asked.acting),
        ]
        return other

    def pick(self, point: str, options: tuple[Option, ...]) -> str:
        """The name of the option taken."""
        number = len(self.asked)
        taken = self._script[number] if number < len(self._script) else 0
        self.asked.append(Asked(point, options, taken, self.acting))
        return options[taken].name

    @property
    def script(self) -> tuple[int, ...]:
        """What repeats this turn."""
        taken = [one.taken for one in self.asked]
        while taken and not taken[-1]:
            taken.pop()
        return tuple(taken)

    @property
    def faults(self) -> int:
        """What it cost."""
        return sum(one.option.faults for one in self.asked)

    @property
    def moves(self) -> tuple[str, ...]:
        """The answers out of the ordinary."""
        return tuple(f"{one.point}: {one.option.name}" for one in self.asked if one.taken)


def every_way(
    play: Callable[[Chooser], R],
    budget: int,
    *,
    combined: frozenset[str],
    known: Callable[[R, int, int], R | None] = lambda _result, _place, _number: None,
) -> Iterator[tuple[Chooser, R]]:
    """Plays the turn once for every allowed combination of answers; the calm one comes first.

    `known(result, place, number)` is what another answer at a place leads to, where the turn that was played shows that
    already; None where it has to be played.

    Allowed are at most one thing before the turn acts and one while it acts, and not more than `budget` faults;
    with a command named in `combined` also one fault of what leads to a write: the routes and the lease.
    """
    waiting: list[tuple[int, ...]] = [()]
    while waiting:
        script = waiting.pop()
        chooser = Chooser(script)
        result = play(chooser)
        yield chooser, result
        taken = [one.taken for one in chooser.asked]
        for place in range(len(chooser.asked) - 1, len(script) - 1, -1):
            before = [one for one in chooser.asked[:place] if one.taken]
            asked, left = chooser.asked[place], budget - sum(one.option.faults for one in before)
            for number, option in enumerate(asked.options):
                if number and option.faults <= left and _allowed(before, asked, option, combined):
                    other = known(result, place, number)
                    if other is None:
                        waiting.append((*taken[:place], number))
                    else:
                        yield chooser.instead(place, number), other


def _allowed(
    before: Sequence[Asked], asked: Asked, option: Option, combined: frozenset[str]
) -> bool:
    same = [one for one in before if one.acting == asked.acting]
    if not same:
        return True
    if asked.acting or len(same) > 1:
        return False
    commanded = same[0].point == "command" and same[0].option.name in combined
    if asked.point == "command":
        return option.name in combined and same[0].point == "meanwhile"
    return commanded and asked.point.startswith(("read", "lease"))
