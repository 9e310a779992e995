"""What every `Metrics` must do, whatever stands behind it: a new source writes a stage, and passes this suite.

A module of tests subclasses `MetricSourceContract`, gives it the fixture `stage`, and may add tests of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from cutover.core.observation import (
    Absent,
    Comparison,
    CustomMetric,
    Known,
    Minute,
    Series,
    Side,
    Unknown,
)
from cutover.ports import Metrics

REQUESTS = Series(Side.SOURCE, "requests")
ERRORS = Series(Side.SOURCE, "target_5xx")
DESTINATION = Series(Side.DESTINATION, "requests")
SLOWER = Series(Side.DESTINATION, "slower", over_ms=800)
BALANCER = Series(Side.BALANCER, "elb_502")
CUSTOM = Series(
    Side.CUSTOM, "log-volume", custom=CustomMetric("Shop", "LogBytes", (("Service", "a"),), "Sum")
)
EVERY = (REQUESTS, ERRORS, DESTINATION, SLOWER, BALANCER, CUSTOM)


class MetricSourceStage(ABC):
    """A source that nobody has published anything to yet.

    Attributes:
        comparisons: two, with groups and load balancers of their own.
        period, settle: how long a period is, and how old it must be to be settled (ms).
    """

    metrics: Metrics
    comparisons: tuple[Comparison, Comparison]
    period: int
    settle: int

    @property
    @abstractmethod
    def now_ms(self) -> int:
        """Now, on the source's clock."""

    @abstractmethod
    def forward(self, ms: int) -> None:
        """Time passes."""

    @abstractmethod
    def publish(
        self,
        series: Series,
        at_ms: int,
        value: float,
        *,
        visible_ms: int = 0,
        comparison: int = 0,
    ) -> None:
        """A datapoint of the period that begins at `at_ms`, seen from `visible_ms` on; a second one is added to it.

        Slow requests and custom metrics in their own unit, not in thousandths.
        """

    @abstractmethod
    def leave_unanswered(self, series: Series) -> None:
        """From now on the source answers this series not at all, or in part, and says so."""

    @abstractmethod
    def fail(self, how: str) -> None:
        """Every read is `throttled`, `denied`, `timeout` or `foreign`."""

    def start(self, periods: int) -> int:
        """The start of the period that began so many before the running one."""
        return self.now_ms // self.period * self.period - periods * self.period

    def read(
        self, *series: Series, periods: int = 10, end_ms: int | None = None, start_ms: int = 0
    ) -> tuple[Minute, ...]:
        """The first comparison's periods."""
        reading = self.metrics.read(
            {self.comparisons[0]: series},
            start_ms or self.start(periods),
            self.now_ms if end_ms is None else end_ms,
        )
        assert isinstance(reading, Known), reading
        return reading.value


def at(minutes: tuple[Minute, ...], at_ms: int) -> Minute:
    """The one that begins then."""
    (found,) = (minute for minute in minutes if minute.at_ms == at_ms)
    return found


class MetricSourceContract:
    """The suite."""

    # What a period holds

    def test_what_was_asked_is_in_every_period_and_nothing_else_is(
        self, stage: MetricSourceStage
    ) -> None:
        for series in EVERY:
            stage.publish(series, stage.start(5), 7)
        for asked in ((REQUESTS,), (ERRORS, SLOWER), EVERY):
            minutes = stage.read(*asked)
            assert minutes
            for minute in minutes:
                assert minute.comparison == stage.comparisons[0].id
                assert set(minute.counts) == {one.key for one in asked}

    def test_a_count_is_a_whole_number_or_says_why_there_is_none(
        self, stage: MetricSourceStage
    ) -> None:
        for series in EVERY:
            stage.publish(series, stage.start(5), 7.25)
        for minute in stage.read(*EVERY):
            for count in minute.counts.values():
                assert isinstance(count, Absent) or (type(count) is int and count >= 0)

    def test_what_was_published_is_its_number_and_what_was_not_is_no_datapoint_and_never_zero(
        self, stage: MetricSourceStage
    ) -> None:
        five, four = stage.start(5), stage.start(4)
        stage.publish(REQUESTS, five, 900)
        stage.publish(ERRORS, five, 3)
        stage.publish(SLOWER, five, 2)
        stage.publish(CUSTOM, five, 1.5)
        stage.publish(BALANCER, four, 1)
        minutes = stage.read(*EVERY)
        assert at(minutes, five).counts == {
            REQUESTS.key: 900,
            ERRORS.key: 3,
            SLOWER.key: 2000,
            CUSTOM.key: 1500,
            BALANCER.key: Absent.NO_DATAPOINT,
            DESTINATION.key: Absent.NO_DATAPOINT,
        }
        assert at(minutes, four).number(BALANCER.key) == 1
        assert at(minutes, four).number(REQUESTS.key) is None
        assert not at(minutes, four).is_unknown(REQUESTS.key)

    def test_each_comparison_has_its_own_numbers(self, stage: MetricSourceStage) -> None:
        five = stage.start(5)
        stage.publish(REQUESTS, five, 10)
        stage.publish(REQUESTS, five, 20, comparison=1)
        wanted = dict.fromkeys(stage.comparisons, (REQUESTS,))
        reading = stage.metrics.read(wanted, five, five + stage.period)
        assert isinstance(reading, Known)
        found = {minute.comparison: minute.number(REQUESTS.key) for minute in reading.value}
        assert found == {stage.comparisons[0].id: 10, stage.comparisons[1].id: 20}

    # The window

    def test_every_period_that_begins_in_the_window_is_there_once_oldest_first(
        self, stage: MetricSourceStage
    ) -> None:
        first, now = stage.start(6), stage.now_ms
        minutes = stage.read(REQUESTS, start_ms=first)
        assert [minute.at_ms for minute in minutes] == list(range(first, now, stage.period))

    def test_what_lies_outside_the_window_is_left_out(self, stage: MetricSourceStage) -> None:
        for periods in range(3, 9):
            stage.publish(REQUESTS, stage.start(periods), 100 + periods)
        minutes = stage.read(REQUESTS, start_ms=stage.start(7), end_ms=stage.start(4))
        assert [minute.number(REQUESTS.key) for minute in minutes] == [107, 106, 105]

    def test_a_window_begins_with_its_first_whole_period(self, stage: MetricSourceStage) -> None:
        stage.publish(REQUESTS, stage.start(6), 1)
        stage.publish(REQUESTS, stage.start(5), 2)
        minutes = stage.read(REQUESTS, start_ms=stage.start(6) + 1, end_ms=stage.start(4))
        assert [(m.at_ms, m.number(REQUESTS.key)) for m in minutes] == [(stage.start(5), 2)]

    def test_an_empty_window_and_an_empty_question_have_an_empty_answer(
        self, stage: MetricSourceStage
    ) -> None:
        here = stage.start(5)
        assert stage.read(REQUESTS, start_ms=here, end_ms=here) == ()
        assert stage.read(REQUESTS, start_ms=here, end_ms=here - stage.period) == ()
        nothing = stage.metrics.read({}, here, stage.now_ms)
        assert isinstance(nothing, Known)
        assert nothing.value == ()
        assert stage.read(start_ms=here) == ()

    # Settled, and late

    @pytest.mark.parametrize("early", [0, 1])
    def test_a_period_is_settled_at_its_own_age_and_no_other(
        self, stage: MetricSourceStage, early: int
    ) -> None:
        minute = stage.start(8)
        end_ms = minute + stage.period + stage.settle - early
        minutes = stage.read(REQUESTS, end_ms=end_ms)
        assert at(minutes, minute).settled is (early == 0)
        assert [one.settled for one in minutes] == [
            one.at_ms + stage.period + stage.settle <= end_ms for one in minutes
        ]

    def test_a_late_value_is_no_datapoint_until_it_comes(self, stage: MetricSourceStage) -> None:
        minute = stage.start(8)
        stage.publish(REQUESTS, minute, 40, visible_ms=stage.now_ms + 1)
        before = at(stage.read(REQUESTS), minute)
        assert before.counts[REQUESTS.key] is Absent.NO_DATAPOINT
        assert before.settled
        stage.forward(2)
        assert at(stage.read(REQUESTS), minute).number(REQUESTS.key) == 40

    def test_a_value_in_two_parts_grows(self, stage: MetricSourceStage) -> None:
        minute = stage.start(1)
        stage.publish(REQUESTS, minute, 60)
        stage.publish(REQUESTS, minute, 40, visible_ms=stage.now_ms + stage.period)
        assert at(stage.read(REQUESTS), minute).number(REQUESTS.key) == 60
        stage.forward(2 * stage.period)
        assert at(stage.read(REQUESTS), minute).number(REQUESTS.key) == 100

    def test_the_same_question_has_the_same_answer_where_nothing_came(
        self, stage: MetricSourceStage
    ) -> None:
        for periods in range(10):
            stage.publish(REQUESTS, stage.start(periods), 50 + periods)
        start = stage.start(9)
        first = stage.read(REQUESTS, ERRORS, start_ms=start)
        assert stage.read(REQUESTS, ERRORS, start_ms=start) == first
        stage.forward(stage.period)
        again = {one.at_ms: one for one in stage.read(REQUESTS, ERRORS, start_ms=start)}
        for minute in first:
            if minute.settled:
                assert again[minute.at_ms] == minute

    def test_a_series_reads_the_same_whatever_is_asked_beside_it(
        self, stage: MetricSourceStage
    ) -> None:
        for series in EVERY:
            stage.publish(series, stage.start(5), 7)
        together = stage.read(*EVERY)
        for series in EVERY:
            alone = stage.read(series)
            assert [m.counts[series.key] for m in alone] == [
                m.counts[series.key] for m in together
            ]

    def test_a_question_that_grew_is_asked_anew(self, stage: MetricSourceStage) -> None:
        comparison, start = stage.comparisons[0], stage.start(5)
        wanted = {comparison: (REQUESTS,)}
        stage.metrics.read(wanted, start, stage.now_ms)
        wanted[comparison] = (REQUESTS, ERRORS)  # type: ignore[assignment]
        reading = stage.metrics.read(wanted, start, stage.now_ms)
        assert isinstance(reading, Known)
        assert set(reading.value[0].counts) == {REQUESTS.key, ERRORS.key}

    # What is not known

    def test_a_series_that_was_not_answered_is_unknown_and_takes_nothing_from_the_others(
        self, stage: MetricSourceStage
    ) -> None:
        minute = stage.start(8)
        stage.publish(REQUESTS, minute, 900)
        stage.publish(ERRORS, minute, 3)
        stage.leave_unanswered(ERRORS)
        minutes = stage.read(REQUESTS, ERRORS)
        assert all(one.counts[ERRORS.key] is Absent.UNKNOWN for one in minutes)
        found = at(minutes, minute)
        assert found.number(REQUESTS.key) == 900
        assert found.answered
        assert found.settled, "its own gates wait for the series, and no other does"
        assert found.zero_if_requests(ERRORS.key, REQUESTS.key) is None

    def test_periods_of_which_nothing_was_answered_are_not_called_answered(
        self, stage: MetricSourceStage
    ) -> None:
        stage.publish(REQUESTS, stage.start(5), 900)
        stage.leave_unanswered(REQUESTS)
        stage.leave_unanswered(ERRORS)
        minutes = stage.read(REQUESTS, ERRORS)
        assert minutes
        assert not any(minute.answered for minute in minutes)

    @pytest.mark.parametrize("how", ["throttled", "denied", "timeout", "foreign"])
    def test_a_read_that_fails_is_unknown_with_its_code(
        self, stage: MetricSourceStage, how: str
    ) -> None:
        stage.publish(REQUESTS, stage.start(5), 900)
        stage.fail(how)
        reading = stage.metrics.read(
            {stage.comparisons[0]: (REQUESTS,)}, stage.start(6), stage.now_ms
        )
        assert isinstance(reading, Unknown)
        assert reading.code
        assert reading.reason
        assert reading.denied is (how == "denied")
        assert not reading.gone
