"""The adapters: what a suite saw becomes the same facts, however it was spelled."""

from __future__ import annotations

import json

from cutover.core.errors import ExitCode
from cutover.core.observation import CommandName
from cutover.core.values import MINUTE
from cutover.ports import Change, Unconditional
from tests.fakes import Bench, config
from tests.promises.facts import Changed, Recorded, Sent, Took
from tests.promises.from_bench import watched
from tests.promises.routing import asked_actions, routing, told_actions

EC2, EKS, OTHER = "arn:ec2", "arn:eks", "arn:other"
RULES = b"""<DescribeRulesResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
  <DescribeRulesResult><Rules><member><RuleArn>arn:rule</RuleArn><Actions><member><Type>forward</Type><ForwardConfig>
    <TargetGroups>
      <member><TargetGroupArn>arn:eks</TargetGroupArn><Weight>50</Weight></member>
      <member><TargetGroupArn>arn:ec2</TargetGroupArn><Weight>950</Weight></member>
    </TargetGroups>
    <TargetGroupStickinessConfig><Enabled>false</Enabled></TargetGroupStickinessConfig>
  </ForwardConfig><Order>1</Order></member></Actions></member></Rules></DescribeRulesResult>
</DescribeRulesResponse>"""
ASKED = {
    "Action": "ModifyRule",
    "RuleArn": "arn:rule",
    "Actions.member.1.Type": "forward",
    "Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn": EC2,
    "Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight": "950",
    "Actions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn": EKS,
    "Actions.member.1.ForwardConfig.TargetGroups.member.2.Weight": "50",
}


def forward(**weights: int) -> list[dict[str, object]]:
    groups = [{"TargetGroupArn": f"arn:{group}", "Weight": one} for group, one in weights.items()]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


def test_a_config_is_the_same_in_an_answer_a_request_and_a_journal() -> None:
    told = routing(told_actions(RULES)["arn:rule"], EC2, EKS)
    assert told == routing(asked_actions(ASKED), EC2, EKS)
    assert told == routing(forward(ec2=950, eks=50), EC2, EKS)
    assert told.portion == 50


def test_a_form_without_the_pair_s_destination_is_at_0_and_a_lone_destination_at_all() -> None:
    assert routing([{"Type": "forward", "TargetGroupArn": EC2}], EC2, EKS).portion == 0
    assert routing(forward(eks=7), EC2, EKS).portion == 1000
    assert routing(forward(ec2=0, eks=0), EC2, EKS).portion == -1


def test_what_is_beside_the_pair_is_told_from_it() -> None:
    one, raised = forward(ec2=950, eks=50, other=3), forward(ec2=500, eks=500, other=3)
    assert routing(one, EC2, EKS).rest == routing(raised, EC2, EKS).rest
    assert routing(one, EC2, EKS).text != routing(raised, EC2, EKS).text
    assert routing(forward(ec2=950, eks=50), EC2, EKS).rest != routing(one, EC2, EKS).rest


def test_a_client_secret_is_no_part_of_a_config() -> None:
    oidc = {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"ClientSecret": "hunter2"}}
    assert "hunter2" not in json.dumps(routing([oidc], EC2, EKS).text)


def test_what_is_no_answer_tells_of_no_route() -> None:
    assert told_actions(b"<html>log in<br></html>") == {}


def test_a_run_on_fakes_is_told_in_the_order_in_which_it_happened() -> None:
    with watched():
        bench = Bench()
        bench.at_weight(50, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
        assert bench.run() == ExitCode.ROLLED_BACK
    told = [
        fact.type if isinstance(fact, Recorded) else type(fact).__name__
        for fact in bench.log.newest
        if isinstance(fact, Sent | Took) or (isinstance(fact, Recorded) and "nt" in fact.type)
    ]
    assert told == ["intent", "Sent", "Took"] * 3
    assert bench.log.broken == []


def test_a_write_past_the_journal_is_seen_on_fakes() -> None:
    with watched():
        bench = Bench()
        route = bench.plan.routes[0].id

        def write_past_it() -> None:
            bench.router.write([Change(route, config(500))], Unconditional())

        bench.at_weight(50, write_past_it, MINUTE)
        bench.inbox.say_in(30 * MINUTE, CommandName.ROLLBACK)
        bench.run()
    assert {one.partition(":")[0] for one in bench.log.broken} >= {"P2", "P3"}


def test_what_a_test_puts_on_a_route_is_somebody_else_s_change() -> None:
    with watched():
        bench = Bench()
        route = bench.plan.routes[0].id
        bench.at_weight(
            50, lambda: bench.router.configs.update({route: config(50, tag="tf")}), MINUTE
        )
        bench.inbox.say_in(30 * MINUTE, CommandName.ROLLBACK)
        assert bench.run() == ExitCode.ROLLED_BACK
    assert [fact.weight for fact in bench.log.newest if isinstance(fact, Changed)] == [50]
    assert bench.log.broken == []
