"""What a minute teaches the sequential judge behind a counting gate: the memory, and its fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

from cutover.core.gates import columns
from cutover.core.gates.api import Counts, GateContext
from cutover.core.gates.counting import Sample, Terms, Weighing
from cutover.core.gates.neighbours import NO_NEIGHBOURS, Neighbours
from cutover.core.gates.rates import NO_REQUESTS
from cutover.core.gates.sequential import eprocess
from cutover.core.gates.sequential.eprocess import (
    ALPHA,
    HOLD_ALPHA,
    Course,
    EvidenceReading,
    Standard,
    Trial,
)
from cutover.core.observation import Minute
from cutover.core.values import FULL, PPM, with_fields

BASELINE_MINUTES = 60
"""The source's minutes before the first raise that say how much its rate varies."""

SICK_OF, SICK_REQUESTS = 3, 20
WHOLE_OF = 5
"""A newest minute is held against the volume of so many before it."""

LOW_TRAFFIC = 4
"""A source with less than a fourth of the destination's requests is a thin control."""

SURELY_SPREADS = 4.0
"""So many standard deviations above a rate are no noise (`max` for the source, the budget for the whole run)."""

CALM_MINUTES = 3
"""An incident that nobody could attribute is over after so many minutes within what is allowed."""


@dataclass(frozen=True)
class Memory:
    """What the judge keeps between minutes.

    Attributes:
        weigher: the e-process.
        baseline: the source's last minutes before the first raise.
        cv: measured on them; 0 before the first raise.
        sources: its last three minutes, with or without requests.
        ailed: the e-process still knows minutes in which the source was surely above `max`.
        excused: in which of them it explains the bad ones for a reason that the counts do not show.
        volumes: requests of all sides in the last five minutes.
        weight, since: the weight of the newest minute, and for how many minutes it has been that.
        step, proof: the destination's requests of the step being judged.
        beside: the source's in the same minutes.
        run, charged: of the whole run, without minutes in which the source was bad itself; how many minutes that is.
        silent, due: minutes in a row without a datapoint of the destination, and requests it should have had.
        source_silent, source_due: the same of the source.
        unread: what nobody could read in the newest minute.
        trusted: the e-process when it last was no reason to wait.
        no_control: since then it was a breach, with too little traffic at the source to compare with.
        doubted: minutes weighed since then.
        incident_ms: start of the first of the source's bad minutes, while its last three have one; else 0.
        left_out: minutes of such incidents in this bake that are over, and count no more.
        neighbours: what the comparison and the balancer's other groups usually get.
    """

    weigher: eprocess.Memory = eprocess.START
    trusted: eprocess.Memory = eprocess.START
    no_control: bool = False
    doubted: int = 0
    left_out: int = 0
    baseline: tuple[Counts, ...] = ()
    cv: float = 0.0
    sources: tuple[Counts, ...] = ()
    had_incident: bool = False
    source_explains: tuple[bool, ...] = ()
    volumes: tuple[int, ...] = ()
    weight: int = 0
    since: int = 0
    step: int = 0
    proof: Counts = NO_REQUESTS
    beside: Counts = NO_REQUESTS
    run: Counts = NO_REQUESTS
    charged: int = 0
    silent: int = 0
    due: int = 0
    source_silent: int = 0
    source_due: int = 0
    unread: str = ""
    newest_ms: int = 0
    incident_ms: int = 0
    neighbours: Neighbours = NO_NEIGHBOURS


START = Memory()


def restart(memory: Memory) -> Memory:
    """Evidence for the destination is gone: the step proves itself again. What was spent of alpha stays spent."""
    return with_fields(
        memory,
        proof=NO_REQUESTS,
        beside=NO_REQUESTS,
        left_out=0,
        silent=0,
        due=0,
        source_silent=0,
        source_due=0,
        newest_ms=0,
    )


def fold(
    terms: Terms, memory: Memory, sample: Sample, minute: Minute, context: GateContext
) -> Memory:
    """The memory after one minute."""
    source, weighing = sample.source or NO_REQUESTS, weighing_of(terms)
    memory = with_fields(
        memory,
        newest_ms=minute.at_ms,
        sources=(*memory.sources, source)[-SICK_OF:],
        volumes=(*memory.volumes, volume(minute))[-WHOLE_OF:],
        source_explains=(*memory.source_explains, sample.shared)[-SICK_OF:],
        neighbours=sample.taught(memory.neighbours, minute, context),
    )
    memory = _recovered(terms, _timed(terms, memory, minute.at_ms), source)
    if columns.before_first_raise(context):
        return _before(memory, source, weighing)
    memory = with_fields(
        memory,
        cv=memory.cv or variation(weighing, memory.baseline),
        weight=context.weight,
        since=memory.since + 1 if context.weight == memory.weight else 1,
        unread=sample.unread,
    )
    if sample.destination is None or sample.destination.total <= 0:
        if weighing.before:
            memory = with_fields(memory, weigher=eprocess.learn(memory.weigher, source))
        return _silent(memory, sample, minute, context)
    destination = sample.destination
    if destination.bad > destination.total:
        destination = replace(destination, bad=destination.total)
    memory = _beside_source(with_fields(memory, silent=0, due=0), sample, minute, context)
    # what both suffer is not charged
    if not sample.shared and not is_sick(terms, source):
        memory = with_fields(memory, run=memory.run + destination, charged=memory.charged + 1)
    if not sample.shared and not sample.unread and columns.in_step(minute, context):
        memory = _proven(memory, destination, source, context.step_began_ms)
    blindfold = sample.unread and sample.source is None  # then nobody knows what was allowed
    cold = terms.cold_start and memory.since <= 1
    if sample.shared or blindfold or cold or context.weight <= 0:
        return with_fields(memory, weigher=eprocess.learn(memory.weigher, source))
    weighed = with_fields(
        memory,
        weigher=eprocess.fold(
            Trial(_standard(terms, weighing), memory.cv, Course(context.steps, context.horizon)),
            memory.weigher,
            EvidenceReading(context.weight, destination, source),
        ),
    )
    return _attributed(weighed, memory.weigher.evidence, weighing, context)


def _timed(terms: Terms, memory: Memory, at_ms: int) -> Memory:
    """When the source's present incident began, by the minutes' own time."""
    bad = any(memory.source_explains) or any(is_sick(terms, one) for one in memory.sources)
    return with_fields(memory, incident_ms=(memory.incident_ms or at_ms) if bad else 0)


def _attributed(memory: Memory, before: float, weighing: Weighing, context: GateContext) -> Memory:
    """An incident that may be of both sides is no evidence for good: once it is over its minutes are left out.

    Leaving minutes out only lowers the evidence, so the bound on false rollbacks holds.
    """
    weigher, needed = memory.weigher, 1 / (ALPHA * weighing.share * context.alpha_scale)
    if weigher.evidence < needed * ALPHA / HOLD_ALPHA:
        return with_fields(memory, trusted=weigher, no_control=False, doubted=0)
    memory = with_fields(memory, doubted=memory.doubted + 1)
    if not weighing.compares or is_compared(eprocess.loudest(weigher), memory.cv):
        return with_fields(memory, no_control=False)
    if before < needed <= weigher.evidence:  # what the source was there to see stays
        memory = with_fields(memory, no_control=True)
    if not memory.no_control or not eprocess.is_calm(weigher, CALM_MINUTES):
        return memory
    forgotten = replace(
        memory.trusted, pool=weigher.pool, begun=weigher.begun, unspent=weigher.unspent
    )
    over = memory.left_out + memory.doubted - CALM_MINUTES
    return with_fields(memory, weigher=forgotten, no_control=False, doubted=0, left_out=over)


def _recovered(terms: Terms, memory: Memory, source: Counts) -> Memory:
    """An incident of the source allows the destination as much while it lasts, and nothing once the source is well.

    Its minutes are left out of what the source taught; docs/judge.md keeps them until 50 bad requests came
    after them, which beside a sliver of traffic takes half an hour.
    """
    if _ailed(terms, memory, source):
        return with_fields(memory, had_incident=True)
    well = len(memory.sources) == SICK_OF and all(
        one.total >= SICK_REQUESTS and not is_sick(terms, one) for one in memory.sources
    )
    if not memory.had_incident or not well:
        return memory
    kept = tuple(one for one in memory.weigher.pool if not _ailed(terms, memory, one))
    return with_fields(memory, weigher=replace(memory.weigher, pool=kept), had_incident=False)


def _ailed(terms: Terms, memory: Memory, source: Counts) -> bool:
    """The source was above `max` by more than noise: leaving out its noisy minutes too would make it better than it is."""
    if terms.max_ppm is None or not is_sick(terms, source):
        return False
    return exceeds(source, terms.max_ppm, memory.cv or weighing_of(terms).cv)


def exceeds(counts: Counts, rate_ppm: int, cv: float) -> bool:
    """More bad requests than this rate and its variation explain."""
    mean = counts.total * rate_ppm / PPM
    return counts.bad > mean + SURELY_SPREADS * sqrt(mean + (cv * mean) ** 2)


def _before(memory: Memory, source: Counts, weighing: Weighing) -> Memory:
    if source.total <= 0:
        return memory
    memory = with_fields(memory, baseline=(*memory.baseline, source)[-BASELINE_MINUTES:])
    if not weighing.before:
        return memory
    return with_fields(memory, weigher=eprocess.learn(memory.weigher, source))


def variation(weighing: Weighing, baseline: Sequence[Counts]) -> float:
    """How much a healthy group's rate may vary: measured before the run, or the default."""
    measured = eprocess.dispersion(baseline, weighing.cv)
    return measured if weighing.before else max(measured, weighing.cv)


def _silent(memory: Memory, sample: Sample, minute: Minute, context: GateContext) -> Memory:
    if sample.unread or not columns.in_step(minute, context):
        return memory
    return with_fields(
        memory,
        silent=memory.silent + 1,
        due=memory.due + memory.neighbours.due(minute, context.weight),
    )


def _beside_source(memory: Memory, sample: Sample, minute: Minute, context: GateContext) -> Memory:
    """Whether the source had a datapoint beside the destination's, as its share of the weight says it should."""
    if context.weight >= FULL or (sample.source is not None and sample.source.total > 0):
        return with_fields(memory, source_silent=0, source_due=0)
    if sample.unread or sample.destination is None or not columns.in_step(minute, context):
        return memory
    due = round(sample.destination.total) * (FULL - context.weight) // context.weight
    return with_fields(
        memory, source_silent=memory.source_silent + 1, source_due=memory.source_due + due
    )


def _proven(memory: Memory, destination: Counts, source: Counts, step: int) -> Memory:
    """A minute that lies wholly in the step counts for it."""
    if step != memory.step:
        return with_fields(memory, step=step, proof=destination, beside=source)
    return with_fields(memory, proof=memory.proof + destination, beside=memory.beside + source)


def is_thin(found: eprocess.Loudest) -> bool:
    """Too little traffic at the source to show in the same minutes what it suffers."""
    return found.source.total * LOW_TRAFFIC < found.destination.total


def is_compared(found: eprocess.Loudest, cv: float) -> bool:
    """The source was there to compare with, or surely does not suffer the same."""
    return not is_thin(found) or eprocess.source_is_spared(found, cv)


def volume(minute: Minute) -> int:
    """Requests of the comparison, and those that found no target."""
    series = (columns.SOURCE_REQUESTS, columns.DESTINATION_REQUESTS, columns.ELB_503)
    return sum(minute.number(one.key) or 0 for one in series)


def is_sick(terms: Terms, source: Counts) -> bool:
    """The source itself is above `max` (docs/judge.md: with at least 20 requests)."""
    return (
        terms.max_ppm is not None
        and terms.weighing is not None
        and terms.weighing.bounded
        and source.total >= SICK_REQUESTS
        and source.bad * PPM > terms.max_ppm * source.total
    )


def weighing_of(terms: Terms) -> Weighing:
    """How this signal is weighed; `judges` comes here only when it is."""
    assert terms.weighing is not None  # noqa: S101
    return terms.weighing


def _standard(terms: Terms, weighing: Weighing) -> Standard:
    """Without a comparison the limit itself is always allowed, and more only while the source is above it."""
    cap = 1.0 if terms.max_ppm is None else terms.max_ppm / PPM
    floor = cap if terms.ratio is None else terms.floor_ppm / PPM
    return Standard(floor, terms.ratio or 1.0, cap, weighing.cv, weighing.fast)
