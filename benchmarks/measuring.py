"""Figures, yardsticks, and the few ways to take a time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
HASHES = 1_000_000


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        id: stable name, for `--only` and for readers of the JSON.
        what: what was measured, in words.
        promised: what the design asks, in words.
        ratio: the measurement over its yardstick.
        yardstick: what the measurement was divided by.
        met: whether this run met the promise.
        parts: the numbers behind the ratio, by name with their unit.
    """

    id: str
    what: str
    promised: str
    ratio: float
    yardstick: str
    met: bool
    parts: dict[str, float | int | str] = field(default_factory=dict)


def cpu(what: Callable[[], object], repeats: int = 3) -> float:
    """The least CPU seconds of this process that `what` took: other work on the machine does not count."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        what()
        taken.append(time.process_time() - began)
    return min(taken)


def wall(what: Callable[[], object], repeats: int = 5) -> float:
    """The least wall seconds that `what` took."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        what()
        taken.append(time.perf_counter() - began)
    return min(taken)


def cpu_of(command: Sequence[str], repeats: int = 7, **environment: str) -> float:
    """The least CPU seconds of a process and its children, from start to exit.

    Raises:
        RuntimeError: when it fails; the time of a failure says nothing.
    """
    taken = []
    for _ in range(repeats):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
        taken.append(used.ru_utime + used.ru_stime)
    return min(taken)


def hashing() -> float:
    """The yardstick of work inside one process: CPU seconds of a million SHA-256 of 64 bytes."""

    def loop() -> None:
        data = b"x" * 64
        for _ in range(HASHES):
            data = hashlib.sha256(data).hexdigest().encode()

    return cpu(loop)


HASHING = "a million SHA-256 in a Python loop"
