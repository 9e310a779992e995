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
    play: Callable[[Chooser], R], budget: int, *, combined: frozenset[str]
) -> Iterator[tuple[Chooser, R]]:
    """Plays the turn once for every allowed combination of answers; the calm one comes first.

    Allowed are at most one fault before the turn acts and one while it acts, and not more than `budget`; beside a
    fault before it acts only the free answers named in `combined`.
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
            asked = chooser.asked[place]
            waiting.extend(
                (*taken[:place], number)
                for number in range(1, len(asked.options))
                if _allowed(before, asked, asked.options[number], budget, combined)
            )


def _allowed(
    before: Sequence[Asked], asked: Asked, option: Option, budget: int, combined: frozenset[str]
) -> bool:
    spent = sum(one.option.faults for one in before)
    if spent + option.faults > budget:
        return False
    looks = [one for one in before if not one.acting]
    if asked.acting:
        acts = [one for one in before if one.acting]
        if option.faults and any(one.option.faults for one in acts):
            return False
        return not (acts and not option.faults)
    if not looks:
        return True
    # two things before the turn acts: a command and a fault, for the commands that lead to writes
    names = {one.option.name for one in looks if not one.option.faults}
    faults = [one for one in looks if one.option.faults]
    if option.faults:
        return not faults and names <= combined and len(names) <= 1
    return not names and option.name in combined
