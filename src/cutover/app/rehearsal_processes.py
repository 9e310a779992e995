"""A rehearsal's processes: the same runner and adapters as for real, killed and started again by the scenario."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from cutover import __version__
from cutover.app.rehearsal_journal import RehearsalJournal
from cutover.app.rehearsal_signals import SignalError, StopOnSignal
from cutover.app.view_writer import ViewWriter
from cutover.aws.alb import AlbRouter
from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.fanout import Inline
from cutover.aws.restore import rehearsed_script
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession
from cutover.aws.survey import AwsSurveyor
from cutover.aws.target_health import AlbTargetHealth
from cutover.core.errors import CutoverError, ExitCode
from cutover.core.journal.events import Close, Event, LeaseTaken, Note, RunOpen
from cutover.core.observation import CommandName, OperatorCommand
from cutover.core.plan import Plan
from cutover.core.reasons import Code
from cutover.core.state import Hold, RunState, evolve, replay
from cutover.emulator.responses import RehearsalOverError, RunnerKilledError
from cutover.emulator.scenario import Scenario
from cutover.emulator.world import World
from cutover.local.lease import SoleLease
from cutover.local.run_directory import RunDirectory
from cutover.local.view_file import plan_digest
from cutover.ports import Listener
from cutover.runner import Ports, Runner


@dataclass
class Rehearsing:
    """One rehearsal, process after process.

    Attributes:
        plan: as the scenario and the judge make it.
        stop: how a signal reaches it.
        state: folded from its journal until now.
    """

    plan: Plan
    scenario: Scenario
    run: RunDirectory
    seed: int
    stop: StopOnSignal
    state: RunState = field(default_factory=RunState)

    def drive(self, world: World, listeners: tuple[Listener, ...]) -> ExitCode:
        """One process after another, as the scenario kills and restarts them."""
        commands: tuple[OperatorCommand, ...] = ()
        while True:
            first = not self.state.opened
            journal = self._journal(first=first)
            try:
                self._append(journal, self._first_records(world, first=first), world, listeners)
                code = self._process(journal, commands, world, listeners, first=first)
                if not (self._asked(code) and world.approved()):
                    return code
                commands = tuple(
                    OperatorCommand(
                        name, "release manager", "approved as the scenario says", "first"
                    )
                    for name in (CommandName.APPROVE, CommandName.RESUME)
                )
            except RunnerKilledError as death:
                named = world.revive(death)
                if not named:
                    return ExitCode.BUG
                commands = tuple(
                    OperatorCommand(CommandName(one), "operator", "after the crash", "first")
                    for one in named
                )
            except RehearsalOverError:
                return ExitCode.HELD
            except SignalError as came:
                self._close(journal, came, world, listeners)
                raise
            finally:
                self._show(journal)
                journal.close()

    def _show(self, journal: RehearsalJournal) -> None:
        """Write how the process left the rehearsal, for `status` and `list`; what cannot be written is left out."""
        with suppress(CutoverError, OSError):
            records = self.run.contents().records
            ViewWriter(self.plan, journal, plan_digest(self.run), records).end(self.state)

    def _asked(self, code: ExitCode) -> bool:
        """The process ended because it needs an approval, and not because of what the scenario is about."""
        held = self.state.held
        return code == ExitCode.HELD and held is not None and held.reason is Hold.APPROVAL

    def _journal(self, *, first: bool) -> RehearsalJournal:
        """A new journal, or for a later process the one that is there, folded again."""

        def restore_text(commands: Sequence[str]) -> str:
            return rehearsed_script(commands, self.run.id)

        if first:
            return RehearsalJournal.begun(self.run, restore_text)
        journal = RehearsalJournal.again(self.run, restore_text)
        self.state = replay(self.plan, journal.contents.records)
        return journal

    def _first_records(self, world: World, *, first: bool) -> list[Event]:
        """What a process says before it looks."""
        plan = self.plan
        taken = LeaseTaken(
            "operator",
            "rehearsal",
            world.restarts + 1,
            exit_on_hold=int(self.scenario.exit_on_hold),
        )
        if not first:
            return [taken]
        opened = RunOpen(
            plan.name,
            plan.hash,
            plan.aws.account,
            plan.aws.region,
            "rehearsal",
            __version__,
            tuple(str(route.id) for route in plan.routes),
        )
        return [opened, taken]

    def _process(
        self,
        journal: RehearsalJournal,
        commands: tuple[OperatorCommand, ...],
        world: World,
        listeners: tuple[Listener, ...],
        *,
        first: bool,
    ) -> ExitCode:
        """The runner with its adapters on the world's session."""
        plan, fanout = self.plan, Inline()
        random = Random(self.seed if first else self.seed + 1)
        aws = AwsSession(world.session, world.clock, emulated=True, trust_date=True, random=random)
        ends = {route.id: Ends(route.source, route.destination) for route in plan.routes}
        ports = Ports(
            AlbRouter(aws, fanout, ends, may_drop=plan.waives("unmodelled")),
            CloudWatchMetrics(aws, fanout, plan.observe),
            AlbTargetHealth(aws, fanout),
            CloudWatchAlarms(aws, fanout),
            AwsSurveyor(aws, fanout),
            journal,
            SoleLease(),
            world.clock,
            world.inbox,
            listeners,
        )
        runner = Runner(plan, ports, self.state)
        try:
            return runner.run(commands)
        finally:
            self.state = runner.state

    def _append(
        self,
        journal: RehearsalJournal,
        events: Sequence[Event],
        world: World,
        listeners: tuple[Listener, ...],
    ) -> None:
        for event in events:
            record = journal.taken(event, world.clock.now())
            self.state = evolve(self.plan, self.state, record)
            for listener in listeners:
                listener.on_record(record)

    def _close(
        self,
        journal: RehearsalJournal,
        came: SignalError,
        world: World,
        listeners: tuple[Listener, ...],
    ) -> None:
        """The last records of a rehearsal that a signal ends; without them if the journal takes none."""
        others = tuple(one for one in listeners if one is not self.stop)
        why = f"{came.name} ended the rehearsal; it is not resumed"
        said = {"said": why}
        closed = Close(128 + came.number, self.state.phase, Code.PROCESS_NOTE, said, why)
        with suppress(CutoverError):
            self._append(journal, [Note(Code.PROCESS_NOTE, said, why), closed], world, others)
        for listener in others:
            listener.closed()
