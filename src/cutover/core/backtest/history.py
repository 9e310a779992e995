"""What is known of one comparison's past, made ready for attempts: from a table's rows, or as CloudWatch answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cutover.core.backtest.column_mapping import ColumnMapping, mapping_of_table
from cutover.core.backtest.rows import Row
from cutover.core.observation import Absent, Comparison, Minute
from cutover.core.plan import Plan, PlannedGate
from cutover.core.values import MINUTE


@dataclass(frozen=True)
class History:
    """One comparison's past.

    Attributes:
        minutes: oldest first, one for each period; one that nobody knows has no counts.
        period_ms: the distance between two of them.
        lens: which gates are judged on it, and by what calibration.
        divided: there was no destination: each minute of the source is split.
    """

    minutes: tuple[Minute, ...]
    period_ms: int
    mapping: ColumnMapping
    divided: bool


def past_of_rows(
    plan: Plan,
    comparison: Comparison,
    rows: Iterable[Row],
    columns: frozenset[str],
    *,
    divided: bool,
) -> History:
    """The past that a table tells; `columns` are those that it has.

    A table of one service counts `slow` at one limit only: a part of the source is then held to the source's
    own percentile, which is stricter than what the plan allows a destination.
    """
    mapping = mapping_of_table(plan, columns)
    minutes = (mapping.minute(comparison, row) for row in rows)
    if divided and mapping.slow_ms is not None:
        own, relative = (f"source.slower.{limit}" for limit in mapping.slow_ms)
        minutes = (
            Minute(
                m.comparison, m.at_ms, {**m.counts, relative: m.counts[own]} if m.counts else {}
            )
            for m in minutes
        )
    return History(_ready(minutes, divided=divided), MINUTE, mapping, divided)


def past_of_minutes(
    plan: Plan,
    comparison: Comparison,
    minutes: Iterable[Minute],
    calibration: Mapping[str, int],
    *,
    divided: bool,
) -> History:
    """The past as CloudWatch has it, with every series that the plan asks for; other comparisons' minutes are left out."""
    judged: list[PlannedGate] = []
    not_judged: dict[str, str] = {}
    for gate in plan.gates:
        unknown = _unknown_percentiles(gate, calibration)
        if lacking := gate.gate.no_past(gate.spec):
            not_judged[gate.name] = f"CloudWatch's past has no {lacking}"
        elif unknown:
            not_judged[gate.name] = f"the source's {' and '.join(unknown)} is not known"
        else:
            judged.append(gate)
    ours = (minute for minute in minutes if minute.comparison == comparison.id)
    return History(
        _ready(ours, divided=divided),
        max(MINUTE, plan.observe.period // MINUTE * MINUTE),
        ColumnMapping(tuple(judged), not_judged, frozenset(), calibration),
        divided,
    )


def _unknown_percentiles(gate: PlannedGate, calibration: Mapping[str, int]) -> list[str]:
    """Those of the source that it is held against and nobody measured."""
    if getattr(gate.spec, "versus_source", None) is None:
        return []
    return [name for name in gate.gate.percentiles(gate.spec) if not calibration.get(name)]


def _ready(minutes: Iterable[Minute], *, divided: bool) -> tuple[Minute, ...]:
    """As attempts need them.

    Two groups that really served had their own shares, not the plan's: a destination with few requests did not
    lose the others, so the load balancer's 503s are not taken for them.
    """
    if divided:
        return tuple(minutes)
    none = {"balancer.elb_503": Absent.NO_DATAPOINT}
    return tuple(
        Minute(m.comparison, m.at_ms, {**m.counts, **none} if m.counts else {}) for m in minutes
    )
