"""Memory over a long run: the peak of a process that bakes for a day against one that bakes for an hour.

`python -m benchmarks.memory HOURS` is the process that is measured.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import ROOT, Figure
from benchmarks.small_world import SmallWorld
from tests.fakes import plan_of

FLAT = 1.1


def measure() -> list[Figure]:
    peaks = {hours: _peak(hours) for hours in (1, 24)}
    ratio = peaks[24] / peaks[1]
    return [
        Figure(
            id="memory",
            what="peak memory of a process that decides and folds 24 emulated hours, polled every 15 s",
            promised="flat over a 24 h run",
            ratio=ratio,
            yardstick="the same for 1 hour",
            met=ratio <= FLAT,
            parts={f"{hours} h MB": round(peak / 1024, 1) for hours, peak in peaks.items()},
        )
    ]


def _peak(hours: int) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(hours)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def bake(hours: int) -> int:
    """Live through a run of so many hours; the peak of this process in KiB."""
    plan = plan_of(
        steps=[{"weight": 100, "bake": f"{hours}h"}],
        acknowledge_big_bang=True,
    )
    if SmallWorld(plan).run() != 0:
        raise RuntimeError("a healthy cutover did not complete")
    return peak()


def peak() -> int:
    """The most memory this program had, in KiB; ru_maxrss would still know the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(bake(int(sys.argv[1])))
