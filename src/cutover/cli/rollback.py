"""`rollback`: through the run's process, as that process, or without any run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cutover.cli.console import Frame
from cutover.cli.operator_commands import answered, command_of, listening_run, tell_run
from cutover.cli.options import aws_options, json_option, run_argument, why_option
from cutover.cli.runs import become, live_options
from cutover.core.errors import CutoverError, ExitCode, LeaseError, NeedsHumanError, UsageError

if TYPE_CHECKING:
    from cutover.app.break_glass import BreakGlassResult
    from cutover.app.commands import Unreached
    from cutover.app.live import Options
    from cutover.core.observation import OperatorCommand
    from cutover.local.run_directory import RunDirectory

_LEASE_WITHIN_MS = 5_000
"""How long a rollback tries again while somebody who is not yet known as the run's process has the lease."""

_LEASE_AGAIN_MS = 200


@click.command()
@run_argument
@why_option
@click.option(
    "--confirm-restored", is_flag=True, help="It was restored by hand; a read must agree."
)
@click.option(
    "--plan",
    type=click.Path(path_type=Path),
    help="With --no-run: the plan whose routes to take back.",
)
@click.option(
    "--no-run",
    is_flag=True,
    help="Break-glass: no run directory needed; source full, destination 0.",
)
@aws_options
@json_option
@click.pass_obj
def rollback(
    frame: Frame,
    run: str | None,
    *,
    why: str,
    confirm_restored: bool,
    plan: Path | None,
    no_run: bool,
    profile: str | None,
    region: str | None,
) -> int:
    """Take all traffic of RUN back to the source, and read it back. Needs no evidence."""
    if no_run or plan is not None:
        if plan is None or not no_run or run is not None:
            raise UsageError(
                "--no-run and --plan belong together, and take no RUN",
                hint="cutover rollback --plan PLAN --no-run",
            )
        return _break_glass(frame, plan, profile, region)
    from cutover.app import api as app_api

    try:
        found = app_api.find_run(run)
    except UsageError as error:
        # the panic path is never a dead end
        hint = f"{error.hint}; without any run: cutover rollback --plan PLAN --no-run"
        raise UsageError(str(error), hint=hint) from None
    if not confirm_restored and not found.rehearsal and found.phase() == "ROLLED_BACK":
        return _back_already(frame, found)
    options = live_options(frame, profile, region)
    if not confirm_restored:
        return _roll_back(frame, listening_run(run), command_of("rollback", why), options)
    command = command_of("confirm_restored", why)
    found, code = tell_run(frame, run, command)
    if code is not None:
        return code
    return become(frame, found, command, options)


def _back_already(frame: Frame, run: RunDirectory) -> int:
    """Say that nothing is left to take back."""
    frame.tell(f"run {run.id} is rolled back already")
    return int(ExitCode.ROLLED_BACK)


def _roll_back(frame: Frame, run: RunDirectory, command: OperatorCommand, options: Options) -> int:
    """Have the run's process roll it back, or become that process.

    The command stays in words/ until a journal has it: who gets the lease before us hears it there.

    Raises:
        LeaseError: when somebody keeps the lease who neither is the run's process nor ends; the command stays.
        NeedsHumanError: when the run's process lives and cannot be told; its routes are restored from here.
        CutoverError: as `api.go_on`; the command is taken back then.
    """
    from cutover.app import api as app_api
    from cutover.app.commands import Acknowledged, NoReply, Queued, Unreached, take_back
    from cutover.core.state import ACTIVE
    from cutover.local.clock import SystemClock

    frame.acts = True
    left: Queued | None = None
    clock = SystemClock()
    give_up = clock.now().plus(_LEASE_WITHIN_MS)
    while True:
        answer = app_api.say(run, command, left=left)
        if (
            isinstance(answer, Acknowledged)
            and answer.gone
            and run.phase() in (*ACTIVE, "COMPLETED")
        ):
            # it heard the command, and died before it had done it
            frame.tell(f"process {answer.by.pid} heard {command.name} and ended: this one goes on")
            left = None
            continue
        if isinstance(answer, Unreached):
            return _beside(frame, run, answer, options)
        if isinstance(answer, NoReply):
            why = f"the rollback lies in {run.commands}, and that process has not heard it"
            return _beside(frame, run, Unreached(answer.by, why), options)
        if not isinstance(answer, Queued):
            return answered(frame, run, command, answer)
        left = answer
        try:
            return become(frame, run, command, options)
        except LeaseError as error:
            # somebody became the runner after we looked: see whether that process hears the command
            if clock.now().after(give_up) > 0:
                script = f"; or sh {run.restore}" if run.disk.look(run.restore) else ""
                raise LeaseError(
                    f"{error}; the rollback stays in {run.commands} for who drives run {run.id}",
                    hint=f"{error.hint}{script}",
                ) from None
            clock.sleep(_LEASE_AGAIN_MS)
        except KeyboardInterrupt:
            frame.warn(
                f"warning: the rollback stays in {run.commands}: who resumes run {run.id} rolls it back"
            )
            raise
        except CutoverError:
            take_back(left, run)
            if run.phase() == "ROLLED_BACK":  # by somebody who said the same
                return _back_already(frame, run)
            raise


def _beside(frame: Frame, run: RunDirectory, unreached: Unreached, options: Options) -> int:
    """Source full, destination 0 beside a process that cannot be told.

    Raises:
        NeedsHumanError: always: that process still drives the run, and its journal does not tell of this.
    """
    from cutover.app import api as app_api

    by = unreached.by
    who = f"process {by.pid} on {by.host}"
    frame.warn(f"warning: {unreached.why}")
    frame.warn(
        f"warning: {who} drives run {run.id} and cannot be told, so this process sets source full, destination 0"
    )
    restored = app_api.restore_beside(
        run, profile=options.profile, region=options.region, tell=frame.tell
    )
    _show_restored(frame, restored, ExitCode.NEEDS_HUMAN)
    became = (
        f"{len(restored.open)} of its routes are not verified as restored"
        if restored.open
        else "every route sends everything to its source, read back twice"
    )
    raise NeedsHumanError(
        f"{who} drives run {run.id} still and has not heard the rollback; {became}",
        hint=f"if it does not listen: kill -9 {by.pid}, then `cutover rollback {run.id}` (on a full disk free space first); "
        f"or sh {run.restore}",
    )


def _show_restored(frame: Frame, restored: BreakGlassResult, code: ExitCode) -> None:
    for route, why in restored.open.items():
        frame.warn(f"error: {route}: {why}")
    if frame.json:
        body = {
            "exit_code": int(code),
            "restored": dict(restored.done),
            "open": dict(restored.open),
        }
        frame.give("cutover.restored.v1", body)


def _break_glass(frame: Frame, plan: Path, profile: str | None, region: str | None) -> int:
    """Source full, destination 0, by a plan file and AWS alone.

    Raises:
        NeedsHumanError: when a route is not verified as restored.
    """
    from cutover.app import api as app_api

    loaded = app_api.load_plan(plan)
    frame.acts = True
    restored = app_api.restore_without_run(
        loaded.plan, profile=profile, region=region, tell=frame.tell
    )
    _show_restored(frame, restored, restored.exit_code)
    if restored.open:
        raise NeedsHumanError(
            f"{len(restored.open)} of {len(loaded.plan.routes)} routes are not verified as restored",
            hint="run the command again; or set their weights in the console: source full, destination 0",
        )
    frame.tell(
        f"{loaded.plan.name}: every route sends everything to its source; read back twice. "
        "What was attached stays attached; a run that is still alive will see drift and hold."
    )
    return int(restored.exit_code)
