"""A violation as people look at it: the journal of the run that shows it, and what the adversary did at each turn."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cutover.core.journal.events import Record
from cutover.core.moment import Moment
from cutover.core.state import RunState
from cutover.local.journal_file import FIRST_PREV, encode
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from tests.explore.configurations import configurations
from tests.explore.search import Violation
from tests.explore.turns import Transitions
from tests.promises.catalogue import PROMISES
from tests.promises.promise import Promise

RUN = "counterexample"
MOVES = "moves.json"


@dataclass(frozen=True)
class Turned:
    """One turn of the run that shows it."""

    at: Moment
    moves: tuple[str, ...]
    state: RunState
    alive: bool
    live: tuple[int | None, ...]
    kept: tuple[Record, ...]
    broken: tuple[str, ...]

    def on_record(self, number: int) -> str:
        """In a line: when, what the adversary did, and where the run is then."""
        weights = ", ".join("gone" if one is None else f"{one / 10:g} %" for one in self.live)
        held = f" ({self.state.held.reason.value})" if self.state.held is not None else ""
        process = "" if self.alive else ", no process"
        moves = "; ".join(self.moves) or "-"
        lines = [f"{number:3}  {self.at.wall:%H:%M:%S}  {moves}"]
        lines.append(f"{'':15}{self.state.phase.value}{held}, live {weights}{process}")
        lines += [f"{'':15}BROKEN {one}" for one in self.broken]
        return "\n".join(lines)


def turns(violation: Violation, promises: tuple[Promise, ...] = PROMISES) -> Iterator[Turned]:
    """The run again, turn by turn, through the shipped runner."""
    configuration = configurations()[violation.configuration]
    played = Transitions(configuration, promises)
    node, opened = played.opened()
    yield Turned(node.world.at, (), node.state, True, _live(node), tuple(opened.kept), ())
    for script in violation.scripts:
        edge, play = played.again(node, script)
        node = edge.to
        state = node.running or node.state
        yield Turned(
            play.at,
            edge.moves,
            state,
            node.running is not None,
            _live(node),
            tuple(play.kept),
            edge.broken,
        )


def _live(node: object) -> tuple[int | None, ...]:
    return tuple(
        None if place.live is None else int(place.live.weight or 0)
        for place in node.world.places  # type: ignore[attr-defined]
    )


def keep(violation: Violation, place: Path, promises: tuple[Promise, ...] = PROMISES) -> Path:
    """Write it to a new directory under `place`: the moves, and a state directory with the run's journal."""
    number = 1
    while (here := place / f"{violation.configuration}-{number}").exists():
        number += 1
    here.mkdir(parents=True)
    (here / MOVES).write_text(violation.text())
    directory = StateDirectory(here / "state")
    configuration = configurations()[violation.configuration]
    before = os.umask(0o077)  # a state directory that others can write to is refused
    try:
        directory.prepare()
        run: RunDirectory = directory.create(RUN, json.dumps(configuration.plan.data(), indent=2))
    finally:
        os.umask(before)
    head, lines = FIRST_PREV, []
    for turn in turns(violation, promises):
        for record in turn.kept:
            line, head = encode(record, RUN, head)
            lines.append(line)
    run.journal.write_bytes(b"".join(lines))
    return here


def retell(violation: Violation, here: Path, promises: tuple[Promise, ...] = PROMISES) -> str:
    """The turns, and the commands that show more."""
    said = [
        f"violation in {violation.configuration}, {violation.faults} faults, {len(violation.scripts)} turns:"
    ]
    said += [f"  {one}" for one in violation.broken]
    said += [turn.on_record(number) for number, turn in enumerate(turns(violation, promises))]
    said.append(f"again: python -m tests.explore --replay {here / MOVES}")
    said.append(f"its journal: CUTOVER_STATE_DIR={here / 'state'} cutover journal replay {RUN}")
    return "\n".join(said)
