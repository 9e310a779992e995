"""Which of a plan's gates a table can feed, and a row as those gates read it.

A table has what the `errors` and `latency` gates count. It cannot hold the other gates' facts (4xx, the load
balancer's own 502 and 504, target health, alarms): those gates are named as not judged, never passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.core.backtest.rows import Group, Row
from cutover.core.gates.latency import STAND_IN
from cutover.core.observation import Absent, Comparison, Count, Minute
from cutover.core.plan import Plan, PlannedGate

COLUMNS = ("requests", "errors", "unanswered", "slow", "over_slo")
"""What a table says of each group, in the order of `Group`'s fields."""

_TAU = 1000


@dataclass(frozen=True)
class ColumnMapping:
    """How a plan looks at past minutes.

    Attributes:
        gates: those that are judged.
        not_judged: the others by name, each with the reason.
        used: the columns (without their side) that some judged gate reads.
        calibration: what preflight would have measured for the comparison, in ms: see `GateContext.calibration`.
        slow_ms: the limits that `slow` counts against at (source, destination).
        over_ms: the limit that `over_slo` counts against.
        unanswered: both groups' unanswered requests are known; of one alone they would blame or excuse the destination.
    """

    gates: tuple[PlannedGate, ...]
    not_judged: Mapping[str, str]
    used: frozenset[str]
    calibration: Mapping[str, int] = field(default_factory=dict)
    slow_ms: tuple[int, int] | None = None
    over_ms: int | None = None
    unanswered: bool = True

    def minute(self, comparison: Comparison, row: Row) -> Minute:
        """The row as CloudWatch would have answered.

        The answers that a target gave are what is left of the requests: all of them 2xx, since the gates of a
        table ask only how many. Each request that nobody answered got a 502: so the gates know it as lost,
        and not as an answer that is still being published.
        """
        if not row.known:
            return Minute(comparison.id, row.at_ms, {})
        counts: dict[str, Count] = {}
        source, destination = self._seen(row.source), self._seen(row.destination)
        for side, group, limit in (("source", source, 0), ("destination", destination, 1)):
            counts |= _answers(side, group)
            if self.slow_ms is not None:
                counts[f"{side}.slower.{self.slow_ms[limit]}"] = _or_none(group.slow)
            if self.over_ms is not None:
                counts[f"{side}.slower.{self.over_ms}"] = _or_none(group.over_slo)
        lost = (source.unanswered or 0) + (destination.unanswered or 0)
        counts["balancer.requests"] = row.size or Absent.NO_DATAPOINT
        counts["balancer.elb_502"] = lost or Absent.NO_DATAPOINT
        counts["balancer.elb_503"] = _or_none(row.elb_503)
        counts["balancer.elb_504"] = Absent.NO_DATAPOINT
        return Minute(comparison.id, row.at_ms, counts)

    def _seen(self, group: Group) -> Group:
        return group if self.unanswered else replace(group, unanswered=None)


def _answers(side: str, group: Group) -> dict[str, Count]:
    none = Absent.NO_DATAPOINT
    bad = (group.errors or 0) + (group.unanswered or 0)
    return {
        f"{side}.requests": _or_none(group.requests),
        f"{side}.target_2xx": none if group.requests is None else max(0, group.requests - bad),
        f"{side}.target_3xx": none,
        f"{side}.target_4xx": none,
        f"{side}.target_5xx": _or_none(group.errors),
        f"{side}.connection_errors": none,
    }


def _or_none(count: int | None) -> Count:
    return Absent.NO_DATAPOINT if count is None else count


def mapping_of_table(plan: Plan, columns: frozenset[str]) -> ColumnMapping:
    """How a plan looks at a table with these columns (`requests`, ... for both groups).

    `slow` belongs to the first latency gate with `versus_source`, `over_slo` to the first with `max`: a
    second gate with another limit would need a column of its own.
    """
    specs = [gate.spec for gate in plan.gates if gate.kind == "latency"]
    relative = next((spec for spec in specs if spec.versus_source is not None), None)
    absolute = next((spec.max for spec in specs if spec.max is not None), None)
    taken = {spec.max for spec in specs if spec.max is not None}
    slow_ms, calibration = None, {}
    if relative is not None:
        slow_ms = _limits(relative.versus_source.ratio, taken)
        calibration = {relative.name_of_percentile: slow_ms[0], STAND_IN: 1}
    judged: list[PlannedGate] = []
    not_judged: dict[str, str] = {}
    used = {"requests"}
    for gate in plan.gates:
        needed, why = _needed(gate, relative, absolute)
        lacks = sorted(needed - columns)
        if not why and lacks:
            why = f"the table has no {' and no '.join(lacks)}"
        if why:
            not_judged[gate.name] = why
        else:
            judged.append(gate)
            used |= needed | ({"unanswered"} if gate.kind == "errors" else set())
    return ColumnMapping(
        gates=tuple(judged),
        not_judged=not_judged,
        used=frozenset(used),
        calibration=calibration,
        slow_ms=slow_ms,
        over_ms=absolute,
        unanswered="unanswered" in columns,
    )


def _needed(gate: PlannedGate, relative: Any, absolute: int | None) -> tuple[set[str], str]:
    """The columns that a gate cannot do without, or why no column would help."""
    if lacking := gate.gate.no_column(gate.spec):
        return set(), f"a table has no {lacking}"
    if gate.kind == "errors":
        return {"requests", "errors"}, ""
    spec, needed = gate.spec, {"requests"}
    if spec.versus_source is not None:
        needed.add("slow")
        first = relative.percentile, relative.versus_source
        if (spec.percentile, spec.versus_source) != first:
            return needed, "the column slow belongs to another latency gate of the plan"
    if spec.max is not None:
        needed.add("over_slo")
        if spec.max != absolute:
            return needed, "the column over_slo belongs to another latency gate of the plan"
    return needed, ""


def _limits(ratio: float, taken: set[int]) -> tuple[int, int]:
    """A percentile of the source that was never measured, and `ratio` times it, away from real limits."""
    tau = _TAU
    while {tau, round(tau * ratio)} & taken:
        tau += 1
    return tau, max(1, round(tau * ratio))
