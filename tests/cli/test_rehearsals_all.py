"""`rehearse --all`: a line as each scenario ends, one table, and what to do about those that need a look."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from cutover.app import scenarios
from tests.cli.command import called, on_terminal
from tests.emulator.fresh import fresh_plan

SOME = {
    "a-good-day": "expect: {outcome: completed}\n",
    "never-comes": "effects: [{when: {step: 9}, errors: 5%}]\nexpect: {outcome: completed}\n",
    "not-for-it": "needs: {gates: [alarm]}\nexpect: {outcome: rolled_back}\n",
    "slips-through": "effects: [{when: {way: 50%}, errors: 0.1%}]\ncaught_by: [alarm]\nexpect: {outcome: rolled_back}\n",
    "too-strict": "expect: {outcome: completed, writes_at_most: 1}\n",
}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "my plan.yaml"
    path.write_text(fresh_plan((10, 100)))
    return path


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few scenarios in place of those that ship."""
    place = tmp_path / "scenarios"
    place.mkdir()
    for name, text in SOME.items():
        (place / f"{name}.yaml").write_text(f"description: a test\n{text}")
    monkeypatch.setattr(scenarios, "scenarios_directory", lambda: place)
    return place


@pytest.mark.slow
def test_every_scenario_gets_one_of_the_verdicts_and_a_line_as_it_ends(
    plan: Path, shipped: Path
) -> None:
    shown = called("rehearse", plan, "--all", "--seed", 2)
    assert shown.code == 9
    assert shown.err == ""
    lines = shown.out.splitlines()
    ended = lines[: len(SOME)]
    assert [line.split()[0] for line in ended] == ["1/5", "2/5", "3/5", "4/5", "5/5"]
    assert ended[0] == "1/5 not-for-it: does not apply: needs an `alarm` gate"
    assert {line.split()[1].rstrip(":") for line in ended} == set(SOME)
    table = {line.split()[0]: line for line in lines[6:11]}
    assert table["a-good-day"].endswith(" ok")
    assert table["never-comes"].endswith(" NOT REACHED")
    assert table["not-for-it"].endswith(" -")
    assert table["slips-through"].endswith(" LET THROUGH")
    assert table["too-strict"].endswith(" OTHERWISE")
    for name in ("never-comes", "slips-through", "too-strict"):
        assert (
            f"  again: cutover rehearse {shlex.quote(str(plan))} --scenario {name} --seed 2"
            in lines
        )
    assert not any("again: " in line and "a-good-day" in line for line in lines)
    assert "an `alarm` gate is there to catch this, and the plan has none" in shown.out


@pytest.mark.slow
def test_what_does_not_apply_is_no_failure_and_every_object_has_its_verdict(
    plan: Path, shipped: Path
) -> None:
    for name in ("never-comes", "slips-through", "too-strict"):
        (shipped / f"{name}.yaml").unlink()
    shown = called("rehearse", plan, "--all", "--json")
    assert shown.code == 0
    assert {one["scenario"]: one["verdict"] for one in shown.objects} == {
        "a-good-day": "as_expected",
        "not-for-it": "does_not_apply",
    }
    assert "2/2 a-good-day: as expected, completed at most at 100 %" in shown.err


@pytest.mark.slow
def test_a_person_at_a_terminal_sees_how_many_are_left(plan: Path, shipped: Path) -> None:
    assert "4 of 5 scenarios are still rehearsed" in on_terminal("rehearse", plan, "--all")
