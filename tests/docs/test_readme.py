"""The tour in the README says what the commands really say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.console import Command, steps

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_command_of_the_tour_answers_as_the_readme_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "plans", tmp_path / "plans")
    tools = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    tour = [step for step in steps(ROOT / "README.md") if isinstance(step, Command)]
    assert len(tour) >= 5
    # who takes the tour has typed `make rehearse` before, as the page says
    found = [Command(0, _rehearsed_by_make()), *tour]
    for command in found:
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=tmp_path,
            env={"PATH": tools, "HOME": str(tmp_path), "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not command.differs(done.returncode, done.stdout)


def _rehearsed_by_make() -> str:
    """The command that `make rehearse` comes down to when everything is installed."""
    said = subprocess.run(
        ["make", "-n", "rehearse"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    command = said.stdout.splitlines()[-1]
    assert command.startswith(".venv/bin/cutover rehearse ")
    return command.removeprefix(".venv/bin/")


def test_a_page_that_says_something_else_is_seen() -> None:
    command = Command(1, "cutover status", 0, ["run ... holds", "at 5 %"])
    assert not command.differs(0, "run one holds\nat   5 % now")
    assert "ended with 3" in command.differs(3, "run one holds\nat 5 %")
    assert "did not say" in command.differs(0, "run one holds\nat 25 %")
    assert "did not say" in command.differs(0, "at 5 %\nrun one holds"), "the order counts"
