"""The sentence of each record, in one literal table; None for what would only be noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cutover.core.arn import group_name, route_name
from cutover.core.errors import EXIT_CODE_MEANING, ExitCode, printable
from cutover.core.journal import events as ev
from cutover.core.messages.phases import phase_sentence
from cutover.core.messages.phrases import judged, text_of
from cutover.core.moment import about
from cutover.core.plan import Plan
from cutover.core.state import Phase, RunState
from cutover.core.values import count_of, weight_text

LONGEST = 1_200
"""Characters of one sentence; an AWS message or a plan's text may be long, a terminal is not."""


def sentence(plan: Plan, before: RunState, record: ev.Record) -> str | None:
    """What a person is told of a record, given the state before it; None for noise.

    It is one line that cannot move a cursor, whatever AWS or the plan say (docs/promises.md P30).
    """
    told = _SENTENCES[type(record.event)](plan, before, record, record.event)
    return None if told is None else printable(told, LONGEST)


def _open(plan: Plan, before: RunState, record: ev.Record, event: ev.RunOpen) -> str:
    planned = about(sum(step.bake for step in plan.steps))
    mode = {
        "live": f"run of {event.plan_name}",
        "emulated": f"run of {event.plan_name} on an emulated AWS",
        "rehearsal": f"rehearsal of {event.plan_name}, no AWS is reached",
    }.get(event.mode, f"{event.mode} of {event.plan_name}")
    what = f"{count_of(len(event.routes), 'route')}, {count_of(len(plan.steps), 'step')}"
    return f"{mode}: account {event.account}, {event.region}, {what}, {planned} of bakes"


def _lease(plan: Plan, before: RunState, record: ev.Record, event: ev.LeaseTaken) -> str:
    where = "" if event.host in event.actor else f" on {event.host}"
    who = f"{event.actor}{where} (pid {event.pid})"
    if record.epoch <= 1:
        return f"driven by {who}"
    command = f" for `cutover {event.first_command}`" if event.first_command else ""
    return f"taken up by {who}{command}"


def _check(plan: Plan, before: RunState, record: ev.Record, event: ev.CheckFound) -> str | None:
    if event.severity == "ok":
        return None
    head = "preflight blocks" if event.severity == "block" else f"preflight {event.severity}"
    fix = f"; {event.fix}" if event.fix else ""
    return f"{head}: {event.id}: {event.seen or event.why}{fix}"


def _snapshot(plan: Plan, before: RunState, record: ev.Record, event: ev.Snapshot) -> str:
    found = f"wrote down {count_of(len(event.configs), 'route')} as found"
    if before.mode == "rehearsal":
        return f"{found}; the restore.sh of a real run puts that back without cutover"
    return f"{found}; restore.sh puts that back without cutover"


def _intent(plan: Plan, before: RunState, record: ev.Record, event: ev.Intent) -> str | None:
    if event.attempt <= 1:
        return None  # the phase's own sentence has said it
    what = "restoring" if event.kind == "restore" else f"writing {weight_text(event.weight)} to"
    return f"{what} {route_name(event.route)} again (attempt {event.attempt})"


def _outcome(plan: Plan, before: RunState, record: ev.Record, event: ev.Outcome) -> str | None:
    route, said = route_name(event.route), f"{event.code} {event.message}".strip()
    back = before.phase is Phase.ROLLING_BACK
    if event.result == "applied":
        aside = f" ({event.message})" if event.message else ""
        if back:
            return f"{route}: AWS took the restore{aside}; reading it back"
        return f"{route}: AWS took the write{aside}" if aside else None
    if event.result == "ambiguous":
        return f"{route}: no clear answer to the write ({said or 'no reply'}); reading tells whether it took"
    if event.result == "cancelled":
        return f"{route}: not sent: {said or 'too late'}"
    if event.result == "impossible":
        return f"{route}: cannot be restored by cutover: {said}"
    kind = "denied" if event.denied else "refused"
    return f"{route}: AWS {kind} the write: {said or 'no reason given'}"


def _verified(plan: Plan, before: RunState, record: ev.Record, event: ev.Verified) -> str | None:
    route = route_name(event.route)
    if before.phase is Phase.ROLLING_BACK:
        return f"{route}: restored, read back twice; the destination's weight is {weight_text(event.weight)}"
    if before.phase is Phase.NEEDS_HUMAN:
        return f"{route}: a read agrees that it is restored"
    if before.phase is Phase.HOLDING:
        return f"{route}: taken as it is now, at {weight_text(event.weight)}"
    return None  # told once for all routes, by the phase change


def _effective(plan: Plan, before: RunState, record: ev.Record, event: ev.WeightObserved) -> str:
    return f"the split is in effect: {text_of(plan, event)}"


def _gate(plan: Plan, before: RunState, record: ev.Record, event: ev.GateJudged) -> str | None:
    known = before.verdicts.get((event.gate, event.comparison))
    was = known.verdict if known is not None else ""
    if was == event.verdict:
        return None  # journalled again for its numbers
    name, why = judged(plan, event.gate, event.comparison), event.why
    if event.verdict == "UNKNOWN":
        return f"{name}: no verdict: {why}"
    if event.verdict == "BREACH":
        # in a step the next record holds or rolls back, and says why
        decides = before.phase in (Phase.SETTLING, Phase.BAKING)
        return None if decides else f"{name}: would be a breach: {why}"
    if event.verdict == "PASS" and was in ("UNKNOWN", "SHARED", "BREACH"):
        return f"{name}: passes again: {why}"
    return None  # PASS and WAITING take turns while requests come in


def _minute(plan: Plan, before: RunState, record: ev.Record, event: ev.MinuteSettled) -> None:
    return None


def _corrected(plan: Plan, before: RunState, record: ev.Record, event: ev.MinuteCorrected) -> None:
    return None


def _observed(plan: Plan, before: RunState, record: ev.Record, event: ev.Observed) -> str | None:
    tell = _OBSERVED.get(event.what)
    return None if tell is None else tell(plan, before, event.facts)


def _unreadable(plan: Plan, before: RunState, facts: Mapping[str, Any]) -> str:
    said = f"{facts.get('code', '')} {facts.get('reason', '')}".strip()
    return f"{route_name(str(facts['route']))}: cannot be read now ({said or 'no answer'})"


def _gone(plan: Plan, before: RunState, facts: Mapping[str, Any]) -> str:
    said = f"{facts.get('code', '')} {facts.get('reason', '')}".strip()
    return f"{route_name(str(facts['route']))}: AWS says that it does not exist ({said})"


def _history_lost(plan: Plan, before: RunState, facts: Mapping[str, Any]) -> None:
    return None  # the note beside it says why


def _alarming(plan: Plan, before: RunState, facts: Mapping[str, Any]) -> str:
    name = judged(plan, str(facts["gate"]), str(facts["comparison"]))
    return f"{name}: {facts.get('why', 'a minute looks bad')}; reading that minute once more"


def _overwritten(plan: Plan, before: RunState, facts: Mapping[str, Any]) -> str:
    return f"{route_name(str(facts['route']))}: somebody else keeps undoing the restore; a person must look"


def _escalated(plan: Plan, before: RunState, facts: Mapping[str, Any]) -> str:
    routes = [route_name(str(route)) for route in facts.get("routes", ())]
    return f"not restored after 60s: {', '.join(routes)}; cutover goes on trying, these commands do the same by hand"


def _health(plan: Plan, before: RunState, facts: Mapping[str, Any]) -> str | None:
    known = before.observed.get("health", {})
    changed = [
        f"{group_name(group)} {_of(str(now))} (was {_of(str(known[group]))})"
        for group, now in facts.items()
        if group in known and str(known[group]) != str(now)
    ]
    return f"healthy targets: {', '.join(changed)}" if changed else None


def _of(fraction: str) -> str:
    return fraction.replace("/", " of ")


_OBSERVED: dict[str, Callable[[Plan, RunState, Mapping[str, Any]], str | None]] = {
    "unreadable": _unreadable,
    "gone": _gone,
    "history_lost": _history_lost,
    "alarming": _alarming,
    "overwritten": _overwritten,
    "escalated": _escalated,
    "health": _health,
}


def _command(plan: Plan, before: RunState, record: ev.Record, event: ev.CommandGiven) -> str:
    if event.command == "interrupt":
        name = {1: "SIGHUP", 2: "Ctrl-C", 15: "SIGTERM"}.get(
            event.signal, f"signal {event.signal}"
        )
        return f"{name} received"
    why = f": {event.why}" if event.why else ""
    return f"{event.who} says {event.command.replace('_', ' ')}{why}"


def _gap(plan: Plan, before: RunState, record: ev.Record, event: ev.Gap) -> str:
    return f"lost {about(event.ms)}: {event.why}; passes and bakes start afresh"


def _drift(plan: Plan, before: RunState, record: ev.Record, event: ev.Drift) -> str:
    if not event.seen:
        return f"{route_name(event.route)}: does not exist any more"
    weight = event.seen.get("weight", -1)
    now = "without a weight of ours" if weight == -1 else f"at {weight_text(int(weight))}"
    return f"{route_name(event.route)}: changed by somebody else, now {now}, {weight_text(before.weight)} was set"


def _note(plan: Plan, before: RunState, record: ev.Record, event: ev.Note) -> str:
    return event.text


def _close(plan: Plan, before: RunState, record: ev.Record, event: ev.Close) -> str:
    code = event.exit_code
    meaning = EXIT_CODE_MEANING[ExitCode(code)] if code in set(ExitCode) else "unknown"
    if code == ExitCode.COMPLETED:
        meaning = {Phase.FINISHED: "finished", Phase.ABANDONED: "left as it is"}.get(
            before.phase, "completed"
        )
    if code == ExitCode.REFUSED:
        # the table's words are about every command; what was refused here has been said
        meaning = "refused, nothing was written" if before.phase is Phase.REFUSED else "refused"
    told = f"the process ends with {code}: {meaning}"
    if before.mode == "rehearsal":
        return told  # it takes no commands, and nobody goes on with it
    if before.phase is Phase.HOLDING:
        return f"{told}; the weight stays at {weight_text(before.weight)} and nobody keeps watch: `cutover resume` or `cutover rollback`"
    if before.phase is Phase.ROLLING_BACK:
        return f"{told}; {event.why}; `cutover rollback` goes on"
    return told


_SENTENCES: dict[type, Callable[[Plan, RunState, ev.Record, Any], str | None]] = {
    ev.RunOpen: _open,
    ev.LeaseTaken: _lease,
    ev.CheckFound: _check,
    ev.Snapshot: _snapshot,
    ev.PhaseChanged: phase_sentence,
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
