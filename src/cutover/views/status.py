"""What `cutover status` prints of one run, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cutover.core.gates.judging import Signal, Verdict
from cutover.core.moment import Moment, wall_from_ms, wall_text
from cutover.core.plan import Plan
from cutover.core.state import NO_STEP, Phase, RouteState, RunState
from cutover.core.story import (
    Stand,
    Standing,
    Story,
    about,
    after_deadline,
    baked,
    clock_text,
    judged,
    left_ms,
    next_command,
    oddities_text,
    outlook,
    route_name,
    stamp,
    standings,
)
from cutover.core.values import weight_text
from cutover.views.text import columns, pad, wrap

SCHEMA = "cutover.status.v1"

LAST = 5
"""Sentences shown at the end."""

_JUDGED = frozenset({Phase.SHIFTING, Phase.SETTLING, Phase.BAKING, Phase.HOLDING})


def status_view(
    story: Story,
    now: Moment,
    width: int,
    *,
    liveness: str = "",
    driven: bool = True,
    gates: Sequence[Standing] = (),
) -> list[str]:
    """The run as it stands, in lines of at most `width` columns.

    Args:
        story: told from the whole journal.
        now: this instant.
        width: columns.
        driven: a living process drives the run, so its deadlines are kept.
        gates: where each stands, by a state folded with its evidence (`core.story.standings`).
        liveness: what beat.json and the lease say of the process ("driven by process 12, looked 4s ago").
    """
    return [
        *_head(story, now, width, liveness, driven=driven, gates=gates),
        *_steps(story, width),
        *_gates(story, width, gates),
        *_routes(story, width),
        *_tail(story, width, driven=driven),
    ]


def _head(
    story: Story,
    now: Moment,
    width: int,
    liveness: str,
    *,
    driven: bool,
    gates: Sequence[Standing],
) -> Iterator[str]:
    state, plan = story.state, story.plan
    where = f", step {state.step + 1} of {len(plan.steps)}" if state.step >= 0 else ""
    yield from wrap(
        f"{plan.name}: {state.phase} at {weight_text(state.weight)}{where}", width, rest="  "
    )
    mode = "" if state.mode == "live" else f" ({state.mode}: no real traffic)"
    yield from _field(
        "where",
        f"{state.account or plan.aws.account} {state.region or plan.aws.region}{mode}",
        width,
    )
    if state.opened is not None:
        yield from _field("begun", _since(state.opened, now), width)
    if state.turned is not None:
        yield from _field("so since", _since(state.turned, now), width)
    if liveness:
        yield from _field("process", liveness, width)
    if state.phase is Phase.BAKING and 0 <= state.step < len(plan.steps):
        done, bake = baked(plan, state), plan.steps[state.step].bake
        of = f" of {about(bake)}" if bake else ""
        yield from _field("evidence", f"{about(done)}{of} settled minutes", width)
    if state.held is not None:
        yield from _field("holding", state.held.why, width)
        if state.held.deadline_ms:
            at = clock_text(wall_from_ms(state.held.deadline_ms), now.wall)
            then = after_deadline(plan, state.held.reason)
            kept = f"{at}, then {then}" if driven else f"{at}, but no process lives to keep it"
            yield from _field("until", kept, width)
    elif story.reason and state.phase not in (Phase.COMPLETED, Phase.FINISHED):
        yield from _field("reason", story.reason, width)


def _since(then: Moment, now: Moment) -> str:
    return f"{stamp(then.wall)} ({about(now.after(then))} ago)"


def _field(name: str, text: str, width: int) -> list[str]:
    return wrap(text, width, first=f"  {pad(name, 9)} ")


def _steps(story: Story, width: int) -> Iterator[str]:
    yield ""
    yield "  steps"
    size = max(columns(weight_text(step.weight)) for step in story.steps)
    current = story.state.target if story.state.phase is Phase.SHIFTING else story.state.step
    for index, step in enumerate(story.steps):
        live = index == current and step.stand not in (Stand.PASSED, Stand.TAKEN_BACK)
        evidence = f"{about(step.baked_ms)} of {about(step.planned_ms)}"
        if not step.planned_ms:
            evidence = f"{about(step.baked_ms)}, no bake of its own"
        head = f"  {'>' if live else ' '} {pad(weight_text(step.weight), size, right=True)}  "
        yield from wrap(f"{pad(step.stand, 10)}  {evidence}", width, first=head)


def _gates(story: Story, width: int, gates: Sequence[Standing]) -> Iterator[str]:
    """Each gate's verdict and its numbers, while one of the steps is judged."""
    if not gates or story.state.phase not in _JUDGED:
        return
    yield ""
    yield "  gates"
    names = [judged(story.plan, one.gate, one.pair) for one in gates]
    size = min(max(columns(name) for name in names), width // 3)
    for name, one in zip(names, gates, strict=True):
        verdict = pad(one.verdict.name, max(len(name) for name in Verdict.__members__))
        if columns(name) > size:
            yield from wrap(name, width, first="    ")
            name = ""
        yield from wrap(one.why, width, first=f"    {pad(name, size)}  {verdict}  ")


def _routes(story: Story, width: int) -> Iterator[str]:
    yield ""
    yield "  routes"
    for route, known in story.state.routes.items():
        yield from wrap(
            f"{route_name(route)}  {_route(known)}", width, first="    ", rest="      "
        )


def _weight_of(known: RouteState) -> str:
    form = known.committed
    if form is None:
        return "weight not read yet"
    if form.weight is not None:
        return weight_text(form.weight)
    return (
        "source only, the destination is not attached" if not form.attached else "weight unknown"
    )


def _route(known: RouteState) -> str:
    parts = [_weight_of(known)]
    if (
        known.seen is not None
        and known.committed is not None
        and known.seen.form.hash != known.committed.hash
    ):
        live = known.seen.form.weight
        parts.append("the live form differs" + ("" if live is None else f": {weight_text(live)}"))
    if known.unreadable_since is not None:
        parts.append(f"not readable since {stamp(known.unreadable_since.wall)}")
    if known.restored is not None:
        parts.append(f"restored {stamp(known.restored.wall)}")
    if known.impossible:
        parts.append("cutover cannot restore it")
    return ", ".join(parts)


def _tail(story: Story, width: int, *, driven: bool) -> Iterator[str]:
    if story.lines:
        yield ""
        yield "  last"
        for line in story.lines[-LAST:]:
            yield from wrap(line.text, width, first=f"    {stamp(line.at.wall)[11:]}  ")
    yield ""
    yield from _field("odd", oddities_text(story.oddities), width)
    yield from _field("next", next_command(story.state, driven=driven), width)


def status_json(state: RunState, plan: Plan) -> dict[str, object]:
    """The run as one JSON object: weights per mille, durations ms, rates ppm, times ISO 8601 UTC or null.

    `state` is folded with its evidence, or the gates have no signals.
    """
    gates = standings(plan, state)
    return {
        "schema": SCHEMA,
        "plan": plan.name,
        "plan_hash": state.plan_hash,
        "account": state.account,
        "region": state.region,
        "mode": state.mode,
        "phase": state.phase.value,
        "why": state.why,
        "weight": state.weight,
        "step": state.step,
        "steps": [
            {"weight": step.weight, "bake_ms": step.bake, "approve": step.approve or ""}
            for step in plan.steps
        ],
        "proven": state.proven,
        "baked_ms": baked(plan, state) if state.evidence_from_ms != NO_STEP else 0,
        "opened": _iso(state.opened),
        "since": _iso(state.turned),
        "last": _iso(state.last),
        "hold": None if state.held is None else _hold(state, plan),
        "routes": [_route_json(route, known) for route, known in state.routes.items()],
        "gates": [
            {
                "gate": gate,
                "pair": pair,
                "verdict": known.verdict,
                "why": _fresh_why(gates, gate, pair) or known.why,
                "since": _iso(known.since),
                "signals": [
                    _signal(signal)
                    for one in gates
                    if (one.gate, one.pair) == (gate, pair)
                    for signal in one.signals
                ],
            }
            for (gate, pair), known in state.verdicts.items()
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
        "next": next_command(state),
    }


def _fresh_why(gates: Sequence[Standing], gate: str, pair: str) -> str:
    return next((one.why for one in gates if (one.gate, one.pair) == (gate, pair)), "")


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


def _advance_in(state: RunState, plan: Plan, gates: Sequence[Standing]) -> int | None:
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
        "why": held.why,
        "since": _iso(held.since),
        "deadline": wall_text(wall_from_ms(held.deadline_ms)) if held.deadline_ms else None,
        "then": after_deadline(plan, held.reason),
    }


def _route_json(route: str, known: RouteState) -> Mapping[str, object]:
    return {
        "route": route,
        "weight": None if known.committed is None else known.committed.weight,
        "live_weight": None if known.seen is None else known.seen.form.weight,
        "readable": known.unreadable_since is None,
        "restored": _iso(known.restored),
        "impossible": known.impossible,
    }
