"""The sentence of every verdict of the sequential judge: what was counted, what was allowed, and how rare that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cutover.core.gates.api import Counts, Judgement, Rule, SequentialReason
from cutover.core.gates.rates import count_text, percent, rate_ppm, rate_text, surely_above
from cutover.core.values import count_of

AFRESH = "; goes on by itself once enough others are well, or after a fresh bake (`cutover pause`, then `cutover resume`)"
"""A fresh bake counts from nothing."""

MOST_ODDS = 1e12
"""Beyond this a number says nothing more to a person."""


IN_STEP = "in this step"

_NAME_EVIDENCE = (Rule.WATCHING, Rule.TOO_MANY, Rule.PASSES)


def with_sentence(judgement: Judgement) -> Judgement:
    """The judgement with its sentence; unchanged when the gate has said it itself."""
    if judgement.reason is None:
        return judgement
    said = _SENTENCES[judgement.reason.rule](judgement.reason)
    if judgement.on_breach == "escalate":
        said += _nobody_to_compare(judgement.reason)
    elif judgement.reason.left_out and judgement.reason.rule in _NAME_EVIDENCE:
        said += _left_out(judgement.reason.left_out)
    if judgement.reason.rule is Rule.TOO_MANY:
        said += AFRESH
    return replace(judgement, why=said)


def _counted(reason: SequentialReason, where: str) -> str:
    """`90 of 9,000 requests failed (1.00 %) in this step`, and which of them no target group counts."""
    counts = reason.signal.counts
    rate = percent(rate_ppm(counts))
    if (
        counts.lost
    ):  # a part of what the weight should have brought: of requests a person expects whole ones
        counts = Counts(round(counts.total), round(counts.bad), round(counts.lost))
    return f"{count_text(counts)} requests {reason.what} ({rate}) {where}{_lost(counts)}"


def _lost(counts: Counts) -> str:
    """Why the destination's `RequestCount` does not show them."""
    if not counts.lost:
        return ""
    some = "all" if counts.lost == counts.bad else f"{counts.lost:,}"
    return f", {some} of them answered 503 by the load balancer because no target took them"


def _breach(reason: SequentialReason) -> str:
    return f"{_compared(reason)}; {_odds(reason.odds)}{reason.said}"


def _compared(reason: SequentialReason) -> str:
    """`90 of 9,000 requests failed (1.00 %) in the last 3 judged minutes, allowed 0.21 % given the source`.

    Minutes without requests are not judged: by the clock they may be more.
    """
    minutes = reason.signal.minutes
    span = "in one minute" if minutes == 1 else f"in the last {minutes} judged minutes"
    early = " (some still being published)" if reason.early else ""
    return f"{_counted(reason, span + early)}, {_allowed(reason)}"


def _allowed(reason: SequentialReason) -> str:
    given = " given the source" if reason.source.total else ""
    return f"allowed {percent(reason.signal.allowed_ppm)}{given}"


def _odds(odds: float) -> str:
    if odds > MOST_ODDS:
        return "a healthy destination would never show this (fewer than 1 of 1,000,000,000,000 cutovers)"
    return f"a healthy destination would ever show this in fewer than 1 of {odds:,.0f} cutovers"


def _nobody_to_compare(reason: SequentialReason) -> str:
    left = reason.source.total
    if not left:
        return (
            "; no source traffic is left to compare with, so it may be an incident of both sides"
        )
    return f"; only {left:,.0f} requests of the source to compare with, so it may be an incident of both sides"


def _left_out(minutes: int) -> str:
    """Why the counts of a step may be worse than its evidence."""
    return (
        f"; left out of that evidence: {count_of(minutes, 'minute')} of an incident that is over, "
        "with too little source traffic to say whose fault it was"
    )


def _budget(reason: SequentialReason) -> str:
    return f"{_counted(reason, 'in the whole run')}, its budget is {percent(reason.signal.allowed_ppm)}{reason.said}"


def _shared(reason: SequentialReason) -> str:
    if reason.said:
        return reason.said
    known = reason.destination
    too = " too" if surely_above(known, reason.limit_ppm) else ""
    beside = f", {rate_text(known)} of the destination's" if known.total else ""
    return (
        f"the source is bad{too}: {rate_text(reason.source)} of its requests {reason.what} "
        f"in its newest bad minute{beside}"
    )


def _silent(reason: SequentialReason) -> str:
    due = (
        f", although its weight should have brought it about {reason.due:,} requests"
        if reason.due
        else ""
    )
    return f"no destination datapoint for {reason.count} minutes{due}"


def _unread(reason: SequentialReason) -> str:
    return reason.said


def _nothing(reason: SequentialReason) -> str:
    return "no settled minute of this step with requests yet"


def _watching(reason: SequentialReason) -> str:
    return (
        f"{_compared(reason)}: watching, evidence {reason.signal.evidence:,.0f} of {reason.signal.needed:,.0f}; "
        f"{_odds(reason.odds)}"
    )


def _few(reason: SequentialReason) -> str:
    return f"{_counted(reason, IN_STEP)}, which needs {reason.count:,} requests"


def _bound(reason: SequentialReason) -> str:
    limit = percent(reason.limit_ppm)
    if surely_above(
        reason.signal.counts, reason.limit_ppm
    ):  # no number of requests would exclude it
        return (
            f"{_counted(reason, IN_STEP)}, more than {limit}: "
            "goes on 20 minutes beyond the bake, or once fewer fail"
        )
    return (
        f"{_counted(reason, IN_STEP)}, but up to {percent(reason.signal.bound_ppm)} may be bad (95 %): "
        f"needs more requests to exclude {limit}"
    )


def _too_many(reason: SequentialReason) -> str:
    source = reason.source
    cleared = (
        f", because {rate_text(source)} of the source's {reason.what} too {reason.said}"
        if source.total
        else f": {_evidence(reason)}"
    )
    return (
        f"{_counted(reason, IN_STEP)}, too many to go on (at most {percent(reason.limit_ppm)} may); "
        f"the destination is not blamed{cleared}"
    )


def _patience(reason: SequentialReason) -> str:
    bound = f"up to {percent(reason.signal.bound_ppm)} may be bad (95 %)"
    if surely_above(reason.signal.counts, reason.limit_ppm):
        return (
            f"{_counted(reason, IN_STEP)}; waited 20 minutes beyond the bake for fewer and goes on: "
            f"{bound}, not surely more than the plan's `max`"
        )
    return (
        f"{_counted(reason, IN_STEP)}; waited for more requests 20 minutes beyond the bake "
        f"and goes on without them: {bound}"
    )


def _passes(reason: SequentialReason) -> str:
    """The counts are the step's, what was allowed is its newest minute's: in an incident they are far apart."""
    signal = reason.signal
    allowed = (
        f"allowed {percent(signal.allowed_ppm)} in its newest judged minute; "
        if signal.allowed_ppm
        else ""
    )
    return f"{_counted(reason, IN_STEP)}, at most {percent(signal.bound_ppm)} (95 %); {allowed}{_evidence(reason)}"


def _evidence(reason: SequentialReason) -> str:
    evidence = reason.signal.evidence
    text = f"{evidence:,.0f}" if evidence >= 10 else f"{evidence:.1f}"
    return f"evidence against it {text} of {reason.signal.needed:,.0f}"


_SENTENCES: dict[Rule, Callable[[SequentialReason], str]] = {
    Rule.EVIDENCE: _breach,
    Rule.BUDGET: _budget,
    Rule.SHARED: _shared,
    Rule.SILENT: _silent,
    Rule.UNREAD: _unread,
    Rule.NOTHING: _nothing,
    Rule.WATCHING: _watching,
    Rule.FEW: _few,
    Rule.BOUND: _bound,
    Rule.TOO_MANY: _too_many,
    Rule.PATIENCE: _patience,
    Rule.PASSES: _passes,
}
