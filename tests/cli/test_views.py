"""view.json: what it shows is what the journal says, and it is never believed over the journal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cutover.app import api
from cutover.core.journal.events import Record, RunOpen
from cutover.core.observation import CommandName
from cutover.core.state import Phase, RunState
from cutover.core.values import MINUTE, RouteId, digest
from cutover.local.clock import SystemClock
from cutover.local.fallback import Fallback
from cutover.local.journal import FileJournal
from cutover.local.lease import FlockLease
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from tests.cli.command import called
from tests.fakes import Bench
from tests.local.samples import AT, NOTE, restore_text
from tests.records import note
from tests.shown_runs import PLAN, Process

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """A run that pauses, resumes, and is then rolled back."""
    bench = Bench(PLAN)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE, "lunch"), 9 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME, "on"), 11 * MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK, "enough"), 9 * MINUTE)
    bench.run()
    return [
        replace(one, event=replace(one.event, mode="live", plan_hash=PLAN.hash))
        if isinstance(one.event, RunOpen)
        else one
        for one in bench.journal.records
    ]


@pytest.fixture
def left(place: StateDirectory, records: list[Record]) -> RunDirectory:
    """A run in a bake, with its view, whose process was killed."""
    process = Process(place)
    process.turn(*records[: baking(records)])
    return process.run


def baking(records: list[Record]) -> int:
    """How many records there are in the middle of the first bake."""
    return next(n for n, one in enumerate(records) if one.event.type == "command") - 1


def from_the_journal(run: RunDirectory, *command: object) -> Any:
    """What the command says when there is no view."""
    view = run.view.read_bytes()
    run.view.unlink()
    try:
        return called(*command)
    finally:
        run.view.write_bytes(view)


def is_shown(run: RunDirectory) -> bool:
    return api.shown_run(run) is not None


def test_after_every_record_the_view_says_what_the_journal_says(
    place: StateDirectory, records: list[Record]
) -> None:
    process = Process(place)
    seen = set[str]()
    for number, record in enumerate(records):
        process.turn(record)
        if number % 7 and record.event.type not in ("phase", "command"):
            continue
        assert is_shown(process.run)
        shown = called("status", "shop-1", "--json")
        read = from_the_journal(process.run, "status", "shop-1", "--json")
        assert shown.code == read.code == 0
        assert shown.out == read.out
        assert called("list", "--json").out == from_the_journal(process.run, "list", "--json").out
        seen.add(str(shown.object["phase"]))
    assert seen >= {"PREFLIGHT", "SHIFTING", "BAKING", "HOLDING", "ROLLING_BACK", "ROLLED_BACK"}


def test_people_read_the_same_lines_from_the_view_and_from_the_journal(
    left: RunDirectory,
) -> None:
    for command in (["status"], ["list"]):
        shown, read = called(*command), from_the_journal(left, *command)
        assert shown.code == read.code == 0
        # who read the journal has no look to tell of, and a second may have passed
        told = [line for line in read.out.splitlines() if " ago" not in line]
        missed = [line for line in told if line not in shown.out.splitlines()]
        assert [line for line in missed if not line.startswith("  process ")] == []
    assert "the last look was at" in " ".join(called("status").out.split())
    assert "BAKING" in called("list").out


def edited(run: RunDirectory) -> None:
    text = run.journal.read_bytes()
    changed = text.replace(b'"PASS"', b'"FAIL"', 1)
    assert len(changed) == len(text) != 0
    run.journal.write_bytes(changed)


def cut(run: RunDirectory) -> None:
    lines = run.journal.read_bytes().splitlines(keepends=True)
    run.journal.write_bytes(b"".join(lines[:-1]))


def grown(run: RunDirectory) -> None:
    journal = FileJournal.open_existing(run, restore_text=restore_text)
    journal.append(note("later"), AT)
    journal.close()


def torn(run: RunDirectory) -> None:
    with run.journal.open("ab") as file:
        file.write(b'{"half')


def another_plan(run: RunDirectory) -> None:
    text = run.plan.read_text()
    run.plan.write_text(text.replace('"10m"', '"11m"', 1))
    assert run.plan.read_text() != text


def went_elsewhere(run: RunDirectory) -> None:
    assert Fallback(run, lambda _: None, "full").write(b"{}\n")


def of_view(change: Callable[[dict[str, Any]], object]) -> Callable[[RunDirectory], None]:
    """The view with a change, and with the hash that it then has."""

    def change_view(run: RunDirectory) -> None:
        data = json.loads(run.view.read_text())
        del data["hash"]
        change(data)
        body = json.dumps(data, separators=(",", ":"))[1:]
        run.view.write_text(f'{{"hash":"{digest(body)}",{body}\n')

    return change_view


def said_otherwise(run: RunDirectory) -> None:
    text = run.view.read_text()
    changed = text.replace('"phase":"BAKING"', '"phase":"FINISHED"')
    assert changed != text
    run.view.write_text(changed)


def missing(run: RunDirectory) -> None:
    run.view.unlink()


def unreadable(run: RunDirectory) -> None:
    run.view.unlink()
    os.mkfifo(run.view)


DISBELIEVED: dict[str, Callable[[RunDirectory], None]] = {
    "a journal that was edited": edited,
    "a journal that was cut": cut,
    "a journal that has grown": grown,
    "a journal with a torn line": torn,
    "another plan": another_plan,
    "records of a rollback elsewhere": went_elsewhere,
    "no view": missing,
    "a fifo": unreadable,
    "a view that was edited": said_otherwise,
    "a view of another version": of_view(lambda one: one.update(tool="0.0.0")),
    "a view of a later format": of_view(lambda one: one.update(format=2)),
    "a view of another run": of_view(lambda one: one.update(run="shop-2")),
    "a view without a status": of_view(lambda one: one.pop("status")),
    "a view with another status": of_view(lambda one: one["status"].pop("phase")),
    "a view with more in it": of_view(lambda one: one["status"].update(more=1)),
    "a view that is no object": of_view(lambda one: one.update(status=[1])),
    "a view with an absurd text": of_view(lambda one: one["status"].update(steps=[])),
    "a view of an absurd body": of_view(lambda one: one["status"].update(body={})),
}


@pytest.mark.parametrize("trouble", DISBELIEVED)
def test_a_view_that_is_not_that_of_the_journal_is_not_shown_and_is_no_error(
    left: RunDirectory, place: StateDirectory, trouble: str
) -> None:
    DISBELIEVED[trouble](left)
    said = [called("status", "shop-1", *more) for more in ([], ["--json"])]
    listed = called("list", "--json")
    if left.view.exists():
        left.view.unlink()
    read = [called("status", "shop-1", *more) for more in ([], ["--json"])]
    assert [one.code for one in said] == [one.code for one in read]
    assert said[1].out == read[1].out
    assert listed.out == called("list", "--json").out
    assert listed.code == 0
    assert "a bug" not in said[0].err
    assert "FINISHED" not in said[0].out + listed.out


def test_the_view_of_a_living_process_names_it_and_its_looks(
    left: RunDirectory, place: StateDirectory
) -> None:
    lease = FlockLease.take(place, (RouteId("r"),), left.id, SystemClock().now())
    try:
        shown = " ".join(called("status").out.split())
        assert f"driven by process {os.getpid()}" in shown
        assert "it should have looked again at" in shown
        assert "advances in" in shown
        assert called("list", "--json").object["alive"] is True
    finally:
        lease.close()
    assert "advances in" not in called("status").out


def test_a_process_that_only_goes_back_shows_the_run_when_it_ends(
    place: StateDirectory, records: list[Record]
) -> None:
    process = Process(place)
    process.view.state = lambda: None
    process.turn(*records)
    assert json.loads(process.run.view.read_text())["pid"] == os.getpid()
    assert not is_shown(process.run)
    process.view.end(None)
    assert is_shown(process.run)
    shown = called("status", "shop-1", "--json")
    assert shown.out == from_the_journal(process.run, "status", "shop-1", "--json").out
    assert shown.object["phase"] == Phase.ROLLED_BACK


def test_a_record_that_nobody_was_told_leaves_the_run_to_its_journal(
    place: StateDirectory, records: list[Record]
) -> None:
    process = Process(place)
    process.turn(*records[:5])
    process.journal.append(NOTE, AT)
    process.view.on_tick(AT, AT, "")
    assert not is_shown(process.run)
    process.view.end(process.state)
    assert not is_shown(process.run)
    assert called("status", "shop-1").code == 0


def test_a_run_that_another_process_has_keeps_its_view(
    place: StateDirectory, records: list[Record]
) -> None:
    process = Process(place)
    process.turn(*records[:5])
    before = process.run.view.read_bytes()
    process.journal.locked_by = lambda: "process 2"
    process.view.on_tick(AT, AT, "")
    process.view.end(process.state)
    assert process.run.view.read_bytes() == before


def test_a_run_that_cannot_be_told_still_says_that_its_process_lives(
    place: StateDirectory, records: list[Record]
) -> None:
    process = Process(place)
    process.turn(*records[:5])

    def absurd() -> RunState:
        raise ZeroDivisionError("a bug")

    process.view.state = absurd
    process.turn(records[5])
    assert json.loads(process.run.view.read_text()).keys() >= {"pid", "last", "next"}
    assert not is_shown(process.run)
    assert list(process.run.path.glob("crash-*.txt"))


def test_a_rehearsal_leaves_its_view(minimal: Path, place: StateDirectory) -> None:
    assert called("rehearse", minimal).code == 0
    (run,) = place.list_runs(rehearsals=True)
    assert is_shown(run)
    for command in (("status", run.id, "--json"), ("list", "--rehearsals", "--json")):
        assert called(*command).out == from_the_journal(run, *command).out
    assert "(emulated time)" in called("status", run.id).out
