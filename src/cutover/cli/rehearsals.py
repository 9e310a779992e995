"""`rehearse`: a plan against an emulated AWS."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.console import Frame
from cutover.cli.options import json_option
from cutover.core.errors import ExitCode, StoppedError, UsageError
from cutover.core.values import MINUTE, count_of, duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutover.app.rehearsal import RehearsalResult
    from cutover.app.rehearsals import NotApplicable
    from cutover.core.plan import Plan
    from cutover.local.plan_file import LoadedPlan
    from cutover.ports import Listener
    from cutover.render.tables import RehearsalRow

SCHEMA = "cutover.rehearsal.v2"

SLOWEST = 0.01
"""Of `--speed`: the minute that everything waits for then takes more than an hour and a half."""


@click.command()
@click.argument("plan", type=click.Path(path_type=Path), required=False, metavar="[PLAN]")
@click.option("--scenario", metavar="NAME|FILE", help="What goes wrong; `healthy` if not said.")
@click.option("--all", "every", is_flag=True, help="Every shipped scenario, in one table.")
@click.option("--list", "listing", is_flag=True, help="List the shipped scenarios.")
@click.option("--new", metavar="NAME", help="Write NAME.yaml: a commented scenario to begin with.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
@click.option(
    "--judges/--no-judges",
    "judges",
    default=None,
    help="Once more with the other judge, to compare the harm; if not said, as the scenario says.",
)
@click.option("--speed", type=float, metavar="X", help="Watch it: X times as fast as real time.")
@json_option
@click.pass_obj
def rehearse(
    frame: Frame,
    plan: Path | None,
    *,
    scenario: str | None,
    every: bool,
    listing: bool,
    new: str | None,
    seed: int,
    judges: bool | None,
    speed: float | None,
) -> int:
    """Run PLAN against an emulated AWS: no account, no keys, hours in seconds.

    Exit 0 when the scenario's trouble happened and it ended as expected, 9 when not; the run's own code when
    nothing is expected. With --all: 0 when that is so of every scenario that applies to PLAN.
    """
    from cutover.app import api as app_api

    if listing:
        return _list(frame)
    if new is not None:
        if every or scenario is not None or frame.json:
            raise UsageError(
                "--new only writes a file", hint="leave out --all, --scenario and --json"
            )
        return _new(frame, new, plan)
    if plan is None:
        raise UsageError(
            "rehearse needs a PLAN", hint="cutover rehearse plans/checkout.yaml; --list needs none"
        )
    if every and scenario is not None:
        raise UsageError("--all and --scenario exclude each other", hint="leave one out")
    if speed is not None and not speed >= SLOWEST:
        raise UsageError(
            f"--speed {speed:g} is not {SLOWEST:g} or more",
            hint="600 shows ten minutes in a second",
        )
    loaded = app_api.load_plan(plan)
    for said in app_api.rehearsed_otherwise(loaded):
        frame.warn(f"warning: {said}")
    if every:
        return _all(frame, loaded, plan, seed, judges=judges)
    result = app_api.rehearse(
        loaded,
        scenario or "healthy",
        seed=seed,
        pace=_pace(speed),
        watchers=lambda planned: _views(frame, planned, watched=speed is not None),
        compare=judges,
    )
    again = _again(plan, scenario or "healthy", seed, judges=judges)
    _one(frame, result, again)
    return exit_code(result)


def exit_code(result: RehearsalResult) -> int:
    """0 as expected, 9 not, or not reached; the run's own code when the scenario expects nothing."""
    if result.exit_code == ExitCode.BUG:
        return int(ExitCode.BUG)
    if result.unreached:
        return int(ExitCode.UNEXPECTED_REHEARSAL)
    if not result.expects:
        return int(result.exit_code)
    return int(ExitCode.COMPLETED if result.expected_ok else ExitCode.UNEXPECTED_REHEARSAL)


def _views(frame: Frame, plan: Plan, *, watched: bool) -> tuple[Listener, ...]:
    """What is shown of it; who watches it like a film sees every quiet minute too."""
    from cutover.render.lines import LinesView

    lines = LinesView(plan, frame.messages, heartbeat_ms=MINUTE if watched else 0)
    if not frame.json:
        return (lines,)
    from cutover.render.jsonlines import JsonView

    return (lines, JsonView(plan, frame.out))


def _pace(speed: float | None) -> Callable[[int], None] | None:
    if speed is None:
        return None
    from cutover.local.clock import SystemClock

    clock = SystemClock()
    return lambda ms: clock.sleep(int(ms / speed))


def _body(result: RehearsalResult | NotApplicable) -> dict[str, Any]:
    """One rehearsal as JSON; of a scenario that does not apply only what there is to say."""
    from cutover.app.rehearsals import NotApplicable

    if isinstance(result, NotApplicable):
        return {"scenario": result.name, "verdict": "does_not_apply", "why": result.why}
    return {
        "scenario": result.name,
        "verdict": str(result.verdict).replace(" ", "_"),
        "run": result.run.id,
        "outcome": result.outcome,
        "exit_code": int(result.exit_code),
        "phase": str(result.state.phase),
        "why": _why(result),
        "judge": result.judge,
        "harmed": result.harmed,
        "slow": result.truth.slow,
        "highest_weight_percent": result.truth.highest / 10,
        "compared": _compared(result.compared),
        "virtual_ms": result.virtual_ms,
        "expects": result.expects,
        "as_expected": result.expected_ok,
        "mismatches": list(result.mismatches),
        "unreached": list(result.unreached),
        "caught_by": result.caught_by,
    }


def _compared(other: RehearsalResult | None) -> dict[str, Any] | None:
    """How the same world ended under the other judge."""
    if other is None:
        return None
    return {
        "judge": other.judge,
        "run": other.run.id,
        "outcome": other.outcome,
        "harmed": other.harmed,
        "slow": other.truth.slow,
        "virtual_ms": other.virtual_ms,
    }


def harm_text(result: RehearsalResult) -> str:
    """`rolled_back after 2h7m of emulated time, sequential judge: 1,240 harmed requests, 12 of them too slow`."""
    lasted = duration_text(result.virtual_ms // 1_000 * 1_000)
    judge = f"{result.judge} judge: " if result.judge else ""
    slow = f", {result.truth.slow:,} of them too slow" if result.truth.slow else ""
    harmed = count_of(result.harmed, "harmed request")
    return f"{result.outcome} after {lasted} of emulated time, {judge}{harmed}{slow}"


def _why(result: RehearsalResult) -> str:
    from cutover.core.messages import why_text

    return why_text(result.state)


def _again(plan: Path, name: str, seed: int, *, judges: bool | None) -> str:
    """The command that rehearses it again, to the letter."""
    commands = ["cutover", "rehearse", str(plan), "--scenario", name]
    commands += ["--seed", str(seed)] if seed else []
    commands += [] if judges is None else ["--judges" if judges else "--no-judges"]
    return shlex.join(commands)


def _one(frame: Frame, result: RehearsalResult, again: str) -> None:
    if frame.json:
        frame.give(SCHEMA, _body(result))
    frame.tell(f"scenario {result.name}: {harm_text(result)}")
    if result.compared is not None:
        frame.tell(f"the same world: {harm_text(result.compared)}")
    for why in result.unreached:
        frame.warn(f"error: NOT REACHED: {why}")
    for mismatch in result.mismatches:
        frame.warn(f"error: not as scenario {result.name} expects: {mismatch}")
    if result.let_through:
        frame.warn("error: your plan let it through")
        if result.caught_by:
            frame.warn(f"hint: {result.caught_by}")
    if result.expects and result.expected_ok:
        frame.tell("as expected")
    elif not result.expected_ok:
        frame.tell(f"again: {again}")
    frame.tell(f"run {result.run.id}: `cutover status {result.run.id}` shows it")
    if result.compared is not None:
        frame.tell(f"run {result.compared.run.id}: the same world, {result.compared.judge} judge")


def _all(frame: Frame, loaded: LoadedPlan, plan: Path, seed: int, *, judges: bool | None) -> int:
    """Every scenario, a line as each ends and then one row each; exit 9 when one that applies is not as expected."""
    from cutover.app import api as app_api
    from cutover.render.tables import rehearsal_line, rehearsals_view

    rows: list[RehearsalRow] = []
    stopped: StoppedError | None = None
    count = len(app_api.scenarios())
    try:
        for result in app_api.rehearse_all(loaded, seed=seed, compare=judges):
            row = _row(result, _again(plan, result.name, seed, judges=judges))
            rows.append(row)
            _progress(frame, "")
            frame.tell(rehearsal_line(row, len(rows), count))
            if frame.json:
                frame.give(SCHEMA, _body(result))
            _progress(frame, f"{count - len(rows)} of {count} scenarios are still rehearsed")
    except StoppedError as error:
        stopped = error
    _progress(frame, "")
    if stopped is not None and not any(row.ended for row in rows):
        raise stopped
    for line in rehearsals_view(sorted(rows, key=lambda row: row.scenario), frame.width):
        frame.tell(line)
    if stopped is not None:
        raise stopped
    frame.tell("`cutover list --rehearsals` names their runs")
    return int(
        ExitCode.COMPLETED if all(row.good for row in rows) else ExitCode.UNEXPECTED_REHEARSAL
    )


def _progress(frame: Frame, text: str) -> None:
    """How far it is, on a line that is written over; only for a person at a terminal."""
    if frame.err.isatty():
        frame.err.write(f"\r\x1b[K{text[: frame.width - 1]}")
        frame.err.flush()


def _row(result: RehearsalResult | NotApplicable, again: str) -> RehearsalRow:
    from cutover.app.rehearsals import NotApplicable
    from cutover.app.scenarios import load_scenario
    from cutover.render.tables import RehearsalRow

    scenario = load_scenario(result.name)[1]
    outcome = scenario.expect.outcome
    expected = "/".join(outcome) if outcome else "anything"
    if isinstance(result, NotApplicable):
        return RehearsalRow(result.name, "does not apply", expected, why=(result.why,))
    bug = ("the run ended with a bug",) if result.exit_code == ExitCode.BUG else ()
    verdict = "otherwise" if bug and result.expected_ok else str(result.verdict)
    return RehearsalRow(
        scenario=result.name,
        verdict=verdict,
        expected=expected,
        ended=result.outcome,
        at=result.truth.highest or None,
        harmed=result.harmed,
        other=None if result.compared is None else result.compared.harmed,
        took_ms=result.virtual_ms,
        why=(*result.unreached, *result.mismatches, *bug),
        caught_by=result.caught_by,
        replaced=tuple(sorted(scenario.plan)),
        again="" if verdict == "as expected" else again,
    )


def _new(frame: Frame, name: str, plan: Path | None) -> int:
    from cutover.app import api as app_api

    path = app_api.new_scenario(name)
    shown = shlex.join(["cutover", "rehearse", str(plan or "PLAN"), "--scenario", str(path)])
    frame.say(f"wrote {path}; it ends as expected as it is: `{shown}`")
    return 0


def _list(frame: Frame) -> int:
    from cutover.app import api as app_api
    from cutover.app.scenarios import load_scenario

    found = app_api.scenarios()
    longest = max(map(len, found), default=0)
    for name, path in found.items():
        says = str(getattr(load_scenario(name)[1], "description", "") or "")
        if frame.json:
            frame.give(
                "cutover.scenario.v1", {"name": name, "file": path.name, "description": says}
            )
        else:
            _listed(frame, f"{name:<{longest}}  ", says)
    return 0


def _listed(frame: Frame, name: str, says: str) -> None:
    """On one line; at a terminal what it says is wrapped beside the name, or below it where that is too narrow."""
    from cutover.render.text import wrap

    if not frame.out.isatty():
        frame.say(f"{name}{says}".rstrip())
        return
    if frame.width < 2 * len(name):
        frame.say(name.rstrip())
        name = "  "
    for line in wrap(says, frame.width, first=name):
        frame.say(line)
