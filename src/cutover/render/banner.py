"""The banner of a rollback that does not get through: what a person types, exactly."""

from __future__ import annotations

from collections.abc import Sequence

from cutover.core.arn import route_name
from cutover.core.errors import escaped
from cutover.core.messages import RunView
from cutover.render.text import wrap


def banner(view: RunView, commands: Sequence[str], width: int) -> list[str]:
    """What to run by hand. Commands are not wrapped, whatever the width: they are there to be copied."""
    rule = "=" * width
    open_routes = [
        route_name(route)
        for route, known in view.state.routes.items()
        if known.snapshot is not None and known.restored is None
    ]
    lines = [rule]
    lines += wrap(f"NOT RESTORED: {', '.join(open_routes) or 'every route'}", width)
    lines += wrap("These commands put back what was found at the start. Run them by hand, with credentials of "
                  f"account {view.state.account or view.plan.aws.account}:", width)  # fmt: skip
    lines += ["", *(escaped(command) for command in commands), ""]
    lines += wrap("They may be run twice, and while cutover is still trying.", width)
    lines.append(rule)
    return lines
