"""The states that a search knows, how each was reached first, and where a run neither ends nor waits for a person."""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from dataclasses import dataclass, field

Script = tuple[int, ...]


@dataclass
class Graph:
    """States by number, in the order in which they were found.

    Attributes:
        keys: number of each state.
        parents: of each state: the state it was reached from with the fewest faults, and the script of the turn.
        faults, depth: with which it was reached so.
        calm_from, calm_to: the transitions of good days.
        good: 1 for a state in which the run is over, or waits for a person who was told.
        left: 1 for a state whose transitions are all known.
    """

    keys: dict[bytes, int] = field(default_factory=dict)
    parents: list[tuple[int, Script]] = field(default_factory=list)
    faults: bytearray = field(default_factory=bytearray)
    depth: array[int] = field(default_factory=lambda: array("H"))
    calm_from: array[int] = field(default_factory=lambda: array("l"))
    calm_to: array[int] = field(default_factory=lambda: array("l"))
    good: bytearray = field(default_factory=bytearray)
    left: bytearray = field(default_factory=bytearray)
    _scripts: dict[Script, Script] = field(default_factory=dict)

    def reached(self, key: bytes, parent: int, script: Script, faults: int) -> tuple[int, bool]:
        """The state's number, and whether it is new or was reached with fewer faults than ever before."""
        depth = self.depth[parent] + 1 if parent >= 0 else 0
        came = (parent, self._scripts.setdefault(script, script))
        number = self.keys.get(key)
        if number is None:
            number = self.keys[key] = len(self.parents)
            self.parents.append(came)
            self.faults.append(faults)
            self.depth.append(depth)
            self.good.append(0)
            self.left.append(0)
            return number, True
        if faults >= self.faults[number]:
            return number, False
        self.parents[number], self.faults[number], self.depth[number] = came, faults, depth
        return number, True

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
        good = bytearray(one or not left for one, left in zip(self.good, self.left, strict=True))
        waiting = deque(number for number, one in enumerate(good) if one)
        while waiting:
            for source in backwards[waiting.popleft()]:
                missing[source] -= 1
                if not missing[source] and not good[source]:
                    good[source] = 1
                    waiting.append(source)
        return [number for number, one in enumerate(good) if not one]
