"""The gates of a plan: one file each, registered in one literal table."""

from __future__ import annotations

from typing import Any

from cutover.core.gates.alarm import ALARM
from cutover.core.gates.api import Counts, Gate, GateContext, Judgement, Verdict
from cutover.core.gates.capacity import CAPACITY
from cutover.core.gates.client_errors import CLIENT_ERRORS
from cutover.core.gates.errors import ERRORS
from cutover.core.gates.healthy import HEALTHY
from cutover.core.gates.latency import LATENCY
from cutover.core.gates.lb_errors import LB_ERRORS
from cutover.core.gates.metric import METRIC
from cutover.core.gates.spec import CountingSpec, GateSpec, OnBreach

__all__ = [
    "GATES",
    "CountingSpec",
    "Counts",
    "Gate",
    "GateContext",
    "GateSpec",
    "Judgement",
    "OnBreach",
    "Verdict",
]

GATES: dict[str, Gate[Any]] = {
    "errors": ERRORS,
    "latency": LATENCY,
    "client_errors": CLIENT_ERRORS,
    "lb_errors": LB_ERRORS,
    "healthy": HEALTHY,
    "capacity": CAPACITY,
    "metric": METRIC,
    "alarm": ALARM,
}
"""Every gate by the command a plan calls it by. The plan model, its JSON schema and the docs are made from it."""
