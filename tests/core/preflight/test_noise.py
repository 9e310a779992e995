"""A limit inside the source's own noise is said before the run, with the numbers and what would be outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from cutover.core.observation import Absent, Count, Minute, Unknown, beside_source
from cutover.core.plan import Plan
from cutover.core.preflight import Finding, Severity, run_checks
from cutover.core.preflight.variability import MINUTES, measured
from cutover.core.values import MINUTE
from tests.core.preflight.test_checks import SOUND, known
from tests.fakes import TWO_ROUTES, plan_of

START_MS = 1_800_000_000_000
ERRORS = {"errors": {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}}
LATENCY = {"latency": {"percentile": 95, "versus_source": {"ratio": 1.25}}}


def minute(plan: Plan, at: int, columns: Mapping[str, int], known: Any) -> Minute:
    comparison = plan.comparisons[0]
    counts: dict[str, Count] = {
        one.key: columns.get(one.key, Absent.NO_DATAPOINT)
        for one in beside_source(plan.series(known)[comparison])
    }
    return Minute(comparison.id, START_MS + at * MINUTE, counts)


def hour(
    plan: Plan, failed: Iterable[int], *, requests: int = 6_000, hung: int = 0, known: Any = None, **slow: int
) -> list[Minute]:  # fmt: skip
    """Minutes of the source with so many failed requests each."""
    return [
        minute(
            plan,
            at,
            {
                "source.requests": requests,
                "balancer.requests": requests,
                "source.target_2xx": requests - bad - hung,
                "source.target_5xx": bad,
                **{f"source.slower.{name[1:]}": 1000 * count for name, count in slow.items()},
            },
            known or {},
        )
        for at, bad in enumerate(failed)
    ]


def noted(plan: Plan, minutes: Iterable[Minute], known: Any = None) -> Mapping[str, int]:
    return measured(plan, minutes, known or {})[plan.comparisons[0].id]


def found(plan: Plan, calibration: Mapping[str, int], check: str = "noise") -> Finding:
    whole = {comparison.id: {"p95": 170, **calibration} for comparison in plan.comparisons}
    survey = replace(SOUND, calibration=known(whole))
    return next(one for one in run_checks(plan, survey) if one.id == check)


def test_the_sources_rate_and_its_spread_are_measured_in_whole_numbers() -> None:
    plan = plan_of(gates=[ERRORS])
    steady = noted(plan, hour(plan, [6] * MINUTES))
    assert steady["rate.errors"] == 1_000
    assert steady["allowed.errors"] == pytest.approx(2_000, rel=0.3)
    assert steady["unanswered_ppm"] == 0
    wild = noted(plan, hour(plan, [0, 12] * (MINUTES // 2)))
    assert wild["rate.errors"] == 1_000
    assert wild["spread.errors"] > steady["spread.errors"]
    assert all(type(value) is int for value in (*steady.values(), *wild.values()))


def test_a_steady_source_is_outside_the_noise() -> None:
    plan = plan_of(gates=[ERRORS])
    finding = found(plan, noted(plan, hour(plan, [6] * MINUTES)))
    assert finding.severity is Severity.OK
    assert "errors up to 0.13 %, allowed 0.2" in finding.seen


def test_a_limit_inside_the_noise_is_warned_of_with_both_numbers_and_the_limit_outside() -> None:
    plan = plan_of(gates=[{"errors": {"max": "0.12%"}}])
    finding = found(plan, noted(plan, hour(plan, [6] * MINUTES)))
    assert finding.severity is Severity.WARN
    assert "errors: the source itself shows 0.10 % and noise up to 0.13 %" in finding.seen
    assert "a destination is allowed 0.12 %" in finding.seen
    assert "errors: more than 0.13 %" in finding.fix


def test_the_wilder_the_source_the_wider_its_noise() -> None:
    plan = plan_of(gates=[{"errors": {"max": "0.2%"}}])
    assert found(plan, noted(plan, hour(plan, [6] * MINUTES))).severity is Severity.OK
    wild = found(plan, noted(plan, hour(plan, [0, 12] * (MINUTES // 2))))
    assert wild.severity is Severity.WARN


def test_a_source_above_the_limit_itself_is_warned_of() -> None:
    plan = plan_of(gates=[ERRORS])
    finding = found(plan, noted(plan, hour(plan, [90] * MINUTES)))
    assert finding.severity is Severity.WARN
    assert "is above the limit in 100.00 % of its minutes" in finding.seen


def test_latency_is_held_against_what_the_destination_would_be_held_against() -> None:
    plan = plan_of(gates=[LATENCY])
    known = {plan.comparisons[0].id: {"p95": 200}}
    draw = Random(1)
    own = [
        one
        for at in range(MINUTES)
        for one in hour(plan, [0], known=known, _200=300, _250=draw.randint(150, 210))
        for one in [replace(one, at_ms=START_MS + at * MINUTE)]
    ]
    calm = noted(plan, own, known)
    assert calm["rate.latency.versus_source"] == pytest.approx(30_000, rel=0.05)
    assert calm["allowed.latency.versus_source"] == pytest.approx(52_000, rel=0.1)
    assert found(plan, calm).severity is Severity.OK
    slow = noted(plan, hour(plan, [0] * MINUTES, known=known, _200=300, _250=280), known)
    finding = found(plan, slow)
    assert finding.severity is Severity.WARN
    assert "latency.versus_source: the source itself shows 4.67 %" in finding.seen


def test_a_source_that_leaves_requests_unanswered_switches_that_term_off_and_it_is_said() -> None:
    plan = plan_of(gates=[ERRORS])
    calibration = noted(plan, hour(plan, [6] * MINUTES, hung=30))
    assert calibration["unanswered_ppm"] == 5_000
    finding = found(plan, calibration, "unanswered")
    assert finding.severity is Severity.WARN
    assert "0.50 % of the source's requests" in finding.seen
    few = noted(plan, hour(plan, [6] * MINUTES, hung=5))
    assert found(plan, few, "unanswered").severity is Severity.OK
    assert found(plan_of(gates=[LATENCY]), calibration, "unanswered").severity is Severity.OK


def test_an_hour_without_requests_measures_nothing_and_says_so() -> None:
    plan = plan_of(gates=[ERRORS])
    silent = [minute(plan, at, {}, {}) for at in range(MINUTES)]
    assert not [name for name in noted(plan, silent) if name.startswith("rate.")]
    assert not [name for name in noted(plan, []) if name.startswith("rate.")]
    finding = found(plan, noted(plan, silent))
    assert finding.severity is Severity.WARN
    assert "no minutes of the source to measure" in finding.seen


def test_gates_that_are_not_judged_by_evidence_have_no_noise_to_measure() -> None:
    plan = plan_of(gates=[{"errors": {"max": "0.01%", "judge": "threshold"}}])
    assert found(plan, noted(plan, hour(plan, [6] * MINUTES))).severity is Severity.OK


def test_what_could_not_be_read_warns_and_never_blocks() -> None:
    survey = replace(
        SOUND,
        calibration=Unknown("denied", denied=True, missing_permission="cloudwatch:GetMetricData"),
    )
    every = {one.id: one for one in run_checks(plan_of(gates=[ERRORS]), survey)}
    assert every["noise"].severity is every["unanswered"].severity is Severity.WARN
    assert "cloudwatch:GetMetricData" in every["noise"].fix


def test_every_comparison_is_measured_on_its_own_minutes() -> None:
    plan = plan_of(routes=TWO_ROUTES, gates=[ERRORS])
    minutes = hour(plan, [6] * MINUTES)
    other = [
        replace(one, comparison=comparison.id)
        for comparison in plan.comparisons[1:]
        for one in hour(plan, [12] * 20)
    ]
    result = measured(plan, [*minutes, *other], {})
    assert set(result) == {comparison.id for comparison in plan.comparisons}
    assert result[plan.comparisons[0].id]["rate.errors"] == 1_000
