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

import unicodedata
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Every exit code of the command line, never reused (design 5.2)."""

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
    ExitCode.REFUSED: "refused: preflight, drift, a window, no schedule that fits, or an output without room; nothing was written to AWS",
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
    """The text as one line that cannot move a cursor or reorder what stands beside it; clipped at `limit`.

    Control, format (bidi, zero width), surrogate and unassigned characters are shown as escapes.
    """
    shown = "".join(_shown(character) for character in text[: limit + 1])
    return shown[: limit - 3] + "..." if len(shown) > limit else shown


def _shown(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"):
        return character
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def problem_lines(file: str, problem: Problem) -> list[str]:
    """A problem as a person reads it: `plan.yaml:14:7: error: ...`, the line with a caret, and the fix."""
    lines = [
        f"{printable(file)}:{problem.line}:{problem.column}: {problem.severity}: {problem.message}"
    ]
    if problem.excerpt:
        number = str(problem.line).rjust(5)
        lines += [f"{number} | {problem.excerpt}", f"{' ' * len(number)} | {' ' * problem.caret}^"]
    if problem.fix:
        lines.append(f"      = {problem.fix}")
    return lines


def render_problems(error: PlanError) -> str:
    """Every problem of the error, in the order of the file, as one text without a final line break."""
    return "\n".join(
        line for problem in error.problems for line in problem_lines(error.file, problem)
    )
