"""The source's own noise in the hour before the run: measured per signal, and held against the plan's limits.

A limit lies inside the noise when the source itself, standing in the destination's place, would often be above it. What
varies there is what was measured; the judge allows for half as much again (docs/judge.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cutover.core.gates import GateContext
from cutover.core.gates.api import Counts, Judgement, Verdict
from cutover.core.gates.errors import UNANSWERED_PPM
from cutover.core.gates.rates import percent
from cutover.core.gates.sequential.eprocess import CV_MARGIN, dispersion
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Calibration, Minute, Survey
from cutover.core.plan import Plan, PlannedGate
from cutover.core.preflight.finding import CheckResult, listed, need, ok, warn
from cutover.core.values import FULL, PPM

MINUTES: Final = 60
"""How many settled minutes are measured (docs/judge.md: the pre-cutover hour)."""

SPREADS: Final = 2
"""A limit is outside the noise when it is so many times the source's variation above its rate."""

OFTEN_PPM: Final = 100_000
"""A source that is above the plan's limit in more than a tenth of its minutes would hold the run again and again."""


def measured(plan: Plan, minutes: Iterable[Minute], known: Calibration) -> Calibration:
    """By comparison, what its gates learn from the source before the first raise, as whole numbers in ppm.

    `cv.SIGNAL` is how much the judge lets a healthy rate vary, relative to itself, and `unanswered_ppm` the share of
    the source's requests that no target answered. With the source standing in the destination's place, `rate.SIGNAL`
    is the share of its requests that would be bad, `spread.SIGNAL` how much that varied from minute to minute beyond
    chance, relative to itself, `allowed.SIGNAL` the share that the gate would have allowed it, and `above.SIGNAL` in what
    share of the minutes the source itself was above the plan's limit (the gate then says `SHARED`).
    With too few bad requests to measure a spread, it is what the judge assumes, without its margin.

    Args:
        plan: its gates do the measuring.
        minutes: settled ones with `Plan.series` and `beside_source`; of each comparison oldest first.
        known: the percentiles already measured, as for `Plan.series`.
    """
    own: dict[str, list[Minute]] = {comparison.id: [] for comparison in plan.comparisons}
    for minute in minutes:
        own[minute.comparison].append(minute)
    return {
        comparison.id: {
            name: value
            for gate in plan.gates
            for name, value in _of_gate(
                plan, gate, own[comparison.id], known.get(comparison.id, {})
            ).items()
        }
        for comparison in plan.comparisons
    }


def _of_gate(
    plan: Plan, gate: PlannedGate, minutes: Sequence[Minute], calibration: Mapping[str, int]
) -> dict[str, int]:
    spec, memory = gate.spec, gate.gate.start(gate.spec)
    for minute in minutes:
        memory = gate.gate.fold(spec, memory, minute, _context(plan, minute, calibration))
    found = dict(gate.gate.learned(spec, memory))
    if not gate.gate.alpha(spec):
        return found
    judged: dict[str, list[tuple[Counts, int]]] = {}
    sick: dict[str, int] = {}
    for minute in minutes:
        requests = minute.number("source.requests") or 0
        judgement = _in_its_place(plan, gate, memory, minute, calibration)
        if judgement.verdict is Verdict.SHARED and judgement.reason is not None:
            name = judgement.reason.signal.name
            sick[name] = sick.get(name, 0) + 1
        for signal in judgement.signals:
            if requests and signal.counts.total:
                bad = signal.counts.bad * requests / signal.counts.total
                judged.setdefault(signal.name, []).append(
                    (Counts(requests, bad), signal.allowed_ppm)
                )
    for name, seen in judged.items():
        counts = [one for one, _ in seen]
        total = sum(one.total for one in counts)
        spread = dispersion(counts, found.get(f"cv.{name}", 0) / PPM) / CV_MARGIN
        found[f"rate.{name}"] = round(sum(one.bad for one in counts) * PPM / total)
        found[f"spread.{name}"] = round(spread * PPM)
        found[f"allowed.{name}"] = sum(one.total * may for one, may in seen) // total
        found[f"above.{name}"] = sick.get(name, 0) * PPM // len(minutes)
    return found


def _in_its_place(
    plan: Plan, gate: PlannedGate, learned: Any, minute: Minute, calibration: Mapping[str, int]
) -> Judgement:
    """What the gate says to this one minute when the destination does just what the source does.

    A like minute goes before it, because the first of a step may not be judged.
    """
    both = minute.source_twice()
    began = minute.at_ms - plan.observe.period
    memory = learned
    for one in (replace(both, at_ms=began), both):
        memory = gate.gate.fold(gate.spec, memory, one, _context(plan, one, calibration, began))
    comparison = next(one for one in plan.comparisons if one.id == minute.comparison)
    judgement: Judgement = gate.gate.verdict(
        gate.spec, memory, comparison, _context(plan, minute, calibration, began)
    )
    return judgement


def _context(
    plan: Plan, minute: Minute, calibration: Mapping[str, int], began_ms: int = 0
) -> GateContext:
    """Before the first raise while `began_ms` is 0, else at half of the traffic."""
    period = plan.observe.period
    return GateContext(
        weight=FULL // 2 if began_ms else 0,
        next_weight=None,
        step_began_ms=began_ms,
        now=Moment(wall_from_ms(minute.at_ms + period), 0, ""),
        period_ms=period,
        calibration=calibration,
        steps=len(plan.steps),
        horizon=plan.horizon,
        bake_ms=MINUTES * period,
        alpha_scale=plan.alpha_scale,
    )


def noise(plan: Plan, survey: Survey) -> CheckResult:
    """The limits of the sequential judge lie outside the source's own noise."""
    if not any(gate.gate.alpha(gate.spec) for gate in plan.gates):
        return ok("no gate is judged by evidence")
    found = need(survey.calibration, "the source's noise")
    unmeasured = [
        comparison.id
        for comparison in plan.comparisons
        if not _signals(found.get(comparison.id, {}))
    ]
    if unmeasured:
        return warn(
            f"no minutes of the source to measure: {listed(unmeasured)}",
            "how much a healthy rate varies is then assumed, and nobody knows whether a limit lies inside the noise",
            "Wait until the source has an hour of traffic.",
        )
    quiet, noisy, outside = [], [], []
    for comparison in plan.comparisons:
        own = found[comparison.id]
        for signal in _signals(own):
            rate, allowed = own[f"rate.{signal}"], own[f"allowed.{signal}"]
            top = rate + rate * SPREADS * own[f"spread.{signal}"] // PPM
            quiet.append(
                f"{comparison.id} {signal} up to {percent(top)}, allowed {percent(allowed)}"
            )
            if top > allowed:
                noisy.append(
                    f"{comparison.id} {signal}: the source itself shows {percent(rate)} and noise up to {percent(top)}, "
                    f"a destination is allowed {percent(allowed)}"
                )
                outside.append(f"{signal}: more than {percent(top)}")
            elif own.get(f"above.{signal}", 0) > OFTEN_PPM:
                noisy.append(
                    f"{comparison.id} {signal}: the source itself shows {percent(rate)}, and is above the limit in "
                    f"{percent(own[f'above.{signal}'])} of its minutes"
                )
                outside.append(f"{signal}: more than {percent(top)}")
    if not noisy:
        return ok(listed(quiet))
    return warn(
        listed(noisy),
        "a destination exactly like the source would be above the limit again and again: expect holds and rollbacks "
        "that say nothing",
        f"Outside the noise is {listed(dict.fromkeys(outside))}: raise the gate's limit, floor or ratio. "
        "`cutover backtest` shows how often the plan would have held or rolled back.",
    )


def unanswered(plan: Plan, survey: Survey) -> CheckResult:
    """The source answers its requests, so that unanswered ones count against the destination."""
    if not any(gate.kind == "errors" for gate in plan.gates):
        return ok("no gate counts them")
    found = need(survey.calibration, "the source's unanswered requests")
    shares = {
        comparison.id: found.get(comparison.id, {}).get("unanswered_ppm")
        for comparison in plan.comparisons
    }
    usual = [
        f"{comparison}: {percent(share)}"
        for comparison, share in shares.items()
        if share is not None and share > UNANSWERED_PPM
    ]
    if usual:
        return warn(
            f"no target answers {listed(usual)} of the source's requests",
            f"above {percent(UNANSWERED_PPM)} that is taken for normal (WebSockets, long polls), and requests that the "
            "destination never answers do not count against it, only its 5xx and refused connections do",
            "If the service has no such requests, find out which ones of the source hang before it moves.",
        )
    return ok(
        listed(
            f"{comparison} {percent(share)}"
            for comparison, share in shares.items()
            if share is not None
        )
        or "not measured: every unanswered request counts"
    )


def _signals(calibration: Mapping[str, int]) -> list[str]:
    """The signals that were measured."""
    return [name.removeprefix("rate.") for name in calibration if name.startswith("rate.")]
