"""What one random walk meets: which kinds of moves, when, what goes on for some turns, and what people say."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from cutover.core.state import Phase
from tests.explore.choices import Asked, Chooser, Option
from tests.explore.world import Node

RARELY, OFTEN = 0.004, 0.25
"""How likely an answer is out of the ordinary in a turn, and in one of the few turns in which much happens."""

ANSWERED, ANSWERS = (0.0, 0.1, 0.5, 0.5), ("resume", "resume", "approve", "approve+resume")
"""How likely a person answers a run that holds (each walk has its own), and what: few walks stand in a hold until it ends."""

BACK = 0.4
"""How likely a person says rollback in the middle of it."""

OUTAGES: dict[str, tuple[str, ...]] = {
    "read of route": ("failed", "denied", "stale"),
    "read of route 1": ("failed", "denied", "stale"),
    "write of route": ("throttled", "denied", "lost before", "lost after", "late", "another reply"),
    "write of route 1": ("throttled", "denied", "lost before", "lost after", "late"),
    "target health": ("source short", "source none", "unknown", "destination none"),
    "verdict": ("waiting", "unknown", "shared", "shared_now", "breach", "breach_hold", "breach_ask"),
    "minutes": ("failed", "raises", "late", "half published", "bad already", "destination silent"),
    "identity": ("unknown", "denied", "another account"),
    "the wire": ("lease: lost", "credentials: not ready", "while it connects: slow", "while it connects: another owner"),
    "records": ("disk full",),
    "meanwhile": ("route 1: other weight", "route 1: same weight", "route 1: restored by hand", "route 1: rule gone"),
    "time": ("3 minutes late", "20 minutes late", "clock set back"),
    "command": ("approve", "pause", "resume", "interrupt"),
}  # fmt: skip
"""What may go on for some turns, by the question as it begins."""

OUTAGE, OUTAGE_TURNS = 0.5, (1, 1, 3, 8, 40)
"""How likely a walk has one, and for how many turns."""

TROUBLE = 0.5
"""How likely some writes in a row go wrong."""

FATES = (
    "throttled", "denied", "lost before", "lost after", "late", "another reply",
    "dies before", "dies after", "dies, and it is late", "",
)  # fmt: skip


class Kinds:
    """A random half of all moves, drawn as they are met: what one fault hides, a walk without it shows."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._share = chance.choice((0.2, 0.5, 1.0))
        self._drawn: dict[str, bool] = {}

    def allow(self, name: str) -> bool:
        """Whether this walk makes the move."""
        return self._drawn.setdefault(name, self._chance.random() < self._share)


@dataclass
class Trouble:
    """Writes in a row that go wrong, stale reads after them, and what a person then says.

    Attributes:
        left: writes until it begins.
        fates: of the writes from then on.
        stale: for so many turns after the newest of them reads show what was before.
        says: in a turn after the first of them; empty for nothing.
        after: how many turns after.
        begun: the turn of the first of them; -1 before.
    """

    left: int
    fates: list[str] = field(default_factory=list)
    stale: int = 0
    says: str = ""
    after: int = 1
    begun: int = -1
    newest: int = -1

    @classmethod
    def of(cls, chance: random.Random) -> Trouble:
        """A random one."""
        fates = [chance.choice(FATES) for _ in range(chance.choice((1, 1, 2, 2, 3)))]
        says = chance.choice(("", "rollback", "rollback", "rollback", "pause", "interrupt"))
        stale = chance.choice((0, 0, 1, 3, 10))
        return cls(chance.randrange(6), fates, stale, says, chance.choice((1, 1, 1, 2)))

    def answer(self, turn: int, point: str, names: Sequence[str]) -> str | None:
        """What it answers; None for nothing of its own."""
        if point.startswith("write of route"):
            if self.left:
                self.left -= 1
                return None
            if not self.fates:
                return None
            self.newest = turn
            self.begun = turn if self.begun < 0 else self.begun
            return self.fates.pop(0)
        if self.begun < 0:
            return None
        if point.startswith("read of route") and turn - self.newest <= self.stale:
            return "stale" if "stale" in names else None
        if point == "command" and turn - self.begun == self.after and self.says in names:
            return self.says
        return None


class ActiveInjections:
    """Of one walk.

    Args:
        chance: all that is random in it.
        calm_turns: how many turns such a run takes on a calm day.
        ends: the turn from which on nothing goes wrong any more.
    """

    def __init__(self, chance: random.Random, calm_turns: int, ends: int) -> None:
        self.chance, self._ends = chance, ends
        self.budget, self.kinds = chance.choice((0, 1, 1, 2, 3, 5)), Kinds(chance)
        first = chance.randrange(calm_turns)
        near = range(first, first + chance.choice((2, 6, 30)))
        self._busy = {first, *(chance.choice(near) for _ in range(chance.randrange(6)))}
        self._back = first + chance.choice((0, 1, 1, 2, 4)) if chance.random() < BACK else -1
        self._answered = chance.choice(ANSWERED)
        self._lasts, self._outage = range(0), ("", "")
        if chance.random() < OUTAGE:
            self._lasts = range(first, first + chance.choice(OUTAGE_TURNS))
            point = chance.choice(sorted(OUTAGES))
            answer = chance.choice(OUTAGES[point])
            before, _, after = answer.partition(": ")
            self._outage = (before, after) if point == "the wire" else (point, answer)
        self._trouble = Trouble.of(chance) if chance.random() < TROUBLE else Trouble(10**6)

    def often(self, turn: int) -> float:
        """How likely an answer is out of the ordinary."""
        if turn >= self._ends:
            return 0
        return OFTEN if turn in self._busy else RARELY

    def given(self, turn: int, point: str, names: Sequence[str]) -> str | None:
        """The answer that what goes on gives, whatever it costs; None for none."""
        if turn >= self._ends:
            return None
        if turn in self._lasts and point.startswith(self._outage[0]) and self._outage[1] in names:
            return self._outage[1]
        return self._trouble.answer(turn, point, names)

    def says(self, turn: int, node: Node) -> Sequence[str]:
        """What a person may say in this turn; empty when nobody is there."""
        if turn == self._back:
            return ("rollback",)
        if holds(node) and self.chance.random() < self._answered:
            return ANSWERS
        return ()


class Walker(Chooser):
    """Chooses at random in one turn, as the weather is."""

    def __init__(self, weather: ActiveInjections, turn: int, says: Sequence[str]) -> None:
        super().__init__()
        self._weather, self._turn, self._says = weather, turn, says

    def pick(self, point: str, options: tuple[Option, ...]) -> str:
        """The name of the option taken."""
        weather, chance = self._weather, self._weather.chance
        names = [one.name for one in options]
        given = weather.given(self._turn, point, names)
        taken = 0
        if given is not None:
            taken = names.index(given) if given in names else 0
        elif point == "command" and self._says:
            answer = chance.choice(self._says)
            taken = names.index(answer) if answer in names else 0
        elif chance.random() < weather.often(self._turn):
            allowed = [
                number
                for number, one in enumerate(options)
                if number and one.faults <= weather.budget and weather.kinds.allow(one.name)
            ]
            taken = chance.choice(allowed) if allowed else 0
            weather.budget -= options[taken].faults
        self.asked.append(Asked(point, options, taken, self.acting))
        return names[taken]


def holds(node: Node) -> bool:
    """Its process lives, and holds."""
    return node.running is not None and node.running.phase is Phase.HOLDING
