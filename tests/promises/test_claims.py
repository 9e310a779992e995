"""What a run says of itself: runs that keep each promise, and runs that break it."""

from __future__ import annotations

import pytest

from tests.promises.facts import Told
from tests.promises.runs import (
    BACK,
    A,
    B,
    Case,
    breaks,
    changed,
    ended,
    judge,
    keeps,
    outcome,
    phase,
    read,
    record,
    replied,
    said,
    sent,
    took,
    verified,
)

UP = [took(weight=1000), took(B, 1000)]
COMPLETED = phase("BAKING", "COMPLETED", 1, at=60_000)
ROLLED_BACK = phase("ROLLING_BACK", "ROLLED_BACK", 0, at=60_000)
BY_HAND = phase("NEEDS_HUMAN", "ROLLED_BACK", 0)
AGREED = [read(), read(B), read(at=60_000), read(B, at=60_000)]
GOES_BACK = [sent(weight=0, config="found"), took(weight=0, config="found")]


CASES = (
    keeps("P1", "every route is at the last step", UP, COMPLETED),
    keeps("P1", "a read was older than a change", UP, changed(), read(config="at 100 %"), COMPLETED),
    breaks("P1", "one route is not", "b is at 50 per mille", took(weight=1000), took(B, 50), COMPLETED),
    breaks("P1", "one route is not any more, and everybody could see it", "COMPLETED, and", UP, changed(), read(config="theirs"), COMPLETED),
    keeps("P28", "the reads agreed for a minute", AGREED, ROLLED_BACK, record("close", exit_code=3, phase="ROLLED_BACK"), ended(3)),
    keeps("P28", "a person's command is confirmed by one read", phase("ROLLING_BACK", "NEEDS_HUMAN"), BY_HAND),
    keeps("P28", "a process that another one took the run from closes nothing", ended(4)),
    breaks("P28", "the reads agreed for a second", "agree for 1000 ms only", read(), read(B, at=59_000), ROLLED_BACK),
    breaks("P28", "a read in between was different", "agree for 10000 ms only", read(), read(config="x", at=40_000), read(at=50_000), read(B), ROLLED_BACK),
    breaks("P28", "one route was never read", "never read", read(), COMPLETED),
    breaks("P28", "the exit code is another than the journal's", "closes with 3, and the process ended with 0",
           AGREED, ROLLED_BACK, record("close", exit_code=3, phase="ROLLED_BACK"), ended(0)),
    breaks("P28", "the journal closes in another phase", "closes in HOLDING", record("close", exit_code=5, phase="HOLDING")),
    breaks("P28", "the exit code does not fit the phase", "0 is no exit code for HOLDING",
           phase("BAKING", "HOLDING"), record("close", exit_code=0, phase="HOLDING"), ended(0)),
    keeps("N2", "a restore that was answered", sent(), took(), replied(answer="lost"), GOES_BACK, replied(), ROLLED_BACK),
    keeps("N2", "a raise that was refused", sent(), replied(answer="refused"), ROLLED_BACK),
    keeps("N2", "a lost write that a read shows, as nothing else can have put it there",
          changed(), sent(config="theirs at 0", weight=0), took(weight=0, config="theirs at 0"), replied(answer="lost"),
          read(config="theirs at 0"), ROLLED_BACK),
    keeps("N2", "somebody else's config with our weights back", took(), changed(weight=50), took(weight=0, config="theirs at 0"), ROLLED_BACK),
    keeps("N2", "restored by hand, and no request reaches the destination", took(), changed(weight=0, config="by hand"), BY_HAND),
    breaks("N2", "a lost raise, and the snapshot was only read", "never answered", sent(), replied(answer="lost"), read(), ROLLED_BACK),
    breaks("N2", "a lost restore of what was found before", "never answered", sent(), took(), replied(), read(config="at 5 %"),
           GOES_BACK, replied(answer="lost"), read(), ROLLED_BACK),
    breaks("N2", "a refused write says nothing of the one before", "never answered",
           sent(), replied(answer="lost"), sent(weight=0, config="found"), replied(answer="refused"), ROLLED_BACK),
    keeps("N2", "a refused restore, and then somebody restored the route by hand",
          sent(), took(), replied(), sent(weight=0, config="found"), replied(answer="refused"), changed(weight=0, config="found"), read(), ROLLED_BACK),
    breaks("N2", "a raise that AWS took, and then the snapshot was only read", "on reads alone: our newest write left it at 50 per mille",
           sent(), took(), replied(), read(), ROLLED_BACK),
    breaks("N2", "somebody restored the route, and nobody wrote it", "on reads alone",
           sent(), took(), replied(), changed(weight=0, config="found"), read(), ROLLED_BACK),
    breaks("N2", "a lost raise that a read showed, and then an older read", "on reads alone",
           sent(), took(), replied(answer="lost"), read(config="at 5 %"), read(), ROLLED_BACK),
    breaks("N2", "a second raise that was refused puts nothing back", "on reads alone",
           sent(), took(), replied(), sent(weight=1000), replied(answer="refused"), read(), ROLLED_BACK),
    breaks("N2", "a route is not restored", "is at 50 per mille", sent(), took(), replied(), ROLLED_BACK),
    breaks("N2", "a route that was written back, and is not restored any more", "is at 70 per mille", GOES_BACK, replied(), changed(), ROLLED_BACK),
    breaks("N2", "a route is at the weight, in another config", "not in the form", sent(weight=0), took(weight=0), replied(), ROLLED_BACK),
    breaks("N2", "a person's command that is not so", "is at 50 per mille", took(), BY_HAND),
    keeps("N4", "applied, and verified", sent(), took(), outcome(), verified()),
    keeps("N4", "somebody else's config, read twice and accepted", changed(), said("accept_drift"), verified(weight=70, config="theirs")),
    keeps("N4", "a lost write is called ambiguous", sent(), outcome(result="ambiguous")),
    breaks("N4", "a write called applied that AWS did not take", "called applied", sent(), outcome()),
    breaks("N4", "an older write does not stand for it", "called applied", sent(), took(), sent(), outcome()),
    breaks("N4", "a config called verified that was never there", "called verified", sent(), verified()),
    keeps("N6", "people are told what is", phase("SHIFTING", "SETTLING"), took(), read(config="at 5 %"), Told(0, "SETTLING", claims={A: 50, B: 0})),
    keeps("N6", "nobody knows yet", took(), Told(0, "PREFLIGHT", claims={A: -1})),
    keeps("N6", "what changed since the newest read", took(), read(config="at 5 %"), changed(), Told(0, "PREFLIGHT", claims={A: 50})),
    breaks("N6", "another phase", "told SETTLING, and the run is ROLLING_BACK", BACK, Told(0, "SETTLING")),
    breaks("N6", "another hold", "told of the hold gate", phase("BAKING", "HOLDING", hold="paused"), Told(0, "HOLDING", "gate")),
    breaks("N6", "a weight that is gone", "told that listener-rule/a is at 0 per mille, and it is at 50",
           took(), read(config="at 5 %"), Told(0, "PREFLIGHT", claims={A: 0})),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}: {case.sentence}")
def test_a_promise_of_what_is_said(case: Case) -> None:
    judge(case)
