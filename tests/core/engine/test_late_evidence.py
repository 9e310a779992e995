"""Minutes that are published late, seen late, corrected late or watched by nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import (
    Absent,
    CommandName,
    Comparison,
    Count,
    Known,
    Minute,
    Reading,
    Series,
    Unknown,
)
from cutover.core.state import evidence as evid
from cutover.core.values import HOUR, MINUTE, SECOND
from tests.core.engine.test_safety import holds
from tests.fakes import DESTINATION, LISTENER, RULE, SOURCE, Bench, FakeMetrics, plan_of

JUDGES = ("sequential", "threshold")


def errors_by(judge: str) -> dict[str, object]:
    """The errors gate with that judge."""
    return {
        "errors": {
            "max": "1%",
            "versus_source": {"ratio": 2.0, "floor": "0.2%"},
            "judge": judge,
        }
    }


class LateMetrics(FakeMetrics):
    """Series whose datapoints are missing from minutes that are not settled yet."""

    late: tuple[str, ...] = ()

    def read(
        self, wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        reading = super().read(wanted, start_ms, end_ms)
        if not isinstance(reading, Known):
            return reading
        minutes = [
            minute
            if minute.settled
            else replace(
                minute, counts={**minute.counts, **dict.fromkeys(self.late, Absent.NO_DATAPOINT)}
            )
            for minute in reading.value
        ]
        return Known(tuple(minutes), reading.at)


def both_fail(bench: Bench) -> None:
    """Both sides fail a fifth of their requests from now on."""
    bench.traffic.source_errors = bench.traffic.destination_errors = 0.2


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(
    "late",
    [
        ("source.target_5xx",),
        ("source.target_5xx", "source.target_2xx"),
        ("source.requests", "source.target_5xx", "source.target_2xx"),
    ],
)
def test_a_source_whose_errors_are_published_later_is_waited_for(
    judge: str, late: tuple[str, ...]
) -> None:
    bench = Bench(plan_of(gates=[errors_by(judge), {"healthy": {"min": 2}}]))
    bench.metrics.__class__ = LateMetrics
    bench.metrics.late = late  # type: ignore[attr-defined]
    bench.at_weight(500, partial(both_fail, bench), 8 * MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=15), 25 * MINUTE)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "shared"


@pytest.mark.parametrize("judge", JUDGES)
def test_a_destination_that_fails_alone_goes_back_before_its_minute_is_settled(judge: str) -> None:
    bench = Bench(plan_of(gates=[errors_by(judge), {"healthy": {"min": 2}}]))
    began: list[int] = []

    def fail() -> None:
        bench.traffic.destination_errors = 0.2
        began.append(bench.clock.at.wall_ms)

    bench.at_weight(500, fail, 8 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    breach = next(at for at, one in bench.stamped(ev.PhaseChanged) if one.cause == "breach")
    assert breach.wall_ms - began[0] < 2 * MINUTE + bench.plan.observe.settle


class SlowOnce(FakeMetrics):
    """One look takes this long."""

    takes_ms = 0

    def read(
        self, wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        takes, self.takes_ms = self.takes_ms, 0
        self._clock.sleep(takes)
        return super().read(wanted, start_ms, end_ms)


@pytest.mark.parametrize(("seconds", "gaps"), [(20, 0), (40, 1), (85, 1)])
def test_a_stop_inside_a_look_is_a_gap_and_the_bake_counts_only_watched_minutes(
    seconds: int, gaps: int
) -> None:
    bench = Bench()
    bench.metrics.__class__ = SlowOnce
    stopped: list[int] = []

    def stop() -> None:
        bench.metrics.takes_ms = seconds * SECOND  # type: ignore[attr-defined]
        stopped.append(bench.clock.at.wall_ms)

    bench.at_weight(500, stop, 8 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert len(bench.events(ev.Gap)) == gaps
    if gaps:
        raised = next(at for at, _, one in bench.router.writes if one.weight == 1000)
        bake = bench.plan.steps[1].bake
        assert raised - stopped[0] >= bake + bench.plan.observe.settle


def test_a_step_is_judged_from_the_first_minute_on_that_is_wholly_at_its_weight() -> None:
    bench = Bench()
    assert bench.run() == ExitCode.COMPLETED
    begun = [(at, one) for at, one in bench.stamped(ev.PhaseChanged) if one.after == "SETTLING"]
    assert len(begun) == len(bench.plan.steps)
    for at, one in begun:
        assert one.from_ms % bench.plan.observe.period == 0
        assert 0 < one.from_ms - at.wall_ms <= bench.plan.observe.period


def test_a_stop_between_two_looks_is_a_gap_and_the_bake_counts_only_watched_minutes() -> None:
    bench = Bench()
    woken: list[int] = []

    def stopped() -> None:
        bench.clock.at = bench.clock.at.plus(20 * MINUTE)
        woken.append(bench.clock.at.wall_ms)

    bench.at_weight(500, stopped, 3 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert len(bench.events(ev.Gap)) == 1
    raised = next(at for at, _, one in bench.router.writes if one.weight == 1000)
    assert raised - woken[0] >= bench.plan.steps[1].bake + bench.plan.observe.settle


@pytest.mark.parametrize("blind_minutes", [0, 9])
def test_a_source_that_turned_bad_with_the_raise_goes_back_however_late_it_is_seen(
    blind_minutes: int,
) -> None:
    bench = Bench(plan_of(safety={"blind_budget": "1h", "on_hold_timeout": "hold"}))

    def with_the_raise() -> None:
        both_fail(bench)
        if blind_minutes:
            bench.traffic.fails = Unknown("throttled", "Throttling")
            bench.clock.call_in(
                blind_minutes * MINUTE, lambda: setattr(bench.traffic, "fails", None)
            )

    bench.at_weight(500, with_the_raise, 30 * SECOND)
    bench.inbox.say_in(2 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.ROLLED_BACK
    back = next(one for one in bench.events(ev.PhaseChanged) if one.after == "ROLLING_BACK")
    assert "right after the raise" in back.why


def test_a_source_that_turned_bad_long_after_the_raise_holds() -> None:
    bench = Bench(plan_of(safety={"on_hold_timeout": "hold"}))
    bench.at_weight(500, partial(both_fail, bench), 8 * MINUTE)
    bench.inbox.say_in(HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "shared"


OTHER = SOURCE.replace("checkout-ec2", "cart-ec2")


def test_every_comparison_keeps_its_own_minutes_and_a_late_correction_of_the_first_still_counts() -> (
    None
):
    plan = plan_of(
        routes=[
            {"rule": RULE, "source": SOURCE, "destination": DESTINATION},
            {"listener": LISTENER, "source": OTHER, "destination": DESTINATION},
        ]
    )
    first, second = plan.comparisons
    asked = plan.series({})

    def minute(comparison: Comparison, at: int, errors: int = 0) -> Minute:
        counts: dict[str, int | Absent] = {s.key: Absent.NO_DATAPOINT for s in asked[comparison]}
        counts |= {"source.requests": 900, "source.target_2xx": 900, "balancer.requests": 1000}
        counts |= {
            "destination.requests": 100,
            "destination.target_2xx": 100 - errors,
            "destination.target_5xx": errors,
        }
        return Minute(comparison.id, at * MINUTE, counts)

    known = evid.begin(plan)
    for comparison in (
        first,
        second,
    ):  # as a first look journals them: all of one comparison, then all of the next
        for at in range(1, 64):
            known = evid.fold(plan, known, evid.Folded(minute(comparison, at), 100, MINUTE))
    assert len(known.minutes(first.id, 0)) >= evid.KEEP
    corrected = evid.correct(plan, known, minute(first, 60, errors=40))
    assert corrected.memory("errors", first.id) != known.memory("errors", first.id)
    assert corrected.memory("errors", second.id) == known.memory("errors", second.id)


def test_marks_of_lost_time_push_no_minute_out() -> None:
    plan = plan_of()
    comparison = plan.comparisons[0]
    known = evid.fold(plan, evid.begin(plan), evid.Folded(Minute(comparison.id, MINUTE, {}), 0, 0))
    for _ in range(200):
        known = evid.restart(plan, known)
    assert len(known.minutes(comparison.id, 0)) == 1


# --- a series that nobody answers


METRIC = {"name": "calls", "namespace": "Shop", "metric": "Failed", "max": 100_000_000}
DENIED: Mapping[str, Count] = {"custom.calls": Absent.UNKNOWN}


def a_metric_beside_errors(on_breach: str) -> Bench:
    """CloudWatch never answers the metric of the operator's own, and everything else at once."""
    metric = {"metric": {**METRIC, "on_breach": on_breach}}
    bench = Bench(plan_of(gates=[*errors_gates(), metric]))
    bench.traffic.extra.update(DENIED)
    return bench


def errors_gates() -> list[dict[str, object]]:
    return [errors_by("threshold"), {"healthy": {"min": 2}}]


def lateness(bench: Bench) -> list[int]:
    """Of every minute of the run: ms from the time at which it is settled to its record."""
    observe, opened = bench.plan.observe, bench.journal.records[0].at.wall_ms
    return [
        at.wall_ms - minute.at_ms - observe.period - observe.settle
        for at, minute in bench.stamped(ev.MinuteSettled)
        if minute.at_ms >= opened
    ]


def test_a_metric_that_nobody_answers_holds_up_no_minute_of_the_others() -> None:
    bench = a_metric_beside_errors("hold")
    bench.run()
    assert max(lateness(bench)) <= bench.plan.observe.period


def test_a_metric_that_is_answered_no_more_holds_up_the_others_for_two_minutes_once() -> None:
    bench = Bench(plan_of(gates=[*errors_gates(), {"metric": METRIC}]))
    bench.at_weight(50, lambda: bench.traffic.extra.update(DENIED), 6 * MINUTE)
    bench.run()
    late, period = lateness(bench), bench.plan.observe.period
    assert 2 * period <= max(late) <= 3 * period
    assert sum(one > period for one in late) <= 3
    assert "minutes" not in {
        one.gate for one in bench.events(ev.GateJudged) if one.verdict == "UNKNOWN"
    }


def test_a_gate_that_only_holds_is_not_gone_back_for_when_nobody_answers_its_metric() -> None:
    bench = a_metric_beside_errors("hold")
    assert bench.run() == ExitCode.ROLLED_BACK
    assert "no_data" in holds(bench)
    assert bench.state.rollback_cause == "deadline"


def test_a_gate_that_goes_back_is_blind_when_nobody_answers_its_metric() -> None:
    bench = a_metric_beside_errors("rollback")
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.state.rollback_cause == "no_data"
    assert {said.gate for said in bench.events(ev.GateJudged) if said.verdict == "UNKNOWN"} == {
        "metric.calls"
    }


def test_what_a_minute_was_known_to_be_is_not_unlearnt_when_it_is_read_again() -> None:
    bench = Bench(plan_of(gates=errors_gates()))
    read = bench.metrics.read

    def forgetful(
        wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        """Every minute but the newest settled one without its errors."""
        reading = read(wanted, start_ms, end_ms)
        assert isinstance(reading, Known)
        newest = max((one.at_ms for one in reading.value if one.settled), default=0)
        minutes = tuple(
            replace(one, counts={**one.counts, "destination.target_5xx": Absent.UNKNOWN})
            if one.at_ms < newest
            else one
            for one in reading.value
        )
        return Known(minutes, reading.at)

    bench.metrics.read = forgetful  # type: ignore[method-assign]
    bench.run()
    assert bench.events(ev.MinuteCorrected) == []


def test_a_series_that_is_always_answered_a_minute_late_is_waited_for() -> None:
    bench = Bench(plan_of(gates=errors_gates()))
    read = bench.metrics.read

    def slow(
        wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        """The newest settled minute without its errors."""
        reading = read(wanted, start_ms, end_ms)
        assert isinstance(reading, Known)
        newest = max((one.at_ms for one in reading.value if one.settled), default=0)
        minutes = tuple(
            replace(one, counts={**one.counts, "destination.target_5xx": Absent.UNKNOWN})
            if one.at_ms == newest
            else one
            for one in reading.value
        )
        return Known(minutes, reading.at)

    bench.metrics.read = slow  # type: ignore[method-assign]
    assert bench.run() == ExitCode.COMPLETED
    assert bench.events(ev.MinuteCorrected) == []
    assert not any(one.verdict == "UNKNOWN" for one in bench.events(ev.GateJudged))


def test_a_series_that_is_answered_after_its_minute_was_kept_corrects_it() -> None:
    bench = Bench(plan_of(gates=[*errors_gates(), {"metric": METRIC}]))

    def silent() -> None:
        bench.traffic.extra.update(DENIED)
        bench.clock.call_in(6 * MINUTE, again)

    def again() -> None:
        del bench.traffic.extra["custom.calls"]
        for at_ms, counts in bench.metrics._made.items():
            if at_ms >= bench.clock.at.wall_ms - 9 * MINUTE:
                counts.pop("custom.calls", None)

    bench.at_weight(50, silent, 6 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    corrected = bench.events(ev.MinuteCorrected)
    assert corrected
    assert all(one.counts["custom.calls"] != "?" for one in corrected)
