"""Composition for `run`, `resume`, `rollback` and `finish`: the runner on AWS, or on a loopback emulator."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cutover import __version__
from cutover.app.clients import Clients, connect, open_store
from cutover.app.offline import operator
from cutover.app.view_writer import ViewWriter
from cutover.aws.restore import restore_script
from cutover.core.errors import (
    CutoverError,
    ExitCode,
    RefusedError,
    UsageError,
    masked,
    traceback_text,
)
from cutover.core.journal.events import Event, LeaseTaken, Note, Record, RunOpen
from cutover.core.messages import explain
from cutover.core.observation import Known, OperatorCommand
from cutover.core.plan import Plan
from cutover.core.reasons import Code
from cutover.core.state import TERMINAL, Phase, RunState, evolve
from cutover.core.values import digest
from cutover.local.clock import SystemClock
from cutover.local.command_pipe import CommandPipe
from cutover.local.journal import FileJournal
from cutover.local.keyboard import Keyboard
from cutover.local.listener_queue import ListenerQueue
from cutover.local.plan_file import LoadedPlan
from cutover.local.run_directory import RunDirectory, checked_run_id, new_run_id
from cutover.local.signals import Signals
from cutover.local.store import LocalStore
from cutover.ports import Listener, Router
from cutover.ports.store import RestoreText, RunLease
from cutover.runner import Ports, Runner

KEEPS_ROUTES = frozenset({Phase.FINISHED, Phase.ABANDONED})
"""Ends that leave the routes as they are: an old restore.sh must not undo them."""

Watchers = Callable[[Plan, RunDirectory, Sequence[Record], Router], Sequence[Listener]]
"""Who is told of a run's records from now on; the records so far are given."""


def _unheard(_line: str) -> None:
    """Nobody asked to be told."""


@dataclass(frozen=True)
class Options:
    """How a live command reaches AWS and people.

    Attributes:
        profile, region: as the AWS CLI takes them.
        watchers: views and notifiers; each gets a queue and a thread of its own.
        exit_on_hold: end with 5 where the run would hold and stay.
        keyboard: single keys of the terminal are commands.
        who: who started this process, for the journal.
        warn: where a rollback says what would have refused anything else.
    """

    profile: str | None = None
    region: str | None = None
    watchers: Watchers | None = None
    exit_on_hold: bool = False
    keyboard: bool = False
    who: str = ""
    warn: Callable[[str], None] = _unheard


@dataclass(frozen=True)
class ProcessEnded:
    """How a process that drove a run ended; `stuck` when a view could not be stopped.

    `lost`: who has the run instead, when it ended for that; the state is then what this process knew last.
    """

    run: RunDirectory
    exit_code: ExitCode
    state: RunState
    stuck: bool = False
    lost: str = ""


@dataclass
class RunSession:
    """Everything one process needs to drive one run.

    Attributes:
        plan_digest: SHA-256 of the plan.yaml that `plan` was read from; empty: view.json has no status.
        with_evidence: `state` was folded with the gates' evidence; without it the process can only go back.
    """

    plan: Plan
    run: RunDirectory
    store: LocalStore
    clock: SystemClock
    clients: Clients
    lease: RunLease
    journal: FileJournal
    state: RunState
    plan_digest: str = ""
    with_evidence: bool = True
    outlets: tuple[ListenerQueue, ...] = ()
    view: ViewWriter = field(init=False)

    def __post_init__(self) -> None:
        """Each knows what the other can prove: who has the run by now, when that is not this process."""
        self.journal.locked_by = self.lease.locked_by
        self.lease.journalled_by = self.journal.other_writer
        so_far = self.journal.contents.records
        self.view = ViewWriter(self.plan, self.journal, self.plan_digest, so_far)

    def record(self, event: Event, *, must: bool) -> None:
        """Append, fold and tell; a rollback (`must` is False) goes on without the disk.

        Raises:
            RefusedError: when the disk does not take it and `must`.
        """
        now = self.clock.now()
        appended = self.journal.append(event, now)
        if isinstance(appended, Known):
            record = appended.value
        elif must:
            raise RefusedError(
                f"the journal does not take a record: {getattr(appended, 'reason', '')}",
                hint="free space there; nothing was changed",
            )
        else:
            record = self.journal.forced(event, now)
        self.state = evolve(self.plan, self.state, record)
        for one in (*self.outlets, self.view):
            one.on_record(record)

    def watch(self, options: Options) -> None:
        """Put every watcher behind a queue and a thread."""
        if options.watchers is None:
            return
        so_far = self.journal.contents.records
        try:
            watchers = options.watchers(self.plan, self.run, so_far, self.clients.router)
        except Exception as error:  # noqa: BLE001  a view that cannot tell the past must not keep a run from going back
            self.journal.bug(error)
            return
        self.outlets = tuple(ListenerQueue(watcher) for watcher in watchers)

    def take_over(
        self, options: Options, commands: Sequence[OperatorCommand], *, must: bool
    ) -> None:
        """Journal that this process is the runner now."""
        first = commands[0].name.value if commands else "run"
        taken = LeaseTaken(
            options.who or operator(),
            socket.gethostname(),
            os.getpid(),
            first,
            int(options.exit_on_hold),
        )
        self.record(taken, must=must)

    def drive(self, options: Options, commands: Sequence[OperatorCommand] = ()) -> ProcessEnded:
        """Run the loop to its end, and give back what this process holds."""
        signals = Signals()
        pipe = CommandPipe.open(self.run)
        try:
            keyboard = Keyboard(who=options.who or operator()) if options.keyboard else None
            with (
                signals.installed(),
                keyboard.listening() if keyboard else contextlib.nullcontext(),
            ):
                inbox = self.store.inbox(
                    self.run,
                    self.clock,
                    others=self.lease.other_owner,
                    signals=signals,
                    keyboard=keyboard,
                    pipe=pipe,
                )
                clients = self.clients
                clients.fanout.hurry = lambda: signals.pending
                ports = Ports(
                    router=clients.router,
                    metrics=clients.metrics,
                    health=clients.health,
                    alarms=clients.alarms,
                    surveyor=clients.surveyor,
                    journal=self.journal,
                    lease=self.lease,
                    clock=self.clock,
                    inbox=inbox,
                    listeners=(*self.outlets, self.view),
                )
                # what lies in words/ is heard in the first turn: a rollback comes before any other command
                waiting = (
                    command
                    for command in inbox.wait(self.clock.now())
                    if not _is_one_of(command, commands)
                )
                runner = Runner(self.plan, ports, self.state)
                if self.with_evidence:
                    self.view.state = lambda: runner.state
                code = self._run(runner, (*commands, *waiting))
        finally:
            pipe.close()
            signals.close()
        stuck = any(outlet.stuck for outlet in self.outlets)
        lost = explain(runner.end.reason) if runner.end is not None and runner.end.silently else ""
        return ProcessEnded(self.run, code, self.state, stuck, lost)

    def _run(self, runner: Runner, commands: Sequence[OperatorCommand]) -> ExitCode:
        try:
            return runner.run(commands)
        except CutoverError:
            raise
        except Exception as error:
            raise self._bug(error) from error
        finally:
            self.state = runner.state
            for outlet in self.outlets:
                outlet.closed()

    def _bug(self, error: Exception) -> CutoverError:
        """A bug ends the process with one line; its traceback goes beside the journal."""
        said = f"{type(error).__name__}: {masked(str(error))}"
        place = self.run.path / f"crash-{os.getpid()}.txt"
        try:
            text = traceback_text(error)
            self.run.disk.keep(place, text.encode("utf-8", "backslashreplace"), durable=False)
            where = f"the traceback is in {place}"
        except OSError:
            where = "the traceback could not be kept; --debug shows it"
        note = f"this process ended by a bug: {said}"[:500]
        self.journal.append(Note(Code.PROCESS_NOTE, {"said": note}, note), self.clock.now())
        return CutoverError(
            f"a bug in cutover stopped run {self.run.id}, its routes stay as they are: {said}",
            hint=f"{where}; `cutover rollback {self.run.id}` takes the traffic back, "
            f"`cutover resume {self.run.id}` goes on",
        )

    def close(self) -> None:
        """Give back the journal, the claims of a run that is over, and the lease.

        Whoever ends a run that keeps its routes as they are also disarms its restore.sh, while the lease is its own.
        Who has lost the run to another process leaves all that to it.
        """
        for outlet in self.outlets:
            outlet.closed()
        ours = not self.lease.other_owner()
        self.view.end(self.state if self.with_evidence else None)
        self.journal.close()
        if ours and self.state.phase in KEEPS_ROUTES:
            disarm(self.store, self.run, self.state.phase)
        if ours and self.state.phase in TERMINAL:
            self.store.release(tuple(self.state.routes), self.run.id)
        self.lease.close()


def _is_one_of(command: OperatorCommand, commands: Sequence[OperatorCommand]) -> bool:
    """The same command in a file: whoever brings it left it there too, and nobody says it twice.

    Another one that says the same has another id, and is heard: whoever said it waits for its record. Without an id
    nothing but its content tells.
    """
    said = [one for one in commands if one.id == command.id or not (one.id and command.id)]
    content = (command.name, command.who, command.why, command.detail)
    return any((one.name, one.who, one.why, one.detail) == content for one in said)


def restore_text_of(account: str, region: str, run_id: str) -> RestoreText:
    """restore.sh of a run from its commands."""
    return lambda commands: restore_script(commands, account, region, run_id)


def start(loaded: LoadedPlan, options: Options, *, run_id: str | None = None) -> ProcessEnded:
    """A new run, from preflight to its end. The lease comes before anything is written.

    Raises:
        UsageError: for an id that cannot be or exists.
        LeaseError: when another run or process has one of the routes; nothing is left behind.
        RefusedError: for a state directory or an endpoint that is not to be trusted.
        CutoverError: for a bug; the journal holds everything up to it.
    """
    plan, clock, store = loaded.plan, SystemClock(), open_store()
    if plan.store != "local":
        raise UsageError(
            f"store {plan.store} is not in this version",
            hint="write `store: local`, or leave it out",
        )
    now = clock.now()
    chosen = checked_run_id(run_id) if run_id else new_run_id(plan.name, now)
    clients = connect(
        plan, clock, profile=options.profile, region=options.region, store=store, run_id=chosen
    )
    store.prepare()
    if store.get(chosen) is not None:
        raise UsageError(f"run {chosen} exists already", hint="give another --run-id, or none")
    routes = tuple(route.id for route in plan.routes)
    lease = store.take_lease(routes, chosen, now)
    try:
        run = store.create(chosen, loaded.text)
        text = restore_text_of(plan.aws.account, plan.aws.region, chosen)
        journal = store.begin_journal(run, text)
    except BaseException:
        store.release(routes, chosen)
        lease.close()
        raise
    session = RunSession(
        plan, run, store, clock, clients, lease, journal, RunState(), digest(loaded.text)
    )
    try:
        session.watch(options)
        opening = RunOpen(
            plan.name,
            plan.hash,
            plan.aws.account,
            plan.aws.region,
            clients.mode,
            __version__,
            routes,
        )
        session.record(opening, must=True)
        session.take_over(options, (), must=True)
        return session.drive(options)
    finally:
        session.close()


def disarm(store: LocalStore, run: RunDirectory, phase: str) -> str:
    """Disarm restore.sh of a run that is over; what to say when the disk does not take it."""
    try:
        store.disarm(run, f"run {run.id} is {phase}")
    except (OSError, UnicodeDecodeError) as error:
        return f"{run.restore} is still armed ({error}); remove it by hand"
    return ""
