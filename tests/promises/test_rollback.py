"""Going back: runs that keep each promise, and runs that break it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.promises.facts import Died, Fact, Ordered, Owner, Shown, Slept
from tests.promises.promise import broken
from tests.promises.rollback import EXACT
from tests.promises.runs import (
    BACK,
    SETTING,
    A,
    B,
    Case,
    breaks,
    changed,
    ended,
    gate,
    intent,
    judge,
    keeps,
    outcome,
    phase,
    read,
    record,
    sent,
    verified,
)

RAISED = [intent(), sent(), read(config="at 5 %")]
COMMAND = phase("HOLDING", "ROLLING_BACK", cause="command")
RESTORED = phase("ROLLING_BACK", "ROLLED_BACK")
GAVE_UP = phase("ROLLING_BACK", "NEEDS_HUMAN")
LIMIT = 15_000 + 5_000
BREACH = Shown(0, "breach")
SIGNALS = [Ordered(0, "interrupt")] * 3


CASES = (
    keeps("P10", "our own config goes back to what was found", RAISED, BACK, sent(weight=0, config="found")),
    keeps("P10", "of somebody else's config only the weights go back", RAISED, changed(), read(config="theirs"), BACK,
          sent(weight=0, config="theirs at 0")),
    keeps("P10", "a route that a person accepted keeps what they accepted", RAISED, phase("BAKING", "HOLDING"),
          verified(weight=50, config="theirs"), BACK, read(config="at 5 %"), sent(weight=0, config="theirs at 0")),
    keeps("P10", "a route that cannot be read goes back by what the journal says", RAISED, read(config=""), BACK,
          sent(weight=0, config="found")),
    keeps("P10", "sticky clients are recalled by the stickiness strategy", record("snapshot", stickiness_strategies={"listener-rule/a": "off"}),
          RAISED, BACK, sent(weight=0, config="found, not sticky")),
    breaks("P10", "a rollback that is computed and not restored", "not restored to the config", RAISED, BACK, sent(weight=0)),
    breaks("P10", "a rollback to another weight", "restored to 50 per mille, and was found at 0", RAISED, BACK, sent(weight=50)),
    breaks("P10", "somebody else's config is overwritten unread", "seen there last", changed(), read(config="theirs"), read(config=""),
           BACK, sent(weight=0, config="found")),
    breaks("P10", "what a refused write would have made is no form of ours", "unread", intent(), outcome(result="cancelled"),
           read(config="at 5 %"), read(config=""), BACK, sent(weight=0, config="found")),
    keeps("P11", "restores follow, of any process", BACK, intent(kind="restore", weight=0), record("lease"), intent(kind="restore", weight=0)),
    breaks("P11", "a move after the rollback began", "a move after", BACK, record("lease"), intent()),
    breaks("P11", "a detach after the rollback began", "a detach after", BACK, intent(kind="detach", weight=1000)),
    breaks("P11", "a restore before one began", "before any rollback", intent(kind="restore", weight=0)),
    keeps("P15", "a breach, then a person's command", BACK, GAVE_UP, COMMAND),
    breaks("P15", "a second rollback by itself", "a second time", BACK, GAVE_UP, phase("NEEDS_HUMAN", "ROLLING_BACK", cause="deadline")),
    keeps("P27", "a write in time", sent(), BREACH, BACK, sent(weight=0, at=LIMIT)),
    keeps("P27", "nothing was raised, so there is nothing to take back", BREACH, read(at=LIMIT + 1)),
    keeps("P27", "a breach whose gate holds", sent(), BREACH, phase("BAKING", "HOLDING", hold="gate"), read(at=LIMIT + 1)),
    keeps("P27", "a route that cannot be read is written later", sent(), BREACH, BACK, read(config=""), sent(weight=0, at=LIMIT + 1)),
    keeps("P27", "AWS refuses", sent(), BREACH, BACK, outcome(result="not_applied"), sent(weight=0, at=LIMIT + 1)),
    keeps("P27", "another process owns the run", sent(), Owner(0, ours=False), BREACH, read(at=LIMIT + 1)),
    keeps("P27", "the machine slept meanwhile", sent(), BREACH, Slept(9_000, 9_000), BACK, sent(weight=0, at=LIMIT + 9_000)),
    keeps("P27", "the process was killed", sent(), BREACH, Died(0), read(at=LIMIT + 1)),
    keeps("P27", "every route is as it was found", BACK, verified(), read(at=LIMIT + 1)),
    breaks("P27", "a breach and no write", "20001 ms after a breach", sent(), BREACH, BACK, read(config="at 5 %", at=LIMIT + 1)),
    breaks("P27", "a breach that nobody heeds", "after a breach", sent(), BREACH, phase("SETTLING", "BAKING"), Shown(LIMIT + 1, "pass")),
    breaks("P27", "a write that comes too late", "after a breach", sent(), BREACH, BACK, sent(weight=0, at=LIMIT + 1)),
    keeps("N5", "it ends restored", BACK, RESTORED, ended(3)),
    keeps("N5", "it ends at a route whose groups are gone", BACK, outcome(result="impossible"),
          outcome(B, result="impossible"), GAVE_UP, ended(4)),
    keeps("N5", "it ends at a route that does not exist", record("observed", what="gone", facts={"route": B}), BACK,
          read(weight=0), GAVE_UP, ended(4)),
    breaks("N5", "it gives up for one route and leaves the other as it is", "could still be restored",
           record("observed", what="gone", facts={"route": B}), BACK, read(weight=50), GAVE_UP),
    keeps("N5", "the third signal ends it", BACK, SIGNALS, ended(4)),
    keeps("N5", "another process has it now", BACK, Owner(0, ours=False), ended(4)),
    keeps("N5", "it is killed and the next one ends it", BACK, Died(0), RESTORED, ended(3)),
    breaks("N5", "it gives up without a reason", "gave up", BACK, GAVE_UP),
    breaks("N5", "a route that came back is no reason", "gave up", record("observed", what="gone", facts={"route": B}),
           record("observed", what="config", facts={"route": B}), BACK, GAVE_UP),
    breaks("N5", "it becomes a hold", "ended in HOLDING", BACK, phase("ROLLING_BACK", "HOLDING")),
    breaks("N5", "the second signal ends it", "in the middle of a rollback", BACK, SIGNALS[1:], ended(4)),
    breaks("N5", "a bug ends it", "ended with 1 in the middle", BACK, gate("PASS"), ended(1)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}: {case.sentence}")
def test_a_promise_of_going_back(case: Case) -> None:
    judge(case)


def test_only_what_somebody_else_took_out_goes_back_to_less_than_was_found() -> None:
    setting = replace(SETTING, found={A: ("found", 100), B: ("found", 100)})
    back = sent(weight=0, config="theirs, as it is")

    def said(*facts: Fact) -> list[str]:
        return broken([EXACT], setting, (*RAISED, changed(), *facts, BACK, back))

    assert said(read(config="theirs", taken_out=True)) == []
    for still_there in (read(config="theirs"), read(config="found", taken_out=True)):
        assert any("was found at 100" in one for one in said(still_there))
