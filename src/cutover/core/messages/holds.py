"""What a person is told of a hold: the reason, how it ends, the deadline, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.core.journal.events import PhaseChanged, Record
from cutover.core.messages.phrases import text_of
from cutover.core.moment import clock_text, parse_wall
from cutover.core.plan import Plan
from cutover.core.state import HOLDS, Hold, RunState
from cutover.core.values import weight_text

BACK = "`cutover rollback`"


@dataclass(frozen=True)
class HoldWords:
    """A hold in words.

    Attributes:
        label: two or three words for tables.
        command: what to type, and what that does.
    """

    label: str
    command: str


HOLD_WORDS: dict[Hold, HoldWords] = {
    Hold.APPROVAL: HoldWords("needs approval", f"say `cutover approve`, or {BACK}"),
    Hold.WINDOW: HoldWords("window", f"nothing to do, or {BACK}"),
    Hold.PAUSED: HoldWords(
        "paused", f"`cutover resume` goes on with a fresh bake, {BACK} goes back"
    ),
    Hold.INTERRUPTED: HoldWords(
        "interrupted", f"`cutover resume` goes on with a fresh bake, {BACK} goes back"
    ),
    Hold.CRASHED: HoldWords(
        "process ended", f"look, then `cutover resume` (a fresh bake) or {BACK}"
    ),
    Hold.DRIFT: HoldWords(
        "drift",
        f'find out who; then `cutover resume --accept-drift "why"` if the weight is still ours, or {BACK}',
    ),
    Hold.GATE: HoldWords("gate", f"look, then `cutover resume` (a fresh bake) or {BACK}"),
    Hold.SHARED: HoldWords(
        "source is bad", f"goes on by itself when the source is well again, or {BACK}"
    ),
    Hold.NO_CONTROL: HoldWords(
        "nobody to compare with",
        f"look whether what both sides use fails too; {BACK}, or `cutover pause` waits until you say more (`cutover resume` "
        "asks again while it lasts); goes on by itself when the destination is well (then a fresh bake)",
    ),
    Hold.NO_DATA: HoldWords(
        "no data", f"goes on by itself when data come back (then a fresh bake), or {BACK}"
    ),
    Hold.EVIDENCE: HoldWords(
        "not proven", f"goes on by itself when the step has proven itself, or {BACK}"
    ),
    Hold.SHARE: HoldWords(
        "share", f"goes on by itself when the share follows the weight, or {BACK}"
    ),
    Hold.UNHEALTHY: HoldWords(
        "not healthy", f"goes on by itself when the destination is healthy, or {BACK}"
    ),
    Hold.RESERVE: HoldWords(
        "source reserve",
        f"goes on by itself when the source is at its reserve; a {BACK} would need it too",
    ),
    Hold.CREDENTIALS: HoldWords(
        "credentials", f"renew the credentials or the permission, then `cutover resume` or {BACK}"
    ),
    Hold.NOT_WRITTEN: HoldWords("not written", f"look, then `cutover resume` or {BACK}"),
    Hold.UNREADABLE: HoldWords(
        "unreadable", f"when AWS answers again, `cutover resume` or {BACK}"
    ),
    Hold.JOURNAL: HoldWords(
        "journal", f"free or mend the disk, then `cutover resume`; {BACK} works without it"
    ),
    Hold.LEASE: HoldWords("lease", f"see `cutover list`, then `cutover resume` or {BACK}"),
}
"""One row for every reason to hold; a test fails for a new reason without words."""


def after_deadline(plan: Plan, hold: Hold) -> str:
    """What happens when nobody acts until the deadline."""
    if HOLDS[hold].rolls_back and plan.safety.on_hold_timeout == "rollback":
        return "it rolls back"
    return "people are paged again" if plan.notify else "this is said again"


def hold_sentence(plan: Plan, before: RunState, record: Record, event: PhaseChanged) -> str:
    """Reason, command, deadline and what happens then, in one sentence."""
    hold = Hold(event.hold)
    why = text_of(plan, event)
    if hold is Hold.WINDOW and (window := plan.forbidden_by(record.at.wall)) is not None:
        ends = clock_text(window.ends_after(record.at.wall), record.at.wall)
        why = f"no raise inside the window {window.text}; goes on by itself at {ends}"
    weight = weight_text(before.weight)
    again = (
        "still holding" if before.held is not None and before.held.reason is hold else "holding"
    )
    until = ""
    if hold is Hold.INTERRUPTED or (before.exit_on_hold and hold is not Hold.CRASHED):
        until = " (the process ends: nobody keeps a deadline)"
    elif event.deadline:
        at = clock_text(parse_wall(event.deadline), record.at.wall)
        until = f" (until {at}, then {after_deadline(plan, hold)})"
    return f"{again} at {weight}: {why}; {HOLD_WORDS[hold].command}{until}"
