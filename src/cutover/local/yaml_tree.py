"""A YAML text as plain data, with the position of every key and value, and what is wrong with it as YAML.

Plain scalars are those of the YAML 1.2 core schema, with less magic than even that.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cutover.core.errors import Problem, printable
from cutover.local.text_file import HIDDEN, MAX_PROBLEMS, START, Place, SourceText
from cutover.local.yaml_nodes import EMPTY, REFUSED, compose, place_of

Path = tuple[str | int, ...]

_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]", re.ASCII)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?", re.ASCII)


class TooManyProblemsError(Exception):
    """Nobody reads more of them."""


@dataclass
class Tree:
    """What a YAML text says and where it says it.

    Attributes:
        source: the text.
        data: plain data: mappings with text keys, lists, text, whole numbers, floats, booleans.
        values: where each value starts, by path.
        keys: where each key starts, by the path of its value.
        problems: what is wrong with it as YAML.
        broken: paths whose data is not what the text says; what is found wrong there is a consequence.
        complete: the whole text was read.
    """

    source: SourceText
    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    complete: bool = False

    def note(self, place: Place, message: str, fix: str) -> None:
        """Keep a problem.

        Raises:
            TooManyProblemsError: when reading on is of no use.
        """
        self.problems.append(self.source.problem(place, message, fix))
        if len(self.problems) > MAX_PROBLEMS:
            raise TooManyProblemsError

    def place(self, path: Path) -> Place:
        """Where the path is, or its nearest parent; a last part `#key` asks for the key.

        Parts that are not in the file (pydantic's union tags) are skipped.
        """
        key = bool(path) and path[-1] == "#key"
        here = self.known(path[:-1] if key else path)
        if key and here in self.keys:
            return self.keys[here]
        return self.values.get(here, START)

    def known(self, path: Path) -> Path:
        """The path without the parts that are not in the file."""
        here: Path = ()
        for part in path:
            if (*here, part) in self.values:
                here = (*here, part)
        return here

    def get(self, path: Path) -> Any:
        """The data at a path of `values`."""
        value = self.data
        for part in path:
            value = value[part]
        return value


def read_tree(source: SourceText) -> Tree:
    """The tree of a text; never raises, problems are in the tree."""
    tree = Tree(source)
    hidden = [
        (number, found.start() + 1, found[0])
        for number, line in enumerate(source.lines, 1)
        for found in HIDDEN.finditer(line)
    ]
    with suppress(TooManyProblemsError):
        for line, column, character in hidden:
            tree.note(
                Place(line, column),
                f"hidden character {printable(character)}",
                "remove it: people who review the file cannot see it",
            )
        # U+FFFD keeps every position
        root = compose(HIDDEN.sub("\ufffd", source.text), tree.note)
        if root is not None:
            tree.data = _value(tree, root, ())
            tree.complete = True
    lines = {line for line, _, _ in hidden}
    places = [*tree.values.items(), *tree.keys.items()]
    tree.broken |= {path for path, place in places if place.line in lines}
    return tree


def _value(tree: Tree, node: Node, path: Path) -> Any:
    tree.values[path] = place_of(node)
    if node.tag == REFUSED:
        tree.broken.add(path)
    if isinstance(node, MappingNode):
        return _mapping(tree, node, path)
    if isinstance(node, SequenceNode):
        return [_value(tree, entry, (*path, at)) for at, entry in enumerate(node.value)]
    value = _scalar(node)
    if isinstance(value, str):
        return _seen(tree, value, node, path)
    if value is None and node.tag != REFUSED:
        tree.broken.add(path)
        tree.note(*_nothing(tree, node, path))
    return value


def _mapping(tree: Tree, node: MappingNode, path: Path) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in node.value:
        name = _name(tree, key, path, data)
        if name is not None:
            data[name] = _value(tree, value, (*path, name))
    return data


def _name(tree: Tree, key: Node, path: Path, data: dict[str, Any]) -> str | None:
    """The key as text; None when its value cannot be read, which is noted."""
    place = place_of(key)
    name = _scalar(key)
    if not isinstance(key, ScalarNode):
        tree.note(
            place,
            "a key is a word, not a list or mapping",
            "if this was to be text, put it in quotes",
        )
    elif key.value is None:
        pass  # an alias, refused already
    elif name == "<<" and key.style is None:
        tree.note(place, "merge key << is not allowed", "write the keys out")
    elif not isinstance(name, str):
        tree.note(
            place,
            f"a key is a word, not {printable(key.value, 40) or 'nothing'}",
            "put it in quotes if this is really its name",
        )
    elif (seen := HIDDEN.sub("\ufffd", name)) in data:
        tree.note(
            place,
            f"key `{printable(seen, 40)}` is here twice; first in line {tree.keys[*path, seen].line}",
            "remove one of them",
        )
    else:
        tree.keys[*path, seen] = place
        return _seen(tree, name, key, (*path, seen))
    return None


def _seen(tree: Tree, text: str, node: Node, path: Path) -> str:
    """The text with U+FFFD for what nobody can see, which is noted: only an escape brings it here."""
    hidden = HIDDEN.search(text)
    if hidden is not None:
        tree.broken.add(path)
        tree.note(
            place_of(node),
            f"this text holds the hidden character {printable(hidden[0])}",
            "remove the escape",
        )
    return HIDDEN.sub("\ufffd", text)


def _nothing(tree: Tree, node: Node, path: Path) -> tuple[Place, str, str]:
    default = "remove the line to get the default"
    if not path:
        return EMPTY
    if node.value:
        return place_of(node), f"{node.value} is not a value here", default
    if isinstance(path[-1], int):
        return place_of(node), "this entry of the list is empty", "remove it or write it"
    name = printable(path[-1], 40)
    return tree.keys[path], f"`{name}` has no value", f"give it one, or {default}"


def _scalar(node: Node) -> Any:
    """The value of a scalar; what is quoted, long text or refused is the text itself."""
    plain = isinstance(node, ScalarNode) and node.style is None and node.tag != REFUSED
    return resolve(node.value) if plain else node.value


def resolve(plain: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar.

    `on`, `yes`, `12:30`, `2026-11-20` and `1_000` are text in YAML 1.2. Beyond it, digits with a leading zero stay
    text (account numbers), and so do numbers that no float or human holds.
    """
    if plain in _WORDS:
        return _WORDS[plain]
    if len(plain) > 40 or _LEADING_ZERO.match(plain):
        return plain
    if _INTEGER.fullmatch(plain):
        return int(plain, 0)
    if _FLOAT.fullmatch(plain) and any(mark in plain for mark in ".eE"):
        number = float(plain)
        return number if math.isfinite(number) else plain
    return plain
