"""Checks on gRPC: a call that failed is an HTTP 200, so the gates on HTTP see nothing of it."""

from __future__ import annotations

from typing import Final

from cutover.core.arn import resource
from cutover.core.observation import GroupFacts, Survey
from cutover.core.plan import Plan, PlannedGate
from cutover.core.preflight.finding import CheckResult, block, listed, need_all, ok, warn

UNIMPLEMENTED: Final = 12
"""gRPC's status of a method that nobody serves; AWS docs (API Matcher): the default code of a healthy target."""

RESETS: Final = "routing.http2.rst_stream_error_forwarding.enabled"
"""AWS docs: target group attribute, "HTTP/2 RST_STREAM error forwarding" (edit target group attributes)."""

ALB_NAMESPACE: Final = "AWS/ApplicationELB"


def _groups(plan: Plan, survey: Survey) -> dict[str, GroupFacts]:
    return need_all(
        survey.groups, [g for r in plan.routes for g in (r.source, r.destination)], "target group"
    )


def _grpc(plan: Plan, survey: Survey) -> list[GroupFacts]:
    return [one for one in _groups(plan, survey).values() if one.protocol_version == "GRPC"]


def watches_calls(gate: PlannedGate) -> bool:
    """Whether the gate may know what became of gRPC calls: no metric of the load balancer does."""
    if gate.kind == "metric":
        return bool(gate.spec.namespace != ALB_NAMESPACE)
    return gate.kind == "alarm"


def grpc(plan: Plan, survey: Survey) -> CheckResult:
    """A gRPC service is watched by a gate that can see its failures."""
    found = _grpc(plan, survey)
    if not found:
        return ok("no target group speaks gRPC")
    watching = [gate.name for gate in plan.gates if watches_calls(gate)]
    if not watching:
        return block(
            f"{listed(resource(one.arn) for one in found)} speak{'s' * (len(found) == 1)} gRPC, and no gate sees its failures",
            "a failed call is HTTP 200 with the failure in its `grpc-status` trailer, which no metric of the load balancer counts: "
            "a dead service could reach 100 %",
            "Add a `metric` or `alarm` gate on the failed calls that the service itself counts.",
        )
    return ok(f"gRPC calls are watched by {listed(watching)}")


def grpc_health(plan: Plan, survey: Survey) -> CheckResult:
    """The health check of a gRPC group fails when the service is not there."""
    blind = [
        f"{resource(one.arn)} takes code {one.matcher or UNIMPLEMENTED} for healthy"
        for one in _grpc(plan, survey)
        if _matches(one.matcher, UNIMPLEMENTED)
    ]
    if blind:
        return warn(
            listed(blind),
            "12 is UNIMPLEMENTED: a server that does not have the service at all answers so, and counts as healthy",
            "Serve the gRPC health protocol, and set the group's health check to its path and to code 0.",
        )
    return ok("no health check takes a missing service for healthy")


def stream_resets(plan: Plan, survey: Survey) -> CheckResult:
    """Reset streams become errors of the load balancer, which the gates count."""
    forwarding = [
        resource(one.arn)
        for one in _groups(plan, survey).values()
        if one.protocol_version != "HTTP1" and one.attributes.get(RESETS) == "true"
    ]
    if forwarding:
        return warn(
            f"{listed(forwarding)} forward{'s' * (len(forwarding) == 1)} RST_STREAM to the client",
            "no 502 is made of a reset stream then: `errors` sees one only as a request that nobody answered, once its minute is "
            "settled, and a reset after the headers not at all",
            f"Set {RESETS} to false for the cutover, or watch the resets with a `metric` or `alarm` gate.",
        )
    return ok("no group passes reset streams on")


def _matches(matcher: str, code: int) -> bool:
    """Whether `0,5-12` holds the code; what cannot be read might."""
    try:
        spans = [part.split("-") for part in (matcher or str(UNIMPLEMENTED)).split(",")]
        return any(int(span[0]) <= code <= int(span[-1]) for span in spans)
    except ValueError:
        return True
