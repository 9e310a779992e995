"""What leaves this machine, and when."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises.facts import (
    Died,
    DiskRefused,
    Ended,
    Fact,
    Recorded,
    Sent,
    Setting,
    Started,
)
from tests.promises.promise import Promise
from tests.promises.routes import name, put


class Intents(NamedTuple):
    """Per route: (config, kind, how many intents of it were not sent yet); and whether the disk refuses."""

    open: tuple[tuple[tuple[str, str, int], ...], ...] = ()
    broken: bool = False


def _begun(setting: Setting, memory: Intents) -> Intents:
    return memory if memory.open else Intents(((),) * len(setting.routes), memory.broken)


def _intended(setting: Setting, memory: Intents, fact: Recorded) -> tuple[Intents, str]:
    memory = _begun(setting, memory)
    if not fact.durable and fact.body["kind"] != "restore":
        return memory._replace(broken=True), ""
    number = setting.routes.index(fact.body["route"])
    config, kind = str(fact.body["post"]["text"]), str(fact.body["kind"])
    here = {(one, what): many for one, what, many in memory.open[number]}
    here[(config, kind)] = min(here.get((config, kind), 0) + 1, 2)
    return _with(memory, number, here)._replace(broken=memory.broken or not fact.durable), ""


def _with(memory: Intents, number: int, here: dict[tuple[str, str], int]) -> Intents:
    found = tuple(sorted((config, kind, many) for (config, kind), many in here.items() if many))
    left = put(memory.open, number, found)
    return memory._replace(open=left if any(left) else ())


def _written(setting: Setting, memory: Intents, fact: Sent) -> tuple[Intents, str]:
    memory = _begun(setting, memory)
    number = setting.routes.index(fact.route)
    here = {(one, what): many for one, what, many in memory.open[number]}
    key = next((key for key in here if key[0] == fact.config), None)
    if key is None:
        found_config, found_weight = setting.found[fact.route]
        if memory.broken and (fact.config == found_config or fact.weight == found_weight):
            return memory, ""
        return memory, (
            f"{name(fact.route)} was sent {fact.weight} per mille, and no intent of it stood in the journal"
        )
    here[key] -= 1
    return _with(memory, number, here), ""


def _answered(setting: Setting, memory: Intents, fact: Recorded) -> tuple[Intents, str]:
    if not memory.open:
        return memory, ""
    return _with(memory, setting.routes.index(fact.body["route"]), {}), ""


def _none_open(setting: Setting, memory: Intents, fact: Fact) -> tuple[Intents, str]:
    return Intents(), ""


def _disk(setting: Setting, memory: Intents, fact: Fact) -> tuple[Intents, str]:
    return memory._replace(broken=True), ""


WRITE_AHEAD = Promise(
    id="P2",
    text="Every write is in the journal before it is sent: its route and the whole config to come, one intent for each time that it is sent, by the process that sends it.",
    ends="A restore is sent also while the disk takes nothing; its intent is kept beside the journal where that is possible.",
    start=Intents(),
    hears={
        Sent: _written,
        Started: _none_open,
        Died: _none_open,
        Ended: _none_open,
        DiskRefused: _disk,
    },
    # with its outcome an intent is used up, whether it was sent or given up
    records={"intent": _intended, "outcome": _answered},
)


def _to_step(setting: Setting, reached: int, fact: Sent) -> tuple[int, str]:
    weights, found = setting.weights, {weight for _, weight in setting.found.values()}
    if reached < -1:  # what was found is below the first step, or some way up
        reached = sum(weight <= min(found) for weight in weights) - 1
    if fact.weight not in weights:
        if fact.weight == 0 or fact.weight in found:
            return reached, ""
        return reached, f"{fact.weight} per mille is in neither the plan nor the snapshot"
    step = weights.index(fact.weight)
    if step > reached + 1 and fact.weight not in found:
        return reached, f"{fact.weight} per mille was sent, and step {reached + 2} was skipped"
    return max(reached, step), ""


LADDER = Promise(
    id="P4",
    text="The destination's portion only takes values of the plan or of the snapshot; steps come in their order and none is skipped.",
    ends="Lower values, down to 0, may come at any time.",
    start=-2,
    hears={Sent: _to_step},
)
