"""The line of each minute, and where each gate stands by the journal and the evidence folded from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.core.gates.api import Counts, Signal, Verdict
from cutover.core.messages import LiveVerdict, ahead, minute_line, standings
from cutover.core.observation import CommandName
from cutover.core.state import RunState, replay
from cutover.core.state.gate_context import health_said
from cutover.core.values import MINUTE
from tests.fakes import START, Bench, plan_of


@pytest.fixture(scope="module")
def baking() -> tuple[Bench, RunState]:
    """Six minutes into the bake at 50 %."""
    bench = Bench(plan_of())
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=15), 11 * MINUTE)
    bench.run()
    records = bench.journal.records
    last = max(n for n, record in enumerate(records) if record.event.type == "command")
    return bench, replay(bench.plan, records[:last])


def errors(verdict: Verdict, evidence: float = 0.4) -> LiveVerdict:
    signal = Signal("errors", evidence, 200.0, Counts(1740, 2), 2000, 0, 5200)
    return LiveVerdict("errors", "comparison", verdict, "", (signal,))


def test_a_gate_that_weighs_minutes_stands_with_its_live_evidence(
    baking: tuple[Bench, RunState],
) -> None:
    bench, state = baking
    found = {one.gate: one for one in standings(bench.plan, state)}
    (signal,) = found["errors"].signals
    assert signal.counts.total > 0
    assert signal.evidence < signal.needed
    assert f"{signal.counts.total:,} requests failed" in found["errors"].why
    assert found["healthy"].verdict is Verdict.PASS
    assert found["healthy"].signals == ()


def test_the_same_journal_gives_the_same_standings(baking: tuple[Bench, RunState]) -> None:
    bench, state = baking
    again = replay(bench.plan, bench.journal.records)
    assert standings(bench.plan, state) == standings(
        bench.plan, replay(bench.plan, bench.journal.records[: state.seq])
    )
    assert again.seq > state.seq


def test_before_any_record_every_gate_waits() -> None:
    plan = plan_of()
    assert {one.verdict for one in standings(plan, RunState())} == {Verdict.WAITING}


def test_the_line_says_step_counts_allowed_evidence_and_when_it_advances(
    baking: tuple[Bench, RunState],
) -> None:
    bench, state = baking
    found = [errors(Verdict.PASS), LiveVerdict("latency", "comparison", Verdict.PASS, "")]
    assert minute_line(bench.plan, state, 6 * MINUTE, found) == (
        "50 % step 6 of 10 min | errors 2 of 1,740, allowed 0.20 %, evidence 0.4 of 200 | latency ok | "
        "at most 0.52 % failing (95 %) -> advances in 4 min"
    )


def test_a_gate_that_does_not_pass_is_named_as_what_the_step_waits_for(
    baking: tuple[Bench, RunState],
) -> None:
    bench, state = baking
    waiting = errors(Verdict.WAITING, evidence=23.0)
    line = minute_line(bench.plan, state, 12 * MINUTE, [waiting])
    assert "errors WAITING 2 of 1,740, allowed 0.20 %, evidence 23 of 200" in line
    assert line.endswith("-> waits for errors")


def test_a_bake_that_is_over_advances_now_and_the_last_one_completes(
    baking: tuple[Bench, RunState],
) -> None:
    bench, state = baking
    passing = [errors(Verdict.PASS)]
    assert ahead(bench.plan, state, 10 * MINUTE, passing) == "advances now"
    last = replace(state, step=len(bench.plan.steps) - 1)
    assert ahead(bench.plan, last, 9 * MINUTE + 1, passing) == "completes in 1 min"


def test_a_step_that_needs_approval_asks_for_it(baking: tuple[Bench, RunState]) -> None:
    plan = plan_of(
        steps=[
            {"weight": 5, "bake": "10m"},
            {"weight": 50, "bake": "10m"},
            {"weight": 100, "bake": "10m", "approve": "load test"},
        ]
    )
    _, state = baking
    assert ahead(plan, state, 0, [errors(Verdict.PASS)]) == "asks for approval in 10 min"


def test_targets_that_nobody_could_count_are_not_taken_for_none() -> None:
    state = RunState(observed={"health": {"eks": "3/4", "ec2": "?/4"}})
    assert set(health_said(state, START)) == {"eks"}
