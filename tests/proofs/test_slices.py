"""A short, seeded slice of each long proof; `make prove` goes on for as long as it is told."""

from __future__ import annotations

import random
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal.events import Event, GateJudged, Intent
from tests import records
from tests.fakes import Bench, config, plan_of
from tests.promises.from_records import journal_broken
from tests.proofs import absurd, crashes, healthy, luck, null


@pytest.mark.parametrize("seed", range(12))
def test_a_run_killed_at_random_records_ends_as_one_that_was_not(seed: int) -> None:
    assert crashes.life(seed).split()[0] in ("COMPLETED", "ROLLED_BACK", "REFUSED")


@pytest.mark.parametrize("seed", range(20))
def test_no_absurd_journal_makes_a_reader_fall_over(seed: int, tmp_path: Path) -> None:
    assert absurd.read(tmp_path, seed) in ("intact", "damaged")


@pytest.mark.slow
def test_no_healthy_cutover_of_a_slice_goes_back() -> None:
    """Every kind at every rate, thrice; `make prove` simulates 10,000 and prints the rate."""
    seen = [null.one(seed) for seed in range(3 * len(healthy.KINDS) * len(healthy.RATES))]
    assert {(one.kind, one.rate) for one in seen} == {
        (kind, rate) for kind in range(len(healthy.KINDS)) for rate in healthy.RATES
    }
    assert [one for one in seen if one.back] == []
    assert null.groups(seen)[0].on_record() == (
        "null, all: 0 of 81 healthy cutovers sent back: 0.00 % (95 %: 0.00 to 4.45 %), promised at most 1 %"
    )


@pytest.mark.parametrize("rate", healthy.RATES)
@pytest.mark.parametrize(
    ("sick", "gate"),
    [
        ({"destination": 0.05}, "errors"),
        ({"slower": 0.40}, "latency"),
    ],
)
def test_the_proof_sees_a_destination_that_is_not_healthy(
    rate: int, sick: dict[str, Any], gate: str
) -> None:
    for seed, health in enumerate(one for one in healthy.KINDS if not one.exact):
        assert null.cutover(seed, replace(health, **sick), rate)[0] == gate


@pytest.mark.slow
def test_a_cutover_of_a_seed_is_always_the_same() -> None:
    assert [null.one(seed) for seed in range(5)] == list(null.run(5, processes=2))


def test_the_null_is_as_noisy_as_it_says() -> None:
    """Mean and variation of a side's failures: what the guarantee is about."""
    health = healthy.KINDS[0]
    world = healthy.World(health, 300_000, random.Random(1))
    comparison = null.PLANS[1].comparisons[0]
    rates = []
    for at in range(4_000):
        counts = world.minute(comparison, at, 0.5).counts
        failed, requests = counts["destination.target_5xx"], counts["destination.requests"]
        assert isinstance(requests, int)
        rates.append((failed if isinstance(failed, int) else 0) / requests)
    assert statistics.fmean(rates) == pytest.approx(health.destination, rel=0.05)
    spread = statistics.pstdev(rates) / statistics.fmean(rates)
    assert spread == pytest.approx(health.cv, rel=0.1)


@pytest.mark.parametrize("mean", [0.3, 7.0, 40.0, 12_345.0])
def test_a_poisson_count_has_its_mean_and_variance(mean: float) -> None:
    chance = random.Random(2)
    counts = [luck.poisson(chance, mean) for _ in range(20_000)]
    assert statistics.fmean(counts) == pytest.approx(mean, rel=0.03)
    assert statistics.pvariance(counts) == pytest.approx(mean, rel=0.06)


@pytest.mark.parametrize(
    ("hits", "runs", "low", "high"),
    [
        (0, 10_000, 0.0, 0.000369),
        (5, 100, 0.016432, 0.112835),
        (121, 10_000, 0.010050, 0.014441),
        (3, 3, 0.292402, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_is_the_exact_one(hits: int, runs: int, low: float, high: float) -> None:
    assert luck.clopper_pearson(hits, runs) == pytest.approx((low, high), abs=2e-6)


@pytest.mark.parametrize(("back", "held"), [(0, True), (119, True), (121, False), (300, False)])
def test_the_proof_fails_when_more_than_chance_explains_are_sent_back(
    back: int, held: bool
) -> None:
    assert null.Group("null", 10_000, back, 0).held is held


def test_the_proof_sees_a_raise_without_a_pass() -> None:
    bench = Bench()
    bench.run()
    without = [
        record
        for record in bench.journal.records
        if not (isinstance(record.event, GateJudged) and record.event.verdict == "PASS")
    ]
    assert any(
        one.startswith("P3") and "SHIFTING while nothing was judged" in one
        for one in journal_broken(bench.plan, without, 0)
    )


def test_the_proof_sees_a_hand_over_before_the_bake_at_the_sliver_is_over() -> None:
    bench = Bench(plan_of(hold_back="5%"))
    assert bench.run() == ExitCode.COMPLETED
    assert journal_broken(bench.plan, bench.journal.records, 0) == []
    longer = {"weight": 100, "bake": "11m"}
    steps = [{"weight": 5, "bake": "10m"}, {"weight": 50, "bake": "10m"}, longer]
    impatient = plan_of(hold_back="5%", steps=steps)
    said = journal_broken(impatient, bench.journal.records, 0)
    assert any("SHIFTING when step 3 had 600000 ms of its 660000 ms" in one for one in said)


def test_the_proof_sees_a_step_forward_after_a_rollback() -> None:
    bench = Bench()
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.05))
    assert bench.run() == ExitCode.ROLLED_BACK
    forward = records.intent(str(bench.plan.routes[0].id), "move", 1, 1, "", _body(), 500, "a bug")
    written = list(bench.journal.records)
    last = written.pop()
    written += [last.__class__(last.seq, 1, last.at, forward)]
    said = journal_broken(bench.plan, written, 3)
    assert any("P11" in one and "a move after the rollback began" in one for one in said)


def test_the_proof_sees_a_wrong_exit_code_and_a_weight_nobody_planned() -> None:
    bench = Bench(found=config(0, attached=False))
    assert bench.run() == ExitCode.COMPLETED
    said = journal_broken(bench.plan, bench.journal.records, 3)
    assert said == ["P28: the journal closes with 0, and the process ended with 3"]
    records = [
        record.__class__(record.seq, 1, record.at, _other_weight(record.event))
        for record in bench.journal.records
    ]
    assert any("in neither the plan" in one for one in journal_broken(bench.plan, records, 0))


def _body() -> dict[str, str | int | bool]:
    return {"text": "{}", "weight": 500, "attached": True, "source_present": True, "sticky": False}


def _other_weight(event: Event) -> Event:
    if isinstance(event, Intent) and event.weight == 500:
        return replace(event, weight=333)
    return event
