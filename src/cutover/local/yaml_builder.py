"""YAML 1.2 core, and less: plain data with the position of every key and value.

Built from PyYAML's events in one loop, never by its constructors or its C composer (which overflows
the C stack on deep nesting). What could mean two things to two readers is refused: anchors, aliases,
tags, merge keys, directives, second documents, duplicate keys, keys without a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from cutover.core.errors import printable
from cutover.local.yaml_scalars import resolve
from cutover.local.yaml_syntax import explained
from cutover.local.yaml_text import HIDDEN, MAX_PROBLEMS, START, Place, SourceText
from cutover.local.yaml_tree import Path, Tree

MAX_DEPTH: Final = 32
MAX_NODES: Final = 10_000


class StopBuilding(Exception):  # noqa: N818 - it ends a loop, it is no error of the program
    """Reading cannot go on; the problem is already noted."""


class _Events(Reader, Scanner, Parser):
    """PyYAML's pure-Python parser without a composer and without a resolver."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


@dataclass
class _Frame:
    """A collection being read. `live` is false inside what is read over."""

    path: Path
    data: dict[str, Any] | list[Any]
    live: bool
    key: str | None = None
    key_live: bool = True
    awaits_value: bool = False


def read_tree(source: SourceText) -> Tree:
    """The tree of a text; never raises, problems are in the tree."""
    tree = Tree(source)
    tree.problems += [
        source.problem(
            place,
            f"hidden character {printable(_at(source, place))}",
            "remove it: people who review the file cannot see it",
        )
        for place in source.hidden[:MAX_PROBLEMS]
    ]
    try:
        _Builder(tree).run()
    except StopBuilding:
        tree.complete = False
    hidden = {place.line for place in source.hidden}
    tree.broken |= {
        path for path, place in [*tree.values.items(), *tree.keys.items()] if place.line in hidden
    }
    return tree


def _at(source: SourceText, place: Place) -> str:
    return source.lines[place.line - 1][place.column - 1]


class _Builder:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._stack: list[_Frame] = []
        self._nodes = 0
        self._documents = 0

    def run(self) -> None:
        """Read every event.

        Raises:
            Stop: when reading cannot go on.
        """
        for event in self._events():
            if isinstance(event, DocumentStartEvent):
                self._document(event)
            elif isinstance(event, NodeEvent):
                self._node(event)
            elif isinstance(event, CollectionEndEvent):
                self._stack.pop()
        if self._documents == 0:
            self._stop(START, "the file is empty", "it needs at least one key")

    def _events(self) -> Iterator[Event]:
        # U+FFFD keeps every position; hidden characters are already noted
        events = _Events(HIDDEN.sub("\ufffd", self._tree.source.text))
        try:
            while events.check_event():
                yield events.get_event()  # type: ignore[no-untyped-call]
        except MarkedYAMLError as error:
            mark, message, fix = explained(error)
            self._stop(Place(mark.line + 1, mark.column + 1) if mark else START, message, fix)
        except (YAMLError, ValueError, OverflowError):
            # PyYAML lets Python refuse what it does not check itself: "\\UFFFFFFFF", %YAML 1.99999...
            mark = events.get_mark()
            here = Place(mark.line + 1, mark.column + 1)
            self._stop(here, "an escape or a number that is out of range")

    def _document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        place = _place(event)
        if self._documents > 1:
            self._stop(
                place,
                "a second document starts here",
                "keep one document in a file: remove the `---`",
            )
        if event.version or event.tags:
            self._note(START, "YAML directives (%) are not allowed", "remove the line")

    def _node(self, event: NodeEvent) -> None:
        self._nodes += 1
        place = _place(event)
        if self._nodes > MAX_NODES:
            self._stop(place, f"more than {MAX_NODES:,} values", "this is no file for this tool")
        if (
            isinstance(event, MappingStartEvent | SequenceStartEvent)
            and len(self._stack) >= MAX_DEPTH
        ):
            self._stop(place, f"nested deeper than {MAX_DEPTH} levels")
        sound = self._is_plain_yaml(event, place)
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.data, dict) and not parent.awaits_value:
            self._key(parent, event, place)
            return
        path, live = self._position(parent)
        if live:
            self._tree.values[path] = place
            if not sound:
                self._tree.broken.add(path)
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            data: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
            self._stack.append(_Frame(path, data, live))
            self._put(parent, data, live=live)
        else:
            self._put(parent, self._scalar(event, path, place, live=live), live=live)

    def _is_plain_yaml(self, event: NodeEvent, place: Place) -> bool:
        if isinstance(event, AliasEvent):
            self._note(
                place,
                f"alias *{printable(event.anchor or '', 40)} is not allowed",
                "write the value out",
            )
            return False
        if event.anchor is not None:
            self._note(
                place,
                f"anchor &{printable(event.anchor or '', 40)} is not allowed",
                "write the value out where it is needed",
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._note(
                place,
                f"tag {printable(tag.replace('tag:yaml.org,2002:', '!!'), 40)} is not allowed",
                "remove it: values have the kind that they look like",
            )
            return False
        return True

    def _position(self, parent: _Frame | None) -> tuple[Path, bool]:
        if parent is None:
            return (), True
        if isinstance(parent.data, list):
            return (*parent.path, len(parent.data)), parent.live
        return (*parent.path, parent.key or ""), parent.live and parent.key_live

    def _put(self, parent: _Frame | None, value: Any, *, live: bool) -> None:
        if parent is None:
            self._tree.data = value
        elif isinstance(parent.data, list):
            parent.data.append(value)
        else:
            if live and parent.key is not None:
                parent.data[parent.key] = value
            parent.awaits_value = False

    def _key(self, parent: _Frame, event: NodeEvent, place: Place) -> None:
        parent.awaits_value = True
        parent.key, parent.key_live = None, False
        if not isinstance(event, ScalarEvent):
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._note(
                    place,
                    "a key is a word, not a list or mapping",
                    "if this was to be text, put it in quotes",
                )
                self._stack.append(
                    _Frame(
                        parent.path,
                        [] if isinstance(event, SequenceStartEvent) else {},
                        live=False,
                    )
                )
            return
        plain = event.implicit[0]
        if plain and event.value == "<<":
            self._note(place, "merge key << is not allowed", "write the keys out")
            return
        if plain and not isinstance(resolve(event.value), str):
            self._note(
                place,
                f"a key is a word, not {printable(event.value, 40) or 'nothing'}",
                "put it in quotes if this is really its name",
            )
            return
        name = HIDDEN.sub("\ufffd", event.value)
        path = (*parent.path, name)
        if isinstance(parent.data, dict) and name in parent.data and parent.live:
            first = self._tree.keys[path]
            self._note(
                place,
                f"key `{printable(name, 40)}` is here twice; first in line {first.line}",
                "remove one of them",
            )
            return
        parent.key, parent.key_live = name, True
        if parent.live:
            self._tree.keys[path] = place
            self._hidden_in(event.value, path, place)

    def _scalar(self, event: NodeEvent, path: Path, place: Place, *, live: bool) -> Any:
        if not isinstance(event, ScalarEvent):  # an alias
            return None
        value = resolve(event.value) if event.implicit[0] else event.value
        if isinstance(value, str):
            if live:
                self._text(event, path, place)
            value = HIDDEN.sub("\ufffd", value)
        elif value is None and live:
            self._tree.broken.add(path)
            self._nothing(event, path, place)
        return value

    def _nothing(self, event: ScalarEvent, path: Path, place: Place) -> None:
        if not path:
            self._note(START, "the file is empty", "it needs at least one key")
        elif event.value:
            self._note(
                place, f"{event.value} is not a value here", "remove the line to get the default"
            )
        elif isinstance(path[-1], int):
            self._note(place, "this entry of the list is empty", "remove it or write it")
        else:
            self._note(
                self._tree.keys[path],
                f"`{printable(path[-1], 40)}` has no value",
                "give it one, or remove the line to get the default",
            )

    def _text(self, event: ScalarEvent, path: Path, place: Place) -> None:
        self._hidden_in(event.value, path, place)
        if event.style in ("'", '"') and _spans_lines(event):
            # a forgotten quote ends at the next one, lines below: the parser would blame that place
            self._tree.broken.add(path)
            self._note(
                place,
                "this quoted text goes over several lines",
                "close the quote on its line; for long text use `|`",
            )

    def _hidden_in(self, value: str, path: Path, place: Place) -> None:
        found = HIDDEN.search(value)
        if found is not None:
            self._tree.broken.add(path)
            self._note(
                place,
                f"this text holds the hidden character {printable(found[0])}",
                "remove the escape",
            )

    def _note(self, place: Place, message: str, fix: str = "") -> None:
        self._tree.problems.append(self._tree.source.problem(place, message, fix))
        if len(self._tree.problems) > MAX_PROBLEMS:
            raise StopBuilding

    def _stop(self, place: Place, message: str, fix: str = "") -> None:
        self._note(place, message, fix)
        raise StopBuilding


def _place(event: Event) -> Place:
    mark = event.start_mark
    return START if mark is None else Place(mark.line + 1, mark.column + 1)


def _spans_lines(event: Event) -> bool:
    start, end = event.start_mark, event.end_mark
    return start is not None and end is not None and end.line > start.line
