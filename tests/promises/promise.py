"""A promise is a fold over facts: it can be asked of a whole run, and carried along from step to step of a search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.promises.facts import Fact, Setting

Step = Callable[[Setting, Any, Any], tuple[Any, str]]
"""(setting, memory, fact) -> (memory after it, what it breaks in one sentence; empty for nothing)."""


class At(int):
    """A time in a promise's memory, ms since the epoch: a search forgets when it was, and keeps how long ago."""


@dataclass(frozen=True)
class Promise:
    """One promise.

    Attributes:
        id: of `docs/promises.md`.
        text: what is promised, in one or two plain sentences.
        ends: where it ends: what it does not cover.
        start: the memory before any fact: small, hashable (numbers, texts, tuples, frozen sets), with every time in it
            an `At`, for a search keeps it beside every state.
        hears: the kinds of facts that it looks at, each with its step.
    """

    id: str
    text: str
    ends: str
    start: Any
    hears: dict[type[Fact], Step]


@dataclass(frozen=True)
class Watch:
    """Several promises on their way through one run."""

    promises: tuple[Promise, ...]
    memories: tuple[Any, ...]

    @classmethod
    def over(cls, promises: Sequence[Promise]) -> Watch:
        """Before any fact."""
        return cls(tuple(promises), tuple(one.start for one in promises))

    def after(self, setting: Setting, facts: Iterable[Fact]) -> tuple[Watch, list[str]]:
        """The watch after these facts, and a sentence for each promise that one of them breaks."""
        memories, broken = list(self.memories), []
        for fact in facts:
            for number, promise in enumerate(self.promises):
                step = promise.hears.get(type(fact))
                if step is None:
                    continue
                memories[number], why = step(setting, memories[number], fact)
                if why:
                    broken.append(f"{promise.id}: {why}")
        return Watch(self.promises, tuple(memories)), broken


def broken(promises: Sequence[Promise], setting: Setting, facts: Iterable[Fact]) -> list[str]:
    """One sentence for everything that a run broke."""
    return Watch.over(promises).after(setting, facts)[1]
