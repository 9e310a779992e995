"""`make prove`: one line for each kind, and a last one that counts them and decides the exit code."""

from __future__ import annotations

import pytest

from tests import prove
from tests.proofs import crashes
from tests.prove import FAKES, KINDS, SHARES, Count, main, seeds, total


def test_the_last_line_counts_all_kinds() -> None:
    counts = [Count(states=300_000, violations=1), Count(runs=1_000), Count(runs=9, kills=20)]
    assert total(counts).on_record() == "300,000 states, 1,009 runs, 20 kills, 1 violations"


def test_every_kind_has_a_share_but_the_one_that_counts_its_runs() -> None:
    timed = set(SHARES) - {"fakes"} | set(FAKES)
    assert set(KINDS) == timed | {"null"}
    assert sum(SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize(("kind", "runs"), [("walks", 1), ("crashes", 1), ("journals", 0)])
def test_without_a_budget_one_seed_is_proved(
    kind: str, runs: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--only", kind, "--budget", "0", "--seed", "4"]) == 0
    first, last = capfd.readouterr().out.splitlines()
    assert first.startswith(f"{kind}: seeds 4 to 4, 1 {FAKES[kind]}, 0 violations; 1 ")
    assert last == f"0 states, {runs} runs, 0 kills, 0 violations"


def test_a_seed_that_breaks_a_promise_is_named_with_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(seed: int) -> str:
        raise AssertionError(f"seed {seed}: P1: it did not converge")

    monkeypatch.setattr(crashes, "life", broken)
    assert seeds("crashes", 7, 0).violations == 1
    failed, again, told = capsys.readouterr().out.splitlines()
    assert failed.startswith("FAILED crashes, commit ")
    assert failed.endswith(": seed 7: P1: it did not converge")
    assert again == "again: python -m tests.prove --only crashes --budget 0 --seed 7"
    assert told.startswith("crashes: seeds 7 to 7, 1 lives, 1 violations")


def test_a_violation_of_any_kind_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prove, "swarmed", lambda _seconds, _seed: Count(runs=3, violations=2))
    assert main(["--only", "swarm", "--budget", "0"]) == 1
    assert capsys.readouterr().out == "0 states, 3 runs, 0 kills, 2 violations\n"


def test_what_one_kind_leaves_over_is_shared_by_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[float] = []

    def kind(seconds: float, *_more: object) -> Count:
        given.append(seconds)
        return Count()

    for name in ("explorer", "swarmed", "on_fakes", "killed"):
        monkeypatch.setattr(prove, name, kind)
    prove.within(1_000, 0, set(KINDS))
    assert given == pytest.approx([350, 1_000 * 0.25 / 0.65, 1_000 * 0.15 / 0.4, 1_000], abs=1)
