"""The store on this machine's disk: state directory, run directories, locks, claims and inbox behind one port."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cutover.core.errors import CutoverError
from cutover.core.moment import Moment
from cutover.core.observation import OperatorCommand
from cutover.core.values import RouteId, RunId
from cutover.local.claims import Claims
from cutover.local.command_pipe import CommandPipe
from cutover.local.found_journal import FoundJournal
from cutover.local.holders import driver
from cutover.local.inbox import LocalInbox, enqueue, queued_commands
from cutover.local.journal import FileJournal
from cutover.local.keyboard import Keyboard
from cutover.local.lease import FlockLease
from cutover.local.run_directory import RunDirectory
from cutover.local.signals import Signals
from cutover.local.snapshot_file import disarm_restore, is_armed, read_snapshot
from cutover.local.state_directory import StateDirectory
from cutover.ports import Clock
from cutover.ports.holder import Holder
from cutover.ports.store import KeptSnapshot, RestoreText, Store


class LocalStore(Store[RunDirectory]):
    """The runs of one user on one machine.

    Attributes:
        place: the directory that holds them.
    """

    def __init__(self, place: StateDirectory) -> None:
        self.place = place

    def prepare(self) -> None:
        self.place.prepare()

    def prepare_for_rollback(self) -> tuple[CutoverError, ...]:
        return self.place.prepare_for_rollback()

    def create(self, run_id: str, plan_text: str) -> RunDirectory:
        return self.place.create(run_id, plan_text)

    def list_runs(self) -> tuple[RunDirectory, ...]:
        return self.place.list_runs()

    def resolve(self, text: str | None) -> RunDirectory:
        return self.place.resolve(text)

    def get(self, run_id: str) -> RunDirectory | None:
        return self.place.get(run_id)

    def take_lease(
        self, routes: Sequence[RouteId], run_id: str, now: Moment, *, for_rollback: bool = False
    ) -> FlockLease:
        return FlockLease.take(self.place, routes, run_id, now, for_rollback=for_rollback)

    def driver(self, run_id: str) -> Holder | None:
        return driver(self.place, run_id)

    def owners(self, routes: Sequence[RouteId]) -> Mapping[RouteId, RunId]:
        return Claims(self.place).of(routes)

    def release(self, routes: Sequence[RouteId], run_id: str) -> None:
        Claims(self.place).release(routes, run_id)

    def begin_journal(self, run: RunDirectory, restore_text: RestoreText) -> FileJournal:
        return FileJournal.open_new(run, restore_text=restore_text)

    def continue_journal(
        self,
        run: RunDirectory,
        restore_text: RestoreText,
        *,
        for_rollback: bool = False,
        known: FoundJournal | None = None,
    ) -> FileJournal:
        return FileJournal.open_existing(
            run, restore_text=restore_text, for_rollback=for_rollback, known=known
        )

    def snapshot(self, run: RunDirectory) -> KeptSnapshot | None:
        return read_snapshot(run)

    def disarm(self, run: RunDirectory, why: str) -> None:
        disarm_restore(run, why)

    def is_armed(self, run: RunDirectory) -> bool:
        return is_armed(run)

    def enqueue(self, run: RunDirectory, command: OperatorCommand, at: Moment) -> str:
        return str(enqueue(run, command, at))

    def queued(self, run: RunDirectory) -> tuple[OperatorCommand, ...]:
        return queued_commands(run)

    def inbox(
        self,
        run: RunDirectory,
        clock: Clock,
        *,
        others: Callable[[], str],
        signals: Signals | None = None,
        keyboard: Keyboard | None = None,
        pipe: CommandPipe | None = None,
    ) -> LocalInbox:
        """As `Store.inbox`; on this machine signals, keys and a pipe speak too."""
        return LocalInbox(
            run,
            clock,
            switches=(self.place.root,),
            signals=signals,
            keyboard=keyboard,
            pipe=pipe,
            others=others,
        )
