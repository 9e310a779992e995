"""How soon a rollback writes."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises.facts import (
    Died,
    Ended,
    Fact,
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


class Due(NamedTuple):
    """The breach that was shown and not yet answered by a write: since when, -1 for none.

    `source_explains`: another process owns the run. `raised`: something was raised, so that there is something to take back.
    """

    since: int = -1
    source_explains: bool = False
    raised: bool = False


QUICK_MS = 5_000


def _breach(setting: Setting, memory: Due, fact: Shown) -> tuple[Due, str]:
    memory, why = _late(setting, memory, fact)
    if fact.verdict == "breach" and fact.both and memory.raised and memory.since < 0:
        return memory._replace(since=At(fact.at_ms)), why
    return memory, why


def _late(setting: Setting, memory: Due, fact: Fact) -> tuple[Due, str]:
    if memory.since < 0 or memory.source_explains:
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
    return (memory if fact.config else memory._replace(since=-1)), why


def _owner(setting: Setting, memory: Due, fact: Owner) -> tuple[Due, str]:
    return memory._replace(source_explains=not fact.ours), ""


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
