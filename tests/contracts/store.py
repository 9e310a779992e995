"""What every `Store` must do, wherever it keeps runs: a new store writes a stage, and passes this suite.

A module of tests subclasses `RunsContract` and `LeasesContract` of this module, `JournalsContract` and
`SnapshotsContract` of `stored_journals`, and `CommandsContract` of `stored_commands`, and gives each the fixture `stage`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from cutover.core.errors import LeaseError, UsageError
from cutover.core.journal.events import Event, PhaseChanged, Record
from cutover.core.observation import OWNED, Known, Unknown
from cutover.core.values import RouteId
from cutover.ports.store import RunJournal, RunLease, Store, StoredRun
from tests import records
from tests.local.samples import (
    AT,
    INTENT,
    NOTE,
    OPEN,
    PREFLIGHT,
    SNAPSHOT,
    restore_text,
)

A, B, C = (RouteId(f"arn:rule/{name}") for name in "abc")
COMMAND = "aws elbv2 modify-rule --rule-arn arn:rule/a"
ENDS = ("FINISHED", "ROLLED_BACK", "REFUSED", "ABANDONED")


class StoreStage(ABC):
    """One store, as several processes see it, and what can happen to what it keeps."""

    @abstractmethod
    def store(self) -> Store[Any]:
        """The store as another process opens it."""

    @abstractmethod
    def elsewhere(
        self, run_id: str, *routes: RouteId
    ) -> AbstractContextManager[Callable[[], None]]:
        """Another process takes the lease, as the run; calling what is given kills it."""

    @abstractmethod
    def tear(self, run: StoredRun) -> None:
        """The journal's last record was never finished."""

    @abstractmethod
    def damage(self, run: StoredRun) -> None:
        """Somebody changed a word in the journal's second record."""

    @abstractmethod
    def cut(self, run: StoredRun) -> None:
        """Somebody removed the journal's second record."""

    @abstractmethod
    def replace(self, run: StoredRun, line: bytes) -> None:
        """Somebody put another intact record in the place of the journal's second one."""

    @abstractmethod
    def lose_journal(self, run: StoredRun) -> None:
        """Somebody removed the whole journal."""

    @abstractmethod
    def spoil_snapshot(self, run: StoredRun) -> None:
        """Somebody changed a word in the kept snapshot."""

    def create(self, run_id: str = "shop-1", plan: str = "version: 1\n") -> Any:
        """A new run."""
        return self.store().create(run_id, plan)

    def begin(self, run: Any) -> RunJournal:
        """The journal of its first process."""
        return self.store().begin_journal(run, restore_text)

    def go_on(self, run: Any, **how: bool) -> RunJournal:
        """The journal of a process after it."""
        return self.store().continue_journal(run, restore_text, **how)

    def said(self, run_id: str, *said: Event) -> Any:
        """A run whose journal says these events, and whose process is gone."""
        run = self.create(run_id)
        journal = self.begin(run)
        append(journal, *said)
        journal.close()
        return run

    def in_phase(self, run_id: str, phase: str) -> Any:
        """A run that came so far."""
        return self.said(run_id, OPEN, PREFLIGHT, SNAPSHOT, INTENT, in_phase(phase))


def in_phase(phase: str) -> PhaseChanged:
    """The record that says so."""
    return records.phase_changed("", phase, "", 0)


def append(journal: RunJournal, *said: Event) -> list[Record]:
    """The records, durable one by one."""
    found = [journal.append(event, AT.plus(number)) for number, event in enumerate(said)]
    assert all(isinstance(one, Known) for one in found), found
    return [one.value for one in found if isinstance(one, Known)]


class RunsContract:
    """Runs and how a person names them."""

    def test_a_new_run_is_found_by_every_process(self, stage: StoreStage) -> None:
        run = stage.create("shop-1")
        other = stage.store()
        assert [one.id for one in other.list_runs()] == ["shop-1"]
        found = other.get("shop-1")
        assert found is not None
        assert found.id == run.id
        assert not found.rehearsal
        assert (found.phase(), found.never_started(), found.pid()) == ("", True, None)

    def test_the_same_id_is_given_once(self, stage: StoreStage) -> None:
        run = stage.said("shop-1", OPEN, NOTE)
        with pytest.raises(UsageError, match="shop-1"):
            stage.create("shop-1", "another plan")
        assert [one.event for one in run.contents().records] == [OPEN, NOTE]

    @pytest.mark.parametrize("bad", ["", "../shop", "Shop", "shop/1", "-shop", "a" * 101, "é"])
    def test_what_cannot_be_an_id_is_refused_and_finds_nothing(
        self, stage: StoreStage, bad: str
    ) -> None:
        with pytest.raises(UsageError):
            stage.create(bad)
        assert stage.store().get(bad) is None
        assert stage.store().list_runs() == ()

    def test_runs_are_listed_by_id_also_those_that_are_over(self, stage: StoreStage) -> None:
        for run_id, phase in (("b", "BAKING"), ("a", "FINISHED"), ("c", "HOLDING")):
            stage.in_phase(run_id, phase)
        found = stage.store().list_runs()
        assert [one.id for one in found] == ["a", "b", "c"]
        assert [one.phase() for one in found] == ["FINISHED", "BAKING", "HOLDING"]
        assert [one.is_over() for one in found] == [True, False, False]

    def test_a_run_is_meant_by_its_id_or_by_how_only_its_id_begins(
        self, stage: StoreStage
    ) -> None:
        for run_id in ("shop", "shop-1", "cart-1"):
            stage.in_phase(run_id, "BAKING")
        store = stage.store()
        assert store.resolve("shop").id == "shop", "an exact id comes before those that begin so"
        assert store.resolve("shop-").id == "shop-1"
        assert store.resolve("c").id == "cart-1"
        with pytest.raises(UsageError) as several:
            store.resolve("sh")
        assert "shop-1" in several.value.hint
        with pytest.raises(UsageError):
            store.resolve("nowhere")

    def test_nothing_named_means_the_only_live_run(self, stage: StoreStage) -> None:
        for number, phase in enumerate(ENDS):
            stage.in_phase(f"over-{number}", phase)
        with pytest.raises(UsageError):
            stage.store().resolve(None)
        stage.in_phase("shop-1", "COMPLETED")
        assert stage.store().resolve(None).id == "shop-1"
        stage.in_phase("shop-2", "BAKING")
        with pytest.raises(UsageError) as several:
            stage.store().resolve(None)
        assert "shop-1" in several.value.hint
        assert "shop-2" in several.value.hint

    def test_a_place_is_ready_again_and_again(self, stage: StoreStage) -> None:
        stage.in_phase("shop-1", "BAKING")
        stage.store().prepare()
        assert stage.store().prepare_for_rollback() == ()
        assert stage.store().get("shop-1") is not None


class LeasesContract:
    """Who may move a route: one process, and one run."""

    @contextmanager
    def held(
        self, store: Store[Any], routes: Sequence[RouteId], run_id: str, **how: bool
    ) -> Iterator[RunLease]:
        lease = store.take_lease(routes, run_id, AT, **how)
        try:
            yield lease
        finally:
            lease.close()

    def test_it_has_one_holder_who_is_known_by_name(self, stage: StoreStage) -> None:
        stage.in_phase("shop-1", "BAKING")
        with stage.elsewhere("shop-1", A, B):
            found = stage.store().driver("shop-1")
            assert found is not None
            assert found.run == "shop-1"
            assert found.pid > 0
            for run_id in ("shop-1", "cart-1"):
                with pytest.raises(LeaseError, match="shop-1"):
                    stage.store().take_lease([B, C], run_id, AT)
            assert stage.store().driver("cart-1") is None

    def test_who_was_refused_one_route_keeps_none(self, stage: StoreStage) -> None:
        stage.in_phase("shop-1", "BAKING")
        with stage.elsewhere("shop-1", B):
            with pytest.raises(LeaseError):
                stage.store().take_lease([A, B, C], "cart-1", AT)
            with self.held(stage.store(), [A, C], "cart-1") as lease:
                assert isinstance(lease.renew(AT), Known)

    def test_it_is_renewed_while_it_is_ours(self, stage: StoreStage) -> None:
        with self.held(stage.store(), [A, B], "shop-1") as lease:
            assert isinstance(lease.renew(AT), Known)
            assert lease.locked_by() == lease.other_owner() == ""
            ends = lease.ends(AT)
            assert ends is None or ends.after(AT) > 0
        assert isinstance(lease.renew(AT), Unknown), "it was given back"

    def test_a_foreign_record_in_the_journal_proves_another_owner(self, stage: StoreStage) -> None:
        with self.held(stage.store(), [A], "shop-1") as lease:
            lease.journalled_by = lambda: "epoch 2"
            assert lease.other_owner() == "epoch 2"
            assert lease.locked_by() == ""
            renewed = lease.renew(AT)
            assert isinstance(renewed, Unknown)
            assert renewed.code == OWNED

    def test_a_killed_process_frees_the_lease_and_not_the_claim(self, stage: StoreStage) -> None:
        stage.in_phase("shop-1", "BAKING")
        with stage.elsewhere("shop-1", A) as kill:
            kill()
            assert stage.store().driver("shop-1") is None
            assert stage.store().owners([A, B]) == {A: "shop-1"}
            with pytest.raises(LeaseError, match="shop-1"):
                stage.store().take_lease([A], "cart-1", AT)
            with self.held(stage.store(), [A], "shop-1") as lease:
                assert isinstance(lease.renew(AT), Known)

    def test_a_rollback_is_kept_from_a_route_only_by_who_has_it(self, stage: StoreStage) -> None:
        stage.in_phase("shop-1", "BAKING")
        with stage.elsewhere("shop-1", A) as kill:
            with pytest.raises(LeaseError):
                stage.store().take_lease([A], "shop-1", AT, for_rollback=True)
            kill()
            with pytest.raises(LeaseError):
                stage.store().take_lease([A], "cart-1", AT, for_rollback=True)
            with self.held(stage.store(), [A], "shop-1", for_rollback=True) as lease:
                assert isinstance(lease.renew(AT), Known)

    @pytest.mark.parametrize("phase", ["BAKING", "HOLDING", "COMPLETED", "NEEDS_HUMAN"])
    def test_two_live_runs_cannot_have_one_route(self, stage: StoreStage, phase: str) -> None:
        stage.in_phase("shop-1", phase)
        with self.held(stage.store(), [A, B], "shop-1"):
            pass
        assert stage.store().owners([A, B, C]) == {A: "shop-1", B: "shop-1"}
        with pytest.raises(LeaseError, match=phase):
            stage.store().take_lease([B, C], "cart-1", AT)
        assert stage.store().owners([C]) == {}

    @pytest.mark.parametrize("phase", ENDS)
    def test_a_run_that_is_over_has_no_route(self, stage: StoreStage, phase: str) -> None:
        run = stage.in_phase("shop-1", "BAKING")
        with self.held(stage.store(), [A], "shop-1"):
            append(stage.go_on(run), in_phase(phase))
        assert stage.store().owners([A]) == {}
        with self.held(stage.store(), [A], "cart-1"):
            stage.in_phase("cart-1", "BAKING")
            assert stage.store().owners([A]) == {A: "cart-1"}

    def test_a_run_that_never_wrote_has_no_route(self, stage: StoreStage) -> None:
        stage.said("shop-1", OPEN, PREFLIGHT)
        with self.held(stage.store(), [A], "shop-1"):
            pass
        with self.held(stage.store(), [A], "cart-1") as lease:
            assert isinstance(lease.renew(AT), Known)

    def test_only_its_owner_gives_a_route_free(self, stage: StoreStage) -> None:
        stage.in_phase("shop-1", "BAKING")
        with self.held(stage.store(), [A, B], "shop-1"):
            stage.store().release([A, B], "cart-1")
            assert stage.store().owners([A, B]) == {A: "shop-1", B: "shop-1"}
            stage.store().release([A], "shop-1")
            assert stage.store().owners([A, B]) == {B: "shop-1"}
