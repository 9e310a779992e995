"""What a run says of itself, and whether it is so."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises import routes as by_route
from tests.promises.facts import (
    UNTOLD,
    Changed,
    Read,
    Recorded,
    Replied,
    Sent,
    Setting,
    Told,
    Took,
)
from tests.promises.promise import Promise
from tests.promises.routes import Real, digest, name, put


class Doubt(NamedTuple):
    """A route and the writes of ours that may still reach it.

    `newest`: the form of the newest write, while nobody answered it. `novel`: nothing else can have put that config
    there. `older`: a write before it was never accounted for. `aimed`: the portion that the newest write was to give
    the destination. `left`: the one that the newest write gave it of which that is known, by its answer or by a read.
    """

    real: Real
    known: frozenset[str]
    aimed: int
    left: int
    newest: str = ""
    novel: bool = False
    older: bool = False


class Restored(NamedTuple):
    routes: tuple[Doubt, ...] = ()
    back: bool = False
    accepted: bool = False
    stickiness_strategy: tuple[bool, ...] = ()


def _doubts(setting: Setting, memory: Restored) -> Restored:
    if memory.routes:
        return memory
    begun = tuple(
        Doubt(one, frozenset({digest(one.config)}), one.weight, one.weight)
        for one in by_route.real(setting)
    )
    return memory._replace(routes=begun)


def _at(memory: Restored, number: int, one: Doubt) -> Restored:
    return memory._replace(routes=put(memory.routes, number, one))


def _sends(setting: Setting, memory: Restored, fact: Sent) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number, config = setting.routes.index(fact.route), digest(fact.config)
    one = memory.routes[number]
    return _at(
        memory,
        number,
        one._replace(
            aimed=fact.weight,
            newest=config,
            novel=config not in one.known,
            older=one.older or bool(one.newest),
            known=one.known | {config},
        ),
    ), ""


def _replied(setting: Setting, memory: Restored, fact: Replied) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number = setting.routes.index(fact.route)
    one = memory.routes[number]
    if fact.answer in ("applied", "mismatch"):
        settled = one._replace(left=one.aimed, newest="", novel=False, older=False)
        return _at(memory, number, settled), ""
    if fact.answer == "refused":
        known = one.known - {one.newest} if one.novel else one.known
        return _at(memory, number, one._replace(newest="", novel=False, known=known)), ""
    return memory, ""


def _lands(setting: Setting, memory: Restored, fact: Took | Changed) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number = setting.routes.index(fact.route)
    one = memory.routes[number]
    (real,) = by_route.changed((one.real,), 0, fact)
    novel = one.novel and not (isinstance(fact, Changed) and digest(fact.config) == one.newest)
    return _at(memory, number, one._replace(real=real, novel=novel)), ""


def _shows(setting: Setting, memory: Restored, fact: Read) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number = setting.routes.index(fact.route)
    one = memory.routes[number]
    (real,) = by_route.read((one.real,), 0, fact)
    one = one._replace(real=real)
    if fact.config and one.novel and digest(fact.config) == one.newest:
        one = one._replace(left=one.aimed, newest="", novel=False)
    return _at(memory, number, one), ""


def _took_as_is(setting: Setting, memory: Restored, fact: Recorded) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number = setting.routes.index(fact.body["route"])
    foreign = str(fact.body["config"]) not in memory.routes[number].known
    return memory._replace(accepted=memory.accepted or foreign), ""


def _stickiness_strategy(
    setting: Setting, memory: Restored, fact: Recorded
) -> tuple[Restored, str]:
    stickiness_strategies = fact.body["stickiness_strategies"]
    found = tuple(stickiness_strategies.get(route, "keep") != "keep" for route in setting.routes)
    return memory._replace(stickiness_strategy=found), ""


def _differs(memory: Restored, number: int, config: str, weight: int, *, by_hand: bool) -> str:
    """What a route is instead of restored; empty when it is."""
    real = memory.routes[number].real
    if real.weight != weight and not (by_hand and real.weight == 0):
        return f"and is at {real.weight} per mille"
    touched = real.foreign or memory.accepted or any(memory.stickiness_strategy) or by_hand
    if not touched and real.config != config:
        return "and is not in the form that was found"
    return ""


def _says_restored(setting: Setting, memory: Restored, fact: Recorded) -> tuple[Restored, str]:
    after, before = fact.body["after"], fact.body["before"]
    if after != "ROLLED_BACK":
        return memory, ""
    memory = _doubts(setting, memory)
    by_hand = before == "NEEDS_HUMAN"
    for number, route in enumerate(setting.routes):
        one = memory.routes[number]
        config, weight = setting.found[route]
        if not by_hand and (one.newest or one.older):
            return (
                memory,
                f"{name(route)} is called restored, and a write of ours to it was never answered",
            )
        why = "" if one.real.stale else _differs(memory, number, config, weight, by_hand=by_hand)
        if not why and not by_hand and weight not in (one.left, one.aimed):
            why = f"on reads alone: our newest write left it at {one.left} per mille"
        if why:
            return memory, f"{name(route)} is called restored, {why}"
    return memory, ""


RESTORED = Promise(
    id="N2",
    text="Nothing is called restored that was only read: ROLLED_BACK is said when every write of ours that may have reached a route was refused, was shown by a read that nothing else explains, or was followed by a write that was answered; when a route whose portion the run changed was written back since; and the routes then are as they were found.",
    ends="A write that was sent before one that was answered is taken to be settled by it. Once AWS has refused to write a route back, reads of it are believed: whoever was told the commands may have run them. A change that no read showed yet is not seen.",
    start=Restored(),
    hears={Sent: _sends, Replied: _replied, Took: _lands, Changed: _lands, Read: _shows},
    records={"phase": _says_restored, "verified": _took_as_is, "snapshot": _stickiness_strategy},
)


class Effects(NamedTuple):
    """Per route: the configs that AWS ever had there, and whether it carried the newest write out."""

    had: tuple[frozenset[str], ...] = ()
    took: tuple[bool, ...] = ()


def _effects(setting: Setting, memory: Effects) -> Effects:
    if memory.had:
        return memory
    had = tuple(frozenset({digest(setting.found[route][0])}) for route in setting.routes)
    return Effects(had, (False,) * len(had))


def _leaves(setting: Setting, memory: Effects, fact: Sent) -> tuple[Effects, str]:
    memory = _effects(setting, memory)
    return memory._replace(took=put(memory.took, setting.routes.index(fact.route), False)), ""


def _happened(setting: Setting, memory: Effects, fact: Took | Changed) -> tuple[Effects, str]:
    memory = _effects(setting, memory)
    number = setting.routes.index(fact.route)
    had = put(memory.had, number, memory.had[number] | {digest(fact.config)})
    took = put(memory.took, number, True) if isinstance(fact, Took) else memory.took
    return Effects(had, took), ""


def _named(setting: Setting, memory: Effects, fact: Recorded) -> tuple[Effects, str]:
    memory = _effects(setting, memory)
    number = setting.routes.index(fact.body["route"])
    route = name(setting.routes[number])
    if fact.type == "outcome":
        if fact.body["result"] == "applied" and not memory.took[number]:
            return (
                memory,
                f"record {fact.seq}: a write of {route} is called applied, and AWS did not take it",
            )
        return memory, ""
    if str(fact.body["config"]) not in memory.had[number]:
        return (
            memory,
            f"record {fact.seq}: a form of {route} is called verified that AWS never had",
        )
    return memory, ""


EFFECT = Promise(
    id="N4",
    text="An effect is named only when it happened: no write is called applied that AWS did not carry out, and no config verified that the route never had.",
    ends="",
    start=Effects(),
    hears={Sent: _leaves, Took: _happened, Changed: _happened},
    records={"outcome": _named, "verified": _named},
)


class Known(NamedTuple):
    """The newest phase and hold, and per route the portions that it had since a read last showed the truth."""

    phase: str = "PREFLIGHT"
    hold: str = ""
    may: tuple[frozenset[int], ...] = ()
    real: tuple[tuple[str, int], ...] = ()


def _known(setting: Setting, memory: Known) -> Known:
    if memory.may:
        return memory
    found = tuple(setting.found[route] for route in setting.routes)
    return memory._replace(may=tuple(frozenset({one[1]}) for one in found), real=found)


def _moves(setting: Setting, memory: Known, fact: Took | Changed) -> tuple[Known, str]:
    memory = _known(setting, memory)
    number = setting.routes.index(fact.route)
    return memory._replace(
        may=put(memory.may, number, memory.may[number] | {fact.weight}),
        real=put(memory.real, number, (fact.config, fact.weight)),
    ), ""


def _shown(setting: Setting, memory: Known, fact: Read) -> tuple[Known, str]:
    memory = _known(setting, memory)
    number = setting.routes.index(fact.route)
    config, weight = memory.real[number]
    if fact.config == config:
        return memory._replace(may=put(memory.may, number, frozenset({weight}))), ""
    if (
        fact.config and fact.weight != UNTOLD
    ):  # an older answer: all that anybody can say is what AWS said
        return memory._replace(may=put(memory.may, number, memory.may[number] | {fact.weight})), ""
    return memory, ""


def _says_phase(setting: Setting, memory: Known, fact: Recorded) -> tuple[Known, str]:
    return memory._replace(phase=fact.body["after"], hold=fact.body.get("hold", "")), ""


def _told(setting: Setting, memory: Known, fact: Told) -> tuple[Known, str]:
    memory = _known(setting, memory)
    if fact.phase and fact.phase != memory.phase:
        return memory, f"people were told {fact.phase}, and the run is {memory.phase}"
    if fact.hold and fact.hold != memory.hold:
        return (
            memory,
            f"people were told of the hold {fact.hold}, and it is {memory.hold or 'none'}",
        )
    for route, weight in fact.claims.items():
        may = memory.may[setting.routes.index(route)]
        if weight not in (-1, UNTOLD) and weight not in may:
            had = ", ".join(str(one) for one in sorted(may))
            return (
                memory,
                f"people were told that {name(route)} is at {weight} per mille, and it is at {had}",
            )
    return memory, ""


TOLD = Promise(
    id="N6",
    text="What `status`, the screen and notifications say is what is: the phase and the hold of the journal, and of each route the portion that it has, or that it is not known.",
    ends="What changed after the newest read is not known until the next one; a read that AWS answers with something older is told as it came.",
    start=Known(),
    hears={Took: _moves, Changed: _moves, Read: _shown, Told: _told},
    records={"phase": _says_phase},
)
