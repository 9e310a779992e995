"""A process and its journal: runs that keep each promise, and runs that break it."""

from __future__ import annotations

import pytest

from tests.promises.facts import Died, Printed, Recorded
from tests.promises.runs import (
    BACK,
    Case,
    breaks,
    ended,
    judge,
    keeps,
    phase,
    read,
    record,
    said,
    sent,
)


def line(seq: int, epoch: int = 1, *, durable: bool = True) -> Recorded:
    return Recorded(0, "note", {"text": "so"}, seq, epoch, durable)


CASES = (
    keeps("P22", "a signal ends the process", said("interrupt"), phase("BAKING", "HOLDING", hold="interrupted"), ended(143)),
    keeps("P22", "in a rollback it is refused", BACK, said("interrupt"), sent(weight=0), read()),
    keeps("P22", "the plan says that it goes back", said("interrupt"), BACK, sent(weight=0)),
    keeps("P22", "the next process looks again", said("interrupt"), Died(0), read()),
    breaks("P22", "a write after a signal", "written after a signal", said("interrupt"), sent(weight=0)),
    breaks("P22", "another look after a signal", "went on looking", said("interrupt"), read()),
    breaks("P22", "a signal's exit code, and nobody heard one", "no signal was heard", ended(130)),
    keeps("P23", "one record after the other, and another process's", line(1), line(2), line(3, 2)),
    keeps("P23", "what is kept beside the journal has no place in it", line(1), line(7, durable=False), line(2)),
    breaks("P23", "a record is missing", "record 3 follows record 1", line(1), line(3)),
    breaks("P23", "a process writes after another one took the run", "of epoch 1, after one of 2", line(1), line(2, 2), line(3)),
    keeps("P24", "the run is opened once, and first", record("run_open"), record("lease"), line(3)),
    breaks("P24", "a record before the run is opened", "before the run was opened", record("lease")),
    breaks("P24", "a run opened twice", "a second time", record("run_open"), record("run_open")),
    keeps("P29", "nothing that was planted is there", line(1), Printed(0, "rolled back")),
    breaks("P29", "a secret in a record", "holds a secret", record("note", text="key hunter2")),
    breaks("P29", "a secret on a screen", "holds a secret", Printed(0, "error: hunter2 was refused")),
    keeps("P30", "lines of text", Printed(0, "rolled back\n  5 % → 0 %\n")),
    breaks("P30", "an escape", "U+001B", Printed(0, "\x1b[2J")),
    breaks("P30", "a carriage return", "U+000D", Printed(0, "COMPLETED\rROLLED_BACK")),
    breaks("P30", "text that runs the other way", "U+202E", Printed(0, "\u202eetelpmoc")),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}: {case.sentence}")
def test_a_promise_of_a_process(case: Case) -> None:
    judge(case)
