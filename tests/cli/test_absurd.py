"""Files whose hashes fit and whose content is absurd, on a loopback AWS: nothing falls over, and going back works."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from cutover.core.state import Phase
from cutover.core.values import canonical_json, digest
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from tests.cli.command import called
from tests.cli.emulated import Aws, crashed_run, damaged, emulated_aws
from tests.proofs.absurd import mutated, rehashed

pytestmark = pytest.mark.slow
"""A rollback reads every route again after 2 s, and these are real ones."""


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with emulated_aws() as aws:
        yield aws


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server.reset()
    return server


def says_too(run: RunDirectory, **record: Any) -> None:
    """Put one more record into the middle of the journal, with a chain that fits."""
    records = [json.loads(line) for line in run.journal.read_bytes().splitlines()]
    records.insert(4, {**records[3], **record})
    for name in records[3].keys() - record.keys() - {"v", "seq", "run", "epoch", "at"}:
        if name not in ("boot_ms", "boot_id", "prev", "hash", "type"):
            records[4].pop(name, None)
    run.journal.write_bytes(rehashed(records))


ABSURD: dict[str, dict[str, Any]] = {
    "a time": {"type": "minute", "comparison": "p", "at_ms": 10**18, "counts": {}},
    "a route": {"type": "observed", "what": "unreadable", "facts": {"route": "nowhere"}},
    "a config": {"type": "observed", "what": "config", "facts": {"route": [], "config": 7}},
}


@pytest.mark.parametrize("what", ABSURD)
def test_absurd_content_is_damage_and_a_rollback_goes_back_from_the_snapshot(
    aws: Aws, place: StateDirectory, what: str
) -> None:
    sound = crashed_run(place, aws, Phase.PREFLIGHT, run_id="other-1")
    run = crashed_run(place, aws, Phase.BAKING)
    says_too(run, **ABSURD[what])
    status = called("status", run.id)
    assert status.code == 7, status.err
    assert str(run.journal) in status.err
    listed = {one["run"]: one for one in called("list", "--json").objects}
    assert listed[run.id]["damage"]
    assert not listed[sound.id]["damage"]
    assert "damaged: BAKING" in called("list").out
    assert called("journal", "verify", run.id).code == 7
    resumed = called("resume", run.id)
    assert resumed.code == 7, resumed.err
    assert f"cutover rollback {run.id}" in resumed.err
    back = called("rollback", run.id)
    assert back.code == 3, back.out + back.err
    assert aws.config().weight == 0


@pytest.mark.parametrize(
    "config", [7, {}, {"text": 10**18, "weight": []}, {"text": "[", "weight": 10**18}]
)
def test_an_absurd_snapshot_beside_a_damaged_journal_names_what_works_without_both(
    aws: Aws, place: StateDirectory, config: Any
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    kept = json.loads(run.snapshot.read_text())
    kept.pop("hash")
    absurd = config if not isinstance(config, dict) or not config else {
        "attached": False, "source_present": True, "sticky": False, **config
    }  # fmt: skip
    kept["snapshot"]["configs"][aws.listener] = absurd
    run.snapshot.write_text(json.dumps({**kept, "hash": digest(canonical_json(kept))}))
    lines = run.journal.read_bytes().splitlines(keepends=True)
    run.journal.write_bytes(b"graffiti\n" + b"".join(lines))
    back = called("rollback", run.id)
    assert back.code == 4, back.out + back.err
    assert str(run.restore) in back.err
    assert "--no-run" in back.err


def test_a_snapshot_that_is_absurd_gives_way_to_the_one_in_the_journal(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    run.snapshot.write_text("[]")
    damaged(run)
    assert called("rollback", run.id).code == 4, "the damage is before it"
    run = crashed_run(place, aws, Phase.BAKING, run_id="shop-2")
    run.snapshot.write_text("[]")
    with run.journal.open("ab") as file:
        file.write(b"graffiti\n{}\n")
    back = called("rollback", run.id)
    assert back.code == 3, back.out + back.err


@pytest.mark.parametrize("seed", range(4))
def test_no_absurd_journal_makes_a_rollback_fall_over(
    aws: Aws, place: StateDirectory, seed: int
) -> None:
    run = crashed_run(place, aws, Phase.HOLDING)
    run.journal.write_bytes(mutated(run.journal.read_bytes(), random.Random(seed)))
    assert called("finish", run.id).code != 1
    back = called("rollback", run.id)
    assert back.code in (2, 3, 4, 7), back.out + back.err
    if back.code == 3:
        assert not aws.config().weight
