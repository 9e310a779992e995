"""What stops a run on its way: a breach, blindness, drift, doubt, and what a plan forbids."""

from __future__ import annotations

from cutover.core.actions import End
from cutover.core.engine.decision import Decision
from cutover.core.engine.evaluate import GateResult, building, journal, unknown_for, worst
from cutover.core.engine.rollback import begin_rollback
from cutover.core.engine.routes import drifted, record_drift
from cutover.core.engine.turn import Turn
from cutover.core.errors import ExitCode
from cutover.core.gates.api import Verdict
from cutover.core.journal.events import GateJudged
from cutover.core.observation import Known, Unknown
from cutover.core.reasons import Code, Reason, because
from cutover.core.state import HOLDS, Held, Hold, Phase
from cutover.core.values import MINUTE

UNKNOWN_HOLDS = 3
"""Periods of UNKNOWN after which a bake becomes a hold."""

CREDENTIALS_RESERVE = 15 * MINUTE
"""No raise when the credentials end within this (docs/promises.md P19)."""


def harmed(turn: Turn, judged: tuple[GateResult, ...]) -> Decision | None:
    """A breach goes back (or holds, or asks, when its gate says so); a shared incident holds."""
    decides, held = worst(judged), turn.state.held
    if decides.verdict is Verdict.BREACH:
        goes_back = decides.on_breach != "hold"
        if goes_back and any(healthy == 0 for healthy in turn.source_healthy().values()):
            journal(turn, decides)
            why = because(Code.SOURCE_HAS_NO_TARGET, because=decides.reason)
            turn.to(Phase.NEEDS_HUMAN, why)
            return turn.decision(End(ExitCode.NEEDS_HUMAN, why), turn.look(), 0, why)
        if decides.on_breach == "escalate":
            return _escalate(turn, decides)
        if not goes_back:
            if held is not None and not HOLDS[held.reason].clears:
                return None  # it waits for a person already: its own reason says for what
            journal(turn, decides)
            turn.hold(Hold.GATE, decides.reason)
            return turn.poll(because(Code.HOLDING))
        journal(turn, decides)
        return begin_rollback(turn, decides.reason, "breach")
    untold = held is None or held.reason is Hold.NO_CONTROL  # now the source can be seen to be bad
    if decides.verdict is Verdict.SHARED and untold and not decides.judgement.perhaps_shared:
        turn.hold(Hold.SHARED, decides.reason)
        return turn.poll(because(Code.HOLDING))
    return None


def _escalate(turn: Turn, decides: GateResult) -> Decision | None:
    """Bad, and nobody can tell whose fault it is: hold, and ask a person, with a deadline that no poll renews."""
    held = turn.state.held
    if held is None or (HOLDS[held.reason].clears and held.reason is not Hold.NO_CONTROL):
        journal(turn, decides)
        turn.hold(Hold.NO_CONTROL, decides.reason)
        return turn.poll(because(Code.HOLDING))
    if held.reason is Hold.NO_CONTROL:
        return None
    return _escalate_in_a_persons_hold(turn, held, decides)


def _escalate_in_a_persons_hold(turn: Turn, held: Held, decides: GateResult) -> Decision | None:
    """A hold that waits for a person keeps its reason and its way out; the answer is due all the same.

    A pause that was said after the destination turned bad is the answer.
    """
    bad_since = turn.state.verdicts[(decides.gate, decides.comparison)].since
    if held.reason is Hold.PAUSED and held.since.after(bad_since) > 0:
        return None
    safety = turn.plan.safety
    goes_back = safety.on_hold_timeout == "rollback" and not turn.source_short()
    if goes_back and turn.now.after(bad_since) >= safety.ask_timeout:
        return unanswered(turn, decides.reason)
    said = (decides.gate, decides.comparison)
    if any(
        isinstance(one, GateJudged) and (one.gate, one.comparison) == said for one in turn.records
    ):
        # told once, when the verdict changed
        after = safety.ask_timeout if goes_back else 0
        turn.note(because(Code.ANSWER_NEEDED, because=decides.reason, after=after))
    return None


def unanswered(turn: Turn, why: Reason) -> Decision:
    """Bad evidence that nobody answered for goes back."""
    waited = turn.plan.safety.ask_timeout
    return begin_rollback(
        turn, because(Code.NOBODY_ANSWERED, waited=waited, because=why), "deadline"
    )


def no_data(turn: Turn, judged: tuple[GateResult, ...]) -> Decision | None:
    """No data is never a pass: hold, and in an unproven step go back after the blind budget.

    A gate whose breach would only hold does not go back for want of data either: it holds, with the hold's deadline.
    """
    span = unknown_for(turn, judged)
    if span == 0:
        return None
    unknown = [one for one in judged if one.verdict is Verdict.UNKNOWN]
    going_back = tuple(one for one in unknown if one.on_breach != "hold")
    decides = max(going_back or unknown, key=lambda one: one.gate)
    why = decides.reason
    denied = any(
        isinstance(config, Unknown) and config.denied for config in turn.seen.configs.values()
    )
    budget = turn.plan.safety.blind_budget
    blind_for = unknown_for(turn, going_back)
    if blind_for >= budget and turn.state.proven < turn.state.step and not turn.source_short():
        if denied:  # going back would be refused too: credentials hold and page
            turn.hold(Hold.CREDENTIALS, why)
            return turn.poll(because(Code.HOLDING))
        span = blind_for // 1000 * 1000
        return begin_rollback(
            turn, because(Code.NO_DATA_TOO_LONG, span=span, because=why), "no_data"
        )
    # SETTLING has a deadline of its own, and a weight that takes effect late is no missing evidence
    if turn.state.phase is Phase.BAKING and span >= UNKNOWN_HOLDS * turn.plan.observe.period:
        turn.hold(Hold.CREDENTIALS if denied else Hold.NO_DATA, why)
        return turn.poll(because(Code.HOLDING))
    return None


def lacking(turn: Turn, judged: tuple[GateResult, ...]) -> GateResult | None:
    """Whose evidence is not yet enough to go on from this step; None when every gate's is.

    A bake needs a PASS of every gate. A hand-over has its bake behind it, and perhaps no traffic that could make a
    gate pass once more: there it is enough that no gate objects, and that no evidence against it builds up.
    """
    decides, step = worst(judged), turn.state.step
    hands_over = 0 <= step < len(turn.plan.steps) and turn.plan.steps[step].hands_over
    if hands_over and decides.verdict <= Verdict.WAITING:
        return building(judged)
    return None if decides.verdict is Verdict.PASS else decides


def on_drift(turn: Turn) -> Decision:
    """Drift is never overwritten: hold (or roll back, when the plan says so)."""
    why = record_drift(turn, drifted(turn))
    if turn.plan.safety.on_drift == "rollback" and not turn.source_short():
        return begin_rollback(turn, why, "drift")
    turn.hold(Hold.DRIFT, why)
    return turn.poll(because(Code.HOLDING))


def unsure(turn: Turn) -> tuple[Hold, Reason] | None:
    """A journal or a lease in doubt stops every raise."""
    if isinstance(turn.seen.journal, Unknown):
        return Hold.JOURNAL, because(Code.JOURNAL_UNWRITABLE, said=turn.seen.journal.reason)
    if isinstance(turn.seen.lease, Unknown):
        return Hold.LEASE, because(Code.LEASE_IN_DOUBT, said=turn.seen.lease.reason)
    return None


def window(turn: Turn) -> tuple[Hold, Reason] | None:
    """The plan's window that forbids a raise now, by AWS's clock."""
    found = turn.plan.forbidden_by(turn.aws_wall)
    return None if found is None else (Hold.WINDOW, because(Code.WINDOW, window=found.text))


def forbidden(turn: Turn, step: int) -> tuple[Hold, Reason] | None:
    """What forbids the next raise, besides evidence and doubt."""
    wanted = turn.plan.steps[step]
    if wanted.approve and step not in turn.state.approved:
        asked = because(Code.NEEDS_APPROVAL, weight=wanted.weight, said=wanted.approve)
        return Hold.APPROVAL, asked
    if stop := window(turn):
        return stop
    if why := turn.below_reserve():
        return Hold.RESERVE, why
    identity = turn.seen.identity
    if not isinstance(identity, Known):
        reason = identity.reason if isinstance(identity, Unknown) else "it was not asked"
        denied = isinstance(identity, Unknown) and identity.denied
        why = because(Code.IDENTITY_UNKNOWN, said=reason)
        return Hold.CREDENTIALS if denied else Hold.UNREADABLE, why
    if identity.value.account != turn.state.account:
        changed = because(Code.ACCOUNT_CHANGED, account=identity.value.account)
        return Hold.CREDENTIALS, changed
    ends = identity.value.expires_ms
    ending = ends is not None and ends - turn.aws_ms < CREDENTIALS_RESERVE
    if ending and not identity.value.refreshes:
        return Hold.CREDENTIALS, because(Code.CREDENTIALS_ENDING)
    return None
