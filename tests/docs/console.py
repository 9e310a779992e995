"""The commands of a page, and whether what they said is what the page says.

A page's ```console blocks hold commands after `$ ` and below each what it answers. `...` stands for
anything, in a line or as a line; a comment `# exit 3` says how it ends when that is not 0.
`<!-- situation: NAME -->` says in which world the blocks that follow are run, and
`<!-- meanwhile: NAME -->` what happens in it before the next block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_EXIT = re.compile(r"\s+# exit (\d+)$")
_MARK = re.compile(r"<!-- (situation|meanwhile): ([a-z-]+) -->")


@dataclass
class Command:
    """One command of a page, where it stands, and what the page says it answers."""

    line: int
    text: str
    exit_code: int = 0
    expected: list[str] = field(default_factory=list)

    def differs(self, code: int, said: str) -> str:
        """How it went otherwise than the page says; empty when it did not."""
        if code != self.exit_code:
            return (
                f"line {self.line}: `{self.text}` ended with {code}, not {self.exit_code}:\n{said}"
            )
        lines = iter(" ".join(line.split()) for line in said.splitlines())
        for wanted in self.expected:
            pattern = re.compile(
                ".*".join(re.escape(" ".join(part.split())) for part in wanted.split("...")),
            )
            if not any(pattern.search(line) for line in lines):
                return f"line {self.line}: `{self.text}` did not say {wanted!r} (there):\n{said}"
        return ""


@dataclass(frozen=True)
class Mark:
    """A change of the world between blocks."""

    line: int
    kind: str
    name: str


def steps(page: Path) -> Iterator[Command | Mark]:
    """The marks and commands of a page, in its order."""
    block: list[tuple[int, str]] | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        mark = _MARK.fullmatch(line.strip())
        if mark is not None:
            yield Mark(number, mark[1], mark[2])
        elif line.startswith("```console"):
            block = []
        elif line.startswith("```") and block is not None:
            yield from _commands(block)
            block = None
        elif block is not None:
            block.append((number, line))


def _commands(block: list[tuple[int, str]]) -> Iterator[Command]:
    command: Command | None = None
    for number, line in block:
        if line.startswith("$ "):
            if command is not None:
                yield command
            ends = _EXIT.search(line)
            text = _EXIT.sub("", line[2:])
            command = Command(number, text, int(ends[1]) if ends else 0)
        elif command is not None and line.strip() not in ("", "..."):
            command.expected.append(line.strip())
    if command is not None:
        yield command
