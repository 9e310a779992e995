"""Scripts by their seed: each seed enables some kinds of trouble, and throws a handful of those together."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.fakes import TWO_ROUTES
from tests.swarm.aim import aimed
from tests.swarm.cells import reachable
from tests.swarm.script import Script, script_of

PHASES = (
    "PREFLIGHT",
    "ATTACHING",
    "SHIFTING",
    "SETTLING",
    "BAKING",
    "HOLDING",
    "ROLLING_BACK",
    "COMPLETED",
)
COMMANDS = (
    "pause", "resume", "approve", "rollback", "finish", "finish_and_detach", "interrupt", "confirm_restored", "accept_drift", "leave",
    "hold_file", "rollback_file", "remove_files",
)  # fmt: skip
WRITES = ("ModifyRule", "ModifyListener", "Modify*")
ROUTES = ("DescribeRules", "DescribeListeners")
LASTS = ("20s", "1m", "3m", "12m", "35m")

STRIDE = 389
"""From one seed's cell to the next: no divisor of the table's size, so all have their turn, far apart."""

Draw = Callable[[random.Random], tuple[str, dict[str, Any]]]


def random_plan(chance: random.Random) -> dict[str, Any]:
    """What differs from the smallest plan: one or two routes, two or three short steps, ways to be safe."""
    weights = sorted(chance.sample((10, 50, 100, 250, 500, 750), chance.choice((1, 2, 2))))
    steps: list[dict[str, Any]] = [
        {"weight": weight / 10, "bake": chance.choice(("3m", "4m", "6m"))} for weight in weights
    ]
    if chance.random() < 0.7 or len(steps) == 1:
        steps.append({"weight": 100, "bake": chance.choice(("3m", "5m"))})
    if chance.random() < 0.2:
        steps[-1]["approve"] = "it was tested"
    safety = {
        "on_drift": chance.choice(("hold", "rollback")),
        "on_interrupt": chance.choice(("hold", "rollback")),
        "on_hold_timeout": chance.choice(("hold", "rollback")),
        "hold_timeout": chance.choice(("10m", "20m", "2h")),
        "ask_timeout": chance.choice(("5m", "15m")),
    }
    observe = {"poll": chance.choice(("15s", "30s", "45s"))}
    changes: dict[str, Any] = {"steps": steps, "safety": safety, "observe": observe}
    if chance.random() < 0.5:
        changes["gates"] = [
            {"errors": {"max": "1%", "judge": "threshold"}},
            {"healthy": {"min": 2}},
        ]
    if chance.random() < 0.15:
        changes["gates"] = [
            *changes.get("gates", [{"errors": {"max": "1%"}}]),
            {"alarm": {"name": "team"}},
        ]
    if steps[-1]["weight"] == 100 and chance.random() < 0.4:
        changes["hold_back"] = chance.choice(("5%", "20%"))
    if chance.random() < 0.5:
        changes["routes"] = list(TWO_ROUTES)
    return changes


def _when(chance: random.Random, *, anywhere: bool = True) -> dict[str, Any]:
    span = chance.choice((0, 0, 5, 20, 90, 400, 900))
    when: dict[str, Any] = {"after": f"{chance.randint(0, span)}s"}
    match chance.randrange(6):
        case 0:
            when["step"] = chance.randint(1, 2)
        case 1 if anywhere:
            when["going_back"] = True
        case 2:
            when["after"] = f"{chance.randint(0, 2400)}s"
        case _:
            when["phase"] = chance.choice(PHASES)
    return when


def _fault(operations: tuple[str, ...], kinds: tuple[str, ...]) -> Draw:
    def draw(chance: random.Random) -> tuple[str, dict[str, Any]]:
        fault: dict[str, Any] = {
            "operation": chance.choice(operations), "kind": chance.choice(kinds), "when": _when(chance),
        }  # fmt: skip
        fault |= chance.choice(
            ({"times": chance.randint(1, 4)}, {"lasts": chance.choice(LASTS)}, {"times": 1})
        )
        if chance.random() < 0.3:
            fault["skip"] = chance.randint(1, 3)
        fault["by"] = chance.choice(_BY.get(fault["kind"], ("10s",)))
        return "faults", fault

    return draw


_BY = {
    "delayed": ("4s", "16s", "45s", "5m", "25m"),
    "stale": ("3s", "16s", "1m", "10m", "2h"),
    "slow": ("2s", "9s", "20s"),
    "timeout": ("3s", "10s"),
}


def _effect(*whats: dict[str, Any]) -> Draw:
    def draw(chance: random.Random) -> tuple[str, dict[str, Any]]:
        effect = {"when": _when(chance), **chance.choice(whats)}
        return "effects", effect | chance.choice(({}, {"lasts": "3m"}, {"lasts": "15m"}))

    return draw


def _health(chance: random.Random) -> tuple[str, dict[str, Any]]:
    change: dict[str, Any] = {
        "when": _when(chance),
        "lasts": chance.choice(("1m", "5m", "30m")),
        "side": chance.choice(("source", "destination")),
        "state": chance.choice(("unhealthy", "initial", "draining", "unavailable", "gone")),
    }
    if chance.random() < 0.5:
        change["count"] = chance.choice((1, 2, 6))
    return "health", change


def _writer(chance: random.Random) -> tuple[str, dict[str, Any]]:
    what = chance.choice(
        (
            {"weight": chance.choice((0, 1, 5, 10, 25, 30, 50, 75, 100))},
            {"add_group": 10}, {"drop_destination": True}, {"drop_both": True}, {"sticky": "10m"}, {"delete_rule": True},
        )
    )  # fmt: skip
    route = chance.choice(({}, {"route": 1}))
    return "writer", {"when": _when(chance), **route, **what}


def _disk(kinds: tuple[str, ...]) -> Draw:
    def draw(chance: random.Random) -> tuple[str, dict[str, Any]]:
        trouble: dict[str, Any] = {
            "when": _when(chance), "kind": chance.choice(kinds), "lasts": chance.choice(LASTS),
            "operation": chance.choice(("*", "*", "write", "sync", "create", "replace", "sync_directory", "read")),
        }  # fmt: skip
        if trouble["kind"] == "full":
            trouble |= {"operation": "*", "room": chance.choice((0, 100, 1000, 5000))}
        return "disk", trouble

    return draw


def _point(chance: random.Random) -> dict[str, Any]:
    point = chance.choice(("waiting", "call", "reply", "disk", "disk_done"))
    operations = {
        "call": ("Modify*", "Modify*", "Describe*", "*"),
        "reply": ("Modify*", "Modify*", "Describe*"),
        "disk": ("write", "sync", "*"),
        "disk_done": ("write", "sync", "*"),
    }
    return {
        "when": _when(chance), "point": point, "operation": chance.choice(operations.get(point, ("*",))),
        "skip": chance.choice((0, 0, 0, 1, 2, 5)),
    }  # fmt: skip


def _death(*, power: bool) -> Draw:
    def draw(chance: random.Random) -> tuple[str, dict[str, Any]]:
        commands = chance.choice(
            (
                ["resume"],
                ["rollback"],
                ["resume", "rollback"],
                ["rollback", "rollback"],
                ["pause"],
                ["finish"],
            )
        )
        back = chance.choice(("5s", "5s", "1m", "1m", "10m", "10m", "40m", "never"))
        return "deaths", {
            **_point(chance),
            "power": power,
            "back_after": back,
            "commands": commands,
        }

    return draw


def _stop(chance: random.Random) -> tuple[str, dict[str, Any]]:
    lasts = chance.choice(("2s", "6s", "20s", "40s", "5m", "1h"))
    return "stops", {**_point(chance), "lasts": lasts}


def _jump(chance: random.Random) -> tuple[str, dict[str, Any]]:
    by = chance.choice((-3_600_000, -60_000, -3_000, 3_000, 60_000, 600_000, 7_200_000))
    return "jumps", {"when": _when(chance), "by_ms": by}


def _command(*commands: str) -> Draw:
    def draw(chance: random.Random) -> tuple[str, dict[str, Any]]:
        times = chance.choice((1, 1, 1, 2))
        return "commands", {
            "when": _when(chance),
            "command": chance.choice(commands),
            "times": times,
        }

    return draw


def _lease(chance: random.Random) -> tuple[str, dict[str, Any]]:
    return "lease", {"when": _when(chance), "lasts": chance.choice(("1s", "40s", "5m"))}


def _take_over(chance: random.Random) -> tuple[str, dict[str, Any]]:
    return "take_overs", {"when": _when(chance), "command": chance.choice(("resume", "rollback"))}


KINDS: dict[str, Draw] = {
    "writes refused": _fault(WRITES, ("throttled", "denied", "expired", "error")),
    "writes lost": _fault(WRITES, ("timeout", "lost_reply")),
    "writes late": _fault(WRITES, ("delayed", "slow")),
    "writes answered by others": _fault(WRITES, ("foreign", "mismatch")),
    "routes stale": _fault(ROUTES, ("stale",)),
    "routes unread": _fault(ROUTES, ("throttled", "denied", "expired", "error", "timeout", "slow")),
    "routes answered by others": _fault(ROUTES, ("foreign", "incomplete", "another")),
    "health unread": _fault(("DescribeTargetHealth",), ("throttled", "denied", "error", "timeout", "foreign", "incomplete", "slow")),
    "metrics unread": _fault(
        ("GetMetricData",),
        ("throttled", "denied", "error", "timeout", "partial_data", "internal_error", "foreign", "incomplete", "slow"),
    ),
    "everything unread": _fault(("Describe*", "*"), ("throttled", "denied", "expired", "error", "timeout", "foreign", "slow")),
    "identity unread": _fault(("GetCallerIdentity",), ("throttled", "denied", "expired", "error", "timeout", "foreign")),
    "alarms unread": _fault(("DescribeAlarms",), ("throttled", "denied", "error", "timeout", "incomplete")),
    "evidence missing": _effect(
        {"metrics_quiet": True}, {"metrics_quiet": True, "side": "source"}, {"metrics_quiet": True, "side": "both"},
    ),
    "evidence late": _effect(
        {"metrics_delay": "3m"}, {"metrics_delay": "6m", "side": "source"}, {"metrics_delay": "4m", "metrics_torn": True},
        {"errors_first": "30%"},
    ),
    "destination bad": _effect(
        {"errors": "5%"}, {"errors": "0.6%"}, {"connection_errors": "10%"}, {"unanswered": "2%"}, {"elb_504": "5%"},
        {"latency_factor": 4.0},
    ),
    "source bad": _effect({"side": "source", "errors": "5%"}, {"side": "both", "errors": "5%"}),
    "share off": _effect({"share": "90%"}, {"share_above": "20%"}, {"propagation": "12m"}, {"propagation": "2m"}),
    "alarm": _effect({"alarm": "*"}, {"alarm": "*", "alarm_state": "INSUFFICIENT_DATA"}),
    "targets": _health,
    "second writer": _writer,
    "disk full": _disk(("full",)),
    "disk broken": _disk(("io", "read_only")),
    "process killed": _death(power=False),
    "power lost": _death(power=True),
    "machine stopped": _stop,
    "clock set": _jump,
    "lease lost": _lease,
    "taken over": _take_over,
    "commands forward": _command("resume", "approve", "accept_drift", "finish", "finish_and_detach"),
    "commands that stop": _command("pause", "rollback", "interrupt", "leave"),
    "commands in files": _command("hold_file", "rollback_file", "remove_files"),
    "every command": _command(*COMMANDS),
}  # fmt: skip
"""What may go wrong, by the name of its kind."""


def cell_of(seed: int) -> tuple[str, str]:
    """The cell that a seed aims at, unless it is a multiple of 3."""
    cells = tuple(reachable())
    return cells[(seed - seed // 3) * STRIDE % len(cells)]


def random_script(seed: int) -> Script:
    """The script of a seed: at least two occurrences, of the kinds that the seed enables.

    Two seeds in three also aim at a cell of the table, so that in time every one is hit.
    """
    chance = random.Random(seed)
    enabled = [name for name in KINDS if chance.random() < 0.3] or [chance.choice(list(KINDS))]
    entries: list[tuple[str, dict[str, Any]]] = []
    plan = random_plan(chance)
    how_many = chance.choice((2, 3, 3, 4, 4, 5, 6, 8))
    if seed % 3:
        kind, phase = cell_of(seed)
        entries, needed = aimed(kind, phase, chance)
        plan |= needed
        how_many = chance.choice((1, 1, 2, 3))
    entries += [KINDS[chance.choice(enabled)](chance) for _ in range(how_many)]
    sections: dict[str, list[dict[str, Any]]] = {}
    for section, entry in entries:
        sections.setdefault(section, []).append(entry)
    scenario: dict[str, Any] = {
        "description": "swarm",
        "limit": "48h",
        "approve_after": "never",
        "traffic": {"rate": chance.choice(("600/min", "6000/min", "20000/min"))},
        "twin": chance.choice(({}, {}, {"attached": True}, {"sticky": "10m"}, {"third_group": 5})),
    }
    scenario |= {
        name: sections.pop(name)
        for name in ("effects", "health", "writer", "faults")
        if name in sections
    }
    return script_of(
        {
            "seed": seed, "plan": plan, "scenario": scenario,
            "calm_after": chance.choice(("50m", "70m", "90m", "150m")),
            "approve_after": chance.choice(("2m", "20m", "never")), "exit_on_hold": chance.random() < 0.15,
            "last_word": chance.choice(("resume", "rollback")), **sections,
        }
    )  # fmt: skip
