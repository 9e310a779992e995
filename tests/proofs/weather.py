"""Random scenarios: what may go wrong in a rehearsal, thrown together by a seed."""

from __future__ import annotations

import json
import random
from typing import Any

from cutover.core.plan import Plan
from cutover.rehearsal.scenario import Scenario
from tests.fakes import TWO_ROUTES, plan_of

PHASES = ("ATTACHING", "SHIFTING", "SETTLING", "BAKING", "HOLDING", "ROLLING_BACK")
READS = (
    "DescribeRules",
    "DescribeListeners",
    "DescribeTargetHealth",
    "GetMetricData",
    "Describe*",
)
WORDS = ("pause", "resume", "rollback", "approve", "interrupt", "accept_drift", "leave", "finish")


def random_plan(chance: random.Random) -> Plan:
    """A small plan: one or two routes, two or three short steps, sometimes other ways to be safe."""
    weights = sorted(chance.sample((10, 50, 100, 250, 500, 750), 2))
    steps: list[dict[str, object]] = [
        {"weight": weight / 10, "bake": chance.choice(("5m", "8m"))} for weight in weights
    ]
    if chance.random() < 0.7:
        steps.append({"weight": 100, "bake": "5m"})
    if chance.random() < 0.2:
        steps[-1]["approve"] = "it was tested"
    safety = {
        "on_drift": chance.choice(("hold", "rollback")),
        "on_interrupt": chance.choice(("hold", "rollback")),
        "on_hold_timeout": chance.choice(("hold", "rollback")),
        "hold_timeout": chance.choice(("20m", "2h")),
        "ask_timeout": chance.choice(("5m", "15m")),
    }
    changes: dict[str, object] = {"steps": steps, "safety": safety}
    if steps[-1]["weight"] == 100 and chance.random() < 0.5:
        changes["hold_back"] = chance.choice(("5%", "20%"))
    if chance.random() < 0.5:
        changes["routes"] = list(TWO_ROUTES)
    return plan_of(**changes)


def random_scenario(chance: random.Random) -> Scenario:
    """Up to a handful of things that go wrong, in any order."""
    data: dict[str, Any] = {
        "description": "random",
        "limit": "8h",
        "exit_on_hold": chance.random() < 0.3,
        "approve_after": chance.choice(("2m", "never")),
        "traffic": {"rate": chance.choice(("600/min", "6000/min", "20000/min"))},
        "effects": [_effect(chance) for _ in range(chance.randrange(3))],
        "faults": [_fault(chance) for _ in range(chance.randrange(3))],
        "health": [_health(chance) for _ in range(int(chance.random() < 0.3))],
        "writer": [_write(chance) for _ in range(int(chance.random() < 0.25))],
        "operator": [_say(chance) for _ in range(chance.randrange(3))],
        "crash": [_crash(chance) for _ in range(int(chance.random() < 0.35))],
    }
    return Scenario.model_validate_json(json.dumps(data))


def _when(chance: random.Random) -> dict[str, Any]:
    when: dict[str, Any] = {"after": f"{chance.randrange(0, 900)}s"}
    kind = chance.randrange(4)
    if kind == 0:
        when["step"] = chance.randint(1, 2)
    elif kind == 1:
        when["phase"] = chance.choice(PHASES)
    elif kind == 2:
        when["going_back"] = True
    return when


def _effect(chance: random.Random) -> dict[str, Any]:
    what: dict[str, Any] = chance.choice(
        (
            {"errors": "5%"},
            {"errors": "0.6%"},
            {"connection_errors": "10%"},
            {"unanswered": "2%"},
            {"elb_504": "5%"},
            {"latency_factor": 4.0},
            {"metrics_quiet": True},
            {"metrics_delay": "6m"},
            {"side": "source", "errors": "5%"},
            {"side": "both", "errors": "5%"},
            {"share": "90%"},
            {"propagation": "12m"},
        )
    )
    lasts = chance.choice(({}, {"lasts": "3m"}, {"lasts": "15m"}))
    return {"when": _when(chance), **what, **lasts}


def _fault(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.6:
        operation = chance.choice(("ModifyRule", "ModifyListener", "Modify*"))
        kind = chance.choice(("throttled", "error", "timeout", "lost_reply", "delayed", "denied"))
    else:
        operation = chance.choice(READS)
        kind = chance.choice(("throttled", "error", "timeout", "denied", "expired", "slow"))
    fault = {"operation": operation, "kind": kind, "when": _when(chance)}
    return fault | chance.choice(
        ({"times": chance.randint(1, 4)}, {"lasts": "2m"}, {"lasts": "20m"})
    )


def _health(chance: random.Random) -> dict[str, Any]:
    return {
        "when": _when(chance),
        "lasts": "5m",
        "side": chance.choice(("source", "destination")),
        "state": chance.choice(("unhealthy", "draining", "gone")),
    }


def _write(chance: random.Random) -> dict[str, Any]:
    what = chance.choice(
        ({"weight": chance.choice((0, 30, 100))}, {"drop_destination": True}, {"drop_both": True})
    )
    return {"when": _when(chance), "route": 1, **what}


def _say(chance: random.Random) -> dict[str, Any]:
    return {"when": _when(chance), "word": chance.choice(WORDS)}


def _crash(chance: random.Random) -> dict[str, Any]:
    return {
        "when": _when(chance),
        "point": chance.choice(("before_write", "after_write", "waiting")),
        "back_after": chance.choice(("1m", "40m", "never")),
        "words": chance.choice((["resume"], ["rollback"])),
        "rebooted": chance.random() < 0.3,
    }
