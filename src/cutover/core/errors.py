"""The error tree: each error says what, where and what to do next, and carries its exit code.

CutoverError
+-- UsageError        2  a command cannot mean anything (unknown run, flags that clash)
+-- PlanError         2  a plan or scenario file is wrong; holds every problem with its position
+-- NeedsHumanError   4  routes may not be restored; a person must look
+-- LeaseError        6  another run or process holds a route
+-- RefusedError      7  preflight, drift or a window forbids it; nothing was written
+-- CredentialsError  8  AWS refused or has no credentials
+-- JournalError      7  a journal is damaged or from a newer version: no raise, reading and rollback only
+-- StoppedError   128+  a signal ended the rehearsal
"""

from __future__ import annotations

import re
import traceback
import unicodedata
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Every exit code of the command line, never reused."""

    COMPLETED = 0
    BUG = 1
    USAGE = 2
    ROLLED_BACK = 3
    NEEDS_HUMAN = 4
    HELD = 5
    CLAIMED = 6
    REFUSED = 7
    CREDENTIALS = 8
    UNEXPECTED_REHEARSAL = 9
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_CODE_MEANING: dict[ExitCode, str] = {
    ExitCode.COMPLETED: "completed (or the command did what it was asked)",
    ExitCode.BUG: "a bug in cutover: the journal is intact, please report it",
    ExitCode.USAGE: "usage or plan error: nothing was written",
    ExitCode.ROLLED_BACK: "rolled back, and the restored routes were read back",
    ExitCode.NEEDS_HUMAN: "needs a human: a route is not verified as restored",
    ExitCode.HELD: "held at its weight, resumable",
    ExitCode.CLAIMED: "another run holds the route",
    ExitCode.REFUSED: "refused: preflight, drift, a window, a command that no run followed, no schedule that fits, or a place for files or output that cannot be used; nothing was written to AWS",
    ExitCode.CREDENTIALS: "AWS credentials or a permission are missing",
    ExitCode.UNEXPECTED_REHEARSAL: "a rehearsal did not end as its scenario expects, or its trouble never happened",
    ExitCode.HANGUP: "a rehearsal was ended by SIGHUP, journalled",
    ExitCode.INTERRUPTED: "ended by Ctrl-C, journalled",
    ExitCode.TERMINATED: "ended by SIGTERM, journalled",
}


class CutoverError(Exception):
    """Base of every expected failure: `str(error)` says what and where, `hint` what to do next."""

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CutoverError):
    """A command cannot mean anything as given."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file, with its place; `severity` is "error" or "warning".

    `line` and `column` count from 1. `excerpt` is the source line, already clipped and escaped,
    and `caret` the 0-based offset of the caret below it.
    """

    line: int
    column: int
    message: str
    severity: str = "error"
    excerpt: str = ""
    caret: int = 0
    fix: str = ""


class PlanError(CutoverError):
    """A plan or scenario file is wrong: every problem at once, sorted by position."""

    exit_code = ExitCode.USAGE

    def __init__(self, file: str, problems: tuple[Problem, ...], *, hint: str = "") -> None:
        errors = sum(p.severity == "error" for p in problems)
        super().__init__(f"{file}: {errors} error{'s' if errors != 1 else ''}", hint=hint)
        self.file = file
        self.problems = tuple(sorted(problems))


class NeedsHumanError(CutoverError):
    """Routes may not be as they should and no safe automatic act is left."""

    exit_code = ExitCode.NEEDS_HUMAN


class LeaseError(CutoverError):
    """Another run or process holds a route; the message names who, since when and which run."""

    exit_code = ExitCode.CLAIMED


class RefusedError(CutoverError):
    """Something forbids the act; nothing was written to AWS."""

    exit_code = ExitCode.REFUSED


class CredentialsError(CutoverError):
    """AWS refused, or has no, credentials."""

    exit_code = ExitCode.CREDENTIALS


class JournalError(CutoverError):
    """A journal is damaged, or written by a newer version: reading and rollback only."""

    exit_code = ExitCode.REFUSED


class StoppedError(CutoverError):
    """A signal ended what was asked before it was done; the exit code is the signal's."""

    def __init__(self, message: str, *, hint: str = "", signal: int = 2) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = ExitCode(128 + signal)


def printable(text: str, limit: int = 200) -> str:
    """The text as one line that cannot move a cursor, reorder what stands beside it or give a secret away; clipped at `limit`."""
    return escaped(masked(text), limit)


def escaped(text: str, limit: int | None = None) -> str:
    """The text as one line without a character that acts on a terminal; clipped at `limit`, if there is one.

    Control, format (bidi, zero width), surrogate and unassigned characters are shown as escapes. Nothing is masked:
    a command that is there to be copied stays what it is.
    """
    if text.isascii() and text.isprintable() and (limit is None or len(text) <= limit):
        return text  # nearly every text is: `list` prints many
    if limit is None:
        return "".join(map(_shown, text))
    shown = "".join(map(_shown, text[: limit + 1]))
    return shown[: limit - 3] + "..." if len(shown) > limit else shown


def _shown(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"):
        return character
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


_USERINFO = re.compile(r"(?<=://)[^\s\"'<>]*@")
"""RFC 3986 section 3.2.1: a user and perhaps a password stand before the `@`; a password may hold a raw `/`, so what is masked ends only there."""

_SECRETS = re.compile(
    r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token)[=:]\s*|"
    r"(?:Signature|AWSAccessKeyId|(?:access_|session_?|id_|refresh_)?token|secret|password|api_?key)=)[^&\s\"'<>]+"
)
"""What gives access in a query (AWS docs, "Authenticating requests: using query parameters"), and in the canonical request
that AWS repeats when a signature does not match."""


def masked(text: str) -> str:
    """The text with `***` for the user and password of every URL in it, and for signatures, tokens and passwords."""
    return _SECRETS.sub(r"\1***", _USERINFO.sub("***@", text)) if len(text) > 3 else text


WITHHELD = "what it wrote is not repeated here, it may hold secrets"
"""Instead of the words of a helper that hands out credentials."""


def traceback_text(error: BaseException) -> str:
    """The traceback with the chain that led to it; secrets masked, the words of credential helpers left out."""
    text = "".join(traceback.format_exception(error))
    link: BaseException | None = error
    while link is not None:
        if type(link).__name__ == "CredentialRetrievalError" and str(link):
            text = text.replace(str(link), WITHHELD)
        link = link.__cause__ or link.__context__
    return masked(text)


def problem_lines(file: str, problem: Problem) -> list[str]:
    """A problem as a person reads it: `plan.yaml:14:7: error: ...`, the line with a caret, and the fix."""
    lines = [
        f"{printable(file)}:{problem.line}:{problem.column}: {problem.severity}: {printable(problem.message, 2_000)}"
    ]
    if problem.excerpt:
        number = str(problem.line).rjust(5)
        lines += [f"{number} | {problem.excerpt}", f"{' ' * len(number)} | {' ' * problem.caret}^"]
    if problem.fix:
        lines.append(f"      = {printable(problem.fix, 2_000)}")
    return lines
