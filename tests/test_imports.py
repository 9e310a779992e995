"""What a command costs before it begins: the light ones must not load AWS, an emulator, or a log library."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = re.compile(r"\| +(boto3|botocore|moto|rich\.traceback|structlog)$", re.MULTILINE)
PLAN = Path(__file__).parent.parent / "plans" / "checkout.yaml"


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["run", "--help"],
        ["version"],
        ["validate", str(PLAN)],
        ["plan", "--offline", str(PLAN)],
        ["schema"],
        ["status"],
        ["list"],
        ["journal", "--help"],
        ["journal", "verify"],
        ["pause"],
    ],
    ids=lambda command: " ".join(Path(command).name for command in command),
)
def test_a_light_command_loads_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cutover", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUTOVER_STATE_DIR": str(tmp_path)},
    )
    assert done.returncode in (0, 2)
    assert "cutover.cli" in done.stderr
    assert HEAVY.findall(done.stderr) == []


@pytest.mark.parametrize("command", [["--help"], ["version"], ["status"]])
def test_the_lightest_commands_load_not_even_the_models(
    command: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cutover", *command],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CUTOVER_STATE_DIR": str(tmp_path)},
    )
    assert re.findall(r"\| +(pydantic|yaml|rich)$", done.stderr, re.MULTILINE) == []
