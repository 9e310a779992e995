"""Whether settled minutes still arrive, and both sides in them: without that nothing is raised."""

from __future__ import annotations

from cutover.core.engine.turn import Turn
from cutover.core.gates.api import Judgement, Verdict
from cutover.core.gates.neighbours import NO_NEIGHBOURS, USUAL_MINUTES, Neighbours
from cutover.core.observation import Comparison, Minute
from cutover.core.values import FULL, count_of

MINUTES = "minutes"
"""The pseudo-gate that says whether settled minutes still arrive."""

STALE_PERIODS = 3
HOLES_OF = 4
"""Settled minutes of which neither side may have missed one when a weight is raised."""

SILENT_DUE = 10
"""With so many requests due, none at all in a minute is no chance (fewer than 1 of 20,000, Poisson)."""


def fresh(turn: Turn, comparison: Comparison) -> Judgement:
    """Evidence must be fresh: minutes that stop arriving are unknown, whatever the memory says."""
    observe = turn.plan.observe
    newest = turn.state.journalled_ms.get(comparison.id)
    if newest is None:
        judgement = Judgement(Verdict.WAITING, "no settled minute yet", code="none_yet")
        opened = turn.state.opened
        if (
            opened is not None
            and turn.now.after(opened) > observe.settle + (STALE_PERIODS + 1) * observe.period
        ):
            judgement = Judgement(
                Verdict.UNKNOWN,
                "CloudWatch has not answered with a settled minute yet",
                code="none_yet",
            )
    else:
        age = turn.aws_ms - (newest + observe.period) - observe.settle
        judgement = Judgement(Verdict.PASS, "settled minutes arrive", code="arrive")
        if age > STALE_PERIODS * observe.period:
            judgement = Judgement(
                Verdict.UNKNOWN,
                f"no settled minute for {age // 1000} s",
                {"age_s": age // 1000},
                code="stale",
            )
        elif turn.state.step >= 0 and (silence := _silent(turn, comparison, newest)):
            judgement = Judgement(Verdict.UNKNOWN, silence, code="silent")
        elif missing := _stays_away(turn, comparison, newest):
            judgement = Judgement(Verdict.WAITING, missing, code="datapoints_missing")
    return judgement


def _silent(turn: Turn, comparison: Comparison, newest_ms: int) -> str:
    """That nobody had a request in the last settled minutes, or that nothing is known of it; "" for neither.

    That is blindness, not health (docs/promises.md P21). What is not known is not called nothing.
    """
    period = turn.plan.observe.period
    last = turn.state.evidence.minutes(comparison.id, newest_ms - (STALE_PERIODS - 1) * period)
    found = [(m.number("source.requests"), m.number("destination.requests")) for m in last]
    if len(found) < STALE_PERIODS or any(any(sides) for sides in found):
        return ""
    dark = found.count((None, None))
    where = f"on either side in {count_of(len(found), 'settled minute')}"
    if dark == len(found):
        return f"nothing is known of requests {where}"
    return f"no request {where}" + (f", {dark} of them without a datapoint" if dark else "")


def _stays_away(turn: Turn, comparison: Comparison, newest_ms: int) -> str:
    """Which of the last settled minutes lack a side's datapoint, although requests were due to it; "" for none.

    The gates call such silence unknown from its fourth minute on (docs/judge.md); nobody raises a weight onto
    a destination that has just vanished, or comes and goes, nor while there is nobody to compare it with.
    """
    since, period = turn.state.evidence_from_ms, turn.plan.observe.period
    if since <= 0:
        return ""
    last = turn.state.evidence.minutes(
        comparison.id, max(since, newest_ms - (HOLES_OF - 1) * period)
    )
    weight = turn.state.weight or 0
    usual = _usual(turn, comparison, newest_ms, weight)
    for side in ("destination", "source"):
        missing = {
            minute.at_ms: due
            for minute in last
            if not minute.number(f"{side}.requests")
            and (due := _due(minute, side, weight, usual)) >= SILENT_DUE
        }
        if newest_ms in missing:
            return _lacks(side, "in the newest settled minute", missing[newest_ms])
        if missing:
            where = f"in {len(missing)} of the last {count_of(len(last), 'settled minute')}"
            return _lacks(side, where, sum(missing.values()))
    return ""


def _usual(turn: Turn, comparison: Comparison, newest_ms: int, weight: int) -> Neighbours:
    """What the comparison usually gets of its balancer; only at 100 % nothing in the minute itself says so."""
    usual = NO_NEIGHBOURS
    if weight >= FULL:
        since = newest_ms - 2 * USUAL_MINUTES * turn.plan.observe.period
        for minute in turn.state.evidence.minutes(comparison.id, since):
            usual = usual.learn(minute)
    return usual


def _due(minute: Minute, side: str, weight: int, usual: Neighbours) -> int:
    if side == "destination":
        return usual.due(minute, weight)
    taken = minute.number("destination.requests") or 0
    return taken * (FULL - weight) // weight if 0 < weight < FULL else 0


def _lacks(side: str, where: str, due: int) -> str:
    return f"no {side} datapoint {where}, although its weight should have brought it about {due:,} requests"
