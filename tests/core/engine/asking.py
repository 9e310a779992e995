"""A gate that says what a test tells it to: the real `errors` gate with another verdict, in a plan like any other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cutover.core.gates.api import Counts, GateContext, Judgement, Signal, Verdict
from cutover.core.gates.errors import ErrorsGate, ErrorsSpec
from cutover.core.journal import events as ev
from cutover.core.observation import Comparison
from cutover.core.plan import Plan, PlannedGate
from tests.fakes import Bench, plan_of

ASK = Judgement(
    Verdict.BREACH,
    "destination fails 5 % of its requests, and nobody can tell whether the source does too",
    on_breach="escalate",
)
PROVEN = Judgement(Verdict.BREACH, "destination fails 5 %, the source does not", on_breach="")
SHARED = Judgement(Verdict.SHARED, "the source fails 5 % too")
WAITS = Judgement(Verdict.WAITING, "12 of 100 requests")


class Told(ErrorsGate):
    """Judges as `errors` does, until `says` is set."""

    def __init__(self) -> None:
        self.says: Judgement | None = None

    def verdict(
        self, spec: ErrorsSpec, memory: Any, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """What the test says, if it says anything."""
        return self.says or super().verdict(spec, memory, comparison, context)


@dataclass(frozen=True)
class ToldGate(PlannedGate):
    """A planned gate whose functions are the test's."""

    told: Told = field(default_factory=Told, compare=False)

    @property
    def gate(self) -> Any:
        """The test's gate."""
        return self.told


def bench_of(**changes: object) -> tuple[Bench, Told]:
    """A run whose first gate is told what to say; `changes` are the plan's."""
    plan: Plan = plan_of(**changes)
    first, *others = plan.gates
    gate = ToldGate(first.kind, first.spec)
    return Bench(plan.model_copy(update={"gates": (gate, *others)})), gate.told


def signal(evidence: float) -> Signal:
    """A signal with this much evidence of the 200 that are needed."""
    return Signal("errors", evidence, 200.0, Counts(6_000, 30), 2_000, 3, 7_000)


def holds(bench: Bench) -> list[str]:
    """The reasons of every hold, in order."""
    return [event.hold for event in bench.events(ev.PhaseChanged) if event.hold]


def held_at(bench: Bench, nth: int = 0) -> int:
    """When the nth hold began (wall ms)."""
    held = [at for at, event in bench.stamped(ev.PhaseChanged) if event.hold]
    return held[nth].wall_ms


def went_back(bench: Bench) -> tuple[int, ev.PhaseChanged]:
    """When the rollback began (wall ms), and why."""
    at, event = next(
        (at, event)
        for at, event in bench.stamped(ev.PhaseChanged)
        if event.after == "ROLLING_BACK"
    )
    return at.wall_ms, event
