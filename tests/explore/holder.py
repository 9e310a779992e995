"""The states that one process keeps until their transitions are asked for, and processes that do so side by side."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait

from tests.explore.graph import Script
from tests.explore.normal import Normal
from tests.explore.turns import Transitions
from tests.explore.world import Node

Reached = tuple[bytes, Script, int, bool, tuple[str, ...]]
"""A transition without its node: the key of the state, the script, its faults, whether it is calm, what it breaks."""


@dataclass(frozen=True)
class Asked:
    """What one process is to do.

    Attributes:
        kept: (key, number) of states that it found the last time and that it is to keep.
        dropped: states that another process found with fewer faults.
        numbers: states whose transitions are wanted.
        spent: the faults with which they were reached.
        given: states that are to go to a process that has none left.
        taken: such states of other processes, as `Answer.given` has them.
    """

    kept: Sequence[tuple[bytes, int]]
    dropped: Sequence[int]
    numbers: Sequence[int]
    spent: int
    given: Sequence[int] = ()
    taken: Sequence[bytes] = ()


@dataclass(frozen=True)
class Left:
    """A state whose transitions are known: those that may be new, and how many there are."""

    number: int
    waits: bool
    transitions: int
    reached: tuple[Reached, ...]


@dataclass(frozen=True)
class Answer:
    """What came of it; `given`: the states that are to go to another process, pickled."""

    left: Sequence[Left]
    given: bytes = b""


class Holder:
    """States by number, and the transitions from them."""

    def __init__(self, turns: Transitions, normal: Normal) -> None:
        self._turns, self._normal = turns, normal
        self._watch = turns.root().watch
        self._nodes: dict[int, Node] = {}
        self._found: dict[bytes, Node] = {}
        self._told: dict[bytes, int] = {}  # by key, the faults that it was told with

    def root(self) -> bytes:
        """The key of the first state, which is kept as number 0."""
        node = self._turns.root()
        self._nodes[0] = node
        key = self._key(node)
        self._told[key] = 0
        return key

    def does(self, asked: Asked) -> Answer:
        """Keeps, drops, takes and gives, and tells the transitions."""
        for key, number in asked.kept:
            self._nodes[number] = self._found[key]
        self._found.clear()
        for number in asked.dropped:
            self._nodes.pop(number, None)
        for taken in asked.taken:
            for number, node in pickle.loads(taken).items():
                watch = replace(self._watch, memories=node.watch.memories)
                self._nodes[number] = replace(node, watch=watch)
        given = {number: self._plain(self._nodes.pop(number)) for number in asked.given}
        left = [self._left(number, asked.spent) for number in asked.numbers]
        return Answer(left, pickle.dumps(given) if given else b"")

    def _plain(self, node: Node) -> Node:
        """Without the promises themselves, which every process has."""
        return replace(node, watch=replace(node.watch, promises=(), hearing=None))

    def keeps(self, numbers: Iterable[int]) -> None:
        """Only these from now on."""
        self._nodes = {number: self._nodes[number] for number in numbers}

    def _left(self, number: int, spent: int) -> Left:
        node = self._nodes.pop(number)
        count, reached = 0, []
        for edge in self._turns.edges(node, self._turns.configuration.faults - spent):
            count += 1
            faults = spent + edge.faults
            key = b"" if edge.broken else self._key(edge.to)
            if not edge.broken:
                before = self._told.get(key)
                if before is None or faults < before:
                    self._told[key] = faults
                    self._found[key] = edge.to
                elif not edge.calm:
                    continue
            reached.append((key, edge.script, edge.faults, edge.calm, edge.broken))
        return Left(number, self._turns.waits(node), count, tuple(reached))

    def _key(self, node: Node) -> bytes:
        return self._normal.key(node, over=self._turns.over(node))


class Crew:
    """One holder in this process, or several in processes of their own; each answers what it was asked, one at a time."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._answers: list[tuple[int, Answer]] = []
        self._pipes: list[Connection] = []
        self._children: list[multiprocessing.process.BaseProcess] = []
        self.idle = {0}

    def ask(self, number: int, asked: Asked) -> None:
        """One of them; it is busy until `answers` has its answer."""
        self.idle.remove(number)
        if self._pipes:
            self._pipes[number].send(asked)
        else:
            self._answers.append((number, self._holder.does(asked)))

    def answers(self) -> list[tuple[int, Answer]]:
        """Of those that are ready; waits for one."""
        found, self._answers = self._answers, []
        if self._pipes:
            ready = wait([self._pipes[n] for n in range(len(self._pipes)) if n not in self.idle])
            found = [(n, pipe.recv()) for n, pipe in enumerate(self._pipes) if pipe in ready]
        self.idle |= {number for number, _ in found}
        return found

    def part(self, shares: Sequence[Sequence[int]]) -> None:
        """From here on in a process for each share of the states that are kept."""
        context = multiprocessing.get_context("fork")
        gc.collect()
        gc.freeze()
        for share in shares:
            here, there = context.Pipe()
            child = context.Process(target=self._serve, args=(there, share), daemon=True)
            child.start()
            there.close()
            self._pipes.append(here)
            self._children.append(child)
        self._holder.keeps(())
        self.idle = set(range(len(shares)))

    def _serve(self, there: Connection, share: Sequence[int]) -> None:
        self._holder.keeps(share)
        gc.set_threshold(100_000, 20, 100)
        while True:
            try:
                asked = there.recv()
            except EOFError:
                return
            there.send(self._holder.does(asked))

    def end(self) -> None:
        """Nobody is asked any more."""
        for child in self._children:
            child.kill()
        for pipe, child in zip(self._pipes, self._children, strict=True):
            child.join()
            pipe.close()
