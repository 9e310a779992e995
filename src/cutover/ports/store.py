"""What `app` needs of the place where runs are kept: a directory of this machine now, a table later.

A new one is one class here subclassed, and passes `tests/contracts/store.py`. What is true of every store: a run has
one journal and one writer; who writes is decided by the lease, and proved by the epoch in the journal; a route has one
run; what is durable is durable before the call returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from cutover.core.errors import CutoverError
from cutover.core.journal.contents import JournalContents
from cutover.core.journal.events import RunOpen, Snapshot
from cutover.core.moment import Moment
from cutover.core.observation import OperatorCommand
from cutover.core.values import RouteId, RunId
from cutover.ports import Clock, Inbox, Journal, Lease
from cutover.ports.holder import Holder

RestoreText = Callable[[Sequence[str]], str]
"""restore.sh from its commands; the AWS adapters know how it checks the account and Region."""


@dataclass(frozen=True)
class KeptSnapshot:
    """What going back needs: the configs, and the run that found them (None if it never said)."""

    snapshot: Snapshot
    opened: RunOpen | None


class StoredRun(Protocol):
    """One run, as the store knows it."""

    @property
    def id(self) -> str:
        """The run's id."""

    @property
    def rehearsal(self) -> bool:
        """It is no run of anything real."""

    def contents(self) -> JournalContents:
        """All that may be believed of its journal.

        Raises:
            UsageError: when it has none, or it cannot be read.
        """

    def phase(self) -> str:
        """The last phase that the journal names; empty when it names none. For lists and claims only."""

    def is_over(self) -> bool:
        """Nothing can happen in it any more, unless its process is just beginning it."""

    def never_started(self) -> bool:
        """It has neither a record nor a snapshot."""

    def pid(self) -> int | None:
        """The process that last showed that it lives, or None."""


R = TypeVar("R", bound=StoredRun)


class RunLease(Lease):
    """The lease that one process holds for a run.

    Attributes:
        journalled_by: who else has written to the run's journal, as that can be proved; empty for nobody. The
            journal is opened after the lease, so whoever has both sets it.
    """

    journalled_by: Callable[[], str]

    @abstractmethod
    def locked_by(self) -> str:
        """Who else holds the lease or a claim by now; empty for nobody. The journal is not asked."""

    @abstractmethod
    def close(self) -> None:
        """Give the lease back. Claims stay: see `Store.release`."""


class RunJournal(Journal):
    """The journal that one process writes.

    Attributes:
        contents: what it said when it was opened.
        epoch: of every record that this process appends.
        locked_by: who else holds the run's lease by now; empty for nobody. From then on nothing of the run is touched.
    """

    contents: JournalContents
    epoch: int
    locked_by: Callable[[], str]

    @abstractmethod
    def other_writer(self) -> str:
        """Who has gone on with the run, as an intact record of a higher epoch proves; empty for nobody. Thread-safe."""

    @abstractmethod
    def close(self) -> None:
        """The journal cannot be written any more."""


class Store(ABC, Generic[R]):
    """Runs, and for each of them its journal, lease, claims, commands and way back. `R`: what the store calls a run."""

    # The place

    @abstractmethod
    def prepare(self) -> None:
        """Make it ready, and refuse one that is not to be trusted.

        Raises:
            RefusedError: for a place that others could write to.
            UsageError: when it cannot be made ready.
        """

    @abstractmethod
    def prepare_for_rollback(self) -> tuple[CutoverError, ...]:
        """As `prepare`, but going back is never refused: what is wrong with the place is returned, to be told."""

    # Runs

    @abstractmethod
    def create(self, run_id: str, plan_text: str) -> R:
        """A new run with its plan.

        Raises:
            UsageError: for a bad id, one that exists, or a place that does not take it.
        """

    @abstractmethod
    def list_runs(self) -> tuple[R, ...]:
        """Every run, by id.

        Raises:
            UsageError: when that cannot be told: there may be runs.
        """

    @abstractmethod
    def resolve(self, text: str | None) -> R:
        """The run that a person means: by id, unique beginning, or nothing for the only live one.

        Raises:
            UsageError: when none or several are meant; the message names them.
        """

    @abstractmethod
    def get(self, run_id: str) -> R | None:
        """The run of exactly this id."""

    # Who may move a route

    @abstractmethod
    def take_lease(
        self, routes: Sequence[RouteId], run_id: str, now: Moment, *, for_rollback: bool = False
    ) -> RunLease:
        """Be the one process on these routes, and claim them for the run; all of them or none.

        With `for_rollback` only another process, or another run that owns a route, stands in the way: a place that takes
        nothing must not stop the way back (docs/promises.md P13).

        Raises:
            LeaseError: when another process or another run has one of them; nothing is kept then.
            RefusedError: when nobody has, and it cannot be written.
        """

    @abstractmethod
    def driver(self, run_id: str) -> Holder | None:
        """The living process that drives the run.

        Raises:
            LeaseError: when that cannot be told: somebody may drive it.
        """

    @abstractmethod
    def owners(self, routes: Sequence[RouteId]) -> Mapping[RouteId, RunId]:
        """The run that owns each route, also while no process lives; routes that nobody owns are left out.

        Raises:
            LeaseError: when that cannot be told: somebody may own one.
        """

    @abstractmethod
    def release(self, routes: Sequence[RouteId], run_id: str) -> None:
        """Give the routes free that this run owns; to be called when it is over, before the lease goes."""

    # Its memory

    @abstractmethod
    def begin_journal(self, run: R, restore_text: RestoreText) -> RunJournal:
        """The journal of a run that begins, with no record yet.

        Raises:
            RefusedError: when there is one already, or the place does not take it.
        """

    @abstractmethod
    def continue_journal(
        self,
        run: R,
        restore_text: RestoreText,
        *,
        for_rollback: bool = False,
        known: Any = None,
    ) -> RunJournal:
        """The journal of a run that goes on, in the next epoch; a last record that was never finished is put aside.

        With `for_rollback` one that is damaged, newer or not writable is opened all the same: every append is Unknown,
        and what `forced` keeps is among the records that the next process reads. `known` is what this store gave of the
        journal before the lease was held: it is read again only when somebody may have written since.

        Raises:
            JournalError: when no raise may follow from it, unless `for_rollback`.
        """

    @abstractmethod
    def snapshot(self, run: R) -> KeptSnapshot | None:
        """What `Journal.keep_snapshot` kept, else what the intact part of the journal says.

        None when there was none: then the run changed nothing.

        Raises:
            NeedsHumanError: when there was or may have been one, and none can be believed.
        """

    @abstractmethod
    def disarm(self, run: R, why: str) -> None:
        """Make the run's restore script do nothing: a finished run must not be undone by an old script.

        Raises:
            OSError, UnicodeDecodeError: when that fails; the script is then still armed.
        """

    @abstractmethod
    def is_armed(self, run: R) -> bool:
        """There is a restore script that would move traffic; one that cannot be read may."""

    # What operators say

    @abstractmethod
    def enqueue(self, run: R, command: OperatorCommand, at: Moment) -> str:
        """Leave a command where the run's process will find it, durably; where it lies, for people.

        Raises:
            RefusedError: when the place does not take it; the hint says what works then.
        """

    @abstractmethod
    def queued(self, run: R) -> tuple[OperatorCommand, ...]:
        """The commands that nobody has heard yet, oldest first; they stay where they are."""

    @abstractmethod
    def inbox(self, run: R, clock: Clock, *, others: Callable[[], str]) -> Inbox:
        """What was left for the run's process; `others`: who has the run instead, and what is left is then for them.

        A command that stops is given again after a crash, until the wait that follows its record. Another one is gone
        before it is given: nothing is ever approved twice.
        """
