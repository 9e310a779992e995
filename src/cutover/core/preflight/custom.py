"""The check on `metric` gates: CloudWatch has, or can have, what they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cutover.core.arn import resource
from cutover.core.gates.metric import MISSING_MINUTES
from cutover.core.observation import CustomMetric, Listed, MetricFacts, Survey, Unknown
from cutover.core.plan import Plan, PlannedGate
from cutover.core.preflight.finding import CheckResult, Severity, block, listed, need, ok, warn
from cutover.core.values import HOUR, duration_text

LOOK_BACK: Final = 3 * HOUR
"""How far back preflight looks for a metric's datapoints."""

_NEVER: Final = "a gate without data is UNKNOWN: the run would hold at its first step"


def looked_for(facts: MetricFacts) -> str:
    """What was asked, word for word, and what exists that is nearest to it."""
    asked = f"asked for {facts.asked.text}"
    if isinstance(facts.listed, Unknown):
        need = facts.listed.missing_permission
        why = f"grant {need}" if need else facts.listed.reason
        return f"{asked} (what exists beside it could not be listed: {why})"
    if facts.listed is None or facts.listed.value.found:
        return asked
    nearest = facts.listed.value.nearest
    if not nearest:
        return f"{asked}; CloudWatch has nothing of that namespace or name in the last two weeks"
    return f"{asked}; the nearest that exist: {'; '.join(one.text for one in nearest[:3])}"


def metric_gates(plan: Plan, survey: Survey) -> CheckResult:
    """Every metric gate asks for something that had data, or may have some once the destination serves."""
    gates = [gate for gate in plan.gates if gate.kind == "metric"]
    if not gates:
        return ok("no metric gate")
    found = need(survey.custom, "the metrics of the plan's gates")
    judged = [_judged(gate, found) for gate in gates]
    worst = max(judged, key=lambda one: _ORDER[one.severity])
    same = [one for one in judged if one.severity is worst.severity]
    return CheckResult(
        worst.severity, listed((one.seen for one in same), most=3), worst.why, worst.fix
    )


_ORDER: Final = {Severity.OK: 0, Severity.WARN: 1, Severity.BLOCK: 2}


def _judged(gate: PlannedGate, found: Mapping[str, MetricFacts]) -> CheckResult:
    facts, name = found.get(gate.name), gate.name
    if facts is None:
        return warn(f"{name}: not looked at", "nobody knows whether it has data", "Try again.")
    if facts.points:
        return _sparse(gate, facts)
    nothing = f"{name}: no datapoint in the last {duration_text(LOOK_BACK)}"
    if facts.listed is None or isinstance(facts.listed, Unknown):
        return warn(
            f"{nothing}; {looked_for(facts)}",
            _NEVER,
            "Look for the metric in the CloudWatch console, or grant cloudwatch:ListMetrics to be told what is near.",
        )
    seen = facts.listed.value
    if seen.found:
        known = f"{nothing}, but it exists: {looked_for(facts)}"
        if gate.spec.missing == "zero" or gate.spec.per == "request":
            return ok(known)  # there are no requests of the destination yet
        return warn(known, _NEVER, _fix_of_absence(gate))
    if wrong := cannot_exist(facts.asked, seen):
        return block(
            f"{nothing}: {wrong}; {looked_for(facts)}",
            "CloudWatch matches a metric by exactly its dimensions, so this gate could never have data",
            "Write the dimensions as they exist; if it will only be published later, waive the check `metric-gates` with that reason.",
        )
    if gate.spec.missing == "zero":
        return ok(f"{nothing}, which the plan takes for zero; {looked_for(facts)}")
    return warn(f"{nothing}; {looked_for(facts)}", _NEVER, _fix_of_absence(gate))


def cannot_exist(asked: CustomMetric, seen: Listed) -> str:
    """Why nothing is ever published under these dimensions, by what is; empty when it may be."""
    mine = dict(asked.dimensions)
    alike = [
        dict(one.dimensions)
        for one in seen.nearest
        if (one.namespace, one.metric) == (asked.namespace, asked.metric)
    ]
    for name, value in mine.items():
        short = {tail for tail in _tails(value) if any(o.get(name) == tail for o in alike)}
        if short:
            return f"{name} is an ARN here, and {short.pop()} in CloudWatch"
        if asked.namespace.startswith("AWS/ApplicationELB") and value.startswith("arn:"):
            return f"{name} is an ARN here, and CloudWatch knows it by the last part of that"
    if alike and seen.whole and all(set(one) != set(mine) for one in alike):
        sets = sorted({", ".join(sorted(one)) or "none" for one in alike})
        wanted = ", ".join(sorted(mine)) or "none"
        return f"it is published with the dimensions {' or '.join(f'({one})' for one in sets[:3])}, never with ({wanted})"
    return ""


def _tails(value: str) -> tuple[str, ...]:
    if not value.startswith("arn:"):
        return ()
    whole = resource(value)
    return whole, whole.partition("/")[2]


def _sparse(gate: PlannedGate, facts: MetricFacts) -> CheckResult:
    seen = f"{gate.name}: datapoints in {facts.points} of {facts.periods} minutes"
    quiet = (
        gate.spec.missing == "zero" or gate.spec.per == "request"
    )  # judged beside requests only
    if quiet or facts.gap < MISSING_MINUTES:
        return ok(seen)
    return warn(
        f"{seen}, up to {facts.gap} in a row without; {looked_for(facts)}",
        f"{MISSING_MINUTES} minutes in a row without a datapoint are UNKNOWN, and the run holds",
        _fix_of_absence(gate),
    )


def _fix_of_absence(gate: PlannedGate) -> str:
    if gate.spec.statistic in ("Sum", "SampleCount"):
        return "If no datapoint means zero, write `missing: zero`; otherwise correct the name, or take a metric that is published every minute."
    return "Correct the name, or take a metric that is published every minute."
