"""PyYAML's syntax errors in the words of somebody who edits a plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cutover.core.errors import printable

if TYPE_CHECKING:
    from yaml.error import Mark, MarkedYAMLError

_KNOWN: Final[tuple[tuple[str, str, str], ...]] = (
    (r"found character '\\t'", "a tab cannot indent YAML", "use spaces"),
    (r"found a tab character", "a tab cannot indent YAML", "use spaces"),
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
    (r"found undefined alias", "aliases are not allowed", "write the value out"),
    (r"unknown tag handle|undefined tag handle", "tags are not allowed", "remove the `!`"),
    (
        r"expected the document start|'<document start>'",
        "text after the end of the document",
        "keep one document in a file",
    ),
)
_START = re.compile(r"found character '(.)' that cannot start any token")


def explained(error: MarkedYAMLError) -> tuple[Mark | None, str, str]:
    """Where it is, what is wrong, and what to write instead."""
    problem = error.problem or error.context or "not YAML"
    mark = error.problem_mark or error.context_mark
    if "end of stream" in problem and error.context and "quoted scalar" in error.context:
        return (
            error.context_mark or mark,
            "this quote is never closed",
            "close it on the same line",
        )
    if found := _START.search(problem):
        if found[1] == "\\":
            return mark, "a tab cannot indent YAML", "use spaces"
        return (
            mark,
            f"text that starts with {printable(found[1])} needs quotes",
            "put it in quotes",
        )
    for pattern, message, fix in _KNOWN:
        if re.search(pattern, problem):
            opened = error.context_mark
            return (
                mark,
                message.format(opened=f"line {opened.line + 1}" if opened else "above"),
                fix,
            )
    return mark, f"not YAML: {printable(problem)}", ""
