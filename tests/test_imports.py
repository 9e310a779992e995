"""What a command costs before it begins: the light ones must not load AWS, an emulator, or a log library."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cutover.core.observation import CommandName
from cutover.core.values import MINUTE, RouteId
from cutover.local.clock import SystemClock
from cutover.local.lease import FlockLease
from cutover.local.state_directory import StateDirectory
from tests import shown_runs
from tests.fakes import Bench

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


@pytest.mark.parametrize("driven", [True, False])
@pytest.mark.parametrize(
    "command", [["status"], ["status", "--json"], ["list"], ["list", "--json"]]
)
def test_a_run_is_shown_from_its_view_without_the_models(
    command: list[str], driven: bool, tmp_path: Path
) -> None:
    place = StateDirectory(tmp_path)
    bench = Bench(shown_runs.PLAN)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE, "lunch"), 9 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=15), 10 * MINUTE)
    bench.run()
    process = shown_runs.Process(place)
    process.turn(*bench.journal.records)
    routes = (RouteId("r"),) if driven else ()
    lease = FlockLease.take(place, routes, process.run.id, SystemClock().now())
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cutover", *command],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CUTOVER_STATE_DIR": str(tmp_path)},
    )
    lease.close()
    assert process.run.id in done.stdout
    assert "HOLDING" in done.stdout
    assert (
        re.findall(r"\| +(pydantic|yaml|rich|boto3|botocore|moto)$", done.stderr, re.MULTILINE)
        == []
    )
