"""The benchmark as a whole, on a slice of it: real judges, tables, targets, page and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.gating import page, pictures, race, tables
from benchmarks.gating.cells import (
    ALONE,
    OURS,
    SIMPLE,
    Cell,
    Key,
    Outcomes,
    as_json,
    cells,
    measure,
    of_json,
    variants,
)
from benchmarks.gating.peers import PEERS
from benchmarks.gating.product import VARIANTS, Product
from benchmarks.gating.results import Outcome, median_delay
from benchmarks.gating.scenarios import RATES, SCENARIOS, Kind, of_kind, rates_of
from benchmarks.gating.targets import all_targets, trusted_peers, worst_false
from benchmarks.gating.world import World
from cutover.core.plan import Plan


def outcome(
    back: float | None = None, onset: float | None = 0.0, harm: float = 0.0, best: float = 2.0
) -> Outcome:
    return Outcome(
        back=back,
        cause="breach" if back is not None else "",
        ended=back or 60.0,
        onset=onset,
        harm=harm,
        finished=back is None,
        proof=back,
        proof_harm=harm,
        best=best,
    )


def made_up(ours: Outcome, theirs: Outcome, healthy: Outcome | None = None) -> dict[Key, Outcomes]:
    """Every scenario, with one made-up outcome a judge, ten times."""
    quiet = healthy or outcome(None, None)
    found: dict[Key, Outcomes] = {}
    for scenario in SCENARIOS.values():
        defect = scenario.kind is Kind.DEFECT
        for rate in rates_of(scenario):
            cell: dict[str, list[Outcome]] = {
                name: [theirs if defect else quiet] * 10 for name in PEERS
            }
            for name in variants(scenario):
                cell[name] = [ours if defect else quiet] * 10
            found[scenario.name, rate] = cell
    return found


def missed(found: Mapping[Key, Outcomes]) -> set[str]:
    return {target.group for target in all_targets(found) if not target.met}


def test_a_judge_twice_as_good_and_never_wrong_meets_every_target() -> None:
    found = made_up(outcome(3.0, harm=50.0), outcome(9.0, harm=100.0))
    targets = all_targets(found)
    assert missed(found) == set()
    assert {target.group for target in targets} == {"false rollbacks", "harm", "delay", "100 %"}
    assert len(targets) == 11 + 1 + 22 + 22 + 2


def test_each_target_can_be_missed() -> None:
    peer = outcome(9.0, harm=100.0)
    assert missed(made_up(outcome(3.0, harm=51.0), peer)) == {"harm"}
    assert missed(made_up(outcome(3.1, harm=50.0), peer)) == {"delay"}
    assert missed(made_up(outcome(None, harm=50.0), peer)) == {"delay"}
    wrong = made_up(outcome(3.0, harm=50.0), peer)
    wrong["burst", 100.0] = {**wrong["burst", 100.0], OURS: [outcome(9.0)] * 10}
    assert missed(wrong) == {"false rollbacks"}
    late = made_up(outcome(3.0, harm=50.0), peer)
    gate = [outcome(3.0, harm=20.0)] * 10
    late["last5", 100.0] = {**late["last5", 100.0], ALONE: gate}
    assert missed(late) == {"100 %"}


@pytest.mark.parametrize(
    ("wrong", "runs", "met"),
    [(1, 10, True), (2, 40, True), (3, 40, False), (4, 400, True), (5, 400, False)],
)
def test_few_runs_are_forgiven_what_chance_explains_and_400_are_not(
    wrong: int, runs: int, met: bool
) -> None:
    found = made_up(outcome(3.0, harm=50.0), outcome(9.0, harm=100.0))
    some = [outcome(9.0)] * wrong + [outcome(None, None)] * (runs - wrong)
    found["noisy", 5.0] = {**found["noisy", 5.0], OURS: some}
    cell = next(target for target in all_targets(found) if target.what.startswith("noisy"))
    assert cell.met is met
    assert f"{wrong} of {runs}" in cell.figure


def test_a_peer_within_a_minute_of_the_limit_need_only_be_matched() -> None:
    assert missed(made_up(outcome(3.0, harm=109.0), outcome(3.0, harm=100.0))) == set()
    assert missed(made_up(outcome(3.0, harm=111.0), outcome(3.0, harm=100.0))) == {"harm"}


def test_a_peer_that_rolls_back_healthy_cutovers_is_nobody_s_measure() -> None:
    found = made_up(outcome(3.0, harm=50.0), outcome(9.0, harm=100.0))
    noisy = dict(found["gap", 5.0])
    noisy["argo-1m"] = [outcome(9.0, None)] * 4 + [outcome(None, None)] * 6
    noisy["argo-5m"] = [outcome(9.0, None)] * 2 + [outcome(None, None)] * 8
    found["gap", 5.0] = noisy
    assert worst_false(found, "argo-1m") == 0.4
    assert "argo-1m" not in trusted_peers(found)
    assert "argo-5m" in trusted_peers(found)  # 2 of 10 may be chance: a peer in doubt counts


def test_when_every_peer_is_bad_the_least_bad_ones_are_the_measure() -> None:
    found = made_up(outcome(3.0, harm=51.0), outcome(9.0, harm=100.0))
    bad = {name: [outcome(9.0, None)] * 10 for name in PEERS}
    least = {"flagger-10": [outcome(9.0, None)] * 8 + [outcome(None, None)] * 2}
    found["null", 5.0] = {**found["null", 5.0], **bad, **least}
    assert trusted_peers(found) == ["flagger-10"]
    assert missed(found) == {"harm"}


def test_what_is_counted_apart_is_no_false_rollback() -> None:
    found = made_up(outcome(3.0, harm=50.0), outcome(9.0, harm=100.0))
    for name in ("both5<5m", "both40<5m"):
        found[name, 100.0] = {**found[name, 100.0], OURS: [outcome(3.0)] * 10}
    assert missed(found) == set()


def test_a_rollback_before_the_defect_is_no_detection() -> None:
    early = [outcome(2.0, onset=30.0), outcome(33.0, onset=30.0), outcome(None, onset=30.0)]
    assert early[0].delay is None
    assert median_delay(early[:2]) == 3.0


def test_the_benchmark_covers_what_the_issue_names_at_three_rates() -> None:
    work = cells(40, 1)
    assert {cell.rate for cell in work if cell.scenario == "null"} == set(RATES)
    assert {cell.runs for cell in work if cell.scenario == "cv4"} == {10}
    assert len(of_kind(Kind.HEALTHY)) == 11
    assert len(of_kind(Kind.DEFECT)) == 11


def test_the_product_is_judged_with_its_default_judge_and_its_own_plan() -> None:
    plan = VARIANTS[0].plan()
    assert plan.observe == Plan.model_fields["observe"].default
    judges = [gate.spec.judge for gate in plan.gates if gate.kind in ("errors", "latency")]
    assert judges == ["sequential"] * 3
    simple = next(variant for variant in VARIANTS if variant.name == SIMPLE).plan()
    assert [g.spec.judge for g in simple.gates if g.kind != "healthy"] == ["threshold"] * 3


def test_a_healthy_cutover_ends_and_a_bad_one_goes_back() -> None:
    product = Product(VARIANTS[0])
    healthy = product.run(World(SCENARIOS["null"], 100.0, 0))
    assert healthy.finished
    assert healthy.harm == 0.0
    bad = product.run(World(SCENARIOS["err50"], 100.0, 0))
    assert bad.cause == "breach"
    assert bad.delay is not None
    assert 1.0 < bad.delay < 6.0
    assert bad.harm > 0.0


def test_two_runs_of_a_cell_are_the_same_for_ever() -> None:
    cell = Cell("capacity", 100.0, 2, seed=1)
    (key, first), (_, second) = measure(cell), measure(cell)
    assert first == second
    assert set(first) == {OURS, SIMPLE, *PEERS}
    kept = of_json(json.loads(json.dumps(as_json({key: first}))))
    assert kept == {key: first}
    assert tables.printed(kept)


def test_every_judge_stands_in_the_same_weather() -> None:
    world = World(SCENARIOS["err5"], 100.0, 0)
    alone = race.run(world, {"cw": PEERS["cw-alarm 2of3"]()})
    beside = race.run(
        World(SCENARIOS["err5"], 100.0, 0), {name: make() for name, make in PEERS.items()}
    )
    Product(VARIANTS[0]).run(world)
    after = race.run(world, {"cw": PEERS["cw-alarm 2of3"]()})
    assert alone["cw"] == beside["cw-alarm 2of3"] == after["cw"]


@pytest.mark.slow
def test_the_pictures_and_the_page_are_the_same_every_time(tmp_path: Path) -> None:
    found = made_up(outcome(3.0, harm=50.0), outcome(9.0, harm=100.0))
    for turn in ("a", "b"):
        pictures.draw(found, tmp_path / turn)
    names = sorted(one.name for one in (tmp_path / "a").iterdir())
    assert names == sorted(f"{name}.{kind}" for name in pictures.NAMES for kind in ("png", "svg"))
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_page_keeps_what_people_wrote_around_the_measured_part(tmp_path: Path) -> None:
    found = made_up(outcome(3.0, harm=50.0), outcome(9.0, harm=100.0))
    written = tmp_path / "judge.md"
    written.write_text("# The judge\n\nBy hand.\n", encoding="utf-8")
    page.write(found, all_targets(found), 10, 1, written)
    once = written.read_text(encoding="utf-8")
    written.write_text(once + "\nMore by hand.\n", encoding="utf-8")
    page.write(found, all_targets(found), 10, 1, written)
    twice = written.read_text(encoding="utf-8")
    assert twice == once + "\nMore by hand.\n"
    assert "By hand." in twice
    assert f"**{OURS}**" in twice
