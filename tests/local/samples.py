"""One record of every type, a moment, and a run directory to put them in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cutover.core.journal import events
from cutover.core.journal.events import Event, Record
from cutover.core.moment import Moment
from cutover.local.disk import Disk
from cutover.local.journal_file import FIRST_PREV, encode
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from tests import records

AT = Moment(datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=UTC), 5_000_123, "boot-a")
RULE = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener-rule/app/shop/50dc/f2f7/9683"
CONFIG = {"text": "[]", "weight": 0, "attached": True, "source_present": True, "sticky": False}

OPEN = events.RunOpen("checkout", "ab" * 32, "111122223333", "eu-west-1", "live", "0.1.0", (RULE,))
SNAPSHOT = events.Snapshot(
    {RULE: CONFIG}, {RULE: "verbatim"}, {"arn:source": 6}, {"comparison": {"p95": 120}}
)
PREFLIGHT = records.phase_changed("", "PREFLIGHT", "the run begins", -1)
INTENT = records.intent(RULE, "move", 0, 1, "aa" * 32, CONFIG, 10, "step 1 of 7")
NOTE = records.note('caf\u00e9 \u2028 \x1b[2J "quoted" \\ and \ud800')


def rolling_back() -> Event:
    return records.phase_changed("BAKING", "ROLLING_BACK", "errors: 5 %", 2, cause="breach")


EVERY_TYPE: tuple[Event, ...] = (
    OPEN,
    events.LeaseTaken("arn:aws:iam::111122223333:user/ops", "host", 4242, "run"),
    PREFLIGHT,
    events.CheckFound("routes-complete", "ok", "2 rules", "", ""),
    SNAPSHOT,
    INTENT,
    events.Outcome(RULE, 1, "ambiguous", "RequestTimeout", "no reply", ""),
    events.Verified(RULE, "bb" * 32, 10, 1_000, 3_000),
    records.weight_observed(
        0, 1_700_000_000_000, {"comparison": 11, "other": -1}, "inside the band"
    ),
    records.gate_judged("errors", "comparison", "PASS", "0 of 900", 1_700_000_060_000, {"bad": 0}),
    events.MinuteSettled(
        "comparison", 1_700_000_000_000, {"destination.requests": 90, "destination.5xx": "-"}
    ),
    events.MinuteCorrected(
        "comparison", 1_700_000_000_000, {"destination.requests": 91, "destination.5xx": "?"}
    ),
    events.Observed("health", {"healthy": 3, "zones": ["a", "b"], "deep": {"ok": True}}),
    events.CommandGiven("pause", "ana", "lunch", "commands"),
    records.gap("the machine slept", 61_000),
    events.Drift(RULE, "bb" * 32, CONFIG),
    NOTE,
    records.close(5, "HOLDING", "held"),
)


def journal_of(said: tuple[Event, ...] = EVERY_TYPE, run: str = "shop-1", epoch: int = 1) -> bytes:
    """The bytes of a journal that says these events, a second apart."""
    data, prev = b"", FIRST_PREV
    for number, event in enumerate(said):
        record = Record(number + 1, epoch, AT.plus(1_000 * number), event)
        line, prev = encode(record, run, prev)
        data += line
    return data


def new_run(root: Path, disk: Disk | None = None, run_id: str = "shop-1") -> RunDirectory:
    state = StateDirectory(root / "state", disk)
    state.prepare()
    return state.create(run_id, "version: 1\n")


def restore_text(commands: object) -> str:
    return "#!/bin/sh\necho restored\n"
