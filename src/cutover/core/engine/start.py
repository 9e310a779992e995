"""PREFLIGHT and ATTACHING: nothing is written before the checks pass and the snapshot is durable."""

from __future__ import annotations

from collections.abc import Mapping

from cutover.core.actions import End, ReadRequest
from cutover.core.engine.decision import Decision
from cutover.core.engine.evaluate import GateResult, judge, worst
from cutover.core.engine.forward import after_drive, begin_raise
from cutover.core.engine.routes import drive
from cutover.core.engine.stop_conditions import forbidden, harmed, unsure
from cutover.core.engine.turn import Turn, signal_exit
from cutover.core.errors import ExitCode
from cutover.core.gates.api import Verdict
from cutover.core.journal.events import CheckFound, Gap, Observed, Snapshot
from cutover.core.observation import CommandName, Known, NotAsked, Survey, Unknown
from cutover.core.preflight import run_checks
from cutover.core.reasons import Code, Reason, because
from cutover.core.routing import config_body
from cutover.core.state import Hold, Phase
from cutover.core.values import MINUTE, SECOND, RouteId

SNAPSHOT_APART = 5 * SECOND
"""The snapshot needs two equal reads this far apart."""

SNAPSHOT_DEADLINE = 2 * MINUTE
HEALTHY_DEADLINE = 15 * MINUTE
"""How long ATTACHING waits for healthy targets before it holds."""


def preflight(turn: Turn) -> Decision:
    """Judge the survey, then take the snapshot."""
    for command in turn.seen.commands:
        if command.name is CommandName.INTERRUPT:
            why = because(Code.INTERRUPTED_BEFORE_WRITING, signal=command.signal)
            return refuse(turn, why, signal_exit(command.signal))
        if command.name is CommandName.ROLLBACK:
            return refuse(turn, because(Code.STOPPED_BEFORE_WRITING), ExitCode.REFUSED)
    if turn.seen.previous is None and turn.state.epoch > 1:
        return refuse(turn, because(Code.EARLIER_PROCESS_ENDED), ExitCode.REFUSED)
    if stop := unsure(turn):
        return refuse(turn, stop[1], ExitCode.REFUSED)
    if any(isinstance(event, Gap) for event in turn.records):
        return refuse(turn, because(Code.TIME_LOST_IN_CHECKS), ExitCode.REFUSED)
    if "survey" not in turn.state.observed:
        return _survey(turn)
    configs = {route: turn.live(route) for route in turn.state.routes}
    unread = [route for route, config in configs.items() if config is None]
    young = [
        route
        for route, known in turn.state.routes.items()
        if known.seen is None or turn.now.after(known.seen.since) < SNAPSHOT_APART
    ]
    if unread or young:
        if turn.in_phase() > SNAPSHOT_DEADLINE:
            return refuse(turn, because(Code.ROUTES_KEEP_CHANGING), ExitCode.REFUSED)
        wait = SNAPSHOT_APART if not unread else 2 * SECOND
        again = because(Code.READING_AGAIN, times="a second time")
        return turn.decision(None, ReadRequest(configs=True, health=True), wait, again)
    facts = turn.state.observed["survey"]
    if other := [
        r
        for r, config in configs.items()
        if config is not None and config.hash != _checked(facts, r)
    ]:
        return refuse(turn, because(Code.CHANGED_DURING_CHECKS, routes=other), ExitCode.REFUSED)
    turn.add(
        Snapshot(
            configs={
                route: config_body(config)
                for route, config in configs.items()
                if config is not None
            },
            stickiness_strategies=facts["stickiness_strategies"],  # type: ignore[arg-type]  # journalled by _survey below
            source_healthy=facts["source_healthy"],  # type: ignore[arg-type]
            calibration=facts["calibration"],  # type: ignore[arg-type]
        )
    )
    turn.to(Phase.ATTACHING, because(Code.CHECKS_PASSED), step=-1)
    if turn.state.pause_asked:
        turn.hold(Hold.PAUSED, because(Code.PAUSED_IN_CHECKS))
        return turn.poll(because(Code.HOLDING))
    return turn.soon(because(Code.ATTACHING))


def _checked(facts: Mapping[str, object], route: RouteId) -> object:
    """The form of a route that the checks saw (its hash)."""
    checked = facts["checked"]
    return checked.get(route) if isinstance(checked, Mapping) else None


def refuse(turn: Turn, why: Reason, code: ExitCode) -> Decision:
    """End a run that has written nothing."""
    turn.to(Phase.REFUSED, why, step=-1)
    return turn.decision(End(code, why), ReadRequest(), 0, why)


def _survey(turn: Turn) -> Decision:
    reading = turn.seen.survey
    if isinstance(reading, Unknown):
        code = ExitCode.CREDENTIALS if reading.denied else ExitCode.REFUSED
        return refuse(turn, because(Code.SURVEY_FAILED, said=reading.reason), code)
    if not isinstance(reading, Known):
        return turn.decision(
            None,
            ReadRequest(survey=True, configs=True, health=True),
            0,
            because(Code.SURVEYING),
        )
    survey = reading.value
    findings = run_checks(turn.plan, survey)
    for found in findings:
        if found.severity != "ok":
            turn.add(CheckFound(found.id, found.severity, found.seen, found.why, found.fix))
    blocks = [found for found in findings if found.severity == "block"]
    if blocks:
        denied = isinstance(survey.identity, Unknown) and survey.identity.missing_permission
        said = "; ".join(f"{found.id}: {found.why}" for found in blocks)
        why = because(Code.CHECKS_BLOCK, checks=[found.id for found in blocks], said=said)
        return refuse(turn, why, ExitCode.CREDENTIALS if denied else ExitCode.REFUSED)
    turn.add(Observed("survey", _kept(turn, survey)))
    return turn.decision(
        None,
        ReadRequest(configs=True, health=True),
        SNAPSHOT_APART,
        because(Code.READING_AGAIN, times="a second time"),
    )


def _kept(turn: Turn, survey: Survey) -> dict[str, object]:
    """What later phases need of the survey."""
    sources = {comparison.source for comparison in turn.plan.comparisons}
    return {
        "stickiness_strategies": {
            r: f.value.stickiness_strategy
            for r, f in survey.routes.items()
            if isinstance(f, Known)
        },
        "checked": {
            r: f.value.config.hash for r, f in survey.routes.items() if isinstance(f, Known)
        },
        "source_healthy": {
            group: fact.value.healthy
            for group, fact in survey.health.items()
            if group in sources and isinstance(fact, Known)
        },
        "calibration": {p: dict(c) for p, c in survey.calibration.value.items()}
        if isinstance(survey.calibration, Known)
        else {},
    }


def attaching(turn: Turn) -> Decision:
    """Put the destination into every action at weight 0, and wait until it is healthy."""
    if stop := unsure(turn):
        turn.hold(*stop)
        return turn.poll(because(Code.HOLDING))
    if turn.exposed():
        # a first raise that nobody answered may be live: harm is gone back from as in the step itself
        judged = judge(turn, turn.plan.steps[0].weight, quietly=True)
        if worst(judged).verdict is Verdict.BREACH and (stopped := harmed(turn, judged)):
            return stopped
    driven, decision = drive(turn, turn.state.weight)
    if decision is not None:
        return decision
    stopped = after_drive(turn, driven, attaching=True)
    if stopped is not None:
        return stopped
    judged = judge(turn, turn.plan.steps[0].weight)
    if why := unready(turn, judged):
        if turn.in_phase() > HEALTHY_DEADLINE:
            turn.hold(Hold.UNHEALTHY, because(Code.NOT_READY, because=why))
            return turn.poll(because(Code.HOLDING))
        return turn.poll(because(Code.WAITING_UNTIL_READY, because=why))
    if isinstance(turn.seen.identity, NotAsked):
        return turn.soon(because(Code.READY), identity=True)
    if stop := forbidden(turn, 0):
        turn.hold(*stop)
        return turn.poll(because(Code.HOLDING))
    return begin_raise(turn, 0, judged)


def unready(turn: Turn, judged: tuple[GateResult, ...]) -> Reason | None:
    """Why the destination should not get its first request yet; None when it may."""
    if not all(comparison.id in turn.state.journalled_ms for comparison in turn.plan.comparisons):
        return because(Code.NO_SOURCE_MINUTE)
    bad = [
        one
        for one in judged
        if one.verdict >= Verdict.UNKNOWN or (one.live and one.verdict is not Verdict.PASS)
    ]
    if bad:
        return worst(tuple(bad)).short_reason
    return _too_few(turn)


def _too_few(turn: Turn) -> Reason | None:
    """Why the destination is not healthy enough for a plan without a `healthy` gate."""
    for comparison in turn.plan.comparisons:
        reading = turn.health(comparison.destination)
        if not isinstance(reading, Known):
            return because(Code.HEALTH_UNKNOWN)
        if reading.value.healthy < 1:
            return because(Code.NO_HEALTHY_TARGET, said=_reasons(reading.value.reasons))
    return None


def _reasons(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in reasons.items()) or "none registered"
