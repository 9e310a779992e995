"""`judge` and `backtest`: the plan's gates on minutes that are past. Nothing is written, nothing is moved."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from cutover.cli.console import Frame
from cutover.cli.options import aws_options, json_option, plan_argument
from cutover.core.errors import UsageError, printable

if TYPE_CHECKING:
    from cutover.app.backtest import Backtested, JudgedTable
    from cutover.core.backtest import ColumnMapping, Evaluation
    from cutover.core.plan import Plan


@click.command()
@click.option(
    "--plan",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PLAN",
    help="Whose gates judge.",
)
@click.option(
    "--csv",
    required=True,
    metavar="FILE",
    help="The table of minutes, described in docs/judge.md; `-` reads standard input.",
)
@click.option(
    "--at",
    type=int,
    metavar="MINUTE",
    help="Judge as if so many minutes of the run were over, and look once.",
)
@json_option
@click.pass_obj
def judge(frame: Frame, plan: Path, csv: str, at: int | None) -> int:
    """Judge a table of minutes offline: one look after each minute of the run.

    Exit 0 whatever the verdicts are; exit 2 when the plan or the table is wrong.
    """
    from cutover.app import api as app_api

    _say_pipes(frame, plan, csv)
    stdin = _stdin(csv)
    loaded = app_api.load_plan(plan)
    judged = app_api.judge_table(loaded.plan, csv, at=at, stdin=stdin)
    _say_notes(frame, judged.notes, judged.mapping)
    if frame.json:
        from cutover.render.backtest import look_json

        for look in judged.looks:
            frame.give("cutover.judge.v1", look_json(look, judged.mapping))
            if frame.out.broken:
                break  # the reader left: nobody sees the rest
        return 0
    _show_looks(frame, len(loaded.plan.steps), judged)
    return 0


def _stdin(csv: str) -> BinaryIO | None:
    """Standard input, when the table is read from it."""
    if not csv:
        raise UsageError("--csv is empty: name the table to read", hint="`-` reads standard input")
    if csv != "-":
        return None
    if sys.stdin is None:
        raise UsageError("standard input is closed: there is no table to read")
    return sys.stdin.buffer


def _say_pipes(frame: Frame, plan: Path, csv: str | None) -> None:
    """A named pipe keeps the command waiting until somebody writes into it; a shell's `<(...)` does at once."""
    for one in (plan, Path(csv or "-")):
        try:
            waits = one.is_fifo() and one.parts[1:2] not in (("dev",), ("proc",))
        except (OSError, ValueError):
            continue
        if waits:
            frame.warn(
                f"note: {printable(str(one))} is a named pipe: waiting for what is written into it"
            )


def _show_looks(frame: Frame, steps: int, judged: JudgedTable) -> None:
    from cutover.render.backtest import look_heads, look_line
    from cutover.render.text import wrap

    width = frame.width if frame.out.isatty() else None
    last: Evaluation | None = None
    heads = look_heads()
    frame.say(heads if width is None else heads[:width].rstrip())
    for look in judged.looks:
        frame.say(printable(look_line(look, steps, width), 2_000))
        last = look
        if frame.out.broken:
            return
    if width is not None and last is not None:
        frame.say("")
        for line in wrap(f"{last.decides.verdict.name}: {last.sentence}", width, rest="  "):
            frame.say(line)


def _say_notes(frame: Frame, notes: tuple[str, ...], mapping: ColumnMapping) -> None:
    for note in notes:
        frame.warn(f"note: {printable(note, 500)}")
    for name, why in mapping.not_judged.items():
        frame.warn(f"note: not judged here: {name}: {why}")


@click.command()
@plan_argument
@click.option(
    "--from",
    "origin",
    type=click.Choice(["cloudwatch"]),
    help="Read the past from CloudWatch (read-only).",
)
@click.option(
    "--days",
    type=click.IntRange(1, 15),
    default=14,
    show_default=True,
    help="How far back; CloudWatch keeps single minutes for 15 days.",
)
@click.option(
    "--csv",
    metavar="FILE",
    help="Read the past from a table, described in docs/judge.md; `-` reads standard input.",
)
@click.option(
    "--pair",
    "comparison",
    metavar="NAME",
    help="A comparison of the plan whose two groups both served then; without it the source is divided in two.",
)
@aws_options
@json_option
@click.pass_obj
def backtest(
    frame: Frame,
    *,
    plan: Path,
    origin: str | None,
    days: int,
    csv: str | None,
    comparison: str | None,
    profile: str | None,
    region: str | None,
) -> int:
    """Start the plan at every hour of the past: how often would a healthy service have been held or rolled back?

    Exit 0 whatever the answer is; exit 2 when the plan or the table is wrong.
    """
    from cutover.app import api as app_api

    if (origin is None) == (csv is None):
        raise UsageError(
            "say where the past is: `--from cloudwatch` or `--csv FILE`",
            hint="`cutover backtest --help` shows both",
        )
    _say_pipes(frame, plan, csv)
    stdin = None if csv is None else _stdin(csv)
    loaded = app_api.load_plan(plan)

    def tried(done: int, of: int) -> None:
        frame.warn(f"tried {done:,} of {of:,} starts")

    if csv is not None:
        tested = app_api.backtest_table(
            loaded.plan, csv, comparison=comparison, stdin=stdin, tried=tried
        )
    else:
        tested = app_api.backtest_cloudwatch(
            loaded.plan,
            days,
            comparison=comparison,
            profile=profile,
            region=region,
            told=lambda done, of: frame.warn(f"read {done:,} of {of:,} minutes"),
            tried=tried,
        )
    _say_notes(frame, tested.notes, tested.past.mapping)
    _show_report(frame, loaded.plan, tested)
    return 0


def _show_report(frame: Frame, plan: Plan, tested: Backtested) -> None:
    from cutover.render.backtest import report_json, report_lines

    divided, dated = tested.past.divided, tested.dated
    if frame.json:
        body = report_json(
            plan,
            tested.comparison.id,
            tested.report,
            divided=divided,
            dated=dated,
            origin=tested.origin,
            not_judged=tested.past.mapping.not_judged,
        )
        frame.give("cutover.backtest.v1", body)
        return
    for line in report_lines(
        plan, tested.comparison.id, tested.report, divided=divided, dated=dated, width=frame.width
    ):
        frame.say(line)
