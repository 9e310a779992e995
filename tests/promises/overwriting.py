"""What a write may replace, and what it leaves as it is."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises import routes as by_route
from tests.promises.facts import (
    Fact,
    Read,
    Recorded,
    Sent,
    Setting,
    Started,
)
from tests.promises.promise import At, Promise
from tests.promises.routes import Ours, digest, name, put

FRESH_MS = 2_000
"""A forward write leaves this soon after the read that it rests on."""


ACCEPTS = frozenset({"accept_drift", "leave", "confirm_restored"})
"""Commands with which a person takes the routes as they are."""


def in_the_turn(setting: Setting, accept: int, fact: Recorded) -> bool:
    """Whether this was recorded in the turn that heard a person accept the routes as they are."""
    return accept >= 0 and fact.at_ms - accept <= 1_000 + setting.slack_ms


class Expected(NamedTuple):
    """Per route: the configs that are ours, and what this process read last: its digest, and when.

    `accept`: when a person said that the routes may be as they are; -1 for never.
    """

    ours: tuple[Ours, ...] = ()
    read: tuple[tuple[str, int], ...] = ()
    back: bool = False
    accept: int = -1


def _expecting(setting: Setting, memory: Expected) -> Expected:
    if memory.ours:
        return memory
    return memory._replace(ours=by_route.ours(setting), read=(("", 0),) * len(setting.routes))


def _looked(setting: Setting, memory: Expected, fact: Read) -> tuple[Expected, str]:
    if memory.back:
        return memory, ""
    memory = _expecting(setting, memory)
    number = setting.routes.index(fact.route)
    seen = (digest(fact.config) if fact.config else "", At(fact.at_ms))
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
    config = str(fact.body["config"])
    if config in memory.ours[number].configs:
        return memory, ""
    memory = memory._replace(ours=by_route.accepted(memory.ours, number, config))
    if in_the_turn(setting, memory.accept, fact):
        return memory, ""
    route = name(setting.routes[number])
    return memory, f"{route} was committed in a config that somebody else made and nobody accepted"


def _turned(setting: Setting, memory: Expected, fact: Recorded) -> tuple[Expected, str]:
    if fact.body["after"] == "ROLLING_BACK":
        # going back has a promise of its own (P10), so nothing of this is needed any more
        return Expected(back=True), ""
    return memory, ""


def _may_be(setting: Setting, memory: Expected, fact: Recorded) -> tuple[Expected, str]:
    if memory.back or fact.body["command"] not in ACCEPTS:
        return memory, ""
    return memory._replace(accept=At(fact.at_ms)), ""


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
    if seen not in memory.ours[number].configs:
        return memory, f"{name(fact.route)} was written over a config that somebody else had made"
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
    text="A forward write leaves at most 2 s after a read of its route, and only when that read showed a config that this run found, wrote, or was told to accept; nobody else's config is committed unless a person accepts it.",
    ends="A change between that read and the write cannot be seen before it is overwritten (ELBv2 has no conditional write). A rollback: see P10.",
    start=Expected(),
    hears={Read: _looked, Sent: _overwrites, Started: _unread},
    records={
        "intent": _meant,
        "outcome": _meant,
        "verified": _meant,
        "phase": _turned,
        "command": _may_be,
    },
    horizon=lambda setting: FRESH_MS + setting.slack_ms + 1,
    # every route is read where it is written, and what a person accepts is committed in the turn that hears it
    next_turn=lambda memory: memory._replace(read=tuple(("", 0) for _ in memory.read), accept=-1),
)


def _rest(setting: Setting, memory: tuple[str, ...], fact: Read) -> tuple[tuple[str, ...], str]:
    memory = memory or ("",) * len(setting.routes)
    if not fact.config:
        return memory, ""
    return put(memory, setting.routes.index(fact.route), fact.rest), ""


def _keeps(setting: Setting, memory: tuple[str, ...], fact: Sent) -> tuple[tuple[str, ...], str]:
    before = memory[setting.routes.index(fact.route)] if memory else ""
    if not before or not fact.rest or fact.config == setting.found[fact.route][0]:
        return memory, ""
    if before != fact.rest:
        return (
            memory,
            f"{name(fact.route)} was sent a config that differs in more than the comparison",
        )
    return memory, ""


ONLY_OURS = Promise(
    id="P8",
    text="A write changes the weights of the plan's comparison and nothing else: other groups, stickiness, authentication and the order of actions go back as they were read.",
    ends="A rollback of a route that nobody else touched writes the snapshot itself, whatever was read.",
    start=(),
    hears={Read: _rest, Sent: _keeps},
)
