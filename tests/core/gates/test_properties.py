"""What must hold for the sequential judge whatever is seen, in whatever order, and however often the process dies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutover.core.errors import ExitCode
from cutover.core.gates import Verdict
from cutover.core.gates.sequential import policy
from cutover.core.journal import events as ev
from cutover.core.observation import Absent, CommandName, Count, Minute
from cutover.core.plan import Plan
from cutover.core.state import RunState, evolve, replay
from cutover.core.state import evidence as evid
from cutover.core.values import MINUTE
from tests.core.gates.test_every_gate import full_minute
from tests.core.gates.world import GONE, START_MS, UNREAD, Bench, group, minute_of, slow
from tests.fakes import Bench as Run
from tests.fakes import Killed, plan_of

SEQUENTIAL: dict[str, dict[str, Any]] = {
    "errors": {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}},
    "latency": {"percentile": 95, "max": "800ms", "versus_source": {"ratio": 1.25}},
    "client_errors": {"versus_source": {"ratio": 1.5, "floor": "1%"}, "judge": "sequential"},
    "lb_errors": {"max": "1%", "judge": "sequential"},
}
GATES = [{kind: options} for kind, options in SEQUENTIAL.items()]
PLAN = plan_of(gates=GATES)
BASELINE = 8


def bench(kind: str, weight: int = 100) -> Bench:
    """The gate after the baseline."""
    return copy(_after_baseline(kind, weight))


@cache
def _after_baseline(kind: str, weight: int) -> Bench:
    before = (full_minute(at, 0, 0) for at in range(-BASELINE, 0))
    return Bench(kind, SEQUENTIAL[kind], weight).before(*before)


# --- no evidence, no verdict

nothing = st.sampled_from([GONE, UNREAD])
silences = st.lists(st.tuples(nothing, st.one_of(nothing, st.integers(1, 50_000))), max_size=40)


@given(silences=silences, weight=st.sampled_from([10, 500, 1000]))
def test_no_evidence_no_verdict(silences: Any, weight: int) -> None:
    limits: dict[int, object] = {200: GONE, 250: GONE, 800: GONE}
    silent = [
        minute_of(
            at,
            group("source", source),
            group("destination", destination),
            slow("source", limits),
            slow("destination", limits),
        )
        for at, (destination, source) in enumerate(silences)
    ]
    for kind in SEQUENTIAL:
        feed = bench(kind, weight)
        for minute in silent:
            assert feed.alarming(minute) is None, kind
            judgement = feed.feed(minute).says(bake_ms=0)
            assert judgement.verdict not in (Verdict.PASS, Verdict.BREACH), kind


@pytest.mark.parametrize("kind", SEQUENTIAL)
def test_nothing_at_all_is_no_verdict_however_long_it_lasts(kind: str) -> None:
    feed = bench(kind)
    for at in range(300):
        feed.feed(Minute("old>new", START_MS + at * MINUTE, {}))
        assert feed.says(bake_ms=0).verdict in (Verdict.WAITING, Verdict.UNKNOWN)


# --- more bad requests never lower the evidence

minutes = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 60), st.integers(0, 3000), st.integers(0, 200)),
    min_size=1,
    max_size=12,
)


@given(history=minutes, more=st.data())
def test_more_bad_requests_never_lower_the_evidence(history: Any, more: Any) -> None:
    """Up to a breach: then the run goes back, or asks, and an incident that may be of both sides is left out."""
    extra = more.draw(st.lists(st.integers(0, 100), min_size=len(history), max_size=len(history)))
    for kind in SEQUENTIAL:
        _more_is_no_less(kind, history, extra)


def _more_is_no_less(kind: str, history: Any, extra: list[int]) -> None:
    fewer, worse = bench(kind), bench(kind)
    for at, ((requests, bad, source, sick), added) in enumerate(zip(history, extra, strict=True)):
        # requests of the source that stay away would explain errors of the load balancer
        there = source + (30_000 if kind == "lb_errors" else 0)
        failing = min(sick, there)
        fewer.feed(full_minute(at, requests, bad, there, failing))
        worse.feed(full_minute(at, requests, bad + added, there, failing))
        low, high = fewer.says().signals, worse.says().signals
        assert [one.name for one in low] == [one.name for one in high]
        for less, much in zip(low, high, strict=True):
            assert less.evidence <= much.evidence, kind
        if worse.says().verdict is Verdict.BREACH:
            return


# --- late minutes


def folded(plan: Plan, minutes: Sequence[Minute]) -> evid.Evidence:
    """Minutes folded in their order: some before the first raise, then those of a step at 5 %."""
    evidence = replace(evid.begin(plan), calibration={plan.comparisons[0].id: {"p95": 200}})
    for minute in minutes:
        before = minute.at_ms < START_MS
        one = evid.Folded(minute, 0 if before else 50, 0 if before else START_MS)
        evidence = evid.fold(plan, evidence, one)
    return evidence


def history_of(rows: Any) -> list[Minute]:
    comparison = PLAN.comparisons[0].id
    made = [full_minute(at, 0, 0) for at in range(-BASELINE, 0)]
    made += [full_minute(at, *row) for at, row in enumerate(rows)]
    return [replace(one, comparison=comparison) for one in made]


def unfinished(minute: Minute, part: float) -> Minute:
    """The minute as it was first journalled: some of it published, or nothing of it known."""
    counts: dict[str, Count] = {
        key: Absent.UNKNOWN
        if not part
        else count
        if isinstance(count, Absent)
        else int(count * part)
        for key, count in minute.counts.items()
    }
    return replace(minute, counts=counts)


@given(rows=minutes, luck=st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_late_minutes_in_any_order_judge_like_minutes_in_order(rows: Any, luck: Any) -> None:
    final = history_of(rows)
    parts = luck.draw(
        st.lists(st.sampled_from([0.0, 0.3, 0.9, 1.0]), min_size=len(final), max_size=len(final))
    )
    early = [unfinished(one, part) for one, part in zip(final, parts, strict=True)]
    late = luck.draw(
        st.permutations([one for one, part in zip(final, parts, strict=True) if part < 1])
    )
    evidence = folded(PLAN, early)
    for minute in late:
        evidence = evid.correct(PLAN, evidence, minute)
    assert evidence.memories == folded(PLAN, final).memories


@given(rows=minutes, luck=st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_late_minute_corrected_while_newer_ones_arrive_judges_the_same(
    rows: Any, luck: Any
) -> None:
    """As the machine does: the last five minutes are read again every turn."""
    final, evidence = history_of(rows), folded(PLAN, [])
    owed: list[Minute] = []
    for minute in final:
        part = luck.draw(st.sampled_from([0.0, 0.5, 1.0]))
        before = minute.at_ms < START_MS
        one = evid.Folded(unfinished(minute, part), 0 if before else 50, 0 if before else START_MS)
        evidence = evid.fold(PLAN, evidence, one)
        owed += [minute] if part < 1 else []
        while owed and luck.draw(st.booleans()):
            evidence = evid.correct(PLAN, evidence, owed.pop())
    for minute in owed:
        evidence = evid.correct(PLAN, evidence, minute)
    assert evidence.memories == folded(PLAN, final).memories


# --- crashes and replays


@cache
def ended(seed: int) -> Run:
    """A run with bad minutes; some of them go back."""
    run = Run(
        plan_of(gates=[{"errors": SEQUENTIAL["errors"]}, {"latency": SEQUENTIAL["latency"]}])
    )
    chance = random.Random(seed)
    for minute in range(60):
        rate = 0.05 if chance.random() < 0.03 else chance.choice((0.0, 0.0005, 0.001, 0.002))
        change = {"destination_errors": rate, "source_errors": chance.choice((0.0, 0.0005, 0.002))}
        run.clock.call_in(minute * MINUTE, partial(vars(run.traffic).update, change))
    assert run.run() in (ExitCode.COMPLETED, ExitCode.ROLLED_BACK)
    return run


SEEDS = range(6)


def weighers(state: RunState) -> dict[Any, policy.Memory]:
    """Every memory of the sequential judge."""
    found = {}
    for key, memory in state.evidence.memories.items():
        for name in ("counting", "absolute", "relative"):
            part = getattr(memory, name, None)
            if isinstance(part, policy.Memory):
                found[(*key, name)] = part
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_the_replayed_journal_judges_like_the_run_that_wrote_it(seed: int) -> None:
    run = ended(seed)
    again = replay(run.plan, run.journal.records)
    assert len(weighers(again)) == 3
    assert again.evidence.memories == run.state.evidence.memories
    assert again.verdicts == run.state.verdicts


@given(seed=st.sampled_from(SEEDS), part=st.floats(0, 1))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_journal_split_anywhere_by_a_crash_folds_to_the_same(seed: int, part: float) -> None:
    run = ended(seed)
    records = run.journal.records
    at = round(part * len(records))
    state = replay(run.plan, records[:at])
    for record in records[at:]:
        state = evolve(run.plan, state, record)
    assert state.evidence.memories == run.state.evidence.memories


@pytest.mark.parametrize("at", range(60, 240, 12))
def test_a_run_that_was_killed_and_resumed_spends_alpha_once(at: int) -> None:
    """Whatever record it dies at: no minute is weighed twice, no step begins twice, nothing spent comes back."""
    run = Run(plan_of(gates=[{"errors": SEQUENTIAL["errors"]}]))
    left = [at]

    def reap(_event: ev.Event) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    run.journal.killed_at = reap
    try:
        run.run()
    except Killed:
        before = weighers(replay(run.plan, run.journal.records))
        assert run.run(CommandName.RESUME) == ExitCode.COMPLETED
    else:
        before = weighers(run.state)
    state = replay(run.plan, run.journal.records)
    ((key, memory),) = weighers(state).items()
    assert memory.weigher.unspent <= before[key].weigher.unspent
    assert memory.weigher.begun == {50, 500, 1000} >= before[key].weigher.begun
    judged = {
        event.at_ms
        for event in run.events(ev.MinuteSettled)
        if isinstance(ev.minute_of(event).counts["destination.requests"], int)
    }
    once = (1 - 1 / run.plan.horizon) ** len(judged)
    assert memory.weigher.unspent == pytest.approx(once)
