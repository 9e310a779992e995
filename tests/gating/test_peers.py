"""Each peer follows its documented rule, on tables small enough to check by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

import pytest

from benchmarks.gating.mann_whitney import shift
from benchmarks.gating.peers import (
    LOOK_AT,
    Argo,
    CloudWatchAlarm,
    Flagger,
    Kayenta,
    Look,
    MinimumRequests,
    Peer,
    Point,
)


def point(
    t: int, requests: int = 1000, errors: int = 0, p99: float = 300.0, p95: float = 170.0
) -> Point:
    return Point(t, 1000, 1, requests, errors, 170.0, p95, 300.0, p99)


def rolled_back_at(peer: Peer, table: Sequence[Point | None], step: int = 10_000) -> int | None:
    """The minute after which the peer goes back; a None in the table was never published."""
    for minute in range(1, len(table) + 1):
        seen = tuple(one for one in table[:minute] if one is not None)
        if peer.look(Look(minute + LOOK_AT, 0.0, minute % step == 0, seen)):
            return minute
    return None


def rows(count: int, make: Callable[[int], Point | None]) -> list[Point | None]:
    return [make(t) for t in range(count)]


@pytest.mark.parametrize("threshold", [5, 10])
def test_flagger_goes_back_at_the_tick_after_its_last_allowed_failure(threshold: int) -> None:
    table = rows(20, lambda t: point(t, errors=20))
    assert rolled_back_at(Flagger(threshold), table) == threshold + 1


def test_flagger_never_forgets_a_failed_check() -> None:
    table = rows(60, lambda t: point(t, errors=20 if t % 10 == 0 else 0))
    assert rolled_back_at(Flagger(5), table) == 42


def test_flagger_allows_exactly_one_percent_and_500_ms() -> None:
    assert rolled_back_at(Flagger(5), rows(30, lambda t: point(t, errors=10, p99=500.0))) is None
    assert rolled_back_at(Flagger(5), rows(30, lambda t: point(t, p99=501.0))) == 6


def test_flagger_fails_its_check_while_there_are_no_values() -> None:
    assert rolled_back_at(Flagger(5), rows(10, lambda t: None)) == 6
    unanswered = rows(10, lambda t: point(t, p99=0.0, p95=0.0))
    assert rolled_back_at(Flagger(5), unanswered) == 6


def test_flagger_takes_the_newest_value_of_ten_minutes_so_a_short_gap_is_nothing() -> None:
    table = rows(30, lambda t: None if 10 <= t < 18 else point(t))
    assert rolled_back_at(Flagger(5), table) is None


def test_argo_fails_at_the_fourth_measurement_below_95_percent() -> None:
    bad = rows(30, lambda t: point(t, errors=60))
    assert rolled_back_at(Argo(1), bad) == 4
    assert rolled_back_at(Argo(5), bad) == 20
    assert rolled_back_at(Argo(1), rows(30, lambda t: point(t, errors=50))) is None


def test_argo_errs_after_five_measurements_without_a_value_in_a_row() -> None:
    table = rows(30, lambda t: None if t >= 10 else point(t))
    assert rolled_back_at(Argo(1), table) == 17  # its window still holds minute 9 until 12


def test_a_measurement_with_a_value_forgives_the_errors_before_it() -> None:
    table = rows(60, lambda t: point(t) if t % 7 == 0 else None)
    assert rolled_back_at(Argo(1), table) is None


@pytest.mark.parametrize(
    ("errors", "expected"),
    [([0, 20, 20], 3), ([20, 0, 20], 3), ([20, 0, 0, 20], None), ([10, 10, 10], None)],
)
def test_the_alarm_wants_two_breaching_datapoints_of_three(
    errors: list[int], expected: int | None
) -> None:
    table = [point(t, errors=bad) for t, bad in enumerate(errors)]
    assert rolled_back_at(CloudWatchAlarm(), table) == expected


def test_the_alarm_leaves_missing_datapoints_out() -> None:
    table = [point(0), point(1, errors=20), None, point(3, errors=20)]
    assert rolled_back_at(CloudWatchAlarm(), table) == 4
    assert rolled_back_at(CloudWatchAlarm(), rows(20, lambda t: None)) is None


def test_the_alarm_knows_p99_too() -> None:
    assert rolled_back_at(CloudWatchAlarm(), [point(0, p99=600.0), point(1, p99=600.0)]) == 2


def test_the_guarded_threshold_wants_requests_and_two_minutes() -> None:
    assert rolled_back_at(MinimumRequests(), rows(9, lambda t: point(t, 20, 2))) == 2
    assert rolled_back_at(MinimumRequests(), rows(9, lambda t: point(t, 19, 19))) is None
    assert rolled_back_at(MinimumRequests(), rows(9, lambda t: point(t, 100, 6 * (t % 2)))) is None


def test_the_shift_is_the_median_of_all_differences() -> None:
    found = shift([3.0, 5.0, 9.0], [1.0, 2.0, 4.0])
    assert found is not None
    assert found.estimate == 3.0  # of -1 1 1 2 3 4 5 7 8


def test_the_interval_agrees_with_a_test_of_every_shift() -> None:
    """`low` is where the standardised rank sum of the shifted sample crosses its quantile, found by trying."""
    experiment = [1.1, 2.7, 3.2, 4.8, 5.9, 6.1, 7.7, 8.2]
    control = [0.4, 1.6, 2.2, 2.9, 3.1, 4.4, 5.5, 6.3]
    found = shift(experiment, control)
    assert found is not None

    def z(by: float) -> float:
        above = sum((x - by > y) + 0.5 * (x - by == y) for x in experiment for y in control)
        spread = sqrt(64 * 17 / 12)
        centred = above - 32
        return (centred - 0.5 * ((centred > 0) - (centred < 0))) / spread

    assert z(found.low - 1e-6) > 2.3263 > z(found.low + 1e-6)
    assert z(found.high - 1e-6) > -2.3263 > z(found.high + 1e-6)


def test_nothing_can_be_said_of_ties_only() -> None:
    assert shift([0.0] * 8, [0.0] * 8) is None


def test_kayenta_looks_at_the_end_of_the_step_or_every_five_minutes() -> None:
    table = rows(10, lambda t: point(t, errors=40 + t))
    assert rolled_back_at(Kayenta(None), table, step=10) == 10
    assert rolled_back_at(Kayenta(5), table, step=10) == 5


def test_kayenta_passes_seven_bad_minutes_of_ten() -> None:
    """One minute is one observation, however many requests it has."""
    table = rows(10, lambda t: point(t, errors=0 if t < 3 else 100 + t))
    assert rolled_back_at(Kayenta(None), table, step=10) is None


def test_kayenta_fails_a_critical_metric_without_data() -> None:
    table = rows(10, lambda t: point(t, p95=0.0, p99=0.0))
    assert rolled_back_at(Kayenta(None), table, step=10) == 10
