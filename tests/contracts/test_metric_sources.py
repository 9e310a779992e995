"""The metric source suite on CloudWatch in the emulator, and on the fake that tests of the engine use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from cutover.aws.cloudwatch import CloudWatchMetrics
from cutover.aws.fanout import Inline
from cutover.aws.series import query_of
from cutover.aws.session import AwsSession
from cutover.core.observation import Comparison, Series, Side, Unknown
from cutover.core.plan import Observe
from cutover.emulator.injections import Fault
from cutover.emulator.world import World
from tests.contracts.metric_source import (
    ERRORS,
    REQUESTS,
    MetricSourceContract,
    MetricSourceStage,
)
from tests.emulator.worlds import armed, world
from tests.fakes import FakeClock, FakeMetrics, FakeRouter, Traffic, plan_of

_GROUP = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup"
COMPARISONS = tuple(
    Comparison(
        f"{name}-ec2>{name}-eks",
        f"app/{name}/50dc6c495c0c9188",
        f"{_GROUP}/{name}-ec2/73e2d6bc24d8a067",
        f"{_GROUP}/{name}-eks/8f2c1a9b0d3e4f56",
    )
    for name in ("cart", "search")
)


class CloudWatchStage(MetricSourceStage):
    """The adapter, with an emulated CloudWatch behind its session; the emulated traffic publishes other metrics."""

    def __init__(self, made: World) -> None:
        observe = Observe()
        self.made = made
        self.comparisons = (COMPARISONS[0], COMPARISONS[1])
        self.period, self.settle = observe.period, observe.settle
        self._unanswered: set[tuple[str, str]] = set()
        aws = AwsSession(made.session, made.clock, emulated=True, random=Random(1))
        answered = "after-call.cloudwatch.GetMetricData"
        aws.client("cloudwatch").meta.events.register(answered, self._spoil)
        self.metrics = CloudWatchMetrics(aws, Inline(), observe)

    @property
    def now_ms(self) -> int:
        return self.made.clock.ms

    def forward(self, ms: int) -> None:
        self.made.clock.sleep(ms)

    def publish(
        self,
        series: Series,
        at_ms: int,
        value: float,
        *,
        visible_ms: int = 0,
        comparison: int = 0,
    ) -> None:
        query = query_of(series, self.comparisons[comparison])
        key = (query.namespace, query.metric, frozenset(query.dimensions))
        store = self.made.store
        if series.name == "slower":
            for _ in range(int(value)):
                store.put(key, at_ms, visible_ms, 9.0)  # each took nine seconds
        else:
            store.put(key, at_ms, visible_ms, value)

    def leave_unanswered(self, series: Series) -> None:
        query = query_of(series, self.comparisons[0])
        self._unanswered.add((query.metric, query.statistic))

    def fail(self, how: str) -> None:
        armed(self.made, Fault(operation="GetMetricData", kind=how))  # type: ignore[arg-type]

    def _spoil(self, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        asked = {
            one["Id"]: (one["MetricStat"]["Metric"]["MetricName"], one["MetricStat"]["Stat"])
            for one in context["rehearsal_params"]["MetricDataQueries"]
        }
        for one in parsed.get("MetricDataResults", ()):
            if asked[one["Id"]] in self._unanswered:
                one["StatusCode"] = "PartialData"


class FakeStage(MetricSourceStage):
    """The fake, without traffic of its own."""

    def __init__(self) -> None:
        plan = plan_of()
        self._clock = FakeClock()
        router = FakeRouter(self._clock, [route.id for route in plan.routes])
        self.comparisons = (COMPARISONS[0], COMPARISONS[1])
        self.period, self.settle = plan.observe.period, plan.observe.settle
        self._traffic = Traffic(per_minute=0)
        self.metrics: FakeMetrics = FakeMetrics(plan, self._clock, router, self._traffic)

    @property
    def now_ms(self) -> int:
        return self._clock.at.wall_ms

    def forward(self, ms: int) -> None:
        self._clock.sleep(ms)

    def publish(
        self,
        series: Series,
        at_ms: int,
        value: float,
        *,
        visible_ms: int = 0,
        comparison: int = 0,
    ) -> None:
        in_thousandths = series.name == "slower" or series.side is Side.CUSTOM
        count = round(value * 1000) if in_thousandths else math.ceil(value)
        self.metrics.publish(
            self.comparisons[comparison].id, series.key, at_ms, count, visible_ms=visible_ms
        )

    def leave_unanswered(self, series: Series) -> None:
        self._traffic.unanswered.add(series.key)

    def fail(self, how: str) -> None:
        code = {"throttled": "Throttling", "denied": "AccessDenied"}.get(how, how)
        self._traffic.fails = Unknown(f"the read is {how}", code, denied=how == "denied")


class TestCloudWatchMetrics(MetricSourceContract):
    """aws/cloudwatch on the emulator's session."""

    @pytest.fixture
    def stage(self) -> Iterator[CloudWatchStage]:
        with world() as made:
            yield CloudWatchStage(made)

    @pytest.mark.parametrize("kind", ["partial_data", "internal_error", "incomplete"])
    def test_an_answer_that_is_not_whole_leaves_every_series_unknown(
        self, stage: CloudWatchStage, kind: str
    ) -> None:
        stage.publish(REQUESTS, stage.start(5), 900)
        stage.fail(kind)
        minutes = stage.read(REQUESTS, ERRORS)
        assert minutes
        assert not any(minute.answered for minute in minutes)


class TestFakeMetrics(MetricSourceContract):
    """tests/fakes.FakeMetrics."""

    @pytest.fixture
    def stage(self) -> FakeStage:
        return FakeStage()
