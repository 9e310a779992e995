"""What the gates that count bad requests share, whichever judge weighs the counts.

A gate turns a minute into a `Sample`; its `Terms` say what the destination is allowed given the source; a judge
(`judges`) does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

from cutover.core.gates import columns
from cutover.core.gates.api import Counts, GateContext
from cutover.core.gates.neighbours import Neighbours
from cutover.core.observation import Minute
from cutover.core.values import MINUTE, PPM

BASELINE_MINUTES = 30
STALE_PERIODS = 30
USUAL_CV = 0.5
"""How much a load balancer's own error rate varies from minute to minute, relative to itself."""


@dataclass(frozen=True)
class Weighing:
    """One row of docs/judge.md's table of signals.

    Attributes:
        signal: its name.
        share: of alpha, before it is divided over comparisons.
        cv: the source's minute-to-minute variation when it cannot be measured.
        fast: from this share of bad requests on one minute alone may decide.
        bounded: a step passes only once its 95 % bound excludes 5 % of bad requests; else as many requests are
            enough as would do that without a bad one.
        before: minutes before the first raise say what the source's rate is, and how much it varies. For latency they
            only say that it varies more than usual: the limit is itself the source's percentile of that hour.
        compares: the source may suffer the same; then a breach without a source to look at asks a person.
    """

    signal: str
    share: float
    cv: float
    fast: float
    bounded: bool = False
    before: bool = True
    compares: bool = True


@dataclass(frozen=True)
class Terms:
    """What a gate allows the destination.

    Attributes:
        max_ppm: the highest rate, unless the source is above it; None: no such limit.
        ratio: times the source's concurrent rate; None: only `max_ppm` counts.
        floor_ppm: always allowed.
        what: the bad ones in the sentence: "failed", "were slower than 800 ms".
        limit_ppm: PASS must exclude this rate; None: twice what was allowed.
        alone_ppm: allowed while there never was a request of the source to compare with; None: cannot judge then.
        cold_start: the threshold judge counts minutes around a change of weight only when they are an outage, the
            sequential one not the first after it.
        weighing: how the sequential judge takes this signal; None: the threshold judge judges.
    """

    max_ppm: int | None
    ratio: float | None
    floor_ppm: int
    what: str
    limit_ppm: int | None
    min_requests: int | None
    alone_ppm: int | None = None
    budget_ppm: int | None = None
    cold_start: bool = False
    weighing: Weighing | None = None


@dataclass(frozen=True)
class Sample:
    """A minute as one gate counts it.

    Attributes:
        destination: None when it had no requests.
        source: None when it had none.
        unread: what nobody could read, as a clause, "" when all was: the minute then proves nothing.
        shared: the source explains the bad ones, for a reason that the counts do not show.
    """

    destination: Counts | None
    source: Counts | None
    unread: str = ""
    shared: bool = False

    def taught(self, neighbours: Neighbours, minute: Minute, context: GateContext) -> Neighbours:
        """What is usual, with this minute if it was an ordinary one: nothing was lost in it, and the destination served."""
        served = context.weight <= 0 or columns.before_first_raise(context)
        if self.destination is not None:
            served = served or self.destination.total > self.destination.lost
        if self.unread or not served or (self.destination is not None and self.destination.lost):
            return neighbours
        return neighbours.learn(minute)


def stale(newest_ms: int, context: GateContext) -> str:
    """Why the newest minute is too old to judge by; empty when it is not."""
    age = context.now.wall_ms - newest_ms
    if newest_ms and age > max(STALE_PERIODS * context.period_ms, 2 * MINUTE):
        return f"no minute of evidence for {age // MINUTE} minutes"
    return ""


def usual_most(usual: tuple[Counts, ...], fallback_ppm: int | None, requests: int) -> int | None:
    """The most bad requests that the balancer's own rate explains among `requests`; None: its rate is not known.

    `usual` are its minutes before the first raise; fewer than 3 of them fall back on what was measured before.
    """
    total = sum(c.total for c in usual)
    if len(usual) >= 3 and total:
        rate = source_upper_ppm(Counts(total, sum(c.bad for c in usual)))
    elif fallback_ppm is not None:
        rate = float(fallback_ppm)
    else:
        return None
    mean = requests * rate / PPM
    return ceil(mean + 2 * sqrt(mean + (USUAL_CV * mean) ** 2))


def source_upper_ppm(counts: Counts) -> float:
    """95 % upper bound of a rate measured on the source, in ppm."""
    return (counts.bad + 1.645 * sqrt(counts.bad) + 1) * PPM / counts.total
