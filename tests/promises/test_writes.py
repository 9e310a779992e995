"""What leaves this machine: runs that keep each promise, and runs that break it."""

from __future__ import annotations

import pytest

from tests.promises.facts import Died, DiskRefused, Ordered, Owner, Recorded, Started
from tests.promises.runs import (
    BACK,
    B,
    Case,
    breaks,
    changed,
    intent,
    judge,
    keeps,
    outcome,
    phase,
    read,
    said,
    sent,
    verified,
)

RESTORE = intent(kind="restore", weight=0, config="found")
BESIDE = Recorded(0, RESTORE.type, RESTORE.body, durable=False)

CASES = (
    keeps("P2", "each write has its own intent", intent(), sent(), intent(), sent()),
    breaks("P2", "a write before its intent", "no intent of it stood", sent(), intent()),
    breaks("P2", "a write sent twice on one intent", "no intent", intent(), sent(), sent()),
    breaks("P2", "a write of another config than was meant", "no intent", intent(), sent(weight=1000)),
    breaks("P2", "a write of another route than was meant", "no intent", intent(), sent(B)),
    breaks("P2", "a write on the intent of a process that died", "no intent", intent(), Died(0), Started(0), sent()),
    breaks(
        "P2", "a raise whose intent is only beside the journal", "no intent",
        Recorded(0, "intent", intent().body, durable=False), sent(),
    ),
    keeps("P2", "a restore is sent with its intent beside a full disk", BESIDE, sent(weight=0, config="found")),
    keeps("P2", "a restore is sent though not even that is possible", DiskRefused(0), sent(weight=0, config="found")),
    breaks("P2", "a restore without any intent on a disk that takes records", "no intent", sent(weight=0, config="found")),
    keeps("P4", "step after step, and back down", sent(weight=0), sent(), sent(weight=1000), sent(), sent(weight=0)),
    breaks("P4", "the second step first", "step 1 was skipped", sent(weight=0), sent(weight=1000)),
    breaks("P4", "a weight that nobody planned", "in neither", sent(weight=333, config="at a third")),
    keeps("P6", "the owner writes, also when it has the run again", sent(), Owner(0, ours=False), Owner(0, ours=True), sent()),
    keeps("P6", "a new process that has the lease writes", Owner(0, ours=False), Started(0), sent()),
    breaks("P6", "a restore on a run that another process took", "another process", Owner(0, ours=False), BACK, sent(weight=0)),
    keeps("P7", "a write right after a read of what was found", read(), sent(at=2_000)),
    keeps("P7", "a write over our own step", intent(), read(config="at 5 %"), sent(weight=1000)),
    keeps(
        "P7", "a write over a config that a person accepted", said("accept_drift"),
        verified(weight=70, config="theirs"), read(config="theirs"), sent(),
    ),
    keeps("P7", "a rollback over what somebody else made", BACK, changed(), read(config="theirs"), sent(weight=0)),
    breaks("P7", "a write over somebody else's config", "somebody else", changed(), read(config="theirs"), sent()),
    breaks("P7", "a write over what only a refused write of ours would have made", "somebody else",
           intent(), outcome(result="not_applied"), read(config="at 5 %"), sent()),
    breaks("P7", "a write on a read that is too old", "2001 ms after", read(), sent(at=2_001)),
    breaks("P7", "a write though the read failed", "failed or never was", read(), read(config=""), sent()),
    breaks("P7", "a write on what a dead process read", "never was", read(), Started(0), sent()),
    breaks("P7", "somebody else's config committed by nobody's command", "nobody accepted", verified(weight=70, config="theirs")),
    keeps("P8", "a write keeps everything else", read(rest="sticky"), sent(rest="sticky")),
    keeps("P8", "the snapshot itself goes back whatever is there", read(rest="theirs"), sent(config="found", weight=0, rest="sticky")),
    breaks("P8", "a write drops the stickiness", "more than the comparison", read(rest="sticky"), sent(rest="plain")),
    keeps("P13", "a rollback goes on without a disk", DiskRefused(0), BACK, sent(weight=0)),
    keeps("P13", "the next process has a disk again", DiskRefused(0), Started(0), sent()),
    breaks("P13", "a raise after the disk had refused a record", "disk had refused", DiskRefused(0), sent()),
    breaks("P13", "a raise after a record went beside the journal", "disk had refused", BESIDE, sent()),
    keeps("P26", "a pause, and then a person says go on", Ordered(0, "pause"), said("pause"), said("resume"), sent()),
    keeps("P26", "a rollback is said, and it goes back", Ordered(0, "rollback"), BACK, sent(weight=0)),
    keeps("P26", "a completed run is told to finish and is asked to pause", phase("BAKING", "COMPLETED"),
          said("finish"), Ordered(0, "pause"), said("pause"), sent(weight=1000)),
    breaks("P26", "a raise though a pause is waiting to be heard", "after pause", Ordered(0, "pause"), sent()),
    breaks("P26", "a raise after a pause was heard", "after pause", Ordered(0, "pause"), said("pause"), sent()),
    breaks("P26", "a raise after a signal", "after interrupt", Ordered(0, "interrupt"), sent()),
    keeps("N1", "what was given up is meant anew and sent", intent(), outcome(result="cancelled"), intent(), sent()),
    keeps("N1", "a refused write was sent, and is not given up", intent(), sent(), outcome(result="not_applied", code="Throttling")),
    breaks("N1", "a cancelled write is sent after all", "given up", intent(), outcome(result="cancelled"), sent()),
    breaks("N1", "a write that was refused at the wire is sent after all", "given up",
           intent(), outcome(result="not_applied", code="not_sent"), sent()),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}: {case.sentence}")
def test_a_promise_of_what_is_written(case: Case) -> None:
    judge(case)
