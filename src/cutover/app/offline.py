"""Composition for what needs no AWS: the state directory, a run as its files tell it, and who asks."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cutover import __version__
from cutover.core.errors import (
    CutoverError,
    JournalError,
    LeaseError,
    RefusedError,
    UsageError,
    printable,
)
from cutover.core.journal.contents import JournalContents
from cutover.core.journal.events import GateJudged, PhaseChanged, Record, RunOpen
from cutover.core.values import digest
from cutover.local.found_journal import FoundJournal
from cutover.local.holders import driver
from cutover.local.journal_file import read_journal
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.local.view_file import KeptView, read_view

if TYPE_CHECKING:
    from cutover.core.plan import Plan
    from cutover.core.state import RunState
    from cutover.ports.holder import Holder


T = TypeVar("T")


def operator() -> str:
    """Who asks, as the journal names people: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have a uid without a name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True)
class Read:
    """A run as its files tell it.

    Attributes:
        run: its directory.
        contents: what may be believed of its journal.
        plan, state: None when `trouble` says why they cannot be made.
        driver: the living process that drives it, by its lock.
        view: what its process shows of it.
        trouble: what is wrong with the files; empty when nothing is.
        found: the journal's file as it was read; None where it could not be.
        plan_digest: SHA-256 of the plan.yaml that `plan` was read from.
    """

    run: RunDirectory
    contents: JournalContents
    plan: Plan | None
    state: RunState | None
    driver: Holder | None
    view: KeptView | None
    trouble: str = ""
    found: FoundJournal | None = None
    plan_digest: str = ""

    @property
    def opened(self) -> RunOpen | None:
        """The run's first record."""
        return opened(self.contents)

    @property
    def way_back(self) -> str:
        """What still works when the files cannot be believed."""
        if self.run.rehearsal:
            return "this was a rehearsal: nothing was moved; rehearse again"
        if self.run.never_started():
            return "it ended before it wrote anything to AWS: start a new run"
        try:
            script = self.run.disk.look(self.run.restore) is not None
        except OSError:
            script = True  # it may well be there
        by_hand = f", and sh {self.run.restore}" if script else ""
        return f"no weight is raised from it; `cutover rollback {self.run.id}` works{by_hand}"

    @property
    def changed(self) -> str:
        """How the plan that the run keeps is another than it began with; empty when it is the same."""
        if self.plan is None or self.opened is None or self.plan.hash == self.opened.plan_hash:
            return ""
        if self.opened.tool == __version__:
            return "changed"
        return (
            f"changed, or read differently by this version ({__version__}; the run began with "
            f"{self.opened.tool})"
        )


def opened(contents: JournalContents) -> RunOpen | None:
    """The first record of a journal, when it is intact."""
    first = contents.records[0].event if contents.records else None
    return first if isinstance(first, RunOpen) else None


def read_run(place: StateDirectory, run: RunDirectory, *, to_go_back: bool = False) -> Read:
    """Everything the files of a run say; damage is `trouble`, not an error.

    With `to_go_back` the state has no evidence: a rollback asks for none, and folding it is what takes long.
    """
    from cutover.core.state import replay, replay_without_evidence

    plan: Plan | None = None
    plan_digest = ""
    state: RunState | None = None
    found: FoundJournal | None = None
    trouble = ""
    try:
        found = run.found_journal()
        contents = run.contents_with(found)
    except UsageError as error:
        contents = read_journal(b"")
        # between its directory and its first record a run has no journal: it did nothing yet
        trouble = "" if run.never_started() else str(error)
    if contents.damage is not None:
        damage = contents.damage
        trouble = f"{run.journal}:{damage.line}: {damage.kind}: {damage.why}"
    if not (trouble or contents.records or run.never_started()):
        trouble = f"{run.journal} holds no record, though the run has a snapshot"
    try:
        plan, plan_digest = plan_and_digest(run)
    except CutoverError as error:
        trouble = trouble or str(error)
    else:
        try:
            fold = replay_without_evidence if to_go_back else replay
            state = fold(plan, contents.records)
        except Exception as error:  # noqa: BLE001  whatever a record's content does to the fold is damage
            trouble = trouble or unfoldable(run, error)
    driver, view = driver_of(place, run), read_view(run)
    return Read(run, contents, plan, state, driver, view, trouble, found, plan_digest)


def unfoldable(run: RunDirectory, error: Exception) -> str:
    """What is wrong with a journal whose every line is intact and whose records make no sense together."""
    said = printable(str(error)) or "no more is known"
    return f"{run.journal}: its records do not make the state of a run ({type(error).__name__}: {said})"


def believed(read: Read, call: Callable[[], T]) -> T:
    """What the call makes of the run's records.

    Raises:
        JournalError: when it falls over their content: that too is damage.
    """
    try:
        return call()
    except (CutoverError, OSError):
        raise
    except Exception as error:
        why = read.trouble or unfoldable(read.run, error)
        raise JournalError(why, hint=read.way_back) from error


def plan_of(run: RunDirectory) -> Plan:
    """The plan that the run keeps.

    Raises:
        UsageError: when the file cannot be read.
        PlanError: when it is no plan any more.
    """
    return plan_and_digest(run)[0]


def plan_and_digest(run: RunDirectory) -> tuple[Plan, str]:
    """The same with the SHA-256 of the file.

    Raises:
        UsageError, PlanError: as `plan_of`.
    """
    from cutover.local.plan_file import plan_of_text

    try:
        text = run.disk.read(run.plan).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        hint = "rehearse again" if run.rehearsal else f"sh {run.restore} needs no plan"
        raise UsageError(f"{run.plan}: {why or error}", hint=hint) from None
    return plan_of_text(text, file=str(run.plan)).plan, digest(text)


def driver_of(place: StateDirectory, run: RunDirectory) -> Holder | None:
    """The living process that drives the run, for display: the lock decides, its file only names it."""
    try:
        return driver(place, run.id)
    except LeaseError:
        return None


@dataclass(frozen=True)
class Replayed:
    """A journal folded again from nothing, record by record.

    Attributes:
        state: the state that the records make.
        phases, gates: how many phase changes and gate verdicts were checked.
        doubts: what does not follow from the records before it.
    """

    state: RunState
    phases: int
    gates: int
    doubts: tuple[str, ...]


def replay_run(read: Read) -> Replayed:
    """Fold the journal again; check every phase change against the table and every verdict against its evidence.

    Raises:
        JournalError: for a journal that is damaged or holds nothing: nothing can be said about what follows.
        RefusedError: when the run's plan cannot be read.
    """
    from cutover.core.state import RunState, evolve

    if read.contents.damage is not None:
        raise JournalError(read.trouble, hint=f"`cutover journal verify {read.run.id}`")
    if not read.contents.records:
        raise JournalError(
            read.trouble or f"{read.run.journal} holds no record: there is nothing to fold",
            hint=f"`cutover journal verify {read.run.id}`",
        )
    if read.plan is None:
        raise RefusedError(read.trouble, hint="a replay needs the plan that the run keeps")
    state, phases, gates = RunState(), 0, 0
    doubts = [f"{read.run.plan} was {read.changed} since the run began"] if read.changed else []
    for record in read.contents.records:
        if isinstance(record.event, GateJudged):
            gates += 1
            try:
                doubts += _unfounded(read.plan, state, record, record.event)
            except Exception as error:  # noqa: BLE001  as below
                said = f"{type(error).__name__}: {printable(str(error))}"
                doubts.append(f"record {record.seq}: its verdict cannot be judged again: {said}")
        phases += isinstance(record.event, PhaseChanged)
        try:
            state = evolve(read.plan, state, record)
        except Exception as error:  # noqa: BLE001  whatever a record's content does to the fold is damage
            said = f"{type(error).__name__}: {printable(str(error))}"
            doubts.append(f"record {record.seq} ({record.event.type}): {said}")
    return Replayed(state, phases, gates, tuple(doubts))


def _unfounded(plan: Plan, state: RunState, record: Record, event: GateJudged) -> list[str]:
    """What is wrong with a verdict, judged again from the journalled minutes alone.

    A gate on live facts (health, alarms) cannot be judged again, nor one that the machine made worse
    by a rule of its own (a minute read twice, a source that turned bad after a raise): a breach may
    therefore stand on less than the memory shows, but a PASS never may.
    """
    from cutover.core.gates.api import Verdict
    from cutover.core.messages import with_sentence
    from cutover.core.state.gate_context import context_of, health_said, weight_after

    if event.verdict not in Verdict.__members__:
        return [f"record {record.seq}: {event.verdict!r} is no verdict"]
    gate = next((one for one in plan.gates if one.name == event.gate), None)
    comparison = next((one for one in plan.comparisons if one.id == event.comparison), None)
    if gate is None or comparison is None:
        known = event.gate == "minutes" and comparison is not None
        return (
            []
            if known
            else [f"record {record.seq}: {event.gate} of {event.comparison} is not in the plan"]
        )
    calibration = state.evidence.calibration.get(comparison.id, {})
    if (
        not gate.gate.needs(gate.spec, comparison, calibration)
        or event.verdict != Verdict.PASS.name
    ):
        return []
    context = context_of(
        plan,
        state,
        comparison.id,
        record.at,
        next_weight=weight_after(plan, state),
        health=health_said(state, record.at),
    )
    judged = with_sentence(
        gate.gate.verdict(
            gate.spec, state.evidence.memory(gate.name, comparison.id), comparison, context
        )
    )
    if judged.verdict.name == event.verdict:
        return []
    return [
        f"record {record.seq}: {event.gate} says PASS, its minutes say {judged.verdict.name}: {judged.why}"
    ]
