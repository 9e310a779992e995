"""Every preflight check, by what makes it block, warn or pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from cutover.core.observation import (
    AlarmState,
    AutoScaling,
    CustomMetric,
    GroupFacts,
    GroupHealth,
    Identity,
    Known,
    Listed,
    ListenerFacts,
    MetricFacts,
    RouteFacts,
    RuleUse,
    Survey,
    Unknown,
)
from cutover.core.observation.survey import Fact
from cutover.core.plan import Plan
from cutover.core.preflight import CHECKS, Finding, Severity, blocked, run_checks
from cutover.core.preflight.caller import planned_ms
from cutover.core.preflight.custom import cannot_exist
from cutover.core.preflight.grpc import RESETS
from cutover.core.routing import RouteConfig, config_body, config_of
from cutover.core.values import RouteId, Weight
from tests.fakes import DESTINATION, LISTENER, QUIET, RULE, SOURCE, START, plan_of

T = TypeVar("T")

ACCOUNT, REGION = "123456789012", "ap-northeast-1"
BALANCER = (
    f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/prod-web/50dc6c495c0c9188"
)
OTHER = BALANCER.replace("prod-web", "internal")
THIRD = SOURCE.replace("checkout-ec2", "beta")
RULE_2 = RULE[:-4] + "beef"
PLAN = plan_of(managed_by="none")


def known(value: T) -> Fact[T]:
    """A fact that was read."""
    return Known(value, START)


DENIED = Unknown(
    "AccessDenied: no", "AccessDenied", denied=True, missing_permission="some:Permission"
)

Change = Callable[[Survey], Survey]


def config(
    weight: int | None = None, *, attached: bool = False, source: bool = True
) -> RouteConfig:
    return RouteConfig("[]", None if weight is None else Weight(weight), attached, source)


def route(**changes: Any) -> RouteFacts:
    facts = RouteFacts(
        config(), "keep", "no stickiness", LISTENER, is_default=False, action_types=("forward",)
    )
    return replace(facts, **changes)


def group(arn: str, **changes: Any) -> GroupFacts:
    balancers = (BALANCER,) if arn == SOURCE else ()
    facts = GroupFacts(arn, arn.split("/")[-2], balancers, "HTTP", "HTTP1", "ip", sticky=False)
    return replace(facts, **changes)


ZONES = {"a": 2, "c": 2}
SOUND = Survey(
    identity=known(Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/ops")),
    region=REGION,
    skew_ms=known(0),
    routes={RouteId(RULE): known(route())},
    groups={SOURCE: known(group(SOURCE)), DESTINATION: known(group(DESTINATION))},
    health={
        SOURCE: known(GroupHealth(4, 4, ZONES, {}, ZONES)),
        DESTINATION: known(GroupHealth(0, 4, {}, {"unused/Target.NotInUse": 4}, ZONES)),
    },
    uses=known((RuleUse(RULE, (SOURCE,)),)),
    balancer_tags=known({"team": "shop"}),
    listeners={LISTENER: known(ListenerFacts(LISTENER, BALANCER))},
    auto_scaling=known(()),
    dns_aliases=known(()),
    metrics=known({PLAN.comparisons[0].id: 90_000}),
    calibration=known({PLAN.comparisons[0].id: {"p50": 60, "p95": 170, "p99": 330, **QUIET}}),
    alarms=known({}),
    custom=known({}),
    emulated=True,
    at_ms=1_000_000,
)


def with_route(**changes: Any) -> Change:
    return lambda survey: replace(survey, routes={RouteId(RULE): known(route(**changes))})


def with_group(arn: str, **changes: Any) -> Change:
    return lambda survey: replace(
        survey, groups={**survey.groups, arn: known(group(arn, **changes))}
    )


def with_health(arn: str, health: GroupHealth) -> Change:
    return lambda survey: replace(survey, health={**survey.health, arn: known(health)})


def having(**changes: Any) -> Change:
    return lambda survey: replace(survey, **changes)


def findings(survey: Survey, plan: Plan = PLAN) -> Mapping[str, Finding]:
    return {finding.id: finding for finding in run_checks(plan, survey)}


def test_a_sound_plan_passes_every_check_and_every_check_says_what_it_saw() -> None:
    found = run_checks(PLAN, SOUND)
    assert [f for f in found if f.severity is not Severity.OK] == []
    assert blocked(found) == ()
    assert all(f.seen for f in found)
    assert [f.id for f in found] == [*CHECKS, "waive"]


def static(left_ms: int | None) -> Change:
    expires = None if left_ms is None else SOUND.at_ms + left_ms
    return having(identity=known(Identity(ACCOUNT, "arn", expires, refreshes=False)))


def asg(minimum: int, serving: int, *, suspended: bool = False) -> Change:
    return having(
        auto_scaling=known((AutoScaling("checkout", minimum, serving, serving, suspended),))
    )


B, W = Severity.BLOCK, Severity.WARN


BAD: list[tuple[Any, ...]] = [
    (
        "account",
        having(identity=known(Identity("111122223333", "arn:x"))),
        B,
        "in account 111122223333",
    ),
    ("account", having(identity=DENIED), B, "the caller could not be read"),
    ("region", having(region="eu-west-1"), B, "eu-west-1"),
    ("real-account", having(emulated=False), B, "123456789012"),
    ("credentials", static(None), B, "nobody knows when they end"),
    ("credentials", static(600_000), B, "end in 10m"),
    ("credentials", static(planned_ms(PLAN) + 15 * 60_000 - 1), B, "the credentials end in"),
    ("clock", having(skew_ms=known(-61_000)), B, "-1m1s"),
    ("clock", having(skew_ms=DENIED), B, "could not be read"),
    ("claimed", having(claimed_by={RouteId(RULE): "checkout-7"}), B, "run checkout-7 claims"),
    ("routes", having(routes={RouteId(RULE): DENIED}), B, "could not be read"),
    ("routes", having(routes={}), B, "it was not looked at"),
    ("routes", with_route(action_types=("fixed-response",)), B, "does not forward"),
    (
        "routes",
        with_route(action_types=("authenticate-moon", "forward")),
        B,
        "authenticate-moon",
    ),
    ("routes", with_route(config=config(source=False)), B, "does not forward to its source"),
    (
        "groups",
        having(groups={**SOUND.groups, DESTINATION: Unknown("TargetGroupNotFound: gone")}),
        B,
        "NotFound",
    ),
    ("groups", with_group(SOURCE, load_balancers=()), B, "used by no load balancer"),
    ("groups", with_group(DESTINATION, load_balancers=(OTHER,)), B, "used by app/internal"),
    ("application-balancer", with_group(DESTINATION, protocol="TCP"), B, "speaks TCP"),
    (
        "routes-complete",
        having(uses=known((RuleUse(RULE, (SOURCE,)), RuleUse(RULE_2, (SOURCE,))))),
        B,
        "beef",
    ),
    ("routes-complete", having(uses=DENIED), B, "could not be read"),
    ("start-weight", with_route(config=config(50, attached=True)), B, "is at 5 %"),
    ("start-weight", with_route(config=config(None, attached=True)), B, "both groups"),
    ("weights", with_route(other_groups={THIRD: 10}, pair_sum=90), B, "cannot be at 5 %"),
    (
        "weights",
        with_route(other_groups={f"{THIRD}{n}": 0 for n in range(4)}),
        B,
        "already has 5 groups",
    ),
    (
        "stickiness",
        with_route(stickiness_strategy="none", stickiness_strategy_why="target stickiness is on"),
        B,
        "target stickiness is on",
    ),
    ("sticky-bake", with_route(sticky_seconds=86_400), W, "clients stick for 1d"),
    ("cognito", with_route(action_types=("authenticate-cognito", "forward")), W, "by Cognito"),
    ("protocol-version", with_group(DESTINATION, protocol_version="GRPC"), B, "GRPC"),
    (
        "routes",
        with_route(action_types=("jwt-validation", "forward"), bare_actions=("jwt-validation",)),
        B,
        "jwt-validation without settings",
    ),
    (
        "unmodelled",
        with_route(config=replace(config(), unmodelled=("ForwardConfig.Mirror",))),
        B,
        "ForwardConfig.Mirror",
    ),
    ("grpc", with_group(DESTINATION, protocol_version="GRPC"), B, "no gate sees its failures"),
    ("grpc", with_group(SOURCE, protocol_version="GRPC"), B, "checkout-ec2"),
    ("grpc-health", with_group(DESTINATION, protocol_version="GRPC"), W, "takes code 12"),
    (
        "grpc-health",
        with_group(DESTINATION, protocol_version="GRPC", matcher="0,10-99"),
        W,
        "takes code 0,10-99",
    ),
    (
        "grpc-health",
        with_group(DESTINATION, protocol_version="GRPC", matcher="any"),
        W,
        "takes code any",
    ),
    (
        "stream-resets",
        with_group(DESTINATION, protocol_version="HTTP2", attributes={RESETS: "true"}),
        W,
        "forwards RST_STREAM",
    ),
    (
        "registered",
        with_health(DESTINATION, GroupHealth(0, 1)),
        B,
        "has 1 registered targets, the plan wants 2",
    ),
    (
        "registered",
        having(health={SOURCE: SOUND.health[SOURCE], DESTINATION: DENIED}),
        B,
        "could not be read",
    ),
    ("source-healthy", with_health(SOURCE, GroupHealth(0, 0)), B, "0 of 0 healthy"),
    (
        "source-healthy",
        with_health(SOURCE, GroupHealth(3, 4, {}, {"unhealthy/Target.Timeout": 1})),
        B,
        "Timeout",
    ),
    ("source-capacity", asg(2, 4), B, "may shrink from 4 to 2"),
    ("source-capacity", having(auto_scaling=DENIED), B, "could not be read"),
    ("dns-alias", having(dns_aliases=known(("www.shop.example.",))), W, "www.shop.example."),
    ("dns-alias", having(dns_aliases=DENIED), W, "could not be read"),
    (
        "controller",
        having(balancer_tags=known({"elbv2.k8s.aws/cluster": "prod"})),
        B,
        "elbv2.k8s.aws/cluster=prod",
    ),
    (
        "controller",
        with_route(tags={"ingress.k8s.aws/stack": "shop"}),
        B,
        "ingress.k8s.aws/stack",
    ),
    (
        "controller",
        with_group(DESTINATION, tags={"gateway.k8s.aws.alb/x": "y"}),
        B,
        "gateway.k8s.aws",
    ),
    (
        "controller",
        having(
            listeners={
                LISTENER: known(ListenerFacts(LISTENER, BALANCER, {"elbv2.k8s.aws/cluster": "p"}))
            }
        ),
        B,
        "listener/app/prod-web",
    ),
    ("controller", having(balancer_tags=DENIED), B, "tags could not be read"),
    ("controller", having(listeners={}), B, "not looked at"),
    ("cloudformation", with_route(tags={"aws:cloudformation:stack-name": "web"}), B, "web"),
    (
        "cloudformation",
        with_route(tags={"aws:cloudformation:stack-id": "web"}),
        B,
        "aws:cloudformation:stack-id",
    ),
    (
        "metrics",
        having(metrics=known({PLAN.comparisons[0].id: 0})),
        B,
        "no requests of the source",
    ),
    ("metrics", having(metrics=DENIED), B, "could not be read"),
]


@pytest.mark.parametrize(
    ("check", "change", "severity", "seen"),
    BAD,
    ids=[f"{n}-{row[0]}" for n, row in enumerate(BAD)],
)
def test_each_check_sees_what_it_is_for(
    check: str, change: Change, severity: Severity, seen: str
) -> None:
    finding = findings(change(SOUND))[check]
    assert finding.severity is severity
    assert seen in finding.seen
    assert finding.why
    assert finding.fix


GOOD: list[tuple[Any, ...]] = [
    ("credentials", static(planned_ms(PLAN) + 15 * 60_000)),
    ("clock", having(skew_ms=known(60_000))),
    ("start-weight", with_route(config=config(0, attached=True))),
    ("start-weight", with_route(config=config(49, attached=True))),
    ("weights", with_route(other_groups={THIRD: 100}, pair_sum=900)),
    ("weights", with_route(other_groups={THIRD: 0}, pair_sum=1)),
    ("sticky-bake", with_route(sticky_seconds=600)),
    ("groups", with_group(DESTINATION, load_balancers=(BALANCER,))),
    ("source-healthy", with_health(SOURCE, GroupHealth(9, 10))),
    ("source-capacity", asg(4, 4)),
    ("grpc-health", with_group(DESTINATION, protocol_version="GRPC", matcher="0-11,13")),
    ("stream-resets", with_group(DESTINATION, attributes={RESETS: "true"})),
    ("source-capacity", asg(0, 4, suspended=True)),
]


@pytest.mark.parametrize(
    ("check", "change"), GOOD, ids=[f"{n}-{row[0]}" for n, row in enumerate(GOOD)]
)
def test_what_is_just_good_enough_passes(check: str, change: Change) -> None:
    assert findings(change(SOUND))[check].severity is Severity.OK


@pytest.mark.parametrize(
    ("gate", "severity"),
    [
        ({"metric": {"name": "calls", "namespace": "Shop", "metric": "Failed", "max": 5}}, None),
        ({"alarm": {"name": "burn"}}, None),
        (
            {
                "metric": {
                    "name": "calls",
                    "namespace": "AWS/ApplicationELB",
                    "metric": "GrpcRequestCount",
                    "max": 5,
                }
            },
            B,
        ),
        ({"latency": {"max": "1s"}}, B),
    ],
)
def test_grpc_needs_a_gate_that_knows_what_became_of_a_call(
    gate: dict[str, Any], severity: Severity | None
) -> None:
    speaking = with_group(DESTINATION, protocol_version="GRPC", matcher="0")(SOUND)
    plan = plan_of(gates=[{"errors": {"max": "1%"}}, gate])
    assert findings(speaking, plan)["grpc"].severity is (severity or Severity.OK)


def test_a_grpc_service_may_go_unwatched_only_with_a_reason() -> None:
    speaking = with_group(DESTINATION, protocol_version="GRPC")(SOUND)
    finding = findings(speaking, waiving("grpc"))["grpc"]
    assert finding.severity is W
    assert WAIVED_WHY in finding.why


DEPTH = CustomMetric("Shop", "Depth", (("Queue", "orders"),), "Average")
COUNT = replace(DEPTH, statistic="Sum")
ZERO = {"statistic": "Sum", "missing": "zero"}


@pytest.mark.parametrize(
    ("facts", "gate", "severity", "says"),
    [
        (None, {}, W, "not looked at"),
        (MetricFacts(DEPTH), {}, W, "no datapoint in the last 3h"),
        (MetricFacts(DEPTH, listed=Unknown("Throttling: no")), {}, W, "Throttling: no"),
        (MetricFacts(DEPTH, listed=known(Listed(True))), {}, W, "but it exists"),
        (
            MetricFacts(DEPTH, listed=known(Listed(True))),
            {"per": "request"},
            Severity.OK,
            "exists",
        ),
        (MetricFacts(DEPTH, listed=known(Listed(False))), {}, W, "has nothing of that namespace"),
        (MetricFacts(COUNT, listed=known(Listed(False))), ZERO, Severity.OK, "takes for zero"),
        (MetricFacts(COUNT, listed=known(Listed(True))), ZERO, Severity.OK, "but it exists"),
        (MetricFacts(COUNT, listed=known(Listed(True))), {"statistic": "Sum"}, W, "but it exists"),
        (
            MetricFacts(DEPTH, listed=known(Listed(False, (replace(DEPTH, dimensions=()),)))),
            {},
            B,
            "published with the dimensions (none), never with (Queue)",
        ),
        (
            MetricFacts(
                DEPTH, listed=known(Listed(False, (replace(DEPTH, dimensions=()),), whole=False))
            ),
            {},
            W,
            "the nearest that exist",
        ),
        (MetricFacts(DEPTH, 180, 170, 2), {}, Severity.OK, "in 170 of 180"),
        (MetricFacts(DEPTH, 180, 170, 3), {}, W, "up to 3 in a row without"),
        (MetricFacts(DEPTH, 180, 17, 90), {"per": "request"}, Severity.OK, "in 17 of 180"),
    ],
)
def test_a_metric_gate_without_data_is_told_by_what_cloudwatch_has(
    facts: MetricFacts | None, gate: dict[str, Any], severity: Severity, says: str
) -> None:
    spec = {"name": "depth", "namespace": "Shop", "metric": "Depth", "statistic": "Average"}
    plan = plan_of(gates=[{"errors": {"max": "1%"}}, {"metric": {**spec, "max": 9, **gate}}])
    custom = known({} if facts is None else {"metric.depth": facts})
    finding = findings(having(custom=custom)(SOUND), plan)["metric-gates"]
    assert (finding.severity, says in finding.seen) == (severity, True), finding
    assert findings(having(custom=DENIED)(SOUND), plan)["metric-gates"].severity is B


def test_an_arn_whose_last_part_exists_is_named_with_that_part() -> None:
    asked = CustomMetric("Shop", "Failed", (("Queue", "arn:aws:sqs:eu-west-1:1:orders"),), "Sum")
    right = replace(asked, dimensions=(("Queue", "orders"),))
    assert cannot_exist(asked, Listed(False, (right,))) == (
        "Queue is an ARN here, and orders in CloudWatch"
    )


def test_an_arn_in_the_balancers_namespace_can_never_have_data() -> None:
    asked = CustomMetric("AWS/ApplicationELB", "RequestCount", (("TargetGroup", SOURCE),), "Sum")
    assert "CloudWatch knows it by the last part" in cannot_exist(asked, Listed(False))
    assert cannot_exist(replace(asked, namespace="Shop"), Listed(False)) == ""


def test_a_denied_fact_names_the_permission_to_grant() -> None:
    assert findings(having(uses=DENIED)(SOUND))["routes-complete"].fix == "Grant some:Permission."


def test_steps_that_a_third_group_forbids_are_refused_with_those_that_fit() -> None:
    finding = findings(with_route(other_groups={THIRD: 10}, pair_sum=90)(SOUND))["weights"]
    assert "5 % (comparison sum 90; nearest: 0 % and 10 %)" in finding.seen
    assert "50 %" not in finding.seen  # 45 and 45


def test_routes_that_start_unalike_are_refused() -> None:
    plan = plan_of(
        routes=[
            {"rule": rule, "source": SOURCE, "destination": DESTINATION} for rule in (RULE, RULE_2)
        ]
    )
    unlike = {
        RouteId(RULE): known(route(config=config(10, attached=True))),
        RouteId(RULE_2): known(route()),
    }
    assert findings(replace(SOUND, routes=unlike), plan)["start-weight"].severity is B
    alike = dict.fromkeys(unlike, known(route(config=config(10, attached=True))))
    assert findings(replace(SOUND, routes=alike), plan)["start-weight"].severity is Severity.OK


def test_a_listener_and_its_default_rule_are_one_route_twice() -> None:
    ends = {"source": SOURCE, "destination": DESTINATION}
    plan = plan_of(routes=[{"rule": RULE, **ends}, {"listener": LISTENER, **ends}])
    default = known(route(is_default=True))
    twice = replace(SOUND, routes={RouteId(RULE): default, RouteId(LISTENER): default})
    assert "is planned 2 times" in findings(twice, plan)["routes"].seen


def test_what_is_left_on_purpose_is_complete() -> None:
    both = having(uses=known((RuleUse(RULE, (SOURCE,)), RuleUse(RULE_2, (SOURCE,)))))(SOUND)
    plan = plan_of(leave=[{"rule": RULE_2, "why": "internal path, moves next week"}])
    assert findings(both, plan)["routes-complete"].severity is Severity.OK


def test_a_planned_default_rule_covers_its_listeners_default_action() -> None:
    survey = replace(
        with_route(is_default=True)(SOUND), uses=known((RuleUse(LISTENER, (SOURCE,)),))
    )
    assert findings(survey)["routes-complete"].severity is Severity.OK


@pytest.mark.parametrize(
    ("zones", "severity"),
    [({"a": 4}, B), ({"a": 2, "c": 2}, Severity.OK), ({"a": 2, "?": 2}, W), ({}, W)],
)
def test_the_destination_must_be_spread_as_the_plan_wants(
    zones: dict[str, int], severity: Severity
) -> None:
    plan = plan_of(gates=[{"healthy": {"min": 2, "zones": 2}}])
    survey = with_health(DESTINATION, GroupHealth(0, 4, {}, {}, zones))(SOUND)
    assert findings(survey, plan)["destination-zones"].severity is severity


def test_a_destination_that_is_attached_must_be_healthy_already() -> None:
    attached = with_route(config=config(0, attached=True))(SOUND)
    finding = findings(attached)["destination-healthy"]
    assert finding.severity is B
    assert "0 of 4 healthy (4 unused/Target.NotInUse)" in finding.seen
    healthy = with_health(DESTINATION, GroupHealth(4, 4, ZONES))(attached)
    assert findings(healthy)["destination-healthy"].severity is Severity.OK


def test_a_stack_is_no_surprise_when_the_plan_says_so() -> None:
    owned = with_route(tags={"aws:cloudformation:stack-name": "web"})(SOUND)
    assert (
        findings(owned, plan_of(managed_by="cloudformation"))["cloudformation"].severity
        is Severity.OK
    )
    assert (
        findings(SOUND, PLAN.model_copy(update={"managed_by": None}))["managed-by"].severity is W
    )


@pytest.mark.parametrize(
    ("state", "severity"),
    [
        (AlarmState.OK, Severity.OK),
        (AlarmState.INSUFFICIENT_DATA, Severity.OK),
        (AlarmState.ALARM, B),
        (AlarmState.MISSING, B),
    ],
)
def test_an_alarm_must_exist_and_be_quiet(state: AlarmState, severity: Severity) -> None:
    plan = plan_of(gates=[{"errors": {"max": "1%"}}, {"alarm": {"name": "burn"}}])
    assert (
        findings(having(alarms=known({"burn": state}))(SOUND), plan)["alarms"].severity is severity
    )
    assert findings(having(alarms=DENIED)(SOUND), plan)["alarms"].severity is B


def test_a_gate_that_compares_with_the_source_needs_its_percentile() -> None:
    plan = plan_of(gates=[{"latency": {"percentile": 99.9, "versus_source": {"ratio": 1.25}}}])
    finding = findings(SOUND, plan)["calibration"]
    assert finding.severity is B
    assert "p99.9 of" in finding.seen
    absolute = plan_of(gates=[{"latency": {"percentile": 99.9, "max": "2s"}}])
    assert (
        findings(having(calibration=DENIED)(SOUND), absolute)["calibration"].severity
        is Severity.OK
    )


WAIVED_WHY = "we know, the controller is stopped"


def waiving(check: str) -> Plan:
    return plan_of(waive=[{"check": check, "why": WAIVED_WHY}])


def test_a_waiver_turns_a_block_into_a_warning_with_its_reason() -> None:
    owned = having(balancer_tags=known({"elbv2.k8s.aws/cluster": "prod"}))(SOUND)
    finding = findings(owned, waiving("controller"))["controller"]
    assert finding.severity is W
    assert WAIVED_WHY in finding.why


def test_a_plan_knows_which_checks_it_waives() -> None:
    assert waiving("unmodelled").waives("unmodelled")
    assert not waiving("grpc").waives("unmodelled")


def test_a_config_keeps_how_it_was_spelled_and_what_could_not_be_read_and_neither_is_a_difference() -> (
    None
):
    plain = config(10, attached=True)
    found = replace(plain, original='[{"Order":1}]', unmodelled=("Pace",))
    assert config_body(plain).keys() == config_body(found).keys() - {"original", "unmodelled"}
    kept = config_of(config_body(found))
    assert (kept.original, kept.unmodelled) == (found.original, found.unmodelled)
    assert config_of(config_body(plain)).original == ""
    assert found == plain


def test_a_waiver_of_what_passes_changes_nothing() -> None:
    assert findings(SOUND, waiving("controller"))["controller"].severity is Severity.OK


@pytest.mark.parametrize(
    "check", sorted(name for name, check in CHECKS.items() if not check.waivable)
)
def test_what_must_not_be_waived_is_not(check: str) -> None:
    nothing = replace(
        SOUND,
        identity=DENIED,
        region="x",
        skew_ms=DENIED,
        routes={},
        groups={},
        health={},
        uses=DENIED,
        claimed_by={RouteId(RULE): "r"},
    )
    before, after = findings(nothing)[check], findings(nothing, waiving(check))[check]
    assert after.severity is before.severity
    if before.severity is B:
        assert "cannot be waived" in after.why


def test_a_waiver_of_no_check_is_warned_of() -> None:
    finding = findings(SOUND, waiving("contoller"))["waive"]
    assert finding.severity is W
    assert "contoller" in finding.seen


def test_nothing_known_passes_nothing_that_could_block() -> None:
    blind = Survey(
        identity=DENIED,
        region=REGION,
        skew_ms=DENIED,
        routes={},
        groups={},
        health={},
        uses=DENIED,
        balancer_tags=DENIED,
        listeners={},
        auto_scaling=DENIED,
        dns_aliases=DENIED,
        metrics=DENIED,
        calibration=DENIED,
        alarms=DENIED,
        custom=DENIED,
    )
    passed = {f.id for f in run_checks(PLAN, blind) if f.severity is Severity.OK}
    # what rests on the plan alone, or on no gate of this plan
    of_the_plan = {"region", "claimed", "managed-by", "risk", "waive"}
    assert passed == of_the_plan | {"calibration", "alarms", "metric-gates"}
