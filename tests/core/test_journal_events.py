"""What may stand in a journal, and what may not."""

from __future__ import annotations

import pytest

from cutover.core.journal import codec
from cutover.core.journal import events as ev
from cutover.core.observation import Absent, Count, Minute
from tests import records


def test_every_type_has_its_own_name() -> None:
    assert len(ev.TYPES) == len({cls.type for cls in ev.TYPES.values()}) == 18


def test_an_event_reads_back_from_its_body() -> None:
    for event in (
        ev.RunOpen("checkout", "h", "123456789012", "ap-northeast-1", "live", "0", ("a", "b")),
        records.phase_changed("BAKING", "HOLDING", "why", 2, hold="approval"),
        ev.MinuteSettled("p", 60_000, {"source.requests": 5, "source.target_5xx": "-", "x": "?"}),
        ev.Observed(
            "config", {"route": "r", "config": {"text": "t", "attached": True, "list": [1, "2"]}}
        ),
    ):
        assert codec.parse(event.type, codec.body(event)) == event


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("nonsense", {}, "unknown record type"),
        ("note", {"reason": "", "facts": {}, "text": "x", "mood": "good"}, "unknown field 'mood'"),
        ("note", {"reason": "", "facts": {}}, "field 'text' is missing"),
        ("note", {"reason": "", "facts": {}, "text": 5}, "field 'text' is not str"),
        ("close", {"exit_code": True, "phase": "x", "why": "y"}, "field 'exit_code' is not int"),
        ("run_open", {"plan_name": "x"}, "is missing"),
    ],
)
def test_what_is_not_an_event_is_refused(
    name: str, data: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        codec.parse(name, data)


def test_a_float_cannot_be_journalled() -> None:
    with pytest.raises(TypeError, match="float"):
        codec.body(ev.Observed("x", {"rate": 0.5}))


def test_a_minute_keeps_the_difference_between_absent_and_unknown() -> None:
    minute = Minute("p", 60_000, {"a": 3, "b": Absent.NO_DATAPOINT, "c": Absent.UNKNOWN})
    assert ev.minute_of(ev.MinuteSettled("p", 60_000, ev.counts_body(minute))) == minute
    assert minute.number("a") == 3
    assert minute.number("b") is None
    assert minute.is_unknown("c")
    assert minute.is_unknown("never asked")


def test_no_datapoint_is_zero_only_where_requests_exist() -> None:
    counts: dict[str, Count] = {
        "errors": Absent.NO_DATAPOINT,
        "requests": 5,
        "quiet": Absent.NO_DATAPOINT,
        "lost": Absent.UNKNOWN,
        "n": 2,
    }
    minute = Minute("p", 0, counts)
    assert minute.zero_if_requests("errors", "requests") == 0
    assert minute.zero_if_requests("errors", "quiet") is None
    assert minute.zero_if_requests("lost", "requests") is None
    assert minute.zero_if_requests("n", "quiet") == 2
