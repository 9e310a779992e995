"""What is new in an observation becomes records, before anything is decided on it."""

from __future__ import annotations

from cutover.core.engine.turn import REREAD, Turn
from cutover.core.journal.events import (
    CommandGiven,
    Gap,
    MinuteCorrected,
    MinuteSettled,
    Observed,
    counts_body,
)
from cutover.core.messages import explain
from cutover.core.moment import WALL_JUMP_MS
from cutover.core.observation import CommandName, Known, Minute, Unknown
from cutover.core.reasons import Code, because
from cutover.core.routing import config_body
from cutover.core.state import Phase
from cutover.core.state.fold import shows
from cutover.core.values import SECOND

LONGEST_CHECKS = 90 * SECOND
"""How long the checks may look, while nothing is written yet: six reads one after the other, each at its deadline."""

PATIENCE = 2
"""Periods for which a minute waits for a series that was answered until then: fewer than make the others stale."""

GIVE_UP_AFTER = 5
"""Periods after which a minute of which CloudWatch answers nothing is journalled as unknown."""


def learn(turn: Turn) -> None:
    """Journal gaps, commands, configs, minutes and health that differ from what the state holds."""
    _gap(turn)
    for command in turn.seen.commands:
        detail = command.detail
        if command.name is CommandName.APPROVE:
            detail = str(_approval_asked(turn))
        turn.add(
            CommandGiven(
                command.name,
                command.who,
                command.why,
                command.source,
                command.signal,
                detail,
                command.id,
            )
        )
    _configs(turn)
    _minutes(turn)
    _health(turn)


def _approval_asked(turn: Turn) -> int:
    """The next step once the run has asked for it; -1 before: nobody approves what no evidence led to."""
    following = turn.state.step + 1
    return following if following in turn.state.asked else -1


def _gap(turn: Turn) -> None:
    previous, due = turn.seen.previous, turn.seen.due
    if previous is None or turn.state.phase is Phase.ROLLING_BACK:
        return
    slack = 2 * turn.plan.observe.poll + WALL_JUMP_MS
    longest = LONGEST_CHECKS if turn.state.phase is Phase.PREFLIGHT else slack
    jump = turn.now.wall_jump(previous)
    began = turn.seen.began or turn.now
    late = began.after(due) if due is not None else 0
    took = turn.now.after(began)
    code, ms = None, 0
    if previous.boot_id != turn.now.boot_id:
        code, ms = Code.REBOOTED, turn.now.after(previous)
    elif abs(jump) > WALL_JUMP_MS:
        code, ms = Code.CLOCK_JUMPED, abs(jump)
    elif late > slack:
        code, ms = Code.TURN_LATE, late
    elif took > longest:
        # whatever it was, slow answers or a stop: nobody could act on what these minutes showed
        code, ms = Code.LOOK_SLOW, took
    if code is not None:
        said = explain(because(code, ms=jump if code is Code.CLOCK_JUMPED else ms))
        turn.add(Gap(code, said, ms, turn.next_minute_ms()))


def _configs(turn: Turn) -> None:
    for route, reading in turn.seen.configs.items():
        known = turn.state.routes[route]
        if isinstance(reading, Known):
            config = reading.value
            sent = known.sent
            if (
                known.seen is None
                or known.seen.config.hash != config.hash
                or known.unreadable_since is not None
                or (sent is not None and not sent.shown and shows(sent, config))
            ):
                turn.add(
                    Observed(
                        "config",
                        {"route": route, "hash": config.hash, "config": config_body(config)},
                    )
                )
        elif isinstance(reading, Unknown) and reading.gone and known.gone_since is None:
            turn.add(
                Observed("gone", {"route": route, "code": reading.code, "reason": reading.reason})
            )
        elif isinstance(reading, Unknown) and (
            known.unreadable_since is None or (known.gone_since is not None and not reading.gone)
        ):
            turn.add(
                Observed(
                    "unreadable", {"route": route, "code": reading.code, "reason": reading.reason}
                )
            )


def _minutes(turn: Turn) -> None:
    reading = turn.seen.minutes
    if not isinstance(reading, Known):
        return
    period = turn.plan.observe.period
    by_comparison: dict[str, dict[int, Minute]] = {}
    for minute in reading.value:
        by_comparison.setdefault(minute.comparison, {})[minute.at_ms] = minute
    for comparison, found in by_comparison.items():
        newest = turn.state.journalled_ms.get(comparison)
        if newest is not None:
            for at_ms in sorted(at for at in found if newest - REREAD * period < at <= newest):
                _correct(turn, found[at_ms])
        at_ms = min(found) if newest is None else newest + period
        while at_ms in found and (
            _answered(turn, found[at_ms]) or _older(turn, at_ms, GIVE_UP_AFTER)
        ):
            turn.add(MinuteSettled(comparison, at_ms, counts_body(found[at_ms])))
            at_ms += period


def _answered(turn: Turn, minute: Minute) -> bool:
    """It is settled, and nothing in it is worth waiting for.

    A series that was known in the minute before is waited for, and not for long. One that nobody knew there either
    holds up its own gates, and no others.
    """
    if not (minute.settled and minute.answered):
        return False
    before = turn.state.evidence.minute(minute.comparison, minute.at_ms - turn.plan.observe.period)
    waits = before is not None and any(
        minute.is_unknown(key) and not before.is_unknown(key) for key in minute.counts
    )
    return not waits or _older(turn, minute.at_ms, PATIENCE)


def _older(turn: Turn, at_ms: int, periods: int) -> bool:
    """The minute was settled so many periods ago, or more."""
    observe = turn.plan.observe
    return turn.aws_ms >= at_ms + observe.period + observe.settle + periods * observe.period


def _correct(turn: Turn, minute: Minute) -> None:
    kept = turn.state.evidence.minute(minute.comparison, minute.at_ms)
    if kept is None or not minute.settled:
        return
    body = counts_body(minute.known_beside(kept))
    if body != counts_body(kept):
        turn.add(MinuteCorrected(minute.comparison, minute.at_ms, body))


def _health(turn: Turn) -> None:
    facts = {
        group: f"{reading.value.healthy}/{reading.value.total}"
        for group, reading in sorted(turn.seen.health.items())
        if isinstance(reading, Known)
    }
    if facts and dict(turn.state.observed.get("health", {})) != facts:
        turn.add(Observed("health", facts))
