"""Rehearsals that ship with cutover, held to every promise by what the emulated AWS saw of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.app import rehearsal
from cutover.local.plan_file import load_plan
from cutover.local.state_directory import StateDirectory
from tests.promises.catalogue import PROMISES
from tests.promises.facts import Ended, Fact, Read, Recorded, Replied, Sent, Told, Took
from tests.promises.from_rehearsal import Observer
from tests.promises.promise import broken

PLAN = load_plan(Path(__file__).parents[2] / "plans" / "minimal.yaml").plan
SHIPPED = (
    "healthy", "crash-after-write", "crash-in-rollback", "lost-reply", "terraform-drift", "throttled-rollback", "groups-deleted",
)  # fmt: skip


def observed(name: str, place: Path) -> Observer:
    """The scenario, rehearsed before an observer."""
    _, scenario = rehearsal.load_scenario(name)
    observer = Observer(rehearsal.planned(PLAN, scenario))
    result = rehearsal.rehearse(
        PLAN, scenario, name=name, place=StateDirectory(place), witness=observer, listeners=(observer.listener,)
    )  # fmt: skip
    observer.ended(int(result.exit_code))
    return observer


@pytest.mark.parametrize("name", SHIPPED)
def test_a_rehearsal_keeps_every_promise(name: str, tmp_path: Path) -> None:
    observer = observed(name, tmp_path)
    assert broken(PROMISES, observer.setting, observer.facts) == []


def test_an_observer_sees_what_was_read_sent_taken_answered_recorded_and_told(
    tmp_path: Path,
) -> None:
    observer = observed("healthy", tmp_path)
    kinds: set[type[Fact]] = {type(fact) for fact in observer.facts}
    assert {Read, Sent, Took, Replied, Recorded, Told, Ended} <= kinds
    sent = [fact for fact in observer.facts if isinstance(fact, Sent)]
    assert [fact.weight for fact in sent] == [0, *(int(step.weight) for step in PLAN.steps)]
    took = [fact for fact in observer.facts if isinstance(fact, Took)]
    assert [(fact.config, fact.number) for fact in took] == [
        (fact.config, fact.number) for fact in sent
    ]
