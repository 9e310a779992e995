"""What a step can see and what it can cost, before anything runs (gating.md section 7).

Forecasts in closed form, checked against the sequential judge by simulation: how many minutes it needs for a defect of
some rate, how many requests fail until then, and the fastest steps that stay inside a budget of failed requests.
"""

from __future__ import annotations

from cutover.core.forecast.control_share import (
    MOST_HELD_BACK,
    THIN,
    bearable,
    kept,
    least_comparable,
    proposed,
)
from cutover.core.forecast.inputs import Ground, Stage, Traffic, planned_horizon
from cutover.core.forecast.optimizer import (
    SHORTEST_BAKE,
    STEEPEST,
    Schedule,
    Wish,
    fastest,
    heaviest_start,
)
from cutover.core.forecast.solve import Nothing, answer
from cutover.core.forecast.step_forecast import LONGEST_BAKE, Outlook, beyond_budget, outlooks

__all__ = [
    "LONGEST_BAKE",
    "MOST_HELD_BACK",
    "SHORTEST_BAKE",
    "STEEPEST",
    "THIN",
    "Ground",
    "Nothing",
    "Outlook",
    "Schedule",
    "Stage",
    "Traffic",
    "Wish",
    "answer",
    "bearable",
    "beyond_budget",
    "fastest",
    "heaviest_start",
    "kept",
    "least_comparable",
    "outlooks",
    "planned_horizon",
    "proposed",
]
