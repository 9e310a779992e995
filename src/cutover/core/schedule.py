"""When each step of a plan comes and what it risks, before anything runs: forecasts, never decisions."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.forecast import StepForecast
from cutover.core.plan import Plan
from cutover.core.plan.risk import forecasts_of
from cutover.core.routing import RouteConfig
from cutover.core.values import FULL, MINUTE, RouteId, Weight

STEP_PERIODS = 2
"""Periods a step takes besides its bake and settle: the weight spreads, and a whole period begins."""


@dataclass(frozen=True)
class ScheduledStep:
    """One step ahead.

    Attributes:
        index: in `plan.steps`.
        weight: per mille.
        starts_ms: since the run begins, when nothing holds it up.
        takes_ms: raise, settle and bake together.
        bake_ms: of `takes_ms`, as the plan says.
        approve: what a person is asked before it; the estimate does not wait for the answer.
        requests: requests the destination will get in this step; None when the traffic is not known.
        forecast: what it can see and what it can cost; None likewise, without an `errors` gate, and for a hand-over.
    """

    index: int
    weight: int
    starts_ms: int
    takes_ms: int
    bake_ms: int
    approve: str
    requests: int | None
    forecast: StepForecast | None


@dataclass(frozen=True)
class RoutePreview:
    """One route before a run, and the configs that each weight would give it.

    Attributes:
        route: ARN.
        found: the live config.
        after: (label, config) in order: the attach, then every step.
        stickiness strategy: how a rollback recalls sticky clients: keep, unstick, remove or none.
        stickiness_strategy_why: why this one.
        back: the config that a rollback would leave.
    """

    route: RouteId
    found: RouteConfig
    after: tuple[tuple[Weight, RouteConfig], ...]
    stickiness_strategy: str
    stickiness_strategy_why: str
    back: RouteConfig | None = None


def timeline(plan: Plan, rate: float | None = None) -> tuple[ScheduledStep, ...]:
    """Every step with its clock estimate and its requests at risk.

    `rate` is the measured requests a minute; without it the plan's own `traffic` counts.
    """
    per_minute = plan.traffic if rate is None else rate
    seen = forecasts_of(plan, per_minute)
    found: list[ScheduledStep] = []
    starts = plan.observe.period  # preflight, the attach, and the first settled minutes
    for index, step in enumerate(plan.steps):
        takes = step.bake + plan.observe.settle + STEP_PERIODS * plan.observe.period
        found.append(
            ScheduledStep(
                index=index,
                weight=step.weight,
                starts_ms=starts,
                takes_ms=takes,
                bake_ms=step.bake,
                approve=step.approve or "",
                requests=_sent(step.weight, takes, per_minute),
                forecast=seen[index] if index < len(seen) else None,
            )
        )
        starts += takes
    return tuple(found)


def _sent(weight: int, span_ms: int, per_minute: float | None) -> int | None:
    return None if per_minute is None else round(per_minute * weight / FULL * span_ms / MINUTE)
