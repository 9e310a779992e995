"""`plan` and `preflight`: AWS read-only, nothing kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.console import Frame
from cutover.cli.options import aws_options, json_option, plan_argument
from cutover.core.errors import CutoverError, ExitCode

if TYPE_CHECKING:
    from cutover.app.inspect import Inspection
    from cutover.core.plan import Plan


@click.command()
@plan_argument
@click.option("--offline", is_flag=True, help="Only what the file says: needs no AWS.")
@aws_options
@json_option
@click.pass_obj
def plan(frame: Frame, plan: Path, offline: bool, profile: str | None, region: str | None) -> int:
    """Show what `run` would do: each route's diff, timeline, requests at risk, defaults, the way back.

    Makes no write. Exit 7 when preflight would refuse the run.
    """
    from cutover.app import api as app_api
    from cutover.cli.plans import count_warnings

    loaded = app_api.load_plan(plan)
    count_warnings(frame, str(plan), loaded.warnings)
    if offline:
        _show_plan(frame, loaded.plan, None)
        return _over_budget(frame, loaded.plan)
    try:
        inspection = app_api.look(loaded.plan, profile=profile, region=region)
    except CutoverError as error:
        if error.exit_code is ExitCode.CREDENTIALS:
            error.hint = "`cutover plan --offline` and `cutover validate` need no AWS; else log in, or give --profile"
        raise
    return show_look(frame, loaded.plan, inspection)


def _over_budget(frame: Frame, plan: Plan) -> int:
    """Exit 7 when the plan's own traffic says that a step is over `risk.harmed_requests`, as a run would find."""
    from cutover.core.plan.risk import nothing_keeps, over_budget

    if plan.risk is None:
        return 0
    over = over_budget(plan, plan.traffic) if plan.traffic else None
    why = nothing_keeps(plan) or (over.message if over else "")
    if why:
        frame.warn(f"error: risk: {why}")
        if over is not None:
            frame.warn(f"hint: {over.fix}")
    return int(ExitCode.REFUSED) if why else 0


def show_look(frame: Frame, plan: Plan, inspection: Inspection) -> int:
    """The preview and every finding; the exit code that a run would refuse with."""
    _show_plan(frame, plan, inspection)
    if not frame.json:
        frame.say("")
    return _show_findings(frame, plan, inspection)


def _show_plan(frame: Frame, plan: Plan, inspection: Inspection | None) -> None:
    from cutover.local.clock import SystemClock
    from cutover.render.plan import plan_json, plan_view

    arguments: dict[str, Any] = {"starts": SystemClock().now().wall}
    if inspection is not None:
        from cutover.app.inspect import previews
        from cutover.core.preflight import measured_rate

        arguments |= {
            "routes": previews(plan, inspection),
            "rate": measured_rate(inspection.survey),
        }
    if frame.json:
        body = plan_json(plan, **arguments)
        frame.give(str(body.pop("schema")), body)
        return
    for line in plan_view(plan, frame.width, **arguments):
        frame.say(line)


@click.command()
@plan_argument
@aws_options
@json_option
@click.pass_obj
def preflight(frame: Frame, plan: Path, profile: str | None, region: str | None) -> int:
    """Run every check that `run` begins with, read-only. Exit 7 when one of them blocks."""
    from cutover.app import api as app_api
    from cutover.cli.plans import count_warnings

    loaded = app_api.load_plan(plan)
    count_warnings(frame, str(plan), loaded.warnings)
    return _show_findings(
        frame, loaded.plan, app_api.look(loaded.plan, profile=profile, region=region)
    )


def _show_findings(frame: Frame, plan: Plan, inspection: Inspection) -> int:
    if frame.json:
        body = {
            "plan": plan.name,
            "mode": inspection.clients.mode,
            "exit_code": int(inspection.exit_code),
            "findings": [
                {**dataclasses.asdict(found), "severity": str(found.severity)}
                for found in inspection.findings
            ],
        }
        frame.give("cutover.preflight.v1", body)
    else:
        from cutover.render.tables import findings_view

        for line in findings_view(inspection.findings, frame.width):
            frame.say(line)
    for found in inspection.blocks:
        frame.warn(f"error: {found.id}: {found.why or found.seen}")
    return int(inspection.exit_code)
