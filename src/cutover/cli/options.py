"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cutover.cli.frame import Frame

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
    help="JSON with a `schema` on stdout; the story goes to stderr.",
)
plan_argument = click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN")
run_argument = click.argument("run", required=False, metavar="[RUN]")
"""A run's id, a unique prefix of it, or nothing for the only live one."""
why_option = click.option("--why", default="", metavar="TEXT", help="Why; kept in the journal.")


def aws_options(command: F) -> F:
    """`--profile` and `--region`, as the AWS CLI has them."""
    command = click.option("--region", metavar="REGION", help="AWS Region; must be the plan's.")(
        command
    )
    return click.option("--profile", metavar="NAME", help="AWS profile (else AWS_PROFILE).")(
        command
    )
