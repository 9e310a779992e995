"""A store without files: what a table with conditional writes would hold, in memory.

It shows that the port asks for nothing that only a directory has: an append is a write on the condition that nobody
has written the record of that number and no epoch is higher; a lease is a row that its process's death removes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cutover.core.errors import (
    CutoverError,
    JournalError,
    LeaseError,
    NeedsHumanError,
    RefusedError,
    UsageError,
)
from cutover.core.journal.contents import JournalContents
from cutover.core.journal.events import Event, Intent, PhaseChanged, Record, RunOpen, Snapshot
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import LOST, OWNED, Known, OperatorCommand, Reading, Unknown
from cutover.core.values import RouteId, RunId, digest
from cutover.local.journal_file import encode, normal, read_journal
from cutover.local.run_directory import TERMINAL, checked_run_id
from cutover.ports import Clock, Inbox
from cutover.ports.holder import Holder
from cutover.ports.store import (
    KeptSnapshot,
    RestoreText,
    RunJournal,
    RunLease,
    Store,
)


@dataclass
class MemoryRun:
    """One run's rows."""

    id: str
    plan: str
    rehearsal: bool = False
    lines: list[bytes] | None = None
    epoch: int = 0
    kept: KeptSnapshot | None = None
    kept_hash: str = ""
    script: str = ""
    armed: bool = False
    process: int | None = None
    commands: list[OperatorCommand] = field(default_factory=list)
    fallback: list[Record] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)

    def contents(self) -> JournalContents:
        if self.lines is None:
            raise UsageError(f"run {self.id} has no journal", hint="is the run id right?")
        contents = read_journal(b"".join(self.lines))
        return replace(contents, records=(*contents.records, *self.fallback))

    def phase(self) -> str:
        records = self.contents().records if self.lines else ()
        phases = [one.event.after for one in records if isinstance(one.event, PhaseChanged)]
        return str(phases[-1]) if phases else ""

    def is_over(self) -> bool:
        return self.phase() in TERMINAL or self.never_started()

    def never_started(self) -> bool:
        return not self.lines and self.kept is None

    def pid(self) -> int | None:
        return self.process

    def wrote_nothing(self) -> bool:
        records = self.contents().records if self.lines else ()
        wrote = any(isinstance(one.event, Intent | Snapshot) for one in records)
        return self.kept is None and not wrote


@dataclass
class Tables:
    """What every process of the store shares."""

    runs: dict[str, MemoryRun] = field(default_factory=dict)
    leases: dict[RouteId, tuple[int, str]] = field(default_factory=dict)
    claims: dict[RouteId, str] = field(default_factory=dict)
    processes: itertools.count[int] = field(default_factory=lambda: itertools.count(1))


class MemoryStore(Store[MemoryRun]):
    """The store as one process sees it."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.process = next(tables.processes)

    def prepare(self) -> None:
        """Memory is there."""

    def prepare_for_rollback(self) -> tuple[CutoverError, ...]:
        return ()

    def create(self, run_id: str, plan_text: str) -> MemoryRun:
        if checked_run_id(run_id) in self.tables.runs:
            raise UsageError(f"run {run_id} exists already", hint="give another --run-id")
        return self.tables.runs.setdefault(run_id, MemoryRun(run_id, plan_text))

    def list_runs(self) -> tuple[MemoryRun, ...]:
        return tuple(run for _, run in sorted(self.tables.runs.items()))

    def resolve(self, text: str | None) -> MemoryRun:
        runs = self.list_runs()
        exact = [run for run in runs if run.id == text]
        meant = [run for run in runs if text and run.id.startswith(text)]
        if text is None:
            meant = [run for run in runs if not run.is_over()]
        found = exact or meant
        if len(found) != 1:
            named = ", ".join(run.id for run in found or runs)
            raise UsageError(f"{len(found)} runs are meant", hint=f"name one of: {named}")
        return found[0]

    def get(self, run_id: str) -> MemoryRun | None:
        return self.tables.runs.get(run_id)

    def take_lease(
        self, routes: Sequence[RouteId], run_id: str, now: Moment, *, for_rollback: bool = False
    ) -> MemoryLease:
        for route in routes:
            if held := self.tables.leases.get(route):
                raise LeaseError(f"{route} is being moved by run {held[1]}", hint="see its status")
            owner = self._owner(route)
            if owner not in ("", run_id):
                phase = self.tables.runs[owner].phase()
                raise LeaseError(f"{route} belongs to run {owner} ({phase})", hint="end it first")
        for route in routes:
            self.tables.leases[route] = self.process, run_id
            self.tables.claims[route] = run_id
        return MemoryLease(self, tuple(routes), run_id)

    def driver(self, run_id: str) -> Holder | None:
        held = [process for process, run in self.tables.leases.values() if run == run_id]
        return Holder(run_id, held[0], "memory", "now") if held else None

    def owners(self, routes: Sequence[RouteId]) -> Mapping[RouteId, RunId]:
        return {route: RunId(owner) for route in routes if (owner := self._owner(route))}

    def release(self, routes: Sequence[RouteId], run_id: str) -> None:
        for route in routes:
            if self.tables.claims.get(route) == run_id:
                del self.tables.claims[route]

    def _owner(self, route: RouteId) -> str:
        run = self.tables.runs.get(self.tables.claims.get(route, ""))
        return "" if run is None or run.is_over() or run.wrote_nothing() else run.id

    def begin_journal(self, run: MemoryRun, restore_text: RestoreText) -> MemoryJournal:
        if run.lines is not None:
            raise RefusedError(f"run {run.id} has a journal already", hint="resume it")
        run.lines = []
        return MemoryJournal(run, self.process, restore_text, epoch=1)

    def continue_journal(
        self,
        run: MemoryRun,
        restore_text: RestoreText,
        *,
        for_rollback: bool = False,
        known: object = None,
    ) -> MemoryJournal:
        contents = run.contents() if run.lines is not None else read_journal(b"")
        trouble = "it is missing" if run.lines is None else ""
        if damage := contents.damage:
            trouble = f"line {damage.line} is {damage.kind}: {damage.why}"
        if trouble and not for_rollback:
            hint = f"`cutover rollback {run.id}` works"
            raise JournalError(f"the journal of run {run.id}: {trouble}", hint=hint)
        if run.lines and contents.torn:
            run.lines.pop()
        epoch = max(run.epoch, contents.epoch) + 1
        return MemoryJournal(run, self.process, restore_text, epoch=epoch, trouble=trouble)

    def snapshot(self, run: MemoryRun) -> KeptSnapshot | None:
        if run.kept is not None and digest(repr(run.kept)) == run.kept_hash:
            return run.kept
        events = [one.event for one in run.contents().records] if run.lines else []
        snapshots = [one for one in events if isinstance(one, Snapshot)]
        if not snapshots:
            if run.kept is not None:
                raise NeedsHumanError("the snapshot was changed", hint="use another way back")
            return None
        opened = next((one for one in events if isinstance(one, RunOpen)), None)
        return KeptSnapshot(snapshots[-1], opened)

    def disarm(self, run: MemoryRun, why: str) -> None:
        run.armed = False

    def is_armed(self, run: MemoryRun) -> bool:
        return run.armed

    def enqueue(self, run: MemoryRun, command: OperatorCommand, at: Moment) -> str:
        run.commands.append(command)
        return f"the commands of run {run.id}"

    def queued(self, run: MemoryRun) -> tuple[OperatorCommand, ...]:
        return tuple(run.commands)

    def inbox(self, run: MemoryRun, clock: Clock, *, others: Callable[[], str]) -> MemoryInbox:
        return MemoryInbox(run, others)


class MemoryLease(RunLease):
    """Rows of one process."""

    def __init__(self, store: MemoryStore, routes: tuple[RouteId, ...], run_id: str) -> None:
        self.journalled_by: Callable[[], str] = _nobody
        self._store, self._routes, self._run_id = store, routes, run_id

    def renew(self, now: Moment) -> Reading[None]:
        if owner := self.other_owner():
            return Unknown(owner, OWNED)
        if not self._routes or any(self._row(route) is None for route in self._routes):
            return Unknown("the lease is gone", LOST)
        return Known(None, now)

    def _row(self, route: RouteId) -> tuple[int, str] | None:
        return self._store.tables.leases.get(route)

    def locked_by(self) -> str:
        held = [self._row(route) for route in self._routes]
        other = [one for one in held if one is not None and one[0] != self._store.process]
        return f"process {other[0][0]} drives run {other[0][1]}" if other else ""

    def other_owner(self) -> str:
        return self.locked_by() or self.journalled_by()

    def ends(self, now: Moment) -> Moment | None:
        return None

    def close(self) -> None:
        for route in self._routes:
            if self._row(route) == (self._store.process, self._run_id):
                del self._store.tables.leases[route]
        self._routes = ()


class MemoryJournal(RunJournal):
    """Appends on the condition that nobody else has."""

    def __init__(
        self,
        run: MemoryRun,
        process: int,
        restore_text: RestoreText,
        *,
        epoch: int,
        trouble: str = "",
    ) -> None:
        self.contents = read_journal(b"") if run.lines is None else run.contents()
        self.epoch = epoch
        self.locked_by: Callable[[], str] = _nobody
        self._run, self._process, self._restore_text = run, process, restore_text
        self._trouble = trouble
        self._head, self._seq = self.contents.head_hash, self.contents.next_seq
        self._last = Moment(wall_from_ms(0), 0, "")

    def append(self, event: Event, at: Moment) -> Reading[Record]:
        taken = self.append_all((event,), at)
        return Known(taken.value[0], at) if isinstance(taken, Known) else taken

    def append_all(self, events: Sequence[Event], at: Moment) -> Reading[tuple[Record, ...]]:
        if not self._trouble:
            self._trouble = self.locked_by() or self.other_writer()
        lines = self._run.lines
        if self._trouble or lines is None:
            return Unknown(self._trouble, "journal")
        records, new, head = [], [], self._head
        for number, event in enumerate(events):
            record = normal(Record(self._seq + number, self.epoch, at, event))
            line, head = encode(record, self._run.id, head)
            records.append(record)
            new.append(line)
        lines += new
        self._head, self._seq = head, self._seq + len(records)
        self._run.epoch, self._last = self.epoch if records else self._run.epoch, at
        return Known(tuple(records), at)

    def other_writer(self) -> str:
        higher = self._run.epoch > self.epoch
        return f"epoch {self._run.epoch} of run {self._run.id}'s journal" if higher else ""

    def bug(self, error: Exception) -> None:
        self._run.bugs.append(repr(error))

    def forced(self, event: Event, at: Moment) -> Record:
        taken = self.append(event, at)
        if isinstance(taken, Known):
            return taken.value
        record = normal(Record(self._seq, self.epoch, at, event))
        self._seq += 1
        if not (self.locked_by() or self.other_writer()):
            self._run.fallback.append(record)
        return record

    def keep_snapshot(self, snapshot: Snapshot, commands: Sequence[str]) -> Reading[None]:
        if owner := self.locked_by() or self.other_writer():
            return Unknown(owner, "snapshot")
        events = [one.event for one in self._run.contents().records]
        opened = next((one for one in events if isinstance(one, RunOpen)), None)
        self._run.kept = KeptSnapshot(snapshot, opened)
        self._run.kept_hash = digest(repr(self._run.kept))
        self._run.script, self._run.armed = self._restore_text(commands), True
        return Known(None, self._last)

    def close(self) -> None:
        self._trouble = self._trouble or "it is closed"


class MemoryInbox(Inbox):
    """Commands of a run's rows; one that stops goes when the wait after it comes."""

    def __init__(self, run: MemoryRun, others: Callable[[], str]) -> None:
        self._run, self._others = run, others
        self._given: list[OperatorCommand] = []

    def wait(self, until: Moment) -> tuple[OperatorCommand, ...]:
        if self._others():
            return ()
        commands = self._run.commands
        for command in self._given:
            commands.remove(command)
        found = tuple(commands)
        self._given = [command for command in found if command.stops]
        commands[:] = self._given
        return found

    def stopping(self) -> str:
        waiting = [one for one in self._run.commands if one.stops and one not in self._given]
        return f"the command {waiting[0].name}" if waiting else ""


def _nobody() -> str:
    return ""
