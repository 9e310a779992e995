"""A promise is a fold over facts: it can be asked of a whole run, and carried along from step to step of a search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.promises.facts import Fact, Recorded, Setting

Step = Callable[[Setting, Any, Any], tuple[Any, str]]
"""(setting, memory, fact) -> (memory after it, what it breaks in one sentence; empty for nothing)."""


class At(int):
    """A time in a promise's memory, ms since the epoch: a search forgets when it was, and keeps how long ago.

    A plain number that stands for "none" is no `At`.
    """


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
        records: the types of records that it looks at, each with its step; for all of them it hears `Recorded`.
        horizon: the age, ms, beyond which every `At` in its memory is the same to it: a search cuts ages there.
        next_turn: what of its memory outlives the turn in which it was learnt, where all it rests on is looked at again
            in the next one: a search asks after every turn. It may make the promise stricter, never weaker.
        searched: False for a promise whose memory never stops growing (it counts records): it is asked of whole
            runs, and a search leaves it out.
    """

    id: str
    text: str
    ends: str
    start: Any
    hears: Mapping[type[Fact], Step] = field(default_factory=dict)
    records: Mapping[str, Step] = field(default_factory=dict)
    horizon: Callable[[Setting], int] = lambda _setting: 0
    next_turn: Callable[[Any], Any] | None = None
    searched: bool = True


class Hearing:
    """Who of several promises hears what: made once, however often they are carried along."""

    def __init__(self, promises: Sequence[Promise]) -> None:
        self.kinds: dict[type[Fact], tuple[tuple[int, Step], ...]] = {}
        self.types: dict[str, tuple[tuple[int, Step], ...]] = {}
        for number, promise in enumerate(promises):
            for kind, step in promise.hears.items():
                self.kinds[kind] = (*self.kinds.get(kind, ()), (number, step))
            for name, step in promise.records.items():
                self.types[name] = (*self.types.get(name, ()), (number, step))

    def of(self, fact: Fact) -> tuple[tuple[int, Step], ...]:
        """The promises that hear this fact, by their number, each with its step."""
        heard = self.kinds.get(type(fact), ())
        if isinstance(fact, Recorded):
            return heard + self.types.get(fact.type, ())
        return heard


@dataclass(frozen=True)
class Watch:
    """Several promises on their way through one run."""

    promises: tuple[Promise, ...]
    memories: tuple[Any, ...]
    hearing: Hearing | None = field(default=None, compare=False, repr=False)

    @classmethod
    def over(cls, promises: Sequence[Promise]) -> Watch:
        """Before any fact."""
        return cls(tuple(promises), tuple(one.start for one in promises), Hearing(promises))

    def after(self, setting: Setting, facts: Iterable[Fact]) -> tuple[Watch, list[str]]:
        """The watch after these facts, and a sentence for each promise that one of them breaks."""
        hearing = self.hearing or Hearing(self.promises)
        memories, broken = list(self.memories), []
        for fact in facts:
            for number, step in hearing.of(fact):
                memories[number], why = step(setting, memories[number], fact)
                if why:
                    broken.append(f"{self.promises[number].id}: {why}")
        return Watch(self.promises, tuple(memories), hearing), broken

    def next_turn(self) -> Watch:
        """After a turn of the loop is over."""
        memories = tuple(
            memory if one.next_turn is None else one.next_turn(memory)
            for one, memory in zip(self.promises, self.memories, strict=True)
        )
        return Watch(self.promises, memories, self.hearing)


def broken(promises: Sequence[Promise], setting: Setting, facts: Iterable[Fact]) -> list[str]:
    """One sentence for everything that a run broke."""
    return Watch.over(promises).after(setting, facts)[1]
