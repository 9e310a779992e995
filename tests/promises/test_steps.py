"""A step as a whole: runs that keep each promise, and runs that break it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.promises.facts import Fact, Recorded, Started
from tests.promises.runs import (
    BACK,
    B,
    Case,
    breaks,
    changed,
    judge,
    keeps,
    phase,
    read,
    record,
    replied,
    said,
    sent,
    took,
    verified,
)

SETTLING = phase("SHIFTING", "SETTLING", 0)
ASKS = phase("BAKING", "HOLDING", 0, hold="approval", deadline="soon")
RAISE = phase("BAKING", "SHIFTING", 1)


def later(fact: Recorded, at: int = 2_000) -> Recorded:
    return replace(fact, at_ms=at)


def both(*facts: Fact) -> list[Fact]:
    return [took(), took(B), read(config="at 5 %"), read(B, "at 5 %"), *facts]


CASES = (
    keeps("P5", "every route was written and read twice", both(later(verified()), later(verified(B)), SETTLING)),
    keeps("P5", "no step is in effect while it attaches", phase("PREFLIGHT", "ATTACHING", -1)),
    keeps("P5", "what a person takes as it is was read once", changed(), read(config="theirs"), said("leave"), verified(weight=70, config="theirs")),
    breaks("P5", "one route was not verified", "SETTLING at 50 per mille without listener-rule/b", both(later(verified()), SETTLING)),
    breaks("P5", "one route never had it", "without listener-rule/b", took(), read(config="at 5 %"), read(B, "at 5 %"),
           later(verified()), later(verified(B)), SETTLING),
    breaks("P5", "the second read came too soon", "was read for 1999 ms only", both(later(verified(), 1_999))),
    breaks("P5", "the second read showed something else", "not what was read last", both(read(config="found", at=1_000), later(verified()))),
    breaks("P5", "the first read was another process's", "not what was read last", both(Started(0), later(verified()))),
    keeps("N7", "a refused write is sent again", sent(), replied(answer="refused"), sent()),
    keeps("N7", "a person looked and says go on", sent(), replied(answer="lost"), said("resume"), sent()),
    keeps("N7", "restores are sent until one is answered", BACK, sent(weight=0), replied(answer="lost"), sent(weight=0)),
    breaks("N7", "a lost raise is sent again", "sent again", sent(), replied(answer="lost"), sent()),
    breaks("N7", "a raise is sent again before its answer", "sent again", sent(), sent()),
    keeps("N8", "it asks, somebody approves, it is raised", ASKS, said("approve"), RAISE),
    keeps("N8", "a step that does not ask", phase("ATTACHING", "SHIFTING", 0)),
    breaks("N8", "nobody approved", "nobody had approved", ASKS, RAISE),
    breaks("N8", "somebody approved before it asked", "nobody had approved", said("approve"), ASKS, RAISE),
    keeps("N9", "a hold with a deadline", ASKS),
    breaks("N9", "a hold without one", "without a deadline", record("phase", before="BAKING", after="HOLDING", step=0, hold="paused")),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}: {case.sentence}")
def test_a_promise_of_a_step(case: Case) -> None:
    judge(case)
