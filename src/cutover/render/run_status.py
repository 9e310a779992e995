"""What `status` and `list` show of a run as plain values, and the lines and JSON made from them.

Made once from a whole journal (`render.status.status_of`); kept in view.json, it is shown again without the plan, the
journal's records or their models. What depends on the reader is left open: the time, the width of the terminal, and
whether a process lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cutover.core.moment import (
    Moment,
    about,
    clock_text,
    stamp,
    wall_from_ms,
)
from cutover.core.values import weight_text
from cutover.render.text import columns, pad, wrap

SCHEMA = "cutover.status.v1"

_VERDICT = len("UNKNOWN")
"""No verdict's name is longer."""

Then = tuple[int, int, str]
"""A moment as JSON holds it: wall ms, ms since boot, boot id."""


@dataclass(frozen=True)
class StepStatus:
    """One step: its weight (per mille), where it stands, the evidence that it has, and whether it is the current one."""

    weight: int
    stand: str
    evidence: str
    current: bool


@dataclass(frozen=True)
class GateStatus:
    """One gate on one comparison: its verdict, its name, and its numbers."""

    verdict: str
    name: str
    why: str


@dataclass(frozen=True)
class RunStatus:
    """A run as it stands at its newest record.

    Attributes:
        plan: the plan's name.
        phase, weight: where it is; weight per mille.
        step: index of the current step, -1 before the first.
        where: account and Region, and the mode of a run that moves no real traffic.
        emulated: its times are emulated.
        opened, turned: when it began, and since when it is as it is.
        evidence: what the current bake has; empty when nothing bakes.
        ahead: what follows while a process lives; empty when that is not known.
        held: why it holds; None when it does not.
        deadline_ms: of the hold (wall ms); 0 for none.
        then: what happens at the deadline while a process lives.
        reason: why it went back or needs a person.
        routes: each route's name and what is known of it.
        last: the newest sentences with the wall ms of their records.
        anomalies: what was odd.
        next: what to type next while a process lives, and without one.
        body: the object of `status --json` while a process lives.
    """

    plan: str
    phase: str
    weight: int
    step: int
    where: str
    emulated: bool
    opened: Then | None
    turned: Then | None
    evidence: str
    ahead: str
    held: str | None
    deadline_ms: int
    then: str
    reason: str
    steps: tuple[StepStatus, ...]
    gates: tuple[GateStatus, ...]
    routes: tuple[tuple[str, str], ...]
    last: tuple[tuple[int, str], ...]
    anomalies: str
    next: tuple[str, str]
    body: Mapping[str, Any]

    @property
    def mode(self) -> str:
        """Live, emulated or rehearsal."""
        return str(self.body["mode"])

    @property
    def began(self) -> datetime:
        """When the run's first record was written."""
        return datetime.fromisoformat(self.body["opened"])

    @property
    def ended(self) -> datetime:
        """When its newest record was written."""
        return datetime.fromisoformat(self.body["last"])


def status_data(status: RunStatus) -> dict[str, Any]:
    """The status as JSON holds it."""
    return asdict(status)


def status_from(data: Mapping[str, Any]) -> RunStatus:
    """The status that `status_data` gave, after JSON.

    Raises:
        KeyError, TypeError, ValueError: when it is none.
    """
    lists = {
        "opened": _then(data["opened"]),
        "turned": _then(data["turned"]),
        "steps": tuple(StepStatus(**one) for one in data["steps"]),
        "gates": tuple(GateStatus(**one) for one in data["gates"]),
        "routes": tuple((str(name), str(text)) for name, text in data["routes"]),
        "last": tuple((int(at_ms), str(text)) for at_ms, text in data["last"]),
        "next": (str(data["next"][0]), str(data["next"][1])),
    }
    return RunStatus(**{**data, **lists})


def _then(data: Any) -> Then | None:
    if data is None:
        return None
    wall_ms, boot_ms, boot_id = data
    return int(wall_ms), int(boot_ms), str(boot_id)


def then_of(moment: Moment | None) -> Then | None:
    """The moment as a status holds it."""
    return None if moment is None else (moment.wall_ms, moment.boot_ms, moment.boot_id)


def status_body(status: RunStatus, *, driven: bool) -> dict[str, Any]:
    """The object of `status --json`; `driven`: a living process drives the run."""
    body = dict(status.body)
    return body if driven else undriven(body, status.next[1])


def undriven(body: dict[str, Any], next_line: str) -> dict[str, Any]:
    """The object of a run that no process drives: nobody keeps its deadline, and nothing advances."""
    hold = body["hold"]
    return {
        **body,
        "hold": None if hold is None else {**hold, "then": None},
        "advance_in_ms": None,
        "next": next_line,
    }


def status_lines(
    status: RunStatus, now: Moment, width: int, *, liveness: str = "", driven: bool = True
) -> list[str]:
    """The run as it stands, in lines of at most `width` columns.

    Args:
        status: as of the newest record.
        now: this instant.
        width: columns.
        liveness: what view.json and the lease say of the process ("driven by process 12, looked 4s ago").
        driven: a living process drives the run, so its deadlines are kept.
    """
    return [
        *_head(status, now, width, liveness, driven=driven),
        *_steps(status, width),
        *_gates(status, width),
        *_routes(status, width),
        *_tail(status, width, driven=driven),
    ]


def _head(
    status: RunStatus, now: Moment, width: int, liveness: str, *, driven: bool
) -> Iterator[str]:
    step = f", step {status.step + 1} of {len(status.steps)}" if status.step >= 0 else ""
    head = f"{status.plan}: {status.phase} at {weight_text(status.weight)}{step}"
    yield from wrap(head, width, rest="  ")
    yield from _field("where", status.where, width)
    if status.opened is not None:
        yield from _field("begun", _since(status, status.opened, now), width)
    if status.turned is not None:
        yield from _field("so since", _since(status, status.turned, now), width)
    if liveness:
        yield from _field("process", liveness, width)
    if status.evidence:
        ahead = f"; {status.ahead}" if status.ahead and driven else ""
        yield from _field("evidence", f"{status.evidence}{ahead}", width)
    if status.held is not None:
        yield from _field("holding", status.held, width)
        if status.deadline_ms:
            at = clock_text(wall_from_ms(status.deadline_ms), now.wall)
            kept = f"{at}, then {status.then}" if driven else f"{at}, but no process lives to keep it"  # fmt: skip
            yield from _field("until", kept, width)
    elif status.reason:
        yield from _field("reason", status.reason, width)


def _since(status: RunStatus, then: Then, now: Moment) -> str:
    wall_ms, boot_ms, boot_id = then
    wall = wall_from_ms(wall_ms)
    if status.emulated:
        return f"{stamp(wall)} (emulated time)"
    return f"{stamp(wall)} ({about(now.after(Moment(wall, boot_ms, boot_id)))} ago)"


def _field(name: str, text: str, width: int) -> list[str]:
    return wrap(text, width, first=f"  {pad(name, 9)} ")


def _steps(status: RunStatus, width: int) -> Iterator[str]:
    yield ""
    yield "  steps"
    size = max(columns(weight_text(step.weight)) for step in status.steps)
    for step in status.steps:
        weight = pad(weight_text(step.weight), size, right=True)
        first = f"  {'>' if step.current else ' '} {weight}  "
        yield from wrap(f"{pad(step.stand, 10)}  {step.evidence}", width, first=first)


def _gates(status: RunStatus, width: int) -> Iterator[str]:
    """Each gate's verdict and its numbers, while one of the steps is judged."""
    if not status.gates:
        return
    yield ""
    yield "  gates"
    for gate in status.gates:
        first = f"    {pad(gate.verdict, _VERDICT)}  "
        yield from wrap(f"{gate.name}: {gate.why}", width, first=first)


def _routes(status: RunStatus, width: int) -> Iterator[str]:
    yield ""
    yield "  routes"
    for name, text in status.routes:
        yield from wrap(f"{name}  {text}", width, first="    ", rest="      ")


def _tail(status: RunStatus, width: int, *, driven: bool) -> Iterator[str]:
    if status.last:
        yield ""
        yield "  last, by the emulated clock" if status.emulated else "  last"
        for at_ms, text in status.last:
            yield from wrap(text, width, first=f"    {stamp(wall_from_ms(at_ms))[11:]}  ")
    yield ""
    yield from _field("odd", status.anomalies, width)
    yield from _field("next", status.next[not driven], width)


__all__ = [
    "SCHEMA",
    "GateStatus",
    "RunStatus",
    "StepStatus",
    "status_body",
    "status_data",
    "status_from",
    "status_lines",
    "then_of",
    "undriven",
]
