"""Short runs of facts, written by hand: what the tests of the promises are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.promises.catalogue import PROMISES
from tests.promises.facts import (
    Changed,
    Ended,
    Fact,
    Read,
    Recorded,
    Replied,
    Sent,
    Setting,
    Took,
)
from tests.promises.promise import broken
from tests.promises.routes import digest

MINUTE = 60_000
A, B = "listener-rule/a", "listener-rule/b"
SETTING = Setting(
    routes=(A, B),
    weights=(50, 1000),
    bakes=(2 * MINUTE, 2 * MINUTE),
    found={A: ("found", 0), B: ("found", 0)},
    comparisons=("comparison",),
    asks=(1,),
    secrets=("hunter2",),
)
CONFIGS = {0: "attached", 50: "at 5 %", 1000: "at 100 %"}


@dataclass(frozen=True)
class Case:
    """A run, and whether it breaks the promise; `because`: words of the sentence that says so."""

    id: str
    sentence: str
    facts: tuple[Fact, ...]
    because: str = ""


def keeps(id: str, sentence: str, *facts: Fact | Iterable[Fact]) -> Case:  # noqa: A002
    return Case(id, sentence, _flat(facts))


def breaks(id: str, sentence: str, because: str, *facts: Fact | Iterable[Fact]) -> Case:  # noqa: A002
    return Case(id, sentence, _flat(facts), because)


def _flat(facts: Iterable[Fact | Iterable[Fact]]) -> tuple[Fact, ...]:
    found: list[Fact] = []
    for one in facts:
        found += [one] if isinstance(one, Fact) else one
    return tuple(found)


def judge(case: Case) -> None:
    """The case's promise is broken, or kept, as it says."""
    promise = [one for one in PROMISES if one.id == case.id]
    said = broken(promise, SETTING, case.facts)
    if case.because:
        assert any(case.because in one for one in said), said or "it was kept"
    else:
        assert said == []


def record(kind: str, at: int = 0, /, **body: object) -> Recorded:
    return Recorded(at, kind, body)


def phase(before: str, after: str, step: int = 0, at: int = 0, **more: object) -> Recorded:
    return record("phase", at, before=before, after=after, step=step, **more)


def intent(route: str = A, weight: int = 50, kind: str = "move", config: str = "") -> Recorded:
    post = {"text": config or CONFIGS[weight], "weight": weight}
    return record("intent", route=route, kind=kind, post=post, weight=weight, step=0)


def outcome(route: str = A, result: str = "applied", code: str = "") -> Recorded:
    return record("outcome", route=route, result=result, code=code)


def verified(route: str = A, weight: int = 50, config: str = "") -> Recorded:
    return record("verified", route=route, weight=weight, config=digest(config or CONFIGS[weight]))


def said(command: str) -> Recorded:
    return record("command", command=command)


def gate(verdict: str, name: str = "errors") -> Recorded:
    return record("gate", gate=name, comparison="comparison", verdict=verdict)


def minutes(*numbers: int) -> list[Recorded]:
    return [record("minute", comparison="comparison", at_ms=number * MINUTE) for number in numbers]


def sent(route: str = A, weight: int = 50, at: int = 0, config: str = "", rest: str = "") -> Sent:
    return Sent(at, route, config or CONFIGS[weight], weight, rest=rest)


def took(route: str = A, weight: int = 50, config: str = "") -> Took:
    return Took(0, route, config or CONFIGS[weight], weight)


def changed(route: str = A, weight: int = 70, config: str = "theirs") -> Changed:
    return Changed(0, route, config, weight)


def read(
    route: str = A, config: str = "found", at: int = 0, weight: int = -2, **more: object
) -> Read:
    return Read(at, route, config, weight=weight, **more)  # type: ignore[arg-type]


def replied(route: str = A, answer: str = "applied") -> Replied:
    return Replied(0, route, 0, answer)


def ended(exit_code: int) -> Ended:
    return Ended(0, exit_code)


BACK = phase("BAKING", "ROLLING_BACK", cause="breach")
"""A rollback begins."""
