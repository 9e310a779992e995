"""Text on a terminal: its width in columns, wrapping, small tables, and colour. No line can move a cursor."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from cutover.core.errors import escaped, printable

LONG = 4_000
"""Characters of a line that a view ever prints."""


class Stream(Protocol):
    """The part of a text stream that views use."""

    def write(self, text: str, /) -> object:
        """Write."""

    def flush(self) -> object:
        """Flush."""


def columns(text: str) -> int:
    """How many columns a terminal gives the text: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(text: str, width: int, *, first: str = "", rest: str | None = None) -> list[str]:
    """The text in lines of at most `width` columns, after `first` and then `rest`; escaped.

    Words stay whole where they can; a longer one (an ARN) breaks behind one of its own marks.
    """
    indent = " " * columns(first) if rest is None else rest
    lines: list[str] = []
    line, used = first, columns(first)
    fresh = True
    for word in printable(text, LONG).split(" "):
        for piece in _pieces(word, width - columns(indent)):
            gap = "" if fresh else " "
            if not fresh and used + len(gap) + columns(piece) > width:
                lines.append(line.rstrip())
                line, used, gap = indent, columns(indent), ""
            line, used, fresh = line + gap + piece, used + len(gap) + columns(piece), False
    lines.append(line.rstrip())
    return lines


_MARKS = re.compile(r"(?<=[/:,>_=.-])")


def _pieces(word: str, room: int) -> Iterator[str]:
    """The word, or parts of it that fit into `room` columns."""
    room = max(room, 8)
    if columns(word) <= room:
        yield word
        return
    part = ""
    for mark in _MARKS.split(word):
        for character in mark if columns(mark) > room else [mark]:
            if part and columns(part) + columns(character) > room:
                yield part
                part = ""
            part += character
    if part:
        yield part


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text filled with spaces to `width` columns."""
    fill = " " * max(0, width - columns(text))
    return fill + text if right else text + fill


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    right: frozenset[int] = frozenset(),
) -> list[str]:
    """Columns side by side when they fit into `width`; else one small block of `head: value` per row."""
    cells = [[printable(cell, LONG) for cell in row] for row in rows]
    sizes = [max(columns(row[i]) for row in [list(heads), *cells]) for i in range(len(heads))]
    if sum(sizes) + 2 * (len(heads) - 1) <= width:
        return [
            "  ".join(
                pad(cell, size, right=i in right)
                for i, (cell, size) in enumerate(zip(row, sizes, strict=True))
            ).rstrip()
            for row in [list(heads), *cells]
        ]
    label = max(columns(head) for head in heads)
    lines: list[str] = []
    for row in cells:
        lines += wrap(row[0], width)
        for head, cell in zip(heads[1:], row[1:], strict=True):
            lines += wrap(cell, width, first=f"  {pad(head.lower(), label)} ")
    return lines


_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


_PAINTED = re.compile(
    rf"\x1b\[(?:0|{'|'.join(_SGR.values())})(?:;(?:{'|'.join(_SGR.values())}))*m"
)
_PASSES = re.compile(rf"(\n|{_PAINTED.pattern})")


def paint(text: str, style: str) -> str:
    """The text, escaped, between the terminal's codes of `style` (`bold red`); without codes where there is no style."""
    codes = ";".join(_SGR[name] for name in style.split())
    text = escaped(text)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


def wants_colour(stream: object, environment: Mapping[str, str]) -> bool:
    """Colour is for terminals, and NO_COLOR (no-color.org) and TERM=dumb are heard."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: object) -> bool:
    """The stream is a terminal; one that cannot say is not."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError, OSError):
        return False


def json_line(data: Mapping[str, object]) -> str:
    """The object as one line of printable ASCII: JSON itself lets DEL stand as it is."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f") + "\n"


def put(stream: Stream, text: str) -> bool:
    """Write and flush; False when nobody reads any more.

    Of what acts on a terminal only line ends and the codes of `paint` get through; what the stream cannot carry is escaped too.
    """
    text = "".join(
        part if part == "\n" or _PAINTED.fullmatch(part) else escaped(part)
        for part in _PASSES.split(text)
    )
    try:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):  # a broken pipe; a closed file says ValueError
        return False
    return True
