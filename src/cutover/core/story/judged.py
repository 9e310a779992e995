"""The sentence of every verdict of the sequential judge: what was counted, what was allowed, and how rare that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cutover.core.gates.judging import Judgement, Reason, Rule
from cutover.core.gates.rates import count_text, percent, rate_text
from cutover.core.story.words import count_of

MOST_ODDS = 1e12
"""Beyond this a number says nothing more to a person."""


def told(judgement: Judgement) -> Judgement:
    """The judgement with its sentence; unchanged when the gate has said it itself."""
    if judgement.reason is None:
        return judgement
    said = _SENTENCES[judgement.reason.rule](judgement.reason)
    if judgement.on_breach == "ask":
        said += _nobody_to_compare(judgement.reason)
    elif judgement.reason.left_out:
        said += _left_out(judgement.reason.left_out)
    return replace(judgement, why=said)


def _counted(reason: Reason) -> str:
    """`90 of 9,000 requests failed (1.00 %)`."""
    counts = reason.signal.counts
    rate = percent(1e6 * counts.bad / counts.total if counts.total else 0.0)
    return f"{count_text(counts)} requests {reason.what} ({rate})"


def _breach(reason: Reason) -> str:
    return f"{_compared(reason)}; {_odds(reason.odds)}{reason.said}"


def _compared(reason: Reason) -> str:
    """`90 of 9,000 requests failed (1.00 %) in 3 minutes, allowed 0.21 % given the source`."""
    minutes = reason.signal.minutes
    span = "in one minute" if minutes == 1 else f"in {minutes} minutes"
    early = " (some still being published)" if reason.early else ""
    return f"{_counted(reason)} {span}{early}, {_allowed(reason)}"


def _allowed(reason: Reason) -> str:
    given = " given the source" if reason.source.total else ""
    return f"allowed {percent(reason.signal.allowed_ppm)}{given}"


def _odds(odds: float) -> str:
    if odds > MOST_ODDS:
        return "a healthy destination would never show this (fewer than 1 of 1,000,000,000,000 cutovers)"
    return f"a healthy destination would ever show this in fewer than 1 of {odds:,.0f} cutovers"


def _nobody_to_compare(reason: Reason) -> str:
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


def _budget(reason: Reason) -> str:
    return f"{_counted(reason)} in the whole run, its budget is {percent(reason.signal.allowed_ppm)}{reason.said}"


def _shared(reason: Reason) -> str:
    return reason.said or (
        f"the source is bad too: {rate_text(reason.source)} of its requests {reason.what} in its newest bad minute"
    )


def _silent(reason: Reason) -> str:
    due = (
        f", although its weight should have brought it about {reason.due:,} requests"
        if reason.due
        else ""
    )
    return f"no destination datapoint for {reason.count} minutes{due}"


def _unread(reason: Reason) -> str:
    return reason.said


def _nothing(reason: Reason) -> str:
    return "no settled minute of this step with requests yet"


def _watching(reason: Reason) -> str:
    return (
        f"{_compared(reason)}: watching, evidence {reason.signal.evidence:,.0f} of {reason.signal.needed:,.0f}; "
        f"{_odds(reason.odds)}"
    )


def _few(reason: Reason) -> str:
    return f"{_counted(reason)}, needs {reason.count:,} requests in this step"


def _bound(reason: Reason) -> str:
    return (
        f"{_counted(reason)}, but up to {percent(reason.signal.bound_ppm)} may be bad (95 %): "
        f"needs more requests to exclude {percent(reason.limit_ppm)}"
    )


def _patience(reason: Reason) -> str:
    return (
        f"{_counted(reason)}; waited for more requests 20 minutes beyond the bake and goes on without them: "
        f"up to {percent(reason.signal.bound_ppm)} may be bad (95 %)"
    )


def _passes(reason: Reason) -> str:
    return (
        f"{_counted(reason)}, at most {percent(reason.signal.bound_ppm)} (95 %), "
        f"allowed {percent(reason.signal.allowed_ppm)}; evidence against it "
        f"{_small(reason.signal.evidence)} of {reason.signal.needed:,.0f}"
    )


def _small(evidence: float) -> str:
    return f"{evidence:,.0f}" if evidence >= 10 else f"{evidence:.1f}"


_SENTENCES: dict[Rule, Callable[[Reason], str]] = {
    Rule.EVIDENCE: _breach,
    Rule.BUDGET: _budget,
    Rule.SHARED: _shared,
    Rule.SILENT: _silent,
    Rule.UNREAD: _unread,
    Rule.NOTHING: _nothing,
    Rule.WATCHING: _watching,
    Rule.FEW: _few,
    Rule.BOUND: _bound,
    Rule.PATIENCE: _patience,
    Rule.PASSES: _passes,
}
