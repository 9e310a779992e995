"""This machine's time: the only module that reads a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from cutover.core.moment import Moment
from cutover.ports import Clock

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock(Clock):
    """Wall time, and milliseconds since boot that go on counting while the machine sleeps.

    Linux's CLOCK_MONOTONIC stops in a suspend (docs/promises.md P16), so CLOCK_BOOTTIME is read where it
    exists; elsewhere (macOS) CLOCK_MONOTONIC counts sleep. Where the system has no boot id each
    process has its own, and durations between processes then go by wall time.
    """

    def __init__(self, boot_id_file: Path = _BOOT_ID) -> None:
        try:
            self._boot_id = boot_id_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            self._boot_id = f"process-{uuid4()}"
        self._since_boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def now(self) -> Moment:
        boot_ms = time.clock_gettime_ns(self._since_boot) // 1_000_000
        return Moment(datetime.now(UTC), boot_ms, self._boot_id)

    def sleep(self, ms: int) -> None:
        time.sleep(max(ms, 0) / 1000)
