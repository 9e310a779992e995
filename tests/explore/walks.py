"""Random walks through the explorer's states: `python -m tests.explore.walks --find --seconds N`.

Breadth first closes what is near; a bug that shows only in the second step, after a pause and with a fault there, lies
deep. So the same turns, moves and promises are also walked at random: each walk has a configuration, kinds of moves and a
number of faults of its own, ends on a calm day, and what broke is made shorter. It proves nothing where it finds nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from cutover.core.state import HOLDS, Phase
from tests.explore.choices import Chooser
from tests.explore.configurations import configurations
from tests.explore.turns import Transitions
from tests.explore.weather import ActiveInjections, Walker, holds
from tests.explore.world import Node
from tests.promises.catalogue import PROMISES
from tests.promises.promise import Promise

MOST_TURNS = 90
CALM_TURNS = 150
"""So many turns after the last fault a run may take to end, or to wait for a person."""

ENOUGH = 0.5
"""How likely nobody starts another process for a run that has ended where only a person goes on."""

DEAD_END = "L1: the run neither ends nor waits for a person, long after the last fault"

Script = tuple[int, ...]


@dataclass(frozen=True)
class Walk:
    """A walk that broke something.

    Attributes:
        configuration: its name.
        scripts: of every turn.
        broken: what the last turn breaks.
    """

    configuration: str
    scripts: tuple[Script, ...]
    broken: str

    @property
    def moves(self) -> int:
        """How many of its answers are out of the ordinary."""
        return sum(1 for script in self.scripts for taken in script if taken)


class Walks:
    """Random walks over all configurations.

    Args:
        without: promises that are not looked at, by id.
        promises: all that are looked at.
    """

    def __init__(
        self, without: Sequence[str] = (), promises: tuple[Promise, ...] = PROMISES
    ) -> None:
        self._all = {name: Transitions(one, promises) for name, one in configurations().items()}
        self._without = tuple(f"{one}:" for one in without)
        self.turns = 0
        self._calm_turns: dict[str, int] = {}

    def _length(self, name: str) -> int:
        """How many turns the configuration takes on a calm day."""
        if name not in self._calm_turns:
            turns, number = self._all[name], 0
            node = turns.root()
            while (holds(node) or not turns.waits(node)) and number < MOST_TURNS:
                calm = ActiveInjections(random.Random(0), 1, 0)
                approves = ("approve",) if holds(node) else ()
                node, _ = self._turn(turns, node, Walker(calm, number, approves))
                number += 1
            self._calm_turns[name] = number
        return self._calm_turns[name]

    def walk(self, seed: int) -> Walk | None:
        """One walk; what it broke."""
        chance = random.Random(seed)
        name = chance.choice(sorted(self._all))
        weather = ActiveInjections(chance, self._length(name), MOST_TURNS)
        turns = self._all[name]
        node, scripts = turns.root(), []
        for number in range(MOST_TURNS + CALM_TURNS):
            if turns.over(node) or (number >= MOST_TURNS and _waits(turns, node)):
                return None
            if _rests(node) and chance.random() < ENOUGH:
                return None
            walker = Walker(weather, number, weather.says(number, node))
            node, broken = self._turn(turns, node, walker)
            scripts.append(walker.script)
            if broken:
                return Walk(name, tuple(scripts), broken)
        return Walk(name, tuple(scripts), DEAD_END)

    def shorter(self, walk: Walk) -> Walk:
        """The same promise broken by fewer moves: each is left out in turn, from the last on."""
        smaller = True
        while smaller:
            smaller = False
            for turn in range(len(walk.scripts) - 1, -1, -1):
                for place, taken in enumerate(walk.scripts[turn]):
                    script = walk.scripts[turn]
                    less = (*script[:place], 0, *script[place + 1 :])
                    scripts = (*walk.scripts[:turn], less, *walk.scripts[turn + 1 :])
                    found = self.played(walk, scripts) if taken else None
                    if found:
                        walk, smaller = found, True
                        break
                if smaller:
                    break
        return walk

    def played(self, walk: Walk, scripts: tuple[Script, ...]) -> Walk | None:
        """The walk with other scripts, when it breaks the same promise no later."""
        turns = self._all[walk.configuration]
        node = turns.root()
        for number, script in enumerate(scripts):
            if turns.over(node):
                return None
            try:
                node, broken = self._turn(turns, node, Chooser(script))
            except IndexError:
                return None  # another question is asked there, with fewer answers
            if broken:
                same = broken.split(":")[0] == walk.broken.split(":")[0]
                return Walk(walk.configuration, scripts[: number + 1], broken) if same else None
        if walk.broken == DEAD_END and not turns.over(node) and not _waits(turns, node):
            return Walk(walk.configuration, scripts, DEAD_END)
        return None

    def _turn(self, turns: Transitions, node: Node, chooser: Chooser) -> tuple[Node, str]:
        self.turns += 1
        _, after, broken = turns.turn(node, chooser)
        told = [one for one in broken if not one.startswith(self._without)]
        return after, told[0] if told else ""

    def on_record(self, walk: Walk) -> list[str]:
        """Each turn's moves; a calm turn is a dash."""
        turns = self._all[walk.configuration]
        node, lines = turns.root(), []
        for script in walk.scripts:
            edge, _ = turns.again(node, script)
            lines.append(f"  {', '.join(edge.moves) or '-'}")
            node = edge.to
        return lines


def _rests(node: Node) -> bool:
    return node.running is None and node.state.phase in (Phase.COMPLETED, Phase.NEEDS_HUMAN)


def _waits(turns: Transitions, node: Node) -> bool:
    """For a person who was told; not in a hold whose deadline takes it back."""
    state = node.running
    if turns.waits(node) or state is None or state.held is None:
        return turns.waits(node)
    goes_back = turns.configuration.plan.safety.on_hold_timeout == "rollback"
    return not (HOLDS[state.held.reason].rolls_back and goes_back)


def _text(walk: Walk) -> str:
    return json.dumps([walk.configuration, walk.scripts, walk.broken])


def _walk(text: str) -> Walk:
    configuration, scripts, broken = json.loads(text)
    return Walk(configuration, tuple(tuple(one) for one in scripts), broken)


def _also_in(tree: Path, walk: Walk) -> bool:
    """Whether another tree breaks the same promise on the same walk: then it is not this tree's doing."""
    with NamedTemporaryFile("w", suffix=".json") as file:
        file.write(_text(walk))
        file.flush()
        command = [sys.executable, "-m", "tests.explore.walks", "--replay", file.name]
        environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
        code = subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True)
    return code.returncode != 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.explore.walks")
    parser.add_argument("--find", action="store_true", help="stop at the first violation")
    parser.add_argument("--seconds", type=float, default=60, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed")
    parser.add_argument("--without", default="", metavar="IDS", help="promises not looked at")
    parser.add_argument(
        "--unlike", type=Path, metavar="TREE", help="only what TREE does not break"
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="one walk, as it was printed")
    asked = parser.parse_args()
    walks = Walks([one for one in asked.without.split(",") if one])
    if asked.replay is not None:
        walk = _walk(asked.replay.read_text())
        again = walks.played(walk, walk.scripts)
        print(again.broken if again is not None else "every promise held")
        return int(again is not None)
    until, seed, found = time.monotonic() + asked.seconds, asked.seed - 1, 0
    while time.monotonic() < until:
        seed += 1
        walked = walks.walk(seed)
        if walked is None or (asked.unlike is not None and _also_in(asked.unlike, walked)):
            continue
        found += 1
        walk = walks.shorter(walked)
        if asked.unlike is not None and _also_in(asked.unlike, walk):
            walk = walked
        print(walk.broken)
        print(
            f"seed {seed}, {walk.configuration}: {walk.moves} moves in {len(walk.scripts)} turns:"
        )
        print("\n".join(walks.on_record(walk)))
        print(_text(walk), flush=True)
        if asked.find:
            return 1
    print(f"walks: seeds {asked.seed} to {seed}, {walks.turns:,} turns, {found} violations")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
