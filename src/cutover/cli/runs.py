"""`run` and `resume`: the commands that drive a run forward."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cutover.cli.console import Frame
from cutover.cli.options import aws_options, json_option, plan_argument, run_argument, why_option
from cutover.core.errors import UsageError, printable

if TYPE_CHECKING:
    from cutover.app.live import Options
    from cutover.core.observation import OperatorCommand
    from cutover.local.run_directory import RunDirectory

exit_on_hold_option = click.option(
    "--exit-on-hold", is_flag=True, help="End with 5 where the run would hold and wait."
)


@click.command()
@plan_argument
@click.option("--yes", is_flag=True, help="Do not ask for the plan's name.")
@click.option(
    "--run-id", metavar="ID", help="Name of the run (else made from the plan's name and the time)."
)
@click.option(
    "--dry-run", is_flag=True, help="Preflight and preview only; no mutating call can be made."
)
@exit_on_hold_option
@aws_options
@json_option
@click.pass_obj
def run(
    frame: Frame,
    plan: Path,
    *,
    yes: bool,
    run_id: str | None,
    dry_run: bool,
    exit_on_hold: bool,
    profile: str | None,
    region: str | None,
) -> int:
    """Move the traffic of PLAN, step by step; every step is earned by evidence.

    Stays until it is COMPLETED (0), ROLLED_BACK (3), needs a human (4) or is interrupted.
    """
    from cutover.app import api as app_api
    from cutover.cli.plans import count_warnings, show_warnings

    loaded = app_api.load_plan(plan)
    if dry_run:
        from cutover.cli.inspect import show_look

        count_warnings(frame, str(plan), loaded.warnings)
        return show_look(
            frame, loaded.plan, app_api.look(loaded.plan, profile=profile, region=region)
        )
    show_warnings(frame, str(plan), loaded.warnings)
    if not yes:
        _ask(frame, loaded.plan.name)
    options = live_options(frame, profile, region, exit_on_hold=exit_on_hold)
    from cutover.cli.watchers import ended

    frame.acts = True
    return ended(frame, app_api.start(loaded, options, run_id=run_id))


def _person_types() -> bool:
    """Standard input is a terminal; it may also be closed."""
    return sys.stdin is not None and sys.stdin.isatty()


def _ask(frame: Frame, name: str) -> None:
    """The plan's name, typed by a person.

    Raises:
        UsageError: where nobody can type, or something else was typed.
    """
    if not _person_types():
        raise UsageError(
            "`run` asks for the plan's name, and there is no terminal to type it",
            hint="--yes starts without asking; nothing was written",
        )
    frame.err.write(
        f"This moves live traffic. Type the plan's name ({printable(name)}) to go on: "
    )
    frame.err.flush()
    if sys.stdin.readline().strip() != name:
        raise UsageError(
            "that is not the plan's name", hint="nothing was written; --yes does not ask"
        )


def live_options(
    frame: Frame, profile: str | None, region: str | None, *, exit_on_hold: bool = False
) -> Options:
    """How this command line reaches AWS and people."""
    from cutover.app.live import Options
    from cutover.app.offline import operator
    from cutover.cli.watchers import watchers

    return Options(
        profile=profile,
        region=region,
        watchers=watchers(frame),
        exit_on_hold=exit_on_hold,
        keyboard=_person_types() and frame.messages.isatty(),
        who=operator(),
        warn=frame.warn,
    )


@click.command()
@run_argument
@why_option
@click.option(
    "--accept-drift",
    metavar="WHY",
    help="Go on with somebody else's change; only if our weight stands.",
)
@exit_on_hold_option
@aws_options
@json_option
@click.pass_obj
def resume(
    frame: Frame,
    run: str | None,
    *,
    why: str,
    accept_drift: str | None,
    exit_on_hold: bool,
    profile: str | None,
    region: str | None,
) -> int:
    """Go on with a run that holds, or whose process ended. Always bakes afresh."""
    from cutover.cli.operator_commands import command_of, tell_run

    command = command_of("resume" if accept_drift is None else "accept_drift", accept_drift or why)
    found, code = tell_run(frame, run, command)
    if code is not None:
        return code
    return become(
        frame, found, command, live_options(frame, profile, region, exit_on_hold=exit_on_hold)
    )


def become(frame: Frame, run: RunDirectory, command: OperatorCommand, options: Options) -> int:
    """Drive the run to the end of this process, and say how it ended."""
    from cutover.app import api as app_api
    from cutover.cli.watchers import ended

    frame.acts = True
    return ended(frame, app_api.go_on(run, command, options))
