"""What a preflight check says, and the pieces every check is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from cutover.core.arn import resource
from cutover.core.observation import Known, Survey, Unknown
from cutover.core.observation.survey import Fact
from cutover.core.plan import Plan

K = TypeVar("K")
T = TypeVar("T")


class Severity(StrEnum):
    """How a finding counts: only `block` refuses the run."""

    OK = "ok"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True)
class Finding:
    """What one check found: what it saw, why that matters, and what to do."""

    id: str
    severity: Severity
    seen: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True)
class CheckResult:
    """A finding that does not know its check's id yet."""

    severity: Severity
    seen: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Check:
    """One preflight rule.

    Attributes:
        title: what it makes sure of, for people.
        judge: pure; an unknown fact blocks if the rule would.
        waivable: the plan may accept its failure under `waive`.
    """

    title: str
    judge: Callable[[Plan, Survey], CheckResult]
    waivable: bool = False


class Unread(Exception):  # noqa: N818  # not an error of ours: a fact nobody could read
    """Raised by `need`; `run_checks` turns it into a block."""

    def __init__(self, what: str, unknown: Unknown) -> None:
        super().__init__(what)
        self.what = what
        self.unknown = unknown


def need(fact: Fact[T], what: str) -> T:
    """The fact's value.

    Raises:
        Unread: when nobody could read it.
    """
    if isinstance(fact, Known):
        return fact.value
    raise Unread(what, fact)


def need_all(facts: Mapping[K, Fact[T]], keys: Iterable[K], what: str) -> dict[K, T]:
    """The values under these keys, in their order.

    Raises:
        Unread: when nobody could read one of them.
    """
    absent = Unknown("it was not looked at")
    return {
        key: need(facts.get(key, absent), f"{what} {resource(str(key))}")
        for key in dict.fromkeys(keys)
    }


def unread(error: Unread, severity: Severity = Severity.BLOCK) -> CheckResult:
    """What a check says about a fact that nobody could read."""
    permission = error.unknown.missing_permission
    return CheckResult(
        severity,
        f"{error.what} could not be read: {error.unknown.reason}",
        "what is unknown is never good",
        f"Grant {permission}." if permission else "Try again; if it stays, look at the reason.",
    )


def ok(seen: str) -> CheckResult:
    """Nothing is wrong."""
    return CheckResult(Severity.OK, seen)


def warn(seen: str, why: str, fix: str = "") -> CheckResult:
    """It may go on, and somebody should know."""
    return CheckResult(Severity.WARN, seen, why, fix)


def block(seen: str, why: str, fix: str) -> CheckResult:
    """It must not go on."""
    return CheckResult(Severity.BLOCK, seen, why, fix)


def listed(items: Iterable[str], most: int = 5) -> str:
    """`a, b and 3 more`."""
    every = list(items)
    rest = len(every) - most
    return ", ".join(every[:most]) + (f" and {rest} more" if rest > 0 else "")
