from __future__ import annotations

from datetime import timedelta
from typing import Any

from cutover.aws.calibration import calibrate
from cutover.aws.cloudwatch import CloudWatchMetrics
from cutover.core.observation import Known, Unknown, beside_source
from cutover.core.plan import Plan
from tests.aws.topology import INLINE, START, stubbed
from tests.fakes import plan_of

PLAN = plan_of(gates=[{"latency": {"percentile": 99.9, "max": "2s"}}])
COMPARISON = PLAN.comparisons[0].id
NINE = START.wall.replace(minute=0, second=0)
EIGHT = NINE - timedelta(hours=1)


def answer(*values: dict[Any, float], status: str = "Complete") -> tuple[str, dict[str, Any]]:
    """One page: the points of each query in its order."""
    results = [
        {
            "Id": f"q{n}",
            "Timestamps": list(points),
            "Values": list(points.values()),
            "StatusCode": status,
        }
        for n, points in enumerate(values)
    ]
    return "get_metric_data", {"MetricDataResults": results}


def calibrated(*pages: tuple[str, dict[str, Any]], plan: Plan = PLAN) -> Any:
    return calibrate(
        plan,
        CloudWatchMetrics(stubbed("cloudwatch", *pages), INLINE, plan.observe),
        START.wall_ms,
        START,
    )


LATELY = [NINE - timedelta(minutes=3 + n) for n in range(30)]


def quiet_hour(
    status: str = "Complete", plan: Plan = PLAN, **values: float
) -> tuple[str, dict[str, Any]]:
    """The source's last minutes; what is not named has no datapoint."""
    wanted = beside_source(plan.series({COMPARISON: {"p95": 200}})[PLAN.comparisons[0]])
    return answer(
        *(
            dict.fromkeys(LATELY, values[one.key.replace(".", "_")])
            if one.key.replace(".", "_") in values
            else {}
            for one in wanted
        ),
        status=status,
    )


ERRORS = answer({NINE - timedelta(minutes=5): 999.0}, {}, {NINE - timedelta(minutes=5): 1.0}, {})


def test_percentiles_are_the_sources_last_hour_in_ms_the_plans_own_too() -> None:
    found = calibrated(
        answer({EIGHT: 0.06}, {EIGHT: 0.1704}, {EIGHT: 0.33}, {EIGHT: 1.2}, {EIGHT: 5e4}),
        ERRORS,
        quiet_hour(),
    )
    assert found == Known(
        {COMPARISON: {"p50": 60, "p95": 170, "p99": 330, "p99.9": 1200, "elb_bad_ppm": 1000}},
        START,
    )


def test_an_hour_that_was_cut_in_two_speaks_by_its_larger_part() -> None:
    def two(early: float, late: float) -> dict[Any, float]:
        return {EIGHT: early, NINE: late}

    found = calibrated(
        answer(two(0.1, 9), two(0.2, 9), two(0.3, 9), two(0.4, 9), two(900, 20)),
        ERRORS,
        quiet_hour(),
    )
    assert isinstance(found, Known)
    assert found.value[COMPARISON]["p95"] == 200


def test_a_source_without_requests_has_no_percentiles_and_no_rate() -> None:
    assert calibrated(answer({}, {}, {}, {}, {}), answer({}, {}, {}, {}), quiet_hour()) == Known(
        {COMPARISON: {}}, START
    )


def test_the_noise_of_the_minutes_before_is_measured_with_the_rest() -> None:
    minutes = quiet_hour(source_requests=6000.0, source_slower_2000=6.25)
    found = calibrated(answer({}, {}, {}, {}, {}), ERRORS, minutes)
    assert isinstance(found, Known)
    own = found.value[COMPARISON]
    assert own["rate.latency.p99.9.max"] == 1_042  # 6.25 of 6,000: fractions count
    assert own["elb_bad_ppm"] == 1000
    assert "cv.latency.p99.9.max" in own


def test_noise_that_was_read_in_part_is_no_calibration() -> None:
    found = calibrated(answer({}, {}, {}, {}, {}), ERRORS, quiet_hour(status="PartialData"))
    assert found == Unknown("CloudWatch answered only in part")


def test_half_an_answer_is_no_calibration() -> None:
    found = calibrated(answer({}, {}, {}, {}, {}, status="PartialData"), ERRORS)
    assert isinstance(found, Unknown)


def test_the_source_is_also_held_against_the_limit_that_only_the_destination_has() -> None:
    plan = plan_of(gates=[{"latency": {"versus_source": {"ratio": 1.25}}}])
    minutes = quiet_hour(
        plan=plan, source_requests=6000.0, source_slower_200=300.0, source_slower_250=180.0
    )
    percentiles = answer({EIGHT: 0.06}, {EIGHT: 0.2}, {EIGHT: 0.33}, {EIGHT: 5e4})
    found = calibrated(percentiles, ERRORS, minutes, plan=plan)
    assert isinstance(found, Known)
    assert found.value[COMPARISON]["rate.latency.versus_source"] == 30_000
