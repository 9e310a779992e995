"""A planted bug: one small edit of the source, named by symbol so that a rename costs one line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CLASSIC = "classic"


@dataclass(frozen=True)
class Edit:
    """`old` becomes `new` inside one symbol's own source.

    Attributes:
        symbol: module and qualified name of a function, class or constant: `cutover.runner:Runner._forward`.
        old: stands exactly once in the symbol's source.
        new: what stands there instead.
    """

    symbol: str
    old: str
    new: str


@dataclass(frozen=True)
class Planted:
    """One bug.

    Attributes:
        id: short, for `--only`.
        breaks: what is wrong with it, in one sentence.
        edits: all of them together are the bug.
        origin: `classic`, or the entry of the examination (issue 7) whose repair is taken back.
        near: the tests that the suites begin with: the ordinary tests of what is edited.
        by: who hunts it, in this order, until one finds it; empty: see `hunters`.
        uncalm: why a run without any trouble does not complete with it; empty: it does, and that is checked.
        lacks: which move or observation explorer and swarm would need to find it; empty when one of them finds it.
    """

    id: str
    breaks: str
    edits: tuple[Edit, ...]
    origin: str = CLASSIC
    near: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    uncalm: str = ""
    lacks: str = ""

    @property
    def hunters(self) -> tuple[str, ...]:
        """Who hunts it: walks never reach the edges to AWS and disk, and gates stand behind an oracle there."""
        if self.by or self.lacks:
            return self.by or ("suite",)
        if all(_WALKED.match(edit.symbol) for edit in self.edits):
            return ("walk", "suite", "swarm")
        return ("swarm", "suite")


_WALKED = re.compile(r"cutover\.(runner:|core\.(engine|state)\b)")
"""What walks run as it ships."""


class DoesNotApplyError(Exception):
    """The source has changed: a planted edit names what is not there."""


def file_of(edit: Edit) -> Path:
    """The edited file, below the root of the tree."""
    module = edit.symbol.partition(":")[0]
    return Path("src", *module.split("."))


def path_in(root: Path, edit: Edit) -> Path:
    """The edited file in this tree; a package is its `__init__.py`.

    Raises:
        DoesNotApplyError: when there is no such module.
    """
    stem = root / file_of(edit)
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    raise DoesNotApplyError(f"{edit.symbol}: no such module")


def edited(source: str, edit: Edit) -> str:
    """The module's source with the edit, which compiles.

    Raises:
        DoesNotApplyError: naming what does not fit.
    """
    name = edit.symbol.partition(":")[2]
    node = _symbol(ast.parse(source), name.split("."))
    if node is None:
        raise DoesNotApplyError(f"{edit.symbol}: no such symbol")
    lines = source.splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno or node.lineno
    own = "".join(lines[first:last])
    if (times := own.count(edit.old)) != 1:
        raise DoesNotApplyError(
            f"{edit.symbol}: {edit.old!r} stands {times} times in it, not once"
        )
    changed = "".join(lines[:first]) + own.replace(edit.old, edit.new) + "".join(lines[last:])
    try:
        compile(changed, edit.symbol, "exec")
    except SyntaxError as error:
        raise DoesNotApplyError(f"{edit.symbol}: the edit does not compile: {error}") from None
    return changed


def plant(root: Path, bug: Planted) -> None:
    """Edit the tree at `root`, whose files may be hard links: they are replaced, never written.

    Raises:
        DoesNotApplyError: when an edit does not fit; the tree may then hold some of the others.
    """
    for edit in bug.edits:
        path = path_in(root, edit)
        changed = edited(path.read_text(encoding="utf-8"), edit)
        path.unlink()
        path.write_text(changed, encoding="utf-8")


def _symbol(tree: ast.Module, names: Sequence[str]) -> ast.stmt | None:
    body: Sequence[ast.stmt] = tree.body
    found: ast.stmt | None = None
    for name in names:
        found = next((one for one in body if name in _names(one)), None)
        body = getattr(found, "body", ())
    return found


def _names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    targets: Sequence[ast.expr] = ()
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = (statement.target,)
    yield from (one.id for one in targets if isinstance(one, ast.Name))


NO_BUG = Planted(
    "no-bug",
    "nothing: whoever finds something here is no proof of anything",
    (),
    by=("walk", "swarm", "suite"),
)
"""Hunted before all others."""
