"""From a command to the views: who watches a run, and what is printed when its process ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cutover.cli.console import Frame
from cutover.core.errors import ExitCode
from cutover.core.journal.events import Record, Snapshot
from cutover.core.values import weight_percent
from cutover.ports import Listener

if TYPE_CHECKING:
    from cutover.app.live import ProcessEnded, Watchers
    from cutover.core.plan import Plan
    from cutover.core.state import RunState
    from cutover.local.run_directory import RunDirectory
    from cutover.ports import Router


class WayBack(Listener):
    """Says how to go back without this process, as soon as restore.sh is there."""

    def __init__(self, frame: Frame, run: RunDirectory) -> None:
        self._frame = frame
        self._run = run

    def on_record(self, record: Record) -> None:
        """Speak at the snapshot: from here on something may be written."""
        if isinstance(record.event, Snapshot):
            self._frame.tell(f"the way back: cutover rollback {self._run.id}")
            self._frame.tell(f"without cutover: sh {self._run.restore}")


def watchers(frame: Frame) -> Watchers:
    """The views of a live run: lines for people, and NDJSON for programs when asked."""

    def made(
        plan: Plan, run: RunDirectory, records: Sequence[Record], router: Router
    ) -> Sequence[Listener]:
        from cutover.core.messages import RunView
        from cutover.core.messages.past import view_of_past
        from cutover.render.lines import LinesView

        view = view_of_past(RunView.begin(plan), records)
        lines = LinesView(plan, frame.messages, view=view, restore=router.restore_commands)
        if not frame.json:
            return (lines, WayBack(frame, run))
        from cutover.render.jsonlines import JsonView

        return (lines, JsonView(plan, frame.out, view=view), WayBack(frame, run))

    return made


def ended(frame: Frame, end: ProcessEnded) -> int:
    """Say how a process that drove a run ended, and give its exit code."""
    frame.stuck = end.stuck
    if end.lost:
        frame.warn(f"error: run {end.run.id}: {end.lost}")
        frame.warn(
            f"hint: `cutover status {end.run.id}` shows where it is by now; `cutover rollback {end.run.id}` takes it back, "
            "whoever drives it"
        )
    else:
        frame.tell(f"run {end.run.id}: {end.state.phase} (exit {int(end.exit_code)})")
    if not end.lost and unwatched(end.state):
        frame.tell(
            "no process watches its gates and deadlines any more: "
            f"`cutover resume {end.run.id}` or `cutover rollback {end.run.id}`"
        )
    if frame.json:
        frame.give("cutover.result.v1", result_body(end.run.id, end.exit_code, end.state))
    return int(end.exit_code)


def unwatched(state: RunState) -> bool:
    """The run could still move, and nobody looks."""
    from cutover.core.state import ACTIVE

    return state.phase in ACTIVE


def result_body(run_id: str, code: ExitCode, state: RunState) -> dict[str, Any]:
    """A run's end as JSON."""
    from cutover.core.messages import why_of, why_text
    from cutover.render.jsonlines import reason_json

    return {
        "run": run_id,
        "exit_code": int(code),
        "phase": str(state.phase),
        "step": state.step,
        "weight_percent": weight_percent(state.weight),
        "reason": reason_json(why_of(state)),
        "why": why_text(state),
    }
