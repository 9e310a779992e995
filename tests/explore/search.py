"""Breadth-first over the states of one configuration: fewest faults first, then fewest turns."""

from __future__ import annotations

import json
import multiprocessing
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tests.explore.normal import Normal
from tests.explore.turns import Transitions
from tests.explore.world import Configuration, Node

Script = tuple[int, ...]

Reached = tuple[bytes, Script, int, bool, tuple[str, ...]]
"""A transition without its node: the key of the state, the script, its faults, whether it is calm, what it breaks."""

WORTH_A_FORK = 200
BATCH = 2_000
"""States that are left before the time is looked at again."""


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


@dataclass
class Search:
    """The graph as far as it is known.

    Attributes:
        keys: number of each state.
        parents: of each state: the state it was first reached from, and the script of the turn.
        faults, depth: with which it was reached.
        calm_from, calm_to: the transitions of good days.
        good: states in which the run is over, or waits for a person who was told.
        left: 1 for a state whose transitions are all known.
    """

    configuration: Configuration
    keys: dict[bytes, int] = field(default_factory=dict)
    parents: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    calm_from: array[int] = field(default_factory=lambda: array("l"))
    calm_to: array[int] = field(default_factory=lambda: array("l"))
    good: set[int] = field(default_factory=set)
    left: bytearray = field(default_factory=bytearray)
    transitions: int = 0
    violations: list[Violation] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        """The turns and the normal forms of the configuration."""
        self.turns = Transitions(self.configuration)
        self.normal = Normal(self.configuration)

    def run(self, goes_on: Callable[[Search], bool], processes: int = 1) -> None:
        """Until it is closed, or `goes_on` says no."""
        most = self.configuration.faults
        waiting: list[deque[tuple[int, Node]]] = [deque() for _ in range(most + 1)]
        root = self.turns.root()
        self._add(self._key(root), (-1, ()), 0, 0)
        waiting[0].append((0, root))
        for spent in range(most + 1):
            while waiting[spent]:
                if not goes_on(self):
                    return
                batch = [waiting[spent].popleft() for _ in range(min(BATCH, len(waiting[spent])))]
                batch = [one for one in batch if self.faults[one[0]] >= spent]
                for (number, node), reached in zip(
                    batch,
                    self._reached([node for _, node in batch], most - spent, processes),
                    strict=True,
                ):
                    self._learn(number, node, reached, waiting)
        self.closed = True

    def _reached(
        self, nodes: Sequence[Node], budget: int, processes: int
    ) -> Iterator[list[Reached]]:
        """What every node's transitions lead to, in the nodes' order; a large batch on every core."""
        if processes == 1 or len(nodes) < WORTH_A_FORK:
            yield from (self._leads_to(node, budget) for node in nodes)
            return
        context = multiprocessing.get_context("fork")
        pipes = []
        for first in range(1, processes):
            here, there = context.Pipe(duplex=False)
            # the child has the nodes already: a fork shares them
            child = context.Process(
                target=self._send, args=(there, nodes[first::processes], budget)
            )
            child.start()
            there.close()
            pipes.append((here, child))
        found = [[self._leads_to(node, budget) for node in nodes[::processes]]]
        found += [here.recv() for here, _ in pipes]
        for here, child in pipes:
            here.close()
            child.join()
        for number in range(len(nodes)):
            yield found[number % processes][number // processes]

    def _send(self, there: Connection, nodes: Sequence[Node], budget: int) -> None:
        there.send([self._leads_to(node, budget) for node in nodes])

    def _leads_to(self, node: Node, budget: int) -> list[Reached]:
        return [
            (
                b"" if edge.broken else self._key(edge.to),
                edge.script,
                edge.faults,
                edge.calm,
                edge.broken,
            )
            for edge in self.turns.edges(node, budget)
        ]

    def _learn(
        self,
        number: int,
        node: Node,
        reached: list[Reached],
        waiting: list[deque[tuple[int, Node]]],
    ) -> None:
        self.left[number] = 1
        if self.turns.waits(node):
            self.good.add(number)
        for key, script, cost, calm, broken in reached:
            self.transitions += 1
            faults = self.faults[number] + cost
            if broken:
                self._broke(number, script, broken, faults)
                if calm:
                    self.left[number] = 0  # told already: no dead end besides
                continue
            known = self.keys.get(key)
            if known is None:
                known = self._add(key, (number, script), faults, self.depth[number] + 1)
                edge, _ = self.turns.again(node, script)
                waiting[faults].append((known, edge.to))
            if calm:
                self.calm_from.append(number)
                self.calm_to.append(known)

    def _key(self, node: Node) -> bytes:
        return self.normal.key(node, over=self.turns.over(node))

    def _add(self, key: bytes, parent: tuple[int, Script], faults: int, depth: int) -> int:
        number = len(self.parents)
        self.keys[key] = number
        self.parents.append(parent)
        self.faults.append(faults)
        self.depth.append(depth)
        self.left.append(0)
        return number

    def _broke(self, number: int, script: Script, broken: tuple[str, ...], faults: int) -> None:
        scripts = (*self.path(number), script)
        self.violations.append(Violation(self.configuration.name, scripts, broken, faults))

    def path(self, number: int) -> tuple[Script, ...]:
        """The turns from the beginning to a state."""
        scripts: list[Script] = []
        while number > 0:
            number, script = self.parents[number]
            scripts.append(script)
        return tuple(reversed(scripts))

    def dead_ends(self) -> list[int]:
        """States from which a run does not surely end or wait for a person, although every fault has stopped.

        Backwards over the calm transitions, from the good states: a state is good when each of its own lead to good
        ones. States that were not left yet (a search that was stopped) are taken for good.
        """
        backwards: dict[int, list[int]] = defaultdict(list)
        missing = [0] * len(self.parents)
        for source, target in zip(self.calm_from, self.calm_to, strict=True):
            backwards[target].append(source)
            missing[source] += 1
        good = bytearray(len(self.parents))
        waiting = deque(
            number
            for number in range(len(self.parents))
            if number in self.good or not self.left[number]
        )
        for number in waiting:
            good[number] = 1
        while waiting:
            for source in backwards[waiting.popleft()]:
                missing[source] -= 1
                if not missing[source] and not good[source]:
                    good[source] = 1
                    waiting.append(source)
        return [number for number in range(len(good)) if not good[number]]

    def nearest(self) -> list[Violation]:
        """Of every promise that was broken the violation with the fewest faults, then turns."""
        found: dict[str, Violation] = {}
        for one in sorted(self.violations, key=lambda one: (one.faults, len(one.scripts))):
            found.setdefault(one.broken[0].split(":")[0], one)
        return list(found.values())

    def judge_endings(self) -> None:
        """A dead end is a violation: the nearest one is told."""
        found = self.dead_ends()
        if found:
            nearest = min(found, key=lambda number: (self.faults[number], self.depth[number]))
            why = f"{len(found)} states from which the run neither ends nor waits for a person who was told"
            path = self.path(nearest)
            self.violations.append(
                Violation(self.configuration.name, path, (why,), self.faults[nearest])
            )
