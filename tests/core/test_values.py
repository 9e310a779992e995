"""Units, weights and moments: what people write and what the journal keeps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.moment import Moment, floor_to, parse_wall, wall_from_ms, wall_ms, wall_text
from cutover.core.routing import RouteConfig, config_body, config_of
from cutover.core.values import (
    Weight,
    canonical_json,
    duration_text,
    parse_duration,
    parse_percent,
    parse_rate,
    parse_weight,
    percent_text,
    rate_text,
    weight_text,
)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("90s", 90_000), ("10m", 600_000), ("1h30m", 5_400_000), ("800ms", 800), ("2d", 172_800_000)],
)
def test_durations_carry_a_unit(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", "10", "m", "10 m", "-5m", "1.5h", "5m3h", "٣m"[:0] + "10minutes"]
)
def test_a_bare_or_odd_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**12))
def test_a_duration_reads_back_as_written(ms: int) -> None:
    assert parse_duration(duration_text(ms)) == ms


def test_a_negative_duration_is_said_with_a_minus() -> None:
    assert duration_text(-90_000) == "-1m30s"


@given(st.integers(0, 10**9))
def test_a_percentage_reads_back_as_written(ppm: int) -> None:
    assert parse_percent(percent_text(ppm)) == ppm


@pytest.mark.parametrize("text", ["1", "%", "-1%", "1%%", "0.00001%"])
def test_an_odd_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a percentage|finer than"):
        parse_percent(text)


@given(st.integers(1, 1000))
def test_every_weight_in_steps_of_a_tenth_is_exact(weight: int) -> None:
    assert parse_weight(weight / 10) == weight
    assert parse_weight(weight_text(weight).removesuffix(" %")) == weight


@pytest.mark.parametrize("weight", [0, -1, 100.1, 0.05, "x", 33.333])
def test_a_weight_out_of_range_or_too_fine_is_refused(weight: float | str) -> None:
    with pytest.raises(ValueError, match=r"weight|percent"):
        parse_weight(weight)


@pytest.mark.parametrize(
    ("text", "per_minute"), [("200/min", 200.0), ("5/s", 300.0), ("3000/h", 50.0)]
)
def test_rates_are_per_minute(text: str, per_minute: float) -> None:
    assert parse_rate(text) == per_minute
    assert parse_rate(rate_text(per_minute)) == per_minute


def test_an_odd_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="not a rate"):
        parse_rate("200")


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": float("nan")})


AT = Moment(datetime(2026, 3, 2, 9, 0, tzinfo=UTC), 1_000_000, "boot-1")


def test_a_duration_inside_one_boot_ignores_the_wall_clock() -> None:
    later = Moment(datetime(2026, 3, 1, 9, 0, tzinfo=UTC), 1_060_000, "boot-1")
    assert later.after(AT) == 60_000
    assert later.wall_jump(AT) == -86_400_000 - 60_000


def test_a_duration_across_boots_is_by_the_wall_clock() -> None:
    later = Moment(datetime(2026, 3, 2, 9, 5, tzinfo=UTC), 7, "boot-2")
    assert later.after(AT) == 300_000
    assert later.wall_jump(AT) == 0


@given(st.integers(0, 4_000_000_000_000))
def test_a_wall_time_reads_back_to_the_millisecond(ms: int) -> None:
    assert wall_ms(parse_wall(wall_text(wall_from_ms(ms)))) == ms


def test_a_minute_begins_at_its_floor() -> None:
    assert floor_to(125_000, 60_000) == 120_000


def test_a_config_reads_back_from_its_body() -> None:
    for weight in (None, Weight(0), Weight(250)):
        config = RouteConfig('{"x":1}', weight, attached=True, sticky=True)
        assert config_of(config_body(config)) == config
        assert len(config.hash) == 64


def test_a_body_that_is_no_config_is_refused() -> None:
    with pytest.raises(ValueError, match="not a config"):
        config_of({"text": "x"})
