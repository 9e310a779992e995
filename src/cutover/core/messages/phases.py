"""The sentence of each phase change."""

from __future__ import annotations

from collections.abc import Callable

from cutover.core.arn import route_name
from cutover.core.journal.events import PhaseChanged, Record
from cutover.core.messages.holds import hold_sentence
from cutover.core.messages.phrases import reason_text, text_of
from cutover.core.plan import Plan
from cutover.core.state import Phase, RouteState, RunState
from cutover.core.values import SECOND, count_of, duration_text, weight_text


def phase_sentence(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    """What a person is told of a phase change."""
    return _TOLD[Phase(event.after)](plan, before, record, event)


def step_text(plan: Plan, index: int) -> str:
    """`step 2 of 7`."""
    return f"step {index + 1} of {len(plan.steps)}"


def _preflight(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    return text_of(plan, event)


def _attaching(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    where = count_of(len(plan.routes), "route")
    doing = f"attaching the destination at weight {weight_text(before.weight)} on {where}"
    if Phase(event.before) is Phase.PREFLIGHT:
        return f"every check passed -> {doing}"
    return f"{text_of(plan, event)} -> {doing}"


def _shifting(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    if event.step < 0 or Phase(event.before) is Phase.HOLDING:
        return f"{text_of(plan, event)} -> writing and reading back every route"
    to = weight_text(plan.steps[event.step].weight)
    if plan.steps[event.step].hands_over:
        return f"the last bake passed -> handing over: raising to {to} ({step_text(plan, event.step)})"
    gates = "every gate passes" if before.step >= 0 else "the destination is attached and healthy"
    return f"{gates} -> raising to {to} ({step_text(plan, event.step)})"


def _settling(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    if Phase(event.before) is not Phase.SHIFTING:
        return f"{text_of(plan, event)} -> settling, then a fresh bake"
    weight = weight_text(plan.steps[event.step].weight)
    where = count_of(len(plan.routes), "route")
    if event.step == before.step:
        return f"at {weight} on {where}, read back twice"
    return f"raised to {weight} on {where}, read back twice"


def _baking(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    step = plan.steps[event.step]
    if step.hands_over:
        return f"looking once more at {weight_text(step.weight)} ({step_text(plan, event.step)}): complete when no gate objects"
    if Phase(event.before) is Phase.HOLDING:
        at = f"{weight_text(step.weight)} ({step_text(plan, event.step)})"
        return f"{text_of(plan, event)} -> back to baking {at}; the evidence went on meanwhile"
    return f"baking {weight_text(step.weight)} for {duration_text(step.bake)} ({step_text(plan, event.step)})"


def _rolling_back(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    why = text_of(plan, event)
    if event.cause == "breach":
        why = f"breach on {why}"
    if before.phase is Phase.NEEDS_HUMAN:
        return f"{why} -> trying again to restore every route"
    live = max(before.weight, *(_read_as(known) for known in before.routes.values()), 0)
    doubts = (known.in_doubt for known in before.routes.values())
    perhaps = max((doubt.weight for doubt in doubts if doubt is not None), default=0)
    if perhaps > live:
        return (
            f"{why} -> rolling back (a write of {weight_text(perhaps)} may have reached a route)"
        )
    if live == 0:
        return f"{why} -> rolling back (no step was raised)"
    return f"{why} -> rolling back from {weight_text(live)}"


def _read_as(known: RouteState) -> int:
    """The destination's portion by the newest read, which may be more than what is committed."""
    return 0 if known.seen is None else int(known.seen.config.weight or 0)


def _rolled_back(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    why = text_of(plan, event)
    if before.phase is Phase.NEEDS_HUMAN:
        return f"rolled back: {why}"
    sent = {r: k.sent for r, k in before.routes.items() if k.sent and k.sent.kind == "restore"}
    if not any(known.restored for known in before.routes.values()):
        return f"rolled back: nothing had been written ({reason_text(plan, before.reason)})"
    most = max((one.attempt for one in sent.values()), default=0)
    how = {0: "every route was as found", 1: "in one write per route"}.get(
        most, f"in up to {most} writes per route"
    )
    confirmed = f"{plan.observe.confirm / SECOND:g} s"
    return (
        f"rolled back {how}; read back twice, and again {confirmed} later; "
        f"the reason: {_cause(plan, before, why)}"
    )


def _cause(plan: Plan, before: RunState, why: str) -> str:
    return f"breach on {why}" if before.rollback_cause == "breach" else why


def _completed(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    weight = weight_text(before.weight)
    if plan.steps[event.step].hands_over:
        control = weight_text(plan.steps[event.step - 1].weight)
        return (
            f"completed: {weight} on {count_of(len(plan.routes), 'route')}, the last bake passed at {control} and no gate "
            "objects; the source stays attached: `cutover rollback` goes back until `cutover finish`"
        )
    return (
        f"completed: {weight} on {count_of(len(plan.routes), 'route')}, every gate passes; the source stays "
        "attached: `cutover rollback` goes back until `cutover finish`"
    )


def _needs_human(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    stuck = ", ".join(route_name(r) for r, known in before.routes.items() if known.impossible)
    where = f" ({stuck})" if stuck else f" at {weight_text(before.weight)}"
    ways = "`cutover rollback` tries again"
    if before.phase is Phase.ROLLING_BACK:
        ways = "restore.sh or your own hands, then `cutover rollback --confirm-restored`; `cutover rollback` tries again"
    return f'a person is needed{where}: {text_of(plan, event)}; {ways}, `cutover finish --leave-as-is "why"` keeps it'


def _finished(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    return f"{text_of(plan, event)}; the routes are free for another run"


def _refused(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    return f"refused, nothing was written: {text_of(plan, event)}"


def _abandoned(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    return f"{text_of(plan, event)}; the routes stay at {weight_text(before.weight)} and are free for another run"


_TOLD: dict[Phase, Callable[[Plan, RunState, Record, PhaseChanged], str]] = {
    Phase.PREFLIGHT: _preflight,
    Phase.ATTACHING: _attaching,
    Phase.SHIFTING: _shifting,
    Phase.SETTLING: _settling,
    Phase.BAKING: _baking,
    Phase.HOLDING: hold_sentence,
    Phase.ROLLING_BACK: _rolling_back,
    Phase.COMPLETED: _completed,
    Phase.NEEDS_HUMAN: _needs_human,
    Phase.FINISHED: _finished,
    Phase.ROLLED_BACK: _rolled_back,
    Phase.REFUSED: _refused,
    Phase.ABANDONED: _abandoned,
}
