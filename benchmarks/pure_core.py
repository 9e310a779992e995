"""Simulated cutovers per second and core: nothing but `decide` and the fold."""

from __future__ import annotations

from benchmarks.measuring import HASHES, Figure, cpu, hashing
from benchmarks.small_world import SmallWorld
from tests.fakes import plan_of

ROUNDS = 20
PROMISED = 1_000

SMALLEST = plan_of(
    steps=[{"weight": 100, "bake": "4m"}],
    acknowledge_big_bang=True,
    observe={"period": "60s", "settle": "60s", "poll": "60s", "confirm": "60s"},
)
USUAL = plan_of()


def measure() -> list[Figure]:
    rates = {}
    for name, plan in (("smallest", SMALLEST), ("usual", USUAL)):
        world = SmallWorld(plan)

        def rounds(world: SmallWorld = world) -> None:
            for _ in range(ROUNDS):
                if world.run() != 0:
                    raise RuntimeError("a healthy cutover did not complete")

        taken = cpu(rounds)
        rates[name] = (ROUNDS / taken, ROUNDS * world.turns / taken, world.turns)
    hashes = HASHES / hashing()
    smallest, usual = rates["smallest"], rates["usual"]
    return [
        Figure(
            id="simulated-cutovers",
            what="turns of the loop decided and folded a second and core",
            promised="at least 1,000 simulated cutovers a second and core in the pure core",
            ratio=usual[1] / hashes,
            yardstick="SHA-256 a second in a Python loop",
            met=smallest[0] >= PROMISED,
            parts={
                "cutovers a second, smallest plan (one step, one poll a minute)": round(
                    smallest[0]
                ),
                "turns of one": smallest[2],
                "cutovers a second, three steps polled every 15 s": round(usual[0]),
                "turns of one such": usual[2],
                "turns a second": round(usual[1]),
            },
        )
    ]
