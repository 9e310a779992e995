"""Plain lines: dated, wrapped, escaped, with a heartbeat, and never in the way of the run."""

from __future__ import annotations

import io

import pytest

from cutover.core.journal import events as ev
from cutover.core.values import MINUTE, SECOND
from cutover.render.lines import LinesView
from cutover.render.text import columns
from tests import records
from tests.fakes import RULE, START, TWO_ROUTES, Bench, plan_of
from tests.render.real import real


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Pipe(io.StringIO):
    """A reader that has gone away."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        raise BrokenPipeError


class Ascii(io.TextIOWrapper):
    """A terminal of LANG=C."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii")


@pytest.fixture(scope="module")
def bench() -> Bench:
    found = Bench(plan_of(routes=TWO_ROUTES))
    found.at_weight(50, lambda: setattr(found.traffic, "destination_errors", 0.05), 4 * MINUTE)
    found.run()
    return found


def shown(bench: Bench, width: int | None, **options: object) -> str:
    out = io.StringIO()
    view = LinesView(bench.plan, out, width=width, **options)  # type: ignore[arg-type]
    for record in real(bench):
        view.on_record(record)
    view.closed()
    return out.getvalue()


def note(text: str, after_ms: int = 0) -> ev.Record:
    return ev.Record(1, 1, START.plus(after_ms), records.note(text))


@pytest.mark.parametrize("width", [60, 72, 96, 100, 140])
def test_no_line_is_wider_than_the_terminal(bench: Bench, width: int) -> None:
    assert max(columns(line) for line in shown(bench, width).splitlines()) <= width


def test_every_sentence_begins_with_its_date_and_utc_time(bench: Bench) -> None:
    lines = shown(bench, None, summary=False).splitlines()
    assert len(lines) > 10
    assert all(line[:2] == "20" and line[19] == "Z" for line in lines)


def test_a_wide_line_shows_phase_and_weight(bench: Bench) -> None:
    assert "2026-03-02 09:04:05Z  BAKING 5 %          baking 5 % for 10m (step 1 of 3)\n" in shown(
        bench, 100
    )


def test_the_rollback_and_its_reason_are_one_sentence_even_when_wrapped(bench: Bench) -> None:
    text = " ".join(shown(bench, 60).split())
    assert "breach on errors: 15 of 300 requests failed (5.00 %) in one minute" in text
    assert "-> rolling back from 5 %" in text


def test_without_a_terminal_nothing_is_wrapped_or_coloured(bench: Bench) -> None:
    text = shown(bench, None)
    assert "\x1b" not in text
    assert any(len(line) > 140 for line in text.splitlines())


def test_a_terminal_has_colour_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for value, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", value)
        out = Terminal()
        LinesView(plan_of(), out, width=80).on_record(note("hello"))
        assert ("\x1b[" in out.getvalue()) is coloured


def test_colour_is_not_text(bench: Bench) -> None:
    import re

    for width in (60, 100):
        coloured = shown(bench, width, colour=True)
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown(bench, width, colour=False)


def test_a_word_longer_than_the_line_is_broken_and_wide_characters_count_double() -> None:
    out = io.StringIO()
    view = LinesView(plan_of(), out, width=60)
    view.on_record(
        note(
            "see arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:listener-rule/app/x/y/z and 切り替えを確認してください 負荷試験は五十パーセントまで合格"
        )
    )
    view.on_record(note("x" * 300))
    assert max(columns(line) for line in out.getvalue().splitlines()) <= 60


def test_control_and_bidi_characters_are_shown_not_obeyed() -> None:
    out = io.StringIO()
    LinesView(plan_of(), out, width=100).on_record(note("evil\x1b[2J\r\nCOMPLETED \u202e \x9b"))
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().rstrip("\n").isprintable()
    assert "evil\\x1b[2J\\x0d\\x0aCOMPLETED" in out.getvalue()


def test_silence_ends_with_a_heartbeat() -> None:
    out = io.StringIO()
    view = LinesView(plan_of(), out, width=100, heartbeat_ms=MINUTE)
    view.on_record(note("begin"))
    for seconds in (15, 30, 45):
        view.on_tick(
            START.plus(seconds * SECOND),
            START.plus(60 * SECOND),
            "baked 1m of 10m; errors WAITING",
        )
    assert out.getvalue().count("\n") == 1
    view.on_tick(
        START.plus(60 * SECOND), START.plus(75 * SECOND), "baked 1m of 10m; errors WAITING"
    )
    assert (
        out.getvalue()
        .splitlines()[1]
        .endswith("baked 1m of 10m; errors WAITING; next look 09:01:22Z")
    )
    view.on_tick(START.plus(75 * SECOND), START.plus(90 * SECOND), "again")
    assert out.getvalue().count("\n") == 2


def test_a_sentence_puts_the_heartbeat_off_and_zero_switches_it_off() -> None:
    out = io.StringIO()
    view = LinesView(plan_of(), out, width=100, heartbeat_ms=MINUTE)
    view.on_record(note("begin"))
    view.on_record(note("news", 50 * SECOND))
    view.on_tick(START.plus(70 * SECOND), START, "quiet")
    never = LinesView(plan_of(), out, width=100, heartbeat_ms=0)
    never.on_tick(START, START, "quiet")
    never.on_tick(START.plus(90 * MINUTE), START, "quiet")
    assert "quiet" not in out.getvalue()


def test_a_reader_that_went_away_is_written_to_once_and_never_raises() -> None:
    pipe = Pipe()
    view = LinesView(plan_of(), pipe, width=100)
    view.on_record(note("one"))
    view.on_record(note("two"))
    view.closed()
    assert pipe.writes == 1
    closed = io.StringIO()
    closed.close()
    LinesView(plan_of(), closed, width=100).on_record(note("one"))


def test_a_terminal_without_unicode_still_shows_the_line() -> None:
    out = Ascii()
    LinesView(plan_of(), out, width=100).on_record(note("approve: 確認"))
    assert b"approve: \\u78ba\\u8a8d" in out.buffer.getvalue()  # type: ignore[attr-defined]


def test_a_record_that_cannot_be_folded_is_said_and_does_not_raise() -> None:
    out = io.StringIO()
    view = LinesView(plan_of(), out, width=None)
    view.on_record(ev.Record(3, 1, START, records.phase_changed("BAKING", "COMPLETED", "x", 0)))
    assert "record 3 cannot be told" in out.getvalue()


def test_a_stuck_rollback_shows_the_exact_commands_unbroken(bench: Bench) -> None:
    out = io.StringIO()
    view = LinesView(bench.plan, out, width=60, restore=bench.router.restore_commands)
    for record in bench.journal.records:
        if isinstance(record.event, ev.Verified) and view.view.state.rollback_at is not None:
            break
        view.on_record(record)
    assert "NOT RESTORED" not in out.getvalue()
    view.on_record(
        ev.Record(999, 1, START, ev.Observed("escalated", {"routes": [RULE], "why": "x"}))
    )
    assert "NOT RESTORED: rule 9683b2d02a6cabee, listener" in out.getvalue()
    found = {
        route: known.snapshot
        for route, known in view.view.state.routes.items()
        if known.snapshot is not None
    }
    assert len(found) == 2
    for command in bench.router.restore_commands(found):
        assert f"\n{command}\n" in out.getvalue()


def test_the_end_sums_up_and_names_the_next_command(bench: Bench) -> None:
    tail = shown(bench, 100).split("\n\n")[-1]
    assert tail.startswith("checkout: rolled back at 0 % after 6m\nreason: breach on errors")
    assert "next: nothing; this run is over" in tail


def test_a_rehearsal_ends_with_no_command_that_would_reach_a_real_run() -> None:
    bench = Bench(plan_of(hold_back="0%"))
    bench.run()
    out = io.StringIO()
    view = LinesView(bench.plan, out)
    for record in bench.journal.records:
        view.on_record(record)
    view.closed()
    tail = out.getvalue().split("\n\n")[-1]
    assert tail.startswith("checkout: completed at 100 %")
    assert "next: nothing: this was a rehearsal" in tail
    assert "cutover rollback" not in tail
