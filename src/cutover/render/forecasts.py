"""What each step can see and what it can cost, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from cutover.core.forecast import StepForecast
from cutover.core.plan import Plan
from cutover.core.plan.risk import not_forecast, nothing_keeps, rate_words
from cutover.core.schedule import timeline
from cutover.core.values import duration_text, rate_text, weight_text
from cutover.render.text import table, wrap

HEADS = ("weight", "bake", "needs", "sees from", "outage", "overload", "leak")

NOTES = (
    "sees from: the smallest rate of failures caught within the bake, in 95 of 100 cases, beside a source that fails next to nothing",
    "needs: the bake that sees 5% failing, with the requests that every gate needs",
    (
        "outage, overload, leak: requests that fail before traffic is back, when the destination fails completely from the "
        "start of the step; when what the step adds is too much for it; when errors grow by 0.1 % of the requests a "
        "minute (+: not caught within the bake, so it goes on into the next step)"
    ),
)


def outlook_lines(plan: Plan, width: int, *, rate: float | None = None) -> list[str]:
    """Each step's power and harm; why not, where traffic or what judges it is not known."""
    title = "what each step sees and risks"
    per_minute = plan.traffic if rate is None else rate
    if not per_minute:
        return wrap(
            f"{title}: unknown without traffic; say `traffic: 6000/min` in the plan",
            width,
            rest="  ",
        )
    found = [step.forecast for step in timeline(plan, rate) if step.forecast is not None]
    if not found:
        return wrap(f"{title}: unknown; {nothing_keeps(plan)}", width, rest="  ")
    known = (
        "the plan's traffic" if rate is None else "measured over the last 15 minutes"
    ) + "; the day's highest and lowest are not known"
    lines = wrap(f"{title}, at {rate_text(round(per_minute, 1))} ({known})", width, rest="  ")
    lines += ["  " + line for line in outlook_table(found, width - 2)]
    other = not_forecast(plan)
    for note in (*((f"caution: {other}",) if other else ()), *NOTES):
        lines += wrap(note, width, first="  ", rest="    ")
    if plan.risk is not None:
        worst = max(found, key=lambda one: one.blast)
        lines += wrap(
            f"risk.harmed_requests is {plan.risk.harmed_requests:,}: a defect that is there already, and that no bake "
            f"before is sure to have seen, costs {worst.blast:,} at most, at {weight_text(worst.stage.weight)}",
            width, first="  ", rest="    ",
        )  # fmt: skip
    return lines


def outlook_table(found: Sequence[StepForecast], width: int) -> list[str]:
    """One row per step."""
    return table(HEADS, [_row(one) for one in found], width, right=frozenset(range(len(HEADS))))


def _row(one: StepForecast) -> tuple[str, ...]:
    return (
        weight_text(one.stage.weight),
        duration_text(one.stage.bake_ms),
        "never" if one.needs_ms is None else duration_text(one.needs_ms),
        "nothing" if one.catches is None else rate_words(one.catches),
        "all" if one.total is None else f"{one.total:,}",
        f"{one.overload:,}",
        f"{one.leak:,}" + ("" if one.leak_caught else "+"),
    )


def forecast_json(one: StepForecast | None) -> dict[str, object]:
    """The same as JSON: rates as fractions of 1, durations in ms; null where nobody knows."""
    return {
        "catches": one and one.catches and round(one.catches, 6),
        "needs_ms": one and one.needs_ms,
        "at_risk": one and one.total,
        "overload": one and one.overload,
        "leak": one and one.leak,
        "leak_caught": one and one.leak_caught,
        "blast": one and one.blast,
    }
