"""The sentence of every reason, in one literal table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Final

from cutover.core.arn import group_name, resource
from cutover.core.reasons import Code, Reason, reason_of
from cutover.core.values import count_of, duration_text, weight_text

SENTENCES: Final[Mapping[Code, str]] = {
    Code.INTERRUPTED_BEFORE_WRITING: "interrupted before anything was written",
    Code.STOPPED_BEFORE_WRITING: "stopped before anything was written",
    Code.EARLIER_PROCESS_ENDED: "an earlier process ended before anything was written; start a new run",
    Code.TIME_LOST_IN_CHECKS: "time was lost during the checks, so they may be out of date; start a new run",
    Code.ROUTES_KEEP_CHANGING: "the routes cannot be read, or keep changing{said:colon}",
    Code.CHANGED_DURING_CHECKS: "{routes:names} was changed during the checks, so nobody checked what is there now; start a new run",
    Code.SURVEY_FAILED: "preflight could not look: {said}",
    Code.CHECKS_BLOCK: "{said}",
    Code.CHECKS_PASSED: "every check passed; the configs found are kept",
    Code.SURVEYING: "looking before anything is written",
    Code.PAUSED_IN_CHECKS: "pause said during the checks; nothing is written yet",
    Code.ATTACHING: "attaching the destination at weight 0",
    Code.NO_SOURCE_MINUTE: "no settled minute of the source has come from CloudWatch yet",
    Code.HEALTH_UNKNOWN: "the destination's health is unknown",
    Code.NO_HEALTHY_TARGET: "the destination has no healthy target ({said})",
    Code.NOT_READY: "not ready for the first raise: {because:reason}",
    Code.WAITING_UNTIL_READY: "waiting: {because:reason}",
    Code.READY: "ready; asking who we are before the first raise",
    Code.SET_WEIGHT: "every route to {weight} per mille",
    Code.READING_AGAIN: "reading every route {times}",
    Code.READING_BEFORE_WRITE: "reading every route before the write",
    Code.READING_UNEXPECTED: "reading an unexpected config again",
    Code.READING_ALL: "waiting to read every route",
    Code.READING_UNTIL_SHOWN: "a write may still take effect: reading on until it shows",
    Code.WRITE_NOT_VISIBLE: "a write is not visible yet, or waits to be tried again",
    Code.ALREADY_WRITTEN: "the step had been written before the crash",
    Code.NOT_CONFIRMED_EVERYWHERE: "{what} was not confirmed on every route within 60 s, only on some: all or back",
    Code.NOT_TAKEN_BACK_NOW: "{first:reason}; not taken back now: {because:reason}",
    Code.FIRST_WRITE_DENIED: "AWS denied the first write, nothing was changed: {said}",
    Code.WRITE_DENIED: "AWS denied the write: {said}",
    Code.ROUTES_UNREADABLE: "the routes could not be read for 60 s: {said}",
    Code.WRITE_NOT_SHOWN: "a write of this run may be live, and no read has shown it: look at the routes before you say resume",
    Code.NOT_WRITTEN: "{what} was not written within 60 s: {said}",
    Code.NO_FRESH_EVIDENCE: "not raised to {weight:weight}: there is no fresh evidence for it, the bake starts again",
    Code.COMMITTED: "every route is committed at {weight:weight}",
    Code.WAITING_FOR_SPLIT: "waiting until the data plane follows",
    Code.SHARE_WAITING: "waiting for the first settled minute after the raise",
    Code.SHARE_TOO_FEW: "too few requests yet to see the share ({requests} in {minutes} settled minutes)",
    Code.SHARE_INSIDE: "observed {observed:tenths} % of {requests} requests at weight {weight:weight}",
    Code.SHARE_OUTSIDE: "observed {observed:tenths} % of {requests} requests at weight {weight:weight}, outside {low:tenths} to {high:tenths} %",
    Code.SHARE_NOT_REQUIRED: "share not required ({said})",
    Code.SHARES_INSIDE: "{each:reasons}",
    Code.SHARE_DOES_NOT_FOLLOW: "the observed share does not follow the weight: {because:reason}",
    Code.COLLECTING: "collecting evidence",
    Code.BAKING: "{said}",
    Code.PASSES_BUT: "every gate passes, but {because:reason}",
    Code.PASSES_READING: "every gate passes; reading every route before going on",
    Code.PASSES_ASKING_IDENTITY: "every gate passes; asking who we are before the raise",
    Code.RAISING: "every gate passes; raising to {weight:weight}",
    Code.LAST_BAKE_PASSED: "the last bake is over and every gate passes; the source stays attached at weight 0",
    Code.LAST_BAKE_PASSED_AT: "the last bake is over and every gate passes; the routes stay at {weight:weight}",
    Code.HAND_OVER_PASSED: "the last bake passed at {baked:weight}, and no gate objects at {weight:weight}; the source stays attached at weight 0",
    Code.GATE: "{gate}: {said}",
    Code.GATE_ON: "{gate} on {comparison}: {said}",
    Code.SOURCE_HAS_NO_TARGET: "{because:reason}; but the source has no healthy target, so going back would make it worse",
    Code.SOURCE_HEALTH_UNKNOWN: "the health of the source {groups:groups} is unknown",
    Code.SOURCE_TOO_SMALL: "the source {group:group} has {healthy} healthy targets, {needed} at the start",
    Code.JOURNAL_UNWRITABLE: "the journal cannot be written: {said}",
    Code.LEASE_IN_DOUBT: "the lease is in doubt: {said}",
    Code.WINDOW: "no raise inside the window {window}",
    Code.NEEDS_APPROVAL: "{weight:weight} needs approval: {said}",
    Code.IDENTITY_UNKNOWN: "AWS does not say who we are: {said}",
    Code.ACCOUNT_CHANGED: "the caller's account is now {account}",
    Code.CREDENTIALS_ENDING: "the credentials end within 15 minutes and do not refresh",
    Code.DRIFT: "somebody else changed {routes:names}: the live config is not the one cutover wrote ({weights:drift})",
    Code.RULE_GONE: "the rule {route:name} does not exist any more: its requests go to the next rule that matches, or to the listener's default action",
    Code.LISTENER_GONE: "the listener {route:name} does not exist any more: nobody accepts its connections",
    Code.SEVERAL: "{each:reasons}",
    Code.ANOTHER_OWNER: "another process has this run now, so this one writes nothing more: {said}",
    Code.HOLDING: "holding",
    Code.HOLDING_FOR: "holding: {because:reason}",
    Code.TOLD_AGAIN: "holding on; people are told again",
    Code.PROCESS_ENDED: "the process that drove this run ended during {phase}",
    Code.PROCESS_ENDED_HOLDING: "the process that drove this run ended; it was holding: {because:reason}",
    Code.PAUSED: "pause said by {who}{said:colon}",
    Code.PAUSED_HOLDING: "pause said by {who}{said:colon}; was holding: {because:reason}",
    Code.INTERRUPTED: "interrupted by signal {signal}",
    Code.NOT_ROLLED_BACK_AT_DEADLINE: "{because:reason} (not rolled back at the deadline: {short:reason})",
    Code.STEP_HAD_BEEN_WRITTEN: "{because:reason}; the step to {weight:weight} had been written",
    Code.ANSWER_NEEDED: "{because:reason}; this hold needs an answer{after:deadline}",
    Code.RESUMED: "resumed by {who}{said:colon}",
    Code.RESUMED_AFTER_WRITE: "resumed by {who}; the step had been written before the crash",
    Code.FIRST_BACK: "{because:reason}; first every route back to {weight:weight}",
    Code.FIRST_READING: "{because:reason}; first reading on whether all are at {weight:weight}",
    Code.APPROVED: "approved",
    Code.WINDOW_OVER: "the window is over",
    Code.RESERVE_BACK: "the source is at its reserve again",
    Code.EVIDENCE_BACK: "the evidence is back",
    Code.WELL_AGAIN: "the destination is well again",
    Code.ENOUGH_EVIDENCE: "there is enough evidence now",
    Code.SHARE_FOLLOWS: "the observed share follows the weight now",
    Code.READY_NOW: "the destination is ready now",
    Code.CLEARED_BUT_NOT_SHOWN: "{first:reason}, but {because:reason}",
    Code.CHANGES_NOTHING: "{command} changes nothing: the run is {phase}",
    Code.RESUME_UNREADABLE: "resume not heard: the routes cannot be read now; say it again when they can",
    Code.RESUME_AT_OTHER_WEIGHT: "resume refused: the routes are committed at {weight:weight}, and step {step} is {wanted:weight}; say rollback",
    Code.RESUME_DRIFTED: "resume refused: the live config is not ours; `resume --accept-drift WHY`, or `rollback`",
    Code.DRIFT_NOT_ACCEPTED: "drift not accepted: the destination's weight is not {weight:weight} on {routes:list}",
    Code.ROLLBACK_SAID: "rollback said by {who}{said:colon}",
    Code.INTERRUPT_ROLLS_BACK: "signal {signal}, and the plan says on_interrupt: rollback",
    Code.ONLY_SOME_RAISED: "only some routes are at the next weight: {because:reason}",
    Code.HELD_TOO_LONG: "held too long without evidence: {because:reason}",
    Code.NOBODY_ANSWERED: "nobody answered within {waited:span}: {because:reason}",
    Code.NO_DATA_TOO_LONG: "blind for {span:span} in an unproven step; {because:reason}",
    Code.RESTORING: "restoring {routes:names}",
    Code.WAITING_FOR_ROUTES: "waiting for {routes:names}",
    Code.CANNOT_BE_RESTORED: "{routes:names} cannot be restored by cutover: the planned groups are gone or somebody keeps changing it",
    Code.SIGNAL_REFUSED: "signal {signal} refused: the rollback goes on (a third signal ends it, unrestored)",
    Code.ENDED_BY_PERSON: "ended by a person during the rollback: a route may not be restored",
    Code.RESTORED_READING: "restored; reading every route once more before saying so",
    Code.RESTORED: "restored and read back: {because:reason}",
    Code.RESTORED_BY_HAND: "restored by hand; a read agrees",
    Code.STILL_SENT_TO_DESTINATION: "not restored: {routes:names} still sends requests to the destination",
    Code.RUN_HAS_ENDED: "the run has ended",
    Code.UNREADABLE_NOW: "the routes cannot be read now; nothing was changed",
    Code.UNREADABLE_ROUTES: "{routes:names} cannot be read now",
    Code.MAY_STILL_TAKE_EFFECT: "a write to {routes:names} may still take effect, and no read shows it yet",
    Code.SAY_AGAIN: "{because:reason}; say it again in a minute",
    Code.LEFT_AS_IT_IS: "left as it is said by {who}{said:colon}",
    Code.NOT_LEFT: "not left as it is: {because:reason}; say it again in a minute, or `rollback`",
    Code.NOT_FINISHED: "not finished: {because:reason}{then:also_text}",
    Code.NOT_AS_LEFT: "{routes:names} is not as cutover left it",
    Code.SOURCE_HAS_TRAFFIC: "the source still has traffic, so it is not detached",
    Code.DETACH_NOT_SHOWN: "no read shows the source detached on {routes:names}",
    Code.DETACHING: "detaching the source",
    Code.FINISHED: "finished: the destination keeps the traffic, the source stays attached at weight 0",
    Code.FINISHED_AT: "finished: the routes stay at {weight:weight}",
    Code.FINISHED_DETACHED: "finished: the destination keeps the traffic, the source is detached",
    Code.REBOOTED: "the machine was restarted",
    Code.CLOCK_JUMPED: "the wall clock jumped by {ms} ms against the boot clock",
    Code.TURN_LATE: "this turn is {ms} ms late (suspended or starved)",
    Code.LOOK_SLOW: "one look took {ms} ms (slow answers, suspended or starved)",
    Code.PROCESS_NOTE: "{said}",
}  # fmt: skip
"""`{fact}` stands as it is; after a colon stands how it is said (`_SAID`)."""


def explain(reason: Reason, gate: Callable[[Reason], str] | None = None) -> str:
    """The sentence of a reason.

    Args:
        reason: what it is.
        gate: says a `GATE_ON` reason instead of the table, for a reader who knows the plan.
    """
    if gate is not None and reason.code is Code.GATE_ON:
        return gate(reason)
    return _Sentence(gate).vformat(SENTENCES[reason.code], (), reason.facts)


class _Sentence(Formatter):
    """Says facts by the word after their colon."""

    def __init__(self, gate: Callable[[Reason], str] | None) -> None:
        self._gate = gate

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        """A fact; one that is not there is said as nothing."""
        return kwargs.get(key, "")

    def format_field(self, value: Any, spec: str) -> str:
        """A fact as a person reads it."""
        if spec == "reason":
            return explain(reason_of(value["code"], value["facts"]), self._gate)
        if spec == "reasons":
            return "; ".join(self.format_field(one, "reason") for one in value)
        return _SAID[spec](value) if spec else str(value)


def _names(arns: list[str]) -> str:
    return ", ".join(sorted(resource(arn) for arn in arns))


def _drift(weights: Mapping[str, int]) -> str:
    return ", ".join(
        f"{resource(arn)} now weighs {'nothing that can be read' if weight < 0 else weight_text(weight)}"
        for arn, weight in weights.items()
    )


_SAID: Final[Mapping[str, Callable[[Any], str]]] = {
    "weight": weight_text,
    "span": duration_text,
    "names": _names,
    "name": resource,
    "list": ", ".join,
    "group": group_name,
    "groups": lambda arns: ", ".join(group_name(arn) for arn in arns),
    "tenths": lambda per_mille: f"{per_mille / 10:.1f}",
    "drift": _drift,
    "colon": lambda text: f": {text}" if text else "",
    "also_text": lambda text: f"; {text}" if text else "",
    "deadline": lambda ms: f", or it rolls back after {duration_text(ms)}" if ms else "",
    "count": lambda number: count_of(number, "minute"),
}
