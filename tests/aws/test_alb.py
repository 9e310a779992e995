from __future__ import annotations

import json
import shlex

import pytest
from botocore.stub import Stubber

from cutover.aws.alb import AlbRouter, balancer_of, listener_of
from cutover.aws.retry import FOREIGN_REPLY, READ_BUDGET_MS
from cutover.aws.route_config import weights_of
from cutover.core.observation import Known, Unknown
from cutover.core.routing import RouteConfig, config_body, config_of
from cutover.core.values import RouteId, Weight
from cutover.ports import NOT_SENT, Change, Unconditional, WriteResult
from tests.aws.topology import INLINE, Faults, Late, StepClock, World, session, stubbed, world


@pytest.fixture
def there() -> World:
    return world()


def router(there: World, *more: RouteId) -> AlbRouter:
    routes = (there.rule, RouteId(there.listener), there.default_rule, *more)
    return AlbRouter(there.aws, INLINE, dict.fromkeys(routes, there.ends))


def config(alb: AlbRouter, route: RouteId) -> RouteConfig:
    reading = alb.read([route])[route]
    assert isinstance(reading, Known), reading
    return reading.value


def aimed(alb: AlbRouter, route: RouteId, weight: int) -> Change:
    return Change(route, alb.with_weight(route, config(alb, route), Weight(weight)))


def test_a_rule_and_a_default_action_move_together_and_read_back(there: World) -> None:
    alb = router(there)
    listener = RouteId(there.listener)
    outcomes = alb.write([aimed(alb, there.rule, 250), aimed(alb, listener, 250)], Unconditional())
    assert {o.result for o in outcomes.values()} == {WriteResult.APPLIED}
    assert all(o.request_id for o in outcomes.values())
    assert list(outcomes) == [there.rule, listener]
    for route in (there.rule, listener):
        assert weights_of(config(alb, route)) == {there.source: 750, there.destination: 250}
        assert config(alb, route).weight == 250


def test_the_snapshot_comes_back_exactly(there: World) -> None:
    alb = router(there)
    before = config(alb, there.rule)
    alb.write([aimed(alb, there.rule, 500)], Unconditional())
    back = alb.restored(there.rule, config(alb, there.rule), before, "keep", verbatim=True)
    assert back is not None
    alb.write([Change(there.rule, back)], Unconditional())
    assert config(alb, there.rule) == before


def test_what_is_restored_is_what_was_found_to_the_letter(there: World) -> None:
    found = [
        {
            "Type": "forward",
            "Order": 1,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": there.source, "Weight": 100}],
                "TargetGroupStickinessConfig": {"Enabled": False, "DurationSeconds": 3600},
            },
        }
    ]
    there.elb.modify_rule(RuleArn=there.rule, Actions=found)
    alb, before = router(there), there.rule_actions()
    snapshot = config_of(json.loads(json.dumps(config_body(config(alb, there.rule)))))
    alb.write([aimed(alb, there.rule, 500)], Unconditional())
    moved = there.rule_actions()[0]["ForwardConfig"]
    assert moved["TargetGroupStickinessConfig"]["DurationSeconds"] == 3600
    back = alb.restored(there.rule, config(alb, there.rule), snapshot, "keep", verbatim=True)
    assert back is not None
    alb.write([Change(there.rule, back)], Unconditional())
    assert there.rule_actions() == before
    (command,) = alb.restore_commands({there.rule: snapshot})
    assert json.loads(shlex.split(command)[6]) == before


def test_a_duration_that_is_off_survives_a_change_of_our_two_weights_only(there: World) -> None:
    groups = [
        {"TargetGroupArn": there.source, "Weight": 60},
        {"TargetGroupArn": there.destination, "Weight": 40},
    ]
    off = {"Enabled": False, "DurationSeconds": 600}
    theirs = {"TargetGroups": groups, "TargetGroupStickinessConfig": off}
    alb = router(there)
    snapshot = config(alb, there.rule)
    there.elb.modify_rule(
        RuleArn=there.rule, Actions=[{"Type": "forward", "ForwardConfig": theirs}]
    )
    back = alb.restored(there.rule, config(alb, there.rule), snapshot, "keep", verbatim=False)
    assert back is not None
    alb.write([Change(there.rule, back)], Unconditional())
    assert there.rule_actions()[0]["ForwardConfig"]["TargetGroupStickinessConfig"] == off


def test_a_default_rule_is_read_and_written_through_its_listener(there: World) -> None:
    alb = router(there)
    config(alb, there.default_rule)
    faults = Faults({}).install(there.aws)
    outcome = alb.write([aimed(alb, there.default_rule, 10)], Unconditional())[there.default_rule]
    assert outcome.result is WriteResult.APPLIED
    assert faults.calls[-1] == "ModifyListener"
    assert "ModifyRule" not in faults.calls
    assert config(alb, there.default_rule).weight == 10
    assert alb.restore_commands({there.default_rule: config(alb, there.default_rule)})[
        0
    ].startswith(f"aws elbv2 modify-listener --listener-arn {there.listener} ")


def test_many_routes_are_read_in_few_calls(there: World) -> None:
    rules = [
        RouteId(
            there.elb.create_rule(
                ListenerArn=there.listener,
                Priority=100 + n,
                Conditions=[{"Field": "path-pattern", "Values": [f"/{n}"]}],
                Actions=[{"Type": "forward", "TargetGroupArn": there.source}],
            )["Rules"][0]["RuleArn"]
        )
        for n in range(25)
    ]
    alb = router(there, *rules)
    faults = Faults({}).install(there.aws)
    readings = alb.read([*rules, RouteId(there.listener)])
    assert list(readings) == [*rules, there.listener]
    assert all(isinstance(one, Known) for one in readings.values())
    assert sorted(faults.calls) == ["DescribeListeners", "DescribeRules", "DescribeRules"]


def test_a_rule_that_is_gone_hides_no_other(there: World) -> None:
    gone = RouteId(there.rule[:-4] + "beef")
    readings = router(there, gone).read([gone, there.rule])
    lost = readings[gone]
    assert isinstance(lost, Unknown)
    assert lost.code == "RuleNotFound"
    assert lost.gone
    assert isinstance(readings[there.rule], Known)


def test_a_route_that_an_answer_leaves_out_is_unknown_and_never_gone(there: World) -> None:
    aws = stubbed("elbv2", ("describe_rules", {"Rules": []}))
    left_out = AlbRouter(aws, INLINE, {there.rule: there.ends}).read([there.rule])[there.rule]
    assert isinstance(left_out, Unknown)
    assert left_out.code == FOREIGN_REPLY
    assert not left_out.gone


@pytest.mark.parametrize(
    ("fault", "result", "code", "applied"),
    [
        ("throttle", WriteResult.NOT_APPLIED, "Throttling", False),
        ("denied", WriteResult.NOT_APPLIED, "AccessDenied", False),
        ("expired", WriteResult.NOT_APPLIED, "ExpiredToken", False),
        ("unconnected", WriteResult.NOT_APPLIED, "not_connected", False),
        ("500", WriteResult.AMBIGUOUS, "InternalFailure", False),
        ("lost", WriteResult.AMBIGUOUS, "timeout", True),
        ("reset", WriteResult.AMBIGUOUS, "connection", True),
    ],
)
def test_a_write_is_sent_once_and_its_outcome_is_only_as_sure_as_the_reply(
    there: World, fault: str, result: WriteResult, code: str, applied: bool
) -> None:
    alb = router(there)
    change = aimed(alb, there.rule, 100)
    faults = Faults({"ModifyRule": [fault]}).install(there.aws)
    outcome = alb.write([change], Unconditional())[there.rule]
    assert (outcome.result, outcome.code) == (result, code)
    assert outcome.denied == (fault in ("denied", "expired"))
    assert faults.calls == ["ModifyRule"]
    assert (config(alb, there.rule).weight == 100) is applied


def test_one_routes_failure_does_not_stop_the_others(there: World) -> None:
    alb = router(there)
    listener = RouteId(there.listener)
    changes = [aimed(alb, there.rule, 100), aimed(alb, listener, 100)]
    Faults({"ModifyRule": ["throttle"]}).install(there.aws)
    outcomes = alb.write(changes, Unconditional())
    assert outcomes[there.rule].result is WriteResult.NOT_APPLIED
    assert outcomes[listener].result is WriteResult.APPLIED


def test_a_throttled_read_is_tried_again_through_the_clock(there: World) -> None:
    Faults({"DescribeRules": ["throttle", "500", "lost"]}).install(there.aws)
    assert isinstance(router(there).read([there.rule])[there.rule], Known)
    clock = there.aws.clock
    assert isinstance(clock, StepClock)
    assert len(clock.slept) == 3
    assert sum(clock.slept) < READ_BUDGET_MS


def test_a_read_that_stays_throttled_is_unknown_within_its_budget(there: World) -> None:
    Faults({"DescribeRules": ["throttle"] * 99}).install(there.aws)
    reading = router(there).read([there.rule])[there.rule]
    assert isinstance(reading, Unknown)
    assert (reading.code, reading.denied) == ("Throttling", False)
    clock = there.aws.clock
    assert isinstance(clock, StepClock)
    assert 4_000 < sum(clock.slept) <= READ_BUDGET_MS


def test_a_denied_read_is_not_tried_again(there: World) -> None:
    faults = Faults({"DescribeRules": ["expired"]}).install(there.aws)
    reading = router(there).read([there.rule])[there.rule]
    assert isinstance(reading, Unknown)
    assert reading.denied
    assert faults.calls == ["DescribeRules"]


def test_a_dry_run_sends_no_write() -> None:
    dry = world(dry_run=True)
    alb = router(dry)
    faults = Faults({}).install(dry.aws)
    outcome = alb.write([aimed(alb, dry.rule, 100)], Unconditional())[dry.rule]
    assert (outcome.result, outcome.code) == (WriteResult.NOT_APPLIED, "DryRun")
    assert "ModifyRule" not in faults.calls


def test_a_reply_with_other_weights_is_ambiguous(there: World) -> None:
    alb = router(there)
    change = aimed(alb, there.rule, 100)
    aws = stubbed(
        "elbv2",
        ("modify_rule", {"Rules": [{"RuleArn": there.rule, "Actions": there.rule_actions()}]}),
    )
    outcome = AlbRouter(aws, INLINE, {there.rule: there.ends}).write([change], Unconditional())[
        there.rule
    ]
    assert (outcome.result, outcome.code) == (WriteResult.AMBIGUOUS, "ResponseMismatch")


def test_a_reply_without_the_rule_is_ambiguous(there: World) -> None:
    alb = router(there)
    change = aimed(alb, there.rule, 100)
    aws = stubbed("elbv2", ("modify_rule", {"Rules": []}))
    assert (
        AlbRouter(aws, INLINE, {there.rule: there.ends})
        .write([change], Unconditional())[there.rule]
        .result
        is WriteResult.AMBIGUOUS
    )


def test_jwt_validation_is_sent_back_as_it_was_read(there: World) -> None:
    jwt = {
        "Type": "jwt-validation",
        "Order": 1,
        "JwtValidationConfig": {
            "JwksEndpoint": "https://idp.example.com/jwks",
            "Issuer": "https://idp.example.com",
        },
    }
    last = {"Type": "forward", "Order": 2, "TargetGroupArn": there.source}
    aws = stubbed(
        "elbv2", ("describe_rules", {"Rules": [{"RuleArn": there.rule, "Actions": [jwt, last]}]})
    )
    alb = AlbRouter(aws, INLINE, {there.rule: there.ends})
    with_weight = alb.with_weight(there.rule, config(alb, there.rule), Weight(10))
    command = alb.restore_commands({there.rule: with_weight})[0]
    sent = json.loads(shlex.split(command)[6])
    assert sent[0] == jwt
    assert sent[1]["Order"] == 2


def test_a_restore_command_is_one_plain_line_with_everything_in_it(there: World) -> None:
    alb = router(there)
    found = config(alb, there.rule)
    commands = shlex.split(alb.restore_commands({there.rule: found})[0])
    assert commands[:5] == ["aws", "elbv2", "modify-rule", "--rule-arn", there.rule]
    assert commands[5] == "--actions"
    assert json.loads(commands[6]) == there.rule_actions()
    assert commands[7:] == ["--region", "eu-west-1"]


def test_arns_lead_to_their_listener_and_balancer(there: World) -> None:
    assert listener_of(there.rule) == there.listener == listener_of(there.listener)
    assert balancer_of(there.rule) == there.balancer == balancer_of(there.listener)


def test_a_write_that_was_never_begun_in_time_never_leaves(there: World) -> None:
    change = aimed(router(there), there.rule, 100)
    late = AlbRouter(there.aws, Late(), {there.rule: there.ends})
    outcome = late.write([change], Unconditional())[there.rule]
    assert (outcome.result, outcome.code) == (WriteResult.NOT_APPLIED, NOT_SENT)
    reading = late.read([there.rule])[there.rule]
    assert isinstance(reading, Unknown)
    assert reading.code == "timeout"


def test_a_rule_that_turns_out_to_be_the_default_is_written_through_its_listener_next_time(
    there: World,
) -> None:
    aws = session()
    stubber = Stubber(aws.client("elbv2"))
    stubber.add_client_error("modify_rule", "OperationNotPermitted", "default rule", 400)
    stubber.add_response(
        "modify_listener",
        {"Listeners": [{"ListenerArn": there.listener, "DefaultActions": there.rule_actions()}]},
    )
    stubber.activate()
    alb = AlbRouter(aws, INLINE, {there.rule: there.ends})
    change = Change(there.rule, config(router(there), there.rule))
    assert alb.write([change], Unconditional())[there.rule].result is WriteResult.NOT_APPLIED
    assert alb.write([change], Unconditional())[there.rule].result is WriteResult.APPLIED
