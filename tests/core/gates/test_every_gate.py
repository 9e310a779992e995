"""What holds for every gate, whatever it judges."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.gates import GATES, CountingSpec, GateSpec, Verdict
from cutover.core.gates.api import Counts
from cutover.core.gates.rates import upper_bound_ppm
from cutover.core.gates.threshold.limits import (
    START,
    Question,
    ThresholdReading,
    fold,
    is_bad,
    is_outage,
    restart,
    verdict,
)
from cutover.core.observation import Minute
from cutover.core.plan.gates import default_gates
from cutover.core.units import Model
from cutover.core.values import MINUTE
from tests.core.gates.world import (
    COMPARISON,
    GONE,
    SAMPLES,
    START_MS,
    UNREAD,
    Bench,
    group,
    minute_of,
    slow,
)

JUDGES = ("sequential", "threshold")
JUDGED: dict[str, tuple[str, dict[str, Any]]] = {
    f"{kind}, {judge}": (kind, {**SAMPLES[kind], "judge": judge})
    for kind in ("errors", "latency", "client_errors", "lb_errors")
    for judge in JUDGES
}
"""The gates that count, with each judge."""

EVERY = {
    **JUDGED,
    **{kind: (kind, SAMPLES[kind]) for kind in ("healthy", "capacity", "metric", "alarm")},
}
COUNTING = tuple(JUDGED)


def baseline() -> list[Minute]:
    return [full_minute(at, 0, 0) for at in range(-15, 0)]


def full_minute(
    at: int, requests: int, bad: int, source: int = 5400, source_bad: int = 5
) -> Minute:
    """A minute in which `bad` requests are bad in the eyes of every counting gate."""
    bad = min(bad, requests)
    failed = bad // 2
    destination = group("destination", requests, failed, bad - failed)
    if requests:
        destination |= slow("destination", {250: bad, 800: bad})
    return minute_of(
        at,
        group("source", source, source_bad // 2, source_bad - source_bad // 2),
        slow("source", {200: source_bad, 800: source_bad}),
        destination,
        {"custom.log-volume": bad * 1000 + requests * 1000},
        elb_502=bad or GONE,
    )


def empty(name: str, **fields: Any) -> Bench:
    return Bench(*EVERY[name], **fields)


def bench(name: str, **fields: Any) -> Bench:
    """The gate after the baseline."""
    return empty(name, **fields).before(*baseline()) if fields else copy(_after_baseline(name))


@cache
def _after_baseline(name: str) -> Bench:
    return empty(name).before(*baseline())


def test_every_gate_is_here_with_every_judge_it_can_have() -> None:
    assert {kind for kind, _ in EVERY.values()} == set(GATES)
    counting = {kind for kind, gate in GATES.items() if issubclass(gate.Spec, CountingSpec)}
    assert {kind for kind, _ in JUDGED.values()} == counting
    for name, (kind, options) in JUDGED.items():
        assert GATES[kind].alpha(empty(name).spec) * (options["judge"] == "threshold") == 0


@pytest.mark.parametrize("kind", EVERY)
def test_no_data_is_never_a_pass(kind: str) -> None:
    feed = empty(kind, health={}, alarms=None)
    assert feed.says().verdict is not Verdict.PASS
    for at in range(10):
        feed.feed(Minute(COMPARISON.id, START_MS + at * MINUTE, {}))
        assert feed.says().verdict is not Verdict.PASS


@pytest.mark.parametrize("kind", [*COUNTING, "metric"])
@pytest.mark.parametrize("absent", [GONE, UNREAD])
def test_a_pass_ends_when_the_destination_falls_silent(kind: str, absent: Any) -> None:
    feed = bench(kind).feed(full_minute(at, 600, 1) for at in range(10))
    assert feed.says().verdict is Verdict.PASS
    silence = slow("destination", {250: absent, 800: absent}) | {"custom.log-volume": absent}
    feed.feed(
        minute_of(at, group("source", 5400), group("destination", absent), silence)
        for at in range(10, 14)
    )
    assert feed.says().verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("kind", COUNTING)
def test_zero_requests_are_never_a_pass(kind: str) -> None:
    feed = bench(kind).feed(full_minute(at, 0, 0) for at in range(30))
    assert feed.says().verdict is not Verdict.PASS


@pytest.mark.parametrize("kind", EVERY)
def test_a_restart_is_never_a_pass_on_minutes_alone(kind: str) -> None:
    feed = (
        bench(kind, health={}, alarms=None)
        .feed(full_minute(at, 600, 1) for at in range(10))
        .restart()
    )
    assert feed.says().verdict is not Verdict.PASS


@pytest.mark.parametrize("kind", EVERY)
def test_every_series_that_a_gate_reads_is_one_that_it_asks_for(kind: str) -> None:
    everything, asked = empty(kind), empty(kind)
    keys = {series.key for series in asked.gate.needs(asked.spec, COMPARISON, asked.calibration)}

    def only(minute: Minute) -> Minute:
        return Minute(
            minute.comparison,
            minute.at_ms,
            {key: n for key, n in minute.counts.items() if key in keys},
        )

    assert len(keys) == len(asked.gate.needs(asked.spec, COMPARISON, asked.calibration))
    for requests, bad in ((600, 1), (600, 300)):
        history = [full_minute(at, requests, bad) for at in range(10)]
        everything.before(*baseline()).feed(history)
        asked.before(*map(only, baseline())).feed(map(only, history))
        assert asked.says() == everything.says()
        assert asked.alarming(only(history[0])) == everything.alarming(history[0])


minutes = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 60), st.integers(0, 3000), st.integers(0, 200)),
    min_size=1,
    max_size=12,
)


# every gate is asked about each history that was drawn: drawing takes longer than judging


@given(history=minutes, more=st.data())
def test_more_bad_requests_never_improve_the_verdict(history: Any, more: Any) -> None:
    extra = more.draw(st.lists(st.integers(0, 100), min_size=len(history), max_size=len(history)))
    fewer, worse = [], []
    for at, ((requests, bad, source, sick), added) in enumerate(zip(history, extra, strict=True)):
        source_bad = min(sick, source)
        fewer.append(full_minute(at, requests, bad, source, source_bad))
        worse.append(full_minute(at, requests, bad + added, source, source_bad))
    for kind in COUNTING:
        low, high = (bench(kind).feed(told).says().verdict for told in (fewer, worse))
        assert high >= low, kind


@given(history=minutes)
def test_the_same_minutes_fold_to_the_same_memory(history: Any) -> None:
    def told(kind: str) -> Bench:
        fed = empty(kind).before(*baseline())
        return fed.feed(full_minute(at, *row) for at, row in enumerate(history))

    for kind in EVERY:
        once, again = told(kind), told(kind)
        assert once.memory == again.memory, kind
        assert once.says() == again.says(), kind
        assert hash(once.memory) == hash(again.memory), kind


@given(history=minutes)
def test_a_restart_never_withdraws_a_breach_nor_grants_a_pass(history: Any) -> None:
    seen = [full_minute(at, *row) for at, row in enumerate(history)]
    for kind in (*COUNTING, "metric"):
        feed = bench(kind).feed(seen)
        before = feed.says().verdict
        after = feed.restart().says().verdict
        assert (after is Verdict.BREACH) == (before is Verdict.BREACH), kind
        assert after is not Verdict.PASS, kind


looks = st.lists(
    st.builds(
        ThresholdReading,
        st.integers(1, 100_000).flatmap(
            lambda n: st.builds(Counts, st.just(n), st.integers(0, n))
        ),
        st.integers(0, 1_000_000),
        st.sampled_from([None, 1, 2]),
    ),
    max_size=80,
)


@given(looks)
def test_a_breach_of_the_budget_outlives_every_restart(history: Any) -> None:
    memory = START
    for look in history:
        memory = restart(fold(memory, look))
    harmed, total = (
        sum(look.counts.bad for look in history),
        sum(look.counts.total for look in history),
    )
    assert memory.run == Counts(total, harmed)
    assert len(memory.recent) <= 60
    found = verdict(memory, Question(1, 1, None, 1))
    assert found.verdict is not Verdict.PASS
    if harmed >= 40 and total < 1_000_000:
        assert found.verdict is Verdict.BREACH


@pytest.mark.parametrize(
    ("requests", "bad", "allowed", "is_a_bad_minute", "is_an_outage"),
    [
        (3, 3, 2_000, True, False),
        (2, 2, 2_000, False, False),
        (60, 2, 2_000, False, False),
        (60, 3, 2_000, True, False),
        (60, 20, 2_000, True, True),
        (3_000, 12, 2_000, False, False),
        (3_000, 30, 2_000, True, False),
        (100_000, 390, 2_000, False, False),
        (100_000, 440, 2_000, True, False),
        (1_000, 250, 2_000, True, True),
        (1_000, 249, 2_000, True, False),
        (1_000, 500, 50_000, True, True),
        (1_000, 899, 100_000, True, False),
        (1_000, 900, 100_000, True, True),
        (1_000, 1_000, 600_000, True, False),
        (1_000, 1_000, 1_000_000, False, False),
    ],
)
def test_what_one_minute_means(
    requests: int, bad: int, allowed: int, is_a_bad_minute: bool, is_an_outage: bool
) -> None:
    counts = Counts(requests, bad)
    assert (is_bad(counts, allowed), is_outage(counts, allowed)) == (is_a_bad_minute, is_an_outage)


def test_the_rule_of_three() -> None:
    assert upper_bound_ppm(Counts(300, 0)) == 10_000
    assert upper_bound_ppm(Counts(0, 0)) == 1_000_000
    assert upper_bound_ppm(Counts(1, 1)) == 1_000_000


@pytest.mark.parametrize("kind", GATES)
def test_every_option_is_explained(kind: str) -> None:
    def fields(model: type[Model]) -> Iterator[tuple[str, str | None]]:
        for name, info in model.model_fields.items():
            yield name, info.description
            for part in (info.annotation, *getattr(info.annotation, "__args__", ())):
                if isinstance(part, type) and issubclass(part, Model):
                    yield from fields(part)

    spec = GATES[kind].Spec
    assert issubclass(spec, GateSpec)
    assert spec.__doc__
    assert spec.model_json_schema()["properties"]
    assert [name for name, description in fields(spec) if not description] == []


@pytest.mark.parametrize("kind", GATES)
def test_every_sample_of_the_design_is_a_spec_with_a_response(kind: str) -> None:
    spec = GATES[kind].Spec.model_validate(SAMPLES[kind])
    assert spec.on_breach in ("rollback", "hold")
    assert (spec.requests_to_pass > 0) == isinstance(spec, CountingSpec)


def test_the_default_gates_are_valid() -> None:
    names = [gate.kind for gate in default_gates()]
    assert names == ["errors", "latency", "client_errors", "lb_errors", "healthy"]


@given(history=minutes)
def test_requests_to_pass_is_the_least_that_can(history: Any) -> None:
    seen = [
        full_minute(at, requests, bad, 5400, 5) for at, (requests, bad, _, _) in enumerate(history)
    ]
    for kind in COUNTING:
        feed = bench(kind)
        if sum(row[0] for row in history) < feed.spec.requests_to_pass:
            assert feed.feed(seen).says().verdict is not Verdict.PASS, kind


@pytest.mark.parametrize("kind", ["healthy", "capacity", "metric", "alarm"])
def test_gates_on_live_facts_have_no_rule_for_unsettled_minutes(kind: str) -> None:
    assert bench(kind).alarming(full_minute(0, 600, 600)) is None
