"""Memories by route, and the configs that a run may call its own: what several promises are folded from."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NamedTuple, TypeVar

from tests.promises.facts import Changed, Read, Recorded, Setting, Took

T = TypeVar("T")


@lru_cache(maxsize=4096)
def digest(config: str) -> str:
    """How a journal names a config: the SHA-256 of its text, in hex."""
    return hashlib.sha256(config.encode()).hexdigest()


def put(memory: tuple[T, ...], number: int, value: T) -> tuple[T, ...]:
    """The memory with another value for one route."""
    return (*memory[:number], value, *memory[number + 1 :])


def name(route: str) -> str:
    """A route's ARN as its last readable part."""
    return route.rpartition(":")[2]


class Real(NamedTuple):
    """A route as AWS has it.

    `stale`: some read since its newest change was answered with something older. `foreign`: somebody else changed
    it at some time.
    """

    config: str
    weight: int
    stale: bool = False
    foreign: bool = False


def real(setting: Setting) -> tuple[Real, ...]:
    """Every route as it was found."""
    return tuple(Real(*setting.found[route]) for route in setting.routes)


def changed(memory: tuple[Real, ...], number: int, fact: Took | Changed) -> tuple[Real, ...]:
    """The routes after a change of one of them by us or by somebody else."""
    before = memory[number]
    foreign = before.foreign or isinstance(fact, Changed)
    if (before.config, before.weight) == (fact.config, fact.weight):
        return put(memory, number, before._replace(foreign=foreign))
    return put(memory, number, Real(fact.config, fact.weight, stale=False, foreign=foreign))


def read(memory: tuple[Real, ...], number: int, fact: Read) -> tuple[Real, ...]:
    """The routes after a read of one of them: was it answered with what is there?"""
    before = memory[number]
    if not fact.config and not fact.gone:
        return memory
    stale = fact.config != before.config
    return memory if stale == before.stale else put(memory, number, before._replace(stale=stale))


class Ours(NamedTuple):
    """The forms of one route that the run found, wrote, or was told by a person to accept, by digest.

    `newest`: what the newest write of the route would make of it, when nothing else did so before; empty otherwise.
    """

    configs: frozenset[str]
    newest: str = ""


def ours(setting: Setting) -> tuple[Ours, ...]:
    """Before the first write: what was found."""
    return tuple(Ours(frozenset({digest(setting.found[route][0])})) for route in setting.routes)


def intended(memory: tuple[Ours, ...], number: int, fact: Recorded) -> tuple[Ours, ...]:
    """After an `intent` record."""
    before, config = memory[number], digest(str(fact.body["post"]["text"]))
    if config in before.configs:
        return put(memory, number, before._replace(newest=""))
    return put(memory, number, Ours(before.configs | {config}, config))


def ended(memory: tuple[Ours, ...], number: int, fact: Recorded) -> tuple[Ours, ...]:
    """After an `outcome` record: what surely never was there is not ours."""
    before = memory[number]
    if not before.newest or fact.body["result"] not in ("not_applied", "cancelled"):
        return memory
    return put(memory, number, Ours(before.configs - {before.newest}))


def accepted(memory: tuple[Ours, ...], number: int, config: str) -> tuple[Ours, ...]:
    """After a config was committed that the run did not write (`config` is its digest)."""
    return put(memory, number, Ours(memory[number].configs | {config}, memory[number].newest))
