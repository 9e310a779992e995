"""Sets a scenario in motion: each of its entries is armed, begins when its time comes, and ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cutover.core.plan import Plan
from cutover.emulator.active_injections import Active
from cutover.emulator.balancer import Balancer
from cutover.emulator.clock import VirtualClock
from cutover.emulator.cloudwatch import CloudWatch
from cutover.emulator.external_writer import ExternalWriter
from cutover.emulator.faults import Faults
from cutover.emulator.health import Sickness
from cutover.emulator.inbox import ScriptedInbox
from cutover.emulator.injections import Crash, Effect, HealthChange, Say, Write
from cutover.emulator.occurrences import Entry, Occurrence, Occurrences
from cutover.emulator.scenario import Scenario
from cutover.emulator.script import Script
from cutover.emulator.traffic import Traffic


class ScenarioRunner:
    """Everything that a scenario can move."""

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        *,
        clock: VirtualClock,
        script: Script,
        balancer: Balancer,
        traffic: Traffic,
        cloudwatch: CloudWatch,
        inbox: ScriptedInbox,
        faults: Faults,
        occurrences: Occurrences,
        wrote: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._scenario = scenario
        self._clock = clock
        self._script = script
        self._balancer = balancer
        self._traffic = traffic
        self._cloudwatch = cloudwatch
        self._inbox = inbox
        self._faults = faults
        self._occurrences = occurrences
        self._wrote = wrote

    def set(self) -> None:
        """Arm everything."""
        scenario, on = self._scenario, self._script.on
        writer = ExternalWriter(self._plan, self._balancer, self._wrote)
        for number, effect in enumerate(scenario.effects, start=1):
            one = self._occurrence("effects", number, effect)
            on(effect.when, partial(self._begin, effect, one))
        for number, change in enumerate(scenario.health, start=1):
            one = self._occurrence("health", number, change)
            on(change.when, partial(self._sicken, change, one))
        for number, write in enumerate(scenario.writer, start=1):
            one = self._occurrence("writer", number, write)
            on(write.when, partial(self._write, writer, write, one))
        for number, fault in enumerate(scenario.faults, start=1):
            self._faults.arm(fault, self._occurrence("faults", number, fault))
        for number, line in enumerate(scenario.operator, start=1):
            on(line.when, partial(self._say, line, self._occurrence("operator", number, line)))
        for number, crash in enumerate(scenario.crash, start=1):
            self._arm_crash(crash, self._occurrence("crash", number, crash))

    def _occurrence(self, section: str, number: int, entry: Entry) -> Occurrence:
        return self._occurrences.of(section, number, entry, self._script.waits_for(entry.when))

    def _arm_crash(self, crash: Crash, one: Occurrence) -> None:
        if crash.point == "waiting":
            self._script.on(
                crash.when,
                lambda: self._inbox.crash(crash, lambda: self._occurrences.begin(one)),
            )
        else:
            self._faults.arm_crash(crash, one)

    def _say(self, line: Say, one: Occurrence) -> None:
        self._occurrences.begin(one)
        self._inbox.say(line, lambda: one.meet(""))

    def _write(self, writer: ExternalWriter, change: Write, one: Occurrence) -> None:
        self._occurrences.begin(one)
        one.meet("", writer.write(change))

    def _begin(self, effect: Effect, one: Occurrence) -> None:
        self._occurrences.begin(one)
        active = self._traffic.weather.begin(effect, one)
        for alarm in self._alarms(effect):
            self._cloudwatch.set_alarm(alarm, effect.alarm_state, lambda: one.meet("alarm"))
        if effect.lasts is not None:
            self._clock.at(self._clock.ms + effect.lasts, lambda: self._end(active))
        if effect.every is not None:
            self._clock.at(self._clock.ms + effect.every, lambda: self._begin(effect, one))

    def _end(self, active: Active) -> None:
        self._traffic.weather.end(active)
        for alarm in self._alarms(active.effect):
            self._cloudwatch.set_alarm(alarm, "OK")

    def _alarms(self, effect: Effect) -> tuple[str, ...]:
        """The alarms it means: `*` is every one that the plan names."""
        if effect.alarm == "*":
            return tuple(self._cloudwatch.alarms)
        return (effect.alarm,) if effect.alarm is not None else ()

    def _sicken(self, change: HealthChange, one: Occurrence) -> None:
        self._occurrences.begin(one)
        self._traffic.catch_up(self._clock.ms)
        for arn in dict.fromkeys(
            r.source if change.side == "source" else r.destination for r in self._plan.routes
        ):
            group = self._balancer.group(arn)
            if group is None:
                continue
            zones = sorted({m.zone for m in group.members})
            ids = [
                m.id
                for m in group.members
                if change.zone is None or zones[change.zone - 1 : change.zone] == [m.zone]
            ]
            some = frozenset(ids[: change.count])
            sick = Sickness(arn, some, change.state, change.reason, partial(one.meet, ""))
            if change.state == "gone":
                one.meet("", group.take_away(sick.ids))
            else:
                self._balancer.book.sicknesses.append(sick)
            if change.lasts is not None:
                self._clock.at(self._clock.ms + change.lasts, partial(self._heal, sick))

    def _heal(self, sick: Sickness) -> None:
        self._traffic.catch_up(self._clock.ms)
        group = self._balancer.group(sick.group)
        if sick.state == "gone":
            if group is not None:
                group.bring_back(sick.ids)
        else:
            book = self._balancer.book
            book.sicknesses = [one for one in book.sicknesses if one is not sick]
