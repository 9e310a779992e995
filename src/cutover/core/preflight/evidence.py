"""Checks on evidence: the gates will have something to judge."""

from __future__ import annotations

from cutover.core.observation import AlarmState, Known, Survey
from cutover.core.plan import Plan
from cutover.core.plan.risk import forecasts_of, nothing_keeps, over_budget
from cutover.core.preflight.custom import looked_for
from cutover.core.preflight.finding import CheckResult, block, listed, need, ok
from cutover.core.values import rate_text, weight_text

RATE_MINUTES = 15
"""How many settled minutes `Survey.metrics` counts requests over."""


def metrics(plan: Plan, survey: Survey) -> CheckResult:
    """CloudWatch shows the source's requests of the last minutes."""
    found = need(survey.metrics, "metrics")
    silent = [comparison.id for comparison in plan.comparisons if not found.get(comparison.id)]
    if silent:
        asked = [f"; {looked_for(survey.silent[one])}" for one in silent if one in survey.silent]
        return block(
            f"no requests of the source in the last 15 settled minutes: {listed(silent)}{''.join(asked[:3])}",
            "without visible traffic nothing can be judged, and nothing would ever pass",
            "Check that the source serves traffic, and that the plan names the right groups and Region.",
        )
    return ok(
        listed(
            f"{comparison}: {requests} requests in 15 minutes"
            for comparison, requests in found.items()
        )
    )


def calibration(plan: Plan, survey: Survey) -> CheckResult:
    """A latency gate that compares with the source has the source's percentile."""
    wanted = {
        f"p{gate.spec.percentile:g}"
        for gate in plan.gates
        if gate.kind == "latency" and gate.spec.versus_source is not None
    }
    if not wanted:
        return ok("no gate compares with it")
    found = need(survey.calibration, "the source's latency")
    absent = [
        f"{name} of {comparison.id}"
        for comparison in plan.comparisons
        for name in sorted(wanted)
        if name not in found.get(comparison.id, {})
    ]
    if absent:
        return block(
            f"CloudWatch has no {listed(absent)} for the last hour",
            "the latency gate compares the destination with the source as it was before the run",
            "Wait until the source has an hour of traffic, or give the gate only `max`.",
        )
    return ok(
        listed(
            f"{comparison.id} {n} {found[comparison.id][n]} ms"
            for comparison in plan.comparisons
            for n in sorted(wanted)
        )
    )


def risk(plan: Plan, survey: Survey) -> CheckResult:
    """No step costs more than `risk.harmed_requests`, at the requests measured now."""
    if plan.risk is None:
        return ok("no budget in the plan")
    budget = f"risk.harmed_requests is {plan.risk.harmed_requests:,}"
    if why := nothing_keeps(plan):
        return block(
            budget,
            f"this budget cannot be kept: {why}",
            "Add an `errors` gate that rolls back, or remove the budget.",
        )
    measured = measured_rate(survey)
    rate, which = (measured, "measured now") if measured else (plan.traffic, "the plan's traffic")
    if not rate:
        return block(
            f"{budget}; the traffic is not known",
            "a budget of requests cannot be held against traffic that nobody knows",
            "Say `traffic: 6000/min` in the plan, or let CloudWatch show the source's requests.",
        )
    at = f"at {rate_text(round(rate))} ({which})"
    over = over_budget(plan, rate)
    if over is not None:
        step = over.steps[0]
        return block(
            f"step {step + 1}, {weight_text(plan.steps[step].weight)}, {at}",
            over.message,
            f"{over.fix[:1].upper()}{over.fix[1:]}.",
        )
    first = forecasts_of(plan, rate)[0].blast
    return ok(f"{budget}; a total failure at the first step costs about {first:,} {at}")


def measured_rate(survey: Survey) -> float | None:
    """Requests a minute of all comparisons in the last settled minutes; None when nobody knows.

    None seen is no measurement: "0 at risk" would be a promise.
    """
    found = survey.metrics
    return sum(found.value.values()) / RATE_MINUTES or None if isinstance(found, Known) else None


def alarms(plan: Plan, survey: Survey) -> CheckResult:
    """The plan's alarms exist and are quiet before anything moves."""
    names = [str(gate.spec.name) for gate in plan.gates if gate.kind == "alarm"]
    if not names:
        return ok("no alarm gate")
    found = need(survey.alarms, "alarms")
    missing = [name for name in names if found.get(name, AlarmState.MISSING) is AlarmState.MISSING]
    firing = [name for name in names if found.get(name) is AlarmState.ALARM]
    if missing or firing:
        return block(
            listed(
                [
                    *(f"{name} does not exist" for name in missing),
                    *(f"{name} is in ALARM already" for name in firing),
                ]
            ),
            "an alarm that cannot change says nothing about the destination",
            "Correct the name or the Region, or let the alarm clear first.",
        )
    return ok(listed(f"{name} {found[name]}" for name in names))
