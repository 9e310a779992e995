"""Journals of every released version fold to the same state and the same next decision, for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cutover.core.journal import VERSION
from cutover.core.journal.codec import FIRST
from cutover.core.observation import CommandName
from cutover.core.plan import Plan
from cutover.core.state import replay
from cutover.local.journal_file import read_journal
from tests.generate_golden_journals import facts, next_decision
from tests.promises.from_records import journal_broken

HERE = Path(__file__).parent
GOLDEN = sorted(HERE.glob("v*/*.jsonl"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_journal_folds_to_the_same_state_and_next_decision(path: Path) -> None:
    told = json.loads(path.with_suffix(".json").read_text())
    plan = Plan.model_validate_json(json.dumps(told["plan"]))
    contents = read_journal(path.read_bytes())
    assert contents.damage is None
    assert contents.torn == b""
    state = replay(plan, contents.records)
    assert facts(state) == told["state"]
    for command, decided in told["next"].items():
        assert next_decision(plan, state, CommandName(command)) == decided


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_journal_breaks_no_promise(path: Path) -> None:
    plan = Plan.model_validate_json(
        json.dumps(json.loads(path.with_suffix(".json").read_text())["plan"])
    )
    records = read_journal(path.read_bytes()).records
    closed = getattr(records[-1].event, "exit_code", -1)
    assert journal_broken(plan, records, closed) == []


def test_every_version_up_to_this_one_has_golden_journals() -> None:
    assert {path.parent.name for path in GOLDEN} == {
        f"v{version}" for version in range(FIRST, VERSION + 1)
    }
