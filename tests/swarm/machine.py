"""One machine under the adversary: its disk, its clock, its processes, and the people who command them.

A process is composed as `app.live` does it, from the same runner, adapters, journal and inbox; only the disk, the
clock and the lock files are the adversary's. What happens is told to `Eyes`, as facts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from cutover import __version__
from cutover.app.live import restore_text_of
from cutover.app.resume import BACK, refuse_meaningless
from cutover.app.scenarios import text_of_plan
from cutover.aws.alb import AlbRouter
from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.fanout import Inline
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession
from cutover.aws.survey import AwsSurveyor
from cutover.aws.target_health import AlbTargetHealth
from cutover.core.errors import CutoverError, ExitCode, RefusedError, UsageError
from cutover.core.journal.events import Event, LeaseTaken, RunOpen
from cutover.core.observation import CommandName, Known, OperatorCommand
from cutover.core.state import TERMINAL, RunState, evolve, replay
from cutover.core.values import MINUTE
from cutover.emulator.world import World
from cutover.local.inbox import enqueue
from cutover.local.journal import FileJournal
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.runner import Ports, Runner
from tests.promises.facts import Died, Owner
from tests.swarm.adversary import Adversary, KilledError
from tests.swarm.disk import LosableDisk
from tests.swarm.eyes import Eyes
from tests.swarm.people import People
from tests.swarm.ports import Ears, LosableLease, MachineClock
from tests.swarm.script import Death, Script, TakeOver

ROOT = Path("/swarm/state")


class OverError(BaseException):
    """The last look is over, and the process still lives."""


@dataclass
class Process:
    """What one process holds."""

    ears: Ears
    lease: LosableLease
    journal: FileJournal
    runner: Runner | None = None


class Machine:
    """See the module. `live` lives a script from the start of the run to its last look.

    Attributes:
        eyes: what happened.
        over: nothing more can happen in the run.
        ended: exit code and state of the process that ended last by its own decision.
        refused: what commands were told that could not be carried out.
        processes: those that live; the last one drives, another may stand still.
    """

    def __init__(self, script: Script, root: Path = ROOT) -> None:
        self.script = script
        self.plan = script.plan_made
        self.disk = LosableDisk(root, Random(script.seed))
        self.adversary = Adversary(self)
        self.people = People(self)
        self.processes: list[Process] = []
        self.eyes = Eyes(self.plan, self.adversary.reach)
        self.over = False
        self.ended: tuple[ExitCode, RunState] | None = None
        self.refused: list[str] = []
        self.run = RunDirectory(root / "runs" / "swarm", self.disk)
        self._place = StateDirectory(root, self.disk)

    def live(self) -> None:
        """Everything that happens."""
        script = self.script
        with World.build(self.plan, script.scenario, script.seed, witness=self.eyes) as world:
            self.world = world
            self.clock = MachineClock(world.clock)
            self.eyes.phase_told = self.people.phase_told
            self.eyes.durable = lambda record: self.disk.is_durable(
                self.run.journal, f'"seq":{record.seq},'.encode()
            )
            self.eyes.beside = lambda record: (
                not self.disk.holds(self.run.journal, f'"seq":{record.seq},'.encode())
            )
            self._aws = AwsSession(
                world.session,
                self.clock,
                emulated=True,
                trust_date=True,
                random=Random(script.seed),
            )
            self.people.watch()
            self.adversary.arm()
            world.clock.run_until(world.clock.ms)  # what is due at the start
            self._living(self._begin)
            while not self.over and self.people.wait():
                self._living(partial(self._go_on, self.people.pending.pop(0)))
            world.clock.sleep(30 * MINUTE)  # what is still on its way arrives

    # Processes

    def _living(self, process: Callable[[], None]) -> None:
        """A process from its start to its end, however that comes."""
        depth = len(self.processes)
        try:
            process()
        except KilledError as killed:
            del self.processes[depth:]
            self._died(killed.death)
            if killed.death.power and depth:
                raise  # the machine is off, and with it the process that stood still
        except OverError:
            del self.processes[depth:]
            self.over = True
        except CutoverError as error:
            if len(self.processes) > depth:
                self.eyes.ended(int(error.exit_code))
            del self.processes[depth:]
            self.eyes.process_gone()
            self.refused.append(f"{type(error).__name__}: {error}")

    def _died(self, death: Death) -> None:
        self.eyes.add(Died)
        self.eyes.process_gone()
        if death.power:
            self.disk.lose_power()
            self.world.clock.reboot()
        self.world.script.moved("", "")
        if death.back_after is None:
            return
        clock = self.world.clock

        def back() -> None:
            for command in death.commands:
                self.people.command(command)

        clock.at(clock.ms + death.back_after, back)

    def _begin(self) -> None:
        """`cutover run`."""
        plan = self.plan
        try:
            self.disk.make_directories(self._place.root / "runs")
        except OSError as error:  # as StateDirectory.prepare says it
            raise UsageError(f"state directory {self._place.root}: {error}") from None
        self._place.create(self.run.id, text_of_plan(plan))
        journal = FileJournal.open_new(
            self.run, restore_text=self._restore_text(), complain=_nobody
        )
        opened = RunOpen(
            plan.name,
            plan.hash,
            plan.aws.account,
            plan.aws.region,
            "emulated",
            __version__,
            tuple(str(route.id) for route in plan.routes),
        )
        self._drive(journal, RunState(), (), opened)

    def _go_on(self, command: OperatorCommand) -> None:
        """`cutover resume`, `rollback` and the others, when no process drives the run."""
        contents = self.run.contents()
        if not contents.records:
            self.over = True  # it ended before it wrote anything
            return
        phase = replay(self.plan, contents.records).phase
        if phase in TERMINAL:  # a process died before it could tell that, and now people are told
            self.eyes.continues(contents.records)
            self.over = True
        refuse_meaningless(self.run, phase, command)
        if command.name is CommandName.ROLLBACK:
            with contextlib.suppress(RefusedError):
                enqueue(self.run, command, self.clock.now())
        back = command.name in BACK
        journal = FileJournal.open_existing(
            self.run, restore_text=self._restore_text(), for_rollback=back, complain=_nobody
        )
        state = replay(self.plan, journal.contents.records)
        refuse_meaningless(self.run, state.phase, command)
        self._drive(journal, state, (command,))

    def _restore_text(self) -> Callable[[Sequence[str]], str]:
        return restore_text_of(self.plan.aws.account, self.plan.aws.region, self.run.id)

    def _drive(
        self,
        journal: FileJournal,
        state: RunState,
        commands: tuple[OperatorCommand, ...],
        *opening: Event,
    ) -> None:
        lease = LosableLease()
        lease.away = self.adversary.away > 0
        lease.journalled_by = journal.other_writer
        journal.locked_by = lease.locked_by
        ears = Ears(self.run, self.clock, self._passes, lease.other_owner)
        process = Process(ears, lease, journal)
        self.processes.append(process)
        self.world.script.moved("", "")
        self.eyes.add(Owner, ours=True)
        taken = LeaseTaken(
            "operator",
            "machine",
            len(self.eyes.facts),
            str(commands[0].name) if commands else "run",
            int(self.script.exit_on_hold),
        )
        must = not (commands and commands[0].name in BACK)
        first = True
        for event in (*opening, taken):
            state = self._record(journal, state, event, must=must, first=first)
            first = False
        waiting = [one for one in ears.wait(self.clock.now()) if not _is_one_of(one, commands)]
        runner = process.runner = Runner(self.plan, self._ports(process), state)
        code = runner.run((*commands, *waiting))
        silently = runner.end is not None and runner.end.silently
        self.processes.remove(process)
        self.eyes.process_gone()
        self.eyes.ended(int(code))
        journal.close()
        if not silently:
            self.ended = code, runner.state
            self.over = runner.state.phase in TERMINAL
        self.world.script.moved("", "")

    def _record(
        self, journal: FileJournal, state: RunState, event: Event, *, must: bool, first: bool
    ) -> RunState:
        now = self.clock.now()
        appended = journal.append(event, now)
        if isinstance(appended, Known):
            record = appended.value
        elif must:
            raise RefusedError("the journal does not take a record")
        else:
            record = journal.forced(event, now)
        if first:
            # what a dead process left unsynced is durable with the first record of the next one
            self.eyes.continues(journal.contents.records)
            self.eyes.process_begins()
        self.eyes.on_record(record)
        self.world.listener.on_record(record)
        return evolve(self.plan, state, record)

    def _ports(self, process: Process) -> Ports:
        aws, fanout, plan = self._aws, Inline(), self.plan
        ends = {route.id: Ends(route.source, route.destination) for route in plan.routes}
        return Ports(
            AlbRouter(aws, fanout, ends, may_drop=plan.waives("unmodelled")),
            CloudWatchMetrics(aws, fanout, plan.observe),
            AlbTargetHealth(aws, fanout),
            CloudWatchAlarms(aws, fanout),
            AwsSurveyor(aws, fanout),
            process.journal,
            process.lease,
            self.clock,
            process.ears,
            (self.eyes.listener, self.world.listener),
        )

    def _passes(self, ms: int) -> None:
        """The process sleeps; what comes wakes it.

        Raises:
            OverError: when the last look is over.
        """
        self.adversary.reach("waiting", "")
        clock = self.world.clock
        self.people.stirred = False
        clock.run_until(
            clock.ms + max(ms, 1),
            stop=lambda: self.people.stirred or self.adversary.take_over is not None,
        )
        self.adversary.reach("waiting", "")
        if self.adversary.take_over is not None and len(self.processes) == 1:
            take, self.adversary.take_over = self.adversary.take_over, None
            self._taken_over(take)
        if clock.ms >= self.people.until_ms:
            raise OverError

    def _taken_over(self, take: TakeOver) -> None:
        """Another process becomes the runner while this one stands still, and lives its life."""
        (still,) = self.processes
        self.eyes.meet("taken over")
        epoch = still.journal.epoch
        command = OperatorCommand(CommandName(take.command), "another operator", "takes over")
        self._living(lambda: self._go_on(command))
        still.lease.missing = True  # the kernel freed the other's lock; ours is gone with the file
        if self.eyes.epoch > epoch:
            self.eyes.add(Owner, ours=False)


def _nobody(_line: str) -> None:
    """People are told through the facts."""


def _is_one_of(command: OperatorCommand, commands: Sequence[OperatorCommand]) -> bool:
    return any(
        (one.name, one.who, one.why) == (command.name, command.who, command.why)
        for one in commands
    )
