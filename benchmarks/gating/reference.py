"""The clairvoyant: how soon could anybody know, who knew when the defect began, what it is and how large?

Definition. Take the destination's minutes since the onset, as the product's own run had them (and as they would have gone
on at its last weight). A fixed-sample test that looks once, after T of them, adds up the bad requests of one signal
and fires when there are more than a healthy destination shows with probability alpha x share: negative binomial around
the *allowed* rate, with the signal's default CV (gating.md section 4: errors 0.2 %, CV 0.5, share 0.5; slower than 1.25
x EC2's p95 5 %, CV 0.4, share 0.25; slower than 500 ms 1 %, CV 0.5, share 0.25). It knows which signal to take, and it is
under the same obligation as every judge that must survive the scenario `burst`: one minute alone may not decide
below the signal's fast rate (5 % and 10 x allowed; 50 % for latency); and as one that must survive the cold start of
`benign` it does not count slow requests in the minute of a change of weight.

T is the least number of minutes with which it fires on this defect with a power of 80 %, the convention for planning
fixed-sample tests (a fixed test has one length, and its delay is that length whether it fires or not). The length with even
odds, which misses every second defect, is measured beside it. The
delay is then from the onset until the last of these minutes is published, and half a poll on average until somebody
looks. No real judge can know T: the ratio of a judge's median delay to this one's is the price of not knowing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from benchmarks.gating.chance import negative_binomial_above, negative_binomial_limit
from benchmarks.gating.scenarios import Course
from benchmarks.gating.world import HORIZON, World
from cutover.core.gates.api import Counts
from cutover.core.gates.sequential.eprocess import CV_MARGIN, dispersion

ALPHA = 0.01
POWER, EVEN = 0.8, 0.5


@dataclass(frozen=True)
class Standard:
    """One signal's null, in shares of requests; `cv` is the default, and for latency the least."""

    floor: float
    ratio: float
    cap: float
    cv: float
    share: float
    fast: float

    def allowed(self, source: float) -> float:
        """What a destination may show while the source's true rate is this."""
        relative = self.ratio * source
        return relative if source > self.cap else min(max(self.floor, relative), self.cap)


STANDARDS = {
    "errors": Standard(0.002, 2.0, 0.01, 0.5, 0.5, 0.05),
    "relative": Standard(0.05, 1.0, 1.0, 0.4, 0.25, 0.5),
    "absolute": Standard(0.01, 1.5, 0.01, 0.5, 0.25, 0.5),
}


@dataclass(frozen=True)
class Expected:
    """One minute of the destination: requests, the share of them that is bad, the share allowed."""

    requests: int
    rate: float
    allowed: float


@lru_cache(maxsize=100_000)
def _limit(mean_milli: int, k_milli: int, alpha: float) -> int:
    return negative_binomial_limit(mean_milli / 1000, k_milli / 1000, alpha)


def fires(
    standard: Standard, cv: float, minutes: Sequence[Expected], power: float = POWER
) -> bool:
    """Does the test fire on these minutes with this probability?"""
    means = [one.requests * one.allowed for one in minutes]
    mean, expected = sum(means), sum(one.requests * one.rate for one in minutes)
    if mean <= 0.0 or expected <= mean:
        return False
    if sum(one.requests > 0 for one in minutes) == 1:
        only = max(minutes, key=lambda one: one.requests)
        if only.rate < min(0.9, max(standard.fast, 10 * only.allowed)):
            return False
    # the sum of negative binomials is nearly one with the same mean and variance
    k = mean * mean / (cv**2 * sum(one * one for one in means))
    most = _limit(round(1000 * mean), round(1000 * k), ALPHA * standard.share)
    # the defect itself varies as the source was seen to, without the margin that the null takes
    return negative_binomial_above(expected, k * CV_MARGIN**2, most) >= power


def variation(world: World) -> dict[str, float]:
    """By signal, the CV that a judge measures on the source's hour before the run, by the product's own rule."""
    rows = [world.row(t, Course()) for t in range(-60, 0)]
    counts = {
        "errors": [Counts(row.n_b, row.e_b) for row in rows],
        "relative": [Counts(row.n_b, row.tau_b) for row in rows],
        "absolute": [Counts(row.n_b, row.slo_b) for row in rows],
    }
    measured = {name: dispersion(some, STANDARDS[name].cv) for name, some in counts.items()}
    return {
        name: cv if name == "errors" else max(cv, STANDARDS[name].cv)
        for name, cv in measured.items()
    }


def delay(world: World, course: Course, poll: float, power: float = POWER) -> float | None:
    """Minutes from the onset until the shortest such test has fired; inf when none ever does; None without onset."""
    onset = world.onset(course)
    if onset is None:
        return None
    cv = variation(world)
    seen: dict[str, list[Expected]] = {name: [] for name in STANDARDS}
    published = 0.0
    for t in range(int(onset), HORIZON):
        requests, rates, source = world.expected(t, course)
        published = max(published, world.whole_at(t))
        changed = any(int(since) == t for since, _ in course.changes)
        for name, standard in STANDARDS.items():
            if changed and name != "errors":
                continue
            allowed = standard.allowed(source[name])
            seen[name].append(Expected(requests, rates[name], allowed))
            if requests and fires(standard, cv[name], seen[name], power):
                return published + poll / 2 - onset
    return inf
