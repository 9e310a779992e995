"""Small value types with units: weights per mille, durations in ms, shares in parts per million.

Journal and code hold integers only; people read and write percent, durations and rates as text
with a unit.
"""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NewType, TypeVar

T = TypeVar("T")

Weight = NewType("Weight", int)
"""The destination's portion of a route in per mille: 0 (all source) to 1000 (all destination)."""

RouteId = NewType("RouteId", str)
"""The ARN of the listener rule, or of the listener whose default action is the route."""

RunId = NewType("RunId", str)

FULL: Final = Weight(1000)
NONE: Final = Weight(0)

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

PPM: Final = 1_000_000

_DURATION = re.compile(
    r"(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?"
)
_UNIT_MS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1}
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s?%")
_RATE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s?/\s?(s|min|h)")
_PER_MINUTE = {"s": Decimal(60), "min": Decimal(1), "h": Decimal(1) / Decimal(60)}


def with_fields(one: T, **changes: Any) -> T:
    """`dataclasses.replace` that does not run `__init__` over every field: for what is folded thousands of times.

    Only for dataclasses without slots and `__post_init__`.

    Raises:
        TypeError: when there is no such field.
    """
    made = object.__new__(type(one))
    fields = made.__dict__
    fields.update(one.__dict__)
    fields.update(changes)
    if len(fields) != len(one.__dict__):
        raise TypeError(f"{type(one).__name__} has no {changes.keys() - one.__dict__.keys()}")
    return made


def parse_duration(text: str) -> int:
    """Milliseconds of `90s`, `10m`, `1h30m`, `800ms`.

    Raises:
        ValueError: when the text is not a duration with a unit.
    """
    found = _DURATION.fullmatch(text)
    if not text or found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is not a duration; write for example 90s, 10m or 1h30m")
    return sum(int(n) * _UNIT_MS[unit] for unit, n in found.groupdict().items() if n)


def count_of(number: int, one: str, many: str = "") -> str:
    """`1 route`, `2 routes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration_text(ms: int) -> str:
    """`5400000` as `1h30m`; the shortest exact text, `0s` for zero, a leading minus below it."""
    if ms < 0:
        return "-" + duration_text(-ms)
    parts: list[str] = []
    for unit, size in _UNIT_MS.items():
        n, ms = divmod(ms, size)
        if n:
            parts.append(f"{n}{unit}")
    return "".join(parts) or "0s"


def parse_percent(text: str) -> int:
    """Parts per million of `0.2%`, `90%`.

    Raises:
        ValueError: when the text is not a percentage with its sign.
    """
    found = _PERCENT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a percentage; write for example 1% or 0.2%")
    ppm = Decimal(found[1]) * 10_000
    if ppm != int(ppm):
        raise ValueError(f"{text!r} is finer than 0.0001%")
    return int(ppm)


def percent_text(ppm: int) -> str:
    """`2000` ppm as `0.2%`."""
    return f"{_plain(Decimal(ppm) / 10_000)}%"


def parse_weight(number: float | str) -> Weight:
    """Per mille of a plan's weight: percent in steps of 0.1, from above 0 to 100.

    Raises:
        ValueError: when it is finer than 0.1 or out of range.
    """
    try:
        exact = Decimal(str(number)) * 10
    except InvalidOperation:
        raise ValueError(f"{number!r} is not a number of percent") from None
    if exact != exact.to_integral_value():
        share = (
            f"; a weight is percent: for the fraction {number} of one write {_plain(exact * 10)}"
        )
        raise ValueError(f"weight {number} is finer than 0.1 %{share if 0 < exact < 10 else ''}")
    if not 0 < exact <= FULL:
        raise ValueError(f"weight {number} is not above 0 and at most 100 (percent)")
    return Weight(int(exact))


def weight_text(weight: int) -> str:
    """`250` as `25 %`, `5` as `0.5 %`."""
    return f"{_plain(Decimal(weight) / 10)} %"


def weight_percent(weight: int) -> float:
    """`250` as 25.0: a weight as programs read it outside, where its name ends in `_percent`."""
    return weight / 10


def parse_rate(text: str) -> float:
    """Requests a minute of `200/min`, `5/s`, `3000/h`.

    Raises:
        ValueError: when the text is not a rate with its unit.
    """
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a rate; write for example 200/min or 5/s")
    return float(Decimal(found[1]) * _PER_MINUTE[found[2]])


def rate_text(per_minute: float) -> str:
    """`200.0` as `200/min`."""
    return f"{_plain(Decimal(str(round(per_minute, 3))))}/min"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def canonical_json(value: object) -> str:
    """One text for one value: sorted keys, no spaces, ASCII, no NaN.

    Raises:
        ValueError: for NaN or infinity.
        TypeError: for what JSON cannot hold.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def digest(text: str) -> str:
    """SHA-256 of the text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
