"""A short, seeded slice of each long proof; `make prove` goes on for as long as it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cutover.core.errors import ExitCode
from cutover.core.events import Event, GateJudged, Intent
from tests.fakes import Bench, form, plan_of
from tests.proofs import crashes, fuzzing
from tests.proofs.invariants import broken


@pytest.mark.parametrize("seed", range(12))
def test_a_run_killed_at_random_records_ends_as_one_that_was_not(seed: int) -> None:
    assert crashes.life(seed).split()[0] in ("COMPLETED", "ROLLED_BACK", "REFUSED")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_random_weather_breaks_a_promise(seed: int, tmp_path: Path) -> None:
    assert fuzzing.rehearse(tmp_path, seed)


def test_the_proof_sees_a_raise_without_a_pass() -> None:
    bench = Bench()
    bench.run()
    without = [
        record
        for record in bench.journal.records
        if not (isinstance(record.event, GateJudged) and record.event.verdict == "PASS")
    ]
    assert any("a raise to" in one for one in broken(bench.plan, without, bench.state, 0))


def test_the_proof_sees_a_hand_over_before_the_bake_at_the_sliver_is_over() -> None:
    bench = Bench(plan_of(hold_back="5%"))
    assert bench.run() == ExitCode.COMPLETED
    assert broken(bench.plan, bench.journal.records, bench.state, 0) == []
    longer = {"weight": 100, "bake": "11m"}
    steps = [{"weight": 5, "bake": "10m"}, {"weight": 50, "bake": "10m"}, longer]
    impatient = broken(plan_of(hold_back="5%", steps=steps), bench.journal.records, bench.state, 0)
    assert any("step 2 was passed before its time" in one for one in impatient)
    assert any("a raise to step 3 without the whole bake" in one for one in impatient)


def test_the_proof_sees_a_step_forward_after_a_rollback() -> None:
    bench = Bench()
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.05))
    assert bench.run() == ExitCode.ROLLED_BACK
    forward = Intent(str(bench.plan.routes[0].id), "move", 1, 1, "", _body(), 500, "a bug")
    records = list(bench.journal.records)
    last = records.pop()
    records += [last.__class__(last.seq, 1, last.at, forward)]
    assert any(
        "nothing goes forward" in one for one in broken(bench.plan, records, bench.state, 3)
    )


def test_the_proof_sees_a_wrong_exit_code_and_a_weight_nobody_planned() -> None:
    bench = Bench(found=form(0, attached=False))
    assert bench.run() == ExitCode.COMPLETED
    said = broken(bench.plan, bench.journal.records, bench.state, 3)
    assert said == [
        "the journal closes with 0 in COMPLETED, not 3",
        "ROLLED_BACK is no exit code for COMPLETED",
    ]
    records = [
        record.__class__(record.seq, 1, record.at, _other_weight(record.event))
        for record in bench.journal.records
    ]
    assert any("in neither the plan" in one for one in broken(bench.plan, records, bench.state, 0))


def _body() -> dict[str, str | int | bool]:
    return {"text": "{}", "weight": 500, "attached": True, "source_present": True, "sticky": False}


def _other_weight(event: Event) -> Event:
    if isinstance(event, Intent) and event.weight == 500:
        return replace(event, weight=333)
    return event
