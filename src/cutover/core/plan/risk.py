"""What a plan's steps can see and what they may cost: the forecasts of `core.power` with the plan's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutover.core.forecast import (
    ForecastInputs,
    ForecastStep,
    StepForecast,
    TrafficRate,
    beyond_budget,
    forecasts,
    heaviest_start,
)
from cutover.core.gates.errors import WEIGHING, ErrorsSpec
from cutover.core.gates.sequential.eprocess import Standard
from cutover.core.gates.spec import EXCLUDED_PPM, fewest_requests
from cutover.core.plan.fields import Observe
from cutover.core.plan.gates import PlannedGate, alpha_scale, default_gates
from cutover.core.plan.model import Plan
from cutover.core.values import PPM, percent_text, rate_text, weight_text

TROUGH, PEAK = 0.7, 1.3
"""What one rate may stand for over a day, when nobody measured it: 30 % less and 30 % more (docs/judge.md)."""


@dataclass(frozen=True)
class OverBudget:
    """`risk.harmed_requests` does not cover what a step may cost.

    Attributes:
        steps: indices, the first of them is the one spoken about.
        cost: requests that a defect may fail there; the budget beside it.
        message: what is wrong, for a place that shows the step.
        fix: what to write instead.
    """

    steps: tuple[int, ...]
    cost: int
    budget: int
    message: str
    fix: str


def errors_spec(gates: Sequence[PlannedGate]) -> ErrorsSpec | None:
    """The settings of the `errors` gate; None without one."""
    found = [gate.spec for gate in gates if gate.kind == "errors"]
    return found[0] if found else None


def inputs_of(plan: Plan, traffic: TrafficRate) -> ForecastInputs | None:
    """What the plan's forecasts stand on; None without an `errors` gate, for then nothing ends a failure."""
    return _inputs(plan.gates, plan.observe, traffic, plan.alpha_scale)


def default_inputs(traffic: TrafficRate, observe: Observe | None = None) -> ForecastInputs:
    """The same for a plan that says nothing about gates, and nothing about `observe` unless given."""
    gates = default_gates()
    found = _inputs(gates, observe or Observe(), traffic, alpha_scale(gates, traffic.comparisons))
    if found is None:
        raise AssertionError("the default gates have an `errors` gate")
    return found


def _inputs(
    gates: Sequence[PlannedGate], observe: Observe, traffic: TrafficRate, alpha_scale: float
) -> ForecastInputs | None:
    spec = errors_spec(gates)
    if spec is None:
        return None
    versus, cap = spec.versus_source, spec.max / PPM
    floor, ratio = (versus.floor / PPM, versus.ratio) if versus else (cap, 1.0)
    return ForecastInputs(
        traffic=traffic,
        standard=Standard(floor, ratio, cap, WEIGHING.cv, WEIGHING.fast),
        share=WEIGHING.share,
        fewest=max(
            fewest_requests(EXCLUDED_PPM),
            *(int(getattr(gate.spec, "requests_to_pass", 0)) for gate in gates),
        ),
        alpha_scale=alpha_scale,
        period_ms=observe.period,
        settle_ms=observe.settle,
        poll_ms=observe.poll,
    )


def detection_ms(plan: Plan) -> int:
    """How long a total failure goes on at least before traffic is back."""
    return default_inputs(traffic_of(plan, 1.0), plan.observe).swift_ms


def traffic_of(plan: Plan, a_minute: float) -> TrafficRate:
    """One rate over all routes, for the quietest and the busiest minute alike."""
    return TrafficRate(a_minute, a_minute, len(plan.comparisons))


def stages_of(plan: Plan) -> tuple[ForecastStep, ...]:
    """The plan's steps as stages: a hand-over is none, it sees nothing and adds only what was held back."""
    return tuple(
        ForecastStep(step.weight, step.bake) for step in plan.steps if not step.hands_over
    )


def forecasts_of(plan: Plan, a_minute: float | None) -> tuple[StepForecast, ...]:
    """Every step's forecast at a rate; none when the rate or what judges failures is not known."""
    if not a_minute:
        return ()
    inputs = inputs_of(plan, traffic_of(plan, a_minute))
    return () if inputs is None else forecasts(inputs, stages_of(plan))


def nothing_keeps(plan: Plan) -> str:
    """Why no budget can be kept, whatever the steps; empty when one can."""
    errors = [gate for gate in plan.gates if gate.kind == "errors"]
    if not errors:
        return "no `errors` gate ends a failure"
    if errors[0].on_breach == "hold":
        return "the `errors` gate only holds: requests go on failing until somebody answers"
    return ""


def not_forecast(plan: Plan) -> str:
    """Why the forecasts do not hold for this plan's `errors` gate; empty when they do."""
    spec = errors_spec(plan.gates)
    if spec is None or spec.judge == "sequential":
        return ""
    return (
        "what a step sees and costs is forecast for `judge: sequential`; this plan's `errors` gate has "
        "`judge: threshold`, which may see a failure later or never, and let more requests fail"
    )


def over_budget(plan: Plan, a_minute: float) -> OverBudget | None:
    """What is beyond `risk.harmed_requests` at this rate; None when every step fits, or there is no budget."""
    inputs = inputs_of(plan, traffic_of(plan, a_minute))
    if plan.risk is None or inputs is None or a_minute <= 0:
        return None
    budget, stages = plan.risk.harmed_requests, stages_of(plan)
    steps = beyond_budget(inputs, stages, budget)
    if not steps:
        return None
    index = steps[0]
    found = forecasts(inputs, stages)[index]
    said = f"risk.harmed_requests is {budget:,}"
    more = f"; over it too: {_named(plan, steps[1:])}" if len(steps) > 1 else ""
    command = (
        f"`cutover schedule PLAN --budget harmed_requests={budget} --rate {rate_text(a_minute)}`"
    )
    if index == 0:
        most = heaviest_start(inputs, stages, budget)
        return OverBudget(
            steps,
            found.blast,
            budget,
            f"if the destination fails completely at this step, about {found.blast:,} requests fail before traffic "
            f"is back; {said}{more}",
            f"start at {weight_text(most)} or less; {command} prints steps that fit"
            if most
            else "raise the budget: not even 0.1 % fits it",
        )
    seen = (
        "no failure at all"
        if found.left >= 1
        else f"failures of {rate_words(found.left)} and more"
    )
    return OverBudget(
        steps,
        found.blast,
        budget,
        f"the bakes before this step are sure to see only {seen}; a defect below that fails about {found.blast:,} "
        f"requests here before traffic is back; {said}{more}",
        f"bake longer before it, or put a smaller step between; {command} prints steps that fit",
    )


def _named(plan: Plan, steps: Sequence[int]) -> str:
    return ", ".join(weight_text(plan.steps[i].weight) for i in steps)


def rate_words(rate: float) -> str:
    """A rate (fraction) as people say it: `3.5%`, two digits."""
    ppm = rate * PPM
    digits = 0
    while ppm >= 100:
        ppm, digits = ppm / 10, digits + 1
    return percent_text(round(ppm) * 10**digits)
