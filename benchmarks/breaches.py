"""From a visible breach to the first write of the rollback, in emulated time and in polls."""

from __future__ import annotations

from benchmarks.measuring import Figure
from cutover.core.errors import ExitCode
from cutover.core.journal.events import GateJudged, Intent, Observed
from cutover.core.values import MINUTE, SECOND
from tests.fakes import Bench, plan_of

POLL = 15 * SECOND
STARTS = tuple(range(0, 15 * SECOND, 2 * SECOND))
"""The run starts so many ms later, so that no phase of the poll is lucky."""

BEGINS = 18 * MINUTE + 20 * SECOND
"""After the start: when the errors begin."""

SETTLED, CATASTROPHIC = 0.0035, 0.30
"""Error rates on the destination: one that only settled minutes prove, one that unsettled minutes alarm on."""


def measure() -> list[Figure]:
    settled = [_late(start, SETTLED) for start in STARTS]
    alarming = [_late(start, CATASTROPHIC) for start in STARTS]
    worst = max(settled)
    return [
        Figure(
            id="breach-to-rollback",
            what="emulated time from the decisive settled minute being readable to the rollback's first "
            f"write, worst of {len(STARTS)} phases of the poll",
            promised="within one poll",
            ratio=worst / POLL,
            yardstick="one poll (15 s)",
            met=worst <= POLL,
            parts={
                "worst s": worst / SECOND,
                "mean s": round(sum(settled) / len(settled) / SECOND, 1),
                "poll s": POLL // SECOND,
                "worst s for an unsettled minute, which must be read twice": max(alarming)
                / SECOND,
            },
        )
    ]


def _late(start_ms: int, rate: float) -> int:
    """From the minute that decided being readable to the first restore, in ms."""
    plan = plan_of()
    bench = Bench(plan)
    bench.clock.at = bench.clock.at.plus(start_ms)
    bench.clock.call_in(
        BEGINS - start_ms, lambda: setattr(bench.traffic, "destination_errors", rate)
    )
    code = bench.run()
    if code != ExitCode.ROLLED_BACK:
        raise RuntimeError(f"errors on the destination ended with {code}, not with a rollback")
    wrote = next(at.wall_ms for at, event in bench.stamped(Intent) if event.kind == "restore")
    alarming = [event for event in bench.events(Observed) if event.what == "alarming"]
    if alarming:
        return wrote - (int(alarming[0].facts["at_ms"]) + plan.observe.period)
    breach = next(event for event in bench.events(GateJudged) if event.verdict == "BREACH")
    return wrote - (breach.minute_ms + plan.observe.period + plan.observe.settle)
