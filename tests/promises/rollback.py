"""Going back."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises import routes as by_route
from tests.promises.facts import (
    UNTOLD,
    Died,
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
from tests.promises.promise import Promise
from tests.promises.routes import Ours, digest, name, put
from tests.promises.shown import AUTOMATIC


def _began(setting: Setting, back: bool, fact: Recorded) -> tuple[bool, str]:
    return back or fact.body["after"] == "ROLLING_BACK", ""


def _meant(setting: Setting, back: bool, fact: Recorded) -> tuple[bool, str]:
    kind = fact.body["kind"]
    if back and kind != "restore":
        return back, f"record {fact.seq}: a {kind} after the rollback began"
    if not back and kind == "restore":
        return back, f"record {fact.seq}: a restore before any rollback began"
    return back, ""


ABSORBING = Promise(
    id="P11",
    text="Once a rollback began nothing goes forward any more in that run, whatever process drives it; and nothing is restored before one began.",
    ends="A new run is a new attempt, with its own snapshot.",
    start=False,
    records={"phase": _began, "intent": _meant},
)


class Exact(NamedTuple):
    """Per route, what a restore must be.

    Attributes:
        ours: the configs that are ours.
        seen: of the newest read that succeeded: nobody's yet "", ours "ours", somebody else's by its digest.
        unread: the newest read failed.
        taken_out: the newest read that succeeded showed the source's group without the destination's.
        accepted: a person accepted somebody else's config once.
        stickiness strategy: something else than the snapshot recalls its sticky clients.
    """

    ours: tuple[Ours, ...] = ()
    seen: tuple[str, ...] = ()
    unread: tuple[bool, ...] = ()
    taken_out: tuple[bool, ...] = ()
    accepted: tuple[bool, ...] = ()
    stickiness_strategy: tuple[bool, ...] = ()
    back: bool = False
    holding: bool = False


def _exact(setting: Setting, memory: Exact) -> Exact:
    if memory.ours:
        return memory
    no = (False,) * len(setting.routes)
    return memory._replace(
        ours=by_route.ours(setting),
        seen=("",) * len(setting.routes),
        unread=no,
        taken_out=no,
        accepted=no,
        stickiness_strategy=no,
    )


def _stickiness_strategies(setting: Setting, memory: Exact, fact: Recorded) -> tuple[Exact, str]:
    stickiness_strategies = fact.body["stickiness_strategies"]
    known = tuple(stickiness_strategies.get(route, "keep") != "keep" for route in setting.routes)
    return _exact(setting, memory)._replace(stickiness_strategy=known), ""


def _configs(setting: Setting, memory: Exact, fact: Recorded) -> tuple[Exact, str]:
    memory = _exact(setting, memory)
    number = setting.routes.index(fact.body["route"])
    if fact.type == "intent":
        if digest(str(fact.body["post"]["text"])) == memory.seen[number]:
            return memory, ""  # it changes nothing of what somebody else made there
        return memory._replace(ours=by_route.intended(memory.ours, number, fact)), ""
    if fact.type == "outcome":
        return memory._replace(ours=by_route.ended(memory.ours, number, fact)), ""
    if memory.holding and str(fact.body["config"]) not in memory.ours[number].configs:
        return memory._replace(accepted=put(memory.accepted, number, True)), ""
    return memory, ""


def _phase(setting: Setting, memory: Exact, fact: Recorded) -> tuple[Exact, str]:
    after = fact.body["after"]
    back = memory.back or after == "ROLLING_BACK"
    return memory._replace(back=back, holding=after == "HOLDING"), ""


def _seen(setting: Setting, memory: Exact, fact: Read) -> tuple[Exact, str]:
    memory = _exact(setting, memory)
    number = setting.routes.index(fact.route)
    if not fact.config:
        return memory._replace(unread=put(memory.unread, number, True)), ""
    config = digest(fact.config)
    whose = "ours" if config in memory.ours[number].configs else config
    return memory._replace(
        unread=put(memory.unread, number, False),
        seen=put(memory.seen, number, whose),
        taken_out=put(memory.taken_out, number, fact.taken_out),
    ), ""


def _restored(setting: Setting, memory: Exact, fact: Sent) -> tuple[Exact, str]:
    if not memory.back:
        return memory, ""
    memory = _exact(setting, memory)
    number = setting.routes.index(fact.route)
    config, weight = setting.found[fact.route]
    route = name(fact.route)
    theirs = memory.seen[number] not in ("", "ours")
    if fact.weight != weight and not (fact.weight == 0 and theirs and memory.taken_out[number]):
        return (
            memory,
            f"{route} was restored to {fact.weight} per mille, and was found at {weight}",
        )
    whose, accepted = memory.seen[number], memory.accepted[number]
    if memory.unread[number] and whose not in ("", "ours") and not accepted:
        return (
            memory,
            f"{route} was written unread, and somebody else's config was seen there last",
        )
    exact = whose == "ours" and not accepted and not memory.stickiness_strategy[number]
    if exact and fact.config != config:
        return memory, f"{route} was ours, and was not restored to the config that was found"
    return memory, ""


EXACT = Promise(
    id="P10",
    text="A rollback writes the config that was found. Where somebody else changed the route, only the comparison's weights go back to what they were, and nothing is changed where they are so already; and such a route is not written while it cannot be read.",
    ends="Sticky clients may have to be recalled: then the plan's stickiness strategy is written, with the weights that were found. Where somebody else took the destination's group out it is not put in again: the source keeps everything.",
    start=Exact(),
    hears={Read: _seen, Sent: _restored},
    records={
        "snapshot": _stickiness_strategies,
        "intent": _configs,
        "outcome": _configs,
        "verified": _configs,
        "phase": _phase,
    },
)


def _again(setting: Setting, once: bool, fact: Recorded) -> tuple[bool, str]:
    if fact.body["after"] != "ROLLING_BACK" or fact.body.get("cause") not in AUTOMATIC:
        return once, ""
    return True, "rolled back by itself a second time" if once else ""


NO_FLAPPING = Promise(
    id="P15",
    text="A run rolls back by itself once at most.",
    ends="Persons may say rollback as often as they like. That nothing is tried forward again is P11.",
    start=False,
    records={"phase": _again},
)


class Going(NamedTuple):
    """Of a rollback that goes on.

    Attributes:
        back: whether one does.
        signals: that reached this process.
        gone: routes that AWS said do not exist.
        cannot: routes that cannot be restored: their groups are gone, or somebody keeps changing them.
        back_at: per route, whether the newest read of it showed the weight that was found.
        ours: whether the run is this process's.
    """

    back: bool = False
    signals: int = 0
    gone: frozenset[str] = frozenset()
    cannot: frozenset[str] = frozenset()
    back_at: tuple[bool, ...] = ()
    ours: bool = True


def _turned(setting: Setting, memory: Going, fact: Recorded) -> tuple[Going, str]:
    after, why = fact.body["after"], ""
    if memory.back and after not in ("ROLLED_BACK", "NEEDS_HUMAN"):
        why = f"the rollback ended in {after}"
    if memory.back and after == "NEEDS_HUMAN":
        stuck = memory.cannot | memory.gone
        if not stuck:
            why = "the rollback gave up, and nothing showed a route that cannot be restored"
        at = memory.back_at or (False,) * len(setting.routes)
        for route, restored in zip(setting.routes, at, strict=True):
            if route not in stuck and not restored:
                why = f"the rollback gave up, and {name(route)} could still be restored"
    back = after == "ROLLING_BACK"
    return memory._replace(back=back, cannot=frozenset()), why


def _shown(setting: Setting, memory: Going, fact: Read) -> tuple[Going, str]:
    if not fact.config or fact.weight == UNTOLD:
        return memory, ""
    at = memory.back_at or (False,) * len(setting.routes)
    found = setting.found[fact.route][1]
    there = max(fact.weight, 0) == max(found, 0)
    return memory._replace(back_at=put(at, setting.routes.index(fact.route), there)), ""


def _impossible(setting: Setting, memory: Going, fact: Recorded) -> tuple[Going, str]:
    if fact.body["result"] != "impossible":
        return memory, ""
    return memory._replace(cannot=memory.cannot | {fact.body["route"]}), ""


def _observed(setting: Setting, memory: Going, fact: Recorded) -> tuple[Going, str]:
    what, facts = fact.body["what"], fact.body["facts"]
    if what == "overwritten":
        return memory._replace(cannot=memory.cannot | {facts["route"]}), ""
    if what == "gone":
        return memory._replace(gone=memory.gone | {facts["route"]}), ""
    if what in ("config", "unreadable"):
        return memory._replace(gone=memory.gone - {facts["route"]}), ""
    return memory, ""


def _signalled(setting: Setting, memory: Going, fact: Ordered) -> tuple[Going, str]:
    if fact.command != "interrupt":
        return memory, ""
    return memory._replace(signals=min(memory.signals + 1, 3)), ""


def _owned(setting: Setting, memory: Going, fact: Owner) -> tuple[Going, str]:
    return memory._replace(ours=fact.ours), ""


def _ended(setting: Setting, memory: Going, fact: Ended) -> tuple[Going, str]:
    ended = memory._replace(signals=0, ours=True)
    if not memory.back or not memory.ours or (memory.signals >= 3 and fact.exit_code == 4):
        return ended, ""
    return ended, f"the process ended with {fact.exit_code} in the middle of a rollback"


def _fresh(setting: Setting, memory: Going, fact: Fact) -> tuple[Going, str]:
    return memory._replace(signals=0, ours=True), ""


GOES_ON = Promise(
    id="N5",
    text="Whatever a port answers, a rollback goes on: it ends in ROLLED_BACK, in NEEDS_HUMAN when some route cannot be restored and every other one is at the weight that was found, or by the third signal.",
    ends="A process that is killed, or that another one took the run from, does not go on; the next one does.",
    start=Going(),
    hears={
        Read: _shown,
        Ordered: _signalled,
        Owner: _owned,
        Ended: _ended,
        Started: _fresh,
        Died: _fresh,
    },
    records={"phase": _turned, "outcome": _impossible, "observed": _observed},
)
