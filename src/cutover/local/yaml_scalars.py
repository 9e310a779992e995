"""What a plain scalar means: the YAML 1.2 core schema, with less magic than even that.

`on`, `yes`, `12:30`, `2026-11-20` and `1_000` are text in YAML 1.2. Beyond it, digits with a leading
zero stay text (account numbers), and so do numbers that no float or human holds.
"""

from __future__ import annotations

import math
import re
from typing import Final

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]", re.ASCII)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]{1,18}", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]{1,15}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?", re.ASCII)


def resolve(plain: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar."""
    if plain in _NULL:
        return None
    if plain in _TRUE or plain in _FALSE:
        return plain in _TRUE
    if len(plain) > 40 or _LEADING_ZERO.match(plain):
        return plain
    if _INTEGER.fullmatch(plain):
        return int(plain)
    for pattern, base in ((_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(plain):
            return int(plain[2:], base)
    if _FLOAT.fullmatch(plain) and any(mark in plain for mark in ".eE"):
        number = float(plain)
        return number if math.isfinite(number) else plain
    return plain
