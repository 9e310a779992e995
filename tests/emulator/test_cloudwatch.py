"""GetMetricData as AWS answers it: exact, aligned, loud about what is not emulated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cutover.emulator.world import World
from tests.emulator.worlds import GROUP, MINUTE, SOURCE, metric, world

ALB = "AWS/ApplicationELB"


def query(**changes: Any) -> dict[str, Any]:
    metric = {
        "Namespace": ALB,
        "MetricName": "RequestCount",
        "Dimensions": [{"Name": n, "Value": v} for n, v in GROUP.items()],
    }
    return {"Id": "q1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, **changes}


def stat(period: int = 60, stat: str = "Sum", **metric: Any) -> dict[str, Any]:
    base = query()["MetricStat"]
    return {"MetricStat": {"Metric": {**base["Metric"], **metric}, "Period": period, "Stat": stat}}


def ask(made: World, *queries: Any, start: int = 30, end: int = 0, **more: Any) -> Any:
    now = made.clock.now().wall
    return made.session.client("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries or (query(),)),
        StartTime=now - timedelta(minutes=start),
        EndTime=now - timedelta(minutes=end),
        **more,
    )


@pytest.fixture(scope="module")
def quiet() -> Iterator[World]:
    with world() as made:
        yield made


REFUSED = [
    ("metric math", [{"Id": "e1", "Expression": "q1/2"}]),
    ("Metrics Insights", [{"Id": "e1", "Expression": 'SELECT SUM(RequestCount) FROM SCHEMA("AWS/ApplicationELB")', "Period": 60}]),
    ("an Id in upper case", [query(Id="Q1")]),
    ("one Id twice", [query(), query()]),
    ("a Period of 45 s", [query(**stat(period=45))]),
    ("an unknown statistic", [query(**stat(stat="Median"))]),
    ("501 queries", [query(Id=f"q{n}") for n in range(501)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "queries"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_moto_would_answer_silently_is_refused(
    quiet: World, what: str, queries: list[dict[str, Any]]
) -> None:
    with pytest.raises(ClientError):
        ask(quiet, *queries)


def test_a_window_must_not_be_empty(quiet: World) -> None:
    with pytest.raises(ClientError, match="StartTime"):
        ask(quiet, start=0, end=0)


@pytest.mark.parametrize(
    "asked",
    [
        stat(Namespace="AWS/NetworkELB"),
        stat(Dimensions=[]),
        stat(
            Dimensions=[
                {"Name": "LoadBalancer", "Value": GROUP["LoadBalancer"]},
                {"Name": "AvailabilityZone", "Value": "x"},
            ]
        ),
        stat(Dimensions=[{"Name": "TargetGroup", "Value": SOURCE.rpartition(":")[2]}]),
    ],
    ids=["another namespace", "no dimensions", "a superset", "a subset"],
)
def test_only_the_exact_series_answers(quiet: World, asked: dict[str, Any]) -> None:
    result = ask(quiet, query(**asked))["MetricDataResults"][0]
    assert (result["Values"], result["StatusCode"]) == ([], "Complete")


def test_the_order_of_dimensions_does_not_matter(quiet: World) -> None:
    comparison = [
        {"Name": "LoadBalancer", "Value": GROUP["LoadBalancer"]},
        {"Name": "TargetGroup", "Value": SOURCE.rpartition(":")[2]},
    ]
    one, other = (
        ask(quiet, query(**stat(Dimensions=d)))["MetricDataResults"][0]["Values"]
        for d in (comparison, comparison[::-1])
    )
    assert one == other != []


def test_newest_first_unless_asked_otherwise(quiet: World) -> None:
    newest = ask(quiet)["MetricDataResults"][0]["Timestamps"]
    oldest = ask(quiet, ScanBy="TimestampAscending")["MetricDataResults"][0]["Timestamps"]
    assert newest == sorted(newest, reverse=True) == oldest[::-1]


def test_the_start_is_rounded_down_to_the_minute_and_the_end_is_exclusive(quiet: World) -> None:
    now = quiet.clock.now().wall
    answer = quiet.session.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query()], StartTime=now - timedelta(minutes=9, seconds=43), EndTime=now - timedelta(minutes=5),
    )  # fmt: skip
    times = [f"{at:%H:%M:%S}" for at in answer["MetricDataResults"][0]["Timestamps"]]
    assert times == ["00:24:00", "00:23:00", "00:22:00", "00:21:00", "00:20:00"]


def test_points_are_paged_and_the_pages_make_the_whole(quiet: World) -> None:
    whole = ask(quiet, start=60, end=5)["MetricDataResults"][0]["Values"]
    found, token = [], None
    while True:
        page = ask(
            quiet, start=60, end=5, MaxDatapoints=20, **({"NextToken": token} if token else {})
        )
        found += page["MetricDataResults"][0]["Values"]
        token = page.get("NextToken")
        if not token:
            break
        assert page["MetricDataResults"][0]["StatusCode"] == "PartialData"
    assert found == whole
    assert len(whole) == 55


def test_a_percentile_of_a_window_is_not_the_mean_of_its_minutes() -> None:
    with world({"effects": [{"side": "source", "lasts": "2m", "latency_factor": 10}]}) as made:
        made.clock.sleep(12 * MINUTE)
        whole = metric(
            made, "TargetResponseTime", "p90", group=SOURCE, minutes=12, until=4, period=480
        )
        minutes = metric(made, "TargetResponseTime", "p90", group=SOURCE, minutes=12, until=4)
        assert len(whole) == 1
        mean = sum(minutes.values()) / len(minutes)
        assert abs(next(iter(whole.values())) - mean) / mean > 0.15


def test_nobody_can_publish_into_the_namespaces_of_aws(quiet: World) -> None:
    datum = [{"MetricName": "RequestCount", "Value": 1.0}]
    with pytest.raises(ClientError, match="reserved"):
        quiet.session.client("cloudwatch").put_metric_data(Namespace=ALB, MetricData=datum)


def test_metrics_are_listed_with_their_dimensions(quiet: World) -> None:
    found = quiet.session.client("cloudwatch").list_metrics(
        Namespace=ALB, MetricName="RequestCount"
    )["Metrics"]
    assert {tuple(d["Name"] for d in m["Dimensions"]) for m in found} == {
        ("LoadBalancer",),
        ("LoadBalancer", "TargetGroup"),
    }


def test_partial_data_has_no_token_and_half_of_the_points() -> None:
    with world({"faults": [{"operation": "GetMetricData", "kind": "partial_data"}]}) as made:
        made.clock.sleep(1000)
        answer = ask(made)
        result = answer["MetricDataResults"][0]
        assert result["StatusCode"] == "PartialData"
        assert "NextToken" not in answer
        assert len(result["Values"]) < 16


def test_a_minute_that_gets_more_data_after_it_was_read_shows_it(quiet: World) -> None:
    cloudwatch = quiet.session.client("cloudwatch")
    mine: Any = {"Namespace": "Mine", "MetricName": "n", "Dimensions": []}
    found: list[float] = []
    for total in (1.0, 3.0):
        cloudwatch.put_metric_data(
            Namespace="Mine",
            MetricData=[
                {
                    "MetricName": "n",
                    "Value": total,
                    "Timestamp": quiet.clock.now().wall - timedelta(minutes=5),
                }
            ],
        )
        found = ask(quiet, query(**stat(**mine)))["MetricDataResults"][0]["Values"]
    assert found == [4.0]
