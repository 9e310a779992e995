"""What a step can see and what it can cost, before anything runs (gating.md section 7).

Forecasts in closed form, checked against the sequential judge by simulation: how many minutes it needs for a defect of
some rate, how many requests fail until then, and the fastest steps that stay inside a budget of failed requests.
"""

from __future__ import annotations

from cutover.core.power.answer import Nothing, answer
from cutover.core.power.fastest import (
    SHORTEST_BAKE,
    STEEPEST,
    THIN,
    Schedule,
    Wish,
    fastest,
    heaviest_start,
    worth_holding_back,
)
from cutover.core.power.ground import Ground, Stage, Traffic, planned_horizon
from cutover.core.power.outlook import LONGEST_BAKE, Outlook, beyond_budget, outlooks

__all__ = [
    "LONGEST_BAKE",
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
    "beyond_budget",
    "fastest",
    "heaviest_start",
    "outlooks",
    "planned_horizon",
    "worth_holding_back",
]
