"""A step as a whole: every route of it, the people that it asks, and the holds on its way."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises.facts import (
    Changed,
    Fact,
    Read,
    Recorded,
    Replied,
    Sent,
    Setting,
    Started,
    Took,
)
from tests.promises.overwriting import ACCEPTS, in_the_turn
from tests.promises.permits import GOES_ON
from tests.promises.promise import At, Promise
from tests.promises.routes import digest, name, put

APART_MS = 2_000
"""Two reads this far apart commit a config."""


class Step(NamedTuple):
    """Per route, of a step that is being written.

    Attributes:
        committed: the portion that was committed.
        had: every portion that it ever had.
        same: what every read of this process has shown since when, by digest.
        accept: when a person said that the routes may be as they are: it is for the turn that hears it; -1 for never.
    """

    committed: tuple[int, ...] = ()
    had: tuple[frozenset[int], ...] = ()
    same: tuple[tuple[str, int], ...] = ()
    accept: int = -1


def _begun(setting: Setting, memory: Step) -> Step:
    if memory.had:
        return memory
    found = tuple(setting.found[route][1] for route in setting.routes)
    had = tuple(frozenset({weight}) for weight in found)
    return memory._replace(committed=found, had=had, same=(("", 0),) * len(found))


def _has(setting: Setting, memory: Step, fact: Took | Changed) -> tuple[Step, str]:
    memory = _begun(setting, memory)
    number = setting.routes.index(fact.route)
    if fact.weight not in setting.weights:
        return memory, ""  # no step asks for it
    had = put(memory.had, number, memory.had[number] | {fact.weight})
    return memory._replace(had=had), ""


def _seen(setting: Setting, memory: Step, fact: Read) -> tuple[Step, str]:
    memory = _begun(setting, memory)
    number, config = setting.routes.index(fact.route), digest(fact.config)
    if not fact.config or memory.same[number][0] == config:
        return memory, ""
    return memory._replace(same=put(memory.same, number, (config, At(fact.at_ms)))), ""


def _new_eyes(setting: Setting, memory: Step, fact: Fact) -> tuple[Step, str]:
    return memory._replace(same=(("", 0),) * len(memory.same)), ""


def _committed(setting: Setting, memory: Step, fact: Recorded) -> tuple[Step, str]:
    memory = _begun(setting, memory)
    number = setting.routes.index(fact.body["route"])
    config, since = memory.same[number]
    committed = put(memory.committed, number, int(fact.body["weight"]))
    memory = memory._replace(committed=committed)
    age = fact.at_ms - since if config == fact.body["config"] else -1
    if age >= APART_MS or in_the_turn(setting, memory.accept, fact):
        return memory, ""
    route = name(setting.routes[number])
    found = "is not what was read last" if age < 0 else f"was read for {age} ms only"
    return memory, f"record {fact.seq}: the form of {route} that is called verified {found}"


def _said(setting: Setting, memory: Step, fact: Recorded) -> tuple[Step, str]:
    if fact.body["command"] not in ACCEPTS:
        return memory, ""
    return memory._replace(accept=At(fact.at_ms)), ""


def _all(setting: Setting, memory: Step, fact: Recorded) -> tuple[Step, str]:
    after, step = fact.body["after"], int(fact.body["step"])
    memory = _begun(setting, memory)
    if after not in ("SETTLING", "BAKING") or step < 0:
        return memory, ""
    weight = setting.weights[step]
    behind = [
        name(route)
        for number, route in enumerate(setting.routes)
        if memory.committed[number] != weight or weight not in memory.had[number]
    ]
    return memory, f"{after} at {weight} per mille without {', '.join(behind)}" if behind else ""


ALL_OR_HELD = Promise(
    id="P5",
    text="A step's bake begins only when every route of the plan is at the step's weight, and a config is called verified only after two equal reads at least 2 s apart.",
    ends="A route that is changed after that is drift. What a person takes as it is (`--accept-drift`, `--leave-as-is`, `--confirm-restored`) is read once.",
    start=Step(),
    hears={Took: _has, Changed: _has, Read: _seen, Started: _new_eyes},
    records={"verified": _committed, "phase": _all, "command": _said},
    horizon=lambda _setting: APART_MS,
    next_turn=lambda memory: memory._replace(accept=-1),
)


Unanswered = tuple[str, ...] | None
"""Per route, the form of a forward write that nobody answered; empty for none. None once the rollback began."""


def _sent(setting: Setting, memory: Unanswered, fact: Sent) -> tuple[Unanswered, str]:
    if memory is None:
        return memory, ""
    memory = memory or ("",) * len(setting.routes)
    number, config = setting.routes.index(fact.route), digest(fact.config)
    again = memory[number] == config
    why = f"{name(fact.route)} was sent again, and nobody had answered the first time"
    return put(memory, number, config), why if again else ""


def _answered(setting: Setting, memory: Unanswered, fact: Replied) -> tuple[Unanswered, str]:
    if not memory or fact.answer == "lost":
        return memory, ""
    unanswered = put(memory, setting.routes.index(fact.route), "")
    return (unanswered if any(unanswered) else ()), ""


def _goes_on(setting: Setting, memory: Unanswered, fact: Recorded) -> tuple[Unanswered, str]:
    if memory is None or fact.body["command"] not in GOES_ON:
        return memory, ""
    return (), ""


def _turned(setting: Setting, memory: Unanswered, fact: Recorded) -> tuple[Unanswered, str]:
    return (None if fact.body["after"] == "ROLLING_BACK" else memory), ""


NOT_AGAIN = Promise(
    id="N7",
    text="A forward write that nobody answered is read for, and never sent again unless a person says go on.",
    ends="What AWS refused is sent again. A restore is sent until one is answered.",
    start=(),
    hears={Sent: _sent, Replied: _answered},
    records={"command": _goes_on, "phase": _turned},
)


Approvals = tuple[int, frozenset[int]]
"""The step that people are asked to approve (-1 for none), and those that they approved."""


def _asks(setting: Setting, memory: Approvals, fact: Recorded) -> tuple[Approvals, str]:
    _, approved = memory
    after, step = fact.body["after"], int(fact.body["step"])
    if after == "HOLDING" and fact.body.get("hold") == "approval":
        return (step + 1, approved), ""
    raises = after == "SHIFTING" and fact.body["before"] in ("BAKING", "ATTACHING")
    if raises and step in setting.asks and step not in approved:
        return memory, f"step {step + 1} was raised, and nobody had approved it"
    return memory, ""


def _approves(setting: Setting, memory: Approvals, fact: Recorded) -> tuple[Approvals, str]:
    asked, approved = memory
    if fact.body["command"] != "approve" or asked < 0:
        return memory, ""
    return (-1, approved | {asked}), ""


APPROVED = Promise(
    id="N8",
    text="A step that asks is raised only after the run held for it and a person then approved that very step.",
    ends="Who may approve is not checked.",
    start=(-1, frozenset()),
    records={"phase": _asks, "command": _approves},
)


def _holds(setting: Setting, memory: None, fact: Recorded) -> tuple[None, str]:
    if fact.body["after"] == "HOLDING" and not fact.body.get("deadline"):
        return None, f"record {fact.seq}: a hold without a deadline"
    return None, ""


DEADLINE = Promise(
    id="N9",
    text="Every hold has a deadline at which something happens: it goes back, or people are told again.",
    ends="Without a living process nobody keeps it; `status` says so.",
    start=None,
    records={"phase": _holds},
)
