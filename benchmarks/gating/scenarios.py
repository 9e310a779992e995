"""What can happen during a simulated cutover: harmless things, defects of the destination, and weather beyond them.

Everything is said relative to the judge's own steps: whoever raises later meets the same trouble at the same age of
the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp
from typing import Final

WEIGHTS: Final = (0.01, 0.05, 0.25, 0.5, 1.0)
BAKES: Final = (10, 10, 10, 10, 15)
"""Steps and bakes (minutes) of every judge (gating.md section 3)."""

LAST = len(WEIGHTS) - 1
INCIDENT_MINUTES = 12
CAPACITY = 0.35
"""The destination of `capacity` can serve this much of all traffic."""

INCIDENT_AT, INCIDENT_BEFORE, WELL_BETWEEN = 6.0, 8.0, 4.0
"""Minutes of `after5`: from the raise to 50 % to the source's incident, its length, and until the defect."""

LATE_AFTER = 3.0
"""`late5` appears so many minutes after the raise to 50 %."""


@dataclass(frozen=True)
class Effects:
    """What differs from a healthy moment; rates are shares of requests, scales multiply every latency.

    Attributes:
        destination_times: multiplies the destination's usual error rate.
        destination_add: errors added to the destination's.
        source_add: errors added to the source's.
        unanswered: requests to the destination that no target answers (the load balancer says 502).
    """

    destination_times: float = 1.0
    destination_add: float = 0.0
    source_add: float = 0.0
    unanswered: float = 0.0
    destination_scale: float = 1.0


QUIET = Effects()


class Course:
    """One judge's way through the steps: when it changed the weight, in minutes since the start."""

    def __init__(self) -> None:
        self.changes: list[tuple[float, float]] = []

    def move(self, at: float, weight: float) -> None:
        """The weight from now on."""
        self.changes.append((at, weight))

    def weight(self, at: float) -> float:
        """The weight in effect at a time."""
        found = 0.0
        for since, weight in self.changes:
            if since > at:
                break
            found = weight
        return found

    def raised(self, step: int) -> float | None:
        """When the step began; None while it did not."""
        return self.changes[step][0] if step < len(self.changes) else None

    def since_change(self, at: float) -> float:
        """Minutes since the newest change of weight before `at`."""
        return min((at - since for since, _ in self.changes if since <= at), default=1e9)


@dataclass(frozen=True)
class Fate:
    """A run's own numbers in [0, 1) for what the scenario leaves open: which step, how long after the raise."""

    which: float
    when: float


class Kind(StrEnum):
    """What a rollback means."""

    HEALTHY = "healthy"  # false
    APART = "apart"  # on purpose (design 3.3), counted apart
    DEFECT = "defect"  # right
    STRESS = "stress"  # false, where the guarantee may end


@dataclass(frozen=True)
class Noise:
    """How a healthy service varies from minute to minute.

    Attributes:
        source, destination: CV of each side's own error rate.
        shared: standard deviation of the log of what both share (AR(1), 0.8 a minute).
        lasting: minutes for which an own value stays.
    """

    source: float = 0.35
    destination: float = 0.35
    shared: float = 0.20
    lasting: int = 1


Happens = Callable[[Course, float, Fate], Effects]
Times = Callable[[Course, Fate], Sequence[float]]


def _quiet(course: Course, at: float, fate: Fate) -> Effects:
    return QUIET


def _no_times(course: Course, fate: Fate) -> Sequence[float]:
    return ()


@dataclass(frozen=True)
class Scenario:
    """One column of the tables.

    Attributes:
        happens: what is different at a time of a course.
        breaks: the times at which it starts and ends, besides changes of weight; the first is the onset.
        rates: requests a second to try; () for the usual three.
        base: the usual error rate.
        bursts_every: minutes; one burst of the destination in each so many, never two side by side; 0: none. gating.md says
            only how bad its bursts are. They came in few cutovers: without the rule that one minute alone does not
            decide, 5.8 % were rolled back. Ours come in every second one; every 15 minutes is a stress.
        gap, disorder, corrections: see `world`.
    """

    name: str
    kind: Kind
    what: str
    happens: Happens = _quiet
    breaks: Times = _no_times
    noise: Noise = field(default_factory=Noise)
    base: float = 0.001
    rates: tuple[float, ...] = ()
    bursts_every: int = 0
    gap: bool = False
    disorder: bool = False
    corrections: bool = False


def constant(effects: Effects) -> Happens:
    """From the first request to the last."""

    def happens(course: Course, at: float, fate: Fate) -> Effects:
        return effects

    return happens


def at_once(course: Course, fate: Fate) -> Sequence[float]:
    """With the destination's first request."""
    began = course.raised(0)
    return () if began is None else (began,)


def after_raise(step: int, minutes: float = 0.0) -> Times:
    """So many minutes after a step's raise."""

    def times(course: Course, fate: Fate) -> Sequence[float]:
        began = course.raised(step)
        return () if began is None else (began + minutes,)

    return times


def since(times: Times, effects: Effects) -> Happens:
    """Nothing before the first of the times, then this."""

    def happens(course: Course, at: float, fate: Fate) -> Effects:
        began = times(course, fate)
        return effects if began and at >= began[0] else QUIET

    return happens


def incident(first: int, last: int, earliest: float, latest: float) -> Times:
    """Twelve minutes that begin at an age of one of the steps `first` to `last`."""

    def times(course: Course, fate: Fate) -> Sequence[float]:
        began = course.raised(first + int(fate.which * (last - first + 1)))
        if began is None:
            return ()
        began += earliest + fate.when * (latest - earliest)
        return (began, began + INCIDENT_MINUTES)

    return times


def during(times: Times, effects: Effects) -> Happens:
    """Between the two times."""

    def happens(course: Course, at: float, fate: Fate) -> Effects:
        found = times(course, fate)
        return effects if found and found[0] <= at < found[1] else QUIET

    return happens


def _benign(course: Course, at: float, fate: Fate) -> Effects:
    cold = 1.0 + 0.5 * exp(-course.since_change(at))
    return Effects(destination_times=1.2, destination_scale=1.08 * cold)


def _leak(course: Course, at: float, fate: Fate) -> Effects:
    age = max(0.0, at - (course.raised(0) or 0.0))
    return Effects(
        destination_add=min(0.2, 0.002 * age), destination_scale=min(5.0, 1.0 + 0.03 * age)
    )


def _overload(course: Course, at: float, fate: Fate) -> Effects:
    weight = course.weight(at)
    return Effects(destination_add=1.0 - CAPACITY / weight) if weight > CAPACITY else QUIET


def _both(error: float) -> Effects:
    return Effects(destination_add=error, source_add=error)


def _shared(name: str, kind: Kind, what: str, times: Times, effects: Effects) -> Scenario:
    return Scenario(name, kind, what, during(times, effects), times)


def _after_incident(course: Course, fate: Fate) -> Sequence[float]:
    """A defect at 50 % and, before it, an incident of the source: too late for our own raise to be suspected of it."""
    began = course.raised(LAST - 1)
    if began is None:
        return ()
    first = began + INCIDENT_AT
    last = first + INCIDENT_BEFORE
    return (last + WELL_BETWEEN, first, last)


def _after(course: Course, at: float, fate: Fate) -> Effects:
    found = _after_incident(course, fate)
    if not found:
        return QUIET
    onset, first, last = found
    if at >= onset:
        return Effects(destination_add=0.05)
    return Effects(source_add=0.2) if first <= at < last else QUIET


EDGE = Effects(destination_times=2.0, destination_scale=1.25)
LATER = incident(0, LAST - 1, 5.5, 9.0)
EARLY = incident(0, LAST - 1, 0.2, 4.8)
AT_THE_END = incident(LAST, LAST, 5.5, 9.5)
_H, _A, _D, _S = Kind.HEALTHY, Kind.APART, Kind.DEFECT, Kind.STRESS


def _defect(name: str, what: str, happens: Happens | Effects, breaks: Times = at_once) -> Scenario:
    found = since(breaks, happens) if isinstance(happens, Effects) else happens
    return Scenario(name, _D, what, found, breaks)


def _null(name: str, what: str, **changes: object) -> Scenario:
    return Scenario(name, _S, what, **changes)  # type: ignore[arg-type]  # a table of few


_HEALTHY = (
    Scenario("null", _H, "both sides are the same"),
    Scenario("benign", _H, "1.2 x the errors, 1.08 x the latency, a cold start", _benign),
    Scenario("noisy", _H, "error rates vary by 70 %", noise=Noise(0.7, 0.7)),
    Scenario(
        "burst", _H, "a one-minute burst of 5 to 30 x the errors every 2 hours", bursts_every=120
    ),
    Scenario("gap", _H, "4 to 8 minutes without metrics", gap=True),
    Scenario("edge", _H, "exactly at the tolerance: errors x 2, latency x 1.25", constant(EDGE)),
    _shared("both5", _H, "12 minutes of 5 % errors on both sides", LATER, _both(0.05)),
    _shared("both40", _H, "12 minutes of 40 % errors on both sides", LATER, _both(0.4)),
    _shared("source", _H, "12 minutes of 10 % errors at EC2", LATER, Effects(source_add=0.1)),
    _shared("both5@100", _H, "as both5, in the last step", AT_THE_END, _both(0.05)),
    _shared("both40@100", _H, "as both40, in the last step", AT_THE_END, _both(0.4)),
)
_APART = (
    _shared("both5<5m", _A, "as both5, begun within 5 minutes of a raise", EARLY, _both(0.05)),
    _shared("both40<5m", _A, "as both40, begun within 5 minutes of a raise", EARLY, _both(0.4)),
)
_LATE = after_raise(LAST - 1, LATE_AFTER)
_DEFECTS = (
    _defect("err1", "1 % more errors", Effects(destination_add=0.01)),
    _defect("err5", "5 % more errors", Effects(destination_add=0.05)),
    _defect("err50", "50 % more errors", Effects(destination_add=0.5)),
    _defect("outage", "no target answers: 502", Effects(unanswered=1.0)),
    _defect("lat2", "latency x 2", Effects(destination_scale=2.0)),
    _defect("lat5", "latency x 5", Effects(destination_scale=5.0)),
    _defect("leak", "0.2 % more errors and 3 % more latency every minute", _leak),
    _defect("capacity", "overload above 35 %", _overload, after_raise(LAST - 1)),
    _defect("late5", "5 % errors from 3 min into 50 %", Effects(destination_add=0.05), _LATE),
    Scenario(
        "after5",
        _D,
        "5 % errors, 4 minutes after 8 minutes of 20 % at EC2",
        _after,
        _after_incident,
    ),
    _defect("last5", "5 % only at 100 %", Effects(destination_add=0.05), after_raise(LAST)),
)
_STRESS = (
    _null("cv4", "the destination varies 4 x as much (CV 140 %)", noise=Noise(0.35, 1.4)),
    _null("lasting", "noise that lasts 5 minutes", noise=Noise(lasting=5)),
    _null("base0.02", "usual error rate 0.02 %", base=0.0002),
    _null("base0.5", "usual error rate 0.5 %", base=0.005),
    _null("trickle", "0.1 requests a second", rates=(0.1,)),
    _null("bursts", "such a burst every 15 minutes", bursts_every=15),
    _null("disorder", "series published in any order, 0 to 3 min late", disorder=True),
    _null("corrected", "one minute in five is corrected later", corrections=True),
)

SCENARIOS: Final[dict[str, Scenario]] = {
    one.name: one for one in (*_HEALTHY, *_APART, *_DEFECTS, *_STRESS)
}
RATES: Final = (5.0, 100.0, 5000.0)


def rates_of(scenario: Scenario) -> tuple[float, ...]:
    """The request rates (a second) to try."""
    return scenario.rates or RATES


def of_kind(*kinds: Kind) -> tuple[Scenario, ...]:
    """The scenarios of these kinds, in the table's order."""
    return tuple(one for one in SCENARIOS.values() if one.kind in kinds)
