"""Which judge weighs a counting gate's minutes: the one that its terms name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cutover.core.gates import columns
from cutover.core.gates.api import Early, GateContext, Judgement
from cutover.core.gates.counting import Sample, Terms
from cutover.core.gates.sequential import policy as sequential_policy
from cutover.core.gates.spec import CountingSpec
from cutover.core.gates.threshold import policy as threshold_policy
from cutover.core.observation import Minute
from cutover.core.values import PPM

Memory = threshold_policy.Memory | sequential_policy.Memory


def start(spec: CountingSpec) -> Memory:
    """The memory before any minute."""
    return sequential_policy.START if spec.judge == "sequential" else threshold_policy.START


def restart(memory: Memory) -> Memory:
    """Evidence for the destination is gone; evidence against it stays."""
    if isinstance(memory, sequential_policy.Memory):
        return sequential_policy.restart(memory)
    return threshold_policy.restart(memory)


def fold(
    terms: Terms, memory: Memory, sample: Sample, minute: Minute, context: GateContext
) -> Memory:
    """The memory after one settled minute."""
    if isinstance(memory, sequential_policy.Memory):
        return sequential_policy.fold(terms, memory, sample, minute, context)
    return threshold_policy.fold(terms, memory, sample, minute, context)


def verdict(terms: Terms, memory: Memory, context: GateContext) -> Judgement:
    """What the evidence says now."""
    if isinstance(memory, sequential_policy.Memory):
        return sequential_policy.verdict(terms, memory, context)
    return threshold_policy.verdict(terms, memory, context)


def early(
    terms: Terms, memory: Memory, sampled: Sequence[tuple[Sample, Minute]], context: GateContext
) -> Early | None:
    """What minutes say that are still being published."""
    if isinstance(memory, sequential_policy.Memory):
        return sequential_policy.early(terms, memory, sampled, context)
    for sample, minute in sampled:
        if not columns.in_step(minute, context):
            continue  # it straddles a raise: its counts and its weight do not fit together
        judgement = threshold_policy.alarming(terms, memory, sample, minute, context)
        if judgement is not None:
            return Early(judgement, minute.at_ms, twice=True)
    return None


def learned(terms: Terms, memory: Memory) -> Mapping[str, int]:
    """How much the source's rate varies (ppm of itself), by `cv.SIGNAL`; empty without enough minutes."""
    if terms.weighing is None or not isinstance(memory, sequential_policy.Memory):
        return {}
    if not memory.baseline:
        return {}
    cv = sequential_policy.variation(terms.weighing, memory.baseline)
    return {f"cv.{terms.weighing.signal}": round(cv * PPM)}


def alpha(terms: Terms) -> float:
    """The signal's share of alpha."""
    return terms.weighing.share if terms.weighing is not None else 0.0
