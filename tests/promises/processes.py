"""What holds of a process, its journal and its commands, whatever it drives."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from tests.promises.facts import Died, Ended, Fact, Printed, Read, Recorded, Sent, Setting, Started
from tests.promises.promise import Promise
from tests.promises.routes import name


class Acknowledged(NamedTuple):
    """A rollback is going on; a signal was heard outside of one."""

    back: bool = False
    signal: bool = False


def _command(setting: Setting, memory: Acknowledged, fact: Recorded) -> tuple[Acknowledged, str]:
    if fact.body["command"] != "interrupt" or memory.back:
        return memory, ""
    return memory._replace(signal=True), ""


def _phase(setting: Setting, memory: Acknowledged, fact: Recorded) -> tuple[Acknowledged, str]:
    back = fact.body["after"] == "ROLLING_BACK"
    return Acknowledged(back, memory.signal and not back), ""


def _writes(setting: Setting, memory: Acknowledged, fact: Sent) -> tuple[Acknowledged, str]:
    if not memory.signal:
        return memory, ""
    return memory, f"{name(fact.route)} was written after a signal had ended the process"


def _looks(setting: Setting, memory: Acknowledged, fact: Read) -> tuple[Acknowledged, str]:
    return (
        memory,
        "the process went on looking after it had heard a signal" if memory.signal else "",
    )


def _exits(setting: Setting, memory: Acknowledged, fact: Ended) -> tuple[Acknowledged, str]:
    by_signal = fact.exit_code in (129, 130, 143)
    if by_signal and not memory.signal:
        return memory, f"the process ended with {fact.exit_code}, and no signal was heard"
    return memory._replace(signal=False), ""


def _anew(setting: Setting, memory: Acknowledged, fact: Fact) -> tuple[Acknowledged, str]:
    return memory._replace(signal=False), ""


SIGNALS = Promise(
    id="P22",
    text="A signal that is heard outside a rollback ends the process: it looks and writes no more, and its exit code names the signal.",
    ends="With `on_interrupt: rollback` it goes back instead. In a rollback two signals are refused and the third ends it (N5).",
    start=Acknowledged(),
    hears={Sent: _writes, Read: _looks, Ended: _exits, Started: _anew, Died: _anew},
    records={"command": _command, "phase": _phase},
)


def _next(
    setting: Setting, memory: tuple[int, int], fact: Recorded
) -> tuple[tuple[int, int], str]:
    seq, epoch = memory
    if not fact.durable or not fact.seq:
        return memory, ""
    after = (fact.seq, max(epoch, fact.epoch))
    if fact.seq != seq + 1:
        return after, f"record {fact.seq} follows record {seq}"
    if fact.epoch < epoch:
        return after, f"record {fact.seq} is of epoch {fact.epoch}, after one of {epoch}"
    return after, ""


CHAIN = Promise(
    id="P23",
    text="The journal only ever grows: one record follows the other, and no process writes in it after the one that took the run from it.",
    ends="Hashes, permissions, torn tails and damage: tests/local/test_journal.py. Without them an edit cannot be told from a record.",
    start=(0, 0),
    hears={Recorded: _next},
    searched=False,
)


def _opened(setting: Setting, opened: bool, fact: Recorded) -> tuple[bool, str]:
    if fact.type == "run_open":
        return True, "the run was opened a second time" if opened else ""
    return opened, "" if opened else f"a {fact.type} record stands before the run was opened"


PINNED = Promise(
    id="P24",
    text="The first record pins the run: plan, account, Region, mode and routes; there is no second one.",
    ends="That another plan, account or Region is refused by `resume`: tests/e2e and tests/cli.",
    start=False,
    hears={Recorded: _opened},
)


def _recorded_secret(setting: Setting, memory: None, fact: Recorded) -> tuple[None, str]:
    if not setting.secrets:
        return None, ""
    return None, _secret(setting, json.dumps(fact.body), f"record {fact.seq}")


def _printed_secret(setting: Setting, memory: None, fact: Printed) -> tuple[None, str]:
    return None, _secret(setting, fact.text, "what was printed")


def _secret(setting: Setting, text: str, where: str) -> str:
    found = [secret for secret in setting.secrets if secret in text]
    return f"{where} holds a secret that was planted" if found else ""


NO_SECRETS = Promise(
    id="P29",
    text="No secret reaches a record, a screen, a file of the run or a notification.",
    ends="Only what was planted is looked for.",
    start=None,
    hears={Recorded: _recorded_secret, Printed: _printed_secret},
)

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def _printed(setting: Setting, memory: None, fact: Printed) -> tuple[None, str]:
    found = _CONTROL.search(fact.text)
    return None, f"U+{ord(found[0]):04X} was printed" if found else ""


NO_CONTROL = Promise(
    id="P30",
    text="No control character that came from AWS, the plan or a person is printed: no escape, no carriage return, no bidirectional override.",
    ends="On a terminal the tool's own colours are escapes: they are looked at in tests/cli/test_printing.py.",
    start=None,
    hears={Printed: _printed},
)
