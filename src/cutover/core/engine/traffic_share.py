"""Is the split really in effect? The observed share ends SETTLING."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from cutover.core.engine.turn import Turn
from cutover.core.observation import Comparison, Minute
from cutover.core.plan import Plan
from cutover.core.reasons import Code, Reason, because

Z = 4.0
"""Width of the binomial band in standard deviations: a false alarm in some 16,000 looks."""

SLACK = 0.01
"""Share allowed beside the band, and a tenth of the weight: ALB nodes split on their own."""

ENOUGH = 20
"""Requests due to the rarer side before a share says anything."""

POOLED = 5
"""Settled minutes pooled before too few requests are said to be too few."""


@dataclass(frozen=True)
class Share:
    """The observed share of every comparison: inside its band, and from which minute on."""

    inside: bool
    why: Reason
    from_ms: int = 0
    shares: dict[str, int] = field(default_factory=dict)  # per mille; -1 where skipped


def settle_deadline(plan: Plan) -> int:
    """How long (ms) the data plane may take before it holds: the settle delay and eight periods."""
    return plan.observe.settle + 8 * plan.observe.period


def share(turn: Turn) -> Share:
    """The share of every comparison since the weight was committed."""
    began = turn.state.evidence_from_ms  # while no weight is in effect no minute is younger
    shares: dict[str, int] = {}
    notes: list[Reason] = []
    from_ms = began
    for comparison in turn.plan.comparisons:
        minutes = turn.state.evidence.minutes(comparison.id, began)
        if not minutes:
            return Share(inside=False, why=because(Code.SHARE_WAITING))
        inside, since, observed, note = _comparison(turn, comparison, minutes)
        if not inside:
            return Share(inside=False, why=note)
        from_ms = max(from_ms, since)
        shares[comparison.id] = observed
        notes.append(note)
    each = [one for n, one in enumerate(notes) if one not in notes[:n]]
    why = each[0] if len(each) == 1 else because(Code.SHARES_INSIDE, each=each)
    return Share(inside=True, why=why, from_ms=from_ms, shares=shares)


def _comparison(
    turn: Turn, comparison: Comparison, minutes: tuple[Minute, ...]
) -> tuple[bool, int, int, Reason]:
    """(inside, evidence may count from, observed per mille, what to say)."""
    weight = turn.state.weight
    skip = _skipped(turn, comparison)
    if skip:
        return True, minutes[0].at_ms, -1, because(Code.SHARE_NOT_REQUIRED, said=skip)
    # a minute whose requests nobody could read is not a minute without requests
    minutes = tuple(minute for minute in minutes if not _unread(minute))
    rare = min(weight, 1000 - weight) / 1000 or 1.0
    pool = minutes[-1:]
    source, destination = _requests(pool)
    if (source + destination) * rare < ENOUGH:
        pool = minutes[-POOLED:]
        source, destination = _requests(pool)
    total = source + destination
    if total * rare < ENOUGH:
        if len(minutes) >= POOLED and total > 0:  # none at all is blindness, not little traffic
            few = f"only {total} requests in {len(pool)} minutes"
            return True, minutes[0].at_ms, -1, because(Code.SHARE_NOT_REQUIRED, said=few)
        few_yet = because(Code.SHARE_TOO_FEW, requests=total, minutes=len(pool))
        return False, 0, 0, few_yet
    wanted = weight / 1000
    observed = destination / total
    band = (
        Z * math.sqrt(wanted * (1 - wanted) / total)
        + SLACK * max(wanted, 0.1)
        + 0.1 * min(wanted, 1 - wanted)
    )
    said = {"observed": round(1000 * observed), "requests": total, "weight": weight}
    # twenty or more were due to each side that has a weight: none at all is never the split in effect
    missing = destination == 0 or (source == 0 and weight < 1000)
    if abs(observed - wanted) <= band and not missing:
        return True, pool[0].at_ms, round(1000 * observed), because(Code.SHARE_INSIDE, **said)
    low, high = round(1000 * max(0.0, wanted - band)), round(1000 * min(1.0, wanted + band))
    return False, 0, 0, because(Code.SHARE_OUTSIDE, **said, low=low, high=high)


def _unread(minute: Minute) -> bool:
    return minute.is_unknown("source.requests") or minute.is_unknown("destination.requests")


def _requests(minutes: tuple[Minute, ...]) -> tuple[int, int]:
    source = sum(minute.number("source.requests") or 0 for minute in minutes)
    destination = sum(minute.number("destination.requests") or 0 for minute in minutes)
    return source, destination


def _skipped(turn: Turn, comparison: Comparison) -> str:
    """Why the share of this comparison cannot be required."""
    if turn.plan.leave:
        return "other rules forward to these groups too, see leave"
    for route in turn.plan.routes:
        known = turn.state.routes[route.id]
        if (
            turn.plan.comparison_of(route.id) == comparison
            and known.committed is not None
            and known.committed.sticky
        ):
            return "sticky clients stay where they are"
    return ""
