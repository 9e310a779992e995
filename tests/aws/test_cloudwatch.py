from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.series import query_of, seconds_text
from cutover.aws.session import AwsSession
from cutover.core.moment import wall_ms
from cutover.core.observation import (
    Absent,
    AlarmState,
    Comparison,
    CustomMetric,
    Known,
    Minute,
    Series,
    Side,
    Unknown,
)
from cutover.core.plan import Observe
from cutover.core.values import MINUTE
from tests.aws.topology import INLINE, Faults, raw, session, stubbed

SOURCE = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/ec2/0123"
DESTINATION = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/eks/4567"
COMPARISON = Comparison("ec2>eks", "app/prod/89ab", SOURCE, DESTINATION)
REQUESTS = Series(Side.SOURCE, "requests")
ERRORS = Series(Side.SOURCE, "target_5xx")
SLOWER = Series(Side.DESTINATION, "slower", over_ms=800)
BALANCER = Series(Side.BALANCER, "elb_502")
CUSTOM = Series(
    Side.CUSTOM,
    "lag",
    custom=CustomMetric("My/App", "Lag", (("Service", "checkout"), ("Cluster", "eks")), "Average"),
)
NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
START = wall_ms(NINE)


def result(
    name: str, points: dict[int, float], status: str = "Complete", **more: Any
) -> dict[str, Any]:
    """One query's part of a page; points by minute after nine."""
    return {
        "Id": name,
        "Label": name,
        "Timestamps": [NINE + timedelta(minutes=minute) for minute in points],
        "Values": list(points.values()),
        "StatusCode": status,
        **more,
    }


def page(*results: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return "get_metric_data", {"MetricDataResults": list(results), **more}


def minutes(
    aws: AwsSession, *series: Series, length: int = 2, now_ms: int | None = None
) -> tuple[Minute, ...]:
    metrics = CloudWatchMetrics(aws, INLINE, Observe())
    end = START + length * MINUTE if now_ms is None else now_ms
    reading = metrics.read({COMPARISON: series}, START, end)
    assert isinstance(reading, Known), reading
    return reading.value


def test_a_minute_carries_a_number_where_there_is_one_and_says_where_there_is_none() -> None:
    aws = stubbed("cloudwatch", page(result("q0", {0: 100.0, 1: 90.0}), result("q1", {1: 3.0})))
    first, second = minutes(aws, REQUESTS, ERRORS)
    assert first.counts == {"source.requests": 100, "source.target_5xx": Absent.NO_DATAPOINT}
    assert second.counts == {"source.requests": 90, "source.target_5xx": 3}
    assert (first.at_ms, second.at_ms) == (START, START + MINUTE)
    assert first.comparison == COMPARISON.id


def test_whole_counts_are_rounded_up_and_custom_values_are_in_milli_units() -> None:
    aws = stubbed(
        "cloudwatch", page(result("q0", {0: 2.0000001}), result("q1", {0: 0.3 - 0.1 + 0.1}))
    )
    (only,) = minutes(aws, ERRORS, CUSTOM, length=1)
    assert only.counts == {"source.target_5xx": 2, "custom.lag": 300}
    aws = stubbed("cloudwatch", page(result("q0", {0: 2.01}), result("q1", {0: 0.0301})))
    (only,) = minutes(aws, ERRORS, CUSTOM, length=1)
    assert only.counts == {"source.target_5xx": 3, "custom.lag": 31}


@pytest.mark.parametrize(
    ("interpolated", "thousandths"), [(2.01, 2010), (0.0004, 0), (0.15, 150), (1.99960001, 2000)]
)
def test_interpolated_slow_requests_are_thousandths_rounded_to_the_nearest(
    interpolated: float, thousandths: int
) -> None:
    aws = stubbed("cloudwatch", page(result("q0", {0: interpolated})))
    (only,) = minutes(aws, SLOWER, length=1)
    assert only.counts == {"destination.slower.800": thousandths}


@pytest.mark.parametrize(
    "bad",
    [
        {"status": "PartialData"},
        {"status": "InternalError"},
        {"status": "Forbidden"},
        {"Messages": [{"Code": "ArithmeticError", "Value": "x"}]},
    ],
)
def test_a_series_that_was_not_answered_whole_is_unknown_and_never_empty(
    bad: dict[str, Any],
) -> None:
    status = bad.pop("status", "Complete")
    aws = stubbed(
        "cloudwatch", page(result("q0", {0: 5.0}), result("q1", {0: 1.0}, status, **bad))
    )
    (first, second) = minutes(aws, REQUESTS, ERRORS, now_ms=START + 2 * MINUTE)
    assert first.counts == {"source.requests": 5, "source.target_5xx": Absent.UNKNOWN}
    assert second.counts == {
        "source.requests": Absent.NO_DATAPOINT,
        "source.target_5xx": Absent.UNKNOWN,
    }


def test_an_old_minute_with_an_unknown_series_is_settled_for_all_others() -> None:
    pages = page(result("q0", {0: 5.0}), result("q1", {}, "InternalError"))
    first = minutes(stubbed("cloudwatch", pages), REQUESTS, ERRORS, now_ms=START + 30 * MINUTE)[0]
    assert first.settled
    assert first.answered
    assert (first.number("source.requests"), first.is_unknown("source.target_5xx")) == (5, True)


def test_an_old_minute_of_which_nothing_was_answered_is_not_called_answered() -> None:
    pages = page(result("q0", {}, "InternalError"), result("q1", {}, "InternalError"))
    first = minutes(stubbed("cloudwatch", pages), REQUESTS, ERRORS, now_ms=START + 30 * MINUTE)[0]
    assert not first.answered


def test_a_series_missing_from_the_answer_is_unknown() -> None:
    aws = stubbed("cloudwatch", page(result("q0", {0: 5.0})))
    assert minutes(aws, REQUESTS, ERRORS, length=1)[0].is_unknown("source.target_5xx")


def test_a_message_about_the_whole_answer_makes_all_of_it_unknown() -> None:
    aws = stubbed(
        "cloudwatch",
        page(result("q0", {0: 5.0}), Messages=[{"Code": "MaxMetricsExceeded", "Value": "x"}]),
    )
    assert minutes(aws, REQUESTS, length=1)[0].is_unknown("source.requests")


def test_a_value_that_is_no_number_is_unknown() -> None:
    aws = stubbed("cloudwatch", page(result("q0", {0: float("nan")})))
    assert minutes(aws, REQUESTS, length=1)[0].is_unknown("source.requests")


def test_pages_are_put_together_and_the_last_one_decides() -> None:
    aws = stubbed(
        "cloudwatch",
        page(result("q0", {0: 5.0}, "PartialData"), NextToken="more"),
        page(result("q0", {1: 6.0}, "Complete")),
    )
    first, second = minutes(aws, REQUESTS)
    assert (first.number("source.requests"), second.number("source.requests")) == (5, 6)


def test_a_minute_is_settled_when_it_ended_long_enough_ago() -> None:
    aws = stubbed("cloudwatch", page(result("q0", dict.fromkeys(range(4), 1.0))))
    # 09:03:30: the minute of 9:00 ended 150 s ago, that of 9:01 ended 90 s ago, 9:03 is not over
    found = minutes(aws, REQUESTS, now_ms=START + 210_000)
    assert [(m.at_ms - START) // MINUTE for m in found] == [0, 1, 2, 3]
    assert [m.settled for m in found] == [True, False, False, False]


def test_the_window_begins_with_its_first_whole_minute() -> None:
    aws = stubbed("cloudwatch", page(result("q0", {1: 1.0})))
    reading = CloudWatchMetrics(aws, INLINE, Observe()).read(
        {COMPARISON: (REQUESTS,)}, START + 1, START + 2 * MINUTE
    )
    assert isinstance(reading, Known)
    assert [m.at_ms for m in reading.value] == [START + MINUTE]


def test_an_empty_window_asks_nothing() -> None:
    reading = CloudWatchMetrics(session(), INLINE, Observe()).read(
        {COMPARISON: (REQUESTS,)}, START, START
    )
    assert isinstance(reading, Known)
    assert reading.value == ()


def test_more_than_500_queries_go_in_several_calls_and_one_that_fails_leaves_the_rest() -> None:
    aws = session()
    series = [
        Series(Side.CUSTOM, f"m{n}", custom=CustomMetric("My/App", f"M{n}", (), "Sum"))
        for n in range(501)
    ]
    faults = Faults({"GetMetricData": ["", "denied"]}).install(aws, "cloudwatch")
    (only,) = minutes(aws, *series, length=1)
    assert faults.calls == ["GetMetricData", "GetMetricData"]
    assert only.counts["custom.m499"] is Absent.NO_DATAPOINT
    assert only.counts["custom.m500"] is Absent.UNKNOWN


@pytest.mark.parametrize(("fault", "denied"), [("denied", True), ("expired", True)])
def test_a_refused_call_is_unknown(fault: str, denied: bool) -> None:
    aws = session()
    Faults({"GetMetricData": [fault]}).install(aws, "cloudwatch")
    reading = CloudWatchMetrics(aws, INLINE, Observe()).read(
        {COMPARISON: (REQUESTS,)}, START, START + MINUTE
    )
    assert isinstance(reading, Unknown)
    assert reading.denied is denied


def test_what_is_put_is_read_with_its_namespace_dimensions_and_statistic() -> None:
    def dimensions(**named: str) -> list[dict[str, str]]:
        return [{"Name": n, "Value": v} for n, v in named.items()]

    raw("cloudwatch").put_metric_data(
        Namespace="AWS/ApplicationELB",
        MetricData=[
            {
                "MetricName": "RequestCount",
                "Dimensions": dimensions(
                    LoadBalancer="app/prod/89ab", TargetGroup="targetgroup/ec2/0123"
                ),
                "Timestamp": NINE + timedelta(seconds=20),
                "Value": value,
            }
            for value in (40.0, 2.0)
        ],
    )
    first, second = minutes(session(), REQUESTS, Series(Side.DESTINATION, "requests"))
    assert first.counts == {"source.requests": 42, "destination.requests": Absent.NO_DATAPOINT}
    assert second.counts["source.requests"] is Absent.NO_DATAPOINT


def test_the_request_is_aligned_ascending_and_without_units() -> None:
    aws = session()
    seen: list[dict[str, Any]] = []
    aws.client("cloudwatch").meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: seen.append(params)
    )
    minutes(aws, REQUESTS, BALANCER, now_ms=START + 90_000)
    (request,) = seen
    assert request["StartTime"] == NINE
    assert request["EndTime"] == NINE + timedelta(minutes=2)
    assert request["ScanBy"] == "TimestampAscending"
    assert [q["MetricStat"]["Period"] for q in request["MetricDataQueries"]] == [60, 60]
    assert [q["Id"] for q in request["MetricDataQueries"]] == ["q0", "q1"]
    assert all("Unit" not in q["MetricStat"] for q in request["MetricDataQueries"])


@pytest.mark.parametrize(
    ("series", "metric", "statistic", "dimensions"),
    [
        (
            REQUESTS,
            "RequestCount",
            "Sum",
            {"LoadBalancer": "app/prod/89ab", "TargetGroup": "targetgroup/ec2/0123"},
        ),
        (
            Series(Side.DESTINATION, "connection_errors"),
            "TargetConnectionErrorCount",
            "Sum",
            {"LoadBalancer": "app/prod/89ab", "TargetGroup": "targetgroup/eks/4567"},
        ),
        (
            SLOWER,
            "TargetResponseTime",
            "TC(0.8:)",
            {"LoadBalancer": "app/prod/89ab", "TargetGroup": "targetgroup/eks/4567"},
        ),
        (BALANCER, "HTTPCode_ELB_502_Count", "Sum", {"LoadBalancer": "app/prod/89ab"}),
        (
            Series(Side.BALANCER, "requests"),
            "RequestCount",
            "Sum",
            {"LoadBalancer": "app/prod/89ab"},
        ),
        (CUSTOM, "Lag", "Average", {"Cluster": "eks", "Service": "checkout"}),
    ],
)
def test_each_series_has_its_metric(
    series: Series, metric: str, statistic: str, dimensions: dict[str, str]
) -> None:
    query = query_of(series, COMPARISON)
    assert (query.metric, query.statistic) == (metric, statistic)
    assert query.dimensions == tuple(sorted(dimensions.items()))


def test_a_series_nobody_publishes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"balancer\.target_5xx"):
        query_of(Series(Side.BALANCER, "target_5xx"), COMPARISON)


@pytest.mark.parametrize(
    ("ms", "text"), [(800, "0.8"), (1000, "1"), (1250, "1.25"), (20_000, "20"), (5, "0.005")]
)
def test_limits_are_written_in_seconds(ms: int, text: str) -> None:
    assert seconds_text(ms) == text


def alarm(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"AlarmName": name, "StateValue": state, **more}


def test_alarms_of_both_kinds_are_found_and_one_that_does_not_exist_is_missing() -> None:
    aws = stubbed(
        "cloudwatch",
        (
            "describe_alarms",
            {"MetricAlarms": [alarm("burn", "OK")], "CompositeAlarms": [alarm("any", "ALARM")]},
        ),
    )
    reading = CloudWatchAlarms(aws, INLINE).read(["any", "gone", "burn"])
    assert isinstance(reading, Known)
    assert reading.value == {
        "any": AlarmState.ALARM,
        "gone": AlarmState.MISSING,
        "burn": AlarmState.OK,
    }


def test_an_ok_that_could_not_be_evaluated_is_not_ok() -> None:
    aws = stubbed(
        "cloudwatch",
        (
            "describe_alarms",
            {"MetricAlarms": [alarm("burn", "OK", EvaluationState="PARTIAL_DATA")]},
        ),
    )
    reading = CloudWatchAlarms(aws, INLINE).read(["burn"])
    assert isinstance(reading, Known)
    assert reading.value["burn"] is AlarmState.INSUFFICIENT_DATA


def test_alarms_are_asked_for_with_their_types_because_composite_ones_are_left_out_otherwise() -> (
    None
):
    aws = session()
    seen: list[dict[str, Any]] = []
    aws.client("cloudwatch").meta.events.register(
        "provide-client-params.cloudwatch.DescribeAlarms", lambda params, **_: seen.append(params)
    )
    CloudWatchAlarms(aws, INLINE).read([f"a{n}" for n in range(101)])
    assert [len(one["AlarmNames"]) for one in seen] == [100, 1]
    assert all(one["AlarmTypes"] == ["MetricAlarm", "CompositeAlarm"] for one in seen)


def test_alarms_that_may_not_be_read_are_unknown() -> None:
    aws = session()
    Faults({"DescribeAlarms": ["denied"]}).install(aws, "cloudwatch")
    reading = CloudWatchAlarms(aws, INLINE).read(["burn"])
    assert isinstance(reading, Unknown)
    assert reading.denied


def test_no_alarm_asked_is_no_call() -> None:
    reading = CloudWatchAlarms(session(), INLINE).read([])
    assert isinstance(reading, Known)
    assert reading.value == {}
