"""Calls that go wrong, and whether they took effect; health; second writers; crashes; commands; endings."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from cutover.core.journal.events import Record
from cutover.core.observation import CommandName
from cutover.emulator.ending import Ending, Truth, unmet
from cutover.emulator.responses import RehearsalOverError, RunnerKilledError
from cutover.emulator.scenario import Expect
from tests import records
from tests.emulator.worlds import (
    DESTINATION,
    LISTENER,
    MINUTE,
    RULE,
    SOURCE,
    both_moved,
    moved,
    world,
)

REFUSALS = [
    ("throttled", "Throttling", 400),
    ("denied", "AccessDenied", 403),
    ("expired", "ExpiredToken", 403),
    ("error", "InternalFailure", 500),
]


@pytest.mark.parametrize(("kind", "code", "status"), REFUSALS)
def test_a_refused_write_has_no_effect(kind: str, code: str, status: int) -> None:
    with world({"faults": [{"operation": "ModifyRule", "kind": kind, "times": 1}]}) as made:
        with pytest.raises(ClientError) as refusal:
            moved(made, 10)
        assert refusal.value.response["Error"]["Code"] == code
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert made.truth().weights[RULE] == 0
        moved(made, 10)
        assert made.truth().weights[RULE] == 100


@pytest.mark.parametrize(
    ("kind", "at_once", "later"),
    [("timeout", 0, 0), ("lost_reply", 100, 100), ("delayed", 0, 100)],
)
def test_a_call_that_timed_out_may_or_may_not_have_taken_effect(
    kind: str, at_once: int, later: int
) -> None:
    with world(
        {
            "faults": [
                {
                    "operation": "ModifyRule",
                    "kind": kind,
                    "times": 1,
                    "by": "10s" if kind != "delayed" else "30s",
                }
            ]
        }
    ) as made:
        before = made.clock.ms
        with pytest.raises(ReadTimeoutError):
            moved(made, 10)
        assert made.clock.ms - before == 10_000
        assert made.truth().weights[RULE] == at_once
        made.clock.sleep(MINUTE)
        assert made.truth().weights[RULE] == later


def test_a_fault_lasts_as_long_as_it_says_and_spares_other_operations() -> None:
    with world(
        {
            "faults": [
                {
                    "when": {"after": "1m"},
                    "lasts": "2m",
                    "operation": "Describe*",
                    "kind": "throttled",
                }
            ]
        }
    ) as made:
        elb = made.session.client("elbv2")
        elb.describe_rules(RuleArns=[RULE])
        made.clock.sleep(90_000)
        with pytest.raises(ClientError):
            elb.describe_rules(RuleArns=[RULE])
        moved(made, 10)
        made.clock.sleep(2 * MINUTE)
        elb.describe_rules(RuleArns=[RULE])


def test_health_follows_attachment() -> None:
    with world({"healthy_after": "45s"}) as made:
        elb = made.session.client("elbv2")

        def states() -> set[Any]:
            found = elb.describe_target_health(TargetGroupArn=DESTINATION)[
                "TargetHealthDescriptions"
            ]
            return {(t["TargetHealth"]["State"], t["TargetHealth"].get("Reason")) for t in found}

        assert states() == {("unused", "Target.NotInUse")}
        moved(made, 0)
        assert states() == {("initial", "Elb.InitialHealthChecking")}
        made.clock.sleep(50_000)
        assert states() == {("healthy", None)}
        elb.modify_rule(RuleArn=RULE, Actions=[{"Type": "forward", "TargetGroupArn": SOURCE}])
        assert states() == {("unused", "Target.NotInUse")}


def test_targets_fall_ill_and_vanish_by_zone_and_come_back() -> None:
    health = [
        {"zone": 2, "state": "unhealthy", "when": {"after": "1m"}, "lasts": "5m"},
        {"zone": 3, "state": "gone", "when": {"after": "2m"}},
    ]
    with world({"twin": {"attached": True, "destination_targets": 9}, "health": health}) as made:

        def zones() -> list[str]:
            found = made.session.client("elbv2").describe_target_health(
                TargetGroupArn=DESTINATION
            )["TargetHealthDescriptions"]
            return sorted(
                t["Target"]["AvailabilityZone"][-1]
                for t in found
                if t["TargetHealth"]["State"] == "healthy"
            )

        assert "".join(zones()) == "aaacccddd"
        made.clock.sleep(3 * MINUTE)
        assert "".join(zones()) == "aaa"
        made.clock.sleep(5 * MINUTE)
        assert "".join(zones()) == "aaaccc"


def test_a_second_writer_changes_only_what_it_says() -> None:
    writer = [
        {"when": {"step": 1, "after": "1m"}, "route": 1, "weight": 0},
        {"when": {"step": 1, "after": "2m"}, "route": 2, "drop_both": True},
    ]
    with world({"writer": writer}) as made:
        both_moved(made, 10)
        made.clock.sleep(90_000)
        assert made.truth().weights == {RULE: 0, LISTENER: 100}
        made.clock.sleep(MINUTE)
        assert made.truth().weights == {RULE: 0, LISTENER: -1}
        assert made.truth().writes == 2


def test_a_second_writers_group_gets_its_share() -> None:
    with world({"writer": [{"when": {"after": "1m"}, "add_group": 100}]}) as made:
        made.clock.sleep(2 * MINUTE)
        assert sorted(made.balancer.weights(RULE).values()) == [100, 100]
        assert made.harm > 0  # it has no targets: the balancer answers 503


@pytest.mark.parametrize(("point", "weight"), [("before_write", 0), ("after_write", 100)])
def test_a_crash_at_a_write_leaves_what_was_sent(point: str, weight: int) -> None:
    with world(
        {"crash": [{"when": {"step": 1}, "point": point, "back_after": "40m", "rebooted": True}]}
    ) as made:
        moved(made, 0)
        before = made.clock.now()
        with pytest.raises(RunnerKilledError) as death:
            moved(made, 10)
        assert made.truth().weights[RULE] == weight
        assert made.revive(death.value) == ("resume",)
        after = made.clock.now()
        assert (after.wall - before.wall).total_seconds() == 40 * 60
        assert after.boot_id != before.boot_id
        moved(made, 10)  # it happens once


def test_no_except_exception_survives_a_crash() -> None:
    assert not issubclass(RunnerKilledError, Exception)
    assert not issubclass(RehearsalOverError, Exception)


def test_commands_come_at_their_time_and_wake_the_loop() -> None:
    with world(
        {"operator": [{"when": {"after": "3m"}, "command": "pause", "why": "lunch"}]}
    ) as made:
        start = made.clock.now()
        assert made.inbox.wait(start.plus(2 * MINUTE)) == ()
        commands = made.inbox.wait(start.plus(20 * MINUTE))
        assert [(w.name, w.why) for w in commands] == [(CommandName.PAUSE, "lunch")]
        assert made.clock.now().after(start) == 3 * MINUTE
        assert made.inbox.wait(start) == ()


def test_somebody_approves_some_time_after_being_asked() -> None:
    with world({"approve_after": "7m"}) as made:
        start = made.clock.now()
        made.listener.on_record(
            Record(1, 1, start, records.phase_changed("BAKING", "HOLDING", "asked", 1, "approval"))
        )
        commands = made.inbox.wait(start.plus(60 * MINUTE))
        assert [w.name for w in commands] == [CommandName.APPROVE]
        assert made.clock.now().after(start) == 7 * MINUTE


def test_a_rehearsal_ends_at_its_limit() -> None:
    with world({"limit": "2h"}) as made:
        start = made.clock.now()
        assert made.inbox.wait(start.plus(119 * MINUTE)) == ()
        with pytest.raises(RehearsalOverError):
            made.inbox.wait(start.plus(121 * MINUTE))


def test_conditions_by_phase_hold_and_going_back() -> None:
    says = [
        {"when": {"phase": "BAKING"}, "command": "pause"},
        {"when": {"hold": "drift"}, "command": "resume"},
        {"when": {"going_back": True}, "command": "finish"},
    ]
    with world({"operator": says, "approve_after": "never"}) as made:

        def heard() -> list[str]:
            return [str(w.name) for w in made.inbox.wait(made.clock.now().plus(1000))]

        assert heard() == []
        made.listener.on_record(
            Record(1, 1, made.clock.now(), records.phase_changed("SETTLING", "BAKING", "", 1))
        )
        assert heard() == ["pause"]
        made.listener.on_record(
            Record(
                2, 1, made.clock.now(), records.phase_changed("BAKING", "HOLDING", "", 1, "drift")
            )
        )
        assert heard() == ["resume"]
        moved(made, 10)
        assert heard() == []
        moved(made, 5)
        assert heard() == ["finish"]


def test_replies_carry_the_virtual_date_and_aws_own_clock() -> None:
    with world({"aws_clock": 90_000}) as made:
        for answer in (
            made.session.client("sts").get_caller_identity(),
            made.session.client("elbv2").describe_load_balancers(),
        ):
            assert (
                answer["ResponseMetadata"]["HTTPHeaders"]["date"]
                == "Tue, 03 Mar 2026 00:31:30 GMT"
            )


def ending(**changes: Any) -> Ending:
    truth = Truth(
        {RULE: 0},
        {RULE: 0},
        {},
        changes.pop("requests", 0),
        changes.pop("harmed", 0),
        changes.pop("highest", 50),
        4,
    )
    return Ending(
        **{
            "outcome": "rolled_back",
            "exit_code": 3,
            "reason": "errors: 5 % failed",
            "truth": truth,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        (
            {
                "outcome": "rolled_back",
                "exit_code": 3,
                "weight": 0,
                "reached": 5,
                "step": 2,
                "reason": "FAILED",
                "harmed_at_most": 0,
            },
            None,
        ),
        ({"outcome": "completed"}, "expected outcome completed, got rolled_back"),
        ({"exit_code": 0}, "expected exit code 0, got 3"),
        ({"weight": 100}, "expected a final weight of 100 %, got 0 %"),
        ({"step": 3}, "expected the last step written 3, got 2"),
        ({"reached": 25}, "expected the highest weight 25 %, got 5 %"),
        ({"reason": "latency"}, "expected a reason like 'latency', got 'errors: 5 % failed'"),
        ({"writes_at_most": 3}, "expected writes of at most 3, got 4"),
    ],
)
def test_an_ending_is_compared_with_what_was_expected(
    expect: dict[str, Any], said: str | None
) -> None:
    assert unmet(Expect.model_validate(expect), ending(steps=(10, 50, 250))) == (
        () if said is None else (said,)
    )


@pytest.mark.parametrize(
    ("weight", "live", "met"),
    [("unchanged", 50, True), ("unchanged", 0, False), ("last", 250, True), ("last", 50, False)],
)
def test_a_final_weight_may_be_what_the_trouble_found_or_that_of_the_last_step(
    weight: str, live: int, *, met: bool
) -> None:
    truth = Truth({RULE: live}, {RULE: live}, {}, 0, 0, 250, 4, found=50)
    end = ending(truth=truth, steps=(10, 50, 250))
    assert (unmet(Expect(weight=weight), end) == ()) is met


def test_a_raise_after_the_trouble_began_is_told() -> None:
    truth = Truth({RULE: 0}, {RULE: 0}, {}, 0, 0, 250, 4, found=50, found_highest=50)
    assert unmet(Expect(no_raise_after=True), ending(truth=truth)) == (
        "expected no weight above 5 %, got 25 %",
    )


@pytest.mark.parametrize(
    ("rate", "harmed", "within"),
    [(6_000.0, 300, True), (6_000.0, 301, False), (60.0, 100, True), (60.0, 101, False)],
)
def test_an_outage_is_counted_in_requests_of_the_destination_and_some_are_always_allowed(
    rate: float, harmed: int, *, within: bool
) -> None:
    truth = Truth({RULE: 0}, {RULE: 0}, {}, 0, harmed, 50, 4, rate=rate)
    assert (
        unmet(Expect.model_validate({"outage_at_most": "60s"}), ending(truth=truth)) == ()
    ) is within


def test_harm_and_strays_are_compared_too() -> None:
    assert unmet(Expect(harmed_at_most=5), ending(harmed=6)) == (
        "expected harmed requests of at most 5, got 6",
    )
    assert unmet(Expect(no_requests_to_destination=True), ending(requests=1)) == (
        "expected requests to the destination: none, got 1",
    )
