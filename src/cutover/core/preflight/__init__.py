"""Preflight: pure rules over a plan and a survey, in one literal table."""

from __future__ import annotations

from typing import Final

from cutover.core.observation import Survey
from cutover.core.plan import Plan
from cutover.core.preflight import (
    caller,
    custom,
    evidence,
    fleet,
    grpc,
    owners,
    routing,
    variability,
)
from cutover.core.preflight.evidence import measured_rate
from cutover.core.preflight.finding import Check, CheckResult, Finding, Severity, Unread, unread

__all__ = ["CHECKS", "Check", "Finding", "Severity", "blocked", "measured_rate", "run_checks"]

CHECKS: Final[dict[str, Check]] = {
    "account": Check("the caller is in the plan's account", caller.account),
    "region": Check("the session asks the plan's Region", caller.region),
    "real-account": Check("real AWS is real", caller.real_account),
    "credentials": Check("the credentials outlive the plan", caller.credentials, waivable=True),
    "clock": Check("this machine and AWS agree on the time", caller.clock),
    "claimed": Check("no other run claims a route", caller.claimed),
    "routes": Check("every route exists and can be written whole", routing.routes),
    "unmodelled": Check(
        "no action holds what this version would drop", routing.unmodelled, waivable=True
    ),
    "groups": Check("the target groups exist and belong to the balancer", routing.groups),
    "application-balancer": Check("only Application Load Balancers", routing.application_balancer),
    "routes-complete": Check("every use of a planned group is in the plan", routing.complete),
    "start-weight": Check("the destination starts without traffic", routing.start_weight),
    "weights": Check("every step can be set on every route", routing.weights),
    "stickiness": Check("a rollback can recall sticky clients", routing.stickiness),
    "sticky-bake": Check("bakes are longer than the stickiness", routing.sticky_bake),
    "cognito": Check("the permission that a Cognito action needs", routing.cognito),
    "protocol-version": Check(
        "both groups speak one HTTP version", fleet.protocol_version, waivable=True
    ),
    "grpc": Check("a gate sees the failures of a gRPC service", grpc.grpc, waivable=True),
    "grpc-health": Check("a gRPC health check notices a missing service", grpc.grpc_health),
    "stream-resets": Check("reset streams become errors that are counted", grpc.stream_resets),
    "registered": Check("the destination has targets", fleet.registered),
    "destination-zones": Check(
        "the destination is spread over zones", fleet.destination_zones, waivable=True
    ),
    "destination-healthy": Check("an attached destination is healthy", fleet.destination_healthy),
    "source-healthy": Check("the source can take everything back", fleet.source_healthy),
    "source-capacity": Check(
        "the source cannot be scaled in", fleet.source_capacity, waivable=True
    ),
    "dns-alias": Check("no DNS alias reacts to the attachment", fleet.dns_alias),
    "controller": Check(
        "no Kubernetes controller owns the routes", owners.controller, waivable=True
    ),
    "cloudformation": Check(
        "no stack owns the routes unsaid", owners.cloudformation, waivable=True
    ),
    "managed-by": Check("the plan says what manages the routes", owners.managed_by),
    "metrics": Check("the source's requests are visible", evidence.metrics, waivable=True),
    "metric-gates": Check("every metric gate can have data", custom.metric_gates, waivable=True),
    "calibration": Check("the source's latency is known", evidence.calibration, waivable=True),
    "noise": Check("the limits lie outside the source's own noise", variability.noise),
    "unanswered": Check(
        "unanswered requests count against the destination", variability.unanswered
    ),
    "risk": Check("no step costs more than the plan's budget", evidence.risk),
    "alarms": Check("the plan's alarms exist and are quiet", evidence.alarms),
}

_ONLY_WARN: Final = frozenset(
    {
        "dns-alias",
        "sticky-bake",
        "cognito",
        "noise",
        "unanswered",
        "grpc-health",
        "stream-resets",
    }
)
"""Checks that never block, so that an unknown fact does not either."""


def run_checks(plan: Plan, survey: Survey) -> tuple[Finding, ...]:
    """Every check in the table's order, with the plan's waivers applied."""
    reasons = {waive.check: waive.why for waive in plan.waive}
    found = [
        _found(name, check, plan, survey, reasons.get(name)) for name, check in CHECKS.items()
    ]
    found.append(_named("waive", caller.waived(plan, tuple(CHECKS))))
    return tuple(found)


def blocked(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Those that refuse the run."""
    return tuple(finding for finding in findings if finding.severity is Severity.BLOCK)


def _found(name: str, check: Check, plan: Plan, survey: Survey, waiver: str | None) -> Finding:
    try:
        judged = check.judge(plan, survey)
    except Unread as error:
        judged = unread(error, Severity.WARN if name in _ONLY_WARN else Severity.BLOCK)
    if waiver is None or judged.severity is not Severity.BLOCK:
        return _named(name, judged)
    if check.waivable:
        return Finding(
            name, Severity.WARN, judged.seen, f"{judged.why}; waived: {waiver}", judged.fix
        )
    return Finding(
        name, Severity.BLOCK, judged.seen, f"{judged.why}; this check cannot be waived", judged.fix
    )


def _named(name: str, judged: CheckResult) -> Finding:
    return Finding(name, judged.severity, judged.seen, judged.why, judged.fix)
