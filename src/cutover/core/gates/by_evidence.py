"""The sequential judge behind a counting gate: what a minute teaches, what it weighs, and which rule speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

from cutover.core.gates import columns, sequential
from cutover.core.gates.counting import Sample, Terms, Weighing, stale
from cutover.core.gates.judging import (
    SOURCE_SURELY_BAD,
    Counts,
    Early,
    Judgement,
    Reason,
    Rule,
    Scene,
    Signal,
    Verdict,
)
from cutover.core.gates.rates import NO_REQUESTS, surely_above, upper_bound_ppm
from cutover.core.gates.sequential import ALPHA, HOLD_ALPHA, Course, Look, Standard, Trial
from cutover.core.gates.spec import EXCLUDED_PPM, fewest_requests
from cutover.core.observation import Minute
from cutover.core.values import MINUTE, PPM

BASELINE_MINUTES = 60
"""The source's minutes before the first raise that say how much its rate varies."""

PATIENCE = 20 * MINUTE
"""How long beyond its bake a step waits for enough requests (gating.md section 4)."""

SILENT_MINUTES, SILENT_DUE = 4, 10
SICK_MINUTES, SICK_OF, SICK_REQUESTS = 2, 3, 20
WHOLE_SHARE, WHOLE_OF = 0.8, 5
"""A minute looks published whole from 80 % of the median volume of the five before it on."""

THIN = 4
"""A source with less than a fourth of the destination's requests is a thin control."""

CALM_MINUTES = 3
"""An incident that nobody could attribute is over after so many minutes within what is allowed."""

SURELY_SPREADS = 4.0
"""A source is surely bad when its last minutes exceed `max` by so many standard deviations: not by noise."""

BUDGET_REQUESTS = 20
MOST_FACT = 2**53


@dataclass(frozen=True)
class Memory:
    """What the judge keeps between minutes.

    Attributes:
        weigher: the e-process.
        baseline: the source's last minutes before the first raise.
        cv: measured on them; 0 before the first raise.
        sources: its last three minutes, with or without requests.
        volumes: requests of all sides in the last five minutes.
        weight, since: the weight of the newest minute, and for how many minutes it has been that.
        step, proof: the destination's requests of the step being judged.
        run: of the whole run, without minutes in which the source was bad itself.
        silent, due: minutes in a row without a datapoint of the destination, and requests it should have had.
        unread: what nobody could read in the newest minute.
        trusted: the e-process when it last was no reason to wait.
        uncompared: since then it was a breach, with too little traffic at the source to compare with.
    """

    weigher: sequential.Memory = sequential.START
    trusted: sequential.Memory = sequential.START
    uncompared: bool = False
    baseline: tuple[Counts, ...] = ()
    cv: float = 0.0
    sources: tuple[Counts, ...] = ()
    volumes: tuple[int, ...] = ()
    weight: int = 0
    since: int = 0
    step: int = 0
    proof: Counts = NO_REQUESTS
    run: Counts = NO_REQUESTS
    silent: int = 0
    due: int = 0
    unread: str = ""
    newest_ms: int = 0


START = Memory()


def restart(memory: Memory) -> Memory:
    """Evidence for the destination is gone: the step proves itself again. What was spent of alpha stays spent."""
    return replace(memory, proof=NO_REQUESTS, silent=0, due=0, newest_ms=0)


def fold(terms: Terms, memory: Memory, sample: Sample, minute: Minute, scene: Scene) -> Memory:
    """The memory after one minute."""
    source, weighing = sample.source or NO_REQUESTS, _weighing(terms)
    memory = replace(
        memory,
        newest_ms=minute.at_ms,
        sources=(*memory.sources, source)[-SICK_OF:],
        volumes=(*memory.volumes, _volume(minute))[-WHOLE_OF:],
    )
    if columns.before_first_raise(scene):
        return _before(memory, source, weighing)
    memory = replace(
        memory,
        cv=memory.cv or variation(weighing, memory.baseline),
        weight=scene.weight,
        since=memory.since + 1 if scene.weight == memory.weight else 1,
        unread=sample.unread,
    )
    if sample.destination is None or sample.destination.total <= 0:
        if weighing.before:
            memory = replace(memory, weigher=sequential.learn(memory.weigher, source))
        return _silent(memory, sample, minute, scene)
    destination = Counts(
        sample.destination.total, min(sample.destination.bad, sample.destination.total)
    )
    if not _is_sick(terms, source):
        memory = replace(memory, run=memory.run + destination)
    memory = replace(memory, silent=0, due=0)
    if not sample.unread and columns.in_step(minute, scene):
        memory = _proven(memory, destination, scene.step_began_ms)
    blindfold = sample.unread and sample.source is None  # then nobody knows what was allowed
    cold = terms.cold_start and memory.since <= 1
    if sample.shared or blindfold or cold or scene.weight <= 0:
        return replace(memory, weigher=sequential.learn(memory.weigher, source))
    weighed = replace(
        memory,
        weigher=sequential.fold(
            Trial(_standard(terms, weighing), memory.cv, Course(scene.steps, scene.horizon)),
            memory.weigher,
            Look(scene.weight, destination, source),
        ),
    )
    return _attributed(weighed, weighing, scene)


def _attributed(memory: Memory, weighing: Weighing, scene: Scene) -> Memory:
    """An incident that may be of both sides is no evidence for good: once it is over its minutes are left out.

    Leaving minutes out only lowers the evidence, so the bound on false rollbacks holds.
    """
    weigher, needed = memory.weigher, 1 / (ALPHA * weighing.share * scene.alpha_scale)
    if weigher.evidence < needed * ALPHA / HOLD_ALPHA:
        return replace(memory, trusted=weigher, uncompared=False)
    if not weighing.compares or _compared(sequential.loudest(weigher), memory.cv):
        return replace(memory, uncompared=False)
    if weigher.evidence >= needed:
        memory = replace(memory, uncompared=True)
    if not memory.uncompared or not sequential.is_calm(weigher, CALM_MINUTES):
        return memory
    forgotten = replace(
        memory.trusted, pool=weigher.pool, begun=weigher.begun, unspent=weigher.unspent
    )
    return replace(memory, weigher=forgotten, uncompared=False)


def _before(memory: Memory, source: Counts, weighing: Weighing) -> Memory:
    if source.total <= 0:
        return memory
    memory = replace(memory, baseline=(*memory.baseline, source)[-BASELINE_MINUTES:])
    if not weighing.before:
        return memory
    return replace(memory, weigher=sequential.learn(memory.weigher, source))


def variation(weighing: Weighing, baseline: Sequence[Counts]) -> float:
    """How much a healthy group's rate may vary: measured before the run, or the default."""
    measured = sequential.dispersion(baseline, weighing.cv)
    return measured if weighing.before else max(measured, weighing.cv)


def _silent(memory: Memory, sample: Sample, minute: Minute, scene: Scene) -> Memory:
    if sample.unread or not columns.in_step(minute, scene):
        return memory
    return replace(
        memory,
        silent=memory.silent + 1,
        due=memory.due + columns.requests_due(minute, scene.weight),
    )


def _proven(memory: Memory, destination: Counts, step: int) -> Memory:
    """A minute that lies wholly in the step counts for it."""
    proof = memory.proof + destination if step == memory.step else destination
    return replace(memory, step=step, proof=proof)


def early(
    terms: Terms, memory: Memory, sampled: Sequence[tuple[Sample, Minute]], scene: Scene
) -> Early | None:
    """What minutes say that are still being published, as far as they look whole."""
    newest = 0
    for sample, minute in sampled:
        if looks_whole(memory.volumes, _volume(minute)) and not sample.unread:
            memory, newest = fold(terms, memory, sample, minute, scene), minute.at_ms
    if not newest:
        return None
    found = verdict(terms, memory, scene)
    if found.reason is None or found.reason.rule not in (Rule.EVIDENCE, Rule.WATCHING):
        return None
    return Early(replace(found, reason=replace(found.reason, early=True)), newest, twice=False)


def looks_whole(volumes: Sequence[float], volume: float) -> bool:
    """A newest minute's requests are at least 80 % of the median of the five minutes before it."""
    before = sorted(volumes)
    return not before or volume >= WHOLE_SHARE * before[len(before) // 2]


def _volume(minute: Minute) -> int:
    """Requests of the pair, and those that found no target."""
    series = (columns.SOURCE_REQUESTS, columns.DESTINATION_REQUESTS, columns.ELB_503)
    return sum(minute.number(one.key) or 0 for one in series)


def verdict(terms: Terms, memory: Memory, scene: Scene) -> Judgement:
    """BREACH, else SHARED, else UNKNOWN, else WAITING, else PASS (gating.md section 4's order)."""
    weighing = _weighing(terms)
    share = weighing.share * scene.alpha_scale
    found = sequential.loudest(memory.weigher)
    evidence = memory.weigher.evidence
    proof = memory.proof if memory.step == scene.step_began_ms else NO_REQUESTS
    signal = Signal(
        name=weighing.signal,
        evidence=evidence,
        needed=1 / (ALPHA * share),
        counts=found.destination,
        allowed_ppm=round(found.allowed * PPM),
        minutes=found.minutes,
        bound_ppm=upper_bound_ppm(proof),
    )
    reason = Reason(Rule.EVIDENCE, terms.what, signal, odds=evidence * share, source=found.source)
    if evidence >= signal.needed:
        spared = not weighing.compares or _compared(found, memory.cv)
        return _say(Verdict.BREACH, reason, on_breach="" if spared else "ask")
    budget = terms.budget_ppm
    if (
        budget is not None
        and memory.run.bad >= BUDGET_REQUESTS
        and surely_above(memory.run, budget)
    ):
        spent = replace(signal, counts=memory.run, allowed_ppm=budget, minutes=0)
        return _say(Verdict.BREACH, replace(reason, rule=Rule.BUDGET, signal=spent, odds=0.0))
    bad_source = [one for one in memory.sources if _is_sick(terms, one)]
    if len(bad_source) >= SICK_MINUTES:
        said = _say(Verdict.SHARED, replace(reason, rule=Rule.SHARED, source=bad_source[-1]))
        surely = int(_surely_bad(terms, memory))
        return replace(said, facts={**said.facts, SOURCE_SURELY_BAD: surely})
    if unknown := _unknown(memory, scene, reason):
        return _say(Verdict.UNKNOWN, unknown)
    if evidence >= 1 / (HOLD_ALPHA * share):
        return _say(Verdict.WAITING, replace(reason, rule=Rule.WATCHING))
    reason = replace(reason, signal=replace(signal, counts=proof, minutes=0), odds=0.0)
    return _earned(terms, weighing, memory, scene, reason)


def _compared(found: sequential.Loudest, cv: float) -> bool:
    """The source was there to compare with, or surely does not suffer the same."""
    return found.source.total * THIN >= found.destination.total or sequential.source_is_spared(
        found, cv
    )


def _unknown(memory: Memory, scene: Scene, reason: Reason) -> Reason | None:
    if memory.unread:
        return replace(reason, rule=Rule.UNREAD, said=memory.unread)
    if memory.silent >= SILENT_MINUTES and memory.due >= SILENT_DUE:
        return replace(reason, rule=Rule.SILENT, count=memory.silent, due=memory.due)
    if old := stale(memory.newest_ms, scene):
        return replace(reason, rule=Rule.UNREAD, said=old)
    return None


def _earned(
    terms: Terms, weighing: Weighing, memory: Memory, scene: Scene, reason: Reason
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
    covered = memory.newest_ms + scene.period_ms - scene.step_began_ms
    if covered >= scene.bake_ms + PATIENCE and not fewest:
        return _say(Verdict.PASS, replace(reason, rule=Rule.PATIENCE))
    if not weighing.bounded:
        return _say(Verdict.WAITING, replace(reason, rule=Rule.FEW, count=least))
    return _say(Verdict.WAITING, replace(reason, rule=Rule.BOUND))


def _say(verdict: Verdict, reason: Reason, on_breach: str = "") -> Judgement:
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
    if reason.rule is Rule.SHARED or on_breach == "ask":
        facts |= {
            "source_requests": round(reason.source.total),
            "source_bad": round(reason.source.bad),
        }
    return Judgement(verdict, "", facts, on_breach, (signal,), reason)


def _is_sick(terms: Terms, source: Counts) -> bool:
    """The source itself is above `max` (gating.md section 4: with at least 20 requests)."""
    return (
        terms.max_ppm is not None
        and terms.weighing is not None
        and terms.weighing.bounded
        and source.total >= SICK_REQUESTS
        and source.bad * PPM > terms.max_ppm * source.total
    )


def _surely_bad(terms: Terms, memory: Memory) -> bool:
    """Its last minutes together exceed `max` by more than noise, however that is spread."""
    total, bad = sum(c.total for c in memory.sources), sum(c.bad for c in memory.sources)
    mean = total * (terms.max_ppm or 0) / PPM
    return bad > mean + SURELY_SPREADS * sqrt(mean + (memory.cv * mean) ** 2)


def _weighing(terms: Terms) -> Weighing:
    assert terms.weighing is not None  # noqa: S101 - `judges` calls this judge only when there is one
    return terms.weighing


def _standard(terms: Terms, weighing: Weighing) -> Standard:
    """Without a comparison the limit itself is always allowed, and more only while the source is above it."""
    cap = 1.0 if terms.max_ppm is None else terms.max_ppm / PPM
    floor = cap if terms.ratio is None else terms.floor_ppm / PPM
    return Standard(floor, terms.ratio or 1.0, cap, weighing.cv, weighing.fast)
