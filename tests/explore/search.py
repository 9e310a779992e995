"""Breadth-first over the states of one configuration: fewest faults first, then (nearly) fewest turns.

A state is left once, with all the faults that are left then: one that is reached again with fewer faults before that
counts as reached with those.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.explore.graph import Graph, Script
from tests.explore.holder import Asked, Crew, Holder, Left
from tests.explore.normal import Normal
from tests.explore.turns import Transitions
from tests.explore.world import Configuration
from tests.promises.catalogue import PROMISES
from tests.promises.promise import Promise

WORTH_A_FORK = 400
"""States waiting from which on several processes search."""
BATCH = 100
"""States that are left before the time is looked at again."""
SHARED = 2_000
"""States that a process gives away at most at a time, to one that has none left."""


@dataclass(frozen=True)
class Violation:
    """Something broken, and the turns that lead to it.

    Attributes:
        scripts: of every turn from the beginning, the last one included.
        broken: what it breaks, a sentence each.
    """

    configuration: str
    scripts: tuple[Script, ...]
    broken: tuple[str, ...]
    faults: int

    def text(self) -> str:
        """As a file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Violation:
        """Of `text`."""
        data = json.loads(path.read_text())
        scripts = tuple(tuple(one) for one in data["scripts"])
        return cls(data["configuration"], scripts, tuple(data["broken"]), data["faults"])


class Search:
    """The graph as far as it is known.

    Attributes:
        closed: every state within the configuration's faults is known, and was left.
    """

    def __init__(
        self, configuration: Configuration, promises: tuple[Promise, ...] = PROMISES
    ) -> None:
        self.configuration = configuration
        self.graph = Graph()
        self.transitions = 0
        self.violations: list[Violation] = []
        self.closed = False
        self._turns = Transitions(configuration, promises)
        self._most = configuration.faults
        self._crew = Crew(Holder(self._turns, Normal(configuration)))
        self._owners = bytearray()
        # by faults, then by process: numbers of states that were not left yet
        self._waiting: list[list[deque[int]]] = [[deque()] for _ in range(self._most + 1)]
        self._kept: list[list[tuple[bytes, int]]] = [[]]
        self._dropped: list[list[int]] = [[]]
        # by process: whom it gives states to, and which; and what it is to take
        self._given: dict[int, tuple[int, Sequence[int]]] = {}
        self._taken: list[list[bytes]] = [[]]

    def run(self, goes_on: Callable[[Search], bool], processes: int = 1) -> None:
        """Until it is closed, or `goes_on` says no."""
        holder = Holder(self._turns, Normal(self.configuration))
        self._crew = Crew(holder)
        self.graph.reached(holder.root(), -1, (), 0)
        self._owners.append(0)
        self._waiting[0][0].append(0)
        try:
            for spent in range(self._most + 1):
                while self._asks(spent):
                    for process, answer in self._crew.answers():
                        for left in answer.left:
                            self._learn(process, left)
                        self._pass_on(spent, process, answer.given)
                    if not goes_on(self):
                        return
                    if processes > 1 and len(self._kept) == 1:
                        self._part(processes)
            self.closed = True
        finally:
            self._crew.end()

    def _asks(self, spent: int) -> bool:
        """Everybody who is idle and has states that were reached with so many faults; False when all of those were left."""
        wanted = {process: self._next(spent, process, BATCH) for process in self._crew.idle}
        poor = [process for process, numbers in sorted(wanted.items()) if not numbers]
        poor = [one for one in poor if all(one != to for to, _ in self._given.values())]
        for process, numbers in sorted(wanted.items()):
            if not numbers:
                continue
            given: Sequence[int] = ()
            if poor:
                given = self._next(spent, process, len(self._waiting[spent][process]) // 2)
                if given:
                    self._given[process] = poor.pop(), given
            asked = Asked(
                self._kept[process],
                self._dropped[process],
                numbers,
                spent,
                given,
                self._taken[process],
            )
            self._kept[process], self._dropped[process], self._taken[process] = [], [], []
            self._crew.ask(process, asked)
        return len(self._crew.idle) < len(self._kept)

    def _next(self, spent: int, process: int, most: int) -> list[int]:
        waiting = self._waiting[spent][process]
        found: list[int] = []
        while waiting and len(found) < min(most, SHARED):
            number = waiting.popleft()
            if self.graph.faults[number] == spent and self._owners[number] == process:
                found.append(number)
        return found

    def _pass_on(self, spent: int, process: int, given: bytes) -> None:
        if given:
            to, numbers = self._given.pop(process)
            self._taken[to].append(given)
            self._waiting[spent][to].extend(numbers)
            for number in numbers:
                self._owners[number] = to

    def _learn(self, process: int, left: Left) -> None:
        graph, number = self.graph, left.number
        spent = graph.faults[number]
        graph.left[number], graph.good[number] = 1, left.waits
        self.transitions += left.transitions
        for key, script, cost, calm, broken in left.reached:
            if broken:
                scripts = (*graph.path(number), script)
                self.violations.append(
                    Violation(self.configuration.name, scripts, broken, spent + cost)
                )
                if calm:
                    graph.left[number] = 0  # told already: no dead end besides
                continue
            known, better = graph.reached(key, number, script, spent + cost)
            if better:
                self._keep(process, key, known)
            if calm:
                graph.calm_from.append(number)
                graph.calm_to.append(known)

    def _keep(self, process: int, key: bytes, number: int) -> None:
        if number == len(self._owners):
            self._owners.append(process)
        elif self._owners[number] != process:
            self._dropped[self._owners[number]].append(number)
            self._owners[number] = process
        self._kept[process].append((key, number))
        self._waiting[self.graph.faults[number]][process].append(number)

    def _part(self, processes: int) -> None:
        """Once enough states wait, each process gets its share of them."""
        every = [
            (spent, number)
            for spent, (waiting,) in enumerate(self._waiting)
            for number in waiting
            if self.graph.faults[number] == spent
        ]
        if len(every) < WORTH_A_FORK:
            return
        self._crew.ask(0, Asked(self._kept[0], (), (), 0))
        self._crew.answers()
        shares = [every[first::processes] for first in range(processes)]
        self._waiting = [[deque() for _ in shares] for _ in self._waiting]
        self._kept, self._dropped = [[] for _ in shares], [[] for _ in shares]
        self._taken = [[] for _ in shares]
        for process, share in enumerate(shares):
            for spent, number in share:
                self._owners[number] = process
                self._waiting[spent][process].append(number)
        self._crew.part([[number for _, number in share] for share in shares])

    def nearest(self) -> list[Violation]:
        """Of every promise that was broken the violation with the fewest faults, then turns."""
        found: dict[str, Violation] = {}
        for one in sorted(self.violations, key=lambda one: (one.faults, len(one.scripts))):
            found.setdefault(one.broken[0].split(":")[0], one)
        return list(found.values())

    def judge_endings(self) -> None:
        """A dead end is a violation: the nearest one is told."""
        graph, found = self.graph, self.graph.dead_ends()
        if found:
            nearest = min(found, key=lambda number: (graph.faults[number], graph.depth[number]))
            why = f"{len(found)} states from which the run neither ends nor waits for a person who was told"
            self.violations.append(
                Violation(
                    self.configuration.name, graph.path(nearest), (why,), graph.faults[nearest]
                )
            )
