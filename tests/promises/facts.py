"""What can be seen of a run from outside, in the order in which it happened.

Nothing of the engine is used here: a record is the JSON that the journal holds, a config is a text that is the same
for the same actions, and a time is what the observer's own clock said (ms since the epoch).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

UNTOLD = -2
"""A portion that the observer does not know."""


@dataclass(frozen=True)
class Setting:
    """What was fixed before the run: the plan's numbers, and what was there.

    Attributes:
        routes: their ARNs.
        weights: of the plan's steps, the destination's portion per mille.
        bakes: of the same steps, ms; 0 for a hand-over.
        found: each route's config before the run, and the destination's portion in it.
        period_ms, settle_ms, poll_ms, confirm_ms: of `observe`.
        source_reserve_ppm: of `safety`.
        comparisons: of source and destination, as `minute` and `gate` records name them; empty when the observer does not
            know them.
        slack_ms: how much later than it happened the observer may see something; 0 where it misses nothing.
        asks: steps that a person must approve, by their index.
        secrets: texts that were planted where only a leak can bring them into a record or onto a screen.
    """

    routes: tuple[str, ...]
    weights: tuple[int, ...]
    bakes: tuple[int, ...]
    found: Mapping[str, tuple[str, int]]
    period_ms: int = 60_000
    settle_ms: int = 120_000
    poll_ms: int = 15_000
    confirm_ms: int = 60_000
    source_reserve_ppm: int = 900_000
    comparisons: tuple[str, ...] = ()
    slack_ms: int = 0
    asks: tuple[int, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """One thing that happened."""

    at_ms: int


@dataclass(frozen=True)
class Started(Fact):
    """A process of cutover began to drive the run, with these operator commands already said."""

    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Died(Fact):
    """The process was killed, or the machine stopped."""


@dataclass(frozen=True)
class Recorded(Fact):
    """A record: durable in the journal, or kept beside it because the disk took nothing."""

    type: str
    body: Mapping[str, Any] = field(hash=False)
    seq: int = 0
    epoch: int = 1
    durable: bool = True
    wall_ms: int = 0
    """When it was written by the run's own clock; 0 where the observer does not know."""


@dataclass(frozen=True)
class DiskRefused(Fact):
    """The disk did not take what the journal gave it; what is recorded from now on is kept beside it, if at all."""


@dataclass(frozen=True)
class Slept(Fact):
    """The process stood still for so long (stopped, starved, its machine asleep) and goes on."""

    ms: int


@dataclass(frozen=True)
class Jumped(Fact):
    """Somebody set the wall clock of the process's machine by so much."""

    ms: int


@dataclass(frozen=True)
class Sent(Fact):
    """A change of a route left this machine (its first byte did), whatever became of it."""

    route: str
    config: str
    weight: int
    number: int = 0
    """Which of the run's writes it is: `Took` names the same."""
    rest: str = ""
    """The config without the two weights of the comparison and their groups; empty where the observer does not know."""


@dataclass(frozen=True)
class Took(Fact):
    """AWS carried out a change that we sent: at once, or long after."""

    route: str
    config: str
    weight: int
    number: int = 0


@dataclass(frozen=True)
class Replied(Fact):
    """What the sender was told of the newest write of a route.

    `applied`, `mismatch` (taken, and answered with other weights), `refused`, or `lost`: nothing.
    """

    route: str
    number: int
    answer: str


@dataclass(frozen=True)
class Changed(Fact):
    """Somebody else changed a route; `weight` is -1 without the comparison, `config` empty when the route is gone."""

    route: str
    config: str
    weight: int


@dataclass(frozen=True)
class Read(Fact):
    """A read of a route was answered with this config (stale or not); empty when it failed."""

    route: str
    config: str
    gone: bool = False
    weight: int = UNTOLD
    """The destination's portion in it, -1 without the comparison."""
    rest: str = ""
    """As in `Sent`."""
    stale: bool = False
    """The observer knows that it is older than what is there."""
    taken_out: bool = False
    """The source's group is in it and the destination's is not."""


@dataclass(frozen=True)
class Health(Fact):
    """The healthy targets of the source that the process was shown; -1 when it was told nothing."""

    source: int
    at_start: int
    group: str = ""
    """Of which source group, where there are several."""


@dataclass(frozen=True)
class Shown(Fact):
    """What the process was shown of the evidence, before it decides on it: `pass waiting unknown shared breach`.

    The worst of all gates and comparisons.
    A `breach` is one whose gate goes back by itself. `both`: of every series that the verdict rests on both sides were published.
    """

    verdict: str
    both: bool = True


@dataclass(frozen=True)
class Ordered(Fact):
    """A person's command or a signal reached the machine (the process may hear it later)."""

    command: str


@dataclass(frozen=True)
class Owner(Fact):
    """Who is entitled to drive the run: True for the observed process."""

    ours: bool


@dataclass(frozen=True)
class Told(Fact):
    """People were told of this phase and hold: what a notification, the screen or `status` showed.

    Attributes:
        phase: as shown.
        hold: why it holds, empty for not at all.
        claims: by route, the destination's portion (per mille) that was shown as live; -1 for "not known".
    """

    phase: str
    hold: str = ""
    claims: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Printed(Fact):
    """A command wrote this to a screen that is no terminal, to a file, or to people."""

    text: str


@dataclass(frozen=True)
class Ended(Fact):
    """The process ended by itself."""

    exit_code: int
    live: Mapping[str, tuple[str, int]] = field(default_factory=dict, hash=False)
    """The routes as they then are, where the observer knows them: config and portion."""
