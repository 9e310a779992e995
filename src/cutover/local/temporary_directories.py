"""Directories for temporary files, where a rollback leaves its records when its own directory takes none.

They are everybody's: a file there gets a name that nobody can guess and that did not exist before, and one that is
found there later is believed only when it is this user's own and goes on where the journal ends.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from cutover.local.disk import Disk, unguessable

_LARGEST = 64 << 20
"""No rollback says more than this many bytes."""


def temporary_places(run_id: str) -> tuple[Path, ...]:
    """A file for a run's records in each of the directories, the first of which takes them."""
    name = f"{_begins(run_id)}{unguessable()}.jsonl"
    return tuple(place / name for place in _directories())


def left_elsewhere(disk: Disk, run_id: str) -> tuple[tuple[Path, bytes], ...]:
    """This user's own files of the run there, with their bytes; what cannot be read is left out."""
    return tuple(
        (path, text)
        for place in _directories()
        for path in _candidates(disk, place, run_id)
        if (text := _own_text(disk, path))
    )


def _candidates(disk: Disk, place: Path, run_id: str) -> tuple[Path, ...]:
    try:
        names = _names(disk, place)
    except OSError:
        return ()
    return tuple(place / name for name in names if name.startswith(_begins(run_id)))


def _own_text(disk: Disk, path: Path) -> bytes:
    """Empty for what is not a file of this user, or cannot be read."""
    try:
        found = disk.look(path)
        # the superuser too: who can write to everybody's directory must not be read as ourselves
        if found is None or found.kind != "file" or found.owner != os.geteuid():
            return b""
        return disk.read(path, _LARGEST, own=True)
    except OSError:
        return b""


def _directories() -> tuple[Path, ...]:
    """`$TMPDIR`, and where a process went that had none."""
    named = Path(os.environ.get("TMPDIR", ""))
    own = (named,) if named.is_absolute() else ()
    return tuple(dict.fromkeys((*own, Path("/tmp"), Path("/var/tmp"))))  # noqa: S108  see above


def _begins(run_id: str) -> str:
    return f"cutover-{run_id}-"


def _names(disk: Disk, place: Path) -> tuple[str, ...]:
    """What is in the directory; listed once while it does not change, for `list` asks once for every run."""
    found = disk.look(Path(os.path.realpath(place)))
    if found is None or found.kind != "directory":
        return ()
    return _listed(disk, place, found.changed) if found.changed else disk.list(place)


@lru_cache(maxsize=8)
def _listed(disk: Disk, place: Path, changed: int) -> tuple[str, ...]:
    return tuple(name for name in disk.list(place) if name.startswith("cutover-"))
