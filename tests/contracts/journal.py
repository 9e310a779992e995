"""What every `Journal` must do within one process, on a disk or in memory; `store.py` has what outlives it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta

import pytest

from cutover.core.journal.events import Event, Observed, Record
from cutover.core.moment import Moment
from cutover.core.observation import Known, Unknown
from cutover.ports import Journal
from tests import records
from tests.local.samples import AT, EVERY_TYPE, NOTE, OPEN, PREFLIGHT, SNAPSHOT, rolling_back


class JournalStage(ABC):
    """A journal that holds nothing yet."""

    journal: Journal

    @abstractmethod
    def records(self) -> list[Record]:
        """What is in it, as another process would read it."""

    @abstractmethod
    def refuse(self) -> None:
        """From now on it takes nothing."""


class JournalContract:
    """The suite."""

    def test_records_are_numbered_and_given_as_they_will_be_read(
        self, stage: JournalStage
    ) -> None:
        taken = [stage.journal.append(event, AT) for event in EVERY_TYPE]
        given = [one.value for one in taken if isinstance(one, Known)]
        assert [record.seq for record in given] == list(range(1, len(EVERY_TYPE) + 1))
        assert given == stage.records()

    def test_a_record_holds_whole_milliseconds_and_lists(self, stage: JournalStage) -> None:
        at = Moment(AT.wall + timedelta(microseconds=7), AT.boot_ms, AT.boot_id)
        taken = stage.journal.append(Observed("zones", {"zones": ("a", ("b",))}), at)
        assert isinstance(taken, Known)
        assert taken.value.at.wall.microsecond % 1000 == 0
        assert isinstance(taken.value.event, Observed)
        assert taken.value.event.facts == {"zones": ["a", ["b"]]}
        assert stage.records() == [taken.value]

    def test_a_turn_is_taken_whole(self, stage: JournalStage) -> None:
        taken = stage.journal.append_all((OPEN, PREFLIGHT, NOTE), AT)
        assert isinstance(taken, Known)
        assert list(taken.value) == stage.records()
        assert [record.event for record in taken.value] == [OPEN, PREFLIGHT, NOTE]
        nothing = stage.journal.append_all((), AT)
        assert isinstance(nothing, Known)
        assert nothing.value == ()

    def test_a_turn_with_what_cannot_be_journalled_is_taken_not_at_all(
        self, stage: JournalStage
    ) -> None:
        wrong = records.gate_judged("errors", "c", "PASS", "why", 0, {"rate": 0.5})  # type: ignore[dict-item]
        with pytest.raises(TypeError):
            stage.journal.append_all((OPEN, wrong), AT)
        assert stage.records() == []
        taken = stage.journal.append(OPEN, AT)
        assert isinstance(taken, Known)
        assert taken.value.seq == 1

    def test_what_it_does_not_take_is_unknown_and_not_in_it(self, stage: JournalStage) -> None:
        stage.journal.append(OPEN, AT)
        stage.refuse()
        said: tuple[Event, ...] = (PREFLIGHT, NOTE)
        for refused in (stage.journal.append(NOTE, AT), stage.journal.append_all(said, AT)):
            assert isinstance(refused, Unknown)
            assert refused.code
            assert refused.reason
        assert [record.event for record in stage.records()] == [OPEN]

    def test_a_rollback_goes_on_with_numbered_records_that_it_does_not_hold(
        self, stage: JournalStage
    ) -> None:
        stage.journal.append(OPEN, AT)
        stage.refuse()
        stage.journal.append(NOTE, AT)
        forced = [stage.journal.forced(rolling_back(), AT) for _ in range(2)]
        assert [record.seq for record in forced] == [2, 3]
        assert [record.event for record in forced] == [rolling_back()] * 2
        assert [record.event for record in stage.records()] == [OPEN]

    def test_a_snapshot_is_kept_or_unknown(self, stage: JournalStage) -> None:
        stage.journal.append(OPEN, AT)
        assert isinstance(stage.journal.keep_snapshot(SNAPSHOT, ["aws ..."]), Known)
        stage.refuse()
        refused = stage.journal.keep_snapshot(SNAPSHOT, ["aws ..."])
        assert isinstance(refused, Unknown)
        assert refused.code
