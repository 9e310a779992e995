"""The nodes of a YAML text, composed by PyYAML with limits; what can mean two things to two readers is refused.

Refused are anchors, aliases, tags, directives and second documents; a syntax error is told in the words of somebody
who edits a plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from yaml import BaseLoader
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import AliasEvent, CollectionStartEvent, NodeEvent
from yaml.nodes import Node, ScalarNode

from cutover.core.errors import printable
from cutover.local.text_file import START, Place

MAX_DEPTH: Final = 32
MAX_NODES: Final = 10_000
REFUSED: Final = "refused"
"""The tag of a node whose data is not what the text says."""

EMPTY: Final = (START, "the file is empty", "it needs at least one key")

Note = Callable[[Place, str, str], None]
"""Takes a problem: its place, what is wrong, and what to write instead."""

_SYNTAX: Final[tuple[tuple[str, str, str], ...]] = (
    (r"found character '\\t'", "a tab cannot indent YAML", "use spaces"),
    (
        r"found character '(.)' that cannot start any token",
        "text that starts with {0} needs quotes",
        "put it in quotes",
    ),
    (
        r"mapping values are not allowed here",
        "a second `: ` in one line, or a wrong indentation",
        "put text with a colon in quotes, or indent the line like its neighbours",
    ),
    (
        r"could not find expected ':'",
        "this line is no `key: value`",
        "write a colon and a space after the key",
    ),
    (
        r"expected <block end>, but found '?<block sequence start>",
        "a list entry is indented unlike its neighbours",
        "line up the `- ` of one list",
    ),
    (
        r"expected <block end>",
        "this line is indented unlike its neighbours",
        "line up the keys of one mapping",
    ),
    (
        r"expected ',' or '[\]}]'",
        "the `[` or `{{` of {opened} is not closed, or a comma is missing here",
        "close it, or write a comma between the entries",
    ),
    (
        r"did not find expected node content",
        "a value is missing here",
        "write it, or remove the comma or bracket",
    ),
    (
        r"found unknown escape character",
        "unknown escape in double quotes",
        "write \\\\ for a backslash, or use single quotes",
    ),
    (r"undefined tag handle", "tags are not allowed", "remove the `!`"),
    (
        r"found another document",
        "a second document starts here",
        "keep one document in a file: remove the `---`",
    ),
    (
        r"expected '<document start>'",
        "text after the end of the document",
        "keep one document in a file",
    ),
)


def compose(text: str, note: Note) -> Node | None:
    """The root node; None when the text cannot be read to its end, which is noted then."""
    composer = _Composer(text, note)
    try:
        root: Node | None = composer.get_single_node()
    except MarkedYAMLError as error:
        note(*_explained(error))
    except (YAMLError, ValueError, OverflowError):
        # PyYAML lets Python refuse what it does not check itself: "\\UFFFFFFFF", %YAML 1.99999...
        note(_place(composer.get_mark()), "an escape or a number that is out of range", "")
    else:
        if root is not None:
            return root
        note(*EMPTY)
    return None


def place_of(node: Node | NodeEvent) -> Place:
    """Where it starts."""
    return _place(node.start_mark)


class _LimitError(MarkedYAMLError):
    """The text is larger than any file for this tool."""


class _Composer(BaseLoader):
    """PyYAML's composer in Python (the one in C overflows the C stack on deep nesting); no scalar is resolved."""

    def __init__(self, text: str, note: Note) -> None:
        super().__init__(text)
        self._note = note
        self._depth = 0
        self._nodes = 0

    def compose_document(self) -> Node | None:
        start = self.peek_event()  # type: ignore[no-untyped-call]
        if start.version or start.tags:
            self._note(START, "YAML directives (%) are not allowed", "remove the line")
        return super().compose_document()

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Any = event.start_mark
        self._nodes += 1
        if self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES:,} values"
            raise _LimitError(None, None, message, mark, "this is no file for this tool")
        if isinstance(event, CollectionStartEvent) and self._depth >= MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise _LimitError(None, None, message, mark)
        sound = self._is_sound(event)
        if isinstance(event, AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            return ScalarNode(REFUSED, None, mark, mark)
        event.anchor = None  # refused already, and the composer need not look for it
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not sound and node is not None:
            node.tag = REFUSED
        return node

    def _is_sound(self, event: Any) -> bool:
        """Whether the data of the node is what the text says; notes what is refused."""
        place = place_of(event)
        shown = f"{printable(event.anchor, 40)} is not allowed" if event.anchor else ""
        if isinstance(event, AliasEvent):
            self._note(place, f"alias *{shown}", "write the value out")
            return False
        if event.anchor is not None:
            self._note(place, f"anchor &{shown}", "write the value out where it is needed")
        if event.tag is not None:
            tag = printable(event.tag.replace("tag:yaml.org,2002:", "!!"), 40)
            self._note(
                place,
                f"tag {tag} is not allowed",
                "remove it: values have the kind that they look like",
            )
            return False
        if getattr(event, "style", None) in ("'", '"') and event.end_mark.line > place.line - 1:
            # a forgotten quote ends at the next one, lines below: the parser would blame that place
            self._note(
                place,
                "this quoted text goes over several lines",
                "close the quote on its line; for long text use `|`",
            )
            return False
        return True


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else START


def _explained(error: MarkedYAMLError) -> tuple[Place, str, str]:
    """Where it is, what is wrong, and what to write instead."""
    problem = error.problem or error.context or "no more is known"
    place = _place(error.problem_mark or error.context_mark)
    if isinstance(error, _LimitError):
        return place, problem, error.note or ""
    if "end of stream" in problem and "quoted scalar" in (error.context or ""):
        return (
            _place(error.context_mark),
            "this quote is never closed",
            "close it on the same line",
        )
    opened = f"line {error.context_mark.line + 1}" if error.context_mark else "above"
    for pattern, message, fix in _SYNTAX:
        if found := re.search(pattern, problem):
            return place, message.format(*map(printable, found.groups()), opened=opened), fix
    return place, f"not YAML: {printable(problem)}", ""
