"""What every command stands in: its streams, its JSON, and how it says that something went wrong."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import click

from cutover.core.errors import (
    CutoverError,
    ExitCode,
    PlanError,
    masked,
    printable,
    problem_lines,
    traceback_text,
)

Json = Mapping[str, Any]

_FIX = "      = "
"""Begins the line under an excerpt that says how to mend it."""

LONGEST_LINE = 100_000
"""Characters that one line ever has; a command that is there to be copied is never cut."""

_READER_LEFT = (errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN)
"""Why a stream takes no more when its reader has seen enough: nothing is wrong then."""


class Pipe:
    """A text stream that may be closed by its reader at any time: then the rest is dropped, silently."""

    def __init__(self, stream: TextIO | None) -> None:
        # None: the process was started with this descriptor closed
        self._stream = stream or io.StringIO()
        self.broken = stream is None
        self.lost = ""  # why output was lost, when that was not a reader who left

    @property
    def encoding(self) -> str:
        """The stream's encoding."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether a person reads it at a terminal."""
        return not self.broken and self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the stream."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write what still can be written."""
        if self.broken:
            return len(text)
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            safe = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
            self._try(lambda: self._stream.write(safe))
        except (OSError, ValueError) as error:
            self.lose(error)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        if not self.broken:
            self._try(self._stream.flush)

    def _try(self, call: Callable[[], object]) -> None:
        try:
            call()
        except (OSError, ValueError) as error:
            self.lose(error)

    def lose(self, error: OSError | ValueError) -> None:
        """Give the stream up. From now on the descriptor leads to nothing, so that the interpreter's own flush cannot fail."""
        self.broken = True
        if isinstance(error, OSError) and error.errno not in _READER_LEFT:
            self.lost = error.strerror or str(error)
        with contextlib.suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)


@dataclass
class Frame:
    """The streams and switches of one command.

    Attributes:
        out: the product: what a pipe or a script reads.
        err: the messages when `json` is on, errors and hints.
        json: the product is JSON with a `schema`.
        debug: a bug shows its traceback.
        stuck: a view could not be stopped; the process must end hard.
        acts: the command drives a run or says a command to one: lost output does not change how it ended.
    """

    out: Pipe
    err: Pipe
    json: bool = False
    debug: bool = False
    stuck: bool = False
    acts: bool = False

    @classmethod
    def of_process(cls, *, json: bool = False) -> Frame:
        """The frame of this process's own streams."""
        debug = bool(os.environ.get("CUTOVER_DEBUG"))
        return cls(Pipe(sys.stdout), Pipe(sys.stderr), json, debug)

    @property
    def messages(self) -> Pipe:
        """Where messages go: beside the product when that is JSON."""
        return self.err if self.json else self.out

    @property
    def width(self) -> int:
        """Columns of the terminal; 100 where there is none."""
        return max(40, shutil.get_terminal_size((100, 24)).columns)

    @property
    def colour(self) -> bool:
        """Colour only for a person at a terminal who did not say NO_COLOR (no-color.org)."""
        return (
            self.messages.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )

    def say(self, text: str) -> None:
        """A line of the product for people."""
        self.out.write(printable(text, LONGEST_LINE) + "\n")
        self.out.flush()

    def tell(self, text: str) -> None:
        """A line of the messages."""
        self.messages.write(self._fitted(text, self.messages) + "\n")
        self.messages.flush()

    def warn(self, text: str) -> None:
        """A line on stderr."""
        self.err.write(self._fitted(text, self.err) + "\n")
        self.err.flush()

    def _fitted(self, text: str, stream: Pipe) -> str:
        """One line; broken between words for a person at a terminal where it is long, but no excerpt."""
        line = printable(text, LONGEST_LINE)
        fix = line.startswith(_FIX)
        if not stream.isatty() or len(line) <= self.width or (line.startswith(" ") and not fix):
            return line
        from cutover.render.text import wrap

        if fix:
            return "\n".join(wrap(line.removeprefix(_FIX), self.width, first=_FIX))
        return "\n".join(wrap(line, self.width, rest="  "))

    def warn_lines(self, text: str) -> None:
        """Our own text of several lines on stderr."""
        for line in text.splitlines():
            self.warn(line)

    def give(self, schema: str, body: Json) -> None:
        """The product as one JSON object on one line, with its schema."""
        from cutover.render.text import json_line

        self.out.write(json_line({"schema": schema, **body}))
        self.out.flush()

    def close(self) -> None:
        """Flush what can be flushed."""
        self.out.flush()
        self.err.flush()


def guarded(frame: Frame, call: Callable[[], int]) -> int:
    """The exit code of a command; whatever goes wrong becomes `error:` and `hint:` lines on stderr."""
    try:
        return call()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        frame.warn_lines(asked.format_message())
        return ExitCode.USAGE
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "cutover"
        return _failed(
            frame,
            ExitCode.USAGE,
            error.format_message(),
            f"`{command} --help` shows what it takes",
        )
    except click.Abort:
        return _failed(frame, ExitCode.INTERRUPTED, "interrupted", "")
    except click.ClickException as error:
        return _failed(frame, ExitCode.USAGE, error.format_message(), "")
    except PlanError as error:
        return _refused_plan(frame, error)
    except CutoverError as error:
        if frame.debug and error.__cause__ is not None:
            frame.warn_lines(traceback_text(error.__cause__))
        return _failed(frame, error.exit_code, str(error), error.hint)
    except KeyboardInterrupt:
        return _failed(frame, ExitCode.INTERRUPTED, "interrupted", "")
    except Exception as error:  # noqa: BLE001  # the last wall: a bug is one line, and its own exit code
        if frame.debug:
            frame.warn_lines(traceback_text(error))
        message = f"a bug in cutover: {type(error).__name__}: {masked(str(error))}"
        return _failed(
            frame, ExitCode.BUG, message, "`cutover --debug ...` shows where; please report it"
        )


def without_output(frame: Frame, code: int) -> int:
    """The exit code when standard output took less than everything: never 0, but for a command that has acted."""
    if not frame.out.lost:
        return code
    lost = f"standard output: {frame.out.lost}: not everything could be written there"
    if frame.acts:
        frame.warn(f"warning: {lost}")
        frame.warn("hint: `cutover status` and `cutover journal show` say what happened")
        return code
    if code != ExitCode.COMPLETED:
        frame.warn(f"warning: {lost}")
        return code
    frame.warn(f"error: {lost}")
    frame.warn("hint: run it again with a place that has room; it changed nothing at AWS")
    return ExitCode.REFUSED


def _failed(frame: Frame, code: int, message: str, hint: str) -> int:
    frame.warn(f"error: {printable(message, 2_000)}")
    if hint:
        frame.warn(f"hint: {printable(hint, 2_000)}")
    if frame.json:
        body = {"exit_code": int(code), "error": masked(message), "hint": masked(hint)}
        frame.give("cutover.error.v1", body)
    return int(code)


def _refused_plan(frame: Frame, error: PlanError) -> int:
    for problem in error.problems:
        for line in problem_lines(error.file, problem):
            frame.warn(line)
    frame.warn(f"error: {printable(str(error), 2_000)}")
    frame.warn(
        f"hint: {printable(error.hint or 'nothing was written; correct the file and run it again', 2_000)}"
    )
    if frame.json:
        body = {
            "exit_code": int(error.exit_code),
            "error": str(error),
            "hint": error.hint,
            "file": error.file,
            "problems": [problem_body(problem) for problem in error.problems],
        }
        frame.give("cutover.error.v1", body)
    return int(error.exit_code)


def problem_body(problem: Any) -> dict[str, Any]:
    """A problem of a plan file as JSON."""
    return {
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "message": problem.message,
        "fix": problem.fix,
    }
