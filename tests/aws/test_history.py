"""The past of a plan, read whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import nan
from typing import Any

import pytest

from cutover.aws import history
from cutover.aws.cloudwatch import Answered, CloudWatchMetrics
from cutover.aws.series import Query
from cutover.core.errors import CredentialsError, RefusedError, UsageError
from cutover.core.moment import wall_from_ms
from cutover.core.observation import Absent, Unknown
from cutover.core.plan import Observe
from cutover.core.values import DAY, HOUR, MINUTE
from tests.aws.topology import INLINE, Faults, raw, session, stubbed
from tests.fakes import TWO_ROUTES, plan_of

NOW = 1_800_000_000_000 // HOUR * HOUR + 17 * MINUTE + 5_000
END = NOW // MINUTE * MINUTE - 2 * MINUTE
GATES = [{"errors": {"max": "1%"}}, {"latency": {"versus_source": {"ratio": 1.25}}}]
PLAN = plan_of(gates=GATES)
COMPARISON = PLAN.comparisons[0]
KNOWN = {COMPARISON.id: {"p95": 200}}


class Archive(CloudWatchMetrics):
    """Answers every minute of every series with one number; `asked` keeps the questions."""

    def __init__(self, *, most: int = DAY, sick: str = "", value: float = 7.0) -> None:
        super().__init__(session(), INLINE, Observe())
        self.asked: list[tuple[int, int, int]] = []
        self.most, self.sick, self.value = most, sick, value

    def ask(
        self, queries: Sequence[Query], start_ms: int, end_ms: int, period_ms: int
    ) -> dict[Query, Answered] | Unknown:
        self.asked.append((start_ms, end_ms, period_ms))
        if end_ms - start_ms > self.most:
            return Unknown("no answer within 13 s", "timeout")
        points = dict.fromkeys(range(start_ms, end_ms, period_ms), self.value)
        return {
            query: Answered(dict(points), complete=query.metric != self.sick) for query in queries
        }


def test_every_minute_of_the_days_comes_once_and_in_order() -> None:
    minutes = list(history.read(PLAN, Archive(), 2, NOW))
    assert [minute.at_ms for minute in minutes] == list(range(END - 2 * DAY, END, MINUTE))
    assert all(minute.settled for minute in minutes)
    assert minutes[0].number("source.requests") == 7


def test_every_comparison_of_a_plan_has_its_minutes() -> None:
    plan = plan_of(routes=TWO_ROUTES, gates=GATES)
    minutes = list(history.read(plan, Archive(), 1, NOW))
    assert [minute.comparison for minute in minutes[: len(plan.comparisons)]] == [
        p.id for p in plan.comparisons
    ]
    assert len(minutes) == len(plan.comparisons) * DAY // MINUTE


def test_what_the_destination_is_judged_by_is_read_of_the_source_too() -> None:
    minute = next(history.read(PLAN, Archive(), 1, NOW, calibration=KNOWN))
    assert minute.number("destination.slower.250") == 7000
    assert minute.number("source.slower.250") == 7000
    assert minute.number("source.slower.200") == 7000
    without = next(history.read(PLAN, Archive(), 1, NOW))
    assert not any(".slower." in key for key in without.counts)


def test_a_question_is_small_enough_to_be_answered_and_progress_is_told() -> None:
    archive, told = Archive(), list[tuple[int, int]]()
    minutes = history.read(PLAN, archive, 1, NOW, told=lambda done, of: told.append((done, of)))
    assert sum(1 for _ in minutes) == 1440
    assert max(end - start for start, end, _ in archive.asked) == 6 * HOUR
    assert told == [(360, 1440), (720, 1440), (1080, 1440), (1440, 1440)]


def test_nothing_is_asked_before_the_first_minute_is_wanted() -> None:
    archive = Archive()
    history.read(PLAN, archive, 15, NOW)
    assert archive.asked == []


def test_what_takes_too_long_is_asked_again_in_halves() -> None:
    archive = Archive(most=HOUR)
    assert len(list(history.read(PLAN, archive, 1, NOW))) == 1440


@pytest.mark.parametrize("days", [0, -1, 16, 365])
def test_days_that_cloudwatch_does_not_keep_are_refused_at_once(days: int) -> None:
    with pytest.raises(UsageError, match="for 15 days") as refused:
        history.read(PLAN, Archive(), days, NOW)
    assert "1 to 15 days" in refused.value.hint


def test_the_oldest_minutes_of_fifteen_days_are_left_out_before_they_are_dropped() -> None:
    first = next(history.read(PLAN, Archive(), 15, NOW))
    assert first.at_ms > NOW - 15 * DAY + 5 * MINUTE
    assert first.at_ms < NOW - 15 * DAY + HOUR


def test_an_answer_in_part_is_an_error_that_names_the_metric_and_the_time_and_never_a_zero() -> (
    None
):
    minutes = history.read(PLAN, Archive(sick="HTTPCode_Target_5XX_Count"), 1, NOW)
    with pytest.raises(
        RefusedError, match=r"2027-01-14T08:15Z.*HTTPCode_Target_5XX_Count Sum of app/.*in part"
    ) as refused:
        next(minutes)
    assert "not taken for zero" in refused.value.hint


def test_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(RefusedError, match="no answer within 13 s"):
        next(history.read(PLAN, Archive(most=0), 1, NOW))


def test_a_value_that_is_no_number_is_an_error() -> None:
    with pytest.raises(RefusedError, match="no number for RequestCount"):
        next(history.read(PLAN, Archive(value=nan), 1, NOW))


def test_without_a_network_it_says_so_at_once_and_does_not_ask_again_in_halves() -> None:
    class Unreached(Archive):
        def ask(self, *asked: Any) -> Unknown:
            super().ask(*asked)
            return Unknown("not_connected: no route to host", "not_connected")

    metrics = Unreached()
    with pytest.raises(RefusedError, match="cannot be reached: not_connected: no route"):
        list(history.read(PLAN, metrics, 1, NOW))
    assert len(metrics.asked) == 1


def test_who_may_not_ask_is_told_which_permission_is_missing() -> None:
    aws = session()
    faults = Faults({"GetMetricData": ["denied"] * 9}).install(aws, "cloudwatch")
    with pytest.raises(CredentialsError) as refused:
        next(history.read(PLAN, CloudWatchMetrics(aws, INLINE, Observe()), 1, NOW))
    assert "cloudwatch:GetMetricData" in refused.value.hint
    assert len(faults.calls) == 1, "it does not help to ask again"


def test_who_is_no_longer_logged_in_is_told_to_log_in_and_not_to_grant_anything() -> None:
    aws = session()
    Faults({"GetMetricData": ["expired"] * 9}).install(aws, "cloudwatch")
    with pytest.raises(CredentialsError, match="ExpiredToken") as refused:
        next(history.read(PLAN, CloudWatchMetrics(aws, INLINE, Observe()), 1, NOW))
    assert "log in again" in refused.value.hint
    assert "grant" not in refused.value.hint


def test_a_chunk_of_several_pages_is_put_together() -> None:
    first = END - DAY

    def page(at_ms: int, value: float, **more: Any) -> tuple[str, dict[str, Any]]:
        names = range(30)
        results = [
            {
                "Id": f"q{n}",
                "Timestamps": [wall_from_ms(at_ms)],
                "Values": [value],
                "StatusCode": "PartialData" if more else "Complete",
            }
            for n in names
        ]
        return "get_metric_data", {"MetricDataResults": results, **more}

    plan = plan_of(gates=[{"errors": {"max": "1%"}}])
    count = len(next(history.read(plan, Archive(), 1, NOW)).counts)
    pages = (page(first, 5.0, NextToken="more"), page(first + MINUTE, 6.0))
    for _, answer in pages:
        answer["MetricDataResults"] = answer["MetricDataResults"][:count]
    metrics = CloudWatchMetrics(stubbed("cloudwatch", *pages), INLINE, Observe())
    minutes = history.read(plan, metrics, 1, NOW)
    one, two, three = (next(minutes) for _ in range(3))
    assert (one.number("source.requests"), two.number("source.requests")) == (5, 6)
    assert three.counts["source.requests"] is Absent.NO_DATAPOINT


class Hours(Archive):
    """Requests of the source by hour; `by_hour` counts from the first hour asked."""

    def __init__(self, by_hour: Sequence[float]) -> None:
        super().__init__()
        self.by_hour = by_hour

    def ask(
        self, queries: Sequence[Query], start_ms: int, end_ms: int, period_ms: int
    ) -> dict[Query, Answered] | Unknown:
        points = {
            start_ms + n * HOUR: value
            for n, value in enumerate(self.by_hour)
            if value and start_ms + n * HOUR < end_ms
        }
        source = dict(queries[0].dimensions)["TargetGroup"]
        spoken = [q for q in queries if dict(q.dimensions)["TargetGroup"] == source]
        return {
            query: Answered(points if query in spoken else {}, complete=True) for query in queries
        }


def test_trough_and_peak_are_hours_that_one_odd_hour_cannot_move() -> None:
    day = [60.0 * (100 + n) for n in range(24)]
    fortnight = day * 14
    fortnight[50], fortnight[51] = 60.0, 6_000_000.0
    rates = history.request_rates(PLAN, Hours(fortnight), 14, NOW)
    assert rates is not None
    assert (rates.trough, rates.peak) == (100, 123)
    assert rates.hours == 14 * 24 - 1, "only whole hours count"


def test_hours_before_the_first_request_are_no_quiet_hours_but_silent_ones_after_it_are() -> None:
    rates = history.request_rates(PLAN, Hours([0.0] * 10 + [600.0] * 5 + [0.0] * 50), 2, NOW)
    assert rates is not None
    assert (rates.trough, rates.peak) == (0, 10)
    assert rates.hours == 36, "nor does the hour in which traffic began"


def test_a_plan_without_requests_has_no_rate() -> None:
    assert history.request_rates(PLAN, Hours([]), 2, NOW) is None


def test_the_rate_is_of_all_target_groups_each_counted_once() -> None:
    plan = plan_of(routes=TWO_ROUTES, gates=GATES)
    rates = history.request_rates(plan, Archive(value=60.0), 1, NOW)
    groups = {(p.load_balancer, g) for p in plan.comparisons for g in (p.source, p.destination)}
    assert rates is not None
    assert rates.mean == len(groups)


def test_the_usual_percentile_is_the_median_of_the_hours() -> None:
    found = history.usual_percentiles(PLAN, Archive(value=0.17), 14, NOW)
    assert found == {COMPARISON.id: {"p50": 170, "p95": 170, "p99": 170}}


def test_what_was_put_is_read_back_and_minutes_without_traffic_have_no_datapoint() -> None:
    dimensions = [
        {"Name": "LoadBalancer", "Value": COMPARISON.load_balancer},
        {"Name": "TargetGroup", "Value": COMPARISON.source.rsplit(":", 1)[-1]},
    ]
    raw("cloudwatch").put_metric_data(
        Namespace="AWS/ApplicationELB",
        MetricData=[
            {
                "MetricName": "RequestCount",
                "Dimensions": dimensions,
                "Timestamp": wall_from_ms(END) - timedelta(hours=hours, minutes=n),
                "Value": value,
            }
            for hours, n, value in ((5, 0, 7.0), (3, 0, 100.0), (3, 1, 101.0), (3, 2, 102.0))
        ],
    )
    metrics = CloudWatchMetrics(session(), INLINE, Observe())
    minutes = list(history.read(plan_of(gates=[{"errors": {"max": "1%"}}]), metrics, 1, NOW))
    seen = [m.number("source.requests") for m in minutes if m.number("source.requests")]
    assert seen == [7, 102, 101, 100]
    assert minutes[0].counts["source.requests"] is Absent.NO_DATAPOINT
    rates = history.request_rates(PLAN, metrics, 1, NOW)
    assert rates is not None
    assert rates.peak * 60 == 303
