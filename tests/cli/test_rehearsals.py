"""`rehearse`: the main job without AWS, and what its exit code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.local.state_directory import StateDirectory
from tests.cli.command import called, on_terminal

SHORT = "description: as it comes\nexpect: {{outcome: {outcome}}}\n"


def test_the_scenarios_are_listed_with_what_they_are() -> None:
    listed = called("rehearse", "--list", "--json")
    assert listed.code == 0
    names = [one["name"] for one in listed.objects]
    assert {"healthy", "error-burst"} <= set(names)
    assert len(names) >= 14
    assert all(one["description"] for one in listed.objects)


@pytest.mark.parametrize("width", [60, 120])
def test_the_list_of_scenarios_fits_a_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = on_terminal("rehearse", "--list").splitlines()
    assert max(map(len, lines)) <= width
    assert "healthy" in {line.split()[0] for line in lines}
    assert "Everything goes well" in " ".join(" ".join(lines).split())


def test_a_rehearsal_needs_a_plan_and_says_which() -> None:
    shown = called("rehearse")
    assert shown.code == 2
    assert "plans/checkout.yaml" in shown.err


def test_options_that_cannot_go_together_are_refused(minimal: Path) -> None:
    assert called("rehearse", minimal, "--all", "--scenario", "healthy").code == 2
    for speed in ("0", "1e-300", "nan", "-1", "0.001"):
        shown = called("rehearse", minimal, "--speed", speed)
        assert shown.code == 2
        assert "--speed" in shown.err


def test_a_scenario_that_is_not_there_names_the_list(minimal: Path) -> None:
    shown = called("rehearse", minimal, "--scenario", "no-such")
    assert shown.code == 2
    assert "--list" in shown.err


def test_a_wrong_scenario_file_is_refused_with_positions(minimal: Path, tmp_path: Path) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text("descriptio: oops\n")
    shown = called("rehearse", minimal, "--scenario", scenario)
    assert shown.code == 2
    assert f"{scenario}:1:1: error: " in shown.err


@pytest.mark.slow
def test_a_healthy_rehearsal_ends_as_expected_and_is_no_live_run(
    minimal: Path, place: StateDirectory
) -> None:
    shown = called("rehearse", minimal, "--json")
    assert shown.code == 0
    end = shown.objects[-1]
    assert (end["outcome"], end["as_expected"], end["harmed"]) == ("completed", True, 0)
    assert shown.objects[0]["type"] == "run_open"
    assert "no live run" in called("status").out
    (run,) = place.list_runs(rehearsals=True)
    assert called("journal", "replay", run.id).code == 0
    assert called("pause", run.id).code == 2
    stands = called("status", run.id).out
    assert "begun     2026-03-03 00:30:00Z (emulated time)" in stands
    # typed after a rehearsal, it would find the live run of this machine
    assert "cutover rollback`" not in stands.split("  next ")[1]
    assert "this was a rehearsal" in called("status", run.id, "--json").object["next"]


BURST = """description: errors from the first step on
compare: {compare}
effects: [{{when: {{step: 1, after: 2m}}, errors: 20%}}]
expect: {{outcome: rolled_back}}
"""


@pytest.mark.slow
def test_a_rehearsal_says_how_many_requests_each_judge_harmed(
    minimal: Path, tmp_path: Path
) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(BURST.format(compare="true"))
    end = called("rehearse", minimal, "--scenario", scenario, "--json").objects[-1]
    assert (end["judge"], end["compared"]["judge"]) == ("sequential", "threshold")
    assert end["harmed"] > 0
    assert end["compared"]["harmed"] > 0
    assert end["compared"]["outcome"] == "rolled_back"
    said = called("rehearse", minimal, "--scenario", scenario).out
    assert f"sequential judge: {end['harmed']:,} harmed requests" in said
    assert f"threshold judge: {end['compared']['harmed']:,} harmed requests" in said


@pytest.mark.slow
def test_a_rehearsal_that_went_back_is_no_answer_to_a_rollback(
    minimal: Path, tmp_path: Path, place: StateDirectory
) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(BURST.format(compare="false"))
    called("rehearse", minimal, "--scenario", scenario)
    (run,) = place.list_runs(rehearsals=True)
    shown = called("rollback", run.id)
    assert shown.code == 2
    assert "is a rehearsal" in shown.err
    run.plan.unlink()
    run.journal.write_bytes(b"graffiti\n")
    for asked in (("status",), ("journal", "verify")):
        shown = called(*asked, run.id)
        assert shown.code == 7
        assert "rehearse again" in shown.err
        assert "cutover rollback" not in shown.err
        assert "restore.sh" not in shown.err


@pytest.mark.slow
def test_the_other_judge_is_asked_only_where_it_is_wanted(minimal: Path, tmp_path: Path) -> None:
    scenario = tmp_path / "mine.yaml"
    for compare, option, compared in [
        ("false", "--judges", True),
        ("true", "--no-judges", False),
        ("false", "", False),
    ]:
        scenario.write_text(BURST.format(compare=compare))
        options = [option] if option else []
        end = called("rehearse", minimal, "--scenario", scenario, "--json", *options).objects[-1]
        assert (end["compared"] is not None) == compared


@pytest.mark.slow
def test_a_rehearsal_that_ends_otherwise_than_expected_exits_9_and_says_how(
    minimal: Path, tmp_path: Path
) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(SHORT.format(outcome="rolled_back"))
    shown = called("rehearse", minimal, "--scenario", scenario)
    assert shown.code == 9
    assert "not as scenario mine expects" in shown.err


@pytest.mark.slow
def test_a_scenario_that_expects_nothing_gives_the_runs_own_code(
    minimal: Path, tmp_path: Path
) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(
        "description: rolled back by hand\noperator: [{when: {step: 1, after: 5m}, command: rollback}]\n"
    )
    assert called("rehearse", minimal, "--scenario", scenario).code == 3
