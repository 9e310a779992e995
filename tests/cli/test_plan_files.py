"""Plan files at the command line: positions, all errors at once, and nothing left behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cutover.cli.plans import output_schemas
from tests.cli.command import called


@pytest.fixture
def wrong(tmp_path: Path, minimal: Path) -> Path:
    """A plan with two errors."""
    text = minimal.read_text(encoding="utf-8").replace("version: 1", "version: 7")
    plan = tmp_path / "bad.yaml"
    plan.write_text(text + "stepz: []\n", encoding="utf-8")
    return plan


def test_a_sound_plan_is_said_to_be_sound(checkout: Path) -> None:
    shown = called("validate", checkout)
    assert shown.code == 0
    assert "ok: checkout, 2 routes, 7 steps" in shown.out


def test_two_errors_are_shown_at_once_with_their_positions(wrong: Path) -> None:
    shown = called("validate", wrong)
    assert shown.code == 2
    assert shown.out == ""
    places = [line for line in shown.err.splitlines() if ": error: " in line]
    assert [place.startswith(f"{wrong}:") for place in places] == [True, True]
    assert "stepz" in shown.err


def test_errors_are_json_with_the_same_positions(wrong: Path) -> None:
    found = called("validate", wrong, "--json").object
    assert found["exit_code"] == 2
    assert [problem["severity"] for problem in found["problems"]] == ["error", "error"]
    places = [(one["line"], one["column"]) for one in found["problems"]]
    assert places == sorted(places)


@pytest.mark.parametrize("command", ["run", "plan", "preflight", "rehearse"])
def test_no_command_goes_on_with_a_wrong_plan_or_writes_anything(
    command: str, wrong: Path, tmp_path: Path
) -> None:
    shown = called(command, wrong, *(["--yes"] if command == "run" else []))
    assert shown.code == 2
    assert not (tmp_path / "state").exists()


def test_a_missing_file_and_a_directory_are_usage_errors(tmp_path: Path) -> None:
    assert called("validate", tmp_path / "none.yaml").code == 2
    shown = called("run", tmp_path, "--yes")
    assert shown.code == 2
    assert "directory" in shown.err


def test_strict_makes_warnings_errors(minimal: Path) -> None:
    assert called("validate", minimal).code == 0
    assert called("validate", minimal, "--strict").code == 2


def test_warnings_are_in_the_json_of_a_sound_plan(minimal: Path) -> None:
    found = called("validate", minimal, "--json").object
    assert found["plan"] == "minimal"
    assert found["warnings"]


def test_the_schema_of_plans_is_json() -> None:
    assert json.loads(called("schema").out)["title"] == "cutover plan"


def test_a_preview_without_aws_shows_timeline_and_defaults(minimal: Path) -> None:
    shown = called("plan", "--offline", minimal)
    assert shown.code == 0
    assert "timeline" in shown.out
    assert "safety.hold_timeout" in shown.out
    assert called("plan", "--offline", minimal, "--json").object["steps"][0]["weight_percent"] == 5


def test_a_preview_without_credentials_ends_with_8_and_names_what_needs_none(
    minimal: Path,
) -> None:
    shown = called("plan", minimal)
    assert shown.code == 8
    assert "--offline" in shown.err


def test_preflight_without_credentials_ends_with_8(minimal: Path) -> None:
    assert called("preflight", minimal, "--json").object["exit_code"] == 8


def test_a_region_that_is_not_the_plans_is_refused(minimal: Path) -> None:
    shown = called("preflight", minimal, "--region", "eu-west-1")
    assert shown.code == 2
    assert "ap-northeast-1" in shown.err


def test_an_endpoint_that_is_neither_aws_nor_this_machine_is_refused(
    minimal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://example.com")
    assert called("run", minimal, "--yes").code == 7


def test_a_number_of_percent_is_called_so_in_every_schema_and_no_other_unit_of_weights_is_left() -> (
    None
):
    for name, text in output_schemas().items():
        assert "mille" not in text, name
        for said in re.findall(r'"(\w*(?:weight|hold_back|share)\w*)"', text):
            assert said.endswith("_percent"), (name, said)


def test_warnings_are_said_by_validate_and_run_and_only_counted_by_who_looks(
    minimal: Path,
) -> None:
    assert "warning: no `gates`" in called("validate", minimal).err
    looked = called("plan", "--offline", minimal)
    assert looked.err.splitlines() == [
        f"note: {minimal}: 1 warning about the plan, `cutover validate {minimal}` shows what"
    ]
    assert called("run", minimal).err.count("warning:") == 1
