"""view.json: what a run's process shows of the run, for display only; nothing is ever decided by it.

It is one line of JSON with the process and its looks, the run's status, the hash of all that, and the end of the journal
that the status was made from. The status is shown only while that is still the journal's end, and the journal and plan.yaml
are the files that they were: the journal is never believed less than this file. Whoever reads it does without it when it
is missing, damaged, older, of another version, or somebody else's.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cutover import __version__
from cutover.core.moment import Moment, wall_text
from cutover.core.values import digest
from cutover.local.journal_end import JournalEnd, end_of
from cutover.local.run_directory import RunDirectory

FORMAT = 1

_LARGEST = 4 << 20
"""No view is longer."""

_HASH = '{"hash":"'
_BODY = len(_HASH) + 64 + len('",')
"""Where the hashed text begins."""


@dataclass(frozen=True)
class KeptView:
    """What view.json says.

    Attributes:
        pid: the process that wrote it.
        boot_id, boot_ms: of its newest look, by the clock that counts suspends.
        last, next: when it looked last, and when it was to look next.
        status: the run's status, as far as the file itself goes; `status_of_view` says whether it still holds.
        end: the journal that the status was made from; None without a status.
        plan: SHA-256 of the plan.yaml that the status was made with.
    """

    pid: int
    boot_id: str
    boot_ms: int
    last: str
    next: str
    status: Mapping[str, Any] | None = None
    end: JournalEnd | None = None
    plan: str = ""


def view_text(
    run_id: str,
    *,
    last: Moment,
    next_look: Moment,
    status: Mapping[str, Any] | None,
    end: JournalEnd | None,
    plan: str,
) -> bytes:
    """The file's text; `plan` is the SHA-256 of the run's plan.yaml."""
    data: dict[str, Any] = {
        "format": FORMAT,
        "tool": __version__,
        "run": run_id,
        "pid": os.getpid(),
        "boot_id": last.boot_id,
        "boot_ms": last.boot_ms,
        "last": wall_text(last.wall),
        "next": wall_text(next_look.wall),
    }
    if status is not None and end is not None:
        journal = {"hash": end.hash, "size": end.size, "changed": end.changed}
        data |= {"journal": journal, "plan": plan, "status": status}
    body = json.dumps(data, separators=(",", ":"), allow_nan=False)[1:]
    return f'{_HASH}{digest(body)}",{body}\n'.encode("ascii")


def read_view(run: RunDirectory) -> KeptView | None:
    """What the file says; None where there is none that can be read."""
    try:
        text = run.disk.read(run.view, _LARGEST).decode("ascii")
        data = json.loads(text)
        looks = (int(data["pid"]), str(data.get("boot_id", "")), int(data.get("boot_ms", 0)))
        view = KeptView(*looks, str(data["last"]), str(data["next"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    try:
        return _with_status(view, run.id, text, data)
    except (ValueError, KeyError, TypeError):
        return view


def _with_status(view: KeptView, run_id: str, text: str, data: dict[str, Any]) -> KeptView:
    ours = (data["format"], data["tool"], data["run"]) == (FORMAT, __version__, run_id)
    sound = text.startswith(_HASH) and digest(text[_BODY:].rstrip("\n")) == data["hash"]
    if not ours or not sound:
        return view
    journal = data["journal"]
    end = JournalEnd(str(journal["hash"]), int(journal["size"]), int(journal["changed"]))
    looks = (view.pid, view.boot_id, view.boot_ms, view.last, view.next)
    return KeptView(*looks, dict(data["status"]), end, str(data["plan"]))


def status_of_view(run: RunDirectory, view: KeptView | None) -> Mapping[str, Any] | None:
    """The run's status, when it is that of the journal as it is now; None: the journal itself must be read."""
    if view is None or view.status is None or view.end is None:
        return None
    try:
        if run.fallbacks() or plan_digest(run) != view.plan:
            return None
        return view.status if end_of(run.disk, run.journal, run.id) == view.end else None
    except OSError:
        return None


def plan_digest(run: RunDirectory) -> str:
    """SHA-256 of the run's plan.yaml.

    Raises:
        OSError: when it cannot be read.
    """
    return hashlib.sha256(run.disk.read(run.plan)).hexdigest()
