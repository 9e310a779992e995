"""Which trouble can meet a run in which phase: the table that the swarm counts its hits against.

Every kind of trouble that a script can hold, and the phases in which it cannot meet a run, with the reason. A hit in such a
cell fails the swarm, for then the table is wrong; a cell that can be hit and was not is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.swarm.eyes import NO_PROCESS

Cells = Counter[tuple[str, str]]

DRIVEN = ("PREFLIGHT", "ATTACHING", "SHIFTING", "SETTLING", "BAKING", "HOLDING", "ROLLING_BACK")
PHASES = (*DRIVEN, NO_PROCESS)
"""The table's columns. In the phases that rest or end the run a process lives for one turn: nothing is asked of them."""

_READ = ("throttled", "denied", "expired", "error", "timeout", "slow", "foreign")
_POINTS = ("waiting", "call", "reply")
_DISK_POINTS = ("disk", "disk_done")
"""Met without a process too: one that takes the run up drives nothing until its first record is written."""
_WORDS = (
    "pause", "resume", "approve", "rollback", "finish", "finish_and_detach", "interrupt", "confirm_restored",
    "accept_drift", "leave", "hold_file", "rollback_file", "remove_files",
)  # fmt: skip
_STATES = ("unhealthy", "initial", "draining", "unavailable", "gone")


class Row(NamedTuple):
    """Kinds of trouble that can meet a run in the same phases.

    Attributes:
        kinds: as the swarm counts them.
        never: phases in which they cannot.
        why: they cannot.
    """

    kinds: tuple[str, ...]
    never: tuple[str, ...] = ()
    why: str = ""


def _each(text: str, *names: str) -> tuple[str, ...]:
    return tuple(text.format(name) for name in names)


TABLE: tuple[Row, ...] = (
    Row(
        _each("write {}", *_READ, "lost_reply", "delayed", "mismatch"),
        ("PREFLIGHT", "SETTLING", "BAKING", "HOLDING", NO_PROCESS),
        "a route is written to attach, to raise, to restore and to detach, and each has its phase",
    ),
    Row(
        _each("routes {}", *_READ, "stale", "incomplete", "another"),
        (NO_PROCESS,),
        "nobody calls",
    ),
    Row(_each("health {}", *_READ, "incomplete"), (NO_PROCESS,), "nobody calls"),
    Row(
        _each("metrics {}", *_READ, "incomplete", "partial_data", "internal_error"),
        (NO_PROCESS,),
        "nobody calls",
    ),
    Row(_each("alarms {}", *_READ, "incomplete"), (NO_PROCESS,), "nobody calls"),
    Row(
        _each("identity {}", *_READ),
        ("ROLLING_BACK", NO_PROCESS),
        "a rollback does not ask who we are, and without a process nobody does",
    ),
    Row(
        _each("survey {}", *_READ),
        (*DRIVEN[1:], NO_PROCESS),
        "preflight alone surveys",
    ),
    Row(_each("destination {}", "metrics_quiet", "errors", "connection_errors", "unanswered", "elb_504", "latency_factor")),
    Row(_each("destination {}", "metrics_delay", "errors_first", "share", "share_above", "propagation")),
    Row(_each("source {}", "metrics_quiet", "metrics_delay", "errors")),
    Row(_each("both {}", "metrics_quiet", "errors")),
    Row(_each("alarm {}", "ALARM", "INSUFFICIENT_DATA")),
    Row(_each("source {}", *_STATES) + _each("source {} in part", *_STATES)),
    Row(_each("destination {}", *_STATES) + _each("destination {} in part", *_STATES)),
    Row(_each("writer {}", "weight", "add_group", "drop_destination", "drop_both", "sticky", "delete_rule")),
    Row(_each("disk refuses {}", "write", "sync", "create", "replace", "sync_directory", "read")),
    Row(_each("killed at {}", *_POINTS), (NO_PROCESS,), "there is none"),
    Row(_each("power lost at {}", *_POINTS), (NO_PROCESS,), "nothing more is lost then"),
    Row(_each("machine stopped at {}", *_POINTS), (NO_PROCESS,), "nobody notices"),
    Row(_each("killed at {}", *_DISK_POINTS) + _each("power lost at {}", *_DISK_POINTS)),
    Row(_each("machine stopped at {}", *_DISK_POINTS)),
    Row(("clock set", "lease lost")),
    Row(("taken over",), (NO_PROCESS,), "there is nothing to take over"),
    Row(_each("says {}", *_WORDS)),
    Row(_each("says {} 2 times at once", *_WORDS)),
)  # fmt: skip


RARE = _each("disk refuses {}", "remove", "truncate", "open")
"""Counted where they come, and asked for nowhere: only other trouble makes a process do these."""


def reachable() -> Iterator[tuple[str, str]]:
    """Every cell that can be hit."""
    for row in TABLE:
        for kind in row.kinds:
            yield from ((kind, phase) for phase in PHASES if phase not in row.never)


def wrongly_hit(cells: Cells) -> tuple[str, ...]:
    """One sentence for each cell that was hit and that the table does not hold possible."""
    never = {(kind, phase): row.why for row in TABLE for kind in row.kinds for phase in row.never}
    known = {*RARE, *(kind for row in TABLE for kind in row.kinds)}
    found = [
        f"cells: `{kind}` met the run in {phase}, and the table says: {never[kind, phase]}"
        for kind, phase in cells
        if (kind, phase) in never
    ]
    return tuple(
        found + [f"cells: `{kind}` is not in the table" for kind, _ in cells if kind not in known]
    )


def cells_hit(cells: Cells) -> str:
    """`N of M`."""
    all_cells = tuple(reachable())
    return f"{sum(cells[cell] > 0 for cell in all_cells):,} of {len(all_cells):,}"


def told(cells: Cells) -> tuple[str, ...]:
    """How many cells were hit, and which were not, by kind."""
    all_cells = tuple(reachable())
    missed: dict[str, list[str]] = {}
    for kind, phase in all_cells:
        if not cells[kind, phase]:
            missed.setdefault(kind, []).append(phase)
    head = f"cells of trouble and phase: {cells_hit(cells)} hit"
    return (
        head,
        *(f"  not hit: {kind} in {', '.join(phases)}" for kind, phases in missed.items()),
    )
