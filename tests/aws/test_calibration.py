from __future__ import annotations

from datetime import timedelta
from typing import Any

from cutover.aws.calibration import calibrate
from cutover.aws.cloudwatch import CloudWatchMetrics
from cutover.core.observation.survey import Missing, Seen
from tests.aws.topology import INLINE, START, stubbed
from tests.fakes import plan_of

PLAN = plan_of(gates=[{"latency": {"percentile": 99.9, "max": "2s"}}])
PAIR = PLAN.pairs[0].id
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


def calibrated(*pages: tuple[str, dict[str, Any]]) -> Any:
    return calibrate(
        PLAN, CloudWatchMetrics(stubbed("cloudwatch", *pages), INLINE, PLAN.observe), START.wall_ms
    )


ERRORS = answer({NINE - timedelta(minutes=5): 999.0}, {}, {NINE - timedelta(minutes=5): 1.0}, {})


def test_percentiles_are_the_sources_last_hour_in_ms_the_plans_own_too() -> None:
    found = calibrated(
        answer({EIGHT: 0.06}, {EIGHT: 0.1704}, {EIGHT: 0.33}, {EIGHT: 1.2}, {EIGHT: 5e4}), ERRORS
    )
    assert found == Seen(
        {PAIR: {"p50": 60, "p95": 170, "p99": 330, "p99.9": 1200, "elb_bad_ppm": 1000}}
    )


def test_an_hour_that_was_cut_in_two_speaks_by_its_larger_part() -> None:
    def two(early: float, late: float) -> dict[Any, float]:
        return {EIGHT: early, NINE: late}

    found = calibrated(
        answer(two(0.1, 9), two(0.2, 9), two(0.3, 9), two(0.4, 9), two(900, 20)), ERRORS
    )
    assert isinstance(found, Seen)
    assert found.value[PAIR]["p95"] == 200


def test_a_source_without_requests_has_no_percentiles_and_no_rate() -> None:
    assert calibrated(answer({}, {}, {}, {}, {}), answer({}, {}, {}, {})) == Seen({PAIR: {}})


def test_half_an_answer_is_no_calibration() -> None:
    found = calibrated(answer({}, {}, {}, {}, {}, status="PartialData"), ERRORS)
    assert isinstance(found, Missing)
