"""A copy of the tree in which a bug is planted, and a look whether the copy is one that works at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.planted.bug import Planted, plant

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "src", "tests", "plans", "docs", "runbooks", "benchmarks",
    "pyproject.toml", "README.md", "CHANGELOG.md", "Makefile", "requirements.lock", "LICENSE",
)  # fmt: skip

CALM_PLAN = Path("tests", "planted", "calm.yaml")

GRACE = 5
"""Seconds a process that is out of time has to end by itself."""


@dataclass(frozen=True)
class Ran:
    """A command that has ended, or was ended when its time was over (`code` is then None)."""

    code: int | None
    out: str
    seconds: float


class UnsoundError(Exception):
    """The copy does not work as far as it must: to find a bug in it would prove nothing."""


@contextmanager
def copied(bug: Planted | None) -> Iterator[Path]:
    """The root of a copy with the bug in it (None: as it is), which goes away afterwards.

    Files are hard links: a bug replaces the ones that it edits, and Python writes its compiled files anew.
    """
    with TemporaryDirectory(prefix="planted-", ignore_cleanup_errors=True) as place:
        root = Path(place, "tree")
        root.mkdir()
        for part in PARTS:
            _link(ROOT / part, root / part)
        Path(place, "tmp").mkdir()
        if bug is not None:
            plant(root, bug)
        yield root


def _link(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, copy_function=_link_file)
    elif source.exists():
        _link_file(str(source), str(to))


def _link_file(source: str, to: str) -> None:
    try:
        os.link(source, to)
    except OSError:  # another file system
        shutil.copy2(source, to)


def run(
    root: Path, commands: Sequence[str], within: float, more: Mapping[str, str] | None = None
) -> Ran:
    """Python with these words in the copy, importing the copy's `cutover`; ended with all its children when time is over.

    `more`: of the environment.
    """
    began = time.monotonic()
    place = root.parent
    environment = {
        # what a pytest around us says of itself is not for the one in the copy
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        "PYTHONPATH": str(root / "src"),
        "TMPDIR": str(place / "tmp"),
        "PYTHONUNBUFFERED": "1",
        **(more or {}),
    }
    with (place / "out").open("w+", encoding="utf-8", errors="backslashreplace") as out:
        process = subprocess.Popen(
            [sys.executable, *commands],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            code = None
            process.send_signal(signal.SIGINT)  # pytest then ends what its fixtures began
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=GRACE)
        _end_all(process, str(place))
        out.seek(0)
        return Ran(code, out.read(), time.monotonic() - began)


def _end_all(process: subprocess.Popen[bytes], place: str) -> None:
    """The process and whatever it began: tests start sessions of their own, but all have our place in their environment."""
    process.kill()
    process.wait()
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TMPDIR={place}/tmp\0".encode() in (directory / "environ").read_bytes():
                os.kill(int(directory.name), signal.SIGKILL)


def check(root: Path, bug: Planted | None) -> None:
    """Whether the copy imports its own `cutover`, says its version, and completes a run without trouble.

    Raises:
        UnsoundError: when it does not; a run need not complete where the bug says why.
    """
    asked = "import cutover, cutover.runner; print(cutover.__file__, cutover.runner.__file__)"
    where = run(root, ["-c", asked], 60)
    if where.code != 0 or where.out.split() != [
        str(root / "src" / "cutover" / name) for name in ("__init__.py", "runner.py")
    ]:
        raise UnsoundError(f"the copy does not import its own cutover: {where.out[-500:]}")
    version = run(root, ["-m", "cutover", "--version"], 60)
    if version.code != 0:
        raise UnsoundError(f"cutover --version fails in the copy: {version.out[-500:]}")
    if bug is not None and bug.uncalm:
        return
    state = {"CUTOVER_STATE_DIR": str(root.parent / "state")}
    calm = run(root, ["-m", "cutover", "rehearse", str(CALM_PLAN)], 180, state)
    if calm.code != 0:
        raise UnsoundError(f"a run without trouble does not complete: {calm.out[-1500:]}")
