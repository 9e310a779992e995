"""The threshold judge behind a counting gate: what was allowed, silence, a sick source, and the sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

from cutover.core.gates import columns
from cutover.core.gates.api import Counts, GateContext, Judgement, Verdict
from cutover.core.gates.counting import Sample, Terms, source_upper_ppm, stale
from cutover.core.gates.neighbours import NO_NEIGHBOURS, Neighbours
from cutover.core.gates.rates import (
    NO_REQUESTS,
    count_text,
    percent,
    rate_ppm,
    rate_text,
    surely_above,
)
from cutover.core.gates.spec import THRESHOLD_REQUESTS
from cutover.core.gates.threshold import limits
from cutover.core.gates.threshold.limits import Because, Exceedance, Question, ThresholdReading
from cutover.core.observation import Minute
from cutover.core.values import FULL, PPM

POOL_MINUTES, POOL_BAD, POOL_MOST = 10, 50, 60
"""The source's rate is pooled over at least 10 minutes, and up to 60 until it has 50 bad requests."""

BASELINE_MINUTES = 30
SILENT_MINUTES, SILENT_DUE = 3, 10
SICK_TIMES = 3
"""A source at more than 3 times its rate before the run is sick, if that is above the floor."""

ALARMING_BAD = 20


@dataclass(frozen=True)
class Memory:
    """What a counting gate keeps between minutes.

    Attributes:
        pool: the source's last minutes with requests, newest last.
        baseline: the source's last minutes before the first raise.
        sick: in which of the last minutes the source was bad itself.
        sick_counts: the source's counts in the newest such minute.
        silent: minutes of this step in a row in which the destination had no datapoint.
        due: requests it should have had in them.
        newest_ms: the newest minute folded.
        incident_ms: start of the first of the source's bad minutes, while its last three have one; else 0.
        neighbours: what the comparison and the balancer's other groups usually get.
    """

    judge: limits.Memory = limits.START
    pool: tuple[Counts, ...] = ()
    baseline: tuple[Counts, ...] = ()
    sick: tuple[bool, ...] = ()
    sick_counts: Counts = NO_REQUESTS
    silent: int = 0
    due: int = 0
    unread: str = ""
    newest_ms: int = 0
    incomparable: bool = False
    incident_ms: int = 0
    neighbours: Neighbours = NO_NEIGHBOURS


START = Memory()


def restart(memory: Memory) -> Memory:
    """Evidence for the destination is gone; what the source did, and evidence against, stay."""
    return replace(memory, judge=limits.restart(memory.judge), silent=0, due=0, newest_ms=0)


def pooled(pool: tuple[Counts, ...]) -> Counts:
    """The newest minutes of the pool, as many as it takes."""
    total, bad = 0.0, 0.0
    for taken, counts in enumerate(reversed(pool)):
        if taken >= POOL_MINUTES and bad >= POOL_BAD:
            break
        total += counts.total
        bad += counts.bad
    return Counts(total, bad)


def allowed_ppm(terms: Terms, pool: tuple[Counts, ...], source: Counts | None) -> int | None:
    """The rate allowed in a minute; None when there is nothing to compare with.

    `max(floor, ratio x source)`, at most `max`, unless the source itself is above `max`: then `ratio x source`. The
    source's rate is the upper bound of its pool, or this minute's rate if that is higher (and not one or two requests).
    """
    known = pooled(pool)
    now = source if source is not None and source.bad >= 3 else Counts(0, 0)
    point = max(rate_ppm(known), rate_ppm(now))
    if terms.max_ppm is not None and point > terms.max_ppm:
        return min(PPM, ceil(max(source_upper_ppm(known), rate_ppm(now)) * (terms.ratio or 1.0)))
    if terms.ratio is None:
        return terms.max_ppm
    if not known.total:
        return terms.alone_ppm
    relative = max(
        terms.floor_ppm, ceil(max(source_upper_ppm(known), rate_ppm(now)) * terms.ratio)
    )
    return min(relative, PPM if terms.max_ppm is None else terms.max_ppm)


def fold(
    terms: Terms, memory: Memory, sample: Sample, minute: Minute, context: GateContext
) -> Memory:
    """The memory after one settled minute."""
    before = columns.before_first_raise(context)
    memory = replace(
        memory,
        newest_ms=minute.at_ms,
        unread="" if before else sample.unread,
        neighbours=sample.taught(memory.neighbours, minute, context),
    )
    source = sample.source if sample.source is not None and sample.source.total else None
    sick = sample.shared or (source is not None and is_sick(terms, memory.baseline, source))
    pool = memory.pool if source is None else (*memory.pool, source)[-POOL_MOST:]
    last = (*memory.sick, sick)[-3:]
    memory = replace(
        memory,
        pool=pool,
        sick=last,
        incident_ms=(memory.incident_ms or minute.at_ms) if any(last) else 0,
        sick_counts=source or memory.sick_counts if sick else memory.sick_counts,
    )
    if before:
        return replace(
            memory,
            baseline=memory.baseline
            if source is None
            else (*memory.baseline, source)[-BASELINE_MINUTES:],
        )
    inside = columns.in_step(minute, context)
    destination = sample.destination
    if destination is None or not destination.total:
        if sample.unread or not inside:
            return memory
        return replace(
            memory,
            silent=memory.silent + 1,
            due=memory.due + memory.neighbours.due(minute, context.weight),
        )
    memory = replace(memory, silent=0, due=0)
    allowed = allowed_ppm(terms, pool, source)
    if allowed is None:
        return replace(memory, incomparable=True)
    if sample.shared:  # the source explains it: it proves nothing, for or against
        return replace(memory, incomparable=False)
    look = ThresholdReading(
        Counts(destination.total, min(destination.bad, destination.total)),
        allowed,
        context.step_began_ms if inside and not sample.unread else None,
        only_outage=terms.cold_start and not inside,
        charged=not sick,  # what both sides suffer is not the destination's to pay for
    )
    return replace(memory, judge=limits.fold(memory.judge, look), incomparable=False)


def is_sick(terms: Terms, baseline: tuple[Counts, ...], source: Counts) -> bool:
    """The source is bad itself: surely above `max`, or far above its own rate before the run."""
    if source.total < 20:
        return False
    if terms.max_ppm is not None and surely_above(source, terms.max_ppm):
        return True
    before = pooled(baseline)
    if not before.total:
        return False
    usual = max(terms.floor_ppm, ceil(SICK_TIMES * source_upper_ppm(before)))
    return limits.is_bad(source, min(usual, PPM))


def verdict(terms: Terms, memory: Memory, context: GateContext) -> Judgement:
    """BREACH, else SHARED, else UNKNOWN, else what the judge says."""
    finding = limits.verdict(
        memory.judge,
        Question(context.step_began_ms, _fewest(terms), terms.limit_ppm, terms.budget_ppm),
    )
    facts = _facts(finding)
    if finding.verdict is Verdict.BREACH:
        code = finding.because.value
        return Judgement(Verdict.BREACH, breach_sentence(terms, finding), facts, code=code)
    if sum(memory.sick) >= 2:
        bad = memory.sick_counts
        facts |= {"source_requests": round(bad.total), "source_bad": round(bad.bad)}
        return Judgement(
            Verdict.SHARED,
            f"the source is bad too: {rate_text(bad)} of its requests {terms.what} in its newest bad minute",
            facts,
            began_ms=memory.incident_ms,
            code="shared",
        )
    unknown = _unknown(memory, context)
    if unknown:
        return Judgement(Verdict.UNKNOWN, unknown.why, facts, code=unknown.code)
    newest_is_bad = any(look.is_bad for look in memory.judge.recent[-1:])
    code = finding.because.value if finding.counts.total else "nothing"
    return Judgement(
        finding.verdict, _sentence(terms, finding), facts, suspects=newest_is_bad, code=code
    )


class _Unknown(NamedTuple):
    code: str
    why: str


def _unknown(memory: Memory, context: GateContext) -> _Unknown | None:
    if memory.unread:
        return _Unknown("unread", memory.unread)
    if memory.silent >= SILENT_MINUTES and memory.due >= SILENT_DUE:
        return _Unknown(
            "silent",
            f"no destination datapoint for {memory.silent} minutes, although its weight should have brought it "
            f"about {memory.due:,} requests",
        )
    if memory.incomparable:
        return _Unknown("no_source", "the source had no requests to compare with")
    old = stale(memory.newest_ms, context)
    return _Unknown("stale", old) if old else None


def _fewest(terms: Terms) -> int:
    return THRESHOLD_REQUESTS if terms.min_requests is None else terms.min_requests


def _facts(finding: Exceedance) -> dict[str, int]:
    return {
        "requests": round(finding.counts.total),
        "bad": round(finding.counts.bad),
        "allowed_ppm": finding.rate_ppm,
        "minutes": finding.minutes,
        "bound_ppm": finding.bound_ppm,
    }


def breach_sentence(terms: Terms, finding: Exceedance) -> str:
    """`90 of 9,000 requests failed (1.00 %), allowed 0.21 % given the source`."""
    c = finding.counts
    head = f"{count_text(c)} requests {terms.what} ({percent(rate_ppm(c))})"
    if finding.because is Because.BUDGET:
        return f"{head} in the whole run, its budget is {percent(finding.rate_ppm)}"
    span = "in one minute" if finding.minutes == 1 else f"in {finding.minutes} minutes"
    given = " given the source" if terms.ratio is not None else ""
    return f"{head} {span}, allowed {percent(finding.rate_ppm)}{given}"


def _sentence(terms: Terms, finding: Exceedance) -> str:
    c = finding.counts
    if not c.total:
        return "no settled minute of this step with requests yet"
    head = f"{count_text(c)} requests {terms.what} ({percent(rate_ppm(c))})"
    match finding.because:
        case Because.PROVEN:
            return f"{head}, at most {percent(finding.bound_ppm)} (95 %), limit {percent(finding.rate_ppm)}"
        case Because.FEW:
            return f"{head}, needs {_fewest(terms):,} requests in this step"
        case Because.WATCHING:
            return f"{head}, watching a bad minute: allowed {percent(finding.rate_ppm)}"
        case _:
            return f"{head}, may still be {percent(finding.bound_ppm)} (95 %), limit {percent(finding.rate_ppm)}: needs more requests"


def alarming(
    terms: Terms, memory: Memory, sample: Sample, minute: Minute, context: GateContext
) -> Judgement | None:
    """An unsettled minute with at least 20 bad requests and twice the allowed rate.

    Its requests may not all be published yet while its errors are: it is held against what the weight should
    have brought, if that is more. The source's errors may be late too: its settled minutes say what is allowed,
    and this one only where it allows more.
    """
    if (
        sample.destination is None
        or sample.destination.bad < ALARMING_BAD
        or context.weight <= 0
        or sample.shared
    ):
        return None
    source = sample.source if sample.source is not None and sample.source.total else None
    pool = memory.pool or (() if source is None else (source,))
    allowed = allowed_ppm(terms, pool, source)
    total = max(round(sample.destination.total), round(sample.destination.bad))
    if context.weight < FULL:
        total = max(total, columns.requests_due(minute, context.weight))
    if allowed is None or sample.destination.bad * PPM < 2 * allowed * total:
        return None
    counts = Counts(total, sample.destination.bad)
    facts = {"requests": total, "bad": round(counts.bad), "allowed_ppm": allowed, "minutes": 1}
    given = " given the source" if terms.ratio is not None else ""
    return Judgement(
        Verdict.BREACH,
        f"{count_text(counts)} requests {terms.what} ({percent(rate_ppm(counts))}) in a minute that is still "
        f"being published, allowed {percent(allowed)}{given}",
        facts,
        code="early",
    )
