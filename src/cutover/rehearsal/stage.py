"""Sets a scenario in motion: each of its entries is armed, begins when its time comes, and ends."""

from __future__ import annotations

from collections.abc import Callable

from cutover.core.plan import Plan
from cutover.rehearsal.balancer import Balancer
from cutover.rehearsal.clock import VirtualClock
from cutover.rehearsal.cloudwatch import CloudWatch
from cutover.rehearsal.faults import Faults
from cutover.rehearsal.happenings import Crash, Effect, HealthChange
from cutover.rehearsal.health import Sickness
from cutover.rehearsal.mailbox import ScriptedMailbox
from cutover.rehearsal.scenario import Scenario
from cutover.rehearsal.script import Script
from cutover.rehearsal.second_writer import SecondWriter
from cutover.rehearsal.traffic import Traffic


class Stage:
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
        mailbox: ScriptedMailbox,
        faults: Faults,
        wrote: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._scenario = scenario
        self._clock = clock
        self._script = script
        self._balancer = balancer
        self._traffic = traffic
        self._cloudwatch = cloudwatch
        self._mailbox = mailbox
        self._faults = faults
        self._wrote = wrote

    def set(self) -> None:
        """Arm everything."""
        scenario = self._scenario
        writer = SecondWriter(self._plan, self._balancer, self._wrote)
        for effect in scenario.effects:
            self._script.on(effect.when, lambda e=effect: self._begin(e))  # type: ignore[misc]
        for change in scenario.health:
            self._script.on(change.when, lambda c=change: self._sicken(c))  # type: ignore[misc]
        for write in scenario.writer:
            self._script.on(write.when, lambda w=write: writer.write(w))  # type: ignore[misc]
        for fault in scenario.faults:
            self._faults.arm(fault)
        for line in scenario.operator:
            self._script.on(line.when, lambda s=line: self._mailbox.say(s))  # type: ignore[misc]
        for crash in scenario.crash:
            self._arm_crash(crash)

    def _arm_crash(self, crash: Crash) -> None:
        if crash.point == "waiting":
            self._script.on(crash.when, lambda: self._mailbox.crash(crash))
        else:
            self._faults.arm_crash(crash)

    def _begin(self, effect: Effect) -> None:
        self._traffic.weather.begin(effect)
        if effect.alarm is not None:
            self._cloudwatch.set_alarm(effect.alarm, effect.alarm_state)
        if effect.lasts is not None:
            self._clock.at(self._clock.ms + effect.lasts, lambda: self._end(effect))
        if effect.every is not None:
            self._clock.at(self._clock.ms + effect.every, lambda: self._begin(effect))

    def _end(self, effect: Effect) -> None:
        self._traffic.weather.end(effect)
        if effect.alarm is not None:
            self._cloudwatch.set_alarm(effect.alarm, "OK")

    def _sicken(self, change: HealthChange) -> None:
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
            sick = Sickness(arn, frozenset(ids[: change.count]), change.state, change.reason)
            if change.state == "gone":
                group.take_away(sick.ids)
            else:
                self._balancer.book.sicknesses.append(sick)
            if change.lasts is not None:
                self._clock.at(self._clock.ms + change.lasts, lambda s=sick: self._heal(s))  # type: ignore[misc]

    def _heal(self, sick: Sickness) -> None:
        self._traffic.catch_up(self._clock.ms)
        group = self._balancer.group(sick.group)
        if sick.state == "gone":
            if group is not None:
                group.bring_back(sick.ids)
        else:
            self._balancer.book.sicknesses.remove(sick)
