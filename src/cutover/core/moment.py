"""Moments and the durations between them, safe against clock jumps, suspends and reboots; and how people read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cutover.core.values import MINUTE, SECOND, duration_text

WALL_JUMP_MS = 2_000
"""Wall and boot clocks that differ by more than this make a gap (docs/promises.md P16)."""


@dataclass(frozen=True)
class Moment:
    """One instant by two clocks: aware UTC wall time, and ms since boot (counting suspends)."""

    wall: datetime
    boot_ms: int
    boot_id: str

    @cached_property
    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return wall_ms(self.wall)

    def after(self, earlier: Moment) -> int:
        """Milliseconds since `earlier`: by boot clock within one boot, by wall across boots."""
        if self.boot_id == earlier.boot_id:
            return self.boot_ms - earlier.boot_ms
        return self.wall_ms - earlier.wall_ms

    def plus(self, ms: int) -> Moment:
        """The moment `ms` later on both clocks."""
        return Moment(self.wall + timedelta(milliseconds=ms), self.boot_ms + ms, self.boot_id)

    def wall_jump(self, earlier: Moment) -> int:
        """How far (ms) the wall clock moved against the boot clock since `earlier`; 0 across boots."""
        if self.boot_id != earlier.boot_id:
            return 0
        return (self.wall_ms - earlier.wall_ms) - (self.boot_ms - earlier.boot_ms)


def wall_ms(wall: datetime) -> int:
    """Milliseconds since the epoch of an aware time, exactly."""
    delta = wall - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000 + delta.seconds * 1_000 + delta.microseconds // 1_000


def wall_from_ms(ms: int) -> datetime:
    """The aware UTC time of milliseconds since the epoch."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def wall_text(wall: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: `2026-11-20T12:00:00.000Z`."""
    return wall.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{wall.microsecond // 1000:03d}Z"


def parse_wall(text: str) -> datetime:
    """The aware UTC time of `wall_text`'s output.

    Raises:
        ValueError: when it is no such text.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def floor_to(ms: int, period_ms: int) -> int:
    """The start of the period that holds `ms` (both in ms since the epoch)."""
    return ms // period_ms * period_ms


def clock_text(wall: datetime, now: datetime) -> str:
    """`14:02Z` on the day of `now`, `2026-11-21 14:02Z` on another; rounded up to whole minutes.

    Always UTC and always marked so: the reader, the host and AWS are rarely in one zone.
    """
    utc = wall.astimezone(UTC)
    if utc.second or utc.microsecond:
        utc = wall_from_ms(floor_to(int(utc.timestamp()) * SECOND, MINUTE) + MINUTE)
    same_day = utc.date() == now.astimezone(UTC).date()
    return utc.strftime("%H:%MZ" if same_day else "%Y-%m-%d %H:%MZ")


def stamp(wall: datetime) -> str:
    """`2026-11-20 12:00:15Z`."""
    return wall.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def about(ms: int) -> str:
    """A duration as precise as a person needs it: `45s`, `4m`, `1h05m` is `1h5m`."""
    if ms < MINUTE:
        return duration_text(floor_to(max(0, ms), SECOND))
    return duration_text(floor_to(ms, MINUTE))
