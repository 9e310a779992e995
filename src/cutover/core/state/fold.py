"""From state and record to state: one small function per record type, in one literal table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cutover.core.journal import events as ev
from cutover.core.plan import Plan
from cutover.core.reasons import reason_of
from cutover.core.routing import RouteConfig, config_of
from cutover.core.state import evidence as evid
from cutover.core.state.evidence import NO_STEP, Folded
from cutover.core.state.model import Doubt, ObservedConfig, RouteState, RunState, Sent, Verdicts
from cutover.core.state.phases import Phase
from cutover.core.state.transitions import turned
from cutover.core.values import FULL, RouteId, with_fields


def evolve(plan: Plan, state: RunState, record: ev.Record) -> RunState:
    """The state after one record.

    Raises:
        ValueError: for a phase change that `TRANSITIONS` forbids; the state is unchanged.
    """
    folded = _FOLDS[type(record.event)](plan, state, record, record.event)
    return with_fields(folded, seq=record.seq, epoch=record.epoch, last=record.at)


def replay(plan: Plan, records: Iterable[ev.Record]) -> RunState:
    """The state after all of a journal's records.

    Raises:
        ValueError: as `evolve`.
    """
    state = RunState()
    for record in records:
        state = evolve(plan, state, record)
    return state


def _open(plan: Plan, state: RunState, record: ev.Record, event: ev.RunOpen) -> RunState:
    return with_fields(
        state,
        plan_hash=event.plan_hash,
        plan_name=event.plan_name,
        mode=event.mode,
        account=event.account,
        region=event.region,
        tool=event.tool,
        opened=record.at,
        turned=record.at,
        routes={RouteId(route): RouteState() for route in event.routes},
        evidence=evid.begin(plan),
    )


def _lease(plan: Plan, state: RunState, record: ev.Record, event: ev.LeaseTaken) -> RunState:
    first = state.actor == ""
    return with_fields(
        state,
        actor=event.actor,
        host=event.host,
        pid=event.pid,
        exit_on_hold=bool(event.exit_on_hold),
        closed=False,
        exit_code=-1,
        driven_since=record.at,
        alarming={},
        refused_interrupts=0,
        finishing="",
        routes={
            r: with_fields(s, seen=None, unreadable_since=None, gone_since=None)
            for r, s in state.routes.items()
        },
        evidence=state.evidence if first else evid.restart(plan, state.evidence),
    )


def _check(plan: Plan, state: RunState, record: ev.Record, event: ev.CheckFound) -> RunState:
    return (
        with_fields(state, blocked=(*state.blocked, event.id))
        if event.severity == "block"
        else state
    )


def _snapshot(plan: Plan, state: RunState, record: ev.Record, event: ev.Snapshot) -> RunState:
    routes = dict(state.routes)
    for route, body in event.configs.items():
        config = config_of(body)
        routes[RouteId(route)] = with_fields(
            routes[RouteId(route)],
            snapshot=config,
            committed=config,
            stickiness_strategy=event.stickiness_strategies.get(route, "keep"),
            written=frozenset({config.hash}),
        )
    weights = {r.snapshot.weight if r.snapshot else None for r in routes.values()}
    found = weights.pop() if len(weights) == 1 else None
    return with_fields(
        state,
        routes=routes,
        weights=((record.at.wall_ms, int(found)),) if found else (),
        source_healthy=dict(event.source_healthy),
        evidence=with_fields(state.evidence, calibration=event.calibration),
    )


def _route(state: RunState, route: str, change: Callable[[RouteState], RouteState]) -> RunState:
    key = RouteId(route)
    return with_fields(state, routes={**state.routes, key: change(state.routes[key])})


def _intent(plan: Plan, state: RunState, record: ev.Record, event: ev.Intent) -> RunState:
    post = config_of(event.post)
    sent = Sent(event.kind, event.step, event.attempt, event.pre, post, event.weight, record.at)

    def change(route: RouteState) -> RouteState:
        seen = route.seen.config.hash if route.seen is not None else ""
        novel, changes = post.hash not in route.written, post.hash not in (event.pre, seen)
        now = with_fields(sent, epoch=record.epoch, novel=novel, changes=changes)
        # what changes nothing of somebody else's config does not make it ours
        written = route.written | {post.hash} if changes else route.written
        return with_fields(route, sent=now, doubt=route.in_doubt, written=written)

    return _route(state, event.route, change)


def _outcome(plan: Plan, state: RunState, record: ev.Record, event: ev.Outcome) -> RunState:
    def change(route: RouteState) -> RouteState:
        if event.result == "impossible":
            return with_fields(route, impossible=True)
        if route.sent is None:
            return route
        refused = event.result in ("not_applied", "cancelled")
        never_there = refused and route.sent.novel
        return with_fields(
            route,
            written=route.written - {route.sent.post.hash} if never_there else route.written,
            sent=with_fields(
                route.sent,
                result=event.result,
                code=event.code,
                message=event.message,
                denied=bool(event.denied),
            ),
        )

    return _route(state, event.route, change)


def _known_config(route: RouteState, config_hash: str) -> RouteConfig | None:
    candidates = (
        route.sent.post if route.sent else None,
        route.snapshot,
        route.seen.config if route.seen else None,
    )
    return next(
        (config for config in candidates if config is not None and config.hash == config_hash),
        None,
    )


def _verified(plan: Plan, state: RunState, record: ev.Record, event: ev.Verified) -> RunState:
    back = record.at if state.phase in (Phase.ROLLING_BACK, Phase.NEEDS_HUMAN) else None

    def change(route: RouteState) -> RouteState:
        config = _known_config(route, event.config) or route.committed
        taken = state.phase is Phase.HOLDING and event.config not in route.written
        return with_fields(
            route, committed=config, restored=back, accepted=route.accepted or taken
        )

    changed = _route(state, event.route, change)
    weights = {_portion(r.committed) for r in changed.routes.values()}
    if len(weights) == 1:
        weight = weights.pop() or 0
        if weight != changed.weight or not changed.weights:
            changed = with_fields(
                changed, weights=(*changed.weights, (record.at.wall_ms, int(weight)))
            )
    return changed


def _portion(config: RouteConfig | None) -> int | None:
    """The destination's portion: at weight 0 and not in the action at all are the same; None: underivable."""
    if config is not None and config.source_present and not config.attached:
        return 0
    return None if config is None else config.weight


def _effective(
    plan: Plan, state: RunState, record: ev.Record, event: ev.WeightObserved
) -> RunState:
    changed = with_fields(
        state, shares=dict(event.shares), share_reason=reason_of(event.reason, event.facts)
    )
    if event.from_ms > state.evidence_from_ms:
        changed = with_fields(
            changed, evidence_from_ms=event.from_ms, evidence=evid.restart(plan, state.evidence)
        )
    return changed


def _gate(plan: Plan, state: RunState, record: ev.Record, event: ev.GateJudged) -> RunState:
    key = (event.gate, event.comparison)
    before = state.verdicts.get(key)
    since = before.since if before is not None and before.verdict == event.verdict else record.at
    return with_fields(
        state,
        verdicts={**state.verdicts, key: Verdicts(event.verdict, event.reason, event.why, since)},
    )


def _minute(plan: Plan, state: RunState, record: ev.Record, event: ev.MinuteSettled) -> RunState:
    minute = ev.minute_of(event)
    period, first = plan.observe.period, state.first_raise_ms
    baseline = first is None or minute.at_ms + period <= first
    weight = state.weight_in(minute.at_ms, period)
    folded = Folded(minute, weight, 0 if baseline else state.evidence_from_ms)
    return with_fields(
        state,
        evidence=evid.fold(plan, state.evidence, folded),
        journalled_ms={**state.journalled_ms, event.comparison: event.at_ms},
    )


def _corrected(
    plan: Plan, state: RunState, record: ev.Record, event: ev.MinuteCorrected
) -> RunState:
    return with_fields(state, evidence=evid.correct(plan, state.evidence, ev.minute_of(event)))


def _observed(plan: Plan, state: RunState, record: ev.Record, event: ev.Observed) -> RunState:
    facts: Mapping[str, Any] = event.facts
    if event.what == "config":
        return _route(
            state,
            facts["route"],
            lambda r: _saw(state, r, ObservedConfig(config_of(facts["config"]), record.at)),
        )
    if event.what == "overwritten":
        return _route(state, facts["route"], lambda r: with_fields(r, impossible=True))
    if event.what == "unreadable":
        return _route(
            state,
            facts["route"],
            lambda r: with_fields(
                r, unreadable_since=r.unreadable_since or record.at, gone_since=None
            ),
        )
    if event.what == "gone":
        return _route(
            state,
            facts["route"],
            lambda r: with_fields(
                r, gone_since=record.at, unreadable_since=r.unreadable_since or record.at
            ),
        )
    if event.what == "history_lost":
        lost = Doubt(record.at, FULL)
        routes = {route: with_fields(known, doubt=lost) for route, known in state.routes.items()}
        return with_fields(state, routes=routes)
    if event.what == "alarming":
        key = (str(facts["gate"]), str(facts["comparison"]), int(facts["at_ms"]))
        return with_fields(state, alarming={**state.alarming, key: record.at})
    if event.what == "escalated":
        return with_fields(state, escalated_at=record.at)
    return with_fields(state, observed={**state.observed, event.what: dict(facts)})


def _saw(state: RunState, route: RouteState, seen: ObservedConfig) -> RouteState:
    overwritten = route.overwritten
    restored = route.restored
    if state.phase is Phase.ROLLING_BACK:
        sent = route.sent
        applied = sent is not None and sent.kind == "restore" and sent.result == "applied"
        if applied and seen.config.hash not in route.written:
            overwritten += 1
        if route.committed is not None and seen.config.hash != route.committed.hash:
            restored = None
    return with_fields(
        route,
        seen=seen,
        sent=_shown(route.sent, seen.config),
        strange=seen.config.hash not in route.written and not route.accepted,
        unreadable_since=None,
        gone_since=None,
        overwritten=overwritten,
        restored=restored,
    )


def _shown(sent: Sent | None, live: RouteConfig) -> Sent | None:
    """The newest write, shown by this read or not; the read is younger than the answer, if there is one."""
    if sent is None or not shows(sent, live):
        return sent
    return with_fields(sent, shown=True)


def shows(sent: Sent, live: RouteConfig) -> bool:
    """Whether a read that found `live` just now shows this write; see `RouteState.in_doubt`."""
    if sent.refused or live.hash != sent.post.hash:
        return False
    return sent.answered or (sent.novel and sent.changes)


def _command(plan: Plan, state: RunState, record: ev.Record, event: ev.CommandGiven) -> RunState:
    if event.command == "approve" and event.detail.lstrip("-").isdigit():
        return with_fields(state, approved=state.approved | {int(event.detail)})
    if event.command == "finish" and state.phase is Phase.COMPLETED:
        return with_fields(state, finishing=event.detail or "keep", finishing_at=record.at)
    if event.command in ("pause", "resume") and state.phase is Phase.PREFLIGHT:
        return with_fields(state, pause_asked=event.command == "pause")
    if event.command == "interrupt" and state.phase is Phase.ROLLING_BACK:
        return with_fields(state, refused_interrupts=state.refused_interrupts + 1)
    return state


def _gap(plan: Plan, state: RunState, record: ev.Record, event: ev.Gap) -> RunState:
    changed = with_fields(
        state, evidence=evid.restart(plan, state.evidence), alarming={}, raising=False
    )
    if state.evidence_from_ms != NO_STEP:
        changed = with_fields(changed, evidence_from_ms=max(event.from_ms, state.evidence_from_ms))
    return changed


def _drift(plan: Plan, state: RunState, record: ev.Record, event: ev.Drift) -> RunState:
    return with_fields(state, evidence=evid.restart(plan, state.evidence))


def _note(plan: Plan, state: RunState, record: ev.Record, event: ev.Note) -> RunState:
    return state


def _close(plan: Plan, state: RunState, record: ev.Record, event: ev.Close) -> RunState:
    return with_fields(state, closed=True, exit_code=event.exit_code)


_FOLDS: dict[type, Callable[[Plan, RunState, ev.Record, Any], RunState]] = {
    ev.RunOpen: _open,
    ev.LeaseTaken: _lease,
    ev.CheckFound: _check,
    ev.Snapshot: _snapshot,
    ev.PhaseChanged: turned,
    ev.Intent: _intent,
    ev.Outcome: _outcome,
    ev.Verified: _verified,
    ev.WeightObserved: _effective,
    ev.GateJudged: _gate,
    ev.MinuteSettled: _minute,
    ev.MinuteCorrected: _corrected,
    ev.Observed: _observed,
    ev.CommandGiven: _command,
    ev.Gap: _gap,
    ev.Drift: _drift,
    ev.Note: _note,
    ev.Close: _close,
}
