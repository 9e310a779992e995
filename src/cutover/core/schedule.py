"""When each step of a plan comes and what it risks, before anything runs: forecasts, never decisions."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.forms import Form
from cutover.core.plan import Plan
from cutover.core.values import FULL, MINUTE, RouteId, Weight

STEP_PERIODS = 2
"""Periods a step takes besides its bake and settle: the weight spreads, and a whole period begins."""


@dataclass(frozen=True)
class StepForecast:
    """One step ahead.

    Attributes:
        index: in `plan.steps`.
        weight: per mille.
        starts_ms: since the run begins, when nothing holds it up.
        takes_ms: raise, settle and bake together.
        bake_ms: of `takes_ms`, as the plan says.
        approve: what a person is asked before it; the estimate does not wait for the answer.
        requests: requests the destination will get in this step; None when the traffic is not known.
        harmed: requests that fail when the destination fails completely at this weight; None likewise.
    """

    index: int
    weight: int
    starts_ms: int
    takes_ms: int
    bake_ms: int
    approve: str
    requests: int | None
    harmed: int | None


@dataclass(frozen=True)
class RoutePreview:
    """One route before a run, and the forms that each weight would give it.

    Attributes:
        route: ARN.
        found: the live form.
        after: (label, form) in order: the attach, then every step.
        recipe: how a rollback recalls sticky clients: keep, unstick, remove or none.
        recipe_why: why this one.
        back: the form that a rollback would leave.
    """

    route: RouteId
    found: Form
    after: tuple[tuple[Weight, Form], ...]
    recipe: str
    recipe_why: str
    back: Form | None = None


def detection_ms(plan: Plan) -> int:
    """How long a complete failure goes on before the way back is written: about 3 minutes on ALB.

    One period in which it happens, and `observe.settle` until CloudWatch has published it whole. The
    measured median of a total failure is 2.9 minutes; big ones are found sooner, in unsettled minutes.
    """
    return plan.observe.period + plan.observe.settle


def harmed(plan: Plan, weight: int, rate: float) -> int:
    """Requests lost when the destination fails completely at `weight`: rate x weight x detection time.

    `rate` is in requests a minute over all routes.
    """
    return round(rate * weight / FULL * detection_ms(plan) / MINUTE)


def timeline(plan: Plan, rate: float | None = None) -> tuple[StepForecast, ...]:
    """Every step with its clock estimate and its requests at risk.

    `rate` is the measured requests a minute; without it the plan's own `traffic` counts.
    """
    per_minute = plan.traffic if rate is None else rate
    found: list[StepForecast] = []
    starts = plan.observe.period  # preflight, the attach, and the first settled minutes
    for index, step in enumerate(plan.steps):
        takes = step.bake + plan.observe.settle + STEP_PERIODS * plan.observe.period
        found.append(
            StepForecast(
                index=index,
                weight=step.weight,
                starts_ms=starts,
                takes_ms=takes,
                bake_ms=step.bake,
                approve=step.approve or "",
                requests=_sent(step.weight, takes, per_minute),
                harmed=None if per_minute is None else harmed(plan, step.weight, per_minute),
            )
        )
        starts += takes
    return tuple(found)


def _sent(weight: int, span_ms: int, per_minute: float | None) -> int | None:
    return None if per_minute is None else round(per_minute * weight / FULL * span_ms / MINUTE)
