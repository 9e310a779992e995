"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cutover.cli.console import Frame

if TYPE_CHECKING:
    from cutover.local.run_directory import RunDirectory

F = TypeVar("F", bound=Callable[..., Any])


def _json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    if isinstance(ctx.obj, Frame) and value:
        ctx.obj.json = True
    return value


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_json,
    help="JSON with a `schema` on stdout; messages go to stderr.",
)
plan_argument = click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN")
run_argument = click.argument("run", required=False, metavar="[RUN]")
"""A run's id, a unique prefix of it, or nothing for the only live one; of rehearsals also the prefix of several: the newest."""


def found_run(frame: Frame, text: str | None) -> RunDirectory:
    """The run to read about; says so when a rehearsal was taken for the newest of several.

    Raises:
        UsageError: when none or several runs are meant.
    """
    from cutover.app import api

    run = api.find_run(text)
    if run.rehearsal and text is not None and run.id != text:
        several = sum(one.id.startswith(text) for one in api.runs(rehearsals=True))
        if several > 1:
            frame.warn(f"note: the newest of {several} rehearsals whose ids begin with {text}")
    return run


why_option = click.option("--why", default="", metavar="TEXT", help="Why; kept in the journal.")


def aws_options(command: F) -> F:
    """`--profile` and `--region`, as the AWS CLI has them."""
    command = click.option("--region", metavar="REGION", help="AWS Region; must be the plan's.")(
        command
    )
    return click.option("--profile", metavar="NAME", help="AWS profile (else AWS_PROFILE).")(
        command
    )
