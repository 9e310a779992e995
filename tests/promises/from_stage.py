"""Facts of an end-to-end test: from the proxy before the emulator, journal files, exit codes and what was printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cutover.core.errors import CutoverError
from cutover.core.moment import parse_wall, wall_ms
from cutover.local.journal_file import read_journal
from cutover.local.plan_file import plan_of_text
from tests.promises.catalogue import PROMISES
from tests.promises.facts import (
    Changed,
    Died,
    Ended,
    Fact,
    Ordered,
    Owner,
    Printed,
    Read,
    Recorded,
    Replied,
    Sent,
    Setting,
    Started,
    Told,
    Took,
)
from tests.promises.from_bench import claimed, setting_of
from tests.promises.promise import broken
from tests.promises.routes import digest
from tests.promises.routing import Routing, asked_actions, routing, told_actions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.stage import Process, Stage
    from tests.e2e.witness import Call

UNSEEN = frozenset({"P14", "N3"})
"""Promises that nothing here can break: health and evidence that a process was shown are not looked at."""

SLACK_MS = 30_000
"""A busy machine: what is late by less is not called late."""

REFUSED = ("throttle", "denied", "expired")
SECRET = "planted-0Zx9"
"""Part of the secret key of every process that a stage starts."""

Order = tuple[float, float, float]
"""After so many records; among what comes there; and when (ms)."""


@dataclass
class Journal:
    """One run's journal as it is on the disk now, and who wrote it.

    Attributes:
        path: of the file.
        records: its lines, oldest first.
        ends: where each of them ends in the file.
        drivers: the processes that drove it, by their pid.
    """

    path: Path
    records: list[dict[str, Any]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    drivers: dict[int, Process] = field(default_factory=dict)

    def after(self, size: int | None, at_ms: float) -> int:
        """How many records stood in it when it was so long; its end may have been cut off since.

        What was not there, or was longer than it is now, was another file: then the records' own times must do.
        """
        if size is None or size > max(self.ends, default=0):
            return sum(_at_ms(one) <= at_ms for one in self.records)
        known = sum(end <= size for end in self.ends)
        while known and _at_ms(self.records[known - 1]) > at_ms + 1_000:
            known -= 1
        return known

    def driver(self, known: int) -> int:
        """The pid of the process that drove it when so many records stood in it; 0 for nobody."""
        leases = (one["pid"] for one in reversed(self.records[:known]) if one["type"] == "lease")
        return next(leases, 0)


def stage_broken(stage: Stage) -> list[str]:
    """One sentence for every promise that a run of this stage broke so far."""
    found: list[str] = []
    for path in sorted(stage.path.glob("*/runs/*/journal.jsonl")):
        journal = _journal(stage, path)
        setting = _setting(stage, journal)
        if setting is not None:
            facts = _Facts(stage, journal, setting)
            found += broken(PROMISES, setting, facts.in_order())
    return found


def printed_broken(stage: Stage) -> list[str]:
    """The same for what was printed; of processes that ended."""
    setting = Setting((), (), (), {}, secrets=(SECRET,))
    facts = [Printed(0, one.said) for one in stage.processes]
    for name in ("restore.sh", "snapshot.json", "view.json"):
        files = stage.path.glob(f"*/runs/*/{name}")
        facts += [Printed(0, path.read_text("utf-8")) for path in files]
    return broken([one for one in PROMISES if one.id in ("P29", "P30")], setting, facts)


def _journal(stage: Stage, path: Path) -> Journal:
    data = path.read_bytes()
    journal = Journal(path)
    if read_journal(data).damage is not None:
        return journal  # what a test damaged shows nothing
    at = 0
    for line in data.split(b"\n")[:-1]:
        at += len(line) + 1
        journal.records.append(json.loads(line))
        journal.ends.append(at)
    pids = {one["pid"] for one in journal.records if one["type"] == "lease"}
    journal.drivers = {one.pid: one for one in stage.processes if one.pid in pids}
    return journal


def _setting(stage: Stage, journal: Journal) -> Setting | None:
    """None before the snapshot: nothing may be written yet, and what is there is not known."""
    snapshot = next((one for one in journal.records if one["type"] == "snapshot"), None)
    if snapshot is None:
        return None
    try:
        plan = plan_of_text(journal.path.with_name("plan.yaml").read_text("utf-8")).plan
    except (OSError, CutoverError):
        return None
    found = {
        route: _routing(stage, json.loads(config["text"]))
        for route, config in snapshot["configs"].items()
    }
    return replace(
        setting_of(plan, {}),
        found={route: (one.text, one.portion) for route, one in found.items()},
        slack_ms=SLACK_MS,
        secrets=(SECRET,),
    )


def _routing(stage: Stage, actions: Any) -> Routing:
    return routing(actions, stage.place.source, stage.place.destination)


def _at_ms(record: Mapping[str, Any]) -> int:
    return wall_ms(parse_wall(record["at"]))


class _Facts:
    """Collects the facts of one run, each with its place in the order of things."""

    def __init__(self, stage: Stage, journal: Journal, setting: Setting) -> None:
        self._stage, self._journal, self._setting = stage, journal, setting
        self._found: list[tuple[Order, Fact]] = []
        self._names: dict[str, str] = {}

    def in_order(self) -> list[Fact]:
        """Every fact; what somebody else changed stands before the first read that shows it."""
        self._of_records()
        for call in self._stage.witness.calls:
            self._of_call(call)
        self._found += [((float("inf"), 0, 0), fact) for fact in self._of_status()]
        self._found.sort(key=lambda one: one[0])
        return list(_with_changes([fact for _, fact in self._found], self._setting))

    # the journal

    def _of_records(self) -> None:
        records = self._journal.records
        for number, record in enumerate(records, 1):
            at_ms = _at_ms(record)
            if record["type"] == "lease":
                if number > 2:
                    self._add((number, -2, 0), *self._end(records[number - 2], at_ms))
                self._add((number, -1, 0), Started(at_ms))
            if record["type"] == "command":
                self._add((number, -1, 0), Ordered(at_ms, record["command"]))
            fact = Recorded(at_ms, record["type"], self._body(record), record["seq"])
            self._add((number, 0, 0), replace(fact, epoch=record["epoch"]))
        if records:
            last = len(records) + 1
            self._add((last, 2, 0), *self._end(records[-1], _at_ms(records[-1])))

    def _end(self, record: Mapping[str, Any], at_ms: int) -> Iterator[Fact]:
        """How the process ended whose last record this is."""
        pid = self._journal.driver(record["seq"])
        process = self._journal.drivers.get(pid)
        code = process.popen.poll() if process is not None else None
        if record["type"] == "close" and code is not None and code >= 0:
            yield Ended(at_ms, code)
        elif code is not None:
            yield Died(at_ms)

    def _body(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record with configs as they are compared here."""
        said = dict(record)
        if record["type"] == "snapshot":
            for config in record["configs"].values():
                self._name(config["text"])
        if record["type"] == "observed" and record["what"] == "config":
            self._name(record["facts"]["config"]["text"])
        if record["type"] == "intent":
            said["post"] = {**record["post"], "text": self._name(record["post"]["text"])}
        if record["type"] == "verified":
            said["config"] = self._names.get(record["config"], record["config"])
        return said

    def _name(self, text: str) -> str:
        ours = _routing(self._stage, json.loads(text)).text
        self._names[digest(text)] = digest(ours)
        return ours

    # the calls

    def _of_call(self, call: Call) -> None:
        process = self._process(call)
        if call.route in self._setting.routes and call.share is not None:
            self._of_write(call, process)
        elif process is not None and call.operation in ("DescribeRules", "DescribeListeners"):
            self._of_read(call)

    def _process(self, call: Call) -> Process | None:
        """Which of the run's drivers made the call; None for anybody else."""
        name = call.key.removeprefix("process")
        if not name.isdigit() or int(name) > len(self._stage.processes):
            return None
        process = self._stage.processes[int(name) - 1]
        return process if process.pid in self._journal.drivers else None

    def _order(self, sizes: Mapping[Path, int], at: float) -> Order:
        known = self._journal.after(sizes.get(self._journal.path), at * 1000)
        return (known, 1, at * 1000)

    def _of_write(self, call: Call, process: Process | None) -> None:
        one = _routing(self._stage, asked_actions(call.asked))
        route, number = call.route, call.number
        came, went = (
            self._order(call.journals, call.at),
            self._order(call.journals_then, call.then),
        )
        at_ms, then_ms = int(call.at * 1000), int(call.then * 1000)
        if process is None:
            if call.took_effect:
                self._add(went, Changed(then_ms, route, one.text, one.portion))
            return
        sent = Sent(at_ms, route, one.text, one.portion, number, one.rest)
        if self._journal.driver(int(came[0])) in (process.pid, 0):
            self._add(came, sent)
        else:
            self._add(came, Owner(at_ms, ours=False), sent, Owner(at_ms, ours=True))
        if call.took_effect:
            self._add(went, Took(then_ms, route, one.text, one.portion, number))
        if call.became:
            self._add(went, Replied(then_ms, route, number, _answer(call)))

    def _of_read(self, call: Call) -> None:
        told = told_actions(call.answer) if call.became == "answered" else {}
        asked = set(call.asked.values()) | set(told)
        order, then_ms = self._order(call.journals_then, call.then), int(call.then * 1000) - 1
        for route in self._setting.routes:
            if route in told:
                one = _routing(self._stage, told[route])
                read = Read(then_ms, route, one.text, weight=one.portion, rest=one.rest)
                self._add(order, replace(read, stale=call.stale))
            elif route in asked:
                self._add(order, Read(then_ms, route, ""))

    # what is said

    def _of_status(self) -> Iterator[Fact]:
        said = self._stage.status.get(self._journal.path)
        if said is None:
            return
        hold = said["hold"]["reason"] if said["hold"] else ""
        claims = {one["route"]: claimed(one) for one in said["routes"]}
        yield Told(0, said["phase"], hold, claims)

    def _add(self, order: Order, *facts: Fact) -> None:
        self._found += [(order, fact) for fact in facts]


def _answer(call: Call) -> str:
    if call.became == "answered" or (call.became == "wait" and call.then - call.at < 10):
        return "applied"
    refused = call.became in REFUSED or call.became.startswith("emulator 4")
    return "refused" if refused else "lost"


def _with_changes(facts: Sequence[Fact], setting: Setting) -> Iterator[Fact]:
    """A read that shows what nobody here wrote shows that somebody else did: the emulator is no liar."""
    real = {route: config for route, (config, _) in setting.found.items()}
    for fact in facts:
        if isinstance(fact, Took | Changed):
            real[fact.route] = fact.config
        if isinstance(fact, Read) and fact.config and not fact.stale:
            if fact.config != real[fact.route]:
                yield Changed(fact.at_ms, fact.route, fact.config, fact.weight)
            real[fact.route] = fact.config
        yield fact
