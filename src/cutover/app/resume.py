"""Composition for a run that exists: resume it, take it back, or finish it, from its files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cutover import __version__
from cutover.app.clients import connect, open_store
from cutover.app.live import Options, ProcessEnded, RunSession, restore_text_of
from cutover.app.offline import Read, plan_of, read_run, unfoldable
from cutover.core.engine import decide, first_look
from cutover.core.errors import (
    CutoverError,
    JournalError,
    NeedsHumanError,
    RefusedError,
    UsageError,
    printable,
)
from cutover.core.journal.events import Note, Observed, PhaseChanged, RunOpen
from cutover.core.observation import CommandName, Observation, OperatorCommand
from cutover.core.plan import Plan
from cutover.core.reasons import Code
from cutover.core.routing import config_of
from cutover.core.state import TERMINAL, Phase, RunState, replay, replay_without_evidence
from cutover.core.values import RouteId
from cutover.local.clock import SystemClock
from cutover.local.journal import FileJournal
from cutover.local.journal_file import newest_epoch, read_journal
from cutover.local.run_directory import RunDirectory
from cutover.local.store import LocalStore
from cutover.ports.store import KeptSnapshot

BACK = frozenset({CommandName.ROLLBACK, CommandName.CONFIRM_RESTORED})
"""Commands that need no sound journal: back needs nothing but the snapshot."""


def go_on(run: RunDirectory, command: OperatorCommand, options: Options) -> ProcessEnded:
    """Become the runner of a run that exists, with `command` as its first; it may lie in words/ too.

    Raises:
        UsageError: when the command means nothing in the run's phase.
        LeaseError: when another process drives the run, or another run has its routes.
        JournalError: for a damaged or newer journal, unless the command is `rollback`.
        RefusedError: for a plan that was changed, or a run of another world (emulated, real).
        NeedsHumanError: when not even a rollback can be made from the files.
    """
    store = open_store()
    if command.name in BACK:
        for doubt in store.prepare_for_rollback():
            options.warn(f"warning: {doubt}; going back all the same ({doubt.hint})")
    else:
        store.prepare()
    back = command.name in BACK
    read = _sensible(read_run(store.place, run, to_go_back=back), command)
    if read.trouble and command.name is CommandName.ROLLBACK:
        return _recover(store, read, command, options)
    if read.contents.damage is not None or (read.trouble and read.state is not None):
        raise JournalError(
            read.trouble,
            hint=f"no weight is raised from it; `cutover rollback {run.id}` works, and so does sh {run.restore}",
        )
    if read.plan is None or read.state is None or read.opened is None:
        raise RefusedError(
            read.trouble
            or f"run {run.id} has neither a record nor a snapshot: it ended before it wrote anything to AWS",
            hint=f"`cutover rollback {run.id}`, or sh {run.restore}"
            if read.trouble
            else "start a new run; if its files were deleted: `cutover rollback --plan PLAN --no-run`",
        )
    refuse_meaningless(run, read.state.phase, command)
    plan = read.plan
    _refuse_changed(run, plan, read.opened, read.changed, command)
    clock = SystemClock()
    clients = connect(
        plan, clock, profile=options.profile, region=options.region, store=store, run_id=run.id
    )
    _refuse_other_world(run, read.opened.mode, clients.mode)
    lease = store.take_lease(_routes(read.opened), run.id, clock.now(), for_rollback=back)
    try:
        text = restore_text_of(read.opened.account, read.opened.region, run.id)
        journal = store.continue_journal(run, text, for_rollback=back, known=read.found)
        # under the lease: somebody may have driven the run a moment ago
        state = _state_of(read, journal, back=back)
    except BaseException:
        lease.close()
        raise
    session = RunSession(
        plan, run, store, clock, clients, lease, journal, state, read.plan_digest, not back
    )
    try:
        refuse_meaningless(run, session.state.phase, command)
        session.watch(options)
        session.take_over(options, (command,), must=not back)
        return session.drive(options, (command,))
    finally:
        session.close()


def _state_of(read: Read, journal: FileJournal, *, back: bool) -> RunState:
    """The state that the journal makes now; folded before, when it holds the same records still."""
    if read.plan is None or read.state is None:
        raise JournalError(read.trouble, hint=read.way_back)
    if journal.contents.head_hash == read.contents.head_hash:
        return read.state
    fold = replay_without_evidence if back else replay
    return fold(read.plan, journal.contents.records)


def _sensible(read: Read, command: OperatorCommand) -> Read:
    """As read; with `trouble` when the records fold to a state that nothing can be decided from."""
    plan, state = read.plan, read.state
    if read.trouble or plan is None or state is None:
        return read
    try:
        now = SystemClock().now()
        first_look(plan, state, now)
        decide(plan, state, Observation(commands=(command,)), now)
    except Exception as error:  # noqa: BLE001  whatever a record's content does to a decision is damage
        return replace(read, trouble=unfoldable(read.run, error))
    return read


def refuse_meaningless(run: RunDirectory, phase: Phase, command: OperatorCommand) -> None:
    """Refuse a command that the phase has no use for, and say what has.

    Raises:
        UsageError: with the commands that would act.
    """
    name = command.name
    if phase in TERMINAL:
        raise UsageError(
            f"run {run.id} has ended: {phase}",
            hint="`cutover rollback --plan PLAN --no-run` takes traffic back without a run; "
            "`cutover run PLAN` starts another",
        )
    if name in (CommandName.RESUME, CommandName.ACCEPT_DRIFT) and phase in (
        Phase.COMPLETED,
        Phase.NEEDS_HUMAN,
    ):
        raise UsageError(
            f"run {run.id} is {phase}: there is nothing to resume",
            hint=_ends(run, phase),
        )
    if name in (CommandName.PAUSE, CommandName.APPROVE) and phase in (
        Phase.COMPLETED,
        Phase.NEEDS_HUMAN,
    ):
        raise UsageError(
            f"run {run.id} is {phase}: there is nothing to {name}",
            hint=_ends(run, phase),
        )
    if name is CommandName.FINISH and phase is not Phase.COMPLETED:
        raise UsageError(
            f"run {run.id} is {phase}; finish ends a COMPLETED run",
            hint=_ends(run, phase),
        )
    if name is CommandName.LEAVE and phase in (
        Phase.COMPLETED,
        Phase.ROLLING_BACK,
        Phase.PREFLIGHT,
    ):
        raise UsageError(
            f"run {run.id} is {phase}; --leave-as-is abandons a run that holds or needs a human",
            hint=f"`cutover finish {run.id}`"
            if phase is Phase.COMPLETED
            else f"`cutover rollback {run.id}`",
        )
    if name is CommandName.CONFIRM_RESTORED and phase is not Phase.NEEDS_HUMAN:
        raise UsageError(
            f"run {run.id} is {phase}; --confirm-restored is for one that needs a human",
            hint=f"`cutover rollback {run.id}`",
        )


def _ends(run: RunDirectory, phase: Phase) -> str:
    """The commands that end a run, where it is now."""
    back, leave = f"`cutover rollback {run.id}`", f"`cutover finish {run.id} --leave-as-is WHY`"
    if phase is Phase.COMPLETED:
        return f"{back} or `cutover finish {run.id}`"
    if phase in (Phase.HOLDING, Phase.NEEDS_HUMAN):
        return f"{back} or {leave}"
    if phase in (Phase.PREFLIGHT, Phase.ROLLING_BACK):
        return back
    return f"{back} or, once it holds, {leave}"


def _refuse_changed(
    run: RunDirectory, plan: Plan, opened: RunOpen, changed: str, command: OperatorCommand
) -> None:
    """A run goes on by the plan it began with (docs/promises.md P24); going back needs only its routes."""
    if not changed:
        return
    if command.name in BACK and {route.id for route in plan.routes} == set(opened.routes):
        return
    raise RefusedError(
        f"{run.plan} was {changed} since the run began",
        hint=f"put it back as it was; `cutover rollback {run.id}` or sh {run.restore} take the traffic back",
    )


def _refuse_other_world(run: RunDirectory, was: str, now: str) -> None:
    if was == now:
        return
    raise RefusedError(
        f"run {run.id} is {was}, and these settings reach {'real AWS' if now == 'live' else 'an emulator'}",
        hint="emulated and real runs never continue each other; look at AWS_ENDPOINT_URL and the profile",
    )


def _routes(opened: RunOpen) -> tuple[RouteId, ...]:
    return tuple(RouteId(route) for route in opened.routes)


@dataclass(frozen=True)
class Recovery(RunDirectory):
    """The same run, with another journal: the damaged one is kept as it is."""

    number: int = 1

    @property
    def journal(self) -> Path:
        """The journal of the recovery."""
        return self.path / f"journal.recovery-{self.number}.jsonl"

    @property
    def fallback(self) -> Path:
        """Where the recovery's records go when its journal takes none."""
        return self.path / f"journal.recovery-{self.number}.fallback.jsonl"


def _recover(
    store: LocalStore, read: Read, command: OperatorCommand, options: Options
) -> ProcessEnded:
    """Roll back from snapshot.json alone: the journal is damaged, newer, or does not fold."""
    run = read.run
    kept = store.snapshot(run)
    if kept is None:
        raise RefusedError(
            f"{read.trouble}; and there is no snapshot, so this run changed nothing on AWS",
            hint="`cutover status` shows what is live; `cutover rollback --plan PLAN --no-run` sets source full",
        )
    plan = _plan_for_recovery(run, kept)
    clock = SystemClock()
    clients = connect(
        plan, clock, profile=options.profile, region=options.region, store=store, run_id=run.id
    )
    if kept.opened is not None:
        _refuse_other_world(run, kept.opened.mode, clients.mode)
    routes = tuple(RouteId(route) for route in kept.snapshot.configs)
    lease = store.take_lease(routes, run.id, clock.now(), for_rollback=True)
    if not _sensible(read_run(store.place, run, to_go_back=True), command).trouble:
        # another rollback recovered the run a moment ago: its good journal tells how that ended
        lease.close()
        return go_on(run, command, options)
    earlier = ("journal.recovery-", "journal.damaged-")
    number = 1 + sum(name.startswith(earlier) for name in run.disk.list(run.path))
    recovery = Recovery(run.path, run.disk, run.rehearsal, number)
    journal = _fresh_journal(run, recovery, plan, read.trouble)
    session = RunSession(plan, run, store, clock, clients, lease, journal, RunState())
    try:
        _refuse_absurd(run, kept, session)
        session.watch(options)
        opening = kept.opened or RunOpen(
            plan.name,
            plan.hash,
            plan.aws.account,
            plan.aws.region,
            clients.mode,
            __version__,
            routes,
        )
        session.record(opening, must=False)
        session.take_over(options, (command,), must=False)
        session.record(kept.snapshot, must=False)
        why = f"going back from snapshot.json alone, for {read.trouble}"
        said = {"said": why}
        session.record(Note(Code.PROCESS_NOTE, said, why), must=False)
        # whatever it sent is unknown: no read may be taken for a restored route before it was written
        session.record(Observed("history_lost", {}), must=False)
        attaching = PhaseChanged(
            Phase.PREFLIGHT, Phase.ATTACHING, Code.PROCESS_NOTE, said, why, -1
        )
        session.record(attaching, must=False)
        ended = session.drive(options, (command,))
    finally:
        session.close()
    if ended.state.phase in TERMINAL and not journal.fallback_records and not ended.lost:
        _replace_journal(run, recovery)
    return ended


def _refuse_absurd(run: RunDirectory, kept: KeptSnapshot, session: RunSession) -> None:
    """Its hash fits, and yet what it says of the routes may be nothing that can be written.

    Raises:
        NeedsHumanError: naming what needs no snapshot.
    """
    router = session.clients.router
    try:
        configs = {
            RouteId(route): config_of(body) for route, body in kept.snapshot.configs.items()
        }
        router.restore_commands(configs)
        for route, config in configs.items():
            router.restored(
                route,
                config,
                config,
                str(kept.snapshot.stickiness_strategies.get(route, "keep")),
                verbatim=False,
            )
    except Exception as error:
        raise NeedsHumanError(
            f"{run.snapshot} holds no configs that can be written ({type(error).__name__}: {printable(str(error))})",
            hint=f"read {run.restore} and run its commands; or `cutover rollback --plan {run.plan} --no-run`",
        ) from error


def _plan_for_recovery(run: RunDirectory, kept: KeptSnapshot) -> Plan:
    try:
        plan = plan_of(run)
    except CutoverError as error:
        raise NeedsHumanError(
            f"neither the journal nor the plan of run {run.id} can be read: {error}",
            hint=f"sh {run.restore} needs neither; or `cutover rollback --plan PLAN --no-run`",
        ) from None
    if {route.id for route in plan.routes} != set(kept.snapshot.configs):
        raise NeedsHumanError(
            f"{run.plan} has other routes than the run's snapshot",
            hint=f"sh {run.restore} restores the routes of the snapshot",
        )
    return plan


def _newest_epoch(run: RunDirectory) -> int:
    try:
        return newest_epoch(run.disk.read(run.journal))
    except OSError:
        return 0


def _fresh_journal(run: RunDirectory, recovery: Recovery, plan: Plan, trouble: str) -> FileJournal:
    text = restore_text_of(plan.aws.account, plan.aws.region, recovery.id)
    epoch = 1 + _newest_epoch(run)  # a process that has lost the run knows it by this
    try:
        return FileJournal.open_new(recovery, restore_text=text, epoch=epoch)
    except RefusedError as error:
        # a disk that takes nothing must not keep traffic on the destination
        return FileJournal(
            recovery,
            read_journal(b""),
            None,
            epoch=epoch,
            restore_text=text,
            durable=True,
            complain=_said_already,
            trouble=f"{trouble}; {error}",
        )


def _said_already(_line: str) -> None:
    """The damage is told as the run's own trouble; the records go to memory and the views."""


def _replace_journal(run: RunDirectory, recovery: Recovery) -> None:
    """The recovery's journal tells the run's end; the damaged one is kept beside it."""
    aside = run.path / f"journal.damaged-{recovery.number}.jsonl"
    try:
        if run.disk.look(run.journal) is not None:
            run.disk.replace(run.journal, aside)
        run.disk.replace(recovery.journal, run.journal)
        run.disk.sync_directory(run.path)
    except OSError:
        return  # the next rollback recovers again, and finds everything restored
