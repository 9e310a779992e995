"""What the source did before the run: its percentiles and the load balancer's own errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cutover.aws.cloudwatch import Answered, CloudWatchMetrics
from cutover.aws.facts import fact_of
from cutover.aws.series import ALB, Query, group_dimensions, query_of
from cutover.core.moment import Moment, floor_to
from cutover.core.observation import (
    Absent,
    Calibration,
    Comparison,
    Known,
    Series,
    Side,
    Unknown,
    beside_source,
)
from cutover.core.observation.survey import Fact
from cutover.core.plan import Plan
from cutover.core.preflight.variability import MINUTES, measured
from cutover.core.values import HOUR, MINUTE, PPM

PERMISSION: Final = "cloudwatch:GetMetricData"
ALWAYS: Final = ("p50", "p95", "p99")
_ELB_BAD: Final = ("elb_502", "elb_503", "elb_504")


def recent_requests(
    plan: Plan, metrics: CloudWatchMetrics, now_ms: int, at: Moment
) -> Fact[Mapping[str, int]]:
    """By comparison, the source's requests of the last 15 settled minutes; 0 where it had no datapoint."""
    end = floor_to(now_ms - plan.observe.settle, plan.observe.period)
    start = floor_to(end - 15 * MINUTE, plan.observe.period)
    queries = {
        comparison.id: query_of(Series(Side.SOURCE, "requests"), comparison)
        for comparison in plan.comparisons
    }
    answers = metrics.ask(list(queries.values()), start, end, plan.observe.period)
    if isinstance(answers, Unknown):
        return fact_of(answers, PERMISSION)
    if not all(answers[query].complete for query in queries.values()):
        return Unknown("CloudWatch answered only in part")
    return Known(
        {comparison: round(_sum(answers[query])) for comparison, query in queries.items()}, at
    )


def calibrate(
    plan: Plan, metrics: CloudWatchMetrics, now_ms: int, at: Moment
) -> Fact[Mapping[str, Mapping[str, int]]]:
    """By comparison: the source's `p50 p95 p99` and the plan's own percentiles (ms) of the last hour, and its noise.

    `elb_bad_ppm` is the load balancer's own 502, 503 and 504 over its requests of the last 30
    minutes. A percentile is asked for once over the whole hour: AWS docs: percentiles of minutes
    cannot be averaged. The noise is that of the last 60 settled minutes, see `core.preflight.variability.measured`.
    A value without data is left out.
    """
    end = floor_to(now_ms - plan.observe.settle, MINUTE)
    slow = {
        comparison: {
            **percentile_queries(plan, comparison),
            "SampleCount": _response_time(comparison, "SampleCount"),
        }
        for comparison in plan.comparisons
    }
    percentiles = metrics.ask(
        [q for some in slow.values() for q in some.values()], end - HOUR, end, HOUR
    )
    counts = {
        comparison: {
            name: query_of(Series(Side.BALANCER, name), comparison)
            for name in ("requests", *_ELB_BAD)
        }
        for comparison in plan.comparisons
    }
    errors = metrics.ask(
        [q for some in counts.values() for q in some.values()], end - 30 * MINUTE, end, MINUTE
    )
    for answers in (percentiles, errors):
        if isinstance(answers, Unknown):
            return fact_of(answers, PERMISSION)
        if not all(answered.complete for answered in answers.values()):
            return Unknown("CloudWatch answered only in part")
    assert not isinstance(percentiles, Unknown)  # noqa: S101  # said above, for the type checker
    assert not isinstance(errors, Unknown)  # noqa: S101
    found = {
        comparison.id: {
            **_milliseconds(slow[comparison], percentiles),
            **_elb_bad(counts[comparison], errors),
        }
        for comparison in plan.comparisons
    }
    noise = _noise(plan, metrics, now_ms, found)
    if isinstance(noise, Unknown):
        return noise
    return Known(
        {
            comparison: {**own, **noise.value.get(comparison, {})}
            for comparison, own in found.items()
        },
        at,
    )


def _noise(
    plan: Plan, metrics: CloudWatchMetrics, now_ms: int, known: Calibration
) -> Fact[Calibration]:
    period = plan.observe.period
    end = floor_to(now_ms - plan.observe.settle, period)
    wanted = {
        comparison: beside_source(series) for comparison, series in plan.series(known).items()
    }
    reading = metrics.read(wanted, end - MINUTES * period, end)
    minutes = fact_of(reading, PERMISSION)
    if isinstance(minutes, Unknown):
        return minutes
    if any(Absent.UNKNOWN in minute.counts.values() for minute in minutes.value):
        return Unknown("CloudWatch answered only in part")
    return Known(measured(plan, minutes.value, known), minutes.at)


def percentile_queries(plan: Plan, comparison: Comparison) -> dict[str, Query]:
    """The source's `p50 p95 p99` and those that the plan's latency gates hold, by name."""
    planned = (name for gate in plan.gates for name in gate.gate.percentiles(gate.spec))
    return {name: _response_time(comparison, name) for name in dict.fromkeys((*ALWAYS, *planned))}


def _response_time(comparison: Comparison, statistic: str) -> Query:
    return Query(
        ALB, "TargetResponseTime", group_dimensions(comparison, comparison.source), statistic
    )


def _milliseconds(
    queries: Mapping[str, Query], answers: Mapping[Query, Answered]
) -> dict[str, int]:
    """CloudWatch may cut the hour in two at the full hour: the part with more samples speaks."""
    samples = answers[queries["SampleCount"]].points
    if not samples:
        return {}
    best = max(samples, key=lambda at: samples[at])
    found: dict[str, int] = {}
    for name, query in queries.items():
        value = answers[query].points.get(best)
        if name != "SampleCount" and value is not None:
            found[name] = round(value * 1000)
    return found


def _elb_bad(queries: Mapping[str, Query], answers: Mapping[Query, Answered]) -> dict[str, int]:
    bad = sum(_sum(answers[queries[name]]) for name in _ELB_BAD)
    # a 503 for which no target was chosen is not in RequestCount
    total = _sum(answers[queries["requests"]]) + bad
    return {"elb_bad_ppm": round(PPM * bad / total)} if total else {}


def _sum(answered: Answered) -> float:
    return sum(answered.points.values())
