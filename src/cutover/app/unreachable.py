"""The second best way back: the run's process lives and cannot be told, so its routes are restored beside it.

Without its lease and its journal: configs are read, the source gets everything and the destination 0, as in break-glass.
The run's process then finds a config that it did not write, and holds; before its first step there is nothing to find, and
it may go on. It is not rolled back either way: so people are told to end it.
"""

from __future__ import annotations

from collections.abc import Callable

from cutover.app.break_glass import BreakGlassResult, restore_routes
from cutover.app.clients import connect
from cutover.app.offline import plan_of
from cutover.core.errors import CutoverError, NeedsHumanError
from cutover.core.plan import Plan
from cutover.local.clock import SystemClock
from cutover.local.run_directory import RunDirectory


def restore_beside(
    run: RunDirectory,
    *,
    profile: str | None = None,
    region: str | None = None,
    tell: Callable[[str], None],
) -> BreakGlassResult:
    """Source full, destination 0 on every route of a run that another process drives.

    Raises:
        NeedsHumanError: when the plan that the run keeps cannot be read.
        CredentialsError: when AWS refuses every read, before anything was written.
    """
    plan, clock = _plan(run), SystemClock()
    clients = connect(plan, clock, profile=profile, region=region)
    return restore_routes(tuple(route.id for route in plan.routes), clients.router, clock, tell)


def _plan(run: RunDirectory) -> Plan:
    try:
        return plan_of(run)
    except CutoverError as error:
        raise NeedsHumanError(
            f"the plan of run {run.id} cannot be read: {error}",
            hint=f"sh {run.restore} needs none; or `cutover rollback --plan PLAN --no-run`",
        ) from None
