"""A run over minutes that are past: the engine decides, in a world in which nothing but the minutes can go wrong.

The route takes each weight at once and reads back equal, targets are healthy, AWS says who we are and nobody says a
command. `decide` is asked as a live run asks it, and each record is folded once, in the order of `runner.py`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cutover.core.actions import SetWeight
from cutover.core.backtest.column_mapping import ColumnMapping
from cutover.core.backtest.rows import moment_of
from cutover.core.engine import Decision, decide
from cutover.core.journal import events as ev
from cutover.core.messages import explain
from cutover.core.observation import (
    NOT_ASKED,
    Comparison,
    GroupHealth,
    Identity,
    Known,
    Minute,
    Observation,
    Reading,
)
from cutover.core.plan import Plan
from cutover.core.reasons import Code, Reason, because
from cutover.core.routing import RouteConfig, config_body
from cutover.core.state import Phase, RunState, evolve
from cutover.core.values import NONE, Weight


def judged_plan(
    plan: Plan, comparison: Comparison, mapping: ColumnMapping, **observe: int
) -> Plan:
    """As much of the plan as past minutes of one comparison can judge; `observe` is what differs of that section.

    One route stands for all of the comparison's. Approvals and windows are left out: the question is what the gates say.
    """
    fields: dict[str, Any] = {name: getattr(plan, name) for name in Plan.model_fields}
    fields |= {
        "routes": tuple(
            route for route in plan.routes if plan.comparison_of(route.id) == comparison
        )[:1],
        "written": tuple(step.model_copy(update={"approve": None}) for step in plan.written),
        "gates": mapping.gates,
        "windows": (),
        "observe": plan.observe.model_copy(update=observe),
    }
    judged = Plan.model_construct(**fields)
    # the cached property: a gate keeps the share of alpha that it has beside those that cannot be judged
    judged.__dict__["alpha_scale"] = plan.alpha_scale
    return judged


class SimulatedRun:
    """A run that stands before its first raise, its checks passed and its destination attached.

    Attributes:
        plan: see `judged_plan`.
        comparison: its one comparison.
        state: the fold of its records so far.
        now: when its next turn looks; whoever drives it moves this on.
    """

    def __init__(
        self, plan: Plan, mapping: ColumnMapping, began_ms: int, *, sticky: bool = False
    ) -> None:
        """Open the run; `sticky`: shares of the past's requests are not by weight, as with sticky clients."""
        self.plan, self.comparison = plan, plan.comparisons[0]
        self.state, self.now = RunState(), moment_of(began_ms)
        self._route, self._sticky, self._previous = plan.routes[0].id, sticky, self.now
        self._live = _config(NONE, sticky)
        aws, routes = plan.aws, (str(self._route),)
        configs, calibration = {routes[0]: config_body(self._live)}, dict(mapping.calibration)
        self.record(
            ev.RunOpen(plan.name, "", aws.account, aws.region, "rehearsal", "", routes),
            ev.LeaseTaken("", "", 0),
            ev.Snapshot(configs, {}, {}, {self.comparison.id: calibration}),
            _turned(Phase.PREFLIGHT, Phase.ATTACHING, because(Code.CHECKS_PASSED), -1),
        )

    def record(self, *events: ev.Event) -> None:
        """Fold events, each as the next record."""
        for event in events:
            record = ev.Record(self.state.seq + 1, 1, self.now, event)
            self.state = evolve(self.plan, self.state, record)

    def observed(self, minutes: Reading[tuple[Minute, ...]] = NOT_ASKED) -> Observation:
        """What a look sees now."""
        healthy = Known(GroupHealth(1, 1), self.now)
        return Observation(
            configs={self._route: Known(self._live, self.now)},
            minutes=minutes,
            health={self.comparison.source: healthy, self.comparison.destination: healthy},
            identity=Known(Identity(self.plan.aws.account, ""), self.now),
            previous=self._previous,
        )

    def turn(self, minutes: Reading[tuple[Minute, ...]]) -> Decision:
        """One turn: what the engine decides is folded and done."""
        decision = decide(self.plan, self.state, self.observed(minutes), self.now)
        self.state, self._previous = decision.state, self.now
        if isinstance(decision.effect, SetWeight):
            self._write(decision.effect.weight, decision.effect.reason)
        return decision

    def stand_at(self, step: int, weight: int) -> None:
        """The records of a run that raised to this step just now, whatever the engine would have decided."""
        shifts, raised = step != self.state.step, because(Code.RAISING, weight=weight)
        if shifts:
            self.record(_turned(self.state.phase, Phase.SHIFTING, raised, step))
        self._write(Weight(weight), raised)
        config, ms = self._live, self.now.wall_ms
        seen = {"route": self._route, "hash": config.hash, "config": config_body(config)}
        verified = ev.Verified(self._route, config.hash, weight, ms, ms)
        self.record(ev.Observed("config", seen), verified)
        if shifts:
            there = because(Code.COMMITTED, weight=weight)
            shares, said = {self.comparison.id: -1}, explain(there)
            self.record(
                _turned(Phase.SHIFTING, Phase.SETTLING, there, step, ms),
                ev.WeightObserved(step, ms, shares, there.code, there.facts, said),
                _turned(Phase.SETTLING, Phase.BAKING, there, step),
            )

    def _write(self, weight: Weight, why: Reason) -> None:
        before, self._live = self._live.hash, _config(weight, self._sticky)
        target, config = self.state.target, config_body(self._live)
        self.record(
            ev.Intent(
                self._route, "move", target, 1, before, config, weight, why.code, explain(why)
            ),
            ev.Outcome(self._route, 1, "applied"),
        )


def _turned(
    before: Phase, after: Phase, why: Reason, step: int, from_ms: int = 0
) -> ev.PhaseChanged:
    return ev.PhaseChanged(before, after, why.code, why.facts, explain(why), step, from_ms=from_ms)


@cache
def _config(weight: Weight, sticky: bool) -> RouteConfig:  # noqa: FBT001 - a part of the key
    return RouteConfig(f"the destination weighs {weight}", weight, attached=True, sticky=sticky)
