"""Plain data with the position of every key and value, and what is wrong with it as YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cutover.core.errors import Problem
from cutover.local.yaml_text import START, Place, SourceText

Path = tuple[str | int, ...]


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
    complete: bool = True

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
