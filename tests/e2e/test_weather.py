"""Bad networks: lost replies, broken connections, throttling. A run gets there all the same."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.stage import Record, Stage
from tests.e2e.witness import is_write

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ONE_STEP = ("weight: 25, bake: 2s",)


def sent(stage: Stage, wanted: str) -> list[Record]:
    """Intents or outcomes of the calls that were sent: on a slow disk a write may first be cancelled as too late."""
    found: list[tuple[Record, Record]] = []
    open_intents: dict[str, Record] = {}
    for one in stage.records():
        if one["type"] == "intent":
            open_intents[one["route"]] = one
        elif one["type"] == "outcome" and one["result"] != "cancelled":
            found.append((open_intents[one["route"]], one))
    return [intent if wanted == "intent" else outcome for intent, outcome in found]


def test_a_write_whose_reply_is_lost_is_settled_by_reading_and_never_sent_again(
    stage: Stage,
) -> None:
    stage.witness.happens("lost", is_write(), times=100)
    stage.expect(stage.run(stage.plan(*ONE_STEP)), 0)
    assert stage.shares() == {0.25}
    results = [one["result"] for one in sent(stage, "outcome")]
    assert results == ["ambiguous", "ambiguous"]
    assert Counter(one.share for one in stage.witness.effects()) == {0.0: 1, 0.25: 1}


def test_a_raise_without_an_answer_is_read_for_and_never_sent_again_by_itself(
    stage: Stage,
) -> None:
    stage.witness.happens("swallow", is_write(at_least=0.05))
    run = stage.run(stage.plan(*ONE_STEP))
    stage.until(
        "ambiguous raise", lambda: [one["result"] for one in sent(stage, "outcome")][1:], run
    )
    seen = len(stage.witness.calls)

    def read_on() -> bool:
        later = [call for call in stage.witness.calls[seen:] if not call.mutates]
        return sum(call.operation == "DescribeRules" for call in later) >= 5

    stage.until("five more reads", read_on, run)
    assert [one["result"] for one in sent(stage, "outcome")] == ["applied", "ambiguous"]
    assert len([call for call in stage.witness.writes() if call.share == 0.25]) == 1
    assert stage.say("rollback", "one").code == 0
    stage.expect(run, 3)
    assert stage.is_restored()


def test_throttled_reads_and_writes_only_cost_time(stage: Stage) -> None:
    stage.witness.happens("throttle", is_write(), times=2)
    stage.witness.happens(
        "throttle", lambda call: not call.mutates and call.number % 4 == 0, times=10_000
    )
    stage.expect(stage.run(stage.plan(*ONE_STEP)), 0)
    assert stage.shares() == {0.25}


@pytest.mark.stage(rules=2)
def test_a_rollback_keeps_trying_until_aws_lets_it(stage: Stage) -> None:
    run = stage.run(stage.plan("weight: 10, bake: 30s"))
    stage.until_phase("BAKING", run, step=0)
    stage.witness.happens("throttle", is_write(at_most=0.0), times=2)
    stage.witness.happens("lost", is_write(at_most=0.0), times=1)
    stage.witness.happens("500", is_write(at_most=0.0), times=1)
    stage.witness.traffic.break_destination(0.5)
    stage.expect(run, 3)
    assert stage.is_restored()
    stage.verified()


@pytest.mark.stage(rules=2)
def test_a_step_that_reaches_only_one_of_two_routes_goes_back_on_both(stage: Stage) -> None:
    denied = stage.place.routes[1].arn
    stage.witness.happens(
        "denied", lambda call: call.route == denied and bool(call.share), times=1_000
    )
    stage.expect(stage.run(stage.plan("weight: 10, bake: 30s")), 3)
    assert stage.is_restored()
    rollback = next(one for one in stage.records() if one.get("after") == "ROLLING_BACK")
    assert rollback["cause"] == "partial"
