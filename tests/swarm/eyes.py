"""What is seen of a run of the swarm: its facts, and which trouble met it in which phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from cutover.core.journal.events import PhaseChanged, Record
from cutover.core.plan import Plan
from cutover.emulator.injections import Effect, When, Write
from cutover.emulator.responses import Call
from cutover.emulator.scenario import Scenario
from cutover.emulator.world import World
from tests.promises.from_rehearsal import Observer

NO_PROCESS = "no process"
_OF = {
    "ModifyRule": "write", "ModifyListener": "write", "DescribeRules": "routes", "DescribeListeners": "routes",
    "DescribeTargetHealth": "health", "GetMetricData": "metrics", "DescribeAlarms": "alarms", "GetCallerIdentity": "identity",
}  # fmt: skip
"""What a call is about; the others are the survey's."""


class Eyes(Observer):
    """The facts, and the cells of trouble and phase that were hit.

    Attributes:
        cells: how often each trouble met the run in each phase.
        phase_told: told of each change of phase.
        epoch: of the newest record.
        alive: a process drives the run.
    """

    def __init__(self, plan: Plan, reach: Callable[[str, str], None]) -> None:
        super().__init__(plan)
        self.cells: Counter[tuple[str, str]] = Counter()
        self.phase_told: Callable[[PhaseChanged], None] = lambda _event: None
        self.epoch = 0
        self.alive = False
        self._reach = reach
        self._active: list[str] = []
        self._called_in = NO_PROCESS

    @property
    def phase(self) -> str:
        """Where the run is, as people are told."""
        return str(self.state.phase) if self.alive else NO_PROCESS

    def meet(self, kind: str, point: str = "") -> None:
        """The run meets trouble of this kind now."""
        self.cells[f"{kind} at {point}" if point else kind, self.phase] += 1

    def process_begins(self) -> None:
        """A process drives the run from now on, in whatever trouble there is."""
        self.alive = True
        for kind in self._active:
            self.meet(kind)

    def process_gone(self) -> None:
        """Nobody drives the run."""
        self.alive = False

    def calm(self) -> None:
        """Nothing more goes wrong."""
        self._active.clear()

    def calling(self, call: Call) -> None:
        # the call's own answer may be where its process is killed
        self._called_in = self.phase
        self._reach("call", call.operation)

    def replied(self, number: int, route: str, answer: str) -> None:
        super().replied(number, route, answer)
        rule = ":listener-rule/" in route
        self._reach("reply", "ModifyRule" if rule else "ModifyListener")

    def answered(self, call: Call, body: Mapping[str, Any] | None) -> None:
        super().answered(call, body)
        self._reach("reply", call.operation)

    def met(self, kind: str, operation: str) -> None:
        # one that stood still while another process ended the run asks once more: that belongs to no phase
        if self._called_in != NO_PROCESS:
            self.cells[f"{_OF.get(operation, 'survey')} {kind}", self._called_in] += 1

    def on_record(self, record: Record) -> None:
        self.epoch = max(self.epoch, record.epoch)
        super().on_record(record)
        if isinstance(record.event, PhaseChanged):
            for kind in self._active:
                self.meet(kind)
            self.phase_told(record.event)

    def watch(self, scenario: Scenario, world: World) -> None:
        """Follow what the scenario file says beside the calls: when it is in force, and in which phases."""
        for effect in scenario.effects:
            self._follow(world, effect.when, _effect_name(effect), effect.lasts)
        for change in scenario.health:
            name = f"{change.side} {change.state}" + (" in part" if change.count else "")
            self._follow(world, change.when, name, change.lasts)
        for write in scenario.writer:
            self._follow(world, write.when, f"writer {_write_name(write)}", 1)

    def _follow(self, world: World, when: When, kind: str, lasts: int | None) -> None:
        def begins() -> None:
            self._active.append(kind)
            self.meet(kind)
            if lasts is not None:
                world.clock.at(world.clock.ms + lasts, ends)

        def ends() -> None:
            if kind in self._active:
                self._active.remove(kind)

        world.script.on(when, begins)


def _effect_name(effect: Effect) -> str:
    (part, *_) = effect.parts
    if part == "alarm":
        return f"alarm {effect.alarm_state}"
    return f"{effect.side} {part}"


def _write_name(write: Write) -> str:
    said = write.model_dump(exclude_defaults=True, exclude={"when", "who", "route", "optional"})
    return str(next(iter(said)))
