"""A slice of the kill loop: random deaths, and what is left converges. `make prove` goes on for longer."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crash.kill_loop import one_life
from tests.e2e.emulator import Emulator

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.e2e]

LIVES = int(os.environ.get("CUTOVER_KILL_LIVES", "3"))
SEED = int(os.environ.get("CUTOVER_KILL_SEED", "20_000"))


def test_runs_that_are_killed_at_random_converge(tmp_path: Path, emulator: Emulator) -> None:
    with ThreadPoolExecutor(LIVES) as pool:
        lives = [
            pool.submit(one_life, tmp_path / str(number), emulator, number)
            for number in range(SEED, SEED + LIVES)
        ]
    told = [life.result() for life in lives]  # a life that does not converge raises
    assert [line.partition(":")[0] for line in told] == [
        f"seed {number}" for number in range(SEED, SEED + LIVES)
    ]
