"""What was odd about a run though it did not breach: counted, and said at its end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cutover.core.journal import events as ev
from cutover.core.state import Phase, RunState
from cutover.core.values import count_of


@dataclass(frozen=True)
class Anomalies:
    """What did not end the run but should not be forgotten: counts.

    Attributes:
        recovered: gates that were UNKNOWN, SHARED or bad, and passed later without a rollback.
        ambiguous: writes whose reply was lost; reading settled them.
        refused: writes that AWS refused.
        cancelled: writes not sent because the moment had passed.
        retried: writes tried again.
        gaps: times that time or sight was lost.
        corrected: minutes that CloudWatch changed afterwards.
        drifts: changes by somebody else.
        unreadable: times that a route could not be read.
        holds: times that the run held.
    """

    recovered: int = 0
    ambiguous: int = 0
    refused: int = 0
    cancelled: int = 0
    retried: int = 0
    gaps: int = 0
    corrected: int = 0
    drifts: int = 0
    unreadable: int = 0
    holds: int = 0


_OUTCOMES = {"ambiguous": "ambiguous", "not_applied": "refused", "cancelled": "cancelled"}


def count_oddity(seen: Anomalies, before: RunState, event: ev.Event) -> Anomalies:
    """The counts after one more event."""
    name = _oddity(before, event)
    return replace(seen, **{name: getattr(seen, name) + 1}) if name else seen


def _oddity(before: RunState, event: ev.Event) -> str:
    """The count that the event adds to; empty for an ordinary one."""
    found = ""
    if isinstance(event, ev.GateJudged):
        known = before.verdicts.get((event.gate, event.comparison))
        was_odd = known is not None and known.verdict in ("UNKNOWN", "SHARED", "BREACH")
        found = "recovered" if was_odd and event.verdict == "PASS" else ""
    elif isinstance(event, ev.Outcome):
        found = _OUTCOMES.get(event.result, "")
    elif isinstance(event, ev.Intent):
        found = "retried" if event.attempt > 1 else ""
    elif isinstance(event, ev.Observed):
        found = "unreadable" if event.what == "unreadable" else ""
    elif isinstance(event, ev.PhaseChanged):
        found = "holds" if event.after == Phase.HOLDING else ""
    else:
        kinds = {ev.Gap: "gaps", ev.MinuteCorrected: "corrected", ev.Drift: "drifts"}
        found = kinds.get(type(event), "")
    return found


def anomalies_text(odd: Anomalies) -> str:
    """Anomalies that did not breach, as one clause."""
    said = [
        text
        for number, text in (
            (
                odd.recovered,
                f"{count_of(odd.recovered, 'gate verdict')} turned bad or unknown and passed again",
            ),
            (
                odd.ambiguous,
                f"{count_of(odd.ambiguous, 'write')} without a clear answer, settled by reading",
            ),
            (odd.refused, f"{count_of(odd.refused, 'write')} refused by AWS"),
            (odd.cancelled, f"{count_of(odd.cancelled, 'write')} not sent in time"),
            (odd.retried, f"{count_of(odd.retried, 'write')} tried again"),
            (
                odd.unreadable,
                f"{count_of(odd.unreadable, 'failed look', 'failed looks')} at a route",
            ),
            (odd.gaps, f"{count_of(odd.gaps, 'gap')} in time or sight"),
            (odd.corrected, f"{count_of(odd.corrected, 'minute')} corrected by CloudWatch"),
            (odd.drifts, f"{count_of(odd.drifts, 'change')} by somebody else"),
            (odd.holds, count_of(odd.holds, "hold")),
        )
        if number
    ]
    return ", ".join(said) or "nothing"
