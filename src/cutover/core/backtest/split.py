"""One group's minute divided in two, as if a part of its requests had gone to a second fleet just as good.

Which requests go there is settled by a hash of the minute and the weight, not by chance: the same past gives the
same answer, whenever and wherever it is asked. The numbers fall as for requests that are each sent on their own:
binomial for the requests, hypergeometric for the bad ones among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp, floor, lgamma, log

from cutover.core.gates.columns import ANSWERS
from cutover.core.observation import Count, Minute
from cutover.core.values import FULL, digest

_SOURCE, _DESTINATION = "source.", "destination."
_DIGITS = 13  # of the hash: 52 bits
_NEGLIGIBLE = 1e-18


@dataclass(frozen=True)
class _Division:
    """One minute's requests, and how many of them are moved."""

    at_ms: int
    weight: int
    requests: int
    moved: int

    def part(self, name: str, count: int) -> int:
        """How much of a count goes along with the moved requests."""
        unit = 1000 if name.startswith("slower") else 1  # thousandths of a request
        marked = min(self.requests, max(0, round(count / unit)))
        uniform = _uniform(self.at_ms, self.weight, name)
        return min(count, unit * _among(self.requests, marked, self.moved, uniform))

    def answers(self, kinds: dict[str, int]) -> dict[str, int]:
        """The same for kinds of which each request has one at most: drawn in turn from what is left."""
        left, room = self.requests, self.moved
        parts: dict[str, int] = {}
        for name, count in kinds.items():
            kind = min(left, max(0, count))
            uniform = _uniform(self.at_ms, self.weight, name)
            parts[name] = _among(left, kind, room, uniform)
            left, room = left - kind, room - parts[name]
        return parts


def split(minute: Minute, weight: int) -> Minute:
    """The minute with `weight` (per mille) of the source's requests at the destination.

    Whatever the minute says of a destination is dropped; what nobody knows stays unknown. `slower` series of the source
    serve both sides, each at its own limit. The load balancer's own counts stay as they are.
    """
    counts = {
        key.removeprefix(_SOURCE): count
        for key, count in minute.counts.items()
        if key.startswith(_SOURCE)
    }
    rest = {
        key: count
        for key, count in minute.counts.items()
        if not key.startswith((_SOURCE, _DESTINATION))
    }
    here, there = _divided(minute.at_ms, weight, counts)
    sides = {_SOURCE + name: count for name, count in here.items()}
    sides |= {_DESTINATION + name: count for name, count in there.items()}
    return Minute(minute.comparison, minute.at_ms, {**rest, **sides}, minute.settled)


def _divided(
    at_ms: int, weight: int, counts: dict[str, Count]
) -> tuple[dict[str, Count], dict[str, Count]]:
    requests = counts.get("requests")
    if not isinstance(requests, int) or requests <= 0:
        return counts, dict(counts)
    moved = _binomial(requests, weight / FULL, _uniform(at_ms, weight, "requests"))
    division = _Division(at_ms, weight, requests, moved)
    known = {name: count for name, count in counts.items() if isinstance(count, int)}
    # the rare kinds first: what they leave is the ordinary one's
    parts = division.answers({name: known[name] for name in ANSWERS[::-1] if name in known})
    parts["requests"] = moved
    there: dict[str, Count] = dict(counts)
    here: dict[str, Count] = dict(counts)
    for name, count in known.items():
        part = parts[name] if name in parts else division.part(name, count)
        there[name], here[name] = part, count - part
    return here, there


def _uniform(at_ms: int, weight: int, what: str) -> float:
    """A number in (0, 1) that depends on these three alone."""
    return (int(digest(f"{at_ms} {weight} {what}")[:_DIGITS], 16) + 0.5) / float(16**_DIGITS)


def _binomial(total: int, part: float, uniform: float) -> int:
    """How many of `total` requests go, each with probability `part`."""
    if part >= 1:
        return total
    mode = floor((total + 1) * part)
    chance = exp(_choose(total, mode) + mode * log(part) + (total - mode) * log(1 - part))
    odds = part / (1 - part)
    return _drawn(
        _outwards(range(total + 1), mode, chance, lambda n: (total - n) / (n + 1) * odds),
        uniform,
    )


def _among(total: int, marked: int, drawn: int, uniform: float) -> int:
    """How many of the `marked` are among `drawn` of `total` (hypergeometric)."""
    support = range(max(0, drawn + marked - total), min(marked, drawn) + 1)
    if len(support) == 1:
        return support.start
    mode = min(support[-1], max(support.start, (marked + 1) * (drawn + 1) // (total + 2)))
    rest = total - marked
    chance = exp(_choose(marked, mode) + _choose(rest, drawn - mode) - _choose(total, drawn))
    return _drawn(
        _outwards(
            support,
            mode,
            chance,
            lambda n: (marked - n) * (drawn - n) / ((n + 1) * (rest - drawn + n + 1)),
        ),
        uniform,
    )


def _choose(total: int, part: int) -> float:
    """Log of the binomial coefficient."""
    return lgamma(total + 1) - lgamma(part + 1) - lgamma(total - part + 1)


def _drawn(outcomes: Iterator[tuple[int, float]], uniform: float) -> int:
    """The outcome at which the chances added up pass `uniform`; the last one when rounding keeps them below it."""
    drawn = 0
    for outcome, chance in outcomes:
        drawn, uniform = outcome, uniform - chance
        if uniform <= 0:
            break
    return drawn


def _outwards(
    support: range, mode: int, chance: float, ratio: Callable[[int], float]
) -> Iterator[tuple[int, float]]:
    """Every outcome that matters with its chance, from the mode outwards.

    `chance` is the mode's; `ratio(n)` that of `n + 1` to that of `n`.
    """
    yield mode, chance
    above, up = mode, chance
    below, down = mode, chance
    while up > _NEGLIGIBLE or down > _NEGLIGIBLE:
        up = up * ratio(above) if above < support[-1] else 0.0
        above += 1
        if up > _NEGLIGIBLE:
            yield above, up
        down = down / ratio(below - 1) if below > support.start else 0.0
        below -= 1
        if down > _NEGLIGIBLE:
            yield below, down
