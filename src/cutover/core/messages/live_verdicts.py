"""Where every gate stands now, with its live evidence, and the line that says so each minute (docs/judge.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cutover.core.gates.api import Judgement, Signal, Verdict
from cutover.core.gates.rates import count_text, percent
from cutover.core.messages.phrases import judged
from cutover.core.messages.verdicts import with_sentence
from cutover.core.plan import Plan
from cutover.core.state import RunState
from cutover.core.state.gate_context import context_of, health_said, weight_after
from cutover.core.values import MINUTE, PPM, weight_text

LOUD = 1.0
"""Evidence of a latency limit that is worth a number in the line; below it the requests speak for the destination."""


@dataclass(frozen=True)
class LiveVerdict:
    """One gate on one comparison.

    Attributes:
        why: one clause, with the numbers of the newest settled minute.
        signals: the evidence of a sequential judge; empty for other gates.
    """

    gate: str
    comparison: str
    verdict: Verdict
    why: str
    signals: tuple[Signal, ...] = ()
    reason: str = ""  # the gate's code


def standings(plan: Plan, state: RunState) -> tuple[LiveVerdict, ...]:
    """Where every gate stood at the newest record, by the journal and the evidence folded from it.

    The verdict is the journalled one: a rule of the machine (a minute still being published, a source that turned bad after a
    raise) may have made it worse than the settled minutes alone. A gate on live facts has no other.
    """
    found = []
    for gate in plan.gates:
        for comparison in plan.comparisons:
            key = (gate.name, comparison.id)
            known = state.verdicts.get(key)
            live = _judged_again(plan, state, gate.name, comparison.id)
            if known is None:
                judgement = live or Judgement(
                    Verdict.WAITING, "not looked at yet", code="not_looked"
                )
                found.append(
                    LiveVerdict(
                        *key, judgement.verdict, judgement.why, judgement.signals, judgement.code
                    )
                )
                continue
            verdict = Verdict[known.verdict]
            fresh = live is not None and live.verdict is verdict
            why = live.why if live is not None and fresh else known.why
            code = live.code if live is not None and fresh else known.reason
            found.append(LiveVerdict(*key, verdict, why, live.signals if live else (), code))
    return tuple(found)


def _judged_again(plan: Plan, state: RunState, gate: str, comparison_id: str) -> Judgement | None:
    """What the journalled minutes say; None for a gate on live facts, or before any."""
    planned = next(one for one in plan.gates if one.name == gate)
    comparison = next(one for one in plan.comparisons if one.id == comparison_id)
    calibration = state.evidence.calibration.get(comparison_id, {})
    memory = state.evidence.memory(gate, comparison_id)
    if (
        memory is None
        or state.last is None
        or not planned.gate.needs(planned.spec, comparison, calibration)
    ):
        return None
    context = context_of(
        plan,
        state,
        comparison_id,
        state.last,
        next_weight=weight_after(plan, state),
        health=health_said(state, state.last),
    )
    return with_sentence(planned.gate.verdict(planned.spec, memory, comparison, context))


def minute_line(plan: Plan, state: RunState, covered_ms: int, found: Sequence[LiveVerdict]) -> str:
    """`5 % step 6 of 10 min | errors 2 of 1,740, allowed 0.20 %, evidence 0.4 of 200 | latency ok -> advances in 4 min`.

    Args:
        plan: the run's plan.
        state: its state; a step is in effect.
        covered_ms: settled evidence that the step has.
        found: every gate on every comparison.
    """
    bake = _bake(plan, state)
    head = f"{weight_text(state.weight)} step {covered_ms // MINUTE} of {bake // MINUTE} min"
    gates = [_gate(plan, one) for one in found]
    bounds = [
        signal.bound_ppm for one in found for signal in one.signals if signal.name == "errors"
    ]
    proof = max(bounds, default=PPM)
    proven = [f"at most {percent(proof)} failing (95 %)"] if proof < PPM else []
    return f"{' | '.join([head, *gates, *proven])} -> {ahead(plan, state, covered_ms, found)}"


def ahead(plan: Plan, state: RunState, covered_ms: int, found: Iterable[LiveVerdict]) -> str:
    """`advances in 4 min`, or what it waits for."""
    waits = [
        judged(plan, one.gate, one.comparison) for one in found if one.verdict is not Verdict.PASS
    ]
    if waits:
        return f"waits for {', '.join(waits)}"
    following = state.step + 1
    if following >= len(plan.steps):
        then = "completes"
    elif plan.steps[following].approve and following not in state.approved:
        then = "asks for approval"
    else:
        then = "advances"
    left = left_ms(plan, state, covered_ms)
    return f"{then} in {-(-left // MINUTE)} min" if left else f"{then} now"


def left_ms(plan: Plan, state: RunState, covered_ms: int) -> int:
    """Settled evidence that the bake still wants."""
    return max(0, _bake(plan, state) - covered_ms)


def _bake(plan: Plan, state: RunState) -> int:
    """A step without a bake wants one settled minute."""
    return plan.steps[state.step].bake or plan.observe.period


def _gate(plan: Plan, one: LiveVerdict) -> str:
    name = judged(plan, one.gate, one.comparison)
    spoken = [
        f"{count_text(signal.counts)}, allowed {percent(signal.allowed_ppm)}, evidence {evidence_text(signal)}"
        for signal in one.signals
        if signal.counts.total and (signal.name == "errors" or signal.evidence >= LOUD)
    ]
    word = "" if one.verdict is Verdict.PASS else f" {one.verdict.name}"
    if not spoken:
        return f"{name} ok" if one.verdict is Verdict.PASS else f"{name}{word}"
    return f"{name}{word} {'; '.join(spoken)}"


def evidence_text(signal: Signal) -> str:
    """`0.4 of 200`."""
    evidence = f"{signal.evidence:,.0f}" if signal.evidence >= 10 else f"{signal.evidence:.1f}"
    return f"{evidence} of {signal.needed:,.0f}"
