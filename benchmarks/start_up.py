"""Start-up: `--help` and `validate` leave boto3 alone."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from benchmarks.measuring import BIN, ROOT, Figure, cpu_of

HEAVY = ("boto3", "botocore", "moto")
CHEAP = {
    "help": ("--help",),
    "validate": ("validate", "plans/minimal.yaml"),
    "status": ("status",),
}


def imported(arguments: tuple[str, ...], state: str) -> set[str]:
    """The heavy libraries that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cutover", *arguments],
        cwd=ROOT,
        env={"CUTOVER_STATE_DIR": state, "PATH": str(BIN)},
        capture_output=True,
        text=True,
        check=True,
    )
    names = {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    return {name for name in HEAVY if name in names}


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as state:
        return [_without_boto3(state)]


def _without_boto3(state: str) -> Figure:
    found = {name: imported(arguments, state) for name, arguments in CHEAP.items()}
    bare = cpu_of([sys.executable, "-c", "pass"])
    times = {
        name: cpu_of([sys.executable, "-m", "cutover", *arguments], CUTOVER_STATE_DIR=state)
        for name, arguments in CHEAP.items()
    }
    return Figure(
        id="help-and-validate",
        what="CPU time of `cutover --help`",
        promised="`--help` and `validate` do not import boto3",
        ratio=times["help"] / bare,
        yardstick="`python -c pass`",
        met=not any(found.values()),
        parts={
            **{
                f"{name} imports of {', '.join(HEAVY)}": ", ".join(sorted(libraries)) or "none"
                for name, libraries in found.items()
            },
            "help ms": round(1000 * times["help"]),
            "validate ms": round(1000 * times["validate"]),
            "python -c pass ms": round(1000 * bare),
        },
    )
