"""One group's minute divided in two, as if a part of its requests had gone to a second fleet just as good.

Which requests go there is settled by a hash of the minute and the weight, not by chance: the same past gives the
same answer, whenever and wherever it is asked. The numbers are drawn as requests would fall that are each sent on their own:
binomial for the requests, hypergeometric for the bad ones among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import exp, floor, lgamma, log

from cutover.core.gates.columns import ANSWERS
from cutover.core.observation import Absent, Count, Minute
from cutover.core.values import FULL, digest

_SOURCE, _DESTINATION = "source.", "destination."
_BITS = 13  # hexadecimal digits: 52 bits


def split(minute: Minute, weight: int) -> Minute:
    """The minute with `weight` (per mille) of the source's requests at the destination.

    Whatever the minute says of a destination is dropped; a minute that nobody knows stays unknown. `slower` series of
    the source serve both sides, each at its own limit. The load balancer's own counts stay as they are.
    """
    requests = minute.number("source.requests")
    sides = {key: count for key, count in minute.counts.items() if key.startswith(_SOURCE)}
    rest = {
        key: count
        for key, count in minute.counts.items()
        if not key.startswith((_SOURCE, _DESTINATION))
    }
    if requests is None or requests <= 0:
        there = {_DESTINATION + key.removeprefix(_SOURCE): count for key, count in sides.items()}
        return Minute(minute.pair, minute.at_ms, {**rest, **sides, **there}, minute.settled)
    moved = _binomial(requests, weight / FULL, _uniform(minute.at_ms, weight, "requests"))
    here: dict[str, Count] = {}
    there = {}
    for key, count in sides.items():
        name = key.removeprefix(_SOURCE)
        part = _part(minute, weight, name, count, requests, moved)
        there[_DESTINATION + name] = part
        here[key] = count - part if isinstance(count, int) and isinstance(part, int) else count
    _settle_answers(minute, weight, requests, moved, here, there)
    there[_DESTINATION + "requests"], here[_SOURCE + "requests"] = moved, requests - moved
    return Minute(minute.pair, minute.at_ms, {**rest, **here, **there}, minute.settled)


def _part(
    minute: Minute, weight: int, name: str, count: Count, requests: int, moved: int
) -> Count:
    """How much of a count goes along with the requests that are moved."""
    if not isinstance(count, int) or name in ANSWERS:
        return count
    unit = 1000 if name.startswith("slower") else 1
    marked = min(requests, max(0, round(count / unit)))
    drawn = _hypergeometric(requests, marked, moved, _uniform(minute.at_ms, weight, name))
    return min(count, drawn * unit)


def _settle_answers(
    minute: Minute,
    weight: int,
    requests: int,
    moved: int,
    here: dict[str, Count],
    there: dict[str, Count],
) -> None:
    """Each request has one answer or none: the kinds are drawn one after the other from what is left."""
    left, room = requests, moved
    for name in ANSWERS[::-1]:  # the rare ones first
        count = minute.counts.get(_SOURCE + name, Absent.UNKNOWN)
        if not isinstance(count, int):
            continue
        kind = min(left, max(0, count))
        drawn = _hypergeometric(left, kind, room, _uniform(minute.at_ms, weight, name))
        there[_DESTINATION + name], here[_SOURCE + name] = drawn, kind - drawn
        left, room = left - kind, room - drawn


def _uniform(at_ms: int, weight: int, what: str) -> float:
    """A number in (0, 1) that only depends on these three."""
    return (int(digest(f"{at_ms} {weight} {what}")[:_BITS], 16) + 0.5) / 16**_BITS


def _binomial(total: int, part: float, uniform: float) -> int:
    """How many of `total` requests, each with probability `part`."""
    if part >= 1:
        return total
    odds = part / (1 - part)
    mode = floor((total + 1) * part)
    return _outward(
        mode,
        0,
        total,
        exp(_choose(total, mode) + mode * log(part) + (total - mode) * log(1 - part)),
        lambda n: (total - n) / (n + 1) * odds,
        uniform,
    )


@lru_cache(maxsize=4096)
def _hypergeometric(total: int, marked: int, drawn: int, uniform: float) -> int:
    """How many of the `marked` ones are among `drawn` of `total`."""
    least, most = max(0, drawn + marked - total), min(marked, drawn)
    if least == most:
        return least
    mode = min(most, max(least, (marked + 1) * (drawn + 1) // (total + 2)))
    chance = exp(
        _choose(marked, mode) + _choose(total - marked, drawn - mode) - _choose(total, drawn)
    )
    return _outward(
        mode,
        least,
        most,
        chance,
        lambda n: (marked - n) * (drawn - n) / ((n + 1) * (total - marked - drawn + n + 1)),
        uniform,
    )


def _choose(total: int, part: int) -> float:
    """Log of the binomial coefficient."""
    return lgamma(total + 1) - lgamma(part + 1) - lgamma(total - part + 1)


def _outward(
    mode: int,
    least: int,
    most: int,
    chance: float,
    ratio: Callable[[int], float],
    uniform: float,
) -> int:
    """The outcome at which the chances, added up from the mode outwards, pass `uniform`.

    `chance` is the mode's; `ratio(n)` that of `n + 1` to that of `n`.
    """
    for outcome, here in _chances(mode, least, most, chance, ratio):
        uniform -= here
        if uniform <= 0:
            return outcome
    return mode  # what rounding left over


def _chances(
    mode: int, least: int, most: int, chance: float, ratio: Callable[[int], float]
) -> Iterator[tuple[int, float]]:
    """Every outcome with its chance, from the mode outwards, until they are too small to matter."""
    yield mode, chance
    up = down = chance
    above, below = mode, mode
    while up > 0 or down > 0:
        up = up * ratio(above) if above < most and up > 1e-18 else 0.0
        above += 1
        if up:
            yield above, up
        down = down / ratio(below - 1) if below > least and down > 1e-18 else 0.0
        below -= 1
        if down:
            yield below, down
