"""The command line called in this process, and its JSON held against the shipped schemas."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import dataclass
from typing import Any

import jsonschema

from cutover.cli import run
from cutover.cli.plans import output_schemas


@dataclass(frozen=True)
class Called:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Its JSON, each object valid by the schema that it names."""
        found = [json.loads(line) for line in self.out.splitlines()]
        for one in found:
            held_against_its_schema(one)
        return found

    @property
    def object(self) -> dict[str, Any]:
        """Its only JSON object."""
        (one,) = self.objects
        return one


def schemas() -> dict[str, dict[str, Any]]:
    """By the name an output carries, its schema."""
    loaded = [json.loads(text) for text in output_schemas().values()]
    return {one["title"]: one for one in loaded}


def held_against_its_schema(one: dict[str, Any]) -> None:
    jsonschema.validate(one, schemas()[one["schema"]], jsonschema.Draft202012Validator)


def called(*arguments: object) -> Called:
    """Run `cutover ARGUMENTS` here."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code, _ = run([str(one) for one in arguments])
    return Called(code, out.getvalue(), err.getvalue())


def everything_on(terminal: int) -> str:
    """What was written to a pseudo terminal whose other side nobody has open any more; it may come in parts."""
    found = b""
    with contextlib.suppress(OSError):  # EIO: the end
        while part := os.read(terminal, 65_536):
            found += part
    return found.decode()


class _Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


def on_terminal(*arguments: object) -> str:
    """Everything `cutover ARGUMENTS` shows a person; as wide as COLUMNS says."""
    shown = _Terminal()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        run([str(one) for one in arguments])
    return shown.getvalue()
