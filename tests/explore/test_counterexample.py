"""A violation is written, retold, shown by `cutover journal replay`, and played again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.explore.__main__ import main
from tests.explore.search import Violation
from tests.explore.test_search import NO_DRIFT
from tests.promises.catalogue import PROMISES

FIND = ("--config", "small", "--faults", "1", "--find", "--minutes", "1000", "--processes", "1")
BROKEN = "X1: it held for drift"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explored")


@pytest.fixture(scope="module")
def found(place: Path) -> tuple[int, str]:
    """What a search with a promise that drift breaks ends with, and what it says."""
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr(
            "builtins.print", lambda *commands, **_: said.append(" ".join(map(str, commands)))
        )
        code = main([*FIND, "--place", str(place)], (*PROMISES, NO_DRIFT))
    return code, "\n".join(said)


def test_a_violation_is_told_with_the_moves_of_the_environment(found: tuple[int, str]) -> None:
    code, said = found
    assert code == 1
    lines = said.splitlines()
    assert any(line.startswith("violation in small, 1 faults, ") for line in lines)
    assert any("route 1: " in line for line in lines)
    assert lines[-1].endswith(" transitions, 1 violations")
    assert f"{'':15}BROKEN {BROKEN}" in lines
    told = next(number for number, line in enumerate(lines) if "BROKEN" in line)
    assert "HOLDING (drift)" in lines[told - 1]


def test_its_journal_is_shown_by_the_command_that_is_named(
    found: tuple[int, str], place: Path
) -> None:
    named = f"CUTOVER_STATE_DIR={place}/small-1/state cutover journal replay counterexample"
    assert f"its journal: {named}" in found[1].splitlines()
    shown = subprocess.run(
        [sys.executable, "-m", "cutover", "journal", "replay", "counterexample"],
        env={**os.environ, "CUTOVER_STATE_DIR": str(place / "small-1" / "state")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "HOLDING" in shown.stdout


def test_the_moves_are_played_again_and_break_the_same(
    found: tuple[int, str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moves = place / "small-1" / "moves.json"
    assert f"again: python -m tests.explore --replay {moves}" in found[1].splitlines()
    assert main(["--replay", str(moves)], (*PROMISES, NO_DRIFT)) == 1
    assert f"BROKEN {BROKEN}" in capsys.readouterr().out
    assert Violation.read(moves).broken == (BROKEN,)


def test_moves_that_break_nothing_any_more_are_called_so(
    found: tuple[int, str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found[0] == 1
    assert main(["--replay", str(place / "small-1" / "moves.json")]) == 0
    assert "BROKEN" not in (said := capsys.readouterr().out)
    assert said.splitlines()[-1] == "every promise held: these moves break nothing any more"


def test_what_writes_a_counterexample_leaves_the_mask_of_new_files_as_it_was(
    found: tuple[int, str],
) -> None:
    assert found[0] == 1
    before = os.umask(0)
    os.umask(before)
    assert before != 0o077
