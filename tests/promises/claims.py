"""What a run says of itself, and whether it is so."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises import routes as by_route
from tests.promises.facts import (
    UNTOLD,
    Changed,
    Ended,
    Read,
    Recorded,
    Replied,
    Sent,
    Setting,
    Told,
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


class Step(NamedTuple):
    """Per route: the portion that was committed, and every portion that it ever had."""

    committed: tuple[int, ...] = ()
    had: tuple[frozenset[int], ...] = ()


def _stepping(setting: Setting, memory: Step) -> Step:
    if memory.had:
        return memory
    found = tuple(setting.found[route][1] for route in setting.routes)
    return Step(found, tuple(frozenset({weight}) for weight in found))


def _has(setting: Setting, memory: Step, fact: Took | Changed) -> tuple[Step, str]:
    memory = _stepping(setting, memory)
    number = setting.routes.index(fact.route)
    return memory._replace(had=put(memory.had, number, memory.had[number] | {fact.weight})), ""


def _committed(setting: Setting, memory: Step, fact: Recorded) -> tuple[Step, str]:
    memory = _stepping(setting, memory)
    number = setting.routes.index(fact.body["route"])
    return memory._replace(committed=put(memory.committed, number, int(fact.body["weight"]))), ""


def _all(setting: Setting, memory: Step, fact: Recorded) -> tuple[Step, str]:
    after, step = fact.body["after"], int(fact.body["step"])
    if after not in ("SETTLING", "BAKING") or step < 0:
        return memory, ""
    memory = _stepping(setting, memory)
    weight = setting.weights[step]
    behind = [
        name(route)
        for number, route in enumerate(setting.routes)
        if memory.committed[number] != weight or weight not in memory.had[number]
    ]
    return memory, f"{after} at {weight} per mille without {', '.join(behind)}" if behind else ""


ALL_OR_HELD = Promise(
    id="P5",
    text="A step's bake begins only when every route of the plan is at the step's weight and was read so twice.",
    ends="A route that is changed after that is drift.",
    start=Step(),
    hears={Took: _has, Changed: _has},
    records={"verified": _committed, "phase": _all},
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
    """The newest phase, what the journal closed with (-1 for not yet), and per route since when every read agreed."""

    phase: str = "PREFLIGHT"
    closed: int = -1
    same: tuple[tuple[str, int], ...] = ()


def _agrees(setting: Setting, memory: Closing, fact: Read) -> tuple[Closing, str]:
    if not fact.form:
        return memory, ""
    same = memory.same or (("", 0),) * len(setting.routes)
    number, form = setting.routes.index(fact.route), digest(fact.form)
    if same[number][0] == form:
        return memory, ""
    return memory._replace(same=put(same, number, (form, At(fact.at_ms)))), ""


def _entered(setting: Setting, memory: Closing, fact: Recorded) -> tuple[Closing, str]:
    after, before = fact.body["after"], memory.phase
    memory = memory._replace(phase=after)
    by_hand = after == "ROLLED_BACK" and before == "NEEDS_HUMAN"
    if after not in ("ROLLED_BACK", "COMPLETED") or by_hand:
        return memory, ""
    for number, route in enumerate(setting.routes):
        form, since = memory.same[number] if memory.same else ("", 0)
        if not form:
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
    ends="`rollback --confirm-restored` is a person's word: one read must agree with it. A process whose run another one owns closes nothing.",
    start=Closing(),
    hears={Read: _agrees, Ended: _exits},
    records={"phase": _entered, "close": _closes},
    horizon=lambda setting: setting.confirm_ms,
)


class Doubt(NamedTuple):
    """A route and the writes of ours that may still reach it.

    `newest`: the form of the newest write, while nobody answered it. `novel`: nothing else can have put that form
    there. `older`: a write before it was never accounted for.
    """

    real: Real
    known: frozenset[str]
    newest: str = ""
    novel: bool = False
    older: bool = False


class Restored(NamedTuple):
    routes: tuple[Doubt, ...] = ()
    back: bool = False
    accepted: bool = False
    recipe: tuple[bool, ...] = ()


def _doubts(setting: Setting, memory: Restored) -> Restored:
    if memory.routes:
        return memory
    begun = tuple(Doubt(one, frozenset({digest(one.form)})) for one in by_route.real(setting))
    return memory._replace(routes=begun)


def _at(memory: Restored, number: int, one: Doubt) -> Restored:
    return memory._replace(routes=put(memory.routes, number, one))


def _sends(setting: Setting, memory: Restored, fact: Sent) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number, form = setting.routes.index(fact.route), digest(fact.form)
    one = memory.routes[number]
    return _at(
        memory,
        number,
        one._replace(
            newest=form,
            novel=form not in one.known,
            older=one.older or bool(one.newest),
            known=one.known | {form},
        ),
    ), ""


def _replied(setting: Setting, memory: Restored, fact: Replied) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number = setting.routes.index(fact.route)
    one = memory.routes[number]
    if fact.answer in ("applied", "mismatch"):
        return _at(memory, number, one._replace(newest="", novel=False, older=False)), ""
    if fact.answer == "refused":
        known = one.known - {one.newest} if one.novel else one.known
        return _at(memory, number, one._replace(newest="", novel=False, known=known)), ""
    return memory, ""


def _lands(setting: Setting, memory: Restored, fact: Took | Changed) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number = setting.routes.index(fact.route)
    one = memory.routes[number]
    (real,) = by_route.changed((one.real,), 0, fact)
    novel = one.novel and not (isinstance(fact, Changed) and digest(fact.form) == one.newest)
    return _at(memory, number, one._replace(real=real, novel=novel)), ""


def _shows(setting: Setting, memory: Restored, fact: Read) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number = setting.routes.index(fact.route)
    one = memory.routes[number]
    (real,) = by_route.read((one.real,), 0, fact)
    one = one._replace(real=real)
    if fact.form and one.novel and digest(fact.form) == one.newest:
        one = one._replace(newest="", novel=False)
    return _at(memory, number, one), ""


def _took_as_is(setting: Setting, memory: Restored, fact: Recorded) -> tuple[Restored, str]:
    memory = _doubts(setting, memory)
    number = setting.routes.index(fact.body["route"])
    foreign = str(fact.body["form"]) not in memory.routes[number].known
    return memory._replace(accepted=memory.accepted or foreign), ""


def _recipe(setting: Setting, memory: Restored, fact: Recorded) -> tuple[Restored, str]:
    recipes = fact.body["recipes"]
    found = tuple(recipes.get(route, "keep") != "keep" for route in setting.routes)
    return memory._replace(recipe=found), ""


def _says_restored(setting: Setting, memory: Restored, fact: Recorded) -> tuple[Restored, str]:
    after, before = fact.body["after"], fact.body["before"]
    if after != "ROLLED_BACK":
        return memory, ""
    memory = _doubts(setting, memory)
    by_hand = before == "NEEDS_HUMAN"
    for number, route in enumerate(setting.routes):
        one = memory.routes[number]
        form, weight = setting.found[route]
        if not by_hand and (one.newest or one.older):
            return (
                memory,
                f"{name(route)} is called restored, and a write of ours to it was never answered",
            )
        if one.real.stale:
            continue
        if one.real.weight != weight and not (by_hand and one.real.weight == 0):
            return (
                memory,
                f"{name(route)} is called restored, and is at {one.real.weight} per mille",
            )
        touched = one.real.foreign or memory.accepted or any(memory.recipe) or by_hand
        if not touched and one.real.form != form:
            return (
                memory,
                f"{name(route)} is called restored, and is not in the form that was found",
            )
    return memory, ""


RESTORED = Promise(
    id="N2",
    text="Nothing is called restored that was only read: ROLLED_BACK is said when every write of ours that may have reached a route was refused, was shown by a read that nothing else explains, or was followed by a write that was answered; and the routes then are as they were found.",
    ends="A write that was sent before one that was answered is taken to be settled by it. A change that no read showed yet is not seen.",
    start=Restored(),
    hears={Sent: _sends, Replied: _replied, Took: _lands, Changed: _lands, Read: _shows},
    records={"phase": _says_restored, "verified": _took_as_is, "snapshot": _recipe},
)


class Effects(NamedTuple):
    """Per route: the forms that AWS ever had there, and whether it carried the newest write out."""

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
    had = put(memory.had, number, memory.had[number] | {digest(fact.form)})
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
    if str(fact.body["form"]) not in memory.had[number]:
        return (
            memory,
            f"record {fact.seq}: a form of {route} is called verified that AWS never had",
        )
    return memory, ""


EFFECT = Promise(
    id="N4",
    text="An effect is named only when it happened: no write is called applied that AWS did not carry out, and no form verified that the route never had.",
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
        real=put(memory.real, number, (fact.form, fact.weight)),
    ), ""


def _shown(setting: Setting, memory: Known, fact: Read) -> tuple[Known, str]:
    memory = _known(setting, memory)
    number = setting.routes.index(fact.route)
    form, weight = memory.real[number]
    if fact.form != form:
        return memory, ""
    return memory._replace(may=put(memory.may, number, frozenset({weight}))), ""


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
    ends="What changed after the newest read is not known until the next one.",
    start=Known(),
    hears={Took: _moves, Changed: _moves, Read: _shown, Told: _told},
    records={"phase": _says_phase},
)

CLAIMS: tuple[Promise, ...] = (CONVERGED, ALL_OR_HELD, HONEST_END, RESTORED, EFFECT, TOLD)
