"""What AWS refuses is refused here, with AWS's code; moto alone would take it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cutover.emulator.balancer import forward
from cutover.emulator.topology import NOT_FOUND
from cutover.emulator.world import World
from tests.emulator.worlds import (
    DESTINATION,
    LISTENER,
    MINUTE,
    RULE,
    SOURCE,
    both_moved,
    world,
)

OTHER = SOURCE.replace("checkout-ec2", "nobody")
STICKY = {"TargetGroupStickinessConfig": {"Enabled": True}}
OIDC = {
    "Type": "authenticate-oidc",
    "Order": 1,
    "AuthenticateOidcConfig": {
        "Issuer": "https://id.example.com",
        "AuthorizationEndpoint": "https://id.example.com/a",
        "TokenEndpoint": "https://id.example.com/t",
        "UserInfoEndpoint": "https://id.example.com/u",
        "ClientId": "c",
    },
}


def to(**weights: Any) -> dict[str, Any]:
    arns = {"source": SOURCE, "destination": DESTINATION}
    return forward({arns[name]: weight for name, weight in weights.items()})


def groups(*tuples: Any) -> dict[str, Any]:
    return {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": a, **w} for a, w in tuples]},
    }


SIX = groups(*((f"{SOURCE}{n}", {"Weight": 1}) for n in range(6)))
REFUSED = [
    ("weight 1000", [to(source=0, destination=1000)], "ValidationError"),
    ("weight -1", [to(source=100, destination=-1)], "ValidationError"),
    ("all weights zero", [to(source=0, destination=0)], "InvalidLoadBalancerAction"),
    ("two groups and no weight", [groups((SOURCE, {}), (DESTINATION, {}))], "ValidationError"),
    ("six groups", [SIX], "TooManyTargetGroups"),
    ("one group twice", [groups((SOURCE, {"Weight": 1}), (SOURCE, {"Weight": 2}))], "ValidationError"),
    ("TargetGroupArn beside two groups", [{**to(source=1, destination=1), "TargetGroupArn": SOURCE}], "ValidationError"),
    ("TargetGroupArn of another group", [{**groups((SOURCE, {"Weight": 1})), "TargetGroupArn": DESTINATION}], "ValidationError"),
    ("no group", [{"Type": "forward", "ForwardConfig": {"TargetGroups": []}}], "ValidationError"),
    ("stickiness without a duration", [{**(f := to(source=1, destination=1)), "ForwardConfig": {**f["ForwardConfig"], **STICKY}}], "ValidationError"),
    ("an unknown group", [forward({SOURCE: 1, OTHER: 1})], "TargetGroupNotFound"),
    ("no action", [], "ValidationError"),
    ("two routing actions", [{**to(source=1), "Order": 1}, {**NOT_FOUND, "Order": 2}], "InvalidLoadBalancerAction"),
    ("no routing action", [OIDC], "InvalidLoadBalancerAction"),
    ("several actions without Order", [{k: v for k, v in OIDC.items() if k != "Order"}, to(source=1)], "ValidationError"),
    ("the same Order twice", [OIDC, {**to(source=1), "Order": 1}], "ValidationError"),
    ("routing before authenticating", [{**OIDC, "Order": 2}, {**to(source=1), "Order": 1}], "InvalidLoadBalancerAction"),
    ("an authenticating action without its settings", [{"Type": "jwt-validation", "Order": 1}, {**to(source=1), "Order": 2}], "ValidationError"),
    ("OIDC without its secret", [OIDC, {**to(source=1), "Order": 2}], "InvalidLoadBalancerAction"),
]  # fmt: skip


@pytest.fixture(scope="module")
def one_world() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.mark.parametrize(("what", "actions", "code"), REFUSED, ids=[row[0] for row in REFUSED])
@pytest.mark.parametrize("route", ["rule", "listener"])
def test_a_wrong_action_list_is_refused_and_changes_nothing(
    one_world: World, route: str, what: str, actions: list[dict[str, Any]], code: str
) -> None:
    elb = one_world.session.client("elbv2")
    before = one_world.balancer.actions(RULE), one_world.balancer.actions(LISTENER)
    write = {
        "rule": partial(elb.modify_rule, RuleArn=RULE, Actions=actions),
        "listener": partial(elb.modify_listener, ListenerArn=LISTENER, DefaultActions=actions),
    }
    with pytest.raises(ClientError) as refusal:
        write[route]()
    assert refusal.value.response["Error"]["Code"] == code
    assert (one_world.balancer.actions(RULE), one_world.balancer.actions(LISTENER)) == before
    assert one_world.truth().writes == 0


def test_the_default_rule_is_changed_by_its_listener_only(one_world: World) -> None:
    elb = one_world.session.client("elbv2")
    rules = elb.describe_rules(ListenerArn=LISTENER)["Rules"]
    default = next(rule["RuleArn"] for rule in rules if rule["IsDefault"])
    with pytest.raises(ClientError) as refusal:
        elb.modify_rule(RuleArn=default, Actions=[to(source=1)])
    assert refusal.value.response["Error"]["Code"] == "OperationNotPermitted"


def test_errors_are_the_classes_of_the_service(one_world: World) -> None:
    elb = one_world.session.client("elbv2")
    with pytest.raises(elb.exceptions.TargetGroupNotFoundException):
        elb.modify_listener(ListenerArn=LISTENER, DefaultActions=[forward({SOURCE: 1, OTHER: 1})])
    with pytest.raises(elb.exceptions.RuleNotFoundException):
        elb.describe_rules(RuleArns=[RULE[:-1] + "f"])


def test_target_stickiness_forbids_a_rule_without_group_stickiness() -> None:
    with world({"twin": {"target_sticky": True, "sticky": "1h"}}) as made:
        elb = made.session.client("elbv2")
        with pytest.raises(ClientError, match="must enable group stickiness"):
            elb.modify_rule(RuleArn=RULE, Actions=[to(source=100, destination=0)])
        elb.modify_rule(
            RuleArn=RULE, Actions=[to(source=1)]
        )  # one group alone is legal: the way back


def test_target_stickiness_can_not_be_turned_on_under_an_unsticky_rule() -> None:
    with world({"twin": {"attached": True}}) as made:
        on = [{"Key": "stickiness.enabled", "Value": "true"}]
        with pytest.raises(ClientError) as refusal:
            made.session.client("elbv2").modify_target_group_attributes(
                TargetGroupArn=SOURCE, Attributes=on
            )
        assert refusal.value.response["Error"]["Code"] == "InvalidConfigurationRequest"


def test_the_oidc_secret_is_never_shown_and_survives_use_existing_client_secret() -> None:
    with world({"twin": {"authenticate": {"kind": "oidc"}}}) as made:
        elb = made.session.client("elbv2")
        actions = elb.describe_rules(RuleArns=[RULE])["Rules"][0]["Actions"]
        config = actions[0]["AuthenticateOidcConfig"]
        assert "ClientSecret" not in config
        assert config["SessionCookieName"] == "AWSELBAuthSessionCookie"
        assert [action["Order"] for action in actions] == [1, 2]
        with pytest.raises(ClientError, match="client secret must be specified"):
            elb.modify_rule(RuleArn=RULE, Actions=actions)
        config["UseExistingClientSecret"] = True
        answer = elb.modify_rule(RuleArn=RULE, Actions=actions)
        assert "secret that no reply" not in str(answer)
        assert "UseExistingClientSecret" not in str(answer)
        stored = made.balancer.actions(RULE)[0]["AuthenticateOidcConfig"]
        assert stored["ClientSecret"] == "a secret that no reply may show"
        assert "UseExistingClientSecret" not in stored


def test_a_single_group_reads_back_as_target_group_arn_and_forward_config(
    one_world: World,
) -> None:
    action = one_world.session.client("elbv2").describe_rules(RuleArns=[RULE])["Rules"][0][
        "Actions"
    ][0]
    assert action["TargetGroupArn"] == SOURCE
    assert [g["TargetGroupArn"] for g in action["ForwardConfig"]["TargetGroups"]] == [SOURCE]


def test_omitted_stickiness_is_off_afterwards_and_a_third_group_stays() -> None:
    with world({"twin": {"sticky": "1h", "third_group": 7}}) as made:
        elb = made.session.client("elbv2")
        action = elb.describe_rules(RuleArns=[RULE])["Rules"][0]["Actions"][0]
        assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == {
            "Enabled": True,
            "DurationSeconds": 3600,
        }
        del action["ForwardConfig"]["TargetGroupStickinessConfig"]
        after = elb.modify_rule(RuleArn=RULE, Actions=[action])["Rules"][0]["Actions"][0]
        assert after["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": False}
        assert sorted(g["Weight"] for g in after["ForwardConfig"]["TargetGroups"]) == [7, 100]


READS = [
    ("describe_rules", {"RuleArns": [RULE]}),
    ("describe_listeners", {"ListenerArns": [LISTENER]}),
    ("describe_target_health", {"TargetGroupArn": DESTINATION}),
    ("describe_target_health", {"TargetGroupArn": SOURCE}),
]


@pytest.mark.parametrize(("operation", "asked"), READS)
def test_a_read_answered_without_the_wire_is_what_the_wire_would_answer(
    operation: str, asked: dict[str, Any]
) -> None:
    def answer(*, fast: bool) -> Any:
        facts = {
            "twin": {"attached": True, "sticky": "1h", "third_group": 5},
            "health": [{"count": 3, "state": "unhealthy"}],
        }
        with world(facts, fast=fast) as made:
            made.clock.sleep(1000)
            found = getattr(made.session.client("elbv2"), operation)(**asked)
            found.pop("ResponseMetadata")
            return found

    assert answer(fast=True) == answer(fast=False)


def test_a_world_that_has_ended_is_forgotten_whole() -> None:
    with world() as made:
        both_moved(made, 50)
        made.clock.sleep(2 * MINUTE)
        ended = weakref.ref(made)
    del made
    gc.collect()
    assert ended() is None
