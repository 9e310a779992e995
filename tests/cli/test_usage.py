"""What a stranger tries first, and what a wrong command line says."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import jsonschema
import pytest

from cutover.cli import COMMANDS, plans
from cutover.cli.console import Frame
from cutover.core.errors import EXIT_CODE_MEANING, ExitCode
from tests import generate_exit_codes
from tests.cli.command import called, on_terminal, schemas


def cutover(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cutover", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, **more)  # type: ignore[call-overload, no-any-return]


def test_help_lists_every_command_with_one_line() -> None:
    shown = called("--help")
    assert shown.code == 0
    for name, (_, line) in COMMANDS.items():
        assert f"  {name}" in shown.out
        assert line.split()[0] in shown.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_has_its_own_help(name: str) -> None:
    shown = called(name, "--help")
    assert shown.code == 0
    assert shown.out.startswith(f"Usage: cutover {name}")


def test_a_misspelt_command_names_the_one_that_was_meant() -> None:
    shown = called("rolback")
    assert shown.code == 2
    assert "there is no command 'rolback'; did you mean rollback" in shown.err


def test_a_command_without_its_plan_is_a_usage_error_that_names_the_help() -> None:
    shown = called("run")
    assert shown.code == 2
    assert "error: Missing argument 'PLAN'." in shown.err
    assert "hint: `cutover run --help`" in shown.err


def test_an_unknown_option_is_a_usage_error() -> None:
    assert called("status", "--jsn").code == 2


def test_a_usage_error_with_json_is_an_object_too() -> None:
    assert called("status", "--json", "nope").object["exit_code"] == 2


def test_no_arguments_show_the_help_and_are_a_usage_error() -> None:
    shown = called()
    assert shown.code == 2
    assert "Commands:" in shown.err


def test_abort_is_rollback_the_panic_word_is_the_safe_word() -> None:
    assert COMMANDS["abort"][0] == COMMANDS["rollback"][0]


def test_version_says_which_journals_it_reads() -> None:
    assert called("version").out.startswith("cutover ")
    assert called("--version").out == called("version").out
    assert called("version", "--json").object["journal"] >= 1


def test_the_module_and_the_entry_point_are_the_same_command() -> None:
    script = Path(sys.executable).with_name("cutover")
    by_name = subprocess.run([script, "version"], capture_output=True, text=True, check=False)
    assert by_name.stdout == cutover("version").stdout
    assert by_name.returncode == 0


def test_a_closed_stdout_is_no_bug() -> None:
    shown = subprocess.run(
        ["/bin/sh", "-c", f"exec '{sys.executable}' -m cutover version >&-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in shown.stderr
    assert shown.returncode == 0


ROOT = Path(__file__).resolve().parents[2]
FULL = (
    "version",
    "schema",
    "--help",
    "judge --help",
    "list --json",
    "validate plans/judge.yaml",
    "plan --offline plans/judge.yaml",
    "schedule --budget harmed_requests=500 --rate 6000/min",
    "judge --plan plans/judge.yaml --csv plans/samples/tiny.csv",
    "judge --plan plans/judge.yaml --csv plans/samples/tiny.csv --json",
    "backtest plans/judge.yaml --csv plans/samples/two-days.csv",
    "rehearse plans/checkout.yaml --scenario write-denied",
)


@pytest.mark.parametrize("command", FULL)
def test_an_output_without_room_is_one_message_and_no_bug(command: str) -> None:
    if command == "list --json":
        called("rehearse", ROOT / "plans/checkout.yaml", "--scenario", "write-denied")
        command = "list --rehearsals --json"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        shown = subprocess.run(
            [sys.executable, "-m", "cutover", *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=ROOT,
        )
    assert shown.returncode == ExitCode.REFUSED
    assert shown.stderr.count("error: ") == 1
    assert "error: standard output: No space left on device" in shown.stderr
    assert "hint: run it again with a place that has room" in shown.stderr
    assert "bug" not in shown.stderr


def test_an_output_that_cannot_be_written_is_said() -> None:
    with Path(os.devnull).open(encoding="utf-8") as read_only:
        shown = subprocess.run(
            [sys.executable, "-m", "cutover", "version"],
            stdout=read_only,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert shown.returncode == ExitCode.REFUSED
    assert "error: standard output: Bad file descriptor" in shown.stderr


def test_a_mistake_keeps_its_code_when_the_output_has_no_room() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        shown = subprocess.run(
            [sys.executable, "-m", "cutover", "status", "--json", "nope"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert shown.returncode == ExitCode.USAGE


@pytest.mark.parametrize("command", ["schema", "--help", "judge --help", "schedule --help"])
def test_a_reader_that_closes_the_pipe_changes_nothing_about_the_end(command: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cutover", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(240) == 0


def test_characters_that_the_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    plan = tmp_path / "plan-\u30c1\u30a7.yaml"
    plan.write_text("version: 1\n", encoding="utf-8")
    shown = cutover("validate", str(plan), env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert shown.returncode == 2
    assert "\\u30c1" in shown.stderr


def test_a_terminal_of_60_columns_is_not_overrun(minimal: Path) -> None:
    shown = cutover("plan", "--offline", str(minimal), env={**os.environ, "COLUMNS": "60"})
    assert shown.returncode == 0
    assert max(len(line) for line in shown.stdout.splitlines()) <= 60


def test_how_to_mend_a_mistake_fits_a_terminal_too(
    tmp_path: Path, minimal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("nonsense,minute\n1,2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    shown = on_terminal("judge", "--plan", minimal, "--csv", "t.csv")
    assert "      = columns are: minute, step," in shown
    assert max(map(len, shown.splitlines())) <= 60


def test_the_question_of_run_is_refused_without_a_terminal_and_names_the_flag(
    minimal: Path,
) -> None:
    shown = cutover("run", str(minimal), stdin=subprocess.DEVNULL)
    assert shown.returncode == 2
    assert "hint: --yes" in shown.stderr


def test_a_wrong_name_at_the_question_starts_nothing(minimal: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"maximal\n")
    shown = cutover("run", str(minimal), stdin=theirs)
    os.close(theirs)
    os.close(ours)
    assert shown.returncode == 2
    assert "not the plan's name" in shown.stderr
    assert not (tmp_path / "state").exists()


def test_every_exit_code_has_one_meaning_and_stands_on_the_page() -> None:
    assert set(EXIT_CODE_MEANING) == set(ExitCode)
    for code in ExitCode:
        assert f"| {int(code)} | " in generate_exit_codes.page()


def test_the_page_of_exit_codes_is_fresh() -> None:
    shown = generate_exit_codes.PAGE.read_text(encoding="utf-8")
    assert shown == generate_exit_codes.page()


def test_every_shipped_schema_is_a_schema_and_names_its_output() -> None:
    for name, schema in schemas().items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["properties"]["schema"]["const"] == name


def test_a_schema_that_is_not_there_names_those_that_are() -> None:
    assert "status" in called("schema", "nope").err
    assert '"title": "cutover.status.v1"' in called("schema", "status").out


def test_a_schema_is_found_by_the_name_that_an_output_calls_itself(minimal: Path) -> None:
    given = called("plan", "--offline", minimal, "--json").object
    assert f'"title": "{given["schema"]}"' in called("schema", given["schema"]).out


@click.command()
@click.argument("how")
@click.pass_obj
def breaks(frame: Frame, how: str) -> int:
    """A command that fails in a way that click takes for something else."""
    if how == "leaves":
        sys.exit(0)
    raise BrokenPipeError(errno.EPIPE, "a socket, not our output")


@pytest.mark.parametrize("how", ["leaves", "breaks"])
def test_a_broken_pipe_or_an_exit_inside_a_command_never_looks_like_success(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "breaks", ("plans:breaks", "Fails."))
    monkeypatch.setattr(plans, "breaks", breaks, raising=False)
    shown = called("breaks", how)
    assert shown.code == ExitCode.BUG
    assert "a bug in cutover" in shown.err
