"""A short seeded slice of the swarm, and proof that it sees what it is there to see."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cutover.core.errors import ExitCode
from tests.fakes import RULE
from tests.promises.facts import Ended, Owner, Recorded, Sent, Took
from tests.swarm.disk import LosableDisk
from tests.swarm.generate import KINDS, random_script
from tests.swarm.judging import judged
from tests.swarm.machine import Machine
from tests.swarm.script import Script, script_of
from tests.swarm.shrink import shrunk
from tests.swarm.swarm import run_seed

SCENARIO = {"description": "healthy", "approve_after": "never"}
HEALTHY = {"plan": {"observe": {"poll": "45s"}}, "scenario": SCENARIO}


def lived(**sections: object) -> Machine:
    """A healthy run with what goes wrong in it, lived to its last look."""
    machine = Machine(script_of({**HEALTHY, **sections}))
    machine.live()
    return machine


@pytest.mark.parametrize("seed", range(6))
def test_no_random_script_breaks_a_promise(seed: int) -> None:
    assert run_seed(seed).broken == ()


def test_a_script_is_read_back_as_it_was_written() -> None:
    for seed in range(200):
        script = random_script(seed)
        assert Script.model_validate_json(script.text()) == script


def test_seeds_enable_different_kinds_and_all_of_them() -> None:
    enabled = []
    for seed in range(100):
        chance = random.Random(seed)
        enabled.append({name for name in KINDS if chance.random() < 0.3})
    assert set().union(*enabled) == set(KINDS)
    assert all(len(one) < len(KINDS) for one in enabled)


def test_the_same_script_makes_the_same_run() -> None:
    script = random_script(3)
    facts = []
    for _ in range(2):
        machine = Machine(script)
        machine.live()
        facts.append(machine.eyes.facts)
    assert facts[0] == facts[1]


def test_a_run_without_trouble_completes_and_is_finished() -> None:
    machine = lived(last_word="resume")
    assert str(machine.eyes.state.phase) == "FINISHED"
    assert judged(machine) == []


def test_a_power_loss_keeps_what_was_synced_and_may_keep_more() -> None:
    kept = set()
    for seed in range(40):
        disk = LosableDisk(Path("/x"), random.Random(seed))
        handle = disk.create(Path("/x/a"))
        disk.write_all(handle, b"synced")
        disk.sync(handle)
        disk.sync_directory(Path("/x"))
        disk.write_all(handle, b"more")
        disk.lose_power()
        kept.add(disk.read(Path("/x/a")))
    assert all(one.startswith(b"synced") for one in kept)
    assert {b"synced", b"syncedmore"} < kept


def test_a_name_whose_directory_was_not_synced_may_be_lost() -> None:
    found = set()
    for seed in range(20):
        disk = LosableDisk(Path("/x"), random.Random(seed))
        disk.keep(Path("/x/a"), b"1", durable=True)
        disk.keep(Path("/x/a"), b"2", durable=False)
        disk.lose_power()
        found.add(disk.read(Path("/x/a")))
    assert b"1" in found


def test_a_route_that_only_reads_as_restored_is_written_before_that_is_said() -> None:
    stale = {
        "when": {"step": 1},
        "operation": "DescribeRules",
        "kind": "stale",
        "by": "1h",
        "lasts": "20m",
        "skip": 2,
    }
    machine = lived(
        plan={"safety": {"on_drift": "rollback"}},
        scenario={**SCENARIO, "faults": [stale]},
    )
    assert str(machine.eyes.state.phase) == "ROLLED_BACK"
    assert [fact.weight for fact in machine.eyes.facts if isinstance(fact, Took)][-1] == 0
    assert judged(machine) == []


def test_a_process_that_wakes_after_another_took_the_run_over_sends_nothing() -> None:
    machine = lived(take_overs=[{"when": {"phase": "BAKING", "after": "1m"}, "command": "resume"}])
    facts = machine.eyes.facts
    woke = facts.index(next(one for one in facts if one == Owner(one.at_ms, ours=False)))
    ended = next(fact for fact in facts[woke:] if isinstance(fact, Ended))
    assert ended.exit_code == ExitCode.NEEDS_HUMAN
    assert not any(isinstance(one, Sent | Recorded) for one in facts[woke : facts.index(ended)])
    assert judged(machine) == []
    facts.insert(woke + 1, Sent(facts[woke].at_ms, RULE, "config", 0))
    assert any(one.startswith("P6: ") for one in judged(machine))


def test_a_write_that_is_too_late_at_the_wire_has_not_left() -> None:
    """A process stops where its write is about to leave, and wakes when the look that it rests on is too old."""
    stop = {
        "when": {"phase": "ATTACHING"},
        "point": "call",
        "operation": "Modify*",
        "lasts": "40s",
    }
    machine = lived(stops=[stop])
    facts = machine.eyes.facts
    outcomes = [fact for fact in facts if isinstance(fact, Recorded) and fact.type == "outcome"]
    assert [one.body["code"] for one in outcomes].count("not_sent") == 1
    sent = [fact.number for fact in facts if isinstance(fact, Sent)]
    assert sent == [fact.number for fact in facts if isinstance(fact, Took)]
    assert len(sent) == len(outcomes) - 1
    assert judged(machine) == []


def test_a_script_shrinks_to_the_occurrences_that_matter() -> None:
    script = random_script(5)
    assert script.occurrences > 1
    smallest = shrunk(script, lambda one: one.occurrences >= 1)
    assert smallest.occurrences == 1
