"""From a visible breach to the first write of the rollback, in emulated time and in polls."""

from __future__ import annotations

from benchmarks.measuring import Figure
from cutover.core.errors import ExitCode
from cutover.core.events import Intent, PhaseChanged
from cutover.core.plan import Plan
from cutover.core.values import SECOND
from tests.fakes import Bench, plan_of

POLL = 15 * SECOND
OFFSETS = tuple(range(0, 60 * SECOND, 7 * SECOND))
"""Errors begin at these ms after the raise to 50 %, so that no poll is lucky."""


def measure() -> list[Figure]:
    late = []
    for offset in OFFSETS:
        seen, _ = _breached(plan_of(observe=_observe("1s")), offset)
        _, wrote = _breached(plan_of(observe=_observe("15s")), offset)
        late.append(wrote - seen)
    worst = max(late)
    return [
        Figure(
            id="breach-to-rollback",
            what="emulated time from a breach being visible to the first write of the rollback, worst of "
            f"{len(OFFSETS)} phases of the poll",
            promised="within one poll",
            ratio=worst / POLL,
            yardstick="one poll (15 s); visible is when a run that polls every second sees it",
            met=worst <= POLL,
            parts={
                "worst s": worst / SECOND,
                "mean s": round(sum(late) / len(late) / SECOND, 1),
                "poll s": POLL // SECOND,
            },
        )
    ]


def _observe(poll: str) -> dict[str, str]:
    return {"period": "60s", "settle": "120s", "poll": poll, "confirm": "60s"}


def _breached(plan: Plan, offset_ms: int) -> tuple[int, int]:
    """When the breach was recorded and when the first restore was, in ms since the epoch."""
    bench = Bench(plan)
    bench.at_weight(
        500, lambda: setattr(bench.traffic, "destination_errors", 0.05), 150_000 + offset_ms
    )
    code = bench.run()
    if code != ExitCode.ROLLED_BACK:
        raise RuntimeError(f"5 % of errors ended with {code}, not with a rollback")
    breach = next(
        at.wall_ms
        for at, event in bench.stamped(PhaseChanged)
        if event.after == "ROLLING_BACK"
    )
    wrote = next(at.wall_ms for at, event in bench.stamped(Intent) if event.kind == "restore")
    return breach, wrote
