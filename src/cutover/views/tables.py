"""Preflight findings, the list of runs and the summary of rehearsals, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cutover.core.story import about, count_of, stamp
from cutover.core.values import weight_text
from cutover.views.text import columns, table, wrap

_ANY_WIDTH = 100_000


class Found(Protocol):
    """A preflight finding, as `core.checks` or the journal has it; `severity` is block, warn or ok."""

    @property
    def id(self) -> str:
        """The check."""

    @property
    def severity(self) -> str:
        """How bad."""

    @property
    def seen(self) -> str:
        """The fact."""

    @property
    def why(self) -> str:
        """Why it matters."""

    @property
    def fix(self) -> str:
        """What to do."""


_ORDER = {"block": 0, "ok": 2}
_WORDS = {"block": "BLOCKS", "ok": "ok"}


def findings_view(findings: Iterable[Found], width: int = 100) -> list[str]:
    """What blocks first, then warnings, each with why and fix; what is fine in one line each at the end."""
    found = sorted(findings, key=lambda one: _ORDER.get(one.severity, 1))
    lines: list[str] = []
    for one in found:
        word = _WORDS.get(one.severity, "warning")
        lines += wrap(f"{one.id}: {one.seen or one.why}", width, first=f"{word:<8} ")
        if one.severity != "ok":
            lines += wrap(one.why, width, first="         why  ") if one.why and one.seen else []
            lines += wrap(one.fix, width, first="         fix  ") if one.fix else []
    blocks = sum(one.severity == "block" for one in found)
    fine = sum(one.severity == "ok" for one in found)
    warnings = len(found) - blocks - fine
    verdict = "the run would be refused" if blocks else "the run may begin"
    lines += wrap(
        f"{count_of(blocks, 'block')}, {count_of(warnings, 'warning')}, {fine} fine: {verdict}",
        width,
    )
    return lines


@dataclass(frozen=True)
class RunRow:
    """One run in `cutover list`; `weight` per mille (None: not to be believed).

    Attributes:
        last: the newest record's time, emulated in a rehearsal.
        began: real time.
        interrupted: a rehearsal whose process ended before it did.
        judge: a rehearsal's.
    """

    run: str
    plan: str
    phase: str
    weight: int | None
    alive: bool
    last: datetime | None
    mode: str = "live"
    began: datetime | None = None
    interrupted: bool = False
    judge: str = ""


def list_view(rows: Sequence[RunRow], width: int = 100) -> list[str]:
    """The runs of this machine, one row each."""
    if not rows:
        return ["no runs yet: `cutover run PLAN` starts one, `cutover rehearse PLAN` tries it out"]
    heads = ("RUN", "PLAN", "PHASE", "WEIGHT", "PROCESS", "LAST RECORD")
    cells = [
        (
            row.run,
            row.plan,
            row.phase if row.mode == "live" else f"{row.phase} ({row.mode})",
            "?" if row.weight is None else weight_text(row.weight),
            "alive" if row.alive else "-",
            "-" if row.last is None else stamp(row.last),
        )
        for row in rows
    ]
    return table(heads, cells, width, right=frozenset({3}))


def rehearsals_list_view(rows: Sequence[RunRow], width: int | None = 100) -> list[str]:
    """The rehearsals of this machine, when they really began and what they came to.

    One row each, without judge and time where those do not fit into `width`; None: for a program, on one line each.
    """
    if not rows:
        return ["no rehearsals yet: `cutover rehearse PLAN` makes one"]
    heads = ("RUN", "PHASE", "WEIGHT", "PROCESS", "JUDGE", "BEGUN")
    cells = [
        (
            row.run,
            f"{row.phase} ({row.mode})",
            "?" if row.weight is None else weight_text(row.weight),
            "running" if row.alive else "interrupted" if row.interrupted else "-",
            row.judge or "-",
            "-" if row.began is None else stamp(row.began),
        )
        for row in rows
    ]
    right = frozenset({2})
    full = table(heads, cells, _ANY_WIDTH, right=right)
    if width is None or max(map(columns, full)) <= width:
        return full
    return table(heads[:4], [row[:4] for row in cells], width, right=right)


@dataclass(frozen=True)
class RehearsalRow:
    """One scenario of `rehearse --all`.

    Attributes:
        at: weight (per mille) at which it was decided; None when none was raised.
        harmed: requests that the destination harmed; None when not counted.
        other: the same with the other judge; None when it was not rehearsed with it.
        took_ms: virtual time.
        ok: it ended as its `expect:` says.
    """

    scenario: str
    expected: str
    ended: str
    at: int | None
    harmed: int | None
    took_ms: int
    ok: bool
    why: str = ""
    other: int | None = None


def rehearsals_view(rows: Sequence[RehearsalRow], width: int = 100) -> list[str]:
    """One table of all scenarios; below it why those that did not end as expected did not."""
    heads = (
        "SCENARIO",
        "EXPECTED",
        "ENDED",
        "AT",
        "HARMED",
        "OTHER",
        "VIRTUAL",
        "RESULT",
    )
    cells = [
        (
            row.scenario,
            row.expected,
            row.ended,
            "-" if row.at is None else weight_text(row.at),
            "-" if row.harmed is None else f"{row.harmed:,}",
            "" if row.other is None else f"{row.other:,}",
            about(row.took_ms),
            "ok" if row.ok else "NO",
        )
        for row in rows
    ]
    lines = table(heads, cells, width, right=frozenset({3, 4, 5, 6}))
    for row in rows:
        if not row.ok and row.why:
            lines += wrap(row.why, width, first=f"{row.scenario}: ", rest="  ")
    if any(row.other is not None for row in rows):
        lines += wrap("OTHER: harmed in the same world under the other judge", width)
    good = sum(row.ok for row in rows)
    lines.append(f"{good} of {count_of(len(rows), 'scenario')} ended as expected")
    return lines
