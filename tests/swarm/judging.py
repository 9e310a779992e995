"""What must hold of every run of the swarm, asked of its facts, its journal and the routes as they are in the end."""

from __future__ import annotations

from collections.abc import Iterator

from cutover.core.errors import UsageError
from cutover.core.journal.contents import JournalContents
from cutover.core.journal.events import Close
from cutover.core.state import TERMINAL, Phase, replay
from cutover.local.journal_file import read_journal
from tests.promises.catalogue import PROMISES
from tests.promises.facts import Changed, Recorded, Sent, Took
from tests.promises.promise import broken
from tests.swarm.machine import Machine

RESTING = (*TERMINAL, Phase.COMPLETED, Phase.NEEDS_HUMAN)
"""Where a run may be when nothing has gone wrong for hours and people have said what they could."""


def judged(machine: Machine) -> list[str]:
    """One sentence for everything that the run broke."""
    contents = _contents(machine)
    found = broken(PROMISES, machine.eyes.setting, machine.eyes.facts)
    found += _journal(machine, contents)
    found += _restored(machine)
    found += _end(machine, contents)
    return list(dict.fromkeys(found))


def _contents(machine: Machine) -> JournalContents:
    try:
        return machine.run.contents()
    except UsageError:
        return read_journal(b"")


def _journal(machine: Machine, contents: JournalContents) -> Iterator[str]:
    """It is whole, and folds to what the process that ended last believed."""
    if contents.damage is not None:
        yield f"journal: damaged in line {contents.damage.line}: {contents.damage.why}"
        return
    if machine.ended is None or not contents.records:
        return
    _, state = machine.ended
    folded = replay(machine.plan, contents.records)
    # a later process may have been killed, and the records of one that met no disk may be nowhere
    if (
        isinstance(contents.records[-1].event, Close)
        and folded.seq == state.seq
        and folded != state
    ):
        yield f"fold: the journal folds to {folded.phase}, and the process was in {state.phase}"


def _restored(machine: Machine) -> Iterator[str]:
    """Where ROLLED_BACK is said, the routes are as they were found, unless somebody else changed them.

    What AWS carries out later than that nobody can have seen.
    """
    found = machine.eyes.setting.found
    live, others = dict(found), set[str]()
    for fact in machine.eyes.facts:
        if isinstance(fact, Took | Changed):
            live[fact.route] = fact.config, fact.weight
            others.discard(fact.route)
            if isinstance(fact, Changed):
                others.add(fact.route)
        elif isinstance(fact, Recorded) and fact.body.get("after") == "ROLLED_BACK":
            for route, now in live.items():
                if route not in others and now[1] > max(0, found[route][1]):
                    yield f"restored: ROLLED_BACK is said, and {route} sends {now[1]} per mille to the destination"


def _end(machine: Machine, contents: JournalContents) -> Iterator[str]:
    """No dead end: the run has ended, or waits for a person who was told."""
    phase = machine.eyes.state.phase
    facts = machine.eyes.facts
    if not contents.records:
        if any(isinstance(fact, Sent) for fact in facts):
            yield "end: something was sent, and there is no journal"
        return
    if phase not in RESTING:
        yield f"end: nothing went wrong for hours, `{machine.script.last_word}` and `rollback` were said, and the run is {phase}"
