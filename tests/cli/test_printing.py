"""Whatever an input holds: what is printed moves no cursor, forges no line, reorders nothing and gives no secret away."""

from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.cli.console import Frame, Pipe, guarded
from cutover.core.errors import UsageError
from cutover.core.observation import CommandName, OperatorCommand
from cutover.local.clock import SystemClock
from cutover.local.inbox import enqueue
from cutover.local.journal import FileJournal
from cutover.local.plan_file import load_plan
from cutover.local.state_directory import StateDirectory
from cutover.render.lines import LinesView
from cutover.render.text import json_line, paint, put
from tests.cli.command import called
from tests.local.samples import restore_text

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x9b\r\n\b\x00\x7f\u202e\u2066\u200b\u2028\u0085\ud800a1[;m"),
    ),
    max_size=80,
)
ROOT = Path(__file__).resolve().parents[2]


def harmless(text: str) -> bool:
    return not any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in text)


@given(HOSTILE)
def test_a_line_of_a_command_is_one_line_whatever_it_holds(text: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    frame = Frame(Pipe(out), Pipe(err))
    frame.say(text)
    frame.tell(text)
    frame.warn(text)
    said = out.getvalue() + err.getvalue()
    assert said.count("\n") == 3
    assert harmless(said.replace("\n", ""))


@given(HOSTILE)
def test_an_error_is_one_line_and_its_hint_another(text: str) -> None:
    def fails() -> int:
        raise UsageError(text, hint=text or "none")

    err = io.StringIO()
    assert guarded(Frame(Pipe(io.StringIO()), Pipe(err)), fails) == 2
    assert err.getvalue().count("\n") == 2
    assert harmless(err.getvalue().replace("\n", ""))


@given(HOSTILE, st.booleans(), st.sampled_from([None, 40, 100]))
def test_a_heartbeat_is_harmless_whatever_its_reason_says(
    text: str, colour: bool, width: int | None
) -> None:
    stream = io.StringIO()
    plan = load_plan(ROOT / "plans" / "minimal.yaml").plan
    view = LinesView(plan, stream, heartbeat_ms=1, colour=colour, width=width)
    now = SystemClock().now()
    view.on_tick(now, now, "")
    view.on_tick(now.plus(10), now.plus(20), text)
    for code in ("0", "2"):
        assert f"\x1b[{code}m" not in stream.getvalue() or colour
    said = stream.getvalue().replace("\x1b[0m", "").replace("\x1b[2m", "")
    assert harmless(said.replace("\n", ""))
    assert said.count("\n") == 1 or width is not None


@given(HOSTILE)
def test_a_view_lets_only_its_own_codes_through(text: str) -> None:
    stream = io.StringIO()
    put(stream, paint(text, "bold red") + "\n")
    said = stream.getvalue()
    assert said == paint(text, "bold red") + "\n"
    assert harmless(said.replace("\x1b[1;31m", "", 1).replace("\x1b[0m", "", 1).replace("\n", ""))


@given(HOSTILE)
def test_json_is_one_printable_line_that_says_the_same(text: str) -> None:
    out = io.StringIO()
    Frame(Pipe(out), Pipe(io.StringIO())).give("cutover.error.v1", {"error": text})
    assert json.loads(out.getvalue())["error"] == text
    assert harmless(out.getvalue().removesuffix("\n"))
    stream = io.StringIO()
    put(stream, json_line({"sentence": text}))
    assert json.loads(stream.getvalue()) == {"sentence": text}


def test_a_time_in_a_table_clears_no_screen(tmp_path: Path, minimal: Path) -> None:
    for time in ("\x1b[2J\x1b]0;owned\x07", "2026-11-20T12:00Z\u202e", "\x9b31m", "0001-01-01"):
        table = tmp_path / "past.csv"
        table.write_text(f"time,requests,errors\n{time},100,0\n", encoding="utf-8")
        done = called("backtest", minimal, "--csv", table)
        assert done.code == 2
        assert harmless((done.out + done.err).replace("\n", "")), done.err


def test_what_files_of_a_run_say_is_harmless_in_every_reader(place: StateDirectory) -> None:
    place.prepare()
    run = place.create("shop-1", (ROOT / "plans" / "minimal.yaml").read_text())
    evil = "\x1b[2J\nrun shop-1: COMPLETED\u202e"
    enqueue(run, OperatorCommand(CommandName.PAUSE, evil, evil, "first"), SystemClock().now())
    (run.path / "view.json").write_text(json.dumps({"last": evil, "next": evil, "pid": evil}))
    (run.path / "journal.jsonl").write_text(f'{{"type":"{evil}"}}\n' * 2)
    for command in (
        ["status", "shop-1"],
        ["list"],
        ["journal", "show", "shop-1"],
        ["pause", "shop-1"],
    ):
        done = called(*command)
        assert harmless((done.out + done.err).replace("\n", "")), done
        assert "\nrun shop-1: COMPLETED" not in done.out + done.err


SECRET = "hunter2"


def in_no_stream(done: Any) -> bool:
    return SECRET not in done.out and SECRET not in done.err


@pytest.mark.parametrize(
    "url",
    [
        f"http://ana:{SECRET}@10.0.0.1:5000",
        f"http://ana:{SECRET}@[::1",
        f"http://ana:{SECRET}/x@127.0.0.1:5000",
        f"http://ana:{SECRET} x@127.0.0.1:5000",
        f"http://ana:{SECRET}@127.0.0.1:99999",
        f"ana:{SECRET}@127.0.0.1:5000",
    ],
)
@pytest.mark.parametrize("more", [[], ["--debug"]])
@pytest.mark.parametrize("json_too", [False, True])
def test_no_password_of_an_endpoint_is_said_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, url: str, more: list[str], json_too: bool
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    done = called(*more, "preflight", checkout, *(["--json"] if json_too else []))
    assert done.code in (2, 7)
    assert in_no_stream(done), done


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:http", "localhost:4566", "ftp://127.0.0.1",
     "http://", "http:///x", "http://127.0.0.1\\@10.0.0.1", "http://127.0.0.1 .example.com", "x"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"])
def test_an_endpoint_that_is_no_url_is_one_message_and_a_usage_error(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, url: str, name: str
) -> None:
    monkeypatch.setenv(name, url)
    done = called("preflight", checkout)
    assert done.code == 2, done
    lines = [
        line
        for line in done.err.splitlines()
        if not line.startswith((" ", "plans", str(checkout)))
    ]
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], done.err
    assert name in lines[0]


@pytest.mark.parametrize("url", ["http://[::1", f"http://ana:{SECRET}@[::1", "http://proxy:port"])
def test_a_proxy_that_is_no_url_is_said_before_anything_is_asked(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("HTTPS_PROXY", url)
    done = called("preflight", checkout)
    assert done.code == 2, done
    assert "HTTPS_PROXY" in done.err
    assert in_no_stream(done)


@pytest.mark.parametrize("more", [[], ["--debug"]])
def test_the_words_of_a_credential_helper_are_not_repeated(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    helper = tmp_path / "helper.sh"
    helper.write_text(f"#!/bin/sh\necho 'token {SECRET}' >&2\nexit 1\n")
    helper.chmod(0o700)
    config = tmp_path / "config"
    config.write_text(f"[profile dev]\ncredential_process = {helper}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "dev")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    done = called(*more, "preflight", checkout)
    assert done.code == 8, done
    assert in_no_stream(done), done.err
    assert "credential_process" in done.err, "it says where it came from"


def test_a_crash_file_holds_the_traceback_and_no_secret(
    place: StateDirectory, minimal: Path
) -> None:
    place.prepare()
    run = place.create("shop-1", minimal.read_text())
    journal = FileJournal.open_new(run, restore_text=restore_text)
    try:
        int(f"http://ana:{SECRET}@proxy:3128")
    except ValueError as error:
        journal.bug(error)
    finally:
        journal.close()
    (crash,) = run.path.glob("crash-*.txt")
    said = crash.read_text()
    assert "test_a_crash_file" in said
    assert "***@proxy:3128" in said
    assert SECRET not in said
