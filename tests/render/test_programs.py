"""What programs read: records as NDJSON, structured logs, the status object; and what imports cost."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from cutover.core.journal import events as ev
from cutover.core.journal.codec import body
from cutover.core.messages import RunView, fold
from cutover.render.jsonlines import JsonView
from cutover.render.log import LogView
from cutover.render.status_json import status_json
from tests import records
from tests.fakes import START, TWO_ROUTES, Bench, plan_of


@pytest.fixture(scope="module")
def bench() -> Bench:
    found = Bench(plan_of(routes=TWO_ROUTES))
    found.at_weight(50, lambda: setattr(found.traffic, "destination_errors", 0.05))
    found.run()
    return found


def test_every_record_is_one_json_object_with_its_schema(bench: Bench) -> None:
    out = io.StringIO()
    view = JsonView(bench.plan, out)
    for record in bench.journal.records:
        view.on_record(record)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["seq"] for one in found] == [record.seq for record in bench.journal.records]
    assert {one["schema"] for one in found} == {"cutover.record.v1"}
    written = [one for one in found if one["type"] == "verified"]
    assert [one["body"]["weight_percent"] for one in written] == [
        body(record.event)["weight"] / 10
        for record in bench.journal.records
        if isinstance(record.event, ev.Verified)
    ]
    plain = ("run_open", "lease", "minute", "gate", "command")
    assert [one["body"] for one in found if one["type"] in plain] == [
        body(record.event) for record in bench.journal.records if record.event.type in plain
    ]
    breach = next(one for one in found if one["body"].get("cause") == "breach")
    assert breach["phase"] == "ROLLING_BACK"
    assert breach["sentence"].endswith("-> rolling back from 5 %")
    assert all(one["sentence"] is None for one in found if one["type"] == "minute")


def test_every_weight_of_a_record_is_percent_and_called_so(bench: Bench) -> None:
    out = io.StringIO()
    view = JsonView(bench.plan, out)
    for record in bench.journal.records:
        view.on_record(record)
    last: list[ev.Event] = [
        records.weight_observed(0, 0, {"one": 48, "two": -1}, "seen"),
        ev.Drift("arn", "a", {"weight": -1, "text": "{}"}),
    ]
    for event in last:
        view.on_record(ev.Record(1, 1, START, event))
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert not [one for one in found if {"weight", "shares"} & keys_of(one)]
    assert found[-2]["body"]["shares_percent"] == {"one": 4.8, "two": None}
    assert found[-1]["body"]["seen"]["weight_percent"] is None


def keys_of(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def test_a_record_stays_one_line_whatever_it_holds() -> None:
    out = io.StringIO()
    JsonView(plan_of(), out).on_record(ev.Record(1, 1, START, records.note("a\nb\u2028c\x1b")))
    assert len(out.getvalue().splitlines()) == 1
    assert json.loads(out.getvalue())["body"]["text"] == "a\nb\u2028c\x1b"


@pytest.mark.parametrize("style", ["json", "logfmt"])
def test_logs_have_a_level_and_only_what_a_person_would_be_told(bench: Bench, style: str) -> None:
    out = io.StringIO()
    view = LogView(bench.plan, out, "checkout-1", style)  # type: ignore[arg-type]
    for record in bench.journal.records:
        view.on_record(record)
    lines = out.getvalue().splitlines()
    worst = [line for line in lines if "rolling back from" in line]
    assert len(worst) == 1
    assert "error" in worst[0]
    assert "checkout-1" in worst[0]
    assert len(lines) < len(bench.journal.records)
    if style == "json":
        assert json.loads(worst[0])["level"] == "error"


def test_the_status_object_is_plain_json_with_its_schema(bench: Bench) -> None:
    view = RunView.begin(bench.plan)
    keys = None
    found: dict[str, object] = {}
    for record in bench.journal.records:
        view = fold(view, record)
        found = status_json(view.state, bench.plan)
        assert found == json.loads(json.dumps(found, allow_nan=False))
        assert keys in (None, set(found))
        keys = set(found)
    assert found["schema"] == "cutover.status.v1"
    assert found["phase"] == "ROLLED_BACK"
    assert found["exit_code"] == 3


def test_no_view_imports_rich_structlog_or_boto3_before_it_needs_them() -> None:
    modules = ["lines", "jsonlines", "log", "status", "plan", "tables", "banner"]
    code = "import sys\n" + "".join(f"import cutover.render.{name}\n" for name in modules)
    code += (
        "print([m for m in ('rich', 'structlog', 'boto3', 'jinja2', 'moto') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
