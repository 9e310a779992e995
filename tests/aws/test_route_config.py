from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.aws import route_config
from cutover.aws.restored import STICKINESS_STRATEGIES, stickiness_strategy_for, way_back
from cutover.aws.route_config import Ends, config_of_actions
from cutover.core.preflight.split import representable
from cutover.core.routing import RouteConfig
from cutover.core.values import Weight
from tests.aws.route_config_world import (
    ARN,
    DESTINATION,
    ENDS,
    SOURCE,
    THIRD,
    action_lists,
    cognito,
    forward,
    jwt,
    oidc,
)


def config(*actions: dict[str, Any], ends: Ends = ENDS) -> RouteConfig:
    return config_of_actions(actions, ends)


def blanked(one: RouteConfig) -> Any:
    """The config with our two weights (and a group of ours that weighs nothing) blanked."""
    actions = json.loads(one.text)
    for action in actions:
        groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
        others = [g for g in groups if g["TargetGroupArn"] not in (SOURCE, DESTINATION)]
        if groups:
            action["ForwardConfig"]["TargetGroups"] = others
    return actions


def test_the_short_and_the_long_spelling_of_one_group_are_the_same_config() -> None:
    short = config({"Type": "forward", "TargetGroupArn": SOURCE})
    both = config({**forward({SOURCE: 1}), "TargetGroupArn": SOURCE})
    other_weight = config({**forward({SOURCE: 100}), "Order": 1})
    assert short == both == other_weight
    assert short.weight is None
    assert not short.attached
    assert short.source_present


def test_the_order_of_groups_and_the_duration_of_disabled_stickiness_are_no_difference() -> None:
    one = config(forward({SOURCE: 90, DESTINATION: 10}))
    other = forward({DESTINATION: 10, SOURCE: 90})
    other["ForwardConfig"]["TargetGroupStickinessConfig"] = {
        "Enabled": False,
        "DurationSeconds": 60,
    }
    assert one == config(other)
    del other["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert one.hash == config(other).hash


def test_another_third_weight_or_stickiness_is_a_difference() -> None:
    one = config(forward({SOURCE: 90, DESTINATION: 10, THIRD: 1}))
    assert one.text != config(forward({SOURCE: 90, DESTINATION: 10, THIRD: 2})).text
    assert one.text != config(forward({SOURCE: 90, DESTINATION: 10, THIRD: 1}, sticky=60)).text


@pytest.mark.parametrize(
    ("source", "destination", "weight"),
    [
        (999, 0, 0),
        (0, 999, 1000),
        (990, 10, 10),
        (1, 1, 500),
        (1, 2, 667),
        (999, 1, 1),
        (1, 999, 999),
        (0, 0, None),
    ],
)
def test_the_weight_is_the_destinations_portion_of_the_pair(
    source: int, destination: int, weight: int | None
) -> None:
    assert config(forward({SOURCE: source, DESTINATION: destination, THIRD: 7})).weight == weight


@pytest.mark.parametrize(
    ("weight", "pair"),
    [
        (0, (999, 0)),
        (1, (999, 1)),
        (10, (990, 10)),
        (500, (500, 500)),
        (999, (1, 999)),
        (1000, (0, 999)),
    ],
)
def test_a_free_pair_is_written_as_w_and_1000_minus_w_and_its_ends_as_999(
    weight: int, pair: tuple[int, int]
) -> None:
    aimed = route_config.with_weight(
        config({"Type": "forward", "TargetGroupArn": SOURCE}), ENDS, weight
    )
    assert route_config.weights_of(aimed) == {SOURCE: pair[0], DESTINATION: pair[1]}
    assert aimed.weight == weight
    assert aimed.attached


def test_attaching_drops_the_shorthand_that_aws_refuses_beside_two_groups() -> None:
    aimed = route_config.with_weight(
        config({"Type": "forward", "TargetGroupArn": SOURCE}), ENDS, 0
    )
    (action,) = route_config.actions_of(aimed)
    assert "TargetGroupArn" not in action
    assert "Order" not in action


def test_a_third_group_keeps_its_share() -> None:
    found = config(forward({SOURCE: 90, THIRD: 10}))
    assert route_config.weights_of(route_config.with_weight(found, ENDS, 0)) == {
        SOURCE: 90,
        DESTINATION: 0,
        THIRD: 10,
    }
    assert route_config.weights_of(route_config.with_weight(found, ENDS, 100)) == {
        SOURCE: 81,
        DESTINATION: 9,
        THIRD: 10,
    }
    assert route_config.weights_of(route_config.with_weight(found, ENDS, 1000)) == {
        SOURCE: 0,
        DESTINATION: 90,
        THIRD: 10,
    }


def test_a_weight_that_cannot_be_set_beside_a_third_group_names_those_that_can() -> None:
    found = config(forward({SOURCE: 90, THIRD: 10}))
    with pytest.raises(
        ValueError, match=r"25 % cannot .* sum of 90; nearest that can: 20 % and 30 %"
    ):
        route_config.with_weight(found, ENDS, 250)


def test_a_third_group_of_weight_zero_leaves_the_pair_free() -> None:
    aimed = route_config.with_weight(config(forward({SOURCE: 1, THIRD: 0})), ENDS, 37)
    assert route_config.weights_of(aimed) == {SOURCE: 963, DESTINATION: 37, THIRD: 0}


def test_a_sixth_group_is_refused() -> None:
    found = config(forward({SOURCE: 1, **{ARN.format(f"g{n}"): 0 for n in range(4)}}))
    with pytest.raises(ValueError, match="already has 5 target groups"):
        route_config.with_weight(found, ENDS, 0)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([forward({THIRD: 1, DESTINATION: 1})], "is not in the action"),
        (
            [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
            "does not forward",
        ),
        ([{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}], "does not forward"),
        (
            [{"Type": "authenticate-moon", "Order": 1}, forward({SOURCE: 1}, Order=2)],
            "'authenticate-moon' is unknown",
        ),
    ],
)
def test_a_config_that_cannot_be_kept_whole_is_refused(
    actions: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        route_config.with_weight(config(*actions), ENDS, 10)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("authenticate-oidc", "AuthenticateOidcConfig"),
        ("authenticate-cognito", "AuthenticateCognitoConfig"),
        ("jwt-validation", "JwtValidationConfig"),
    ],
)
def test_an_authenticating_action_that_was_read_without_its_settings_is_never_written_by_a_raise(
    kind: str, settings: str
) -> None:
    found = config({"Type": kind, "Order": 1}, forward({SOURCE: 999, DESTINATION: 0}, Order=2))
    assert route_config.bare_actions(found) == (kind,)
    with pytest.raises(ValueError, match=f"{kind} was read without its {settings}"):
        route_config.with_weight(found, ENDS, 10)
    with pytest.raises(ValueError, match=settings):
        route_config.detach(found, ENDS)
    assert way_back(found, found, ENDS, "keep", verbatim=False) == found


def test_a_fixed_response_reads_as_neither_end() -> None:
    seen = config({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}})
    assert (seen.weight, seen.attached, seen.source_present, seen.sticky) == (
        None,
        False,
        False,
        False,
    )


def test_oidc_is_sent_back_whole_and_told_to_keep_the_secret_that_is_never_stored() -> None:
    found = config(oidc(ClientSecret="hunter2"), forward({SOURCE: 1}, Order=2))
    assert "hunter2" not in found.text
    first, last = route_config.actions_of(route_config.with_weight(found, ENDS, 10))
    assert first["AuthenticateOidcConfig"]["UseExistingClientSecret"] is True
    assert "ClientSecret" not in first["AuthenticateOidcConfig"]
    assert first["AuthenticateOidcConfig"]["AuthenticationRequestExtraParams"] == {
        "display": "page"
    }
    assert (first["Order"], last["Order"]) == (1, 2)


@pytest.mark.parametrize("before", [cognito(), jwt()])
def test_other_authentication_is_sent_back_as_found(before: dict[str, Any]) -> None:
    found = config(forward({SOURCE: 1}, Order=7), before)
    first, last = route_config.actions_of(route_config.with_weight(found, ENDS, 10))
    assert first == before
    assert last["Order"] == 7


@given(action_lists(), st.integers(0, 1000))
def test_aiming_changes_only_our_two_weights_and_reads_back_as_aimed(
    actions: list[dict[str, Any]], weight: int
) -> None:
    found = config(*actions)
    try:
        aimed = route_config.with_weight(found, ENDS, weight)
    except ValueError:
        return  # five groups already, or a third group whose share it would change
    assert aimed.weight == weight
    assert blanked(aimed) == blanked(found)
    assert aimed.sticky == found.sticky
    assert any(route_config.weights_of(aimed).values())
    assert config_of_actions(route_config.actions_of(aimed), ENDS) == aimed


@given(action_lists(third=True), st.integers(0, 1000))
def test_a_third_groups_share_of_everything_never_moves(
    actions: list[dict[str, Any]], weight: int
) -> None:
    found = config(*actions)
    if weight not in representable(route_config.pair_sum(found, ENDS)):
        with pytest.raises(ValueError, match="nearest that can"):
            route_config.with_weight(found, ENDS, weight)
        return
    aimed = route_config.with_weight(found, ENDS, weight)
    before, after = route_config.weights_of(found), route_config.weights_of(aimed)
    assert sum(before.values()) == sum(after.values())
    assert before[THIRD] == after[THIRD]


@given(action_lists(), st.integers(0, 1000), st.sampled_from(STICKINESS_STRATEGIES))
def test_the_way_back_never_leaves_the_route_without_a_weight(
    actions: list[dict[str, Any]], weight: int, stickiness_strategy: str
) -> None:
    found = config(*actions)
    try:
        live = route_config.with_weight(found, ENDS, weight)
    except ValueError:
        return
    for verbatim in (True, False):
        back = way_back(live, found, ENDS, stickiness_strategy, verbatim=verbatim)
        assert back is not None
        assert any(route_config.weights_of(back).values())
        assert route_config.weights_of(back)[SOURCE] > 0
        assert config_of_actions(route_config.actions_of(back), ENDS) == back
    assert (
        found.attached or way_back(live, found, ENDS, stickiness_strategy, verbatim=True) == found
    )


def test_verbatim_is_the_snapshot_and_takes_out_the_group_we_attached() -> None:
    snapshot = config(oidc(), forward({SOURCE: 1}, Order=2))
    live = route_config.with_weight(snapshot, ENDS, 500)
    assert way_back(live, snapshot, ENDS, "keep", verbatim=True) == snapshot


def test_unstick_switches_group_stickiness_off_where_the_destination_stays() -> None:
    snapshot = config(forward({SOURCE: 999, DESTINATION: 0}, sticky=600))
    live = route_config.with_weight(snapshot, ENDS, 250)
    back = way_back(live, snapshot, ENDS, "unstick", verbatim=True)
    assert back is not None
    assert not back.sticky
    assert route_config.weights_of(back) == {SOURCE: 999, DESTINATION: 0}


def test_remove_takes_the_destination_out_and_gives_its_weight_to_the_source() -> None:
    snapshot = config(forward({SOURCE: 80, DESTINATION: 10, THIRD: 10}, sticky=600))
    back = way_back(snapshot, snapshot, ENDS, "remove", verbatim=True)
    assert back is not None
    assert back.sticky
    assert route_config.weights_of(back) == {SOURCE: 90, THIRD: 10}


def test_what_somebody_else_changed_stays_when_only_our_weights_go_back() -> None:
    snapshot = config(forward({SOURCE: 1}))
    theirs = config(oidc(), forward({SOURCE: 500, DESTINATION: 500}, sticky=60, Order=2))
    back = way_back(theirs, snapshot, ENDS, "keep", verbatim=False)
    assert back is not None
    assert blanked(back) == blanked(theirs)
    assert back.weight == 0


def test_a_live_sum_that_cannot_carry_the_snapshots_weight_gives_the_source_everything() -> None:
    snapshot = config(forward({SOURCE: 90, DESTINATION: 10, THIRD: 100}))
    live = config(forward({SOURCE: 3, DESTINATION: 4, THIRD: 100}))
    back = way_back(live, snapshot, ENDS, "keep", verbatim=False)
    assert back is not None
    assert route_config.weights_of(back) == {SOURCE: 7, DESTINATION: 0, THIRD: 100}


@pytest.mark.parametrize(
    "live",
    [
        config(forward({THIRD: 1})),
        config({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}),
    ],
)
def test_there_is_no_way_back_without_our_groups(live: RouteConfig) -> None:
    snapshot = config(forward({SOURCE: 1}))
    assert way_back(live, snapshot, ENDS, "keep", verbatim=False) is None


@pytest.mark.parametrize(
    ("found", "target_sticky", "stickiness_strategy"),
    [
        (config(forward({SOURCE: 1})), [], "keep"),
        (config(forward({SOURCE: 999, DESTINATION: 0}, sticky=60)), [], "unstick"),
        (config(forward({SOURCE: 1}, sticky=60)), [], "remove"),
        (config(forward({SOURCE: 999, DESTINATION: 0}, sticky=60)), [SOURCE], "remove"),
        (config(forward({SOURCE: 1})), [DESTINATION], "none"),
    ],
)
def test_the_stickiness_strategy_is_the_one_that_recalls_sticky_clients(
    found: RouteConfig, target_sticky: list[str], stickiness_strategy: str
) -> None:
    assert stickiness_strategy_for(found, ENDS, target_sticky)[0] == stickiness_strategy


def test_a_config_survives_its_own_text() -> None:
    one = config(oidc(), forward({SOURCE: 750, DESTINATION: 250}, Order=2))
    assert one.weight == Weight(250)
    assert config_of_actions(json.loads(one.text), ENDS) == one


def test_a_live_pair_without_weight_beside_a_third_group_gets_the_snapshots_numbers() -> None:
    snapshot = config(forward({SOURCE: 90, DESTINATION: 0, THIRD: 10}))
    live = config(forward({SOURCE: 0, DESTINATION: 0, THIRD: 100}))
    back = way_back(live, snapshot, ENDS, "keep", verbatim=False)
    assert back is not None
    assert route_config.weights_of(back) == {SOURCE: 90, DESTINATION: 0, THIRD: 100}


def test_a_destination_that_somebody_took_out_stays_out_and_the_source_has_weight() -> None:
    snapshot = config(forward({SOURCE: 90, THIRD: 10}))
    live = config(forward({SOURCE: 0, THIRD: 10}))
    back = way_back(live, snapshot, ENDS, "keep", verbatim=False)
    assert back is not None
    assert route_config.weights_of(back) == {SOURCE: 90, THIRD: 10}
    whole = config(forward({SOURCE: 90, THIRD: 5}))
    assert way_back(whole, snapshot, ENDS, "keep", verbatim=False) == whole


def test_an_unknown_stickiness_strategy_is_refused() -> None:
    snapshot = config(forward({SOURCE: 999, DESTINATION: 0}))
    with pytest.raises(ValueError, match="no rollback stickiness strategy 'hope'"):
        way_back(snapshot, snapshot, ENDS, "hope", verbatim=True)


def test_the_seconds_of_stickiness_count_only_while_it_is_on() -> None:
    assert (
        route_config.sticky_seconds(config(forward({SOURCE: 1, DESTINATION: 1}, sticky=600)))
        == 600
    )
    assert route_config.sticky_seconds(config(forward({SOURCE: 1, DESTINATION: 1}))) == 0
    assert route_config.action_types(config(oidc(), forward({SOURCE: 1}, Order=2))) == (
        "authenticate-oidc",
        "forward",
    )
    assert route_config.others(config(forward({SOURCE: 1, THIRD: 3})), ENDS) == {THIRD: 3}


def test_detaching_leaves_the_destination_with_the_pairs_weight_and_the_rest_as_found() -> None:
    after = route_config.detach(
        config(oidc(), forward({SOURCE: 0, DESTINATION: 999, THIRD: 5}, Order=2)), ENDS
    )
    assert route_config.weights_of(after) == {DESTINATION: 999, THIRD: 5}
    assert not after.source_present
    assert after.attached
    assert route_config.action_types(after) == ("authenticate-oidc", "forward")


def test_a_lone_source_cannot_be_detached() -> None:
    with pytest.raises(ValueError, match="not in the action"):
        route_config.detach(config(forward({SOURCE: 1})), ENDS)
