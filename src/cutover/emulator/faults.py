"""AWS calls that go wrong: refused without effect, answered too late, or applied with the reply lost.

A call that raised may or may not have taken effect; each kind says which, so that the run has to find out by reading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from botocore.exceptions import ReadTimeoutError

from cutover.core.values import SECOND
from cutover.emulator.clock import VirtualClock
from cutover.emulator.injections import Crash, Fault
from cutover.emulator.occurrences import Occurrence, Occurrences
from cutover.emulator.responses import AwsError, Call, RunnerKilledError
from cutover.emulator.script import Script

HANGS_MS = 10 * SECOND
"""How long a caller waits for a reply that does not come: the adapters' read timeout."""


_READS_OF_ROUTES = ("DescribeRules", "DescribeListeners")
_ONLY_OF = {
    "partial_data": ("GetMetricData",),
    "internal_error": ("GetMetricData",),
    "stale": _READS_OF_ROUTES,
    "another": _READS_OF_ROUTES,
    "incomplete": (*_READS_OF_ROUTES, "DescribeTargetHealth", "GetMetricData", "DescribeAlarms"),
    "mismatch": ("ModifyRule", "ModifyListener"),
}
"""Kinds of faults that only some operations can have."""


@dataclass
class _Armed:
    fault: Fault
    occurrence: Occurrence
    active: bool = False
    seen: int = 0
    done: int = 0


@dataclass
class _ArmedCrash:
    crash: Crash
    occurrence: Occurrence
    active: bool = False


class Faults:
    """The scripted faults and crashes, consulted before and after the effect of each call."""

    def __init__(self, clock: VirtualClock, script: Script, occurrences: Occurrences) -> None:
        self._clock = clock
        self._script = script
        self._occurrences = occurrences
        self._armed: list[_Armed] = []
        self._crashes: list[_ArmedCrash] = []
        self.count = 0

    def arm(self, fault: Fault, occurrence: Occurrence) -> None:
        """From when its conditions hold, until it `lasts`."""
        armed = _Armed(fault, occurrence)
        self._armed.append(armed)

        def begin() -> None:
            armed.active = True
            self._occurrences.begin(occurrence)
            if fault.lasts is not None:
                self._clock.at(self._clock.ms + fault.lasts, end)

        def end() -> None:
            armed.active = False

        self._script.on(fault.when, begin)

    def arm_crash(self, crash: Crash, occurrence: Occurrence) -> None:
        """At the write that fulfils its conditions, or at the first one some time later (those at a wait belong to the inbox)."""
        armed = _ArmedCrash(crash, occurrence)
        self._crashes.append(armed)
        if crash.when.waits:
            self._script.on(crash.when, lambda: setattr(armed, "active", True))

    def next_for(self, call: Call, weight: int | None) -> Fault | None:
        """The fault that this call meets, if any. `weight` is what a write asks for."""
        for armed in self._armed:
            fault = armed.fault
            if not fnmatchcase(call.operation, fault.operation):
                continue
            if call.operation not in _ONLY_OF.get(fault.kind, (call.operation,)):
                continue
            if not (
                armed.active
                or (
                    not fault.when.waits
                    and fault.lasts is None
                    and self._script.holds(fault.when, weight=weight)
                )
            ):
                continue
            self._occurrences.begin(armed.occurrence, asked=weight or 0)
            armed.seen += 1
            if armed.seen <= fault.skip or (fault.times is not None and armed.done >= fault.times):
                continue
            armed.done += 1
            armed.occurrence.meet("")
            self.count += 1
            return fault
        return None

    def without_effect(self, fault: Fault | None, call: Call) -> None:
        """Refuse, or hang and never apply.

        Raises:
            AwsError: for a refusal.
            ReadTimeoutError: when the reply did not come.
        """
        match fault.kind if fault is not None else "":
            case "throttled":
                raise AwsError("Throttling", "Rate exceeded")
            case "denied":
                action = f"{_IAM.get(call.service, call.service)}:{call.operation}"
                raise AwsError(
                    "AccessDenied", f"User is not authorized to perform: {action}", status=403
                )
            case "expired":
                raise AwsError(
                    "ExpiredToken",
                    "The security token included in the request is expired",
                    status=403,
                )
            case "error":
                raise AwsError("InternalFailure", "An internal error has occurred", status=500)
            case "timeout":
                self._hang(call, fault.by if fault is not None else HANGS_MS)
            case "slow":
                self._clock.sleep(fault.by if fault is not None else 0)
            case _:
                pass

    def after_effect(self, fault: Fault | None, call: Call) -> None:
        """The call was applied, and its reply is lost.

        Raises:
            ReadTimeoutError: always, for such a fault.
        """
        if fault is not None and fault.kind == "lost_reply":
            self._hang(call, fault.by)

    def delay(self, fault: Fault, call: Call, effect: Callable[[], object]) -> None:
        """The effect comes later than the caller waits, or just before.

        Raises:
            ReadTimeoutError: always.
        """
        self._clock.at(self._clock.ms + fault.by, lambda: (effect(), None)[1])
        self._hang(call, HANGS_MS)

    def crash(self, point: str, weight: int | None) -> None:
        """Kill the runner here, if the scenario says so.

        Raises:
            RunnerKilledError: then.
        """
        for armed in self._crashes:
            crash = armed.crash
            if crash.point == point and (
                armed.active
                or (not crash.when.waits and self._script.holds(crash.when, weight=weight))
            ):
                self._crashes.remove(armed)
                self._occurrences.begin(armed.occurrence, asked=weight or 0)
                raise killed(crash)

    def calm(self) -> None:
        """Nothing more goes wrong: what was armed is forgotten."""
        self._armed.clear()
        self._crashes.clear()

    def _hang(self, call: Call, ms: int) -> None:
        self._clock.sleep(min(ms, HANGS_MS))
        raise ReadTimeoutError(endpoint_url=f"rehearsal:{call.service}/{call.operation}")


def killed(crash: Crash) -> RunnerKilledError:
    """The exception that a crash is."""
    return RunnerKilledError(
        back_after_ms=crash.back_after, commands=crash.commands, rebooted=crash.rebooted
    )


_IAM = {
    "elbv2": "elasticloadbalancing",
    "cloudwatch": "cloudwatch",
    "sts": "sts",
    "autoscaling": "autoscaling",
}
