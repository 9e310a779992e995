"""A text file from a person's editor: read with limits, its characters checked, its lines quotable."""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cutover.core.errors import PlanError, Problem, printable

MAX_BYTES: Final = 64 * 1024
MAX_PROBLEMS: Final = 100
_WIDTH: Final = 96
_TAB: Final = "    "

# Control characters move cursors, direction marks reorder what a reviewer sees, and the two Unicode
# line breaks end a line for some tools only ("Trojan Source", CVE-2021-42574).
HIDDEN: Final = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\ud800-\\udfff\\ufeff\\ufffe\\uffff]"
)


_UNREADABLE: Final[dict[type[Exception], str]] = {
    FileNotFoundError: "no such file: name the {what} to read",
    IsADirectoryError: "this is a directory; name the {what} file in it",
    PermissionError: "permission denied: this user may not read it",
}
_URL: Final = re.compile(r"(https?://[^/\s]*/)([^\s\"',}]+)")


@dataclass(frozen=True)
class Place:
    """A position in a text: line and column count from 1."""

    line: int
    column: int


START: Final = Place(1, 1)


@dataclass
class SourceText:
    """A file's text, and what was noticed while reading it.

    Attributes:
        file: its name as the user gave it.
        text: decoded, without a byte order mark, lines ended by line feeds only.
        warnings: things that were mended, as problems of severity "warning".
        lines: those of the text.
    """

    file: str
    text: str
    warnings: tuple[Problem, ...] = ()
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = self.text.split("\n")

    def problem(
        self, place: Place, message: str, fix: str = "", severity: str = "error"
    ) -> Problem:
        """A problem at a place, with its line quoted."""
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        excerpt, caret = quoted(line, place.column)
        return Problem(place.line, place.column, message, severity, excerpt, caret, fix)


def quoted(line: str, column: int) -> tuple[str, int]:
    """The line as it may be shown, and the offset of a caret under `column` (from 1).

    Long lines are clipped around the caret, tabs become spaces, what cannot be seen is escaped, wide
    characters count twice, and the paths of addresses are starred out (webhooks are secrets).
    """
    # only what can be shown is looked at: a line may have 64 KiB and a problem at every character
    start = max(0, column - 1 - 4 * _WIDTH)
    more = len(line) > column + 4 * _WIDTH
    line, column = line[start : column + 4 * _WIDTH], column - start
    line = _URL.sub(lambda found: found[1] + "*" * len(found[2]), line)
    cells = [_TAB if character == "\t" else printable(character) for character in line]
    at = min(column - 1, len(cells))
    first, last = at, at
    width = 0
    while width < _WIDTH and (first > 0 or last < len(cells)):
        # two thirds of the room for what stands before: that is what the reader looks for
        if first > 0 and (at - first <= 2 * (last - at) or last == len(cells)):
            first -= 1
            width += _cells(cells[first])
        else:
            width += _cells(cells[last])
            last += 1
    head = "..." if first > 0 or start > 0 else ""
    tail = "..." if last < len(cells) or more else ""
    shown = "".join(cells[first:last])
    caret = len(head) + sum(_cells(cell) for cell in cells[first:at])
    return (head + shown + tail).rstrip(), caret


def _cells(shown: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in shown
    )


def read_text(path: Path, *, what: str = "plan", limit: int = MAX_BYTES) -> SourceText:
    """The text of a file.

    Raises:
        PlanError: when it is absent, a directory, unreadable, too large or not UTF-8; one clear message.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = _UNREADABLE.get(type(error), "cannot be read: {reason}")
        raise _refused(str(path), message.format(what=what, reason=reason)) from None
    if len(data) > limit:
        raise _refused(str(path), f"larger than {limit // 1024} KiB: this is no {what}")
    return decoded(str(path), data)


def decoded(file: str, data: bytes) -> SourceText:
    """Bytes as text; `file` is their name in messages.

    Raises:
        PlanError: when they are not UTF-8.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused(file, "UTF-16 text: save the file as UTF-8")
    sound = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = sound.decode()
    except UnicodeDecodeError as error:
        before = sound[: error.start].decode().split("\n")
        message = f"byte 0x{sound[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise _refused(file, message, len(before), len(before[-1]) + 1) from None
    source = SourceText(file, text.replace("\r\n", "\n"))
    end = Place(1, len(source.lines[0]) + 1)
    mended = (
        (
            sound != data,
            START,
            "the file starts with a byte order mark",
            "save it as UTF-8 without BOM",
        ),
        ("\r\n" in text, end, "lines end in CRLF", "save it with LF line ends"),
    )
    source.warnings = tuple(
        source.problem(place, message, fix, "warning")
        for found, place, message, fix in mended
        if found
    )
    return source


def _refused(file: str, message: str, line: int = 1, column: int = 1) -> PlanError:
    return PlanError(file, (Problem(line, column, message),))
