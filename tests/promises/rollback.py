"""Going back."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises import routes as by_route
from tests.promises.evidence import AUTOMATIC
from tests.promises.facts import (
    Died,
    Ended,
    Fact,
    Ordered,
    Owner,
    Read,
    Recorded,
    Sent,
    Setting,
    Shown,
    Slept,
    Started,
)
from tests.promises.promise import At, Promise
from tests.promises.routes import Ours, digest, name, put


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
        ours: the forms that are ours.
        seen: of the newest read that succeeded: nobody's yet "", ours "ours", somebody else's "foreign".
        unread: the newest read failed.
        accepted: a person accepted somebody else's form once.
        recipe: something else than the snapshot recalls its sticky clients.
    """

    ours: tuple[Ours, ...] = ()
    seen: tuple[str, ...] = ()
    unread: tuple[bool, ...] = ()
    accepted: tuple[bool, ...] = ()
    recipe: tuple[bool, ...] = ()
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
        accepted=no,
        recipe=no,
    )


def _recipes(setting: Setting, memory: Exact, fact: Recorded) -> tuple[Exact, str]:
    recipes = fact.body["recipes"]
    known = tuple(recipes.get(route, "keep") != "keep" for route in setting.routes)
    return _exact(setting, memory)._replace(recipe=known), ""


def _forms(setting: Setting, memory: Exact, fact: Recorded) -> tuple[Exact, str]:
    memory = _exact(setting, memory)
    number = setting.routes.index(fact.body["route"])
    if fact.type == "intent":
        return memory._replace(ours=by_route.intended(memory.ours, number, fact)), ""
    if fact.type == "outcome":
        return memory._replace(ours=by_route.ended(memory.ours, number, fact)), ""
    if memory.holding and str(fact.body["form"]) not in memory.ours[number].forms:
        return memory._replace(accepted=put(memory.accepted, number, True)), ""
    return memory, ""


def _phase(setting: Setting, memory: Exact, fact: Recorded) -> tuple[Exact, str]:
    after = fact.body["after"]
    back = memory.back or after == "ROLLING_BACK"
    return memory._replace(back=back, holding=after == "HOLDING"), ""


def _seen(setting: Setting, memory: Exact, fact: Read) -> tuple[Exact, str]:
    memory = _exact(setting, memory)
    number = setting.routes.index(fact.route)
    if not fact.form:
        return memory._replace(unread=put(memory.unread, number, True)), ""
    whose = "ours" if digest(fact.form) in memory.ours[number].forms else "foreign"
    return memory._replace(
        unread=put(memory.unread, number, False), seen=put(memory.seen, number, whose)
    ), ""


def _restored(setting: Setting, memory: Exact, fact: Sent) -> tuple[Exact, str]:
    if not memory.back:
        return memory, ""
    memory = _exact(setting, memory)
    number = setting.routes.index(fact.route)
    form, weight = setting.found[fact.route]
    route = name(fact.route)
    if fact.weight != weight:
        return (
            memory,
            f"{route} was restored to {fact.weight} per mille, and was found at {weight}",
        )
    whose, accepted = memory.seen[number], memory.accepted[number]
    if memory.unread[number] and whose == "foreign" and not accepted:
        return memory, f"{route} was written unread, and somebody else's form was seen there last"
    exact = whose == "ours" and not accepted and not memory.recipe[number]
    if exact and fact.form != form:
        return memory, f"{route} was ours, and was not restored to the form that was found"
    return memory, ""


EXACT = Promise(
    id="P10",
    text="A rollback writes the form that was found. Where somebody else changed the route, only the pair's weights go back to what they were; and such a route is not written while it cannot be read.",
    ends="Sticky clients may have to be recalled: then the plan's recipe is written, with the weights that were found.",
    start=Exact(),
    hears={Read: _seen, Sent: _restored},
    records={
        "snapshot": _recipes,
        "intent": _forms,
        "outcome": _forms,
        "verified": _forms,
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


class Due(NamedTuple):
    """The breach that was shown and not yet answered by a write: since when, -1 for none.

    `excused`: another process owns the run. `raised`: something was raised, so that there is something to take back.
    """

    since: int = -1
    excused: bool = False
    raised: bool = False


QUICK_MS = 5_000


def _breach(setting: Setting, memory: Due, fact: Shown) -> tuple[Due, str]:
    memory, why = _late(setting, memory, fact)
    if fact.verdict == "breach" and fact.both and memory.raised and memory.since < 0:
        return memory._replace(since=At(fact.at_ms)), why
    return memory, why


def _late(setting: Setting, memory: Due, fact: Fact) -> tuple[Due, str]:
    if memory.since < 0 or memory.excused:
        return memory, ""
    age = fact.at_ms - memory.since
    if age > setting.poll_ms + QUICK_MS + setting.slack_ms:
        return memory._replace(since=-1), f"nothing was written {age} ms after a breach was shown"
    return memory, ""


def _decided(setting: Setting, memory: Due, fact: Recorded) -> tuple[Due, str]:
    memory, why = _late(setting, memory, fact)
    if fact.body["after"] in ("HOLDING", "NEEDS_HUMAN"):
        return memory._replace(since=-1), why  # it holds, asks, or needs a human instead
    if fact.body["after"] != "ROLLING_BACK":
        return memory, why
    if fact.body.get("cause") == "breach" and memory.since < 0:
        return memory._replace(since=At(fact.at_ms)), why
    return memory, why


def _sent(setting: Setting, memory: Due, fact: Sent) -> tuple[Due, str]:
    memory, why = _answered(setting, memory, fact)
    return memory._replace(raised=memory.raised or fact.weight > 0), why


def _answered(setting: Setting, memory: Due, fact: Fact) -> tuple[Due, str]:
    memory, why = _late(setting, memory, fact)
    return memory._replace(since=-1), why


def _refused(setting: Setting, memory: Due, fact: Recorded) -> tuple[Due, str]:
    if fact.body["result"] in ("cancelled", "not_applied", "impossible"):
        return memory._replace(since=-1), ""
    return memory, ""


def _looked(setting: Setting, memory: Due, fact: Read) -> tuple[Due, str]:
    memory, why = _late(setting, memory, fact)
    # a route that is not there, or cannot be read, may have to wait: what of it may be written is P10's
    return (memory if fact.form else memory._replace(since=-1)), why


def _owner(setting: Setting, memory: Due, fact: Owner) -> tuple[Due, str]:
    return memory._replace(excused=not fact.ours), ""


def _slept(setting: Setting, memory: Due, fact: Slept) -> tuple[Due, str]:
    if memory.since < 0:
        return memory, ""
    return memory._replace(since=At(memory.since + fact.ms)), ""


def _gone(setting: Setting, memory: Due, fact: Fact) -> tuple[Due, str]:
    return Due(raised=memory.raised), ""


SPEED = Promise(
    id="P27",
    text="The first write of a rollback leaves within one poll and 5 s of the look that was shown the breach, whatever the journal, CloudWatch or anything but ELBv2 does.",
    ends="Not where the breach holds or asks instead (as its gate says), where the routes cannot be read (then within 5 s more, by what the journal says of them), or while another process owns the run. The time that AWS takes to refuse or to publish is not ours.",
    start=Due(),
    hears={
        Shown: _breach,
        Sent: _sent,
        Read: _looked,
        Owner: _owner,
        Slept: _slept,
        Started: _gone,
        Died: _gone,
        Ended: _answered,
    },
    records={"phase": _decided, "outcome": _refused, "verified": _answered, "close": _late},
    horizon=lambda setting: setting.poll_ms + QUICK_MS + setting.slack_ms + 1,
)


class Going(NamedTuple):
    """Of a rollback that goes on.

    Attributes:
        back: whether one does.
        signals: that reached this process.
        gone: routes that AWS said do not exist.
        cannot: some route cannot be restored: its groups are gone, or somebody keeps changing it.
        ours: whether the run is this process's.
    """

    back: bool = False
    signals: int = 0
    gone: frozenset[str] = frozenset()
    cannot: bool = False
    ours: bool = True


def _turned(setting: Setting, memory: Going, fact: Recorded) -> tuple[Going, str]:
    after, why = fact.body["after"], ""
    if memory.back and after not in ("ROLLED_BACK", "NEEDS_HUMAN"):
        why = f"the rollback ended in {after}"
    if memory.back and after == "NEEDS_HUMAN" and not (memory.cannot or memory.gone):
        why = "the rollback gave up, and nothing showed a route that cannot be restored"
    return memory._replace(back=after == "ROLLING_BACK", cannot=False), why


def _impossible(setting: Setting, memory: Going, fact: Recorded) -> tuple[Going, str]:
    return memory._replace(cannot=memory.cannot or fact.body["result"] == "impossible"), ""


def _observed(setting: Setting, memory: Going, fact: Recorded) -> tuple[Going, str]:
    what, facts = fact.body["what"], fact.body["facts"]
    if what == "overwritten":
        return memory._replace(cannot=True), ""
    if what == "gone":
        return memory._replace(gone=memory.gone | {facts["route"]}), ""
    if what in ("form", "unreadable"):
        return memory._replace(gone=memory.gone - {facts["route"]}), ""
    return memory, ""


def _signalled(setting: Setting, memory: Going, fact: Ordered) -> tuple[Going, str]:
    if fact.word != "interrupt":
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
    text="Whatever a port answers, a rollback goes on: it ends in ROLLED_BACK, in NEEDS_HUMAN when some route cannot be restored, or by the third signal.",
    ends="A process that is killed, or that another one took the run from, does not go on; the next one does.",
    start=Going(),
    hears={Ordered: _signalled, Owner: _owned, Ended: _ended, Started: _fresh, Died: _fresh},
    records={"phase": _turned, "outcome": _impossible, "observed": _observed},
)

ROLLBACK: tuple[Promise, ...] = (EXACT, ABSORBING, NO_FLAPPING, SPEED, GOES_ON)
