"""Check `risk`: no step costs more than the plan's budget, at the traffic measured now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from cutover.core.observation import Unknown
from cutover.core.observation.survey import Fact
from cutover.core.plan import lint
from cutover.core.preflight import Finding, Severity, measured_rate, run_checks
from tests.core.preflight.test_checks import PLAN, SOUND, known
from tests.fakes import plan_of

COMPARISON = PLAN.comparisons[0].id
DENIED = Unknown(
    "AccessDenied: no", "AccessDenied", denied=True, missing_permission="cloudwatch:GetMetricData"
)
HOLDS = [{"errors": {"max": "1%", "on_breach": "hold"}}]


MEASURED = known({COMPARISON: 90_000})


def found(metrics: Fact[Mapping[str, int]] = MEASURED, **plan: object) -> Finding:
    findings = run_checks(plan_of(**plan), replace(SOUND, metrics=metrics))
    (one,) = [finding for finding in findings if finding.id == "risk"]
    return one


def budget(requests: int) -> dict[str, int]:
    return {"harmed_requests": requests}


def test_without_a_budget_there_is_nothing_to_check() -> None:
    assert found().severity is Severity.OK


def test_steps_within_the_budget_are_fine_and_it_says_what_they_cost() -> None:
    one = found(risk=budget(900))
    assert one.severity is Severity.OK
    assert "costs about 840 at 6000/min (measured now)" in one.seen


def test_steps_over_the_budget_block_with_both_numbers_and_what_would_fit() -> None:
    one = found(risk=budget(800))
    assert one.severity is Severity.BLOCK
    assert "about 840 requests fail" in one.why
    assert "risk.harmed_requests is 800" in one.why
    assert "Start at 4.7 % or less" in one.fix
    assert "cutover schedule PLAN --budget harmed_requests=800 --rate 6000/min" in one.fix


def test_the_measured_traffic_counts_and_not_the_plans() -> None:
    assert found(risk=budget(800), traffic="10/min").severity is Severity.BLOCK
    quiet = found(known({COMPARISON: 9_000}), risk=budget(800), traffic="6000/min")
    assert quiet.severity is Severity.OK


@pytest.mark.parametrize("metrics", [DENIED, known({}), known({COMPARISON: 0})])
def test_what_could_not_be_measured_is_taken_from_the_plan(
    metrics: Fact[Mapping[str, int]],
) -> None:
    one = found(metrics, risk=budget(800), traffic="6000/min")
    assert one.severity is Severity.BLOCK
    assert "the plan's traffic" in one.seen


@pytest.mark.parametrize("metrics", [DENIED, known({}), known({COMPARISON: 0})])
def test_traffic_that_nobody_knows_keeps_no_budget(metrics: Fact[Mapping[str, int]]) -> None:
    assert found(metrics, risk=budget(10**9)).severity is Severity.BLOCK


@pytest.mark.parametrize(
    ("gates", "why"),
    [([{"healthy": {"min": 1}}], "no `errors` gate"), (HOLDS, "only holds")],
)
def test_a_budget_that_nothing_keeps_blocks(gates: list[object], why: str) -> None:
    one = found(risk=budget(10**9), gates=gates)
    assert one.severity is Severity.BLOCK
    assert why in one.why


def test_no_requests_seen_are_no_measurement() -> None:
    assert measured_rate(replace(SOUND, metrics=known({COMPARISON: 0}))) is None
    assert measured_rate(replace(SOUND, metrics=DENIED)) is None
    assert measured_rate(SOUND) == 6_000


# the same in a file


def said(**plan: object) -> list[str]:
    return [one.message for one in lint(plan_of(hold_back="5%", **plan))]


def test_a_later_step_over_the_budget_names_what_the_bakes_before_have_seen() -> None:
    def steps(first: str) -> list[dict[str, object]]:
        baked = ((1, first), (25, "60m"), (100, "60m"))
        return [{"weight": weight, "bake": bake} for weight, bake in baked]

    (hasty,) = (
        one
        for one in said(traffic="300/min", risk=budget(20), steps=steps("10m"))
        if "risk." in one
    )
    assert hasty.startswith(
        "the bakes before this step are sure to see only failures of 26% and more; a defect below that fails about 55 "
        "requests here before traffic is back; risk.harmed_requests is 20"
    )
    patient = said(traffic="300/min", risk=budget(20), steps=steps("60m"))
    assert not [one for one in patient if "risk." in one]


def test_a_budget_that_nothing_keeps_is_a_warning() -> None:
    assert any("only holds" in one for one in said(traffic="600/min", risk=budget(5), gates=HOLDS))


def test_traffic_too_little_to_see_a_total_failure_is_one_warning_naming_the_steps() -> None:
    steps = [{"weight": weight, "bake": "5m"} for weight in (0.1, 0.2, 1, 5, 25, 100)]
    assert [one for one in said(traffic="300/min", steps=steps) if "total failure" in one] == [
        "with so little traffic this bake ends before even a total failure is sure to be seen; likewise at 0.2 %"
    ]


def test_bakes_that_never_see_a_slow_leak_are_one_warning() -> None:
    assert [one for one in said(traffic="600/min") if "slow leak" in one] == [
        "no bake sees a slow leak: errors that grow by 0.1 % of the requests every minute"
    ]
    assert not [one for one in said(traffic="60000/min") if "slow leak" in one]


def test_a_source_too_thin_to_compare_with_is_one_warning_naming_the_steps() -> None:
    found = [one for one in said(traffic="80/min") if "too few to compare" in one]
    assert found == [
        "the source keeps about 40 requests a minute at 50 %: too few to compare with; likewise at 95 %"
    ]
    assert not [one for one in said(traffic="6000/min") if "too few to compare" in one]
