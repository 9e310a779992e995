"""The judges people use today, from their documented rules, on the published series of CloudWatch.

Each looks once a minute, a few seconds after the minute, and moves through the same steps. All use the examples of
their own documentation, untuned: 99 % or 95 % success, p99 of 500 ms. None is our code's opinion: what each reads, and
where that is written, stands in its docstring. They see `HTTPCode_Target_5XX` over `RequestCount` (0 where the error
series is absent, as the FILL of a metric-math expression gives) and the published percentiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from benchmarks.gating.mann_whitney import shift

LOOK_AT = 0.2
"""Minutes after the full minute at which the peers look."""


@dataclass(frozen=True)
class Point:
    """One published minute. Percentiles in ms; 0 where no target answered."""

    t: int
    n_b: int
    e_b: int
    n_c: int
    e_c: int
    p95_b: float
    p95_c: float
    p99_b: float
    p99_c: float

    @property
    def errors(self) -> float | None:
        """The destination's error rate; None without requests."""
        return min(1.0, self.e_c / self.n_c) if self.n_c else None


@dataclass(frozen=True)
class Look:
    """What a judge may know at a look.

    Attributes:
        now: minutes since the start.
        since: when this step began.
        step_over: the step's bake is over.
        points: the last minutes' published datapoints, oldest first; minutes without one are missing.
    """

    now: float
    since: float
    step_over: bool
    points: Sequence[Point]

    def newest(self, within: float) -> Point | None:
        """The newest point with requests of the destination in a window that ends now."""
        for point in reversed(self.points):
            if point.t + 1 <= self.now - within:
                return None
            if point.n_c:
                return point
        return None


class Peer(Protocol):
    """One judge on one run: True means roll back."""

    def look(self, look: Look) -> bool:
        """One look; True rolls back."""


class Flagger:
    """Failed checks are counted and never reset; at `threshold` of them the next tick rolls back.

    Sources: fluxcd/flagger `pkg/controller/scheduler.go` (`FailedChecks >= GetAnalysisThreshold()` is read at the start
    of a tick, before that tick's own check); `scheduler_metrics.go`: all metrics must hold, "no values found" is a
    failed check; `pkg/metrics/providers/cloudwatch.go`@1535f7a: the newest value of the last ten intervals counts. Docs
    "Metrics Analysis": success rate at least 99 %, p99 at most 500 ms, interval 1m, threshold 5 (10 in other examples).
    The ten intervals make a gap of a few minutes harmless; with Prometheus, which this world has not, it is not.
    """

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._failed = 0

    def look(self, look: Look) -> bool:
        """One tick."""
        if self._failed >= self._threshold:
            return True
        point = look.newest(10)
        slow = next((p.p99_c for p in reversed(look.points) if p.p99_c > 0), None)
        good = point is not None and (point.errors or 0.0) <= 0.01 and slow is not None
        self._failed += not (good and slow is not None and slow <= 500.0)
        return False


class Argo:
    """Fails at the fourth bad measurement of success rate; errors at five measurements without a value in a row.

    Sources: argoproj/argo-rollouts docs "Analysis & Progressive Delivery" (background analysis: `result[0] >= 0.95`,
    interval 5m, `failureLimit: 3`) and `analysis/analysis.go`: Failed when failures exceed `failureLimit`, Error when
    consecutive errors exceed `consecutiveErrorLimit` (4). A measurement takes the newest value inside the interval. An
    errored measurement is really repeated after 10 s; here, to its advantage, only at the next interval.
    """

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._due = float(interval)
        self._failures = self._errors = 0

    def look(self, look: Look) -> bool:
        """One tick; measures when the interval is over."""
        if look.now < self._due:
            return False
        self._due += self._interval
        inside = [p for p in look.points if p.t + 1 > look.now - max(3, self._interval)]
        requests = sum(p.n_c for p in inside[-self._interval :])
        if not requests:
            self._errors += 1
            return self._errors > 4
        self._errors = 0
        bad = sum(p.e_c for p in inside[-self._interval :])
        self._failures += bad / requests > 0.05
        return self._failures > 3


class CloudWatchAlarm:
    """Rolls back when either alarm has 2 breaching datapoints of 3: 5xx above 1 %, p99 above 500 ms.

    Sources: AWS docs "Evaluating an alarm" (M out of N) and "Configuring how CloudWatch alarms treat missing data": by
    default missing datapoints are left out and the newest three inside the evaluation range, a little longer than three
    periods, are judged. CodeDeploy and ECS stop and roll back when an alarm of theirs goes off.
    """

    RANGE = 5

    def look(self, look: Look) -> bool:
        """One evaluation of both alarms."""
        recent = [p for p in look.points if p.t + 1 > look.now - self.RANGE - 1 and p.n_c]
        errors = [(p.errors or 0.0) > 0.01 for p in recent][-3:]
        slow = [p.p99_c > 500.0 for p in recent if p.p99_c > 0][-3:]
        return sum(errors) >= 2 or sum(slow) >= 2


class MinimumRequests:
    """A fixed threshold with a guard: more than 5 % errors in two minutes in a row, each of at least 20 requests.

    Source: the guard of kortix-ai/suna#3403 ("each metric only assesses once request volume clears min-requests (20 a
    window); below that it passes"), made after false aborts at low traffic; two minutes in a row is the usual damping.
    """

    def look(self, look: Look) -> bool:
        """The last two published minutes."""
        last = [p for p in look.points if p.n_c][-2:]
        return len(last) == 2 and all(p.n_c >= 20 and (p.errors or 0.0) > 0.05 for p in last)


class Kayenta:
    """Mann-Whitney of this step's minutes against the source's same minutes, at the step's end or every 5 minutes too.

    Sources: spinnaker/kayenta `NetflixACAJudge.scala` and `MannWhitneyClassifier.scala` (confidence 0.98, tolerance
    0.25: High when the interval's lower end exceeds 0.25 x the estimate, and the mean ratio is at least
    `allowedIncrease`, default 1), NaN removed; a critical metric that is High or has no data scores 0, which fails.
    Metrics, all critical, direction increase: 5xx rate, p95, p99. Every 5 minutes with a growing window is the
    `interval` and `lookback` of a canary analysis configuration.
    """

    def __init__(self, every: int | None) -> None:
        self._every = every
        self._step = -1.0
        self._next = 0.0

    def look(self, look: Look) -> bool:
        """Judges when the step is over, or the interval."""
        if look.since != self._step:
            self._step, self._next = look.since, look.since + (self._every or 10_000)
        if look.now < self._next and not look.step_over:
            return False
        self._next += self._every or 10_000
        points = [p for p in look.points if p.t >= look.since - 0.5]
        # at 100 % the source has nothing left: the ten minutes before the step are then its control
        before = [p for p in look.points if p.t < look.since - 0.5][-10:]
        control = [p for p in points if p.n_b]
        control = control if 2 * len(control) > len(points) else before
        return any(
            _high(_values(points, pick_c), _values(control, pick_b)) for pick_c, pick_b in METRICS
        )


Pick = Callable[[Point], float | None]


def _rate(bad: int, requests: int) -> float | None:
    return bad / requests if requests else None


METRICS: Final[tuple[tuple[Pick, Pick], ...]] = (
    (lambda p: _rate(p.e_c, p.n_c), lambda p: _rate(p.e_b, p.n_b)),
    (lambda p: p.p95_c or None, lambda p: p.p95_b or None),
    (lambda p: p.p99_c or None, lambda p: p.p99_b or None),
)


def _values(points: Sequence[Point], pick: Pick) -> list[float]:
    return [value for point in points if (value := pick(point)) is not None]


def _high(experiment: list[float], control: list[float]) -> bool:
    """Kayenta's classification of one critical metric; no data on either side fails as well."""
    if not experiment or not control:
        return True
    found = shift(experiment, control)
    if found is None:
        return False
    above = found.low > 0.25 * abs(found.estimate)
    return above and sum(experiment) / len(experiment) >= sum(control) / len(control)


PEERS: Final[Mapping[str, Callable[[], Peer]]] = {
    "flagger-5": lambda: Flagger(5),
    "flagger-10": lambda: Flagger(10),
    "argo-5m": lambda: Argo(5),
    "argo-1m": lambda: Argo(1),
    "cw-alarm 2of3": CloudWatchAlarm,
    "min-requests": MinimumRequests,
    "kayenta-5min": lambda: Kayenta(5),
    "kayenta-step": lambda: Kayenta(None),
}
