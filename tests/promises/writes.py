"""What leaves this machine, and when."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises import routes as by_route
from tests.promises.facts import (
    Died,
    DiskRefused,
    Ended,
    Fact,
    Ordered,
    Owner,
    Read,
    Recorded,
    Sent,
    Setting,
    Started,
)
from tests.promises.promise import At, Promise
from tests.promises.routes import Ours, digest, name, put


class Intents(NamedTuple):
    """Per route: (form, kind, how many intents of it were not sent yet); and whether the disk refuses."""

    open: tuple[tuple[tuple[str, str, int], ...], ...] = ()
    broken: bool = False


def _begun(setting: Setting, memory: Intents) -> Intents:
    return memory if memory.open else Intents(((),) * len(setting.routes), memory.broken)


def _intended(setting: Setting, memory: Intents, fact: Recorded) -> tuple[Intents, str]:
    memory = _begun(setting, memory)
    if not fact.durable and fact.body["kind"] != "restore":
        return memory._replace(broken=True), ""
    number = setting.routes.index(fact.body["route"])
    form, kind = str(fact.body["post"]["text"]), str(fact.body["kind"])
    here = {(one, what): many for one, what, many in memory.open[number]}
    here[(form, kind)] = min(here.get((form, kind), 0) + 1, 2)
    return _with(memory, number, here)._replace(broken=memory.broken or not fact.durable), ""


def _with(memory: Intents, number: int, here: dict[tuple[str, str], int]) -> Intents:
    found = tuple(sorted((form, kind, many) for (form, kind), many in here.items() if many))
    return memory._replace(open=put(memory.open, number, found))


def _written(setting: Setting, memory: Intents, fact: Sent) -> tuple[Intents, str]:
    memory = _begun(setting, memory)
    number = setting.routes.index(fact.route)
    here = {(one, what): many for one, what, many in memory.open[number]}
    key = next((key for key in here if key[0] == fact.form), None)
    if key is None:
        found_form, found_weight = setting.found[fact.route]
        if memory.broken and (fact.form == found_form or fact.weight == found_weight):
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
    text="Every write is in the journal before it is sent: its route and the whole form to come, one intent for each time that it is sent, by the process that sends it.",
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


def _owner(setting: Setting, ours: bool, fact: Owner) -> tuple[bool, str]:
    return fact.ours, ""


def _owned(setting: Setting, ours: bool, fact: Sent) -> tuple[bool, str]:
    if ours:
        return ours, ""
    return ours, f"{name(fact.route)} was written although another process had the lease"


def _again_ours(setting: Setting, ours: bool, fact: Fact) -> tuple[bool, str]:
    return True, ""


ONE_WRITER = Promise(
    id="P6",
    text="Once another process is proved to own the run, nothing is written any more, forward or back.",
    ends="ELBv2 has no conditional write: a process that is frozen between the last question and the first byte can still land that one write, which is then seen as drift.",
    start=True,
    hears={Owner: _owner, Sent: _owned, Started: _again_ours},
)


FRESH_MS = 2_000
"""A forward write leaves this soon after the read that it rests on."""


ACCEPTS = frozenset({"accept_drift", "leave", "confirm_restored"})
"""Words with which a person takes the routes as they are."""


class Expected(NamedTuple):
    """Per route: the forms that are ours, and what this process read last: its digest, and when.

    `accept`: a person said in this phase that the routes may be as they are.
    """

    ours: tuple[Ours, ...] = ()
    read: tuple[tuple[str, int], ...] = ()
    back: bool = False
    accept: bool = False


def _expecting(setting: Setting, memory: Expected) -> Expected:
    if memory.ours:
        return memory
    return memory._replace(ours=by_route.ours(setting), read=(("", 0),) * len(setting.routes))


def _looked(setting: Setting, memory: Expected, fact: Read) -> tuple[Expected, str]:
    if memory.back:
        return memory, ""
    memory = _expecting(setting, memory)
    number = setting.routes.index(fact.route)
    seen = (digest(fact.form) if fact.form else "", At(fact.at_ms))
    return memory._replace(read=put(memory.read, number, seen)), ""


def _meant(setting: Setting, memory: Expected, fact: Recorded) -> tuple[Expected, str]:
    if memory.back:
        return memory, ""
    memory = _expecting(setting, memory)
    number = setting.routes.index(fact.body["route"])
    if fact.type == "intent":
        return memory._replace(ours=by_route.intended(memory.ours, number, fact)), ""
    if fact.type == "outcome":
        return memory._replace(ours=by_route.ended(memory.ours, number, fact)), ""
    form = str(fact.body["form"])
    if form in memory.ours[number].forms:
        return memory, ""
    memory = memory._replace(ours=by_route.accepted(memory.ours, number, form))
    if memory.accept:
        return memory, ""
    route = name(setting.routes[number])
    return memory, f"{route} was committed in a form that somebody else made and nobody accepted"


def _turned(setting: Setting, memory: Expected, fact: Recorded) -> tuple[Expected, str]:
    if fact.body["after"] == "ROLLING_BACK":
        # going back has a promise of its own (P10), so nothing of this is needed any more
        return Expected(back=True), ""
    return memory._replace(accept=False), ""


def _may_be(setting: Setting, memory: Expected, fact: Recorded) -> tuple[Expected, str]:
    if memory.back or fact.body["word"] not in ACCEPTS:
        return memory, ""
    return memory._replace(accept=True), ""


def _overwrites(setting: Setting, memory: Expected, fact: Sent) -> tuple[Expected, str]:
    if memory.back:
        return memory, ""
    memory = _expecting(setting, memory)
    number = setting.routes.index(fact.route)
    seen, at = memory.read[number]
    if not seen:
        return (
            memory,
            f"{name(fact.route)} was written, and the last read of it failed or never was",
        )
    if seen not in memory.ours[number].forms:
        return memory, f"{name(fact.route)} was written over a form that somebody else had made"
    age = fact.at_ms - at
    if age > FRESH_MS + setting.slack_ms:
        return memory, f"{name(fact.route)} was written {age} ms after it was read"
    return memory, ""


def _unread(setting: Setting, memory: Expected, fact: Fact) -> tuple[Expected, str]:
    if memory.back or not memory.ours:
        return memory, ""
    return memory._replace(read=(("", 0),) * len(setting.routes)), ""


NO_OVERWRITE = Promise(
    id="P7",
    text="A forward write leaves at most 2 s after a read of its route, and only when that read showed a form that this run found, wrote, or was told to accept; nobody else's form is committed unless a person accepts it.",
    ends="A change between that read and the write cannot be seen before it is overwritten (ELBv2 has no conditional write). A rollback: see P10.",
    start=Expected(),
    hears={Read: _looked, Sent: _overwrites, Started: _unread},
    records={
        "intent": _meant,
        "outcome": _meant,
        "verified": _meant,
        "phase": _turned,
        "word": _may_be,
    },
    horizon=lambda setting: FRESH_MS + setting.slack_ms + 1,
    # what a person accepts is committed in the turn that hears it
    next_turn=lambda memory: memory._replace(
        read=tuple(("", 0) for _ in memory.read), accept=False
    ),
)


def _rest(setting: Setting, memory: tuple[str, ...], fact: Read) -> tuple[tuple[str, ...], str]:
    memory = memory or ("",) * len(setting.routes)
    if not fact.form:
        return memory, ""
    return put(memory, setting.routes.index(fact.route), fact.rest), ""


def _keeps(setting: Setting, memory: tuple[str, ...], fact: Sent) -> tuple[tuple[str, ...], str]:
    before = memory[setting.routes.index(fact.route)] if memory else ""
    if not before or not fact.rest or fact.form == setting.found[fact.route][0]:
        return memory, ""
    if before != fact.rest:
        return memory, f"{name(fact.route)} was sent a form that differs in more than the pair"
    return memory, ""


ONLY_OURS = Promise(
    id="P8",
    text="A write changes the weights of the plan's pair and nothing else: other groups, stickiness, authentication and the order of actions go back as they were read.",
    ends="A rollback of a route that nobody else touched writes the snapshot itself, whatever was read.",
    start=(),
    hears={Read: _rest, Sent: _keeps},
)


def _refuses(setting: Setting, memory: str, fact: Fact) -> tuple[str, str]:
    return (memory if memory == "back" else "refused"), ""


def _goes_back(setting: Setting, memory: str, fact: Recorded) -> tuple[str, str]:
    return ("back" if fact.body["after"] == "ROLLING_BACK" else memory), ""


def _forward_without_disk(setting: Setting, memory: str, fact: Sent) -> tuple[str, str]:
    if memory == "refused":
        return (
            memory,
            f"{name(fact.route)} was written forward although the disk had refused a record",
        )
    return memory, ""


def _beside(setting: Setting, memory: str, fact: Recorded) -> tuple[str, str]:
    return ("refused" if not fact.durable and not memory else memory), ""


def _new_disk(setting: Setting, memory: str, fact: Fact) -> tuple[str, str]:
    return (memory if memory == "back" else ""), ""


DISK = Promise(
    id="P13",
    text="Once the disk refused a record, that process writes nothing forward any more; it goes back all the same.",
    ends="That it goes back in time is P27.",
    start="",
    hears={
        DiskRefused: _refuses,
        Recorded: _beside,
        Started: _new_disk,
        Sent: _forward_without_disk,
    },
    records={"phase": _goes_back},
)


STOPS = frozenset({"pause", "rollback", "interrupt"})
GOES_ON = frozenset({"resume", "accept_drift", "finish"})


class Stopped(NamedTuple):
    """The newest word that stops and was not taken back by one that goes on; and where the run is."""

    said: str = ""
    completed: bool = False
    back: bool = False


def _ordered(setting: Setting, memory: Stopped, fact: Ordered) -> tuple[Stopped, str]:
    if memory.back or fact.word not in STOPS:
        return memory, ""
    return memory._replace(said=fact.word), ""


def _heard(setting: Setting, memory: Stopped, fact: Recorded) -> tuple[Stopped, str]:
    word = fact.body["word"]
    # a completed run does not go forward by itself: what a person says of it there is said anew
    if word in GOES_ON or (word == "pause" and memory.completed):
        return memory._replace(said=""), ""
    return memory, ""


def _stands(setting: Setting, memory: Stopped, fact: Recorded) -> tuple[Stopped, str]:
    after = fact.body["after"]
    if memory.back or after == "ROLLING_BACK":
        return Stopped(back=True), ""
    return memory._replace(completed=after == "COMPLETED"), ""


def _ended_it(setting: Setting, memory: Stopped, fact: Fact) -> tuple[Stopped, str]:
    return memory._replace(said=""), ""


def _after_stop(setting: Setting, memory: Stopped, fact: Sent) -> tuple[Stopped, str]:
    if not memory.said:
        return memory, ""
    return memory, f"{name(fact.route)} was written forward after {memory.said} had been said"


STOP_WORDS = Promise(
    id="P26",
    text="Nothing goes forward after a pause, a rollback or a signal has reached the machine, though the process had not heard it yet; not before a person says go on.",
    ends="A write whose first byte has left cannot be called back. A run that is COMPLETED answers pause with a note: `finish`, said before it, goes on.",
    start=Stopped(),
    hears={
        Ordered: _ordered,
        Sent: _after_stop,
        Started: _ended_it,
        Died: _ended_it,
        Ended: _ended_it,
    },
    records={"word": _heard, "phase": _stands},
)


GivenUp = tuple[bool, ...]
"""Per route: its newest write was given up."""


def _gave_up(setting: Setting, memory: GivenUp, fact: Recorded) -> tuple[GivenUp, str]:
    memory = memory or (False,) * len(setting.routes)
    number = setting.routes.index(fact.body["route"])
    given_up = fact.type == "outcome" and (
        fact.body["result"] == "cancelled" or fact.body.get("code") == "not_sent"
    )
    if fact.type == "outcome" and not given_up:
        return memory, ""
    return put(memory, number, given_up), ""


def _sent_anyway(setting: Setting, memory: GivenUp, fact: Sent) -> tuple[GivenUp, str]:
    if memory and memory[setting.routes.index(fact.route)]:
        return memory, f"{name(fact.route)} was written after its write had been given up"
    return memory, ""


GIVEN_UP = Promise(
    id="N1",
    text="What was given up is never sent: after an outcome that says cancelled or not sent, nothing leaves for the route before a new intent.",
    ends="A write that had left when its turn stopped waiting is not given up but ambiguous, and is treated so.",
    start=(),
    hears={Sent: _sent_anyway},
    records={"outcome": _gave_up, "intent": _gave_up},
)

WRITES: tuple[Promise, ...] = (
    WRITE_AHEAD, LADDER, ONE_WRITER, NO_OVERWRITE, ONLY_OURS, DISK, STOP_WORDS, GIVEN_UP,
)  # fmt: skip
