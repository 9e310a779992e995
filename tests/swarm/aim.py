"""Occurrences that are to meet a run in a given phase: each seed aims at one cell of the table."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.swarm.eyes import NO_PROCESS

Entry = tuple[str, dict[str, Any]]

_OPERATION = {
    "write": ("Modify*",), "routes": ("Describe[RL][ui]*s",), "health": ("DescribeTargetHealth",),
    "metrics": ("GetMetricData",), "alarms": ("DescribeAlarms",), "identity": ("GetCallerIdentity",), "survey": ("*",),
}  # fmt: skip
_EFFECT: dict[str, dict[str, Any]] = {
    "metrics_quiet": {"metrics_quiet": True}, "metrics_delay": {"metrics_delay": "4m"}, "errors": {"errors": "5%"},
    "connection_errors": {"connection_errors": "10%"}, "unanswered": {"unanswered": "2%"}, "elb_504": {"elb_504": "5%"},
    "latency_factor": {"latency_factor": 4.0}, "errors_first": {"errors_first": "30%"}, "share": {"share": "90%"},
    "share_above": {"share_above": "20%"}, "propagation": {"propagation": "2m"},
}  # fmt: skip
_WRITER: dict[str, dict[str, Any]] = {
    "weight": {"weight": 30}, "add_group": {"add_group": 10}, "drop_destination": {"drop_destination": True},
    "drop_both": {"drop_both": True}, "sticky": {"sticky": "10m"}, "delete_rule": {"delete_rule": True},
}  # fmt: skip
_GONE_AFTER = 240
"""Seconds after which a run is killed that is to meet something without a process."""


def aimed(kind: str, phase: str, chance: random.Random) -> tuple[list[Entry], dict[str, Any]]:
    """Entries that bring this kind of trouble to a run in this phase, and what the plan must have for it."""
    when = _when(kind, phase, chance)
    entries = [*_way_to(kind, phase, chance), *_occurs(kind, when, chance)]
    plan: dict[str, Any] = {}
    if kind.startswith("alarm"):
        plan["gates"] = [
            {"errors": {"max": "1%"}},
            {"healthy": {"min": 2}},
            {"alarm": {"name": "team"}},
        ]
    return entries, plan


def _when(kind: str, phase: str, chance: random.Random) -> dict[str, Any]:
    if phase == "PREFLIGHT":
        # its first look comes at once; nobody can say a command to a process before it is there
        at_once = kind.split(maxsplit=1)[0] in (
            *_OPERATION,
            "disk",
            "source",
            "destination",
            "both",
            "alarm",
        )
        return {"after": "0s" if at_once else f"{chance.randint(1, 3)}s"}
    if phase == NO_PROCESS:
        return {"after": f"{_GONE_AFTER + chance.randint(60, 200)}s"}
    quick = phase in ("ATTACHING", "SHIFTING") or kind.startswith("write")
    return {"phase": phase, "after": "0s" if quick else chance.choice(("0s", "1s", "5s"))}


def _way_to(kind: str, phase: str, chance: random.Random) -> list[Entry]:
    """What brings a run there, and the calls that are to go wrong."""
    entries = _way(phase, chance)
    if kind.startswith("identity") and phase not in ("PREFLIGHT", "ATTACHING", "BAKING"):
        # who we are is asked by each new process, and before a raise
        entries.append(("deaths", {"when": {"phase": phase}, "back_after": "1m"}))
    return entries


def _way(phase: str, chance: random.Random) -> list[Entry]:
    bake: dict[str, Any] = {"phase": "BAKING", "after": f"{chance.randint(0, 100)}s"}
    match phase:
        case "HOLDING":
            return [("commands", {"when": bake, "command": "pause"})]
        case "ROLLING_BACK":
            if chance.random() < 0.3:
                return [("effects", {"when": bake, "errors": "8%"})]
            return [("commands", {"when": bake, "command": "rollback"})]
        case _ if phase == NO_PROCESS:
            death = {
                "when": {"after": f"{_GONE_AFTER}s"},
                "back_after": "10m",
                "commands": ["resume"],
            }
            return [("deaths", death)]
        case _:
            return []


def _occurs(kind: str, when: dict[str, Any], chance: random.Random) -> list[Entry]:
    head, _, rest = kind.partition(" ")
    makers: dict[str, Callable[[], list[Entry]]] = {
        "alarm": lambda: [("effects", {"when": when, "alarm": "*", "alarm_state": rest, "lasts": "5m"})],
        "source": lambda: _side(head, rest, when),
        "destination": lambda: _side(head, rest, when),
        "both": lambda: _side(head, rest, when),
        "writer": lambda: [("writer", {"when": when, **_WRITER[rest]})],
        "disk": lambda: _disk(rest.removeprefix("refuses "), when, chance),
        "killed": lambda: [("deaths", _point(rest, when))],
        "power": lambda: [("deaths", _point(rest.removeprefix("lost "), when, power=True))],
        "machine": lambda: [("stops", _point(rest.removeprefix("stopped "), when, lasts=chance.choice(("3s", "40s", "5m"))))],
        "clock": lambda: [("jumps", {"when": when, "by_ms": chance.choice((-60_000, 3_000, 600_000))})],
        "lease": lambda: [("lease", {"when": when, "lasts": "40s"})],
        "taken": lambda: [("take_overs", {"when": when, "command": chance.choice(("resume", "rollback"))})],
        "says": lambda: _says(rest, when),
    }  # fmt: skip
    return makers[head]() if head in makers else _fault(head, rest, when, chance)


def _fault(about: str, kind: str, when: dict[str, Any], chance: random.Random) -> list[Entry]:
    by = {"stale": ("16s", "10m"), "delayed": ("4s", "45s", "5m"), "slow": ("2s", "9s")}
    how_often = chance.choice(({"times": 1}, {"times": 3}))
    if about == "identity":
        how_often = {"times": 2}
    fault = {"when": when, "operation": chance.choice(_OPERATION[about]), "kind": kind}
    return [("faults", {**fault, "by": chance.choice(by.get(kind, ("10s",))), **how_often})]


def _side(side: str, what: str, when: dict[str, Any]) -> list[Entry]:
    if what in _EFFECT:
        return [("effects", {"when": when, "side": side, "lasts": "6m", **_EFFECT[what]})]
    state = what.removesuffix(" in part")
    part = {"count": 2} if state != what else {}
    return [("health", {"when": when, "side": side, "state": state, "lasts": "3m", **part})]


def _disk(operation: str, when: dict[str, Any], chance: random.Random) -> list[Entry]:
    trouble = {
        "when": when,
        "kind": chance.choice(("io", "read_only")),
        "operation": operation,
        "lasts": "70s",
    }
    # a command that is left in a file touches the disk in every way
    return [
        ("disk", trouble),
        ("commands", {"when": {**when, "after": "6s"}, "command": "approve"}),
    ]


def _point(kind: str, when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"when": when, "point": kind.removeprefix("at "), **more}


def _says(what: str, when: dict[str, Any]) -> list[Entry]:
    command = what.removesuffix(" 2 times at once")
    return [("commands", {"when": when, "command": command, "times": 1 if command == what else 2})]
