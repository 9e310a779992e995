"""`cutover judge`: a table of minutes, judged by a plan's own gates."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cutover.app import api
from cutover.app.backtest import JudgedTable
from cutover.cli import run
from cutover.core.backtest import Evaluation
from tests.cli.command import Called, called, everything_on

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "plans" / "judge.yaml"
SAMPLES = ROOT / "plans" / "samples"
VECTORS = json.loads((ROOT / "tests" / "data" / "golden.json").read_text("utf-8"))
MEANS = {
    "CONTINUE": {"PASS"},
    "ROLLBACK": {"BREACH"},
    "HOLD": {"WAITING", "UNKNOWN", "SHARED"},
}
SIGNALS = {
    "5xx": "errors",
    "latency_p95_vs_ec2": "latency.versus_source",
    "latency_slo": "latency.p99.max",
}
GROUP = ("requests", "errors", "unanswered", "slow", "over_slo")
HEAD = (
    "minute,step,weight,"
    + ",".join(f"{side}_{name}" for side in ("source", "destination") for name in GROUP)
    + ",elb_503"
)
FIELDS = ("n", "e", "nr", "slow", "vslow")


def table_of(history: Iterable[Mapping[str, Any]], *, percent: bool) -> str:
    """The history of a golden vector, its fields one to one."""
    lines = [HEAD]
    for row in history:
        weight = row["weight"] * 100 if percent else row["weight"]
        counts = [row[f"{name}_{end}"] for end in "bc" for name in FIELDS]
        cells = [row["t"], row["step"], f"{weight:g}", *counts, row["elb503"]]
        lines.append(",".join("" if cell is None else str(cell) for cell in cells))
    return "\n".join(lines) + "\n"


def judged(tmp_path: Path, text: str, *more: object, plan: Path = PLAN) -> Called:
    table = tmp_path / "minutes.csv"
    table.write_text(text, encoding="utf-8")
    return called("judge", "--plan", plan, "--csv", table, *more)


def healthy(minutes: int = 12) -> list[dict[str, Any]]:
    """An hour before, and minutes of step 0 without a bad request."""
    common = {"e_b": 6, "nr_b": 0, "slow_b": 300, "vslow_b": 24, "elb503": 0}
    none = dict.fromkeys((f"{name}_c" for name in FIELDS), None)
    here = {"n_c": 60, "e_c": 0, "nr_c": 0, "slow_c": 3, "vslow_c": 0}
    rows = [
        {"t": t, "step": -1, "weight": 0.0, "n_b": 6000, **common, **none} for t in range(-60, 0)
    ]
    rows += [
        {"t": t, "step": 0, "weight": 0.01, "n_b": 5940, **common, **here} for t in range(minutes)
    ]
    return rows


@pytest.mark.parametrize("percent", [True, False], ids=["percent", "fractions"])
@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_the_golden_vectors_come_out_as_the_specification_says(
    vector: dict[str, Any], percent: bool, tmp_path: Path
) -> None:
    text = table_of(vector["history"], percent=percent)
    look = judged(tmp_path, text, "--at", vector["now"], "--json").object
    assert look["verdict"] in MEANS[vector["verdict"]], look["sentence"]
    assert look["at"] == vector["now"]
    for name, evidence in vector["evidence"].items():
        assert look["evidence"][SIGNALS[name]] == pytest.approx(evidence, rel=0.01)
    assert look["needed"] == {
        "errors": pytest.approx(200),
        "latency.versus_source": pytest.approx(400),
        "latency.p99.max": pytest.approx(400),
    }


def test_there_is_one_look_after_each_minute_of_the_run(tmp_path: Path) -> None:
    looks = judged(tmp_path, table_of(healthy(), percent=True), "--json").objects
    assert [look["minute"] for look in looks] == list(range(12))
    assert [look["at"] for look in looks] == list(range(1, 13))
    assert {look["action"] for look in looks[2:9]} == {"bake"}
    assert looks[-1]["action"] == "advance"
    assert looks[-1]["verdict"] == "PASS"
    assert looks[-1]["baked_minutes"] == 12
    assert looks[-1]["weight_percent"] == 1.0


def test_a_look_at_a_minute_is_the_one_that_the_whole_table_has_there(tmp_path: Path) -> None:
    text = table_of(healthy(), percent=True)
    every = judged(tmp_path, text, "--json").objects
    for at in (1, 7, 12):
        assert judged(tmp_path, text, "--at", at, "--json").object == every[at - 1]


def test_a_minute_that_is_not_in_the_table_cannot_be_looked_at(tmp_path: Path) -> None:
    for at in (0, 13):
        shown = judged(tmp_path, table_of(healthy(), percent=True), "--at", at)
        assert shown.code == 2
        assert "1 to 12" in shown.err


def test_a_table_without_a_step_has_nothing_to_judge(tmp_path: Path) -> None:
    shown = judged(tmp_path, table_of(healthy(0), percent=True))
    assert shown.code == 2
    assert "no row belongs to a step" in shown.err
    assert "none" in judged(tmp_path, table_of(healthy(0), percent=True), "--at", 1).err


def test_a_bad_deploy_is_a_breach_with_its_numbers_in_one_sentence() -> None:
    looks = called("judge", "--plan", PLAN, "--csv", SAMPLES / "bad-deploy.csv", "--json").objects
    breach = next(look for look in looks if look["verdict"] == "BREACH")
    assert breach["action"] == "rollback"
    assert breach["evidence"]["errors"] >= breach["needed"]["errors"]
    assert "requests failed" in breach["sentence"]
    assert "a healthy destination would ever show this in fewer than 1 of" in breach["sentence"]
    assert breach["minute"] <= 15


def test_a_quiet_night_passes_every_step() -> None:
    looks = called("judge", "--plan", PLAN, "--csv", SAMPLES / "quiet-night.csv", "--json").objects
    assert {look["verdict"] for look in looks} <= {"PASS", "WAITING"}
    earned = {look["step"] for look in looks if look["action"] == "advance"}
    assert earned == {0, 1, 2, 3, 4}


def test_people_read_one_aligned_line_for_each_look(tmp_path: Path) -> None:
    shown = judged(tmp_path, table_of(healthy(), percent=True))
    lines = shown.out.splitlines()
    assert len(lines) == 13
    why = lines[0].index("WHY")
    assert all(line[why - 1] == " " and line[why] != " " for line in lines)
    assert lines[12].split()[:5] == ["11", "1/5", "1", "%", "PASS"]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_narrow_terminal_gets_one_line_for_each_look_and_the_last_sentence_whole(
    columns: int,
) -> None:
    ours, theirs = pty.openpty()
    commands = ["judge", "--plan", str(PLAN), "--csv", str(SAMPLES / "tiny.csv")]
    done = subprocess.run(
        [sys.executable, "-m", "cutover", *commands],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": str(columns)},
        check=False,
        timeout=240,
    )
    os.close(theirs)
    lines = everything_on(ours).splitlines()
    os.close(ours)
    assert done.returncode == 0
    assert max(len(line) for line in lines) <= columns
    assert [line.split()[:1] for line in lines[:5]] == [["MINUTE"], ["0"], ["1"], ["2"], []]
    said = " ".join(" ".join(lines[5:]).split())
    assert said.startswith("BREACH: errors: 9 of 122 requests failed")
    assert "cutovers" in said


def test_a_half_published_newest_minute_is_left_out_and_said(tmp_path: Path) -> None:
    rows = healthy(8)
    rows[-1] |= {"n_b": 900, "n_c": 10, "e_c": 10}
    text = table_of(rows, percent=True)
    look = judged(tmp_path, text, "--at", 8, "--json").object
    assert (look["verdict"], look["left_out"], look["baked_minutes"]) == ("PASS", True, 7)
    assert "newest minute left out" in judged(tmp_path, text, "--at", 8).out.splitlines()[-1]
    rows.append({**rows[-2], "t": 8})
    later = judged(tmp_path, table_of(rows, percent=True), "--at", 9, "--json").object
    assert later["verdict"] == "BREACH", "once a newer minute is there it is settled"


def test_errors_may_be_published_before_their_requests_but_only_in_the_newest_minute(
    tmp_path: Path,
) -> None:
    rows = healthy(8)
    rows[-1] |= {"n_b": 900, "n_c": 10, "e_c": 30}
    assert judged(tmp_path, table_of(rows, percent=True)).code == 0
    rows.append({**rows[-2], "t": 8})
    shown = judged(tmp_path, table_of(rows, percent=True))
    assert shown.code == 2
    assert "errors: 30 of 10 requests" in shown.err


@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.parametrize("column", ["errors", "slow", "over_slo"])
def test_failures_beside_an_empty_cell_of_requests_are_refused_and_not_passed(
    side: str, column: str, tmp_path: Path
) -> None:
    rows = healthy(8)
    end = "c" if side == "destination" else "b"
    counted = f"{FIELDS[GROUP.index(column)]}_{end}"
    rows[-3] |= dict.fromkeys((f"{name}_{end}" for name in FIELDS), None) | {counted: 30}
    shown = judged(tmp_path, table_of(rows, percent=True))
    assert (shown.code, shown.out) == (2, "")
    assert f"{column}: 30 beside an empty {side}_requests" in shown.err
    assert re.search(r"minutes\.csv:67:\d+: error: ", shown.err)
    rows[-3] |= {counted: 0}
    assert judged(tmp_path, table_of(rows, percent=True)).code == 0, "nothing failed of nothing"


def test_failures_published_before_any_request_leave_the_newest_minute_out(tmp_path: Path) -> None:
    rows = healthy(8)
    rows[-1] |= {"n_c": None, "e_c": 30}
    look = judged(tmp_path, table_of(rows, percent=True), "--at", 8, "--json").object
    assert (look["left_out"], look["baked_minutes"]) == (True, 7)


def test_requests_that_nobody_answered_may_stand_beside_no_requests(tmp_path: Path) -> None:
    rows = healthy(8)
    for row in rows[-3:]:
        row |= {"n_c": None, "e_c": None, "slow_c": None, "vslow_c": None, "nr_c": 60}
    assert judged(tmp_path, table_of(rows, percent=True)).code == 0


@pytest.mark.parametrize("side", ["source", "destination"])
def test_an_unanswered_column_of_one_group_alone_is_ignored_and_said(
    side: str, tmp_path: Path
) -> None:
    rows = healthy(8)
    for row in rows[-4:]:
        row |= {"nr_c": 50, "nr_b": 3_000}
    other = "destination" if side == "source" else "source"
    lines = [line.split(",") for line in table_of(rows, percent=True).splitlines()]
    gone = lines[0].index(f"{other}_unanswered")
    text = "\n".join(",".join(line[:gone] + line[gone + 1 :]) for line in lines)
    shown = judged(tmp_path, text, "--json")
    assert {look["verdict"] for look in shown.objects} <= {"PASS", "WAITING"}
    assert (
        f"note: the column {side}_unanswered is ignored: there is no {other}_unanswered"
        in shown.err
    )
    assert "requests that no target answered are not seen" in shown.err


def test_minutes_that_the_table_leaves_out_are_unknown_and_never_a_pass(tmp_path: Path) -> None:
    rows = [row for row in healthy(12) if row["t"] not in (6, 7)]
    shown = judged(tmp_path, table_of(rows, percent=True), "--json")
    looks = shown.objects
    assert len(looks) == 12
    assert looks[6]["left_out"], "a minute that is not there is not published yet"
    assert looks[7]["verdict"] == "UNKNOWN"
    assert "leaves out 2 minutes" in shown.err


def test_the_limits_that_a_table_does_not_know_are_not_invented_in_sentences(
    tmp_path: Path,
) -> None:
    rows = healthy(6)
    for row in rows[60:]:
        row |= {"slow_c": 40}
    sentence = judged(tmp_path, table_of(rows, percent=True), "--json").objects[-1]["sentence"]
    assert "were slower than 1.25 x the source's p95 (" in sentence
    assert "1s250ms" not in sentence


def test_gates_that_a_table_cannot_feed_are_named_and_not_passed(
    tmp_path: Path, checkout: Path
) -> None:
    text = table_of(healthy(), percent=True)
    shown = judged(tmp_path, text, "--at", 3, "--json", plan=checkout)
    named = shown.object["not_judged"]
    assert {"client_errors", "lb_errors", "healthy", "capacity"} <= set(named)
    assert "not judged here: client_errors: a table has no 4xx" in shown.err
    assert set(shown.object["gates"]) == {"errors", "latency"}


def test_a_column_that_is_missing_takes_its_gate_away_and_says_so(tmp_path: Path) -> None:
    lines = [
        ",".join(line.split(",")[:6] + line.split(",")[8:11] + line.split(",")[13:])
        for line in table_of(healthy(), percent=True).splitlines()
    ]
    shown = judged(tmp_path, "\n".join(lines), "--at", 12, "--json")
    assert shown.object["not_judged"] == {
        "latency": "the table has no slow",
        "latency.p99": "the table has no over_slo",
    }
    assert shown.object["verdict"] == "PASS"
    requests_only = "minute,step,weight,source_requests,destination_requests\n0,0,1,5940,60\n"
    refused = judged(tmp_path, requests_only)
    assert refused.code == 2
    assert "no gate of the plan can be judged (errors: the table has no errors" in refused.err


def test_a_column_that_no_gate_reads_is_ignored_with_a_note(tmp_path: Path) -> None:
    text = PLAN.read_text(encoding="utf-8")
    plan = tmp_path / "plan.yaml"
    plan.write_text(text.replace("  - latency: {percentile: 99, max: 500ms}\n", ""))
    shown = judged(tmp_path, table_of(healthy(), percent=True), plan=plan)
    assert shown.code == 0
    assert "note: the column over_slo is ignored: no judged gate of the plan reads it" in shown.err


def test_columns_may_come_in_any_order_and_a_table_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = table_of(healthy(), percent=True)
    turned = "".join(",".join(line.split(",")[::-1]) + "\r\n" for line in text.splitlines())
    marked = b"\xef\xbb\xbf" + turned.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(marked), encoding="utf-8"))
    shown = called("judge", "--plan", PLAN, "--csv", "-", "--json")
    assert shown.objects == judged(tmp_path, text, "--json").objects


def test_a_closed_standard_input_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert called("judge", "--plan", PLAN, "--csv", "-").code == 2


def test_an_empty_weight_is_the_plans(tmp_path: Path) -> None:
    text = table_of(healthy(), percent=True)
    without = text.replace(",0,1,5940", ",0,,5940").replace(",-1,0,6000", ",-1,,6000")
    assert judged(tmp_path, without, "--json").objects == judged(tmp_path, text, "--json").objects


def test_a_weight_that_is_not_the_plans_is_judged_and_said(tmp_path: Path) -> None:
    text = table_of(healthy(), percent=True).replace(",0,1,5940", ",0,1.5%,5940")
    shown = judged(tmp_path, text, "--at", 1, "--json")
    assert shown.object["weight_percent"] == 1.5
    assert "line 62: step 0 has 1.5 %, the plan 1 %" in shown.err


def test_a_weight_that_changes_inside_a_step_is_said_once(tmp_path: Path) -> None:
    text = table_of(healthy(), percent=True)
    text = text.replace("\n3,0,1,", "\n3,0,100,").replace("\n4,0,1,", "\n4,0,50,")
    shown = judged(tmp_path, text, "--at", 5)
    assert shown.code == 0
    said = [line for line in shown.err.splitlines() if "a step of a plan has one weight" in line]
    assert len(said) == 1
    assert "line 65: step 0 has 100 % after 1 %" in said[0]


@pytest.mark.parametrize(
    ("before", "after", "place", "said"),
    [
        ("3,0,1,5940,6", "3,0,1,-5,6", "65:7", "-5 is negative"),
        ("3,0,1,5940,6", "3,0,1,NaN,6", "65:7", "'NaN' is no whole number"),
        ("3,0,1,5940,6", "3,0,1,5940.5,6", "65:7", "'5940.5' is no whole number"),
        ("3,0,1,5940,6,0,300", "3,0,1,5940,6,0,inf", "65:16", "'inf' is no number"),
        ("3,0,1,5940,6,0,300", "3,0,1,5940,6,0,1e15", "65:16", "more than any minute"),
        ("3,0,1,5940,6,0,300", "3,0,1,5940,6,0,1e999", "65:16", "more than any minute"),
        ("3,0,1,5940,6", "3,0,1," + 15 * "9" + ",6", "65:7", "more than any minute"),
        ("3,0,1,5940,6", "3,0,1," + 30 * "9" + ",6", "65:7", "more than any minute"),
        ("3,0,1,5940,6", "3,0,1," + 5_000 * "9" + ",6", "65:7", "more than any minute"),
        ("3,0,1,5940,6", "3,0,1,10000000001,6", "65:7", "more than any minute"),
        ("3,0,1,5940,6", "3,0,1,\u0665,6", "65:7", "is no whole number"),
        ("3,0,1,5940,6,0,300", "3,0,1,5940,6,0,\u0665", "65:16", "is no number"),
        ("\n3,0,1,", "\n3,0,\u0661,", "65:5", "is no weight"),
        ("\n3,0,1,", "\n\u0663,0,1,", "65:1", "is no number"),
        ("\n3,0,1,", "\n" + 5_000 * "9" + ",0,1,", "65:1", "count minutes from the first raise"),
        ("\n3,0,1,", "\n3," + 5_000 * "9" + ",1,", "65:3", "the plan's last step is 4"),
        ("3,0,1,5940,6", "3,0,1,5940,7000", "65:12", "errors: 7000 of 5,940 requests"),
        ("3,0,1,5940,6,0", "3,0,1,5940,6,5939", "65:14", "errors and unanswered together"),
        ("3,0,1,5940,6,0,300", "3,0,1,5940,6,0,6000", "65:16", "slow: 6000 of 5,940"),
        ("\n3,0,1,", "\n3,0,101,", "65:5", "a weight is 0 to 100 percent, not 101"),
        ("\n3,0,1,", "\n3,0,much,", "65:5", "'much' is no weight"),
        ("\n3,0,1,", "\n3,0,nan,", "65:5", "'nan' is no weight"),
        ("\n3,0,1,", "\n3,0,0,", "65:5", "above 0 and at most 100, not 0"),
        ("\n3,0,1,", "\n3,0,0.05,", "65:5", "steps of 0.1"),
        ("\n3,0,1,", "\n3,5,1,", "65:3", "step 5, but the plan's last step is 4 (100 %)"),
        ("\n3,0,1,", "\n3,-2,1,", "65:3", "a step is a whole number"),
        ("\n3,0,1,", "\n3,,1,", "65:3", "a step is a whole number"),
        ("\n3,0,1,", "\n3,-1,0,", "65:3", "step -1 after step 0: steps only rise"),
        ("\n-3,-1,0,", "\n-3,0,1,", "59:4", "before minute 0 the step is -1"),
        ("\n-3,-1,0,", "\n-3,-1,5,", "59:7", "weight 5 before the first step"),
        ("\n3,0,1,", "\n2,0,1,", "65:1", "minute 2 comes twice"),
        ("\n3,0,1,", "\n1,0,1,", "65:1", "minute 1 comes after minute 2"),
        ("\n3,0,1,", "\n-5,-1,0,", "65:1", "minute -5 comes after minute 2"),
        ("\n3,0,1,", "\n20000,0,1,", "65:1", "minute 20000 comes right after minute 2"),
        ("\n3,0,1,", "\n9000000,0,1,", "65:1", "count minutes from the first raise"),
        ("\n3,0,1,", "\nthree,0,1,", "65:1", "'three' is no number"),
        ("\n3,0,1,", "\n3.5,0,1,", "65:1", "a minute is a whole number"),
        ("\n3,0,1,", "\n3,0,1,7,", "65:36", "15 cells, but the header has 14 columns"),
        ("\n3,0,1,5940,", "\n3,0,1,", "65:", "13 cells, but the header has 14 columns"),
        ("\n3,0,1,5940,", '\n3,0,1,"5940,', "65:7", "a quote is not closed"),
        ("source_slow", "source_slwo", "1:", "'source_slwo' is no column of this table"),
        ("elb_503", "source_slow", "1:", "the column 'source_slow' comes twice"),
        ("weight,", "Gewicht,", "1:", "'Gewicht' is no column of this table"),
        ("weight,", ",", "1:", "a column without a name"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message_with_its_line_and_column_and_nothing_is_judged(
    before: str, after: str, place: str, said: str, tmp_path: Path
) -> None:
    text = table_of(healthy(), percent=True)
    assert before in text
    shown = judged(tmp_path, text.replace(before, after, 1))
    assert shown.code == 2
    assert shown.out == ""
    first = shown.err.splitlines()[0]
    assert first.startswith(f"{tmp_path / 'minutes.csv'}:{place}"), first
    assert said in first
    assert shown.err.count(": error: ") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the table is empty"),
        (b"\n\n", "the table is empty"),
        (HEAD.encode(), "a header and no row"),
        (HEAD.replace(",", ";").encode(), "separated by semicolons"),
        (HEAD.replace(",", "\t").encode(), "separated by tabs"),
        (HEAD.encode("utf-16"), "UTF-16"),
        (HEAD.encode() + b"\n0,0,1,\xff", "2:7: error: byte 0xff is not UTF-8"),
        (b"\0\0\0", "this is no text"),
        (b"minute,step\n0,0\n", "there is no column weight"),
        (HEAD.encode() + b"\r0,0,1,5\r", "1:204: error: the lines end in a carriage return alone"),
        (b"-3,-1,0,6012,5,,\n-2,-1,0,5987,7,,\n", "the first line must name the columns"),
        (b"minute,,,\n0,0,1,5\n", "a column without a name"),
    ],
)
def test_what_is_no_such_table_is_said_in_one_message(
    text: bytes, said: str, tmp_path: Path
) -> None:
    table = tmp_path / "minutes.csv"
    table.write_bytes(text)
    shown = called("judge", "--plan", PLAN, "--csv", table)
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err
    assert "nothing was judged" in shown.err
    assert called("judge", "--plan", PLAN, "--csv", table, "--json").object["exit_code"] == 2


def test_a_table_of_months_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    lines = [HEAD, *(f"{minute},-1,0,1,,,,,,,,,,\r" for minute in range(-100_002, 0))]
    shown = judged(tmp_path, "\n".join(lines))
    assert shown.code == 2
    assert "more than 100,000 rows" in shown.err


def test_minutes_that_are_left_out_count_for_the_size_of_a_table(tmp_path: Path) -> None:
    rows = [f"{minute},0,1,5940,6,0,,,60,0,0,,,0" for minute in range(0, 12 * 10_000, 10_000)]
    assert judged(tmp_path, "\n".join([HEAD, *rows[:3]]), "--at", 1).code == 0
    shown = judged(tmp_path, "\n".join([HEAD, *rows]))
    assert (shown.code, shown.out) == (2, "")
    assert (
        ":12:1: error: with those that are left out the table has more than 100,000" in shown.err
    )


def test_a_directory_is_no_table_and_nothing_was_judged(tmp_path: Path) -> None:
    shown = called("judge", "--plan", PLAN, "--csv", tmp_path)
    assert shown.code == 2
    assert "this is a directory; name the table file in it" in shown.err
    assert "nothing was judged" in shown.err


@pytest.mark.parametrize("commands", [("judge", "--plan", PLAN), ("backtest", PLAN)])
def test_an_empty_name_of_a_table_is_said(commands: tuple[object, ...]) -> None:
    shown = called(*commands, "--csv", "")
    assert (shown.code, shown.out) == (2, "")
    assert "error: --csv is empty" in shown.err


def test_whoever_waits_at_a_named_pipe_is_told_so(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as other:
        written = other.submit(pipe.write_bytes, (SAMPLES / "tiny.csv").read_bytes())
        shown = called("judge", "--plan", PLAN, "--csv", pipe)
        written.result()
    assert shown.code == 0
    assert f"note: {pipe} is a named pipe: waiting" in shown.err
    reads, writes = os.pipe()
    os.write(writes, (SAMPLES / "tiny.csv").read_bytes())
    os.close(writes)
    substituted = called("judge", "--plan", PLAN, "--csv", f"/dev/fd/{reads}")
    os.close(reads)
    assert substituted.out == shown.out
    assert "named pipe" not in substituted.err


class _Left(io.StringIO):
    """A reader who leaves after one line."""

    def write(self, text: str) -> int:
        if self.getvalue():
            raise BrokenPipeError
        return super().write(text)

    def fileno(self) -> int:
        raise OSError


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_nothing_more_is_judged_when_the_reader_has_left(
    more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_table = api.judge_table
    seen: list[Evaluation] = []

    def told(looks: Iterator[Evaluation]) -> Iterator[Evaluation]:
        for look in looks:
            seen.append(look)
            yield look

    def counted(*arguments: Any, **options: Any) -> JudgedTable:
        table = judge_table(*arguments, **options)
        return replace(table, looks=told(table.looks))

    monkeypatch.setattr(api, "judge_table", counted)
    with contextlib.redirect_stdout(_Left()), contextlib.redirect_stderr(io.StringIO()):
        run(["judge", "--plan", str(PLAN), "--csv", str(SAMPLES / "quiet-night.csv"), *more])
    assert len(seen) <= 2


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "no such file" in called("judge", "--plan", PLAN, "--csv", tmp_path / "none.csv").err


def test_spreadsheet_quotes_and_decimals_without_meaning_are_read(tmp_path: Path) -> None:
    text = table_of(healthy(), percent=True)
    quoted = "".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in text.splitlines()
    )
    dotted = text.replace(",5940,", ",5940.0,").replace(",60,", ",60.0,")
    wanted = judged(tmp_path, text, "--json").objects
    assert judged(tmp_path, quoted, "--json").objects == wanted
    assert judged(tmp_path, dotted, "--json").objects == wanted
    wrong = judged(tmp_path, quoted.replace('"3","0","1"', '"3","0","much"'))
    assert ":65:9: error:" in wrong.err
