"""Preflight findings, the list of runs and the summary of rehearsals, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cutover.core.moment import about, stamp
from cutover.core.values import count_of, weight_text
from cutover.render.text import columns, table, wrap

_ANY_WIDTH = 100_000


class ShownFinding(Protocol):
    """A preflight finding, as `core.preflight` or the journal has it; `severity` is block, warn or ok."""

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


def findings_view(findings: Iterable[ShownFinding], width: int = 100) -> list[str]:
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
        verdict: `as expected`, `not reached`, `does not apply`, `let through` or `otherwise`.
        expected: outcome, for `why` when it differs.
        ended: outcome; empty when it does not apply.
        at: the largest weight (per mille) written; None when none was raised.
        harmed: requests that the destination harmed; None when not counted.
        other: the same with the other judge; None when it was not rehearsed with it.
        took_ms: virtual time; None when it was not rehearsed.
        why: what of it did not happen, what it lacks, or what came otherwise.
        caught_by: which gate is there to catch what was let through.
        again: the command that rehearses it again.
        replaced: keys of the plan that the scenario brings in place of the plan's own: it says nothing about those.
    """

    scenario: str
    verdict: str
    expected: str
    ended: str = ""
    at: int | None = None
    harmed: int | None = None
    took_ms: int | None = None
    why: tuple[str, ...] = ()
    other: int | None = None
    caught_by: str = ""
    again: str = ""
    replaced: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Nothing to look at: as expected, or not for this plan."""
        return self.verdict in _GOOD


_GOOD = ("as expected", "does not apply")
_VERDICTS = {
    "as expected": ("ok", "{} as expected"),
    "let through": ("LET THROUGH", "{} that your plan let through"),
    "otherwise": ("OTHERWISE", "{} ended otherwise than expected"),
    "not reached": ("NOT REACHED", "{} not reached: the trouble never happened"),
    "does not apply": ("-", "{} not for this plan"),
}


def rehearsal_line(row: RehearsalRow, done: int, count: int) -> str:
    """One scenario as it ends, on one line: `12/62 error-burst: as expected, rolled back at most at 5 %, 59 harmed requests`."""
    said = f"{done:>{len(str(count))}}/{count} {row.scenario}: {_said(row.verdict)}"
    if row.verdict == "does not apply":
        return f"{said}: {'; '.join(row.why)}"
    at = "" if row.at is None else f" at most at {weight_text(row.at)}"
    harmed = "" if row.harmed is None else f", {count_of(row.harmed, 'harmed request')}"
    own = f", with its own {', '.join(row.replaced)}" if row.replaced else ""
    return f"{said}, {row.ended.replace('_', ' ')}{at}{harmed}{own}"


def _said(verdict: str) -> str:
    return "your plan let it through" if verdict == "let through" else verdict


def rehearsals_view(rows: Sequence[RehearsalRow], width: int = 100) -> list[str]:
    """One table of all scenarios; below it those that need a look, each with the reason and how to rehearse it again."""
    heads = (
        "SCENARIO",
        "ENDED",
        "AT",
        "HARMED",
        "OTHER",
        "VIRTUAL",
        "VERDICT",
    )
    cells = [
        (
            row.scenario,
            row.ended or "-",
            "-" if row.at is None else weight_text(row.at),
            "-" if row.harmed is None else f"{row.harmed:,}",
            "" if row.other is None else f"{row.other:,}",
            "-" if row.took_ms is None else about(row.took_ms),
            _VERDICTS[row.verdict][0],
        )
        for row in rows
    ]
    lines = table(heads, cells, width, right=frozenset({2, 3, 4, 5}))
    if any(row.other is not None for row in rows):
        lines += wrap("OTHER: harmed in the same world under the other judge", width)
    borrowed = [row.scenario for row in rows if "gates" in row.replaced and row.ended]
    if borrowed:
        own = f"rehearsed with gates of the scenario, not of your plan: {', '.join(borrowed)}"
        lines += wrap(own, width, rest="  ")
    for row in rows:
        if row.verdict == "does not apply":
            lines += wrap(
                f"{row.scenario}: does not apply: {'; '.join(row.why)}", width, rest="  "
            )
    for row in rows:
        if not row.good:
            lines += _to_look_at(row, width)
    counts = {name: sum(row.verdict == name for row in rows) for name in _VERDICTS}
    said = [_VERDICTS[name][1].format(count) for name, count in counts.items() if count]
    lines += wrap(f"{count_of(len(rows), 'scenario')}: {', '.join(said)}", width, rest="  ")
    return lines


def _to_look_at(row: RehearsalRow, width: int) -> list[str]:
    harmed = "" if row.harmed is None else f", {count_of(row.harmed, 'request')} harmed"
    lines = wrap(
        f"{row.scenario}: {_said(row.verdict)}: {row.ended.replace('_', ' ')}{harmed}",
        width,
        rest="  ",
    )
    for why in (*row.why, row.caught_by):
        lines += wrap(why, width, first="  ", rest="    ") if why else []
    return [*lines, f"  again: {row.again}"] if row.again else lines
