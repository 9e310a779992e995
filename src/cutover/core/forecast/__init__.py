"""What a step can see and what it can cost, before anything runs (docs/judge.md).

Forecasts in closed form, checked against the sequential judge by simulation: how many minutes it needs for a defect of
some rate, how many requests fail until then, and the fastest steps that stay inside a budget of failed requests.
"""

from __future__ import annotations

from cutover.core.forecast.control_share import (
    LOW_TRAFFIC,
    MOST_HELD_BACK,
    bearable,
    kept,
    least_comparable,
    proposed,
)
from cutover.core.forecast.inputs import ForecastInputs, ForecastStep, TrafficRate, planned_horizon
from cutover.core.forecast.optimizer import (
    SHORTEST_BAKE,
    STEEPEST,
    Schedule,
    ScheduleRequest,
    heaviest_start,
    optimize,
)
from cutover.core.forecast.solve import Infeasible, solve
from cutover.core.forecast.step_forecast import (
    LONGEST_BAKE,
    StepForecast,
    beyond_budget,
    forecasts,
)

__all__ = [
    "LONGEST_BAKE",
    "LOW_TRAFFIC",
    "MOST_HELD_BACK",
    "SHORTEST_BAKE",
    "STEEPEST",
    "ForecastInputs",
    "ForecastStep",
    "Infeasible",
    "Schedule",
    "ScheduleRequest",
    "StepForecast",
    "TrafficRate",
    "bearable",
    "beyond_budget",
    "forecasts",
    "heaviest_start",
    "kept",
    "least_comparable",
    "optimize",
    "planned_horizon",
    "proposed",
    "solve",
]
