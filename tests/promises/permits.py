"""What keeps a write from leaving: another owner, a disk that refuses, a command that stops, and that it was given up."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises.facts import (
    Died,
    DiskRefused,
    Ended,
    Fact,
    Ordered,
    Owner,
    Recorded,
    Sent,
    Setting,
    Started,
)
from tests.promises.promise import Promise
from tests.promises.routes import name, put


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
    ends="ELBv2 has no conditional write: a process that is frozen between the last question and the first byte can still land that one write, which is then seen as drift. Processes on several machines are not kept apart.",
    start=True,
    hears={Owner: _owner, Sent: _owned, Started: _again_ours},
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
    """The newest command that stops and was not taken back by one that goes on; and where the run is."""

    said: str = ""
    completed: bool = False
    back: bool = False


def _ordered(setting: Setting, memory: Stopped, fact: Ordered) -> tuple[Stopped, str]:
    if memory.back or fact.command not in STOPS:
        return memory, ""
    return memory._replace(said=fact.command), ""


def _heard(setting: Setting, memory: Stopped, fact: Recorded) -> tuple[Stopped, str]:
    command = fact.body["command"]
    # a completed run does not go forward by itself: what a person says of it there is said anew
    if command in GOES_ON or (command == "pause" and memory.completed):
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


STOP_COMMANDS = Promise(
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
    records={"command": _heard, "phase": _stands},
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
