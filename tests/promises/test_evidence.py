"""What a raise rests on: runs that keep each promise, and runs that break it."""

from __future__ import annotations

import pytest

from tests.promises.facts import Fact, Health, Jumped, Recorded, Shown, Slept, Started
from tests.promises.promise import Promise, Watch
from tests.promises.runs import (
    BACK,
    MINUTE,
    SETTING,
    Case,
    breaks,
    gate,
    intent,
    judge,
    keeps,
    minutes,
    outcome,
    phase,
    read,
    record,
    replied,
    sent,
)
from tests.promises.shown import BOTH_SIDES, LANDING
from tests.promises.steps import NOT_AGAIN
from tests.promises.writes import WRITE_AHEAD

SETTLING = phase("SHIFTING", "SETTLING", 0, from_ms=10 * MINUTE)
BAKING = phase("SETTLING", "BAKING", 0)
RAISE = phase("BAKING", "SHIFTING", 1)
FIRST = phase("ATTACHING", "SHIFTING", 0)
COMPLETED = phase("BAKING", "COMPLETED", 0)
HELD = phase("BAKING", "HOLDING", 0, hold="approval")
SHIFTED = [phase("PREFLIGHT", "ATTACHING", -1), gate("WAITING"), FIRST, sent()]


def earned(*late: Fact) -> list[Fact]:
    """The first step, baked and passed, with something that came between evidence and decision."""
    return [*SHIFTED, SETTLING, *minutes(9, 10), BAKING, *minutes(11), *late, gate("PASS"), RAISE]


CASES = (
    keeps("P3", "the whole bake, a pass, and the raise", earned(), sent(weight=1000)),
    keeps("P3", "lowering needs no evidence", SHIFTED, SETTLING, phase("SETTLING", "SHIFTING", 0), sent(weight=0)),
    keeps("P3", "a restore needs no evidence", SHIFTED, BACK, read(weight=0), sent(weight=50)),
    keeps("P3", "a hold for an approval keeps its evidence", SHIFTED, SETTLING, *minutes(10), BAKING, *minutes(11), HELD,
          phase("HOLDING", "BAKING", 0), gate("PASS"), RAISE, sent(weight=1000)),
    keeps("P3", "the minute that showed the split counts", SHIFTED, SETTLING, *minutes(10, 11, 12),
          record("weight_observed", from_ms=12 * MINUTE), BAKING, *minutes(13), gate("PASS"), RAISE),
    breaks("P3", "a bake with a minute too few", "had 60000 ms", SHIFTED, SETTLING, *minutes(10), BAKING, gate("PASS"), RAISE),
    breaks("P3", "minutes from before the evidence", "had 60000 ms", SHIFTED, SETTLING, *minutes(8, 9, 10), BAKING, gate("PASS"), RAISE),
    breaks("P3", "minutes with a hole", "missing before", SHIFTED, SETTLING, *minutes(10, 12)),
    breaks("P3", "a minute that is not settled", "settled 120000 ms early", SHIFTED, SETTLING,
           Recorded(0, "minute", {"comparison": "comparison", "at_ms": 10 * MINUTE}, wall_ms=11 * MINUTE)),
    breaks("P3", "a raise while a gate waits", "errors WAITING", SHIFTED, SETTLING, *minutes(10, 11), BAKING, gate("WAITING"), RAISE),
    breaks("P3", "a raise while one of two gates is not judged afresh", "latency", SHIFTED, gate("PASS", "latency"),
           SETTLING, *minutes(10, 11), BAKING, gate("PASS"), RAISE),
    breaks("P3", "a raise and nothing was judged", "nothing was judged", SHIFTED, SETTLING, *minutes(10, 11), BAKING, RAISE),
    breaks("P3", "evidence from before a crash", "had 0 ms", earned(record("lease"))),
    breaks("P3", "evidence from before drift", "had 0 ms", earned(record("drift"))),
    breaks("P3", "evidence from before a gap", "had 0 ms", earned(record("gap", from_ms=13 * MINUTE))),
    breaks("P3", "evidence from before the process was stopped", "had 0 ms", earned(Slept(13 * MINUTE, 2 * MINUTE))),
    keeps("P3", "a stop too short to matter", earned(Slept(13 * MINUTE, 2_000)), sent(weight=1000)),
    breaks("P3", "evidence from before the clock jumped", "had 0 ms", earned(Jumped(13 * MINUTE, -3_000))),
    breaks("P3", "evidence from before a pause", "had 0 ms", earned(phase("BAKING", "HOLDING", 0, hold="paused"),
                                                                    phase("HOLDING", "BAKING", 0))),
    breaks("P3", "a raise of a step that the evidence was not for", "the evidence was for 1000", earned(), sent(weight=70, config="x")),
    breaks("P3", "a raise in the middle of a bake", "raised to 1000 per mille in BAKING",
           SHIFTED, SETTLING, BAKING, sent(weight=1000)),
    breaks("P3", "a raise after a gap in SHIFTING", "on no evidence", earned(), record("gap", from_ms=MINUTE), sent(weight=1000)),
    breaks("P3", "a route that was lowered by hand is raised again", "on no evidence",
           SHIFTED, SETTLING, phase("SETTLING", "SHIFTING", 0), read(weight=0), sent(weight=50)),
    breaks("P3", "a run completes with half a bake", "COMPLETED when step 1", SHIFTED, SETTLING, *minutes(10), BAKING, gate("PASS"), COMPLETED),
    breaks("P3", "a share accepted outside SETTLING", "in BAKING", SHIFTED, SETTLING, BAKING, record("weight_observed", from_ms=MINUTE)),
    keeps("P14", "a raise onto a source with its reserve", Health(0, 9, 10, "ec2"), FIRST),
    keeps("P14", "a rollback while nobody knows the source's health", Health(0, -1, 10, "ec2"), BACK),
    keeps("P14", "a person rolls back onto an empty source", Health(0, 0, 10, "ec2"), phase("HOLDING", "ROLLING_BACK", cause="command")),
    keeps("P14", "a new process asks for itself", Health(0, 1, 10, "ec2"), Started(0), FIRST),
    breaks("P14", "a raise below the reserve", "8 of 10", Health(0, 8, 10, "ec2"), RAISE),
    breaks("P14", "a raise while nobody knows", "unknown", Health(0, -1, 10, "ec2"), RAISE),
    breaks("P14", "a rollback by itself onto an empty source", "without a healthy target", Health(0, 0, 10, "ec2"), BACK),
    keeps("P21", "a pass leads on", gate("PASS"), Shown(0, "pass"), RAISE),
    keeps("P21", "before the first step gates may wait", gate("WAITING"), Shown(0, "waiting"), FIRST),
    keeps("P21", "what was unknown is known again", gate("UNKNOWN"), gate("PASS"), RAISE),
    breaks("P21", "a raise while a gate is unknown", "errors on comparison was UNKNOWN", gate("UNKNOWN"), RAISE),
    breaks("P21", "a first raise while a gate is unknown", "was UNKNOWN", gate("UNKNOWN"), FIRST),
    breaks("P21", "a raise though the newest look showed nothing", "had shown unknown", Shown(0, "pass"), Shown(0, "unknown"), RAISE),
    breaks("P21", "a run completes while a gate waits", "had shown waiting", Shown(0, "waiting"), COMPLETED),
    keeps("N3", "a breach that both sides show", Shown(0, "breach"), BACK),
    keeps("N3", "a deadline is no breach", Shown(0, "breach", both=False), phase("HOLDING", "ROLLING_BACK", cause="deadline")),
    breaks("N3", "a breach while one side is not published", "one side", Shown(0, "breach", both=False), BACK),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}: {case.sentence}")
def test_a_promise_of_what_a_raise_rests_on(case: Case) -> None:
    judge(case)


SHORT, NONE = Health(0, 1, 10, "ec2"), Health(0, 0, 10, "ec2")


@pytest.mark.parametrize(
    ("promise", "before", "after", "because"),
    [
        (LANDING, Health(0, 9, 10, "ec2"), RAISE, "unknown"),
        (LANDING, NONE, BACK, "without a healthy target"),
        (LANDING, SHORT, BACK, ""),
        (BOTH_SIDES, Shown(0, "breach"), BACK, "one side"),
    ],
)
def test_what_an_earlier_turn_was_shown_decides_nothing_good_in_the_next(
    promise: Promise, before: Fact, after: Fact, because: str
) -> None:
    watch, _ = Watch.over((promise,)).after(SETTING, (before,))
    _, said = watch.next_turn().after(SETTING, (after,))
    assert [because in one for one in said] == ([True] if because else [])


@pytest.mark.parametrize(
    ("promise", "facts"),
    [
        (NOT_AGAIN, (sent(), replied(answer="refused"))),
        (WRITE_AHEAD, (intent(), sent(), outcome())),
    ],
)
def test_what_is_answered_for_is_forgotten(promise: Promise, facts: tuple[Fact, ...]) -> None:
    watch, _ = Watch.over((promise,)).after(SETTING, facts)
    assert watch.memories == (promise.start,)
