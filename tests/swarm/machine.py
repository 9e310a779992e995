"""One machine under the adversary: its disk, its clock, its processes, and the people who command them.

A process is composed as `wiring.live` does it, from the same runner, adapters, journal and mailbox; only the disk, the
clock and the lock files are the adversary's. What happens is told to `Eyes`, as facts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from random import Random

from cutover import __version__
from cutover.aws.alb import AlbRouter
from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.fanout import Inline
from cutover.aws.forms import Ends
from cutover.aws.session import AwsSession
from cutover.aws.survey import AwsSurveyor
from cutover.aws.target_health import AlbTargetHealth
from cutover.core.errors import CutoverError, ExitCode, RefusedError, UsageError
from cutover.core.events import Event, LeaseTaken, PhaseChanged, RunOpen
from cutover.core.observation import Known, Word, WordName
from cutover.core.state import TERMINAL, RunState, evolve, replay
from cutover.core.values import MINUTE
from cutover.local.journal import FileJournal
from cutover.local.mailbox import leave_word
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.rehearsal.world import World
from cutover.runner import Ports, Runner
from cutover.wiring.going_on import BACK, refuse_meaningless
from cutover.wiring.live import restore_text_of
from cutover.wiring.scenarios import text_of_plan
from tests.promises.facts import Died, DiskRefused, Jumped, Ordered, Owner, Slept
from tests.swarm.disk import LosableDisk
from tests.swarm.eyes import Eyes
from tests.swarm.ports import Ears, LosableLease, MachineClock
from tests.swarm.script import ERRNO, Death, DiskTrouble, Script, Stop, TakeOver

ROOT = Path("/swarm/state")
LOOKS, LOOK_EVERY = 9, 20 * MINUTE
"""So often, and so far apart, somebody looks at the run after the last trouble."""

_FILES = {"hold_file": "HOLD", "rollback_file": "ROLLBACK"}


class KilledError(BaseException):
    """No `except Exception` survives it, as none survives SIGKILL."""

    def __init__(self, death: Death) -> None:
        super().__init__("killed")
        self.death = death


class OverError(BaseException):
    """The last look is over, and the process still lives."""


@dataclass
class Process:
    """What one process holds."""

    ears: Ears
    lease: LosableLease
    journal: FileJournal
    runner: Runner | None = None


@dataclass
class _Armed:
    """Something that happens when a process reaches a point."""

    entry: Stop | Death
    seen: int = 0


class Machine:
    """See the module. `live` lives a script from the start of the run to its last look.

    Attributes:
        eyes: what happened.
        over: nothing more can happen in the run.
        ended: exit code and state of the process that ended last by its own decision.
        bugs: tracebacks of exceptions that no port may raise.
    """

    def __init__(self, script: Script, root: Path = ROOT) -> None:
        self.script = script
        self.plan = script.plan_made
        self.disk = LosableDisk(root, Random(script.seed))
        self.eyes = Eyes(self.plan, self.reach)
        self.over = False
        self.ended: tuple[ExitCode, RunState] | None = None
        self.refused: list[str] = []
        self.run = RunDirectory(root / "runs" / "swarm", self.disk)
        self._place = StateDirectory(root, self.disk)
        self._processes: list[Process] = []
        self._armed: list[_Armed] = []
        self._take_over: TakeOver | None = None
        self._pending: list[Word] = []
        self._stirred = False
        self._aside = False
        self._away = 0
        self._said = 0
        self._until_ms = 0

    def live(self) -> None:
        """Everything that happens."""
        script = self.script
        with World.build(self.plan, script.scenario, script.seed, witness=self.eyes) as world:
            self.world = world
            self.clock = MachineClock(world.clock)
            self.eyes.phase_told = self._phase_told
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
            self._arm()
            self._living(self._begin)
            while not self.over and self._wait_for_a_word():
                word = self._pending.pop(0)
                self._living(partial(self._go_on, word))
            world.clock.sleep(30 * MINUTE)  # what is still on its way arrives

    # What goes wrong

    def _arm(self) -> None:
        script, on, clock = self.script, self.world.script.on, self.world.clock
        for trouble in script.disk:
            on(trouble.when, partial(self._disk_breaks, trouble))
        for loss in script.lease:
            on(loss.when, partial(self._lease_goes, loss.lasts))
        for take in script.take_overs:
            on(take.when, partial(setattr, self, "_take_over", take))
        points: tuple[Stop | Death, ...] = (*script.stops, *script.deaths)
        for point in points:
            on(point.when, partial(self._armed.append, _Armed(point)))
        for jump in script.jumps:
            on(jump.when, partial(self._clock_jumps, jump.by_ms))
        for command in script.commands:
            on(command.when, partial(self.command, command.word, command.times))
        self.disk.before = lambda operation: self.reach("disk", operation)
        self.disk.after = lambda operation: self.reach("disk_done", operation)
        self.disk.refused = self._refused
        self.eyes.watch(script.scenario, self.world)
        began = clock.ms
        clock.at(began + script.calm_after, self._calm)
        for look in range(LOOKS):
            at_ms = began + script.calm_after + (look + 1) * LOOK_EVERY
            clock.at(at_ms, partial(self._look, look))
        self._until_ms = began + script.calm_after + (LOOKS + 1) * LOOK_EVERY
        self.world.script.changed()
        clock.run_until(began)  # what is due at the start

    def _disk_breaks(self, trouble: DiskTrouble) -> None:
        if trouble.kind == "full":
            self.disk.room = trouble.room
        else:
            self.disk.broken[trouble.operation] = ERRNO[trouble.kind]
        self.world.clock.at(
            self.world.clock.ms + trouble.lasts, lambda: self.disk.mend(trouble.operation)
        )

    def _refused(self, operation: str, path: Path | None) -> None:
        self.eyes.meet(f"disk refuses {operation}")
        if path == self.run.journal and self._processes:
            self.eyes.add(DiskRefused)

    def _lease_goes(self, lasts: int) -> None:
        self.eyes.meet("lease lost")
        self._away += 1
        for process in self._processes:
            process.lease.away = True
        self.world.clock.at(self.world.clock.ms + lasts, self._lease_comes)

    def _lease_comes(self) -> None:
        self._away = max(0, self._away - 1)
        for process in self._processes:
            process.lease.away = self._away > 0

    def _clock_jumps(self, by_ms: int) -> None:
        self.eyes.meet("clock set")
        self.clock.ahead_ms += by_ms
        self.eyes.clock_set = True
        if self._processes:
            self.eyes.add(Jumped, by_ms)

    def _calm(self) -> None:
        self.world.calm()
        self._armed.clear()
        self._take_over = None
        self.disk.mend()
        self._away = 0
        for process in self._processes:
            process.lease.away = False
        self.eyes.calm()

    def _look(self, number: int) -> None:
        """Somebody looks at the run, and says what has a meaning in its phase."""
        if self.over:
            return
        self.command("remove_files")
        phase = str(self.eyes.state.phase)
        if phase == "COMPLETED":
            self.command(
                "finish" if self.script.last_word == "resume" and not number else "rollback"
            )
        elif phase == "NEEDS_HUMAN":
            self.command(
                "confirm_restored" if number % 3 == 1 else "leave" if number > 6 else "rollback"
            )
        else:
            self.command(self.script.last_word if number == 0 else "rollback")

    def reach(self, point: str, operation: str) -> None:
        """A process reaches a point: it may die there, or the machine stop.

        Raises:
            KilledError: when it dies.
        """
        if self._aside or not self._processes:
            return
        for armed in self._armed:
            entry = armed.entry
            if entry.point != point or not fnmatchcase(operation, entry.operation):
                continue
            armed.seen += 1
            if armed.seen <= entry.skip:
                continue
            self._armed.remove(armed)
            if isinstance(entry, Death):
                self.eyes.meet("power lost" if entry.power else "killed", point)
                raise KilledError(entry)
            self.eyes.meet("machine stopped", point)
            self.world.clock.sleep(entry.lasts)
            self.eyes.add(Slept, entry.lasts)
            return

    # People

    def command(self, name: str, times: int = 1) -> None:
        """Somebody says a word, so often in the same moment."""
        self.eyes.meet(f"says {name}" if times == 1 else f"says {name} {times} times at once")
        aside, self._aside = self._aside, True
        try:
            for _ in range(times):
                self._say(name)
        finally:
            self._aside = aside
        self._stirred = True

    def _say(self, name: str) -> None:
        self._said += 1
        who = f"operator {self._said}"
        ears = self._processes[-1].ears if self._processes else None
        if name in _FILES or name == "remove_files":
            self._switch(name)
        elif name == "interrupt":
            if ears is not None:
                self.eyes.add(Ordered, name)
                ears.direct.append(Word(WordName.INTERRUPT, who, "SIGINT", "signal", signal=2))
        else:
            self.eyes.add(Ordered, name)
            detail = "detach_source" if name == "finish_and_detach" else ""
            said = WordName(name.removesuffix("_and_detach"))
            word = Word(said, who, "as the script says", detail=detail)
            if ears is None:
                self._pending.append(word)
                return
            try:
                leave_word(self.run, word, self.clock.now())
            except RefusedError:
                ears.direct.append(word)  # through the pipe, which needs no disk

    def _switch(self, name: str) -> None:
        with contextlib.suppress(OSError):
            if name in _FILES:
                self.disk.keep(self.run.path / _FILES[name], b"", durable=True)
                if name == "rollback_file":
                    self.eyes.add(Ordered, "rollback")
                return
        for file in _FILES.values() if name == "remove_files" else ():
            with contextlib.suppress(OSError):
                self.disk.remove(self.run.path / file)

    def _phase_told(self, event: PhaseChanged) -> None:
        if event.hold == "approval" and self.script.approve_after is not None:
            clock = self.world.clock
            clock.at(clock.ms + self.script.approve_after, lambda: self.command("approve"))

    def _wait_for_a_word(self) -> bool:
        clock = self.world.clock
        while not self._pending and clock.ms < self._until_ms and not self.over:
            clock.run_until(self._until_ms, stop=lambda: bool(self._pending))
        return bool(self._pending)

    # Processes

    def _living(self, process: Callable[[], None]) -> None:
        """A process from its start to its end, however that comes."""
        depth = len(self._processes)
        try:
            process()
        except KilledError as killed:
            del self._processes[depth:]
            self._died(killed.death)
            if killed.death.power and depth:
                raise  # the machine is off, and with it the process that stood still
        except OverError:
            del self._processes[depth:]
            self.over = True
        except CutoverError as error:
            if len(self._processes) > depth:
                self.eyes.ended(int(error.exit_code))
            del self._processes[depth:]
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
            for word in death.words:
                self.command(word)

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

    def _go_on(self, word: Word) -> None:
        """`cutover resume`, `rollback` and the others, when no process drives the run."""
        contents = self.run.contents()
        if not contents.records:
            self.over = True  # it ended before it wrote anything
            return
        self.eyes.continues(
            contents.records
        )  # a process may have died before it could tell its last record
        self.over = self.eyes.state.phase in TERMINAL
        refuse_meaningless(self.run, self.eyes.state.phase, word)
        if word.name is WordName.ROLLBACK:
            with contextlib.suppress(RefusedError):
                leave_word(self.run, word, self.clock.now())
        back = word.name in BACK
        journal = FileJournal.open_existing(
            self.run, restore_text=self._restore_text(), for_rollback=back, complain=_nobody
        )
        state = replay(self.plan, journal.contents.records)
        refuse_meaningless(self.run, state.phase, word)
        self._drive(journal, state, (word,))

    def _restore_text(self) -> Callable[[Sequence[str]], str]:
        return restore_text_of(self.plan.aws.account, self.plan.aws.region, self.run.id)

    def _drive(
        self, journal: FileJournal, state: RunState, words: tuple[Word, ...], *opening: Event
    ) -> None:
        lease = LosableLease()
        lease.away = self._away > 0
        lease.journalled_by = journal.other_writer
        journal.locked_by = lease.locked_by
        ears = Ears(self.run, self.clock, self._passes, lease.other_owner)
        process = Process(ears, lease, journal)
        self._processes.append(process)
        self.world.script.moved("", "")
        self.eyes.continues(journal.contents.records)
        self.eyes.process_begins()
        self.eyes.add(Owner, ours=True)
        taken = LeaseTaken(
            "operator",
            "machine",
            len(self.eyes.facts),
            str(words[0].name) if words else "run",
            int(self.script.exit_on_hold),
        )
        must = not (words and words[0].name in BACK)
        for event in (*opening, taken):
            state = self._record(journal, state, event, must=must)
        waiting = [one for one in ears.wait(self.clock.now()) if not _is_one_of(one, words)]
        runner = process.runner = Runner(self.plan, self._ports(process), state)
        code = runner.run((*words, *waiting))
        silently = runner.end is not None and runner.end.silently
        self._processes.remove(process)
        self.eyes.process_gone()
        self.eyes.ended(int(code))
        journal.close()
        if not silently:
            self.ended = code, runner.state
            self.over = runner.state.phase in TERMINAL
        self.world.script.moved("", "")

    def _record(
        self, journal: FileJournal, state: RunState, event: Event, *, must: bool
    ) -> RunState:
        now = self.clock.now()
        appended = journal.append(event, now)
        if isinstance(appended, Known):
            record = appended.value
        elif must:
            raise RefusedError("the journal does not take a record")
        else:
            record = journal.forced(event, now)
        self.eyes.told(record)
        self.world.listener.told(record)
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
        self.reach("waiting", "")
        clock = self.world.clock
        self._stirred = False
        clock.run_until(
            clock.ms + max(ms, 1), stop=lambda: self._stirred or self._take_over is not None
        )
        self.reach("waiting", "")
        if self._take_over is not None and len(self._processes) == 1:
            take, self._take_over = self._take_over, None
            self._taken_over(take)
        if clock.ms >= self._until_ms:
            raise OverError

    def _taken_over(self, take: TakeOver) -> None:
        """Another process becomes the runner while this one stands still, and lives its life."""
        (still,) = self._processes
        self.eyes.meet("taken over")
        epoch = still.journal.epoch
        word = Word(WordName(take.word), "another operator", "takes over")
        self._living(lambda: self._go_on(word))
        still.lease.missing = True  # the kernel freed the other's lock; ours is gone with the file
        if self.eyes.epoch > epoch:
            self.eyes.add(Owner, ours=False)


def _nobody(_line: str) -> None:
    """People are told through the facts."""


def _is_one_of(word: Word, words: Sequence[Word]) -> bool:
    return any((one.name, one.who, one.why) == (word.name, word.who, word.why) for one in words)
