"""Replies that are old, incomplete, about something else, or not AWS's at all; and a rule that is gone."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cutover.emulator.balancer import portion_of
from tests.emulator.worlds import DESTINATION, LISTENER, ONCE, RULE, SOURCE, World, moved, world


def told(made: World, route: str = RULE) -> Any:
    """The answer of a read of the route."""
    elb = made.session.client("elbv2", config=ONCE)
    if route == RULE:
        return elb.describe_rules(RuleArns=[route])["Rules"]
    return elb.describe_listeners(ListenerArns=[route])["Listeners"]


def portion(actions: Any) -> int:
    return portion_of(actions, SOURCE, DESTINATION)


@pytest.mark.parametrize(("route", "key"), [(RULE, "Actions"), (LISTENER, "DefaultActions")])
def test_a_stale_read_tells_how_a_route_was(route: str, key: str) -> None:
    fault = {"operation": "Describe*", "kind": "stale", "by": "2m", "times": 3}
    with world({"faults": [fault]}) as made:
        moved(made, 10, route)
        made.clock.sleep(60_000)
        moved(made, 20, route)
        assert portion(told(made, route)[0][key]) == 0
        made.clock.sleep(90_000)
        assert portion(told(made, route)[0][key]) == 100
        made.clock.sleep(60_000)
        assert portion(told(made, route)[0][key]) == 200


def test_a_route_that_is_incomplete_is_left_out_and_another_is_somebody_elses() -> None:
    faults = [
        {"operation": "DescribeRules", "kind": "incomplete", "times": 1},
        {"operation": "DescribeListeners", "kind": "another", "times": 1},
    ]
    with world({"faults": faults}) as made:
        assert told(made) == []
        assert [one["ListenerArn"] for one in told(made, LISTENER)] == [f"{LISTENER}0"]
        assert [one["RuleArn"] for one in told(made)] == [RULE]


def test_what_somebody_else_answers_has_no_effect() -> None:
    with world({"faults": [{"operation": "*", "kind": "foreign", "times": 2}]}) as made:
        assert "Rules" not in moved(made, 10)
        assert made.truth().weights[RULE] == 0
        elb = made.session.client("elbv2", config=ONCE)
        assert "Rules" not in elb.describe_rules(RuleArns=[RULE])


def test_a_write_that_is_answered_with_other_weights_took_effect() -> None:
    with world({"faults": [{"operation": "ModifyRule", "kind": "mismatch", "times": 1}]}) as made:
        assert portion(moved(made, 10)["Rules"][0]["Actions"]) == 0
        assert made.truth().weights[RULE] == 100
        assert portion(moved(made, 20)["Rules"][0]["Actions"]) == 200


def test_a_rule_that_is_deleted_does_not_exist_and_a_default_action_stays() -> None:
    writer = [{"when": {"after": "1m"}, "delete_rule": True}]
    with world({"writer": writer}) as made:
        made.clock.sleep(60_000)
        with pytest.raises(ClientError, match="RuleNotFound"):
            told(made)
        with pytest.raises(ClientError, match="RuleNotFound"):
            moved(made, 10)
        moved(made, 10, LISTENER)
        assert made.truth().weights == {RULE: -1, LISTENER: 100}


def test_nothing_goes_wrong_any_more_after_calm() -> None:
    scenario: dict[str, Any] = {
        "faults": [{"operation": "*", "kind": "denied"}],
        "effects": [{"errors": "50%"}],
        "health": [{"side": "source", "state": "gone"}],
        "writer": [{"when": {"after": "5m"}, "delete_rule": True}],
    }
    with world(scenario) as made:
        made.clock.sleep(60_000)
        with pytest.raises(ClientError, match="AccessDenied"):
            told(made)
        made.calm()
        made.clock.sleep(600_000)
        assert [one["RuleArn"] for one in told(made)] == [RULE]
        assert made.traffic.weather.active == ()
        group = made.balancer.group(SOURCE)
        assert group is not None
        assert len(group.targets) == len(group.members)
