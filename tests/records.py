"""Records of a journal as a test says them: the reason is any sentence, and its code is that of a process's own note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cutover.core.journal import events as ev
from cutover.core.messages import explain
from cutover.core.moment import Moment
from cutover.core.reasons import Code, Reason, because
from cutover.core.state.model import Held, Verdicts
from cutover.core.state.phases import Hold

SAID = Code.PROCESS_NOTE


def said(text: str) -> Reason:
    """A reason whose sentence is this text."""
    return because(SAID, said=text)


def judged(gate: str, comparison: str, said: str) -> Reason:
    """That a gate judged a comparison so."""
    return because(Code.GATE_ON, gate=gate, comparison=comparison, said=said)


def phase_changed(
    before: str, after: str, why: str | Reason, step: int, *more: Any, **other: Any
) -> ev.PhaseChanged:
    reason = said(why) if isinstance(why, str) else why
    text = explain(reason)
    return ev.PhaseChanged(before, after, reason.code, reason.facts, text, step, *more, **other)


def intent(
    route: str,
    kind: str,
    step: int,
    attempt: int,
    pre: str,
    post: Mapping[str, Any],
    weight: int,
    why: str,
) -> ev.Intent:
    return ev.Intent(route, kind, step, attempt, pre, post, weight, Code.SET_WEIGHT, why)


def weight_observed(
    step: int, from_ms: int, shares: Mapping[str, int], why: str
) -> ev.WeightObserved:
    return ev.WeightObserved(step, from_ms, shares, SAID, {"said": why}, why)


def gate_judged(
    gate: str,
    comparison: str,
    verdict: str,
    why: str,
    minute_ms: int,
    facts: Mapping[str, int] | None = None,
) -> ev.GateJudged:
    return ev.GateJudged(gate, comparison, verdict, "said", why, minute_ms, dict(facts or {}))


def gap(why: str, ms: int, from_ms: int = 0) -> ev.Gap:
    return ev.Gap(Code.TURN_LATE, why, ms, from_ms)


def note(text: str) -> ev.Note:
    return ev.Note(SAID, {"said": text}, text)


def close(exit_code: int, phase: str, why: str) -> ev.Close:
    return ev.Close(exit_code, phase, SAID, {"said": why}, why)


def held(
    hold: Hold, why: str, since: Moment, deadline_ms: int, began: Moment | None = None
) -> Held:
    return Held(hold, said(why), since, deadline_ms, began)


def verdicts(verdict: str, why: str, since: Moment) -> Verdicts:
    return Verdicts(verdict, "said", why, since)
