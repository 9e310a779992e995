"""`finish`: the end of a run, and what infrastructure code should say then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cutover.cli.console import Frame
from cutover.cli.options import aws_options, json_option, run_argument, why_option
from cutover.cli.runs import become, live_options
from cutover.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from cutover.local.run_directory import RunDirectory


@click.command()
@run_argument
@click.option(
    "--leave-as-is",
    metavar="WHY",
    help="Abandon a run that holds or needs a human; the routes stay.",
)
@click.option(
    "--detach-source",
    is_flag=True,
    help="Also take the source out of every action: there is no way back after that.",
)
@why_option
@aws_options
@json_option
@click.pass_obj
def finish(
    frame: Frame,
    run: str | None,
    *,
    leave_as_is: str | None,
    detach_source: bool,
    why: str,
    profile: str | None,
    region: str | None,
) -> int:
    """End a COMPLETED run: the destination keeps the traffic, restore.sh is disarmed, the routes are free."""
    if leave_as_is is not None and not leave_as_is.strip():
        raise UsageError(
            "--leave-as-is needs a reason", hint='--leave-as-is "the EC2 side is gone"'
        )
    if leave_as_is is not None and detach_source:
        raise UsageError(
            "--leave-as-is and --detach-source exclude each other", hint="leave one out"
        )
    from cutover.app import api
    from cutover.cli.operator_commands import command_of, tell_run

    _disarm_what_is_over(frame, api.find_run(run))
    if leave_as_is is None:
        command = command_of("finish", why, "detach_source" if detach_source else "")
    else:
        command = command_of("leave", leave_as_is)
    found, code = tell_run(frame, run, command)
    if code is None:
        code = become(frame, found, command, live_options(frame, profile, region))
    if code == ExitCode.COMPLETED:
        _finished(frame, found, detached=detach_source)
    return code


def _disarm_what_is_over(frame: Frame, run: RunDirectory) -> None:
    """A process that was killed right after its last record left restore.sh armed: `finish`, said again, mends it."""
    from cutover.app.live import KEEPS_ROUTES
    from cutover.local.snapshot_file import is_armed

    if not run.rehearsal and run.phase() in KEEPS_ROUTES and is_armed(run):
        _disarmed(frame, run)


def _finished(frame: Frame, run: RunDirectory, *, detached: bool) -> None:
    """Say that restore.sh is disarmed, and what the infrastructure code should say now."""
    from cutover.app.live import KEEPS_ROUTES
    from cutover.app.offline import plan_of

    if run.phase() not in KEEPS_ROUTES:
        frame.tell(
            f"run {run.id} is {run.phase()} still: its process disarms restore.sh when it ends it"
        )
        return
    _disarmed(frame, run)
    for line in handover(plan_of(run).managed_by or "none", _live(run), detached=detached):
        frame.tell(line)


def _disarmed(frame: Frame, run: RunDirectory) -> None:
    """Whoever ended the run disarmed the script; one that it left armed is disarmed here."""
    from cutover.app.clients import open_store
    from cutover.app.live import disarm

    if trouble := disarm(open_store(), run, run.phase()):
        frame.warn(f"warning: {trouble}")
    else:
        frame.tell(f"restore.sh is disarmed: {run.restore}")


def _live(run: RunDirectory) -> tuple[str, ...]:
    """Each route as it was read last: `rule 9683...: destination 60 % of the comparison`."""
    from cutover.app.offline import read_run
    from cutover.app.place import state_directory
    from cutover.core.arn import route_name
    from cutover.core.values import weight_text

    state = read_run(state_directory(), run).state
    said = []
    for route, known in (state.routes if state is not None else {}).items():
        config = known.seen.config if known.seen is not None else known.committed
        if config is None:
            live = "not read; look before you write it anywhere"
        elif not config.source_present:
            live = "the destination alone"
        elif not config.attached:
            live = "the source alone"
        elif config.weight is None:
            live = "no weight that can be read; look before you write it anywhere"
        else:
            live = (
                f"destination {weight_text(config.weight)} of the comparison, the source the rest"
            )
        said.append(f"  {route_name(route)}: {live}")
    return tuple(said)


def handover(managed_by: str, live: tuple[str, ...], *, detached: bool = False) -> tuple[str, ...]:
    """What to do with infrastructure code and the source group after a finished run."""
    code = {
        "terraform": (
            "Terraform: write what is live now into the forward blocks; then remove ignore_changes",
            "(action for rules, default_action for listeners), and plan: it must show no change. Live:",
        ),
        "cloudformation": (
            "CloudFormation: write what is live now into the template's Actions before the next update,",
            "or the stack puts the old ones back; drift detection must then be clean. Live:",
        ),
    }
    none = ("If anything manages these routes, let it say what is live now:",)
    said = (*code.get(managed_by, none), *live)
    if detached:
        return (*said, "The source group is out of every action: nothing reaches it any more.")
    return (
        *said,
        "While the source group is attached, do not empty it: a Route 53 alias to this balancer with",
        "EvaluateTargetHealth fails when an attached group has no healthy target.",
    )
