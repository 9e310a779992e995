"""How a run ends, and with what exit code."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises import routes as by_route
from tests.promises.facts import (
    Changed,
    Died,
    Ended,
    Fact,
    Read,
    Recorded,
    Setting,
    Started,
    Took,
)
from tests.promises.promise import At, Promise
from tests.promises.routes import Real, digest, name, put

Routes = tuple[Real, ...]


def _changed(setting: Setting, memory: Routes, fact: Took | Changed) -> tuple[Routes, str]:
    memory = memory or by_route.real(setting)
    return by_route.changed(memory, setting.routes.index(fact.route), fact), ""


def _read(setting: Setting, memory: Routes, fact: Read) -> tuple[Routes, str]:
    memory = memory or by_route.real(setting)
    return by_route.read(memory, setting.routes.index(fact.route), fact), ""


def _completed(setting: Setting, memory: Routes, fact: Recorded) -> tuple[Routes, str]:
    if fact.body["after"] not in ("COMPLETED", "FINISHED"):
        return memory, ""
    for route, one in zip(setting.routes, memory or by_route.real(setting), strict=True):
        if one.weight != setting.weights[-1] and not one.stale:
            return memory, f"{fact.body['after']}, and {name(route)} is at {one.weight} per mille"
    return memory, ""


CONVERGED = Promise(
    id="P1",
    text="However often its processes were killed, a run that says COMPLETED or FINISHED has every route at the last step's weight.",
    ends="A change that no read showed yet is not seen. For ROLLED_BACK: N2.",
    start=(),
    hears={Took: _changed, Changed: _changed, Read: _read},
    records={"phase": _completed},
)


ENDS: dict[str, frozenset[int]] = {
    "COMPLETED": frozenset({0, 2, 7, 129, 130, 143}),
    "FINISHED": frozenset({0, 2}),
    "ABANDONED": frozenset({0, 2}),
    "ROLLED_BACK": frozenset({3, 2}),
    "NEEDS_HUMAN": frozenset({4, 7, 129, 130, 143}),
    "REFUSED": frozenset({7, 8, 2, 129, 130, 143}),
    "HOLDING": frozenset({5, 7, 129, 130, 143}),
    "ROLLING_BACK": frozenset({4}),
}
"""The exit codes that a process may end with in a phase; 2 when it came to a run that had ended, 7 when what it was
told to do could not be done."""


class Closing(NamedTuple):
    """The newest phase, what the journal closed with (-1 for not yet), and per route since when every read agreed.

    `just`: the same with reads of which nothing is recorded yet.
    """

    phase: str = "PREFLIGHT"
    closed: int = -1
    same: tuple[tuple[str, int], ...] = ()
    just: tuple[tuple[str, int], ...] = ()


def _agrees(setting: Setting, memory: Closing, fact: Read) -> tuple[Closing, str]:
    if not fact.config:
        return memory, ""
    just = memory.just or (("", 0),) * len(setting.routes)
    number, config = setting.routes.index(fact.route), digest(fact.config)
    if just[number][0] == config:
        return memory, ""
    return memory._replace(just=put(just, number, (config, At(fact.at_ms)))), ""


def _recorded(setting: Setting, memory: Closing, fact: Recorded) -> tuple[Closing, str]:
    return (memory if memory.same == memory.just else memory._replace(same=memory.just)), ""


def _died(setting: Setting, memory: Closing, fact: Fact) -> tuple[Closing, str]:
    """What only a dead process had read, and had not recorded, nobody knows."""
    return memory._replace(closed=-1, just=memory.same), ""


def _entered(setting: Setting, memory: Closing, fact: Recorded) -> tuple[Closing, str]:
    after, before = fact.body["after"], memory.phase
    memory = memory._replace(phase=after)
    by_hand = after == "ROLLED_BACK" and before == "NEEDS_HUMAN"
    if after not in ("ROLLED_BACK", "COMPLETED") or by_hand:
        return memory, ""
    for number, route in enumerate(setting.routes):
        config, since = memory.same[number] if memory.same else ("", 0)
        if not config:
            return memory, f"{after}, and {name(route)} was never read"
        age = fact.at_ms - since
        if age + setting.slack_ms < setting.confirm_ms:
            return memory, f"{after}, and the reads of {name(route)} agree for {age} ms only"
    return memory, ""


def _closes(setting: Setting, memory: Closing, fact: Recorded) -> tuple[Closing, str]:
    code, phase = int(fact.body["exit_code"]), fact.body["phase"]
    memory = memory._replace(closed=code)
    if phase != memory.phase:
        return memory, f"the journal closes in {phase}, and the run is {memory.phase}"
    return memory, ""


def _exits(setting: Setting, memory: Closing, fact: Ended) -> tuple[Closing, str]:
    code, closed = fact.exit_code, memory.closed
    memory = memory._replace(closed=-1)
    if closed not in (-1, code):
        return memory, f"the journal closes with {closed}, and the process ended with {code}"
    if closed >= 0 and code not in ENDS.get(memory.phase, frozenset()):
        return memory, f"{code} is no exit code for {memory.phase}"
    return memory, ""


HONEST_END = Promise(
    id="P28",
    text="ROLLED_BACK and COMPLETED are said only when the reads of every route have agreed for `observe.confirm`; the exit code is the one that the journal closes with, and fits its phase.",
    ends="`rollback --confirm-restored` is a person's command: one read must agree with it. A process whose run another one owns closes nothing.",
    start=Closing(),
    hears={Read: _agrees, Recorded: _recorded, Ended: _exits, Died: _died, Started: _died},
    records={"phase": _entered, "close": _closes},
    horizon=lambda setting: setting.confirm_ms,
)
