"""Gates whose verdict the adversary picks at every look: the statistics have their own proof (tests/proofs/null.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cutover.core.gates.alarm import AlarmSpec
from cutover.core.gates.api import SOURCE_SURELY_BAD, Early, GateContext, Hooks, Judgement, Verdict
from cutover.core.observation import Comparison, Known, Minute, Series, Side
from cutover.core.plan import Plan, PlannedGate

COUNTS = "counts"

FAILED = Series(Side.DESTINATION, "target_5xx")
_COLUMNS = (Series(Side.SOURCE, "requests"), Series(Side.DESTINATION, "requests"), FAILED)

JUDGEMENTS: Mapping[str, Judgement] = {
    "pass": Judgement(Verdict.PASS, "passes"),
    "waiting": Judgement(Verdict.WAITING, "waits for requests"),
    "unknown": Judgement(Verdict.UNKNOWN, "nobody knows"),
    "shared": Judgement(Verdict.SHARED, "the source is bad too"),
    "shared_now": Judgement(Verdict.SHARED, "the source is bad too, since the raise"),
    "shared_perhaps": Judgement(
        Verdict.SHARED, "the source may be bad too", {SOURCE_SURELY_BAD: 0}
    ),
    "breach": Judgement(Verdict.BREACH, "bad"),
    "breach_hold": Judgement(Verdict.BREACH, "bad, and the plan says hold", on_breach="hold"),
    "breach_ask": Judgement(
        Verdict.BREACH, "bad, and nobody can tell whose", on_breach="escalate"
    ),
}
"""Every verdict, and what a breach may lead to."""


@dataclass(frozen=True)
class OracleGate(Hooks):
    """Judged on minutes; says what the adversary put among the alarms of this look."""

    Spec = AlarmSpec

    def needs(
        self, spec: AlarmSpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """The columns that a judge of counts reads."""
        return _COLUMNS

    def alarms(self, spec: AlarmSpec) -> tuple[str, ...]:
        """Where the adversary speaks."""
        return (spec.name,)

    def start(self, spec: AlarmSpec) -> None:
        """Nothing to remember."""

    def restart(self, memory: None) -> None:
        """Nothing to forget."""

    def fold(self, spec: AlarmSpec, memory: None, minute: Minute, context: GateContext) -> None:
        """Nothing to learn."""

    def verdict(
        self, spec: AlarmSpec, memory: None, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """What the adversary picked; unknown when nobody looked."""
        if not isinstance(context.alarms, Known):
            return JUDGEMENTS["unknown"]
        said = str(context.alarms.value.get(spec.name, "unknown"))
        found = JUDGEMENTS[said]
        if said == "shared_now":
            return Judgement(found.verdict, found.why, began_ms=context.now.wall_ms)
        return found

    def early(
        self, spec: AlarmSpec, memory: None, minutes: Sequence[Minute], context: GateContext
    ) -> Early | None:
        """An unsettled minute with failures of the destination is a breach."""
        bad = [minute for minute in minutes if minute.number(FAILED.key)]
        if not bad:
            return None
        return Early(Judgement(Verdict.BREACH, "bad already"), bad[-1].at_ms, twice=False)

    def learned(self, spec: AlarmSpec, memory: None) -> Mapping[str, int]:
        """Nothing."""
        return {}

    def alpha(self, spec: AlarmSpec) -> float:
        """It uses none."""
        return 0.0


@dataclass(frozen=True)
class PlannedOracle(PlannedGate):
    """An oracle in the place of a plan's gate; read with the alarms, for that is asked at every look."""

    @property
    def gate(self) -> Any:
        """The oracle."""
        return _ORACLE


_ORACLE = OracleGate()


def with_oracle(plan: Plan) -> Plan:
    """The plan with one oracle for all its gates but `healthy`, which judges live."""
    oracle = PlannedOracle("alarm", AlarmSpec(name=COUNTS))
    kept = tuple(gate for gate in plan.gates if gate.kind == "healthy")
    return plan.model_copy(update={"gates": (oracle, *kept)})
