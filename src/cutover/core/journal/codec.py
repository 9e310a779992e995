"""An event as the journal's data, and back: the version of the format, and how older records are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from cutover.core.journal.events import TYPES, Event

FIRST = 3
"""The first format that was released; a journal of an earlier one belongs to a test of an unreleased version."""

UPCASTS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From version N to N+1: pure functions on the decoded record, applied after the hash check."""


def body(event: Event) -> dict[str, Any]:
    """The event as JSON-ready data, without its type."""
    return {f.name: _plain(getattr(event, f.name)) for f in dataclasses.fields(event)}


def parse(type_name: str, data: Mapping[str, Any]) -> Event:
    """The event of a record's type and body.

    Raises:
        ValueError: for an unknown type, an unknown or missing field, or a value of the wrong kind.
    """
    cls = TYPES.get(type_name)
    if cls is None:
        raise ValueError(f"unknown record type {type_name!r}")
    known = _FIELDS[type_name]
    if not data.keys() <= known.keys():
        raise ValueError(f"{type_name}: unknown field {min(data.keys() - known.keys())!r}")
    values: dict[str, Any] = {}
    for name, (annotation, wanted, optional) in known.items():
        if name not in data:
            if not optional:
                raise ValueError(f"{type_name}: field {name!r} is missing")
            continue
        value = data[name]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"{type_name}: field {name!r} is not {annotation}")
        values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


_KINDS: tuple[tuple[str, type], ...] = (
    ("Mapping", dict),
    ("tuple", list),
    ("int", int),
    ("str", str),
)


def _fields(cls: type[Event]) -> dict[str, tuple[str, type, bool]]:
    """By field name: its annotation, the JSON type it needs, and whether it may be missing."""
    found = {}
    for field_ in dataclasses.fields(cls):
        annotation = str(field_.type)
        wanted = next(kind for prefix, kind in _KINDS if annotation.startswith(prefix))
        has_default = (
            field_.default is not dataclasses.MISSING
            or field_.default_factory is not dataclasses.MISSING
        )
        found[field_.name] = (annotation, wanted, has_default)
    return found


_FIELDS = {name: _fields(cls) for name, cls in TYPES.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, bool | int) or type(value) is str:
        return value
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be journalled")
