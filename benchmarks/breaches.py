"""From a visible breach to the first write of the rollback, in emulated time and in polls."""

from __future__ import annotations

from benchmarks.measuring import Figure
from cutover.core.errors import ExitCode
from cutover.core.events import Intent, PhaseChanged
from cutover.core.values import SECOND
from tests.fakes import Bench, plan_of

POLL = 15 * SECOND
STARTS = tuple(range(0, 15 * SECOND, 2 * SECOND))
"""The run starts so many ms later, so that no phase of the poll is lucky."""

SETTLED, CATASTROPHIC = 0.018, 0.30
"""Error rates on the destination: one that only settled minutes prove, one that unsettled minutes alarm on."""


def measure() -> list[Figure]:
    settled = [_late(start, SETTLED) for start in STARTS]
    alarming = [_late(start, CATASTROPHIC) for start in STARTS]
    worst = max(settled)
    return [
        Figure(
            id="breach-to-rollback",
            what="emulated time from a breach being visible in settled minutes to the rollback's first "
            f"write, worst of {len(STARTS)} phases of the poll",
            promised="within one poll",
            ratio=worst / POLL,
            yardstick="one poll (15 s); visible is when a run that polls every second sees it",
            met=worst <= POLL,
            parts={
                "worst s": worst / SECOND,
                "mean s": round(sum(settled) / len(settled) / SECOND, 1),
                "poll s": POLL // SECOND,
                "worst s for unsettled minutes, which are read twice by rule": max(alarming)
                / SECOND,
            },
        )
    ]


def _late(start_ms: int, rate: float) -> int:
    """How many ms a poll of 15 s is behind one of a second."""
    seen, _ = _breached("1s", start_ms, rate)
    _, wrote = _breached("15s", start_ms, rate)
    return wrote - seen


def _breached(poll: str, start_ms: int, rate: float) -> tuple[int, int]:
    """When the breach was recorded and when the first restore was, in ms since the epoch."""
    observe = {"period": "60s", "settle": "120s", "poll": poll, "confirm": "60s"}
    bench = Bench(plan_of(observe=observe))
    bench.clock.at = bench.clock.at.plus(start_ms)
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", rate), 200_000)
    code = bench.run()
    if code != ExitCode.ROLLED_BACK:
        raise RuntimeError(f"errors on the destination ended with {code}, not with a rollback")
    changed = bench.stamped(PhaseChanged)
    breach = next(at.wall_ms for at, event in changed if event.after == "ROLLING_BACK")
    wrote = next(at.wall_ms for at, event in bench.stamped(Intent) if event.kind == "restore")
    return breach, wrote
