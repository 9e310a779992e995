"""Why a run does what it does: a public code and its facts. `core.messages.reasons` has the sentence of every code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any


class Code(StrEnum):
    """Public: in journals, JSON outputs and docs/reasons.md. A code is never given another meaning."""

    # before anything is written
    INTERRUPTED_BEFORE_WRITING = auto()
    STOPPED_BEFORE_WRITING = auto()
    EARLIER_PROCESS_ENDED = auto()
    TIME_LOST_IN_CHECKS = auto()
    ROUTES_KEEP_CHANGING = auto()
    CHANGED_DURING_CHECKS = auto()
    SURVEY_FAILED = auto()
    CHECKS_BLOCK = auto()
    CHECKS_PASSED = auto()
    SURVEYING = auto()
    PAUSED_IN_CHECKS = auto()
    # attaching
    ATTACHING = auto()
    NO_SOURCE_MINUTE = auto()
    HEALTH_UNKNOWN = auto()
    NO_HEALTHY_TARGET = auto()
    NOT_READY = auto()
    WAITING_UNTIL_READY = auto()
    READY = auto()
    # writing and reading back
    SET_WEIGHT = auto()
    READING_AGAIN = auto()
    READING_BEFORE_WRITE = auto()
    READING_UNEXPECTED = auto()
    READING_ALL = auto()
    READING_UNTIL_SHOWN = auto()
    WRITE_NOT_VISIBLE = auto()
    ALREADY_WRITTEN = auto()
    NOT_CONFIRMED_EVERYWHERE = auto()
    NOT_TAKEN_BACK_NOW = auto()
    FIRST_WRITE_DENIED = auto()
    WRITE_DENIED = auto()
    ROUTES_UNREADABLE = auto()
    WRITE_NOT_SHOWN = auto()
    NOT_WRITTEN = auto()
    NO_FRESH_EVIDENCE = auto()
    COMMITTED = auto()
    # settling and baking
    WAITING_FOR_SPLIT = auto()
    SHARE_WAITING = auto()
    SHARE_TOO_FEW = auto()
    SHARE_INSIDE = auto()
    SHARE_OUTSIDE = auto()
    SHARE_NOT_REQUIRED = auto()
    SHARES_INSIDE = auto()
    SHARE_DOES_NOT_FOLLOW = auto()
    COLLECTING = auto()
    BAKING = auto()
    PASSES_BUT = auto()
    PASSES_READING = auto()
    PASSES_ASKING_IDENTITY = auto()
    RAISING = auto()
    LAST_BAKE_PASSED = auto()
    LAST_BAKE_PASSED_AT = auto()
    HAND_OVER_PASSED = auto()
    # gates
    GATE = auto()
    GATE_ON = auto()
    # what stops a raise
    SOURCE_HAS_NO_TARGET = auto()
    SOURCE_HEALTH_UNKNOWN = auto()
    SOURCE_TOO_SMALL = auto()
    JOURNAL_UNWRITABLE = auto()
    LEASE_IN_DOUBT = auto()
    WINDOW = auto()
    NEEDS_APPROVAL = auto()
    IDENTITY_UNKNOWN = auto()
    ACCOUNT_CHANGED = auto()
    CREDENTIALS_ENDING = auto()
    DRIFT = auto()
    RULE_GONE = auto()
    LISTENER_GONE = auto()
    SEVERAL = auto()
    ANOTHER_OWNER = auto()
    # holding
    HOLDING = auto()
    HOLDING_FOR = auto()
    TOLD_AGAIN = auto()
    PROCESS_ENDED = auto()
    PROCESS_ENDED_HOLDING = auto()
    PAUSED = auto()
    PAUSED_HOLDING = auto()
    INTERRUPTED = auto()
    NOT_ROLLED_BACK_AT_DEADLINE = auto()
    STEP_HAD_BEEN_WRITTEN = auto()
    ANSWER_NEEDED = auto()
    RESUMED = auto()
    RESUMED_AFTER_WRITE = auto()
    FIRST_BACK = auto()
    FIRST_READING = auto()
    APPROVED = auto()
    WINDOW_OVER = auto()
    RESERVE_BACK = auto()
    EVIDENCE_BACK = auto()
    WELL_AGAIN = auto()
    ENOUGH_EVIDENCE = auto()
    SHARE_FOLLOWS = auto()
    READY_NOW = auto()
    CLEARED_BUT_NOT_SHOWN = auto()
    # commands that change nothing
    CHANGES_NOTHING = auto()
    RESUME_UNREADABLE = auto()
    RESUME_AT_OTHER_WEIGHT = auto()
    RESUME_DRIFTED = auto()
    DRIFT_NOT_ACCEPTED = auto()
    # rolling back
    ROLLBACK_SAID = auto()
    INTERRUPT_ROLLS_BACK = auto()
    ONLY_SOME_RAISED = auto()
    HELD_TOO_LONG = auto()
    NOBODY_ANSWERED = auto()
    NO_DATA_TOO_LONG = auto()
    RESTORING = auto()
    WAITING_FOR_ROUTES = auto()
    CANNOT_BE_RESTORED = auto()
    SIGNAL_REFUSED = auto()
    ENDED_BY_PERSON = auto()
    RESTORED_READING = auto()
    RESTORED = auto()
    RESTORED_BY_HAND = auto()
    STILL_SENT_TO_DESTINATION = auto()
    # ending
    RUN_HAS_ENDED = auto()
    UNREADABLE_NOW = auto()
    UNREADABLE_ROUTES = auto()
    MAY_STILL_TAKE_EFFECT = auto()
    SAY_AGAIN = auto()
    LEFT_AS_IT_IS = auto()
    NOT_LEFT = auto()
    NOT_FINISHED = auto()
    NOT_AS_LEFT = auto()
    SOURCE_HAS_TRAFFIC = auto()
    DETACH_NOT_SHOWN = auto()
    DETACHING = auto()
    FINISHED = auto()
    FINISHED_AT = auto()
    FINISHED_DETACHED = auto()
    # time
    REBOOTED = auto()
    CLOCK_JUMPED = auto()
    TURN_LATE = auto()
    LOOK_SLOW = auto()
    # said by the process around the engine
    PROCESS_NOTE = auto()


@dataclass(frozen=True)
class Reason:
    """Why, as programs read it.

    Attributes:
        code: what it is.
        facts: integers, texts, lists of texts, and reasons (as `body`) that it rests on.
    """

    code: Code
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        """By its code: facts are mappings."""
        return hash(self.code)

    @property
    def body(self) -> dict[str, Any]:
        """As the journal and JSON outputs hold it."""
        return {"code": self.code.value, "facts": dict(self.facts)}

    @property
    def inner(self) -> Reason | None:
        """The reason that it rests on, if any."""
        body = self.facts.get("because")
        return None if body is None else reason_of(body["code"], body["facts"])


def because(code: Code, /, **facts: Any) -> Reason:
    """A reason; reasons among its facts become their bodies, and all are in the order in which a journal has them."""
    return Reason(code, {name: _plain(value) for name, value in sorted(facts.items())})


def reason_of(code: str, facts: Mapping[str, Any]) -> Reason:
    """A reason as a record holds it.

    Raises:
        ValueError: for a code that this version does not know.
    """
    return Reason(Code(code), facts)


def _plain(value: Any) -> Any:
    if isinstance(value, Reason):
        return value.body
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, str) else value
