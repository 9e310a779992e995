"""`make` fills .venv where a person, or a log, can see that it goes on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON = """#!/bin/sh
case "$*" in
  *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
  *"-m pip install"*"-r requirements.lock"*)
    echo "Looking in indexes: https://ana:secret@packages.example/simple"
    for i in $(seq 25); do echo "Collecting one$i==1.0 (from -r requirements.lock)"; done
    echo "WARNING: cache disabled" >&2
    %s
    echo "Installing collected packages: all";;
esac
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def made(place: Path, then: str = "") -> subprocess.CompletedProcess[str]:
    """`make setup` with a Python that only says what pip would say."""
    python = place / "python"
    python.write_text(PYTHON % (then or ":"))
    python.chmod(0o755)
    return subprocess.run(
        ["make", "setup", f"PYTHON={python}"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_install_says_how_far_it_is_and_names_no_index(place: Path) -> None:
    done = made(place)
    assert done.returncode == 0, done.stderr
    said = [line.strip() for line in done.stderr.splitlines()]
    assert said[1:] == [
        "10 packages read",
        "20 packages read",
        "all 25 packages are here, installing them",
        ".venv is ready",
    ]
    assert "packages.example" not in done.stdout + done.stderr
    assert (place / ".venv" / ".stamp").exists()


def test_an_install_that_fails_says_why_and_is_not_taken_for_one_that_did_not(
    place: Path,
) -> None:
    done = made(place, "echo 'ERROR: https://packages.example/simple: no answer' >&2; exit 1")
    assert done.returncode == 2
    assert "ERROR: <index>" in done.stderr
    assert "packages.example" not in done.stdout + done.stderr
    assert not (place / ".venv" / ".stamp").exists()
