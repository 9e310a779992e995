"""The real runner and the real AWS adapters in a world, with the journal in memory: what `app` does, without disks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cutover.aws.alb import AlbRouter
from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.fanout import Inline
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession
from cutover.aws.survey import AwsSurveyor
from cutover.aws.target_health import AlbTargetHealth
from cutover.core.journal.events import Event, LeaseTaken, PhaseChanged, RunOpen
from cutover.core.observation import CommandName, OperatorCommand
from cutover.core.plan import Plan
from cutover.core.state import RunState, replay
from cutover.emulator.ending import Ending
from cutover.emulator.responses import RehearsalOverError, RunnerKilledError
from cutover.emulator.scenario import Scenario
from cutover.emulator.world import World
from cutover.local.plan_file import load_plan
from cutover.local.yaml_file import load_model
from cutover.runner import Ports, Runner
from tests.fakes import FakeJournal, FakeLease

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "plans" / "scenarios"
OUTCOMES = {
    "COMPLETED": "completed",
    "FINISHED": "completed",
    "ROLLED_BACK": "rolled_back",
    "HOLDING": "held",
    "REFUSED": "refused",
    "NEEDS_HUMAN": "needs_human",
}


def checkout() -> Plan:
    return load_plan(ROOT / "plans" / "checkout.yaml").plan


def scenario(name: str) -> Scenario:
    return load_model(SCENARIOS / f"{name}.yaml", Scenario, what="scenario")


@dataclass
class Drive:
    """One rehearsed run."""

    plan: Plan
    world: World
    exit_on_hold: bool = False
    journal: FakeJournal = field(default_factory=FakeJournal)

    def ports(self) -> Ports:
        world, fanout = self.world, Inline()
        aws = AwsSession(world.session, world.clock, emulated=True, random=Random(1))
        ends = {route.id: Ends(route.source, route.destination) for route in self.plan.routes}
        return Ports(
            AlbRouter(aws, fanout, ends),
            CloudWatchMetrics(aws, fanout, self.plan.observe),
            AlbTargetHealth(aws, fanout),
            CloudWatchAlarms(aws, fanout),
            AwsSurveyor(aws, fanout),
            self.journal,
            FakeLease(),
            world.clock,
            world.inbox,
            (world.listener,),
        )

    def run(self) -> Ending:
        """From the first look to the end, through every scripted crash."""
        plan, commands = self.plan, tuple[str, ...]()
        self._note(
            RunOpen(
                plan.name,
                plan.hash,
                plan.aws.account,
                plan.aws.region,
                "rehearsal",
                "0",
                tuple(r.id for r in plan.routes),
            )
        )
        while True:
            try:
                code = int(self._once(commands))
            except RunnerKilledError as death:
                commands = self.world.revive(death)
                if not commands:
                    return self._ending(-1)
            except RehearsalOverError:
                return self._ending(-1)
            else:
                return self._ending(code)

    def _once(self, commands: Sequence[str]) -> int:
        self.journal.epoch += bool(commands)
        self._note(
            LeaseTaken(
                "rehearsal", "host", 1, commands[0] if commands else "run", int(self.exit_on_hold)
            )
        )
        runner = Runner(self.plan, self.ports(), replay(self.plan, self.journal.records))
        return runner.run(
            tuple(
                OperatorCommand(CommandName(name), "operator", source="first") for name in commands
            )
        )

    def _note(self, event: Event) -> None:
        self.journal.append(event, self.world.clock.now())

    def state(self) -> RunState:
        return replay(self.plan, self.journal.records)

    def _ending(self, code: int) -> Ending:
        state = self.state()
        outcome = OUTCOMES.get(str(state.phase), "ended")
        steps = tuple(int(step.weight) for step in self.plan.steps)
        return Ending(outcome, code, self.reason(), self.world.truth(), steps)

    def reason(self) -> str:
        """Why the last turn of the story came: the rollback's, the hold's or the end's."""
        phases = [r.event for r in self.journal.records if isinstance(r.event, PhaseChanged)]
        back = [p for p in phases if p.after == "ROLLING_BACK"]
        return (back or phases)[-1].why if phases else ""

    def phases(self) -> list[str]:
        return [r.event.after for r in self.journal.records if isinstance(r.event, PhaseChanged)]
