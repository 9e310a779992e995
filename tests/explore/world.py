"""The world that a run is in, as the adversary keeps it: routes, minutes, disk, lease, and the process itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from cutover.core.moment import Moment
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig
from cutover.core.state import RunState
from cutover.core.values import RouteId
from cutover.runner import Loop
from tests.promises.facts import Setting
from tests.promises.promise import Watch

REMEMBERED = 6
"""Minutes before the newest journalled one of which the world still knows the split: a look asks for five again."""


@dataclass(frozen=True)
class Configuration:
    """What is searched: a plan, how the world found it, and how bad the adversary may be.

    Attributes:
        grain_ms: the machine gives the process time on this grid only; a look comes late by less than one grain.
        faults: at most so many in one run.
        unasked: what a command costs of them while the run does not hold: 1, or 0 for as many as people like. What
            is said to a run that holds, or whose process ended, costs nothing.
    """

    name: str
    plan: Plan
    found: RouteConfig
    grain_ms: int
    faults: int
    setting: Setting
    unasked: int = 1


@dataclass(frozen=True)
class Flying:
    """A write that left this machine and has not arrived: it may take effect at any later time, or never."""

    number: int
    config: RouteConfig


@dataclass(frozen=True)
class Place:
    """One route as AWS has it.

    Attributes:
        live: None when the rule does not exist (any more).
        older: what a stale read shows.
    """

    live: RouteConfig | None
    older: RouteConfig | None
    flying: tuple[Flying, ...] = ()


@dataclass(frozen=True)
class World:
    """Everything but the process.

    Attributes:
        split: (start of a minute, the destination's portion per mille in it), the newest last.
        commands: said, and not heard by anybody.
        disk: `""` while it takes what is written; `full`: only the fallback does.
        owned: somebody else has the lease.
        skew_ms: AWS's clock minus this machine's.
        writes: how many left this machine so far; numbers them.
    """

    at: Moment
    places: tuple[Place, ...]
    split: tuple[tuple[int, int], ...] = ()
    commands: tuple[str, ...] = ()
    disk: str = ""
    owned: bool = False
    skew_ms: int = 0
    writes: int = 0


@dataclass(frozen=True)
class Node:
    """One state of the search.

    Attributes:
        state: what the journal on disk folds to.
        running: the process's own state, None when no process lives.
        loop: what the process remembers beside it.
        wake: when the process looks again.
        code: how the last process ended by itself; -1 while none did.
        told: the phase and hold that people were last told of.
    """

    world: World
    state: RunState
    running: RunState | None
    loop: Loop
    wake: Moment
    watch: Watch
    code: int = -1
    told: tuple[str, str] = ("", "")
    faults: int = 0
    routes: tuple[RouteId, ...] = field(default=(), compare=False)
