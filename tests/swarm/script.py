"""One run of the swarm as a file: the plan, the scenario file, and what no scenario file says.

`Script.model_validate_json(text)` reads what `text` wrote, and the same script makes the same run.
"""

from __future__ import annotations

import errno
import json
from typing import Any, Literal

from pydantic import Field

from cutover.core.plan import Plan
from cutover.core.units import Duration, Model
from cutover.core.values import HOUR, MINUTE
from cutover.emulator.injections import DurationOrNever, Injection, When
from cutover.emulator.scenario import Scenario
from tests.fakes import plan_of

Point = Literal["waiting", "call", "reply", "disk", "disk_done"]
"""Where a process can be met: between two turns, before a call, before its reply is seen, before or after a disk operation."""

ERRNO = {"full": errno.ENOSPC, "io": errno.EIO, "read_only": errno.EROFS}


class DiskTrouble(Injection):
    """The disk refuses."""

    when: When = When()
    lasts: Duration = Field(MINUTE, gt=0)
    kind: Literal["full", "io", "read_only"] = "full"
    operation: Literal["*", "write", "sync", "create", "replace", "sync_directory", "read"] = "*"
    room: int = Field(0, ge=0, description="For full: so many bytes are still taken.")


class LeaseLoss(Injection):
    """The lock files are deleted: nobody else's, and taken again at the next look while nothing keeps them away."""

    when: When = When()
    lasts: Duration = Field(1, gt=0)


class TakeOver(Injection):
    """The process stands still, and another one becomes the runner and ends the run, or dies; then the first one wakes."""

    when: When = When()
    command: Literal["resume", "rollback"] = "rollback"


class Stop(Injection):
    """The machine stands still, at a point that a process reaches."""

    when: When = When()
    point: Point = "waiting"
    operation: str = "*"
    skip: int = Field(0, ge=0)
    lasts: Duration = Field(MINUTE, gt=0)


class Jump(Injection):
    """The wall clock of this machine is set to another time."""

    when: When = When()
    by_ms: int


class Death(Injection):
    """The process is killed at a point that it reaches; with `power` the machine loses what was not synced."""

    when: When = When()
    point: Point = "waiting"
    operation: str = "*"
    skip: int = Field(0, ge=0)
    power: bool = False
    back_after: DurationOrNever = 5 * MINUTE
    commands: tuple[str, ...] = ("resume",)


class Command(Injection):
    """An operator's command, from another terminal; or a switch, or a signal."""

    when: When = When()
    command: Literal[
        "pause",
        "resume",
        "approve",
        "rollback",
        "finish",
        "finish_and_detach",
        "interrupt",
        "confirm_restored",
        "accept_drift",
        "leave",
        "hold_file",
        "rollback_file",
        "remove_files",
    ]
    times: int = Field(1, ge=1, le=3, description="So often in the same moment.")


SECTIONS = ("disk", "lease", "take_overs", "stops", "jumps", "deaths", "commands")
IN_SCENARIO = ("effects", "health", "writer", "faults")


class Script(Model):
    """See the module.

    Attributes:
        calm_after: nothing goes wrong any more from then on, and somebody looks at the run again and again.
    """

    seed: int = 0
    plan: dict[str, Any] = Field(default_factory=dict)
    scenario: Scenario
    calm_after: Duration = Field(5 * HOUR // 2, gt=0)
    approve_after: DurationOrNever = 2 * MINUTE
    exit_on_hold: bool = False
    last_word: Literal["resume", "rollback"] = "rollback"
    disk: tuple[DiskTrouble, ...] = ()
    lease: tuple[LeaseLoss, ...] = ()
    take_overs: tuple[TakeOver, ...] = ()
    stops: tuple[Stop, ...] = ()
    jumps: tuple[Jump, ...] = ()
    deaths: tuple[Death, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def plan_made(self) -> Plan:
        """The plan, made of the smallest one and this script's keys."""
        return plan_of(**self.plan)

    @property
    def occurrences(self) -> int:
        """How many things go wrong."""
        own = sum(len(getattr(self, name)) for name in SECTIONS)
        return own + sum(len(getattr(self.scenario, name)) for name in IN_SCENARIO)

    def text(self) -> str:
        """As JSON that `--replay` takes."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        said["scenario"] = self.scenario.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def script_of(data: dict[str, Any]) -> Script:
    """The script that this data says, as strict as a file."""
    return Script.model_validate_json(json.dumps(data))
