"""`rehearse`: a plan against an emulated AWS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.frame import Frame
from cutover.cli.options import json_option
from cutover.core.errors import ExitCode, StoppedError, UsageError
from cutover.core.story import count_of
from cutover.core.values import MINUTE, duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutover.core.plan import Plan
    from cutover.local.plan_file import LoadedPlan
    from cutover.ports import Listener
    from cutover.views.tables import RehearsalRow
    from cutover.wiring.rehearsed import RehearsalResult

SLOWEST = 0.01
"""Of `--speed`: the minute that everything waits for then takes more than an hour and a half."""


@click.command()
@click.argument("plan", type=click.Path(path_type=Path), required=False, metavar="[PLAN]")
@click.option("--scenario", metavar="NAME|FILE", help="What goes wrong; `healthy` if not said.")
@click.option("--all", "every", is_flag=True, help="Every shipped scenario, in one table.")
@click.option("--list", "listing", is_flag=True, help="List the shipped scenarios.")
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
    seed: int,
    judges: bool | None,
    speed: float | None,
) -> int:
    """Run PLAN against an emulated AWS: no account, no keys, hours in seconds.

    Exit 0 when it ends as the scenario expects, 9 when not; the run's own code when nothing is expected.
    """
    from cutover import api

    if listing:
        return _list(frame)
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
    loaded = api.load_plan(plan)
    if every:
        return _all(frame, loaded, seed, judges=judges)
    result = api.rehearse(
        loaded,
        scenario or "healthy",
        seed=seed,
        pace=_pace(speed),
        watchers=lambda planned: _views(frame, planned, watched=speed is not None),
        compare=judges,
    )
    _one(frame, result)
    return exit_code(result)


def exit_code(result: RehearsalResult) -> int:
    """0 as expected, 9 not; the run's own code when the scenario expects nothing."""
    if result.exit_code == ExitCode.BUG:
        return int(ExitCode.BUG)
    if not result.expects:
        return int(result.exit_code)
    return int(ExitCode.COMPLETED if result.expected_ok else ExitCode.UNEXPECTED_REHEARSAL)


def _views(frame: Frame, plan: Plan, *, watched: bool) -> tuple[Listener, ...]:
    """What is shown of it; who watches it like a film sees every quiet minute too."""
    from cutover.views.lines import LinesView

    lines = LinesView(plan, frame.story, heartbeat_ms=MINUTE if watched else 0)
    if not frame.json:
        return (lines,)
    from cutover.views.jsonlines import JsonView

    return (lines, JsonView(plan, frame.out))


def _pace(speed: float | None) -> Callable[[int], None] | None:
    if speed is None:
        return None
    from cutover.local.clock import SystemClock

    clock = SystemClock()
    return lambda ms: clock.sleep(int(ms / speed))


def _body(result: RehearsalResult) -> dict[str, Any]:
    return {
        "scenario": result.name,
        "run": result.run.id,
        "outcome": result.outcome,
        "exit_code": int(result.exit_code),
        "phase": str(result.state.phase),
        "why": _why(result),
        "judge": result.judge,
        "harmed": result.harmed,
        "slow": result.truth.slow,
        "compared": _compared(result.compared),
        "virtual_ms": result.virtual_ms,
        "expects": result.expects,
        "as_expected": result.expected_ok,
        "mismatches": list(result.mismatches),
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
    return result.state.held.why if result.state.held is not None else result.state.why


def _one(frame: Frame, result: RehearsalResult) -> None:
    if frame.json:
        frame.give("cutover.rehearsal.v1", _body(result))
    frame.tell(f"scenario {result.name}: {harm_text(result)}")
    if result.compared is not None:
        frame.tell(f"the same world: {harm_text(result.compared)}")
    for mismatch in result.mismatches:
        frame.warn(f"error: not as scenario {result.name} expects: {mismatch}")
    if result.expects and result.expected_ok:
        frame.tell("as expected")
    frame.tell(f"run {result.run.id}: `cutover status {result.run.id}` shows it")
    if result.compared is not None:
        frame.tell(f"run {result.compared.run.id}: the same world, {result.compared.judge} judge")


def _all(frame: Frame, loaded: LoadedPlan, seed: int, *, judges: bool | None) -> int:
    """Every scenario, one row each; exit 9 when one of them ends otherwise than it expects."""
    from cutover import api
    from cutover.views.tables import rehearsals_view
    from cutover.wiring.scenarios import load_scenario

    rows = []
    stopped: StoppedError | None = None
    try:
        for result in api.rehearse_all(loaded, seed=seed, compare=judges):
            if frame.json:
                frame.give("cutover.rehearsal.v1", _body(result))
            elif frame.err.isatty():
                frame.warn(f"{result.name}: {result.outcome}")
            rows.append(_row(result, load_scenario(result.name)[1].expect.outcome or "anything"))
    except StoppedError as error:
        stopped = error
    if stopped is not None and not rows:
        raise stopped
    for line in rehearsals_view(rows, frame.width):
        frame.tell(line)
    if stopped is not None:
        raise stopped
    frame.tell("`cutover list --rehearsals` names their runs")
    unexpected = sum(not row.ok for row in rows)
    return int(ExitCode.UNEXPECTED_REHEARSAL if unexpected else ExitCode.COMPLETED)


def _row(result: RehearsalResult, expected: str) -> RehearsalRow:
    from cutover.views.tables import RehearsalRow

    return RehearsalRow(
        scenario=result.name,
        expected=expected,
        ended=result.outcome,
        at=result.truth.highest or None,
        harmed=result.harmed,
        other=None if result.compared is None else result.compared.harmed,
        took_ms=result.virtual_ms,
        ok=result.expected_ok and result.exit_code != ExitCode.BUG,
        why="; ".join(result.mismatches),
    )


def _list(frame: Frame) -> int:
    from cutover import api
    from cutover.wiring.scenarios import load_scenario

    found = api.scenarios()
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
    from cutover.views.text import wrap

    if not frame.out.isatty():
        frame.say(f"{name}{says}".rstrip())
        return
    if frame.width < 2 * len(name):
        frame.say(name.rstrip())
        name = "  "
    for line in wrap(says, frame.width, first=name):
        frame.say(line)
