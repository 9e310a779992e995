"""The part of the store suite that is about a run's memory and its way back; see `store`."""

from __future__ import annotations

import pytest

from cutover.core.errors import JournalError, RefusedError, UsageError
from cutover.core.journal.contents import DamageKind
from cutover.core.journal.events import Record
from cutover.core.observation import Known, Unknown
from cutover.local.journal_file import encode
from tests.contracts.store import COMMAND, StoreStage, append, in_phase
from tests.local.samples import (
    AT,
    EVERY_TYPE,
    NOTE,
    OPEN,
    PREFLIGHT,
    SNAPSHOT,
    rolling_back,
)


class JournalsContract:
    """A run's memory."""

    def test_records_come_back_equal_in_every_process(self, stage: StoreStage) -> None:
        run = stage.create()
        journal = stage.begin(run)
        written = append(journal, *EVERY_TYPE)
        assert [record.seq for record in written] == list(range(1, len(EVERY_TYPE) + 1))
        assert {record.epoch for record in written} == {1}
        read = stage.store().get(run.id)
        assert read is not None
        assert list(read.contents().records) == written
        assert read.contents().damage is None
        assert not read.never_started()

    def test_the_records_of_one_turn_are_appended_together(self, stage: StoreStage) -> None:
        run = stage.create()
        taken = stage.begin(run).append_all((OPEN, PREFLIGHT, NOTE), AT)
        assert isinstance(taken, Known)
        assert list(taken.value) == list(run.contents().records)
        assert [record.event for record in taken.value] == [OPEN, PREFLIGHT, NOTE]

    def test_nothing_to_append_appends_nothing(self, stage: StoreStage) -> None:
        journal = stage.begin(stage.create())
        taken = journal.append_all((), AT)
        assert isinstance(taken, Known)
        assert taken.value == ()
        assert append(journal, OPEN)[0].seq == 1

    def test_every_record_changes_the_head_hash_of_all_before_it(self, stage: StoreStage) -> None:
        run, heads = stage.create(), []
        journal = stage.begin(run)
        for event in (OPEN, NOTE, NOTE):
            append(journal, event)
            heads.append(run.contents().head_hash)
        assert len(set(heads)) == 3
        other = stage.create("shop-2")
        append(stage.begin(other), OPEN, NOTE, NOTE)
        assert other.contents().head_hash not in heads, "the chain is of one run"

    def test_a_run_that_has_a_journal_cannot_begin_another(self, stage: StoreStage) -> None:
        run = stage.said("shop-1", OPEN)
        with pytest.raises(RefusedError):
            stage.begin(run)
        assert [one.event for one in run.contents().records] == [OPEN]

    def test_a_process_that_goes_on_has_what_was_said_and_the_next_epoch(
        self, stage: StoreStage
    ) -> None:
        run = stage.said("shop-1", OPEN, NOTE)
        for epoch in (2, 3):
            journal = stage.go_on(run)
            assert [one.event for one in journal.contents.records][:2] == [OPEN, NOTE]
            assert journal.epoch == epoch
            (record,) = append(journal, NOTE)
            assert (record.seq, record.epoch) == (epoch + 1, epoch)
            journal.close()
        assert [one.epoch for one in run.contents().records] == [1, 1, 2, 3]

    def test_a_run_without_a_journal_has_nothing_to_go_on_with(self, stage: StoreStage) -> None:
        run = stage.create()
        with pytest.raises(UsageError):
            run.contents()
        with pytest.raises(JournalError):
            stage.go_on(run)

    def test_a_torn_last_record_never_happened(self, stage: StoreStage) -> None:
        run = stage.said("shop-1", OPEN, PREFLIGHT, NOTE)
        stage.tear(run)
        assert [one.event for one in run.contents().records] == [OPEN, PREFLIGHT]
        assert run.contents().damage is None
        journal = stage.go_on(run)
        (record,) = append(journal, rolling_back())
        assert record.seq == 3
        assert [one.event for one in run.contents().records] == [OPEN, PREFLIGHT, rolling_back()]

    @pytest.mark.parametrize("harm", ["damage", "cut"])
    def test_other_damage_is_seen_and_no_raise_follows_from_it(
        self, stage: StoreStage, harm: str
    ) -> None:
        run = stage.said("shop-1", OPEN, PREFLIGHT, NOTE, in_phase("BAKING"))
        getattr(stage, harm)(run)
        damage = run.contents().damage
        assert damage is not None
        assert (damage.line, damage.kind) == (2, DamageKind.CORRUPT)
        assert [one.event for one in run.contents().records] == [OPEN]
        with pytest.raises(JournalError, match="line 2") as refused:
            stage.go_on(run)
        assert "rollback shop-1" in refused.value.hint

    def test_a_record_of_another_chain_is_damage_though_it_is_intact(
        self, stage: StoreStage
    ) -> None:
        run = stage.said("shop-1", OPEN, PREFLIGHT)
        forged, _ = encode(Record(2, 1, AT, NOTE), run.id, "ab" * 32)
        stage.replace(run, forged)
        damage = run.contents().damage
        assert damage is not None
        assert (damage.line, damage.kind) == (2, DamageKind.CORRUPT)
        with pytest.raises(JournalError, match="line 2"):
            stage.go_on(run)

    def test_a_rollback_goes_on_from_a_damaged_journal(self, stage: StoreStage) -> None:
        run = stage.said("shop-1", OPEN, PREFLIGHT, NOTE)
        stage.damage(run)
        journal = stage.go_on(run, for_rollback=True)
        assert isinstance(journal.append(rolling_back(), AT), Unknown)
        record = journal.forced(rolling_back(), AT)
        assert (record.event, record.epoch) == (rolling_back(), journal.epoch)
        journal.close()
        for seen in (run.contents(), stage.go_on(run, for_rollback=True).contents):
            assert [one.event for one in seen.records] == [OPEN, rolling_back()]
            assert seen.damage is None or seen.damage.line == 2

    def test_a_closed_journal_takes_nothing(self, stage: StoreStage) -> None:
        run = stage.create()
        journal = stage.begin(run)
        append(journal, OPEN)
        journal.close()
        assert isinstance(journal.append(NOTE, AT), Unknown)
        assert [one.event for one in run.contents().records] == [OPEN]

    def test_of_two_writers_the_older_one_is_refused_and_knows_the_other(
        self, stage: StoreStage
    ) -> None:
        run = stage.create()
        older = stage.begin(run)
        append(older, OPEN)
        newer = stage.go_on(run)
        assert older.other_writer() == ""
        append(newer, NOTE)
        assert "epoch 2" in older.other_writer()
        assert newer.other_writer() == ""
        refused = older.append_all((PREFLIGHT, PREFLIGHT), AT)
        assert isinstance(refused, Unknown)
        assert refused.code
        assert isinstance(older.append(PREFLIGHT, AT), Unknown), "and for good"
        older.forced(rolling_back(), AT)
        append(newer, PREFLIGHT)
        found = run.contents()
        assert [one.event for one in found.records] == [OPEN, NOTE, PREFLIGHT]
        assert found.damage is None

    def test_who_has_lost_the_lease_touches_nothing_of_the_run(self, stage: StoreStage) -> None:
        run = stage.create()
        journal = stage.begin(run)
        append(journal, OPEN)
        journal.locked_by = lambda: "another process"
        assert isinstance(journal.append(NOTE, AT), Unknown)
        assert isinstance(journal.keep_snapshot(SNAPSHOT, [COMMAND]), Unknown)
        journal.forced(rolling_back(), AT)
        assert stage.store().snapshot(run) is None
        assert [one.event for one in run.contents().records] == [OPEN]

    def test_what_a_bug_was_is_kept_and_takes_nothing_else(self, stage: StoreStage) -> None:
        run = stage.create()
        journal = stage.begin(run)
        append(journal, OPEN)
        journal.bug(ValueError("\ud800 in a port"))
        append(journal, NOTE)
        assert [one.event for one in run.contents().records] == [OPEN, NOTE]


class SnapshotsContract:
    """The way back that needs no journal."""

    def test_a_snapshot_comes_back_equal_with_the_run_that_found_it(
        self, stage: StoreStage
    ) -> None:
        run = stage.create()
        journal = stage.begin(run)
        append(journal, OPEN, PREFLIGHT)
        assert stage.store().snapshot(run) is None
        assert isinstance(journal.keep_snapshot(SNAPSHOT, [COMMAND]), Known)
        kept = stage.store().snapshot(run)
        assert kept is not None
        assert (kept.snapshot, kept.opened) == (SNAPSHOT, OPEN)

    def test_it_outlives_a_journal_that_cannot_be_believed(self, stage: StoreStage) -> None:
        run = stage.create()
        journal = stage.begin(run)
        append(journal, OPEN, PREFLIGHT)
        journal.keep_snapshot(SNAPSHOT, [COMMAND])
        journal.close()
        stage.damage(run)
        kept = stage.store().snapshot(run)
        assert kept is not None
        assert kept.snapshot == SNAPSHOT
        assert not run.never_started()

    def test_a_run_that_lost_its_journal_is_still_one_that_wrote(self, stage: StoreStage) -> None:
        run = stage.create()
        journal = stage.begin(run)
        append(journal, OPEN, PREFLIGHT)
        journal.keep_snapshot(SNAPSHOT, [COMMAND])
        journal.close()
        stage.lose_journal(run)
        assert not run.never_started()
        assert not run.is_over(), "its routes are its own until somebody takes it back"
        kept = stage.store().snapshot(run)
        assert kept is not None
        assert kept.snapshot == SNAPSHOT
        with pytest.raises(JournalError):
            stage.go_on(run)

    def test_one_that_was_changed_is_not_believed_and_the_journals_own_is(
        self, stage: StoreStage
    ) -> None:
        run = stage.create()
        journal = stage.begin(run)
        append(journal, OPEN, SNAPSHOT)
        journal.keep_snapshot(SNAPSHOT, [COMMAND])
        stage.spoil_snapshot(run)
        kept = stage.store().snapshot(run)
        assert kept is not None
        assert (kept.snapshot, kept.opened) == (SNAPSHOT, OPEN)

    def test_a_restore_script_is_armed_until_it_is_disarmed_and_stays_so(
        self, stage: StoreStage
    ) -> None:
        run, store = stage.create(), stage.store()
        assert not store.is_armed(run)
        store.disarm(run, "there is none")
        assert not store.is_armed(run)
        journal = stage.begin(run)
        append(journal, OPEN)
        journal.keep_snapshot(SNAPSHOT, [COMMAND])
        assert store.is_armed(run)
        for _ in range(2):
            stage.store().disarm(run, "run shop-1 is FINISHED")
            assert not store.is_armed(run)
