"""A six-hour plan rehearsed: how long it takes, and what it would ask of ELBv2."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import HASHING, ROOT, Figure, hashing
from cutover.app import rehearsal
from cutover.core.messages import why_text
from cutover.core.values import HOUR
from cutover.emulator.world import World
from cutover.local.plan_file import load_plan
from cutover.local.state_directory import StateDirectory

PLAN = ROOT / "plans" / "checkout.yaml"
REFILL = 10.0
"""Reads a second that an account's ELBv2 bucket refills (AWS docs: ELB API throttling, non-mutating)."""

ELBV2_READS = frozenset(
    f"Describe{what}"
    for what in (
        "ListenerAttributes", "Listeners", "LoadBalancerAttributes", "LoadBalancers", "Rules", "Tags",
        "TargetGroupAttributes", "TargetGroups", "TargetHealth",
    )
)  # fmt: skip

SHARE = 0.25
"""Of that refill a run may use."""


@contextmanager
def counted() -> Iterator[list[World]]:
    """The worlds that rehearsals build meanwhile: their calls are counted there."""
    seen: list[World] = []
    build = World.build

    @contextmanager
    def watched(*args: object, **kwargs: object) -> Iterator[World]:
        with build(*args, **kwargs) as world:  # type: ignore[arg-type]
            seen.append(world)
            yield world

    World.build = staticmethod(watched)  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        World.build = staticmethod(build)  # type: ignore[method-assign]


def measure() -> list[Figure]:
    loaded = load_plan(PLAN)
    name, scenario = rehearsal.load_scenario(rehearsal.HEALTHY)
    with tempfile.TemporaryDirectory() as state, counted() as worlds:
        place = StateDirectory(Path(state))
        results, taken = [], []
        for _ in range(3):
            began, began_wall = time.process_time(), time.perf_counter()
            results.append(
                rehearsal.rehearse(
                    loaded.plan, scenario, name=name, plan_text=loaded.text, place=place
                )
            )
            taken.append((time.process_time() - began, time.perf_counter() - began_wall))
        calls = dict(worlds[-1].calls)
    result = results[-1]
    if result.outcome != "completed":
        raise RuntimeError(
            f"the healthy rehearsal ended as {result.outcome}: {why_text(result.state)}"
        )
    used, waited = min(taken)
    yard = hashing()
    hours = result.virtual_ms / HOUR
    reads = {name: count for name, count in calls.items() if name in ELBV2_READS}
    per_second = sum(reads.values()) * 1000 / result.virtual_ms
    return [
        Figure(
            id="rehearsal",
            what=f"CPU time of `plans/checkout.yaml` rehearsed in process ({hours:.1f} emulated hours)",
            promised="a 6-hour plan in under 3 s",
            ratio=used / yard,
            yardstick=HASHING,
            met=used < 3,
            parts={
                "CPU s": round(used, 2),
                "wall s": round(waited, 2),
                "emulated h": round(hours, 1),
                "emulated over real time": round(result.virtual_ms / 1000 / waited),
                "yardstick s": round(yard, 2),
            },
        ),
        Figure(
            id="elbv2-reads",
            what="ELBv2 reads a second of the same run, two routes, polled as live",
            promised="under 25 % of the account's read bucket",
            ratio=per_second / REFILL,
            yardstick="the bucket's refill of 10 reads a second",
            met=per_second / REFILL < SHARE,
            parts={
                "reads a second": round(per_second, 3),
                **{f"{operation} calls": count for operation, count in sorted(reads.items())},
            },
        ),
    ]
