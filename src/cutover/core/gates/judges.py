"""Which judge weighs a counting gate's minutes: the one that its terms name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cutover.core.gates import by_evidence, by_threshold, columns
from cutover.core.gates.counting import Sample, Terms
from cutover.core.gates.judging import Early, Judgement, Scene
from cutover.core.gates.spec import CountingSpec
from cutover.core.observation import Minute
from cutover.core.values import PPM

Memory = by_threshold.Memory | by_evidence.Memory


def start(spec: CountingSpec) -> Memory:
    """The memory before any minute."""
    return by_evidence.START if spec.judge == "sequential" else by_threshold.START


def restart(memory: Memory) -> Memory:
    """Evidence for the destination is gone; evidence against it stays."""
    if isinstance(memory, by_evidence.Memory):
        return by_evidence.restart(memory)
    return by_threshold.restart(memory)


def fold(terms: Terms, memory: Memory, sample: Sample, minute: Minute, scene: Scene) -> Memory:
    """The memory after one settled minute."""
    if isinstance(memory, by_evidence.Memory):
        return by_evidence.fold(terms, memory, sample, minute, scene)
    return by_threshold.fold(terms, memory, sample, minute, scene)


def verdict(terms: Terms, memory: Memory, scene: Scene) -> Judgement:
    """What the evidence says now."""
    if isinstance(memory, by_evidence.Memory):
        return by_evidence.verdict(terms, memory, scene)
    return by_threshold.verdict(terms, memory, scene)


def early(
    terms: Terms, memory: Memory, sampled: Sequence[tuple[Sample, Minute]], scene: Scene
) -> Early | None:
    """What minutes say that are still being published."""
    if isinstance(memory, by_evidence.Memory):
        return by_evidence.early(terms, memory, sampled, scene)
    for sample, minute in sampled:
        if not columns.in_step(minute, scene):
            continue  # it straddles a raise: its counts and its weight do not fit together
        judgement = by_threshold.alarming(terms, memory, sample, minute, scene)
        if judgement is not None:
            return Early(judgement, minute.at_ms, twice=True)
    return None


def learned(terms: Terms, memory: Memory) -> Mapping[str, int]:
    """How much the source's rate varies (ppm of itself), by `cv.SIGNAL`; empty without enough minutes."""
    if terms.weighing is None or not isinstance(memory, by_evidence.Memory):
        return {}
    if not memory.baseline:
        return {}
    cv = by_evidence.variation(terms.weighing, memory.baseline)
    return {f"cv.{terms.weighing.signal}": round(cv * PPM)}


def alpha(terms: Terms) -> float:
    """The signal's share of alpha."""
    return terms.weighing.share if terms.weighing is not None else 0.0
