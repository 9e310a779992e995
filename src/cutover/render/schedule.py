"""A generated schedule: YAML to paste into a plan, each step with what it sees and risks, and the same as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.forecast import ForecastInputs, Schedule, StepForecast, forecasts
from cutover.core.messages import about
from cutover.core.plan.control_share import MEANT, hold_back_text
from cutover.core.plan.risk import rate_words
from cutover.core.values import FULL, duration_text, rate_text, weight_percent, weight_text
from cutover.render.forecasts import forecast_json
from cutover.render.text import wrap

SOAK = (
    "keep the source attached for 30m or more after the last step: a slow leak may only show then"
)

NOT_HELD = "nothing stays at the source while the last step bakes: "


@dataclass(frozen=True)
class Asked:
    """What a schedule was made for.

    Attributes:
        inputs: traffic and gates.
        budget, overload: requests.
        known: the traffic in words, and where it is known from.
        within_ms: the time allowed; None: any.
    """

    inputs: ForecastInputs
    budget: int
    overload: int
    known: str
    within_ms: int | None


def schedule_view(found: Schedule, asked: Asked, width: int) -> list[str]:
    """The lines to paste, with comments of at most `width` columns."""
    lines: list[str] = []
    time = f"about {about(found.takes_ms)} in all"
    if asked.within_ms is not None:
        time += f", of {duration_text(asked.within_ms)}"
    for said in (
        asked.known,
        (
            f"a defect that is there already fails {asked.budget:,} requests at most; one that only shows when a raise is "
            f"too much, {asked.overload:,}"
        ),
        f"{len(found.stages)} steps, {time}; an outage below is one that begins at that step only",
    ):
        lines += wrap(said, width, first="# ", rest="# ")
    lines.append("steps:")
    for one in forecasts(asked.inputs, found.stages):
        weight = _written(one, found)
        at = f"at {weight_text(one.stage.weight)}, " if weight != one.stage.weight else ""
        lines += wrap(at + _said(one), width, first="  # ", rest="  # ")
        lines.append(f"  - {{weight: {weight / 10:g}, bake: {duration_text(one.stage.bake_ms)}}}")
    if not found.hold_back:
        lines += wrap(NOT_HELD + MEANT, width, first="# ", rest="# ")
    lines.append(hold_back_text(found.hold_back))
    lines += wrap(SOAK, width, first="# ", rest="# ")
    return lines


def _said(one: StepForecast) -> str:
    sees = "nothing" if one.catches is None else f"{rate_words(one.catches)} failing and more"
    outage = "all" if one.total is None else f"{one.total:,}"
    leak = f"{one.leak:,}" + ("" if one.leak_caught else " and goes on")
    a_minute = rate_text(round(one.a_minute, 1 if one.a_minute < 10 else None))
    return f"from {a_minute}: sees {sees}; an outage fails {outage}, an overload {one.overload:,}, a slow leak {leak}"


def _written(one: StepForecast, found: Schedule) -> int:
    """The weight as a plan says it: the last step bakes with some held back."""
    return FULL if one.stage == found.stages[-1] else one.stage.weight


def schedule_json(found: Schedule, asked: Asked) -> dict[str, object]:
    """The same as JSON: weights in percent, durations ms, rates as fractions of 1."""
    traffic = asked.inputs.traffic
    return {
        "budget": {"harmed_requests": asked.budget, "overload_requests": asked.overload},
        "traffic": {
            "trough": round(traffic.trough, 3),
            "peak": round(traffic.peak, 3),
            "comparisons": traffic.comparisons,
            "known": asked.known,
        },
        "takes_ms": found.takes_ms,
        "within_ms": asked.within_ms,
        "hold_back_percent": weight_percent(found.hold_back),
        "steps": [
            {
                "weight_percent": weight_percent(_written(one, found)),
                "bake_ms": one.stage.bake_ms,
                "requests_per_minute": round(one.a_minute, 3),
                **forecast_json(one),
            }
            for one in forecasts(asked.inputs, found.stages)
        ],
    }
