"""Which metrics exist: a metric gate's last hours, and beside one without data the nearest that CloudWatch has.

AWS docs (ListMetrics): it names metrics that had data in the last two weeks, a new one up to 15 minutes late; it costs
a call and one permission, so it is asked only about metrics without a datapoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any, Final

from cutover.aws.calibration import PERMISSION
from cutover.aws.cloudwatch import Answered, CloudWatchMetrics
from cutover.aws.facts import fact, fact_of
from cutover.aws.fanout import Fanout
from cutover.aws.retry import Failure
from cutover.aws.series import Query, query_of
from cutover.aws.session import AwsSession
from cutover.core.moment import Moment, floor_to
from cutover.core.observation import (
    Comparison,
    CustomMetric,
    Known,
    Listed,
    MetricFacts,
    Series,
    Side,
    Unknown,
)
from cutover.core.observation.survey import Fact
from cutover.core.plan import Plan
from cutover.core.preflight.custom import LOOK_BACK

LIST_PERMISSION: Final = "cloudwatch:ListMetrics"
MOST_NAMES: Final = 2_000
"""Metrics looked through; AWS docs: ListMetrics gives 500 a page."""

NEAREST: Final = 50


class MetricNames:
    """ListMetrics, asked so that a name that is wrong finds the right one."""

    def __init__(self, aws: AwsSession, fanout: Fanout) -> None:
        self._aws = aws
        self._fanout = fanout

    def beside(self, asked: Iterable[CustomMetric]) -> dict[CustomMetric, Fact[Listed]]:
        """Whether each exists, and those most like it."""
        at = self._aws.clock.now()
        calls: dict[CustomMetric, Callable[[], Listed | Failure]] = {
            one: self._looking(one) for one in dict.fromkeys(asked)
        }
        return {
            one: fact(answer, LIST_PERMISSION, at)
            for one, answer in self._fanout.run(calls).items()
        }

    def _looking(self, asked: CustomMetric) -> Callable[[], Listed | Failure]:
        name = {"Namespace": asked.namespace, "MetricName": asked.metric}
        exactly = {
            **name,
            "Dimensions": [{"Name": n, "Value": v} for n, v in asked.dimensions],
        }

        def ask() -> Listed:
            own, _ = self._list(exactly if asked.dimensions else name)
            if any(set(one.dimensions) == set(asked.dimensions) for one in own):
                return Listed(found=True)
            alike, whole = self._list(name)
            for wider in ({"Namespace": asked.namespace}, {"MetricName": asked.metric}):
                if not alike:
                    alike, _ = self._list(wider)
            return Listed(found=False, nearest=nearest(asked, [*own, *alike]), whole=whole)

        return lambda: self._aws.reads.read(ask)

    def _list(self, asked: Mapping[str, Any]) -> tuple[list[CustomMetric], bool]:
        pages = self._aws.client("cloudwatch").get_paginator("list_metrics")
        answer = pages.paginate(**asked, PaginationConfig={"MaxItems": MOST_NAMES})
        found = [_metric(one) for page in answer for one in page["Metrics"]]
        return found, answer.resume_token is None


def _metric(one: Mapping[str, Any]) -> CustomMetric:
    dimensions = tuple(sorted((d["Name"], d["Value"]) for d in one.get("Dimensions", ())))
    return CustomMetric(one["Namespace"], one["MetricName"], dimensions, "")


def nearest(asked: CustomMetric, existing: Iterable[CustomMetric]) -> tuple[CustomMetric, ...]:
    """The metrics most like the asked one, most alike first; one of each set of dimension names comes first."""
    mine, names = set(asked.dimensions), {name for name, _ in asked.dimensions}

    def shared(one: CustomMetric) -> tuple[int, int, str]:
        theirs = {name for name, _ in one.dimensions}
        return -len(mine & set(one.dimensions)), len(names ^ theirs), one.text

    close = sorted(dict.fromkeys(existing), key=shared)
    sets = {frozenset(name for name, _ in one.dimensions): one for one in reversed(close)}
    kept = dict.fromkeys((*close[:NEAREST], *sets.values()))
    return tuple(sorted(kept, key=lambda one: -_likeness(asked.text, one.text)))


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def custom_facts(
    plan: Plan, metrics: CloudWatchMetrics, names: MetricNames, now_ms: int, at: Moment
) -> Fact[Mapping[str, MetricFacts]]:
    """By name of the plan's metric gates, what CloudWatch has of their metrics in the last hours."""
    asked = plan.custom_metrics
    if not asked:
        return Known({}, at)
    period = plan.observe.period
    end = floor_to(now_ms - plan.observe.settle, period)
    start = end - LOOK_BACK // period * period
    queries = {name: _query(custom, plan.comparisons[0]) for name, custom in asked.items()}
    answers = metrics.ask(list(queries.values()), start, end, period)
    if isinstance(answers, Unknown):
        return fact_of(answers, PERMISSION)
    if not all(answers[query].complete for query in queries.values()):
        return Unknown("CloudWatch answered only in part")
    empty = [custom for name, custom in asked.items() if not answers[queries[name]].points]
    listed = names.beside(empty)
    return Known(
        {
            name: MetricFacts(
                custom,
                periods=(end - start) // period,
                points=len(answers[queries[name]].points),
                gap=_gap(answers[queries[name]], start, end, period),
                listed=listed.get(custom),
            )
            for name, custom in asked.items()
        },
        at,
    )


def silent_sources(
    plan: Plan, requests: Fact[Mapping[str, int]], names: MetricNames
) -> dict[str, MetricFacts]:
    """By comparison whose source had no request, how that was asked and what is near it."""
    if isinstance(requests, Unknown):
        return {}
    asked = {
        comparison.id: source_requests(comparison)
        for comparison in plan.comparisons
        if not requests.value[comparison.id]
    }
    listed = names.beside(asked.values())
    return {comparison: MetricFacts(one, listed=listed[one]) for comparison, one in asked.items()}


def source_requests(comparison: Comparison) -> CustomMetric:
    """The source's RequestCount as it is queried."""
    query = query_of(Series(Side.SOURCE, "requests"), comparison)
    return CustomMetric(query.namespace, query.metric, query.dimensions, query.statistic)


def _query(custom: CustomMetric, comparison: Comparison) -> Query:
    return query_of(Series(Side.CUSTOM, "asked", custom=custom), comparison)


def _gap(answered: Answered, start: int, end: int, period: int) -> int:
    """The most periods in a row without a datapoint, since the first one."""
    longest = current = 0
    for at in range(min(answered.points, default=start), end, period):
        current = 0 if at in answered.points else current + 1
        longest = max(longest, current)
    return longest
