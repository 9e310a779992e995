"""The judge's page: its table is the shipped one, its commands say what it says, its columns are the code's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cutover.local import csv_history, csv_minutes
from tests.docs.console import Command, steps

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "judge.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_example_on_the_page_is_the_shipped_table() -> None:
    (shown,) = re.findall(r"^```csv\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert shown == (ROOT / "plans" / "samples" / "tiny.csv").read_text(encoding="utf-8")


def test_every_column_that_is_read_stands_on_the_page() -> None:
    known = {*csv_minutes.KNOWN, *csv_history.ONE}
    assert [name for name in sorted(known) if f"`{name}`" not in TEXT] == []


@pytest.mark.slow
def test_every_command_of_the_page_answers_as_it_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "plans", tmp_path / "plans")
    tools = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    found = [step for step in steps(PAGE) if isinstance(step, Command)]
    assert len(found) >= 4
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
