"""`cutover backtest`: the plan started at every hour of the past."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO, TextIOWrapper
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cutover.local.clock import SystemClock
from tests import generate_samples
from tests.cli.command import Called, called
from tests.cli.emulated import Aws, emulated_aws
from tests.generate_samples import Service, poisson

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "plans" / "judge.yaml"
TWO_DAYS = ROOT / "plans" / "samples" / "two-days.csv"
COMPARISON = "checkout-ec2>checkout-eks"


def backtested(tmp_path: Path, text: str, *more: object, plan: Path = PLAN) -> Called:
    table = tmp_path / "past.csv"
    table.write_text(text, encoding="utf-8")
    return called("backtest", plan, "--csv", table, *more)


def service(hours: int = 30, errors: float = 0.001, per_minute: float = 6_000) -> list[str]:
    chance, fleet = Random(7), Service(errors=errors)
    lines = ["minute,requests,errors,unanswered,slow,over_slo,elb_503"]
    for minute in range(hours * 60):
        counts = fleet.minute(chance, poisson(chance, per_minute))
        lines.append(",".join((str(minute), *map(str, counts), "0")))
    return lines


def comparison(destination: Service, hours: int = 26) -> str:
    chance, source = Random(11), Service()
    sides = (f"{side}_{n}" for side in ("source", "destination") for n in generate_samples.GROUP)
    lines = [",".join(("minute", *sides))]
    for minute in range(hours * 60):
        counts = (*source.minute(chance, 3_000), *destination.minute(chance, 3_000))
        lines.append(",".join(map(str, (minute, *counts))))
    return "\n".join(lines)


def test_the_samples_are_what_their_generator_makes() -> None:
    for name, text in generate_samples.tables().items():
        assert (generate_samples.PLACE / name).read_text(encoding="utf-8") == text


def test_an_incident_of_the_past_is_the_worst_hour_and_has_its_sentence() -> None:
    found = called("backtest", PLAN, "--csv", TWO_DAYS, "--json").object
    assert found["starts"] == 47
    ends = found["completed"] + found["held"] + found["rolled_back"] + found["cut_off"]
    assert ends == found["starts"]
    assert found["worst_hour"] == 20
    worst = next(hour["worst"] for hour in found["hours"] if hour["hour"] == 20)
    assert worst["began"] == "2026-11-17T20:00:00.000Z"
    assert worst["ended"] == "ROLLED_BACK"
    assert "the source turned bad right after the raise" in worst["sentence"]
    assert worst in found["alarms"]
    assert found["divided"] is True


def test_the_same_past_always_gives_the_same_answer() -> None:
    once = called("backtest", PLAN, "--csv", TWO_DAYS, "--json")
    assert called("backtest", PLAN, "--csv", TWO_DAYS, "--json").out == once.out


def test_a_healthy_service_is_told_that_its_gates_are_not_too_twitchy(tmp_path: Path) -> None:
    found = backtested(tmp_path, "\n".join(service()), "--json").object
    assert found["too_twitchy"] == "no"
    assert found["rolled_back"] == found["held"] == 0
    assert found["worst_hour"] is None
    assert found["alarms"] == []


def test_gates_that_are_too_twitchy_are_called_so(tmp_path: Path) -> None:
    plan = tmp_path / "twitchy.yaml"
    text = PLAN.read_text(encoding="utf-8")
    gates = text.index("gates:")
    gate = "gates:\n  - errors: {max: 0.01%, judge: threshold}\nmanaged_by: none\n"
    plan.write_text(text[:gates] + gate, encoding="utf-8")
    found = backtested(tmp_path, "\n".join(service(per_minute=60_000)), "--json", plan=plan).object
    assert found["too_twitchy"] in ("yes", "holds")
    shown = backtested(tmp_path, "\n".join(service(per_minute=60_000)), plan=plan)
    assert "too twitchy for this service? " in shown.out


def test_a_service_too_quiet_to_prove_anything_completes_by_patience_and_not_by_rollback(
    tmp_path: Path,
) -> None:
    found = backtested(tmp_path, "\n".join(service(per_minute=20)), "--json").object
    assert found["rolled_back"] == 0


def test_many_starts_are_told_while_they_are_tried(tmp_path: Path) -> None:
    plan, text = tmp_path / "short.yaml", PLAN.read_text(encoding="utf-8")
    before, after = text.partition("steps:")[0], text.partition("traffic:")[2]
    steps = "steps: [{weight: 50, bake: 5m}, {weight: 100, bake: 5m}]\ntraffic:"
    plan.write_text(f"{before}{steps}{after}", encoding="utf-8")
    lines = ["minute,requests,errors", *(f"{minute},6000,6" for minute in range(102 * 60))]
    shown = backtested(tmp_path, "\n".join(lines), "--json", plan=plan)
    assert shown.object["completed"] == 101
    assert "tried 100 of 101 starts" in shown.err


def test_few_hours_are_no_answer(tmp_path: Path) -> None:
    found = backtested(tmp_path, "\n".join(service(5)), "--json").object
    assert found["too_twitchy"] == "cannot tell"
    assert found["starts"] == 4
    none = backtested(tmp_path, "\n".join(service(1)))
    assert none.code == 0
    assert "no start" in none.out
    assert "\n\n\n" not in none.out


def test_a_past_without_datapoints_holds_for_a_person(tmp_path: Path) -> None:
    lines = service(30)
    dark = [line for n, line in enumerate(lines) if not 600 <= n < 640]
    shown = backtested(tmp_path, "\n".join(dark), "--json")
    assert "leaves out 40 minutes" in shown.err
    held = [one for one in shown.object["alarms"] if one["ended"] == "HELD"]
    assert held
    assert all(one["began"].startswith("hour ") for one in held)


def test_what_is_not_known_is_not_called_no_request(tmp_path: Path) -> None:
    lines = ["minute,requests,errors", *(f"{minute},6000,6" for minute in range(120))]
    empty = backtested(
        tmp_path, "\n".join((*lines, *(f"{n},," for n in range(120, 140)))), "--json"
    )
    assert "nothing is known of requests on either side in 3 settled minutes" in empty.out
    zeros = [f"{n},0,0" for n in range(120, 140)]
    assert (
        "no request on either side in 3 settled minutes"
        in backtested(tmp_path, "\n".join((*lines, *zeros)), "--json").out
    )
    mixed = [*zeros[:5], *(f"{n},," for n in range(125, 140))]
    said = "no request on either side in 3 settled minutes, 1 of them without a datapoint"
    assert said in backtested(tmp_path, "\n".join((*lines, *mixed)), "--json").out


def test_one_start_is_not_called_starts(tmp_path: Path) -> None:
    lines = ["minute,requests,errors", *(f"{minute},6000,6" for minute in range(60))]
    dark = [f"{minute},," for minute in range(60, 120)]
    shown = backtested(tmp_path, "\n".join((*lines, *dark)))
    assert "only 1 start came to an end" in shown.out
    cut = backtested(tmp_path, "\n".join((*lines, "60,6000,6", "62,6000,6")))
    assert "not counted: 1 of 1 start; the past ends before it does" in cut.out
    assert "the table leaves out 1 minute:" in cut.err


def test_two_groups_that_really_served_are_compared_as_they_were(tmp_path: Path) -> None:
    fine = backtested(tmp_path, comparison(Service()), "--pair", COMPARISON, "--json").object
    assert (fine["divided"], fine["rolled_back"]) == (False, 0)
    worse = backtested(tmp_path, comparison(Service(errors=0.02)), "--json").object
    assert worse["rolled_back"] == worse["starts"] - worse["cut_off"]
    assert worse["too_twitchy"] == "yes"


def test_a_comparison_that_the_plan_or_the_table_does_not_have_is_refused(tmp_path: Path) -> None:
    shown = backtested(tmp_path, comparison(Service(), 2), "--pair", "a>b")
    assert (shown.code, "its comparisons are: checkout-ec2>checkout-eks" in shown.err) == (2, True)
    shown = backtested(tmp_path, "\n".join(service(2)), "--pair", COMPARISON)
    assert (shown.code, "the minutes of one service" in shown.err) == (2, True)


@pytest.mark.parametrize("columns", ["60", "80"])
def test_the_report_fits_a_narrow_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = called("backtest", PLAN, "--csv", TWO_DAYS)
    assert shown.code == 0
    assert max(len(line) for line in shown.out.splitlines()) <= int(columns)
    assert "\n20:00 " in shown.out
    assert "worst hour: 20:00" in shown.out


@pytest.mark.parametrize(
    "more",
    [(), ("--csv", "x.csv", "--from", "cloudwatch"), ("--from", "cloudwatch", "--days", "16")],
)
def test_a_backtest_needs_one_past(more: tuple[str, ...]) -> None:
    assert called("backtest", PLAN, *more).code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,minute,requests\n", "both a column time and a column minute"),
        ("requests,errors\n", "there is no column time or minute"),
        ("time,requests,errors\n", "a header and no row"),
        ("time,requests,errors\nyesterday,1,0\n", "2:1: error: 'yesterday' is no time"),
        ("time,requests,errors\n1970-01-01T00:00Z,1,0\n", "too long ago"),
        ("minute,requests,errors\n1.5,1,0\n", "'1.5' is no whole number of minutes"),
        ("minute,requests,errors\n1,1,0\n1,1,0\n", "3:1: error: 1 comes twice"),
        ("minute,requests,errors\n2,1,0\n1,1,0\n", "1 comes after a later one"),
        ("minute,requests,errors\n1,1,0\n90000,1,0\n", "minutes after the row before it"),
        ("minute,requests,errors\n1,1,2\n2,1,0\n", "errors: 2 of 1 requests"),
        ("minute,requests,errrors\n1,1,2\n2,1,0\n", "did you mean errors?"),
        ("minute,source_requests,requests\n1,1,2\n", "'requests' is no column"),
        (
            "minute,requests,errors\n1,,3\n2,1,0\n",
            "2:4: error: errors: 3 beside an empty requests",
        ),
        ("minute,requests,errors\n1,99999999999,3\n", "more than any minute has"),
        ("minute,requests,errors\n\u0661,9,3\n", "is no number"),
        ("6000,5,3\n", "the first line must name the columns"),
        ("minute,requests\n1,1\n", "no gate of the plan can be judged"),
    ],
)
def test_a_mistake_in_the_past_is_one_message(text: str, said: str, tmp_path: Path) -> None:
    shown = backtested(tmp_path, text)
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err


def test_a_row_for_each_week_is_no_past_of_minutes_and_does_not_fill_the_memory(
    tmp_path: Path,
) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    rows = (f"{(first + timedelta(days=7 * n)).isoformat()},6000,6" for n in range(1_000))
    shown = backtested(tmp_path, "\n".join(["time,requests,errors", *rows]))
    assert (shown.code, shown.out) == (2, "")
    assert (
        ":12:1: error: with those that are left out the table has more than 100,000" in shown.err
    )


def test_a_column_that_one_group_alone_has_is_ignored_and_said(tmp_path: Path) -> None:
    text = "minute,source_requests,source_errors,destination_requests,destination_errors,destination_unanswered"
    rows = [f"{minute},5940,6,60,0,60" for minute in range(26 * 60)]
    shown = backtested(tmp_path, "\n".join([text, *rows]), "--json")
    assert "destination_unanswered is ignored: there is no source_unanswered" in shown.err
    assert shown.object["rolled_back"] == 0


def test_times_of_any_zone_are_read_and_a_past_may_come_from_a_pipe(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = TWO_DAYS.read_text(encoding="utf-8").splitlines(keepends=True)[: 60 * 4]
    wanted = backtested(tmp_path, "".join(rows), "--json").object
    tokyo = "".join(_written(line, timedelta(hours=9), "+09:00") for line in rows)
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(tokyo.encode()), encoding="utf-8"))
    assert called("backtest", PLAN, "--csv", "-", "--json").object == wanted
    bare = "".join(_written(line, timedelta(), "") for line in rows)
    assert backtested(tmp_path, bare, "--json").object == wanted, "no offset is UTC"
    assert wanted["starts"] == 3


def _written(line: str, shift: timedelta, offset: str) -> str:
    when, comma, rest = line.partition(",")
    if when == "time":
        return line
    there = (datetime.fromisoformat(when) + shift).replace(tzinfo=None)
    return f"{there.isoformat()}{offset}{comma}{rest}"


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with emulated_aws() as found:
        yield found


def published(aws: Aws, hours: int) -> None:
    """Minutes of the source up to now: 600 requests, one failed in every tenth minute."""
    balancer = aws.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    dimensions = [
        {"Name": "LoadBalancer", "Value": balancer.partition(":loadbalancer/")[2]},
        {"Name": "TargetGroup", "Value": aws.source.rpartition(":")[2]},
    ]
    now = SystemClock().now().wall.astimezone(UTC).replace(second=0, microsecond=0)
    data: list[dict[str, Any]] = []
    for ago in range(1, hours * 60):
        failed = int(ago % 10 == 0)
        for name, value in (
            ("RequestCount", 600),
            ("HTTPCode_Target_2XX_Count", 600 - failed),
            ("HTTPCode_Target_5XX_Count", failed),
        ):
            if value:
                when = now - timedelta(minutes=ago)
                data.append(
                    {
                        "MetricName": name,
                        "Dimensions": dimensions,
                        "Timestamp": when,
                        "Value": value,
                        "Unit": "Count",
                    }
                )
    client = aws.client("cloudwatch")
    for start in range(0, len(data), 500):
        client.put_metric_data(
            Namespace="AWS/ApplicationELB", MetricData=data[start : start + 500]
        )


@pytest.mark.slow
def test_the_past_is_read_from_cloudwatch(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AWS_ENDPOINT_URL", aws.url),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(name, value)
    plan = tmp_path / "plan.yaml"
    plan.write_text(aws.plan_text(gates="[{errors: {max: 1%}}, {healthy: {min: 1}}]"))
    nothing = called("backtest", plan, "--from", "cloudwatch", "--days", "1")
    assert nothing.code == 7
    assert "shows no request of" in nothing.err
    assert (
        "namespace AWS/ApplicationELB, metric RequestCount, dimensions LoadBalancer=app/"
        in nothing.err
    )
    published(aws, 5)
    shown = called("backtest", plan, "--from", "cloudwatch", "--days", "1", "--json")
    found = shown.object
    assert found["from"] == "cloudwatch"
    assert found["completed"] >= 3
    assert found["not_judged"] == {"healthy": "CloudWatch's past has no target health"}
    assert "read 1,440 of 1,440 minutes" in shown.err
    assert found["rolled_back"] == 0
