"""The plan as the engine uses it: comparisons, series, windows, defaults, hash, and what lint asks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cutover.core.observation import Side
from cutover.core.plan import DEFAULT_GATES, Plan, Window, lint
from cutover.core.plan.windows import parse_span
from cutover.core.values import RouteId

ARN = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
RULE = f"{ARN}listener-rule/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
LISTENER = f"{ARN}listener/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2"


def group(name: str) -> str:
    return f"{ARN}targetgroup/{name}/73e2d6bc24d8a067"


def body(**changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "shop",
        "aws": {"region": "ap-northeast-1", "account": "123456789012"},
        "routes": [{"rule": RULE, "source": group("shop-ec2"), "destination": group("shop-eks")}],
        "steps": [
            {"weight": 5, "bake": "10m"},
            {"weight": 25, "bake": "10m"},
            {"weight": 100, "bake": "30m"},
        ],
        "gates": [{"errors": {"max": "1%"}}],
        "managed_by": "none",
        **changes,
    }


def plan_of(**changes: Any) -> Plan:
    return Plan.model_validate_json(json.dumps(body(**changes)))


def warnings_of(**changes: Any) -> list[str]:
    return [found.message for found in lint(plan_of(**changes))]


def test_numbers_in_a_plan_are_integers_with_their_unit() -> None:
    plan = plan_of(
        steps=[{"weight": 0.5, "bake": "1h30m"}],
        safety={"source_reserve": "75.5%"},
        traffic="100/s",
    )
    assert plan.steps[0].weight == 5
    assert plan.steps[0].bake == 5_400_000
    assert plan.safety.source_reserve == 755_000
    assert plan.traffic == 6000.0


def test_routes_with_the_same_groups_share_one_comparison() -> None:
    same = {"source": group("shop-ec2"), "destination": group("shop-eks")}
    other = {"source": group("cart-ec2"), "destination": group("cart-eks")}
    second = RULE.replace("9683", "1111")
    plan = plan_of(
        routes=[{"rule": RULE, **same}, {"listener": LISTENER, **same}, {"rule": second, **other}]
    )
    assert [comparison.id for comparison in plan.comparisons] == [
        "shop-ec2>shop-eks",
        "cart-ec2>cart-eks",
    ]
    assert plan.comparison_of(RouteId(RULE)) is not None
    assert (
        plan.comparison_of(RouteId(RULE))
        == plan.comparison_of(RouteId(LISTENER))
        == plan.comparisons[0]
    )
    assert plan.comparison_of(RouteId(second)).load_balancer == "app/prod/50dc6c495c0c9188"
    with pytest.raises(KeyError):
        plan.comparison_of(RouteId("arn:other"))


def test_a_comparison_is_asked_for_its_share_and_for_every_gate_once() -> None:
    plan = plan_of(gates=[{"errors": {"max": "1%"}}, {"lb_errors": {"max": "1%"}}])
    (asked,) = plan.series({}).values()
    assert len(asked) == len(set(asked))
    assert {one.key for one in asked} >= {
        "source.requests",
        "destination.requests",
        "balancer.requests",
    }
    assert any(one.side is Side.DESTINATION for one in asked)


def test_gates_are_named_by_kind_and_by_what_makes_them_differ() -> None:
    plan = plan_of(
        gates=[
            {"latency": {"max": "800ms"}},
            {"latency": {"percentile": 99, "max": "2s"}},
            {"alarm": {"name": "burn"}},
            {"metric": {"name": "logs", "namespace": "N", "metric": "M", "max": 1}},
        ]
    )
    assert [gate.name for gate in plan.gates] == [
        "latency",
        "latency.p99",
        "alarm.burn",
        "metric.logs",
    ]
    assert [gate.on_breach for gate in plan.gates] == ["rollback", "rollback", "rollback", "hold"]


def test_a_plan_without_gates_gets_the_default_ones_and_says_every_one_of_them() -> None:
    without = body()
    del without["gates"]
    plan = Plan.model_validate_json(json.dumps(without))
    assert [gate.kind for gate in plan.gates] == [
        kind for entry in DEFAULT_GATES for kind in entry
    ]
    unsaid = dict(plan.effective_defaults())
    assert unsaid["gates[0].errors.max"] == "1%"
    assert unsaid["gates[1].latency.versus_source.ratio"] == "1.25"
    assert plan.hash == plan_of(gates=list(DEFAULT_GATES)).hash


def test_effective_defaults_are_what_the_plan_does_not_say() -> None:
    unsaid = dict(plan_of(safety={"hold_timeout": "1h"}).effective_defaults())
    assert "safety.hold_timeout" not in unsaid
    assert unsaid["safety.blind_budget"] == "10m"
    assert unsaid["safety.source_reserve"] == "90%"
    assert unsaid["acknowledge_big_bang"] == "false"
    assert unsaid["windows"] == "none"
    assert "gates[0].errors.max" not in unsaid
    assert unsaid["gates[0].errors.judge"] == "sequential"


def test_the_hash_is_of_what_the_plan_means() -> None:
    assert plan_of().hash == plan_of(safety={"hold_timeout": "120m"}, observe={"poll": "15s"}).hash
    assert plan_of().hash != plan_of(safety={"hold_timeout": "119m"}).hash
    assert plan_of().hash != plan_of(name="shop2").hash


def test_no_plan_that_breaks_a_rule_can_be_made_in_code_either() -> None:
    with pytest.raises(ValidationError) as caught:
        plan_of(steps=[{"weight": 5, "bake": "10m"}, {"weight": 5, "bake": "1m"}])
    assert [error["loc"] for error in caught.value.errors()] == [
        ("steps", 1, "weight"),
        ("steps", 1, "bake"),
    ]


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        plan_of().name = "other"  # type: ignore[misc]


def test_two_balancers_need_two_sets_of_groups() -> None:
    elsewhere = LISTENER.replace("app/prod", "app/other")
    plan = plan_of(
        routes=[
            {"rule": RULE, "source": group("shop-ec2"), "destination": group("shop-eks")},
            {"listener": elsewhere, "source": group("cart-ec2"), "destination": group("cart-eks")},
        ]
    )
    assert {comparison.load_balancer for comparison in plan.comparisons} == {
        "app/prod/50dc6c495c0c9188",
        "app/other/50dc6c495c0c9188",
    }


# windows


def window(span: str, zone: str = "Asia/Tokyo") -> Window:
    return Window.model_validate({"not": span, "zone": zone})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_window_over_the_weekend_begins_and_ends_in_its_own_zone() -> None:
    weekend = window("Fri 17:00-Mon 08:00")
    assert not weekend.holds(utc("2026-11-20T07:59:59"))
    assert weekend.holds(utc("2026-11-20T08:00:00"))
    assert weekend.holds(utc("2026-11-22T12:00:00"))
    assert weekend.holds(utc("2026-11-22T22:59:59"))
    assert not weekend.holds(utc("2026-11-22T23:00:00"))
    assert weekend.ends_after(utc("2026-11-20T08:00:30")) == utc("2026-11-22T23:00:00")
    assert weekend.ends_after(utc("2026-11-19T08:00:30")) == utc("2026-11-19T08:00:30")


def test_a_daily_window_may_run_over_midnight() -> None:
    night = window("22:00-06:00", "UTC")
    for day in range(14, 21):
        assert night.holds(utc(f"2026-11-{day}T23:00:00"))
        assert night.holds(utc(f"2026-11-{day}T05:59:00"))
        assert not night.holds(utc(f"2026-11-{day}T06:00:00"))
        assert not night.holds(utc(f"2026-11-{day}T21:59:00"))


def test_a_window_follows_daylight_saving_time() -> None:
    night = window("22:00-06:00", "Europe/Berlin")
    # the clock went from 02:00 to 03:00 on 2026-03-29, and from 03:00 to 02:00 on 2026-10-25
    assert night.ends_after(utc("2026-03-28T22:00:00")) == utc("2026-03-29T04:00:00")
    assert night.ends_after(utc("2026-10-24T22:00:00")) == utc("2026-10-25T05:00:00")


@settings(max_examples=100)
@given(
    st.integers(0, 7 * 1440 - 1), st.integers(1, 7 * 1440 - 1), st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tokyo", "America/St_Johns", "Australia/Lord_Howe"]),
)  # fmt: skip
def test_a_window_is_over_at_its_end_and_not_a_quarter_of_an_hour_before(
    start: int, length: int, naive: datetime, zone: str
) -> None:
    def text(minute: int) -> str:
        day, rest = divmod(minute % (7 * 1440), 1440)
        return f"{('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')[day]} {rest // 60:02}:{rest % 60:02}"

    one = window(f"{text(start)}-{text(start + length)}", zone)
    wall = naive.replace(tzinfo=UTC)
    end = one.ends_after(wall)
    assert end >= wall.replace(second=0, microsecond=0)
    assert not one.holds(end)
    if one.holds(wall):
        assert one.holds(end - timedelta(minutes=1))


def test_of_several_windows_the_one_that_ends_last_forbids() -> None:
    plan = plan_of(
        windows=[
            {"not": "22:00-06:00", "zone": "UTC"},
            {"not": "Fri 17:00-Mon 08:00", "zone": "UTC"},
        ]
    )
    shut = plan.forbidden_by(utc("2026-11-20T23:00:00"))
    assert shut is not None
    assert shut.text == "Fri 17:00-Mon 08:00 UTC"
    assert plan.forbidden_by(utc("2026-11-19T12:00:00")) is None


def test_a_span_is_in_minutes_of_the_week() -> None:
    assert parse_span("Mon 00:00-Mon 24:00") == ((0, 1440),)
    assert parse_span("Sun 22:00-Mon 00:00") == ((9960, 10080),)
    assert parse_span("22:00-24:00")[6] == (9960, 10080)


# lint


def test_a_sound_plan_has_no_warning() -> None:
    assert warnings_of(hold_back="5%") == []


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"managed_by": None}, "`managed_by` is absent"),
        ({"safety": {"source_reserve": "0%"}}, "without a source reserve"),
        ({"steps": [{"weight": 5, "bake": "10m"}, {"weight": 30, "bake": "10m"}, {"weight": 100, "bake": "10m"}]}, "from 5 % to 30 % is more than 5 times"),
        ({"steps": [{"weight": 50, "bake": "4m"}, {"weight": 100, "bake": "10m"}]}, "a bake of 4m sees no slow leak"),
        ({"steps": [{"weight": 50, "bake": "10m"}]}, "the plan ends at 50 %"),
        ({}, "at 100 % the source has no traffic left to compare with"),
        ({"traffic": "60/min"}, "this step cannot be judged: gate errors needs 60 requests on the destination, about 24 are expected"),
        ({"risk": {"harmed_requests": 10}}, "the budget cannot be checked"),
        ({"observe": {"settle": "60s"}}, "less than 2m: younger datapoints still change"),
        ({"observe": {"period": "30s"}}, "less than 1m: ALB publishes one datapoint a minute"),
        ({"gates": [{"healthy": {"min": 1}}]}, "no `errors` gate"),
        ({"gates": [{"errors": {"max": "1%", "on_breach": "hold"}}]}, "every gate holds on a breach"),
        ({"notify": [{"slack": "env:HOOK"}]}, "this version does not send notifications"),
        (
            {"gates": [{"errors": {"max": "1%"}}, {"metric": {"name": "slow", "namespace": "AWS/ApplicationELB", "metric": "TargetResponseTime", "statistic": "Average", "max": 1}}]},
            "an average hides slow requests",
        ),
        (
            {"gates": [{"metric": {"name": "n", "namespace": "AWS/ApplicationELB", "metric": "RequestCount", "max": 1, "dimensions": {"TargetGroup": group("x")}}}]},
            "CloudWatch knows a TargetGroup by the last part of its ARN, targetgroup/NAME/ID",
        ),
        (
            {"gates": [{"metric": {"name": "n", "namespace": "AWS/ApplicationELB", "metric": "RequestCount", "max": 1, "dimensions": {"LoadBalancer": "prod-web"}}}]},
            "CloudWatch knows a LoadBalancer by the last part of its ARN, app/NAME/ID",
        ),
        (
            {"gates": [{"metric": {"name": "n", "namespace": "AWS/ApplicationELB", "metric": "HTTPCode_ELB_502_Count", "max": 1}}]},
            "HTTPCode_ELB_502_Count has datapoints only in minutes in which it is not zero",
        ),
        (
            {"gates": [{"metric": {"name": "n", "namespace": "Shop", "metric": "Failed", "max_growth": 2, "missing": "zero"}}]},
            "a baseline of zero has nothing to grow from",
        ),
        (
            {"routes": [{"rule": RULE, "source": group("a"), "destination": group("x")}, {"listener": LISTENER, "source": group("b"), "destination": group("x")}]},
            "this group is the destination of route 1 too",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_lint_asks_about(changes: dict[str, Any], start: str) -> None:
    said = body(**changes)
    if changes.get("managed_by", "") is None:
        del said["managed_by"]
    plan = Plan.model_validate_json(json.dumps(said))
    assert any(found.message.startswith(start) for found in lint(plan)), [
        found.message for found in lint(plan)
    ]


def test_the_suffix_that_cloudwatch_knows_is_written_out_for_an_arn() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/prod-web/50dc6c495c0c9188"
    right = {"LoadBalancer": "app/prod-web/50dc6c495c0c9188", "TargetGroup": "targetgroup/eks/943f017f100becff"}  # fmt: skip
    spec = {
        "name": "n",
        "namespace": "AWS/ApplicationELB",
        "metric": "RequestCount",
        "max": 1,
        "dimensions": right | {"LoadBalancer": arn},
    }
    about = [one for one in lint(plan_of(gates=[{"metric": spec}])) if "last part" in one.message]
    assert [one.fix for one in about] == ["write app/prod-web/50dc6c495c0c9188"]
    assert about[0].loc == ("gates", 0, "metric", "dimensions", "LoadBalancer")
    spec["dimensions"] = right
    assert not any("last part" in one.message for one in lint(plan_of(gates=[{"metric": spec}])))


def test_a_plan_without_gates_is_told_which_ones_judge_it() -> None:
    said = body(hold_back="5%")
    del said["gates"]
    messages = [found.message for found in lint(Plan.model_validate_json(json.dumps(said)))]
    assert messages == [
        "no `gates`: the default ones judge every step (errors, latency, client_errors, lb_errors, healthy)"
    ]


# round trip

DURATIONS = st.integers(180, 86_400).map(lambda seconds: f"{seconds}s")
GATES = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"errors": st.fixed_dictionaries({"max": st.integers(1, 99).map(lambda n: f"{n}%")})}
        ),
        st.fixed_dictionaries(
            {
                "latency": st.fixed_dictionaries(
                    {"percentile": st.sampled_from([50, 95, 99.9]), "max": DURATIONS}
                )
            }
        ),
        st.fixed_dictionaries(
            {
                "capacity": st.fixed_dictionaries(
                    {"max_requests_per_target": st.integers(1, 9999).map(lambda n: f"{n}/min")}
                )
            }
        ),
        st.fixed_dictionaries({"healthy": st.fixed_dictionaries({"min": st.integers(1, 9)})}),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda entry: str(next(iter(entry))),
)


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=8, unique=True), GATES, DURATIONS,
    st.sampled_from([[], [{"not": "Fri 17:00-Mon 08:00", "zone": "Asia/Tokyo"}]]),
    st.sampled_from([{}, {"hold_back": "0.5%"}, {"hold_back": "20%"}]),
)  # fmt: skip
def test_a_plan_that_is_dumped_and_validated_again_is_the_same_plan(
    weights: list[int],
    gates: list[dict[str, Any]],
    bake: str,
    windows: list[dict[str, str]],
    held_back: dict[str, str],
) -> None:
    if held_back:
        weights = [*(weight for weight in weights if weight < 800), 1000]
    plan = plan_of(
        steps=[{"weight": weight / 10, "bake": bake} for weight in sorted(weights)],
        gates=gates,
        windows=windows,
        acknowledge_big_bang=True,
        **held_back,
    )
    again = Plan.model_validate_json(json.dumps(plan.data()))
    assert again == plan
    assert again.hash == plan.hash
    assert again.steps == plan.steps


# a sliver of traffic for the last bake

STEPS = [{"weight": 25, "bake": "10m"}, {"weight": 100, "bake": "30m", "approve": "sure?"}]


def test_what_is_held_back_splits_the_last_step_into_its_bake_and_the_hand_over() -> None:
    plan = plan_of(steps=STEPS, hold_back="5%")
    climbed = [(step.weight, step.bake, step.approve, step.hands_over) for step in plan.steps]
    assert climbed == [
        (250, 600_000, None, False),
        (950, 1_800_000, "sure?", False),
        (1000, 0, None, True),
    ]


def test_the_file_keeps_the_steps_that_were_written() -> None:
    plan = plan_of(steps=STEPS, hold_back="5%")
    assert plan.data()["steps"] == STEPS
    assert plan.data()["hold_back"] == "5%"
    assert plan_of(steps=STEPS).steps == plan_of(steps=STEPS).written
    assert "hold_back" not in plan_of(steps=STEPS).data()
    assert plan.hash != plan_of(steps=STEPS).hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hold_back": 5}, "needs a unit: write for example 5%"),
        ({"hold_back": "five"}, "is not a percentage"),
        ({"hold_back": "25%"}, "25% is more than 20%: write a step of its own for it"),
        ({"hold_back": "-5%"}, "is not a percentage"),
        ({"hold_back": "0.05%"}, "0.05% is finer than 0.1 %"),
        ({"hold_back": "5%", "steps": [{"weight": 50, "bake": "10m"}]}, "the plan ends at 50 %"),
        (
            {
                "hold_back": "20%",
                "steps": [{"weight": 80, "bake": "10m"}, {"weight": 100, "bake": "10m"}],
            },
            "the last bake would be at 80 %, not above the step before at 80 %",
        ),
    ],
)
def test_what_cannot_be_held_back_is_refused_at_its_place(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        plan_of(**changes)
    found = [error for error in caught.value.errors() if message in error["msg"]]
    assert [error["loc"] for error in found] == [("hold_back",)]


def test_mistakes_in_steps_keep_their_place_with_something_held_back() -> None:
    with pytest.raises(ValidationError) as caught:
        plan_of(
            hold_back="5%",
            steps=[
                {"weight": 5, "bake": "1m"},
                {"weight": 5, "bake": "10m"},
                {"weight": 100, "bake": "0s"},
            ],
        )
    assert [error["loc"] for error in caught.value.errors()] == [
        ("steps", 1, "weight"),
        ("steps", 0, "bake"),
        ("steps", 2, "bake"),
    ]


def test_nobody_may_be_asked_for_too_short_or_too_long() -> None:
    for timeout in ("5s", "30d"):
        with pytest.raises(ValidationError) as caught:
            plan_of(safety={"ask_timeout": timeout})
        assert [error["loc"] for error in caught.value.errors()] == [("safety", "ask_timeout")]


def test_without_a_sliver_lint_says_what_happens_at_a_hundred() -> None:
    (said,) = (one for one in warnings_of() if one.startswith("at 100 %"))
    assert said.endswith("asks a person, and rolls back after 20m")
    (kept,) = (
        one
        for one in warnings_of(safety={"on_hold_timeout": "hold", "ask_timeout": "5m"})
        if one.startswith("at 100 %")
    )
    assert kept.endswith("asks a person, and asks again after 5m")
    assert warnings_of(hold_back="1%") == []


def test_nothing_held_back_may_be_meant_so() -> None:
    meant = plan_of(hold_back="0%")
    assert meant.steps == plan_of().steps
    assert lint(meant) == ()
    ends_at_half = [{"weight": 5, "bake": "10m"}, {"weight": 25, "bake": "10m"}]
    assert plan_of(hold_back="0%", steps=ends_at_half).steps[-1].weight == 250
