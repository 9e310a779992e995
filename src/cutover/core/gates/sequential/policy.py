"""The sequential judge behind a counting gate: which rule speaks, and what unsettled minutes already say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

from cutover.core.gates import columns
from cutover.core.gates.api import (
    SOURCE_SURELY_BAD,
    Counts,
    Early,
    GateContext,
    Judgement,
    Rule,
    SequentialReason,
    Signal,
    Verdict,
)
from cutover.core.gates.counting import Sample, Terms, Weighing, stale
from cutover.core.gates.rates import NO_REQUESTS, rate_ppm, surely_above, upper_bound_ppm
from cutover.core.gates.sequential import eprocess
from cutover.core.gates.sequential.baseline import (
    SICK_OF,
    START,
    Memory,
    exceeds,
    fold,
    is_compared,
    is_sick,
    restart,
    variation,
    volume,
    weighing_of,
)
from cutover.core.gates.sequential.eprocess import ALPHA, HOLD_ALPHA
from cutover.core.gates.spec import EXCLUDED_PPM, fewest_requests
from cutover.core.observation import Minute
from cutover.core.values import FULL, MINUTE, PPM, with_fields

__all__ = ["START", "Memory", "early", "fold", "looks_whole", "restart", "variation", "verdict"]

PATIENCE = 20 * MINUTE
"""How long beyond its bake a step waits for enough requests (docs/judge.md)."""

SILENT_MINUTES, SILENT_DUE = 4, 10
SICK_MINUTES = 2
"""Of the source's last three minutes so many above `max` make an incident shared."""

WHOLE_SHARE = 0.8
"""A minute looks published whole from 80 % of the median volume of the five before it on."""

EXCUSED = "the source's own requests go unanswered or stay away in the same minutes"

NO_SOURCE = "the source never had a datapoint, though its weight should bring it requests: nothing to compare with"

BUDGET_REQUESTS = 20
MOST_FACT = 2**53


def early(
    terms: Terms, memory: Memory, sampled: Sequence[tuple[Sample, Minute]], context: GateContext
) -> Early | None:
    """What minutes say that are still being published, as far as they look whole."""
    settled, newest = memory, 0
    for sample, minute in sampled:
        if looks_whole(memory.volumes, volume(minute)) and not sample.unread:
            known = _against_due(sample, minute, context)
            memory, newest = fold(terms, memory, known, minute, context), minute.at_ms
            # the source's datapoint may still come: that it is silent is for settled minutes to say
            memory = with_fields(memory, source_silent=settled.source_silent)
    if not newest:
        return None
    found = verdict(terms, memory, context)
    if found.reason is None or found.reason.rule not in (Rule.EVIDENCE, Rule.WATCHING):
        return None
    return Early(replace(found, reason=replace(found.reason, early=True)), newest, twice=False)


def _against_due(sample: Sample, minute: Minute, context: GateContext) -> Sample:
    """A small destination may be published in part though the minute looks whole, its errors before its requests.

    It is then held against what its weight should have brought; not in the minute of a raise, which has two weights.
    """
    known = sample.destination
    if known is None or context.weight >= FULL or not columns.in_step(minute, context):
        return sample
    due = columns.requests_due(minute, context.weight)
    if known.total >= WHOLE_SHARE * due:
        return sample
    return replace(sample, destination=replace(known, total=due))


def looks_whole(volumes: Sequence[float], volume: float) -> bool:
    """A newest minute's requests are at least 80 % of the median of the five minutes before it."""
    before = sorted(volumes)
    return not before or volume >= WHOLE_SHARE * before[len(before) // 2]


def verdict(terms: Terms, memory: Memory, context: GateContext) -> Judgement:
    """BREACH, else SHARED, else UNKNOWN, else WAITING, else PASS (docs/judge.md's order)."""
    weighing = weighing_of(terms)
    share = weighing.share * context.alpha_scale
    evidence = memory.weigher.evidence
    waits = evidence >= 1 / (HOLD_ALPHA * share)
    found = eprocess.loudest(memory.weigher) if waits else eprocess.newest(memory.weigher)
    proof = memory.proof if memory.step == context.step_began_ms else NO_REQUESTS
    signal = Signal(
        name=weighing.signal,
        evidence=evidence,
        needed=1 / (ALPHA * share),
        counts=found.destination,
        allowed_ppm=round(found.allowed * PPM),
        minutes=found.minutes,
        bound_ppm=upper_bound_ppm(proof),
    )
    reason = SequentialReason(
        Rule.EVIDENCE,
        terms.what,
        signal,
        odds=evidence * share,
        source=found.source,
        left_out=memory.left_out,
    )
    if evidence >= signal.needed:
        spared = not weighing.compares or is_compared(found, memory.cv)
        began_ms = memory.newest_ms - (found.minutes - 1) * context.period_ms
        said = _say(Verdict.BREACH, reason, on_breach="" if spared else "escalate")
        return replace(said, began_ms=began_ms)
    budget = terms.budget_ppm
    if budget is not None and _is_spent(memory, budget):
        spent = replace(signal, counts=memory.run, allowed_ppm=budget, minutes=0)
        return _say(Verdict.BREACH, replace(reason, rule=Rule.BUDGET, signal=spent, odds=0.0))
    bad_source = [one for one in memory.sources if is_sick(terms, one)]
    if len(bad_source) >= SICK_MINUTES:
        said = _say(Verdict.SHARED, _sick(terms, memory, reason, bad_source[-1]))
        surely = int(_surely_bad(terms, memory))
        facts = {**said.facts, SOURCE_SURELY_BAD: surely}
        return replace(said, facts=facts, began_ms=memory.incident_ms)
    if sum(memory.source_explains) >= SICK_MINUTES:
        said = _say(Verdict.SHARED, replace(reason, rule=Rule.SHARED, said=EXCUSED))
        return replace(said, began_ms=memory.incident_ms)
    if unknown := _unknown(terms, memory, context, reason):
        return _say(Verdict.UNKNOWN, unknown)
    if waits:
        return _say(Verdict.WAITING, replace(reason, rule=Rule.WATCHING))
    reason = replace(reason, signal=replace(signal, counts=proof, minutes=0), odds=0.0)
    return _earned(terms, weighing, memory, context, reason)


def _unknown(
    terms: Terms, memory: Memory, context: GateContext, reason: SequentialReason
) -> SequentialReason | None:
    if memory.unread:
        return replace(reason, rule=Rule.UNREAD, said=memory.unread)
    if memory.silent >= SILENT_MINUTES and memory.due >= SILENT_DUE:
        return replace(reason, rule=Rule.SILENT, count=memory.silent, due=memory.due)
    if old := stale(memory.newest_ms, context):
        return replace(reason, rule=Rule.UNREAD, said=old)
    judged_alone = memory.weigher.last and not memory.weigher.pool
    if terms.ratio and context.weight < FULL and judged_alone:
        return replace(reason, rule=Rule.UNREAD, said=NO_SOURCE)
    if terms.ratio and memory.source_silent >= SILENT_MINUTES and memory.source_due >= SILENT_DUE:
        return replace(reason, rule=Rule.UNREAD, said=_source_silent(memory))
    return None


def _source_silent(memory: Memory) -> str:
    return (
        f"no source datapoint for {memory.source_silent} minutes, although its share of the weight should have "
        f"brought it about {memory.source_due:,} requests: nothing to compare with"
    )


def _sick(
    terms: Terms, memory: Memory, reason: SequentialReason, source: Counts
) -> SequentialReason:
    """The source's newest bad minute, and the destination's requests in the same one."""
    same = (one.destination for one in reversed(memory.weigher.last) if one.source is source)
    return replace(
        reason,
        rule=Rule.SHARED,
        source=source,
        destination=next(same, NO_REQUESTS),
        limit_ppm=terms.max_ppm or 0,
    )


def _earned(
    terms: Terms,
    weighing: Weighing,
    memory: Memory,
    context: GateContext,
    reason: SequentialReason,
) -> Judgement:
    """What the step's own requests prove."""
    proof, bound = reason.signal.counts, reason.signal.bound_ppm
    if not proof.total:
        return _say(Verdict.WAITING, replace(reason, rule=Rule.NOTHING))
    if (
        memory.silent >= SILENT_MINUTES
    ):  # its few requests stay away: that is no evidence of anything
        return _say(Verdict.WAITING, replace(reason, rule=Rule.SILENT, count=memory.silent))
    fewest = terms.min_requests or 0
    if proof.total < fewest:
        return _say(Verdict.WAITING, replace(reason, rule=Rule.FEW, count=fewest))
    least = fewest_requests(EXCLUDED_PPM)
    if bound <= EXCLUDED_PPM or (not weighing.bounded and proof.total >= least):
        return _say(Verdict.PASS, replace(reason, rule=Rule.PASSES))
    reason = replace(reason, limit_ppm=EXCLUDED_PPM)
    covered = memory.newest_ms + context.period_ms - context.step_began_ms
    hopeless = weighing.bounded and surely_above(proof, max(EXCLUDED_PPM, terms.max_ppm or 0))
    if covered >= context.bake_ms + PATIENCE and not fewest and not hopeless:
        return _say(Verdict.PASS, replace(reason, rule=Rule.PATIENCE))
    if not weighing.bounded:
        return _say(Verdict.WAITING, replace(reason, rule=Rule.FEW, count=least))
    if hopeless or (fewest and surely_above(proof, EXCLUDED_PPM)):
        return _say(Verdict.WAITING, _too_many(terms, memory, reason))
    return _say(Verdict.WAITING, replace(reason, rule=Rule.BOUND))


def _too_many(terms: Terms, memory: Memory, reason: SequentialReason) -> SequentialReason:
    """More of the same would not let the step go on; a source that is above `max` itself clears the destination."""
    source, when = memory.beside, "in the same minutes"
    if not source.total:
        last = memory.weigher.pool[-SICK_OF:]
        source, when = sum(last, start=NO_REQUESTS), "when it last had requests"
    clears = rate_ppm(source) > (terms.max_ppm or 0)
    limit = EXCLUDED_PPM if terms.min_requests else max(EXCLUDED_PPM, terms.max_ppm or 0)
    return replace(
        reason,
        rule=Rule.TOO_MANY,
        source=source if clears else NO_REQUESTS,
        limit_ppm=limit,
        said=when,
    )


def _say(verdict: Verdict, reason: SequentialReason, on_breach: str = "") -> Judgement:
    signal = reason.signal
    facts = {
        "requests": round(signal.counts.total),
        "bad": round(signal.counts.bad),
        "allowed_ppm": signal.allowed_ppm,
        "minutes": signal.minutes,
        "bound_ppm": signal.bound_ppm,
        "evidence_milli": min(MOST_FACT, round(signal.evidence * 1000)),
        "needed": round(signal.needed),
    }
    if reason.rule is Rule.SHARED or on_breach == "escalate":
        facts |= {
            "source_requests": round(reason.source.total),
            "source_bad": round(reason.source.bad),
        }
    return Judgement(verdict, "", facts, on_breach, (signal,), reason, code=reason.rule.value)


def _surely_bad(terms: Terms, memory: Memory) -> bool:
    """The source's last minutes together exceed `max` by more than noise, were it the same in all of them."""
    total, bad = sum(c.total for c in memory.sources), sum(c.bad for c in memory.sources)
    return exceeds(Counts(total, bad), terms.max_ppm or 0, memory.cv)


def _is_spent(memory: Memory, budget_ppm: int) -> bool:
    """The whole run's bad requests exceed the budget by more than noise, looked at every minute as it is."""
    if memory.run.bad < BUDGET_REQUESTS:
        return False
    return exceeds(memory.run, budget_ppm, memory.cv / sqrt(memory.charged))
