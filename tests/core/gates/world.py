"""A comparison, its minutes and scenes, in as few words as a table needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.core.gates import GATES, GateContext, Judgement
from cutover.core.messages import with_sentence
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Absent, AlarmState, Comparison, GroupHealth, Known, Minute
from cutover.core.values import MINUTE

COMPARISON = Comparison("old>new", "app/prod/50dc6c495c0c9188", "arn:source", "arn:destination")
START_MS = 1_800_000_000_000 // MINUTE * MINUTE
GONE = Absent.NO_DATAPOINT
UNREAD = Absent.UNKNOWN
NOW = Moment(wall_from_ms(START_MS), 0, "boot")

ERRORS = {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}, "judge": "threshold"}
LATENCY = {
    "percentile": 95,
    "max": "800ms",
    "versus_source": {"ratio": 1.25},
    "judge": "threshold",
}
CLIENT_ERRORS = {"versus_source": {"ratio": 1.5, "floor": "1%"}}
LB_ERRORS = {"max": "1%"}
METRIC = {
    "name": "log-volume",
    "namespace": "AWS/Logs",
    "metric": "IncomingBytes",
    "dimensions": {"LogGroupName": "/eks/checkout"},
    "statistic": "Sum",
    "per": "request",
    "max_growth": 3.0,
}
SAMPLES: dict[str, dict[str, Any]] = {
    "errors": ERRORS,
    "latency": LATENCY,
    "client_errors": CLIENT_ERRORS,
    "lb_errors": LB_ERRORS,
    "healthy": {"min": 3, "zones": 2},
    "capacity": {"max_requests_per_target": "200/min"},
    "metric": METRIC,
    "alarm": {"name": "checkout-slo-burn"},
}


def group(
    side: str, requests: object, failed: int = 0, refused: int = 0, hung: int = 0, **more: object
) -> dict[str, object]:
    """The series of one target group as ALB reports them: error series are absent when zero."""
    if not isinstance(requests, int) or requests == 0:
        absent = requests if requests is UNREAD else GONE
        names = (
            "requests",
            "target_2xx",
            "target_3xx",
            "target_4xx",
            "target_5xx",
            "connection_errors",
        )
        return {f"{side}.{name}": absent for name in names} | {
            f"{side}.{k}": v for k, v in more.items()
        }
    counts: dict[str, object] = {
        f"{side}.requests": requests,
        f"{side}.target_2xx": requests - failed - refused - hung,
        f"{side}.target_3xx": GONE,
        f"{side}.target_4xx": refused or GONE,
        f"{side}.target_5xx": failed or GONE,
        f"{side}.connection_errors": GONE,
    }
    return counts | {f"{side}.{name.replace('__', '.')}": value for name, value in more.items()}


def slow(side: str, table: Mapping[int, object]) -> dict[str, object]:
    """Requests slower than each limit (ms): a minute holds them in thousandths."""
    return {
        f"{side}.slower.{ms}": round(count * 1000) if isinstance(count, int | float) else count
        for ms, count in table.items()
    }


def minute_of(
    at: int, *parts: Mapping[str, object], balancer: object = None, **elb: object
) -> Minute:
    """`at` counts minutes from the first raise; the balancer has the requests of both groups unless said."""
    counts: dict[str, Any] = {}
    for part in parts:
        counts |= part
    both = [counts.get(f"{side}.requests") for side in ("source", "destination")]
    total = sum(n for n in both if isinstance(n, int))
    counts["balancer.requests"] = balancer if balancer is not None else (total or GONE)
    for name in ("elb_4xx", "elb_502", "elb_503", "elb_504"):
        counts[f"balancer.{name}"] = elb.get(name, GONE)
    return Minute(COMPARISON.id, START_MS + at * MINUTE, counts)


def health(
    healthy: int,
    zones: Mapping[str, int] | None = None,
    total: int | None = None,
    reasons: Mapping[str, int] | None = None,
) -> dict[str, Known[GroupHealth]]:
    spread = {"a": healthy - healthy // 2, "c": healthy // 2} if zones is None else zones
    return {
        COMPARISON.destination: Known(
            GroupHealth(healthy, healthy if total is None else total, spread, reasons or {}), NOW
        )
    }


def alarm(state: AlarmState) -> Known[dict[str, AlarmState]]:
    return Known({"checkout-slo-burn": state}, NOW)


@dataclass
class Bench:
    """One gate with its memory, fed minute by minute."""

    kind: str
    options: Mapping[str, Any] | None = None
    weight: int = 100
    next_weight: int | None = 250
    calibration: Mapping[str, int] = field(default_factory=lambda: {"p95": 200})
    health: Mapping[str, Any] = field(default_factory=lambda: health(4))
    alarms: Any = None
    step_began_ms: int = START_MS

    def __post_init__(self) -> None:
        self.gate = GATES[self.kind]
        self.spec = self.gate.Spec.model_validate(dict(self.options or SAMPLES[self.kind]))
        self.memory = self.gate.start(self.spec)
        self.newest_ms = START_MS - MINUTE

    def context(self, **changes: Any) -> GateContext:
        now = NOW.plus(self.newest_ms + 3 * MINUTE - START_MS)
        context = GateContext(
            self.weight,
            self.next_weight,
            self.step_began_ms,
            now,
            MINUTE,
            self.health,
            self.alarms,
            self.calibration,
        )
        return replace(context, **changes)

    def before(self, *minutes: Minute) -> Bench:
        """Minutes before the first raise."""
        for minute in minutes:
            self._fold(minute, self.context(weight=0, step_began_ms=0))
        return self

    def feed(self, minutes: Iterable[Minute] | Minute, **changes: Any) -> Bench:
        for minute in (minutes,) if isinstance(minutes, Minute) else minutes:
            self._fold(minute, self.context(**changes))
        return self

    def _fold(self, minute: Minute, context: GateContext) -> None:
        self.memory = self.gate.fold(self.spec, self.memory, minute, context)
        self.newest_ms = minute.at_ms

    def restart(self) -> Bench:
        self.memory = self.gate.restart(self.memory)
        return self

    def step(self, at: int, weight: int = 250) -> Bench:
        self.step_began_ms, self.weight = START_MS + at * MINUTE, weight
        return self

    def says(self, **changes: Any) -> Judgement:
        return with_sentence(
            self.gate.verdict(self.spec, self.memory, COMPARISON, self.context(**changes))
        )

    def alarming(self, *minutes: Minute, **changes: Any) -> Judgement | None:
        found = self.gate.early(self.spec, self.memory, minutes, self.context(**changes))
        return None if found is None else with_sentence(found.judgement)
