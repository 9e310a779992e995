"""Windows of local time in which nothing is raised; a rollback is always allowed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from cutover.core.units import Model

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * _DAY_MINUTES
_LARGEST_JUMP: Final = 3 * 60
"""Minutes; no zone moves its clock further for daylight saving."""
_TEXT = re.compile(
    r"(?:(?P<d1>[A-Z][a-z]{2}) )?(?P<h1>\d\d):(?P<m1>\d\d) ?- ?(?:(?P<d2>[A-Z][a-z]{2}) )?(?P<h2>\d\d):(?P<m2>\d\d)",
    re.ASCII,
)
_SCHEMA_PATTERN = "^([A-Z][a-z]{2} )?[0-9]{2}:[0-9]{2} ?- ?([A-Z][a-z]{2} )?[0-9]{2}:[0-9]{2}$"
_EXAMPLE = 'write for example "Fri 17:00-Mon 08:00" (weekly) or "22:00-06:00" (every day)'


def parse_span(text: str) -> tuple[tuple[int, int], ...]:
    """The spans of `Fri 17:00-Mon 08:00` or `22:00-06:00`, as minutes of the week from Monday 00:00.

    Ends are exclusive; a span whose end is not above its start runs over the end of the week.

    Raises:
        ValueError: when the text is no such span, or starts where it ends.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a span of time; {_EXAMPLE}")
    if (found["d1"] is None) != (found["d2"] is None):
        raise ValueError(f"{text!r} names a day on one side only; {_EXAMPLE}")
    times = [int(found[f"h{side}"]) * 60 + int(found[f"m{side}"]) for side in "12"]
    if (
        any(int(found[f"m{side}"]) > 59 for side in "12")
        or times[0] >= _DAY_MINUTES
        or times[1] > _DAY_MINUTES
    ):
        raise ValueError(f"{text!r} has a time that no clock shows; {_EXAMPLE}")
    if found["d1"] is None:
        return _daily(text, *times)
    for day in (found["d1"], found["d2"]):
        if day not in DAYS:
            raise ValueError(f"{day!r} is not a day; write one of {' '.join(DAYS)}")
    start, end = (
        DAYS.index(found[f"d{side}"]) * _DAY_MINUTES + times[int(side) - 1] for side in "12"
    )
    if start == end % WEEK_MINUTES:
        raise ValueError(f"{text!r} starts where it ends: it would forbid every raise, always")
    return ((start, end % WEEK_MINUTES or WEEK_MINUTES),)


def _daily(text: str, start: int, end: int) -> tuple[tuple[int, int], ...]:
    if start == end % _DAY_MINUTES:
        raise ValueError(f"{text!r} starts where it ends: it would forbid every raise, always")
    length = (end - start) % _DAY_MINUTES
    return tuple(
        (first, (first + length) % WEEK_MINUTES or WEEK_MINUTES)
        for first in (day * _DAY_MINUTES + start for day in range(7))
    )


def _span(text: str) -> str:
    try:
        parse_span(text)
    except ValueError as error:
        raise PydanticCustomError("window", "{message}", {"message": str(error)}) from None
    return text


def _zone(text: str) -> str:
    try:
        _zone_of(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError(
            "zone",
            "{zone} is no time zone; write for example Asia/Tokyo, Europe/Berlin or UTC",
            {"zone": repr(text)},
        ) from None
    return text


@lru_cache(maxsize=64)
def _zone_of(key: str) -> ZoneInfo:
    # ZoneInfo reads files below its data directory: a key that names a directory is no zone
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", key):
        raise ValueError(key)
    return ZoneInfo(key)


Span = Annotated[
    str,
    AfterValidator(_span),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _SCHEMA_PATTERN,
            "examples": ["Fri 17:00-Mon 08:00"],
        }
    ),
]
Zone = Annotated[
    str,
    AfterValidator(_zone),
    WithJsonSchema({"type": "string", "examples": ["Asia/Tokyo", "Europe/Berlin", "UTC"]}),
]


class Window(Model):
    """No raise inside this span of local time; a rollback is always allowed."""

    span: Span = Field(
        alias="not",
        description="weekly `Fri 17:00-Mon 08:00`, or every day `22:00-06:00`; the end is not part of it",
    )
    zone: Zone = Field(
        description="IANA time zone of the span; its daylight saving time is followed"
    )

    @property
    def text(self) -> str:
        """`Fri 17:00-Mon 08:00 Asia/Tokyo`."""
        return f"{self.span} {self.zone}"

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Minutes of the local week, see `parse_span`."""
        return parse_span(self.span)

    def holds(self, wall: datetime) -> bool:
        """The aware time `wall` is inside."""
        return self._left(wall) is not None

    def ends_after(self, wall: datetime) -> datetime:
        """The first whole minute after `wall` that is outside; `wall` itself when it is outside.

        Local time may jump inside a window (daylight saving), so the end is looked for around the
        minute that the local clock promises, by asking `holds`.
        """
        left = self._left(wall)
        if left is None:
            return wall
        minute = wall.replace(second=0, microsecond=0) + timedelta(
            minutes=max(0, left - _LARGEST_JUMP)
        )
        while self.holds(minute):
            minute += timedelta(minutes=1)
        return minute

    def _left(self, wall: datetime) -> int | None:
        """Minutes of local time until the span's end; None outside."""
        local = wall.astimezone(_zone_of(self.zone))
        minute = local.weekday() * _DAY_MINUTES + local.hour * 60 + local.minute
        for start, end in self.spans:
            if start <= minute < end if start < end else minute >= start or minute < end:
                return (end - minute) % WEEK_MINUTES or WEEK_MINUTES
        return None
