"""The catalogue as a whole."""

from __future__ import annotations

import pickle

import pytest

from tests.promises import test_claims, test_evidence, test_processes, test_rollback, test_writes
from tests.promises.catalogue import PROMISES, SEARCHED
from tests.promises.facts import Read
from tests.promises.promise import At, Watch
from tests.promises.runs import SETTING, A, Case, intent, read, sent

MODULES = (test_writes, test_evidence, test_rollback, test_claims, test_processes)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)


def test_every_promise_has_a_run_that_breaks_it_and_one_that_keeps_it() -> None:
    ids = [promise.id for promise in PROMISES]
    assert len(set(ids)) == len(ids)
    assert {case.id for case in CASES if case.because} == set(ids)
    assert {case.id for case in CASES if not case.because} == set(ids)


def test_every_promise_says_what_it_is_and_where_it_ends() -> None:
    for promise in PROMISES:
        assert promise.text.endswith("."), promise.id
        assert promise.ends == "" or promise.ends.endswith("."), promise.id


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}: {case.sentence}")
def test_a_memory_can_be_kept_beside_a_state_and_compared(case: Case) -> None:
    watch = Watch.over([promise for promise in PROMISES if promise.id == case.id])
    for fact in case.facts:
        watch, _ = watch.after(SETTING, [fact])
        hash(watch.memories)
        assert pickle.loads(pickle.dumps(watch.memories)) == watch.memories


def test_a_step_changes_no_memory_but_its_own() -> None:
    before = Watch.over(SEARCHED)
    after, _ = before.after(SETTING, [intent(), read(at=5), sent(at=6)])
    assert before.memories == tuple(promise.start for promise in SEARCHED)
    assert after.memories != before.memories


def test_only_times_are_of_the_kind_that_a_search_cuts() -> None:
    watch, _ = Watch.over(SEARCHED).after(SETTING, [Read(1_000, A, "found")])
    assert At(1_000) in [one for memory in watch.memories for one in _times(memory)]
    assert all(one == 1_000 for memory in watch.memories for one in _times(memory))


def _times(memory: object) -> list[At]:
    if isinstance(memory, At):
        return [memory]
    if isinstance(memory, tuple | frozenset):
        return [time for one in memory for time in _times(one)]
    return []
