"""Past minutes judged: what a look says, how a minute is divided, and how a start in the past would have gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.backtest import (
    COLUMNS,
    NOTHING,
    Action,
    Evaluation,
    Group,
    History,
    Report,
    Row,
    SimulatedCutover,
    SimulatedEnd,
    Twitchy,
    attempt,
    looks,
    mapping_of_table,
    past_of_minutes,
    past_of_rows,
    report_of,
    split,
    starts,
)
from cutover.core.backtest.rows import ms_of
from cutover.core.backtest.split import _drawn, _outwards
from cutover.core.gates import Verdict
from cutover.core.observation import Absent, Count, Minute
from cutover.core.plan import Plan
from cutover.core.values import HOUR, MINUTE
from tests.fakes import RULE, SOURCE, TWO_ROUTES, plan_of

ERRORS = {"errors": {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}}
STEPS = [{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m"}]
PLAN = plan_of(gates=[ERRORS], steps=STEPS)
COMPARISON = PLAN.comparisons[0]
ALL = frozenset(COLUMNS)
FINE = Group(6_000, 6, 0, 300_000, 24_000)


def before(minutes: int = 60) -> list[Row]:
    return [Row(minute, -1, 0, FINE) for minute in range(-minutes, 0)]


def run(minutes: int, destination: Group, *, weight: int = 50, step: int = 0) -> list[Row]:
    return [
        Row(minute, step, weight, replace(FINE, requests=5_700), destination)
        for minute in range(minutes)
    ]


def looked(rows: Sequence[Row], plan: Plan = PLAN) -> list[Evaluation]:
    return list(looks(plan, plan.comparisons[0], mapping_of_table(plan, ALL), rows))


def last(rows: Sequence[Row], plan: Plan = PLAN) -> Evaluation:
    return looked(rows, plan)[-1]


GOOD = Group(300, 0, 0, 12_000, 1_200)


def test_a_bake_that_is_over_with_every_gate_passing_advances() -> None:
    found = looked([*before(), *run(12, GOOD)])
    assert [look.action for look in found[:9]] == [Action.BAKE] * 9
    assert found[9].action is Action.ADVANCE
    assert [signal.name for signal in found[9].signals] == ["errors"]


def test_too_few_requests_bake_on_for_as_long_as_a_run_waits_and_then_hold() -> None:
    patient = plan_of(gates=[{"errors": {"max": "1%", "min_requests": 10_000}}], steps=STEPS)
    found = looked([*before(), *run(31, Group(1, 0))], patient)
    assert {look.decides.verdict for look in found} == {Verdict.WAITING}
    assert {look.action for look in found[:29]} == {Action.BAKE}
    assert {look.action for look in found[29:]} == {Action.HOLD}, "10m of bake and 20m of grace"


def test_a_breach_does_what_its_gate_says() -> None:
    bad = Group(300, 100)
    assert last([*before(), *run(2, bad)]).action is Action.ROLLBACK
    holds = {"errors": {**ERRORS["errors"], "on_breach": "hold"}}
    plan = plan_of(gates=[holds], steps=STEPS)
    assert last([*before(), *run(2, bad)], plan).action is Action.HOLD


def test_nobody_left_to_compare_with_asks_a_person_unless_the_raise_is_suspected() -> None:
    def bad_from(first: int) -> Evaluation:
        groups = (Group(6_000, 300 if n >= first else 6) for n in range(first + 3))
        return last(
            [*before(), *(Row(n, 1, 1000, NOTHING, group) for n, group in enumerate(groups))]
        )

    soon, late = bad_from(0), bad_from(10)
    assert (soon.decides.verdict, soon.action) == (Verdict.BREACH, Action.ROLLBACK)
    assert soon.sentence.endswith("it began right after the raise")
    assert (late.decides.verdict, late.action) == (Verdict.BREACH, Action.ESCALATE)


def test_a_sick_source_holds_and_is_blamed_on_a_raise_right_before_it() -> None:
    def sick_from(first: int) -> Evaluation:
        here, there = Group(5_700, 570), Group(300, 30)
        rows = run(first + 3, GOOD)
        sick = (replace(row, source=here, destination=there) for row in rows[first:])
        return last([*before(), *rows[:first], *sick])

    late, soon = sick_from(8), sick_from(0)
    assert (late.decides.verdict, late.action) == (Verdict.SHARED, Action.HOLD)
    assert late.sentence.startswith("errors: the source is bad too")
    assert (soon.decides.verdict, soon.action) == (Verdict.SHARED, Action.ROLLBACK)
    assert soon.sentence.startswith("errors: the source turned bad right after the raise")


def test_missing_minutes_hold_after_three_and_roll_an_unproven_step_back_after_the_blind_budget() -> (
    None
):
    dark = [replace(row, source=NOTHING, destination=NOTHING) for row in run(30, GOOD)[3:]]
    actions = [look.action for look in looked([*before(), *run(3, GOOD), *dark])]
    assert actions[:9] == [Action.BAKE] * 9
    assert set(actions[9:16]) == {Action.HOLD}
    assert set(actions[16:]) == {Action.ROLLBACK}


def test_the_table_says_where_the_run_stands_whatever_the_engine_did() -> None:
    second = [replace(row, minute=row.minute + 5, step=1) for row in run(12, GOOD, weight=1000)]
    found = looked([*before(), *run(5, Group(300, 100)), *second])
    assert found[4].action is Action.ROLLBACK, "the engine went back"
    assert (found[5].row.step, found[5].baked) == (1, 1), "the table went on"
    early = looked([*before(), *run(5, GOOD), *second])
    assert {look.action for look in early[:5]} == {Action.BAKE}, "the engine would have waited"
    assert early[-1].action is Action.ADVANCE


def test_minutes_without_any_request_are_blindness() -> None:
    silent = [replace(row, source=NOTHING, destination=NOTHING) for row in run(4, GOOD)]
    rows = [*before(), *run(3, GOOD), *(replace(r, minute=r.minute + 3) for r in silent)]
    found = last([*rows, Row(7, 0, 50)])
    assert found.decides.verdict is Verdict.UNKNOWN


def test_unanswered_requests_are_failures_at_once() -> None:
    assert last([*before(), *run(1, Group(60, 0, 60))]).decides.verdict is Verdict.BREACH


LATENCY = {"latency": {"percentile": 95, "versus_source": {"ratio": 1.25}}}


def test_each_column_belongs_to_the_first_latency_gate_that_can_use_it() -> None:
    gates = [
        LATENCY,
        {"latency": {"percentile": 99, "max": "1000ms", "versus_source": {"ratio": 2}}},
        {"latency": {"percentile": 99.9, "max": "2s"}},
        {"latency": {"percentile": 50, "max": "1000ms"}},
    ]
    mapping = mapping_of_table(plan_of(gates=gates), ALL)
    assert [gate.name for gate in mapping.gates] == ["latency", "latency.p50"]
    assert mapping.not_judged == {
        "latency.p99": "the column slow belongs to another latency gate of the plan",
        "latency.p99.9": "the column over_slo belongs to another latency gate of the plan",
    }
    assert mapping.slow_ms is not None
    assert mapping.over_ms not in mapping.slow_ms, "a made-up limit is no real one"


def test_gates_that_a_table_cannot_feed_and_columns_it_lacks_are_named() -> None:
    gates = [ERRORS, LATENCY, {"healthy": {"min": 1}}]
    mapping = mapping_of_table(plan_of(gates=gates), frozenset({"requests", "errors"}))
    assert dict(mapping.not_judged) == {
        "latency": "the table has no slow",
        "healthy": "a table has no target health",
    }
    assert mapping.used == {"requests", "errors", "unanswered"}


def test_a_limit_that_was_never_measured_is_not_named() -> None:
    plan = plan_of(gates=[LATENCY], steps=STEPS)
    slow = replace(GOOD, slow=200_000)
    sentence = last([*before(), *run(3, slow)], plan).sentence
    assert "were slower than 1.25 x the source's p95 (" in sentence
    known = plan_of(gates=[{"latency": {"percentile": 99, "max": "500ms"}}], steps=STEPS)
    slow = replace(GOOD, over_slo=200_000)
    assert "were slower than 500ms" in last([*before(), *run(3, slow)], known).sentence


def test_a_minute_that_the_table_leaves_out_is_unknown_once_a_newer_one_is_there() -> None:
    rows = [*before(), *run(3, GOOD), Row(3, 0, 50, known=False), *run(6, GOOD)[4:]]
    found = looked(rows)
    assert [look.left_out for look in found] == [False] * 3 + [True] + [False] * 2
    lost = [*before(), *run(3, GOOD), Row(3, 0, 50, known=False), Row(4, 0, 50, known=False)]
    assert last(lost).decides.verdict is Verdict.UNKNOWN


def test_a_plan_without_latency_needs_no_latency() -> None:
    mapping = mapping_of_table(PLAN, frozenset({"requests", "errors"}))
    assert (mapping.slow_ms, mapping.over_ms, dict(mapping.calibration)) == (None, None, {})


# --- dividing a minute ---------------------------------------------------------------------------


def minute(requests: Count = 6_000, at: int = 0, **more: Count) -> Minute:
    counts: dict[str, Count] = {
        "source.requests": requests,
        "source.target_2xx": 5_800,
        "source.target_4xx": 100,
        "source.target_5xx": 60,
        "source.target_3xx": Absent.NO_DATAPOINT,
        "source.connection_errors": 12,
        "source.slower.250": 300_500,
        "destination.requests": 1,
        "balancer.requests": 6_000,
    }
    return Minute("p", ms_of(at), {**counts, **{k.replace("__", "."): v for k, v in more.items()}})


@given(st.integers(0, 100_000), st.integers(1, 1000), st.data())
def test_the_two_halves_of_a_minute_are_the_minute(
    at: int, weight: int, data: st.DataObject
) -> None:
    requests = data.draw(st.integers(1, 400_000))
    bad = data.draw(st.integers(0, requests))
    slow = data.draw(st.integers(0, requests * 1000))
    whole = Minute(
        "p",
        ms_of(at),
        {
            "source.requests": requests,
            "source.target_2xx": requests - bad,
            "source.target_5xx": bad,
            "source.slower.9": slow,
        },
    )
    parts = split(whole, weight)
    for name, count in whole.counts.items():
        here, there = parts.number(name), parts.number(name.replace("source", "destination"))
        assert here is not None
        assert there is not None
        assert here + there == count
        assert min(here, there) >= 0
    for side in ("source", "destination"):
        answers = sum(parts.number(f"{side}.{kind}") or 0 for kind in ("target_2xx", "target_5xx"))
        assert answers == parts.number(f"{side}.requests")
    assert split(whole, weight) == parts, "the same minute is always divided the same way"


def test_a_part_of_the_requests_takes_its_share_of_the_bad_ones() -> None:
    parts = [split(minute(at=n), 250) for n in range(400)]
    requests = [part.number("destination.requests") or 0 for part in parts]
    failed = [part.number("destination.target_5xx") or 0 for part in parts]
    slow = [(part.number("destination.slower.250") or 0) / 1000 for part in parts]
    assert fmean(requests) == pytest.approx(1_500, rel=0.01)
    assert pvariance(requests) == pytest.approx(6_000 * 0.25 * 0.75, rel=0.25)
    assert fmean(failed) == pytest.approx(15, rel=0.1)
    assert pvariance(failed) == pytest.approx(60 * 0.25 * 0.75, rel=0.3)
    assert fmean(slow) == pytest.approx(75, rel=0.1)
    assert len(set(requests)) > 100


def test_the_chances_of_a_draw_add_up_to_one() -> None:
    def fair(n: int) -> float:
        return (20 - n) / (n + 1)

    found = dict(_outwards(range(21), 10, 184_756 / 2**20, fair))
    assert sum(found.values()) == pytest.approx(1)
    assert sorted(found) == list(range(21))
    assert _drawn(iter([(3, 0.5), (4, 0.4)]), 0.95) == 4, "rounding left something over"


def test_what_nobody_knows_is_divided_into_what_nobody_knows() -> None:
    for absent in (Absent.NO_DATAPOINT, Absent.UNKNOWN, 0):
        parts = split(minute(absent), 250)
        assert parts.counts["source.requests"] == parts.counts["destination.requests"] == absent
    parts = split(minute(source__target_5xx=Absent.UNKNOWN), 250)
    assert parts.counts["destination.target_5xx"] is Absent.UNKNOWN
    assert parts.counts["balancer.requests"] == 6_000
    assert split(minute(), 1000).number("source.requests") == 0


# --- starts in the past --------------------------------------------------------------------------


def past(rows: Iterable[Row], plan: Plan = PLAN, *, divided: bool = True) -> History:
    return past_of_rows(plan, plan.comparisons[0], rows, ALL, divided=divided)


def service(minutes: int, change: Callable[[int], Group | None] = lambda _: None) -> list[Row]:
    """Minutes of one service: `change` says what is different in a minute of the run, which begins at 60."""
    return [Row(n, -1, 0, change(n - 60) or FINE) for n in range(minutes)]


def started(rows: Iterable[Row], plan: Plan = PLAN, *, divided: bool = True) -> SimulatedCutover:
    return attempt(plan, plan.comparisons[0], past(rows, plan, divided=divided), 60)


def test_a_healthy_past_completes_in_the_time_of_the_plan() -> None:
    found = started(service(120))
    assert (found.ended, found.step, found.sentence) == (SimulatedEnd.COMPLETED, 1, "")
    assert found.minutes == 26, (
        "two bakes, and for each a minute of the change and two until its last minute is settled"
    )


def test_there_is_a_start_for_every_full_hour_with_an_hour_before_it() -> None:
    known = past(service(60 * 5 + 1))
    found = [attempt(PLAN, COMPARISON, known, first) for first in starts(known)]
    assert [one.began_ms % HOUR for one in found] == [0] * 5
    assert [one.ended for one in found] == [SimulatedEnd.COMPLETED] * 4 + [SimulatedEnd.CUT_OFF]


def test_a_source_that_turns_bad_after_the_raise_is_blamed_on_it_unless_the_plan_holds() -> None:
    def incident(n: int) -> Group | None:
        return Group(6_000, 600) if 2 <= n < 12 else None

    found = started(service(120, incident))
    assert found.ended is SimulatedEnd.ROLLED_BACK
    assert "the source turned bad right after the raise" in found.sentence
    plan = plan_of(gates=[ERRORS], steps=STEPS, safety={"on_shared_after_raise": "hold"})
    assert started(service(120, incident), plan).ended is SimulatedEnd.HELD


def test_a_destination_that_turns_bad_at_100_is_for_a_person_unless_the_raise_is_suspected() -> (
    None
):
    def bad_from(first: int) -> Callable[[int], Group | None]:
        return lambda n: Group(6_000, 1_200) if n >= first else None

    soon, late = started(service(120, bad_from(14))), started(service(120, bad_from(20)))
    assert (soon.ended, soon.step) == (SimulatedEnd.ROLLED_BACK, 1)
    assert soon.sentence.endswith("it began right after the raise")
    assert (late.ended, late.step) == (SimulatedEnd.HELD, 1)
    assert "no source traffic is left to compare with" in late.sentence


def test_a_hand_over_completes_after_one_minute_in_which_no_gate_objects() -> None:
    plan = plan_of(gates=[ERRORS], steps=STEPS, hold_back="5%")
    found = started(service(120), plan)
    assert (found.ended, found.step, found.minutes) == (SimulatedEnd.COMPLETED, 2, 31)
    low = plan_of(
        gates=[ERRORS],
        steps=[{"weight": 100, "bake": "10m"}],
        hold_back="20%",
        acknowledge_big_bang=True,
    )
    quiet = started(service(120, lambda _: Group(30, 0)), low)
    assert (quiet.ended, quiet.step) == (SimulatedEnd.COMPLETED, 1), (
        "30 requests make no gate pass"
    )


def test_a_shared_incident_later_in_a_step_holds() -> None:
    found = started(service(120, lambda n: Group(6_000, 600) if 8 <= n < 20 else None))
    assert (found.ended, found.gate) == (SimulatedEnd.HELD, "errors")


def test_too_few_requests_are_waited_for_as_long_as_a_run_would() -> None:
    patient = plan_of(gates=[{"errors": {"max": "1%", "min_requests": 10_000}}], steps=STEPS)
    found = started(service(200, lambda _: Group(60, 0)), patient)
    assert (found.ended, found.minutes) == (SimulatedEnd.HELD, 33)


def test_minutes_that_nobody_knows_hold() -> None:
    rows = service(120)
    rows[64:] = [Row(row.minute, -1, 0, known=False) for row in rows[64:]]
    found = started(rows)
    assert (found.ended, found.minutes) == (SimulatedEnd.HELD, 13)


def test_two_groups_are_judged_as_they_served() -> None:
    def both(n: int, destination: Group) -> list[Row]:
        return [Row(m, -1, 0, FINE, destination, elb_503=50) for m in range(n)]

    assert started(both(120, GOOD), divided=False).ended is SimulatedEnd.COMPLETED
    bad = started(both(120, Group(300, 30)), divided=False)
    assert (bad.ended, bad.step) == (SimulatedEnd.ROLLED_BACK, 0)
    gates = [{"errors": {**ERRORS["errors"], "on_breach": "hold"}}]
    plan = plan_of(gates=gates, steps=STEPS)
    assert started(both(120, Group(300, 30)), plan, divided=False).ended is SimulatedEnd.HELD


def test_a_table_of_one_service_holds_its_part_to_the_sources_own_percentile() -> None:
    plan = plan_of(gates=[ERRORS, LATENCY], steps=STEPS)
    rows = service(120)
    rows[0] = replace(rows[0], known=False)
    found = past(rows, plan)
    own, relative = found.mapping.slow_ms or (0, 0)
    assert found.minutes[0].counts == {}
    assert found.minutes[1].counts[f"source.slower.{own}"] == 300_000
    assert found.minutes[1].counts[f"source.slower.{relative}"] == 300_000
    assert attempt(plan, COMPARISON, found, 60).ended is SimulatedEnd.COMPLETED


def test_a_run_looks_when_a_longer_period_settles_and_not_only_when_the_next_is_over() -> None:
    plan = plan_of(gates=[ERRORS], steps=STEPS, observe={"period": "5m"})
    none = (series.key for series in plan.series({})[COMPARISON])
    every: dict[str, Count] = dict.fromkeys(none, Absent.NO_DATAPOINT)
    every |= {"source.requests": 30_000, "balancer.requests": 30_000}
    every |= {"source.target_2xx": 29_970, "source.target_5xx": 30}
    minutes = (Minute(COMPARISON.id, ms_of(5 * n), every) for n in range(24))
    found = past_of_minutes(plan, COMPARISON, minutes, {}, divided=True)
    done = attempt(plan, COMPARISON, found, 12)
    assert (done.ended, done.minutes) == (SimulatedEnd.COMPLETED, 32)


def test_cloudwatch_feeds_every_gate_but_those_on_live_facts() -> None:
    gates = [ERRORS, LATENCY, {"client_errors": {"max": "1%"}}, {"healthy": {"min": 1}}]
    plan = plan_of(gates=gates, steps=STEPS)
    comparison = plan.comparisons[0]
    ours = Minute(comparison.id, 0, {"source.requests": 1, "balancer.elb_503": 3})
    theirs = Minute("another", 0, {})

    def read(calibration: dict[str, int], *, divided: bool) -> History:
        return past_of_minutes(plan, comparison, [ours, theirs], calibration, divided=divided)

    found = read({}, divided=True)
    assert [gate.name for gate in found.mapping.gates] == ["errors", "client_errors"]
    assert dict(found.mapping.not_judged) == {
        "latency": "the source's p95 is not known",
        "healthy": "CloudWatch's past has no target health",
    }
    assert found.minutes == (ours,)
    served = read({"p95": 200}, divided=False)
    assert "latency" in [gate.name for gate in served.mapping.gates]
    assert served.minutes[0].counts["balancer.elb_503"] is Absent.NO_DATAPOINT


def test_a_gate_keeps_its_share_of_alpha_beside_gates_that_the_past_cannot_judge() -> None:
    percentiles = [{"latency": {"percentile": p, "max": "500ms"}} for p in (90, 95, 99, 99.9)]
    plan = plan_of(gates=[ERRORS, *percentiles], steps=STEPS)
    assert plan.alpha_scale < 1
    few = frozenset({"requests", "errors"})
    mapping = mapping_of_table(plan, few)
    assert [gate.name for gate in mapping.gates] == ["errors"]
    (signal,) = list(looks(plan, COMPARISON, mapping, [*before(), *run(3, GOOD)]))[-1].signals
    assert signal.needed == pytest.approx(200 / plan.alpha_scale)


def test_nobody_is_asked_and_no_window_closes_in_a_past() -> None:
    steps = [{**step, "approve": "traffic is moved"} for step in STEPS]
    plan = plan_of(gates=[ERRORS], steps=steps, windows=[{"not": "00:00-23:59", "zone": "UTC"}])
    assert started(service(120), plan) == started(service(120))
    assert last([*before(), *run(12, GOOD)], plan).action is Action.ADVANCE


def test_the_minutes_of_one_comparison_are_enough_for_a_plan_of_several() -> None:
    cart = SOURCE.replace("checkout", "cart")
    routes = [*TWO_ROUTES, {**TWO_ROUTES[0], "rule": RULE.replace("9683", "1111"), "source": cart}]
    plan = plan_of(gates=[ERRORS], steps=STEPS, routes=routes)
    second = plan.comparisons[1]
    past = past_of_rows(plan, second, service(120), ALL, divided=True)
    assert {minute.comparison for minute in past.minutes} == {"cart-ec2>checkout-eks"}
    assert attempt(plan, second, past, 60).ended is SimulatedEnd.COMPLETED


def test_a_run_that_cannot_even_begin_is_held_before_its_first_raise() -> None:
    rows = [replace(row, known=row.minute >= 70) for row in service(120)]
    found = started(rows)
    assert (found.ended, found.step) == (SimulatedEnd.HELD, 0)
    assert "not ready for the first raise" in found.sentence


# --- the answer ----------------------------------------------------------------------------------


def reported(**ends: int) -> Report:
    every = [SimulatedEnd[name.upper()] for name, count in ends.items() for _ in range(count)]
    return report_of(
        SimulatedCutover(n * HOUR, ended, 0, 10, "errors", "why") for n, ended in enumerate(every)
    )


@pytest.mark.parametrize(
    ("ends", "answer"),
    [
        ({"completed": 19, "cut_off": 9}, Twitchy.CANNOT_TELL),
        ({"completed": 300}, Twitchy.NO),
        ({"completed": 45, "rolled_back": 1}, Twitchy.NO),
        ({"completed": 300, "rolled_back": 12}, Twitchy.YES),
        ({"completed": 300, "held": 40}, Twitchy.HOLDS),
    ],
)
def test_gates_are_too_twitchy_when_more_starts_roll_back_than_chance_explains(
    ends: dict[str, int], answer: Twitchy
) -> None:
    found = reported(**ends)
    assert found.twitchy is answer
    assert found.sentence


def test_the_worst_hour_is_the_one_that_rolls_back_most_often() -> None:
    def at(hour: int, ended: SimulatedEnd) -> SimulatedCutover:
        return SimulatedCutover(hour * HOUR, ended, 0, 5, "errors", f"at {hour}")

    back, held, fine = SimulatedEnd.ROLLED_BACK, SimulatedEnd.HELD, SimulatedEnd.COMPLETED
    found = report_of([at(3, held), at(27, held), at(4, back), at(28, fine), at(5, fine)])
    assert found.worst is not None
    assert found.worst.hour == 4
    assert found.worst.worst is not None
    assert found.worst.worst.sentence == "at 4"
    assert [hour.hour for hour in found.hours] == [3, 4, 5]
    assert found.count(held) == 2
    assert report_of([at(5, fine)]).worst is None
    assert report_of([]).hours == ()


def test_a_minute_of_a_table_keeps_its_distance_from_the_next() -> None:
    assert ms_of(1) - ms_of(0) == MINUTE
    assert ms_of(0) % (24 * HOUR) == 0
