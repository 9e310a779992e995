"""What `cutover status --json` prints of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cutover.core.gates.api import Signal, Verdict
from cutover.core.messages import LiveVerdict, after_deadline, baked, explain, left_ms, standings
from cutover.core.moment import Moment, wall_from_ms, wall_text
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig
from cutover.core.state import NO_STEP, Phase, RouteState, RunState
from cutover.core.state.model import Verdicts
from cutover.core.values import weight_percent
from cutover.render.jsonlines import reason_json
from cutover.render.next_command import next_command_line
from cutover.render.run_status import SCHEMA, undriven


def status_json(state: RunState, plan: Plan, *, driven: bool = True) -> dict[str, Any]:
    """The run as one JSON object with its schema.

    `state` is folded with its evidence, or the gates have no signals; `driven`: a living process drives the run.
    """
    body = status_body_of(state, plan, standings(plan, state))
    if not driven:
        body = undriven(body, next_command_line(state, driven=False))
    return {"schema": SCHEMA, **body}


def status_body_of(state: RunState, plan: Plan, gates: Sequence[LiveVerdict]) -> dict[str, Any]:
    """A run that a process drives: weights in percent, durations ms, rates ppm, times ISO 8601 UTC or null."""
    return {
        "plan": plan.name,
        "plan_hash": state.plan_hash,
        "account": state.account,
        "region": state.region,
        "mode": state.mode,
        "phase": state.phase.value,
        "why": "" if state.reason is None else explain(state.reason),
        "reason": reason_json(state.reason),
        "weight_percent": weight_percent(state.weight),
        "step": state.step,
        "steps": [
            {
                "weight_percent": weight_percent(step.weight),
                "bake_ms": step.bake,
                "approve": step.approve or "",
            }
            for step in plan.steps
        ],
        "proven": state.proven,
        "baked_ms": baked(plan, state) if state.evidence_from_ms != NO_STEP else 0,
        "opened": _iso(state.opened),
        "since": _iso(state.turned),
        "last": _iso(state.last),
        "hold": _hold(state, plan),
        "routes": [_route_json(route, known) for route, known in state.routes.items()],
        "gates": [
            {
                "gate": gate,
                "comparison": comparison,
                "verdict": known.verdict,
                "reason": _fresh(gates, gate, comparison, known).reason,
                "why": _fresh(gates, gate, comparison, known).why,
                "since": _iso(known.since),
                "signals": [
                    _signal(signal)
                    for one in gates
                    if (one.gate, one.comparison) == (gate, comparison)
                    for signal in one.signals
                ],
            }
            for (gate, comparison), known in state.verdicts.items()
        ],
        "advance_in_ms": _advance_in(state, plan, gates),
        "rollback": None
        if state.rollback_at is None
        else {
            "since": _iso(state.rollback_at),
            "cause": state.rollback_cause,
            "escalated": state.escalated_at is not None,
        },
        "runner": {
            "actor": state.actor,
            "host": state.host,
            "pid": state.pid,
            "epoch": state.epoch,
        },
        "closed": state.closed,
        "exit_code": state.exit_code if state.closed else None,
        "next": next_command_line(state),
    }


def _fresh(
    gates: Sequence[LiveVerdict], gate: str, comparison: str, known: Verdicts
) -> LiveVerdict | Verdicts:
    """The verdict with the numbers of the newest minute, else the journalled one."""
    return next((one for one in gates if (one.gate, one.comparison) == (gate, comparison)), known)


def _signal(signal: Signal) -> Mapping[str, object]:
    return {
        "name": signal.name,
        "evidence": round(signal.evidence, 6),
        "needed": round(signal.needed, 3),
        "requests": signal.counts.total,
        "bad": round(signal.counts.bad, 3),
        "allowed_ppm": signal.allowed_ppm,
        "bound_ppm": signal.bound_ppm,
        "minutes": signal.minutes,
    }


def _advance_in(state: RunState, plan: Plan, gates: Sequence[LiveVerdict]) -> int | None:
    """Settled evidence that the bake still wants when every gate passes; None when one does not, or nothing bakes."""
    if state.phase is not Phase.BAKING or not gates:
        return None
    if any(one.verdict is not Verdict.PASS for one in gates):
        return None
    return left_ms(plan, state, baked(plan, state))


def _iso(moment: Moment | None) -> str | None:
    return None if moment is None else wall_text(moment.wall)


def _hold(state: RunState, plan: Plan) -> Mapping[str, object] | None:
    held = state.held
    if held is None:
        return None
    return {
        "reason": held.reason.value,
        "why": explain(held.because),
        "because": reason_json(held.because),
        "since": _iso(held.since),
        "deadline": wall_text(wall_from_ms(held.deadline_ms)) if held.deadline_ms else None,
        "then": after_deadline(plan, held.reason),
    }


def _weight(config: RouteConfig | None) -> float | None:
    return None if config is None or config.weight is None else weight_percent(config.weight)


def _route_json(route: str, known: RouteState) -> Mapping[str, object]:
    return {
        "route": route,
        "weight_percent": _weight(known.committed),
        "live_weight_percent": _weight(None if known.seen is None else known.seen.config),
        "in_doubt_percent": None if known.in_doubt is None else known.in_doubt.weight / 10,
        "exists": known.gone_since is None,
        "readable": known.unreadable_since is None,
        "restored": _iso(known.restored),
        "impossible": known.impossible,
    }
