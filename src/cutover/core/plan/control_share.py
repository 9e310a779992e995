"""Who is left to compare with: what is asked about a source that keeps too few requests, and what is proposed instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cutover.core.forecast import (
    LOW_TRAFFIC,
    MOST_HELD_BACK,
    TrafficRate,
    kept,
    least_comparable,
    proposed,
)
from cutover.core.plan.findings import Loc
from cutover.core.plan.model import Plan
from cutover.core.plan.risk import PEAK, TROUGH
from cutover.core.values import FULL, duration_text, rate_text, weight_text

MEANT: Final = "at 100 % a breach then asks a person"
"""What `hold_back: 0%` means for whoever writes it."""


def hold_back_text(share: int) -> str:
    """`hold_back: 5%`, of per mille."""
    return f"hold_back: {share / 10:g}%"


def proposed_for(traffic: float | None, comparisons: int) -> int:
    """What `hold_back` should say (per mille) with so many requests a minute, known as one rate or not at all."""
    if traffic is None:
        return proposed(
            TrafficRate(
                LOW_TRAFFIC * FULL * comparisons, LOW_TRAFFIC * FULL * comparisons, comparisons
            )
        )
    return proposed(TrafficRate(TROUGH * traffic, PEAK * traffic, comparisons))


def too_low(weight: int, traffic: float, comparisons: int) -> bool:
    """At this weight (below 100 %) the source of a comparison keeps too few requests to compare with."""
    return weight < FULL and kept(TrafficRate(traffic, traffic, comparisons), weight) < LOW_TRAFFIC


def thin_source(plan: Plan) -> Iterator[tuple[Loc, str, str]]:
    """With `traffic`, steps that leave the source less than 50 requests a minute to compare with; `hold_back: 0%` says that they are meant so."""
    if plan.traffic is None or plan.hold_back == 0:
        return
    comparisons, steps = len(plan.comparisons), plan.steps
    low = [i for i, step in enumerate(steps) if too_low(step.weight, plan.traffic, comparisons)]
    if not low:
        return
    first = low[0]
    held_back = first + 1 < len(steps) and steps[first + 1].hands_over
    others = ", ".join(weight_text(steps[i].weight) for i in low[1:])
    also = f"; likewise at {others}" if others else ""
    weight = steps[first].weight
    a_minute = kept(TrafficRate(plan.traffic, plan.traffic, comparisons), weight)
    yield (
        ("hold_back",) if held_back else ("steps", first, "weight"),
        f"the source keeps about {int(a_minute)} requests a minute at {weight_text(weight)}: too few to compare with{also}",
        _instead(plan),
    )


def nobody_to_compare_with(plan: Plan) -> Iterator[tuple[Loc, str, str]]:
    """A last step at 100 without `hold_back`: its bake has nobody to compare with."""
    if plan.written[-1].weight != FULL or plan.hold_back is not None:
        return
    then = "rolls back" if plan.safety.on_hold_timeout == "rollback" else "asks again"
    yield (
        ("steps", len(plan.written) - 1, "weight"),
        (
            "at 100 % the source has no traffic left to compare with: when the destination turns bad in this bake nobody "
            f"can tell whether the source would too; the run then holds, asks a person, and {then} after {duration_text(plan.safety.ask_timeout)}"
        ),
        _instead(plan),
    )


def _instead(plan: Plan) -> str:
    """What leaves nothing to ask about when it is done: never advice that another warning refuses."""
    share, comparisons = proposed_for(plan.traffic, len(plan.comparisons)), len(plan.comparisons)
    if plan.written[-1].weight != FULL:
        most = FULL - least_comparable(
            TrafficRate(plan.traffic or 0.0, plan.traffic or 0.0, comparisons)
        )
        if most > 0:
            return f"stay at {weight_text(most)} or less, which leaves it {int(LOW_TRAFFIC)}/min"
        share = 0
    if not share:
        return (
            f"write `{hold_back_text(0)}` at the top level, if you mean it so: of {rate_text(plan.traffic or 0.0)} no part of "
            f"{weight_text(MOST_HELD_BACK)} or less leaves each source {int(LOW_TRAFFIC)}/min when traffic is low; {MEANT}"
        )
    last = FULL - share
    below = [step.weight for step in plan.written[:-1] if step.weight >= last]
    lower = f", and no step from {weight_text(last)} on but 100" if below else ""
    return (
        f"write `{hold_back_text(share)}` at the top level{lower}: the last bake is then done at {weight_text(last)}, "
        "and 100 % follows (`0%` if you mean it so)"
    )
