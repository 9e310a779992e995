"""`decide`: the only place that decides.

`decide(plan, state, observation, now)` first turns whatever is new in the observation into records, then
hears the commands, then lets the phase's rule speak. The legal moves are data: `core/state/phases.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cutover.core.actions import End, ReadRequest
from cutover.core.engine.decision import Decision
from cutover.core.engine.finished import leave, resting
from cutover.core.engine.forward import baking, settling, shifting
from cutover.core.engine.holding import holding, resume
from cutover.core.engine.ingest import learn
from cutover.core.engine.rollback import begin_rollback, rolling_back
from cutover.core.engine.start import attaching, preflight
from cutover.core.engine.turn import Turn, signal_exit
from cutover.core.errors import ExitCode
from cutover.core.moment import Moment
from cutover.core.observation import OWNED, CommandName, Observation, OperatorCommand, Unknown
from cutover.core.plan import Plan
from cutover.core.reasons import Code, Reason, because
from cutover.core.state import ACTIVE, HOLDS, TERMINAL, Hold, Phase, RunState

__all__ = ["Decision", "decide", "first_look", "looked_for"]

_FORWARD = (Phase.ATTACHING, Phase.SHIFTING, Phase.SETTLING, Phase.BAKING)

_RULES: dict[Phase, Callable[[Turn], Decision]] = {
    Phase.PREFLIGHT: preflight,
    Phase.ATTACHING: attaching,
    Phase.SHIFTING: shifting,
    Phase.SETTLING: settling,
    Phase.BAKING: baking,
    Phase.HOLDING: holding,
    Phase.ROLLING_BACK: rolling_back,
}


def decide(plan: Plan, state: RunState, observation: Observation, now: Moment) -> Decision:
    """What to record, what to do and when to look again.

    Raises:
        ValueError: never for bad weather in the world; only for a bug (a move that no table allows).
    """
    turn = Turn(plan, state, observation, now)
    lease = observation.lease
    if isinstance(lease, Unknown) and lease.code == OWNED:
        # nothing is recorded either: the journal is the other's
        why = because(Code.ANOTHER_OWNER, said=lease.reason)
        return turn.decision(End(ExitCode.NEEDS_HUMAN, why, silently=True), ReadRequest(), 0, why)
    learn(turn)
    if observation.previous is None:
        _began(turn)
    if turn.state.phase in TERMINAL:
        return turn.decision(
            End(ExitCode.USAGE, because(Code.RUN_HAS_ENDED)),
            ReadRequest(),
            0,
            because(Code.RUN_HAS_ENDED),
        )
    if (decision := _commands(turn)) is not None:
        return decision
    if turn.state.phase not in ACTIVE:
        return resting(turn)
    return _RULES[turn.state.phase](turn)


def looked_for(
    state: RunState, look: ReadRequest, commands: Sequence[OperatorCommand]
) -> ReadRequest:
    """What is looked at now: a rollback that was said meanwhile waits for nothing but the routes."""
    said = any(command.name is CommandName.ROLLBACK for command in commands)
    if said and state.phase is not Phase.PREFLIGHT:
        return ReadRequest(configs=True, once=True)
    return look


def first_look(plan: Plan, state: RunState, now: Moment) -> ReadRequest:
    """What a process looks at before its first turn."""
    if state.phase is Phase.PREFLIGHT:
        return ReadRequest(survey=True, configs=True, health=True)
    if state.phase is Phase.ROLLING_BACK:
        return ReadRequest(configs=True, once=True)
    return Turn(plan, state, Observation(), now).look(identity=True)


def _began(turn: Turn) -> None:
    """A process's first turn: what it finds half-way was left by a crash; nothing goes forward by itself."""
    held = turn.state.held
    if turn.state.phase in _FORWARD:
        turn.hold(Hold.CRASHED, because(Code.PROCESS_ENDED, phase=turn.state.phase))
    elif held is not None and HOLDS[held.reason].clears:
        # such a hold would clear by itself, and nothing goes on after a crash without a person
        turn.hold(Hold.CRASHED, because(Code.PROCESS_ENDED_HOLDING, because=held.because))


def _commands(turn: Turn) -> Decision | None:
    """Every command of the turn: rollback before all others, a signal after them, else in the order said."""
    phase, said = turn.state.phase, turn.seen.commands
    back = [command for command in said if command.name is CommandName.ROLLBACK]
    if back and phase not in (Phase.PREFLIGHT, Phase.ROLLING_BACK):
        return begin_rollback(turn, _said(Code.ROLLBACK_SAID, back[0]), "command")
    decision: Decision | None = None
    for command in sorted(said, key=lambda command: command.name is CommandName.INTERRUPT):
        decision = _hear(turn, command) or decision
        if decision is not None and isinstance(decision.effect, End):
            break
    if decision is None:
        return None
    return replace(decision, records=tuple(turn.records), state=turn.state)


_HEARD_BY_RULE: dict[Phase, tuple[CommandName, ...]] = {
    Phase.PREFLIGHT: (
        CommandName.ROLLBACK,
        CommandName.INTERRUPT,
        CommandName.PAUSE,
        CommandName.RESUME,
    ),
    Phase.ROLLING_BACK: (CommandName.ROLLBACK, CommandName.INTERRUPT, CommandName.RESUME),
    Phase.COMPLETED: (CommandName.FINISH,),
    Phase.NEEDS_HUMAN: (CommandName.CONFIRM_RESTORED,),
}
"""Commands that the phase's own rule, or the fold, hears."""


def _hear(turn: Turn, command: OperatorCommand) -> Decision | None:
    """A command's own decision, or None when the phase's rule goes on."""
    phase = turn.state.phase
    if command.name in _HEARD_BY_RULE.get(phase, ()):
        return None
    if command.name is CommandName.APPROVE and turn.state.step + 1 in turn.state.approved:
        return None
    if command.name is CommandName.INTERRUPT:
        return _interrupt(turn, command)
    if command.name is CommandName.PAUSE and phase in _FORWARD:
        turn.hold(Hold.PAUSED, _said(Code.PAUSED, command))
        return turn.poll(because(Code.HOLDING))
    if (
        command.name is CommandName.PAUSE
        and phase is Phase.HOLDING
        and turn.state.held is not None
    ):
        rule = HOLDS[turn.state.held.reason]
        if rule.clears or rule.rolls_back:  # the others wait for a person already
            turn.hold(
                Hold.PAUSED,
                _said(Code.PAUSED_HOLDING, command, because=turn.state.held.because),
            )
        return None
    if command.name in (CommandName.RESUME, CommandName.ACCEPT_DRIFT) and phase is Phase.HOLDING:
        return resume(turn, command)
    if command.name is CommandName.LEAVE and phase in (Phase.HOLDING, Phase.NEEDS_HUMAN):
        return leave(turn, _said(Code.LEFT_AS_IT_IS, command))
    turn.note(because(Code.CHANGES_NOTHING, command=command.name, phase=phase))
    return None


def _said(code: Code, command: OperatorCommand, **facts: object) -> Reason:
    return because(code, who=command.who, said=command.why, **facts)


def _interrupt(turn: Turn, command: OperatorCommand) -> Decision:
    phase, held = turn.state.phase, turn.state.held
    back = turn.plan.safety.on_interrupt == "rollback" and phase in (*_FORWARD, Phase.HOLDING)
    if back and not turn.source_short():
        why = because(Code.INTERRUPT_ROLLS_BACK, signal=command.signal)
        return begin_rollback(turn, why, "interrupt")
    why = because(Code.INTERRUPTED, signal=command.signal)
    if phase in _FORWARD or (held is not None and HOLDS[held.reason].clears):
        turn.hold(Hold.INTERRUPTED, why)  # a hold that waits for a person keeps its reason
    return turn.decision(End(signal_exit(command.signal), why), ReadRequest(), 0, why)
