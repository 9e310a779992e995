"""Writes view.json: at the end of every turn, and of the process."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from cutover.core.journal.events import Record
from cutover.core.messages import RunView, standings
from cutover.core.messages.past import view_of_past
from cutover.core.moment import Moment
from cutover.core.plan import Plan
from cutover.core.state import RunState, replay
from cutover.local.journal import FileJournal
from cutover.local.view_file import view_text
from cutover.ports import Listener
from cutover.render.run_status import status_data
from cutover.render.status import status_of


class ViewWriter(Listener):
    """Shows the run to `status` and `list`, so that they need not read its journal.

    It has no queue of its own: it writes one small file without waiting for the disk, and what it cannot write is left
    out. What was told before is only put into words when it is written first, which is after the first turn.

    Attributes:
        state: the run's state now, folded with its evidence; None while that is not known.
    """

    def __init__(
        self, plan: Plan, journal: FileJournal, plan_digest: str, records: Iterable[Record]
    ) -> None:
        self.state: Callable[[], RunState | None] = _unknown
        self._plan = plan
        self._plan_digest = plan_digest
        self._journal = journal
        self._waiting: deque[Record] = deque(records)
        self._view = RunView.begin(plan)
        self._looks: tuple[Moment, Moment] | None = None
        self._made: tuple[int, dict[str, Any] | None] = (0, None)

    def on_record(self, record: Record) -> None:
        """Only kept: a write may come next."""
        self._waiting.append(record)

    def on_tick(self, at: Moment, next_look: Moment, reason: str) -> None:
        """Write what is so after the turn."""
        self._looks = (at, next_look)
        self.write()

    def end(self, state: RunState | None) -> None:
        """Write how the process leaves the run; None: `state` is folded with its evidence only now."""
        records = tuple(self._waiting)
        self.state = lambda: replay(self._plan, records) if state is None else state
        self.write()

    def write(self) -> None:
        """Write it; what goes wrong loses nothing but the view."""
        if self._looks is None and not self._waiting:
            return
        last, next_look = self._looks or (self._waiting[-1].at, self._waiting[-1].at)
        with contextlib.suppress(OSError):
            if not self._journal.is_others:
                text = self._text(last, next_look)
                run = self._journal.run
                run.disk.keep(run.view, text, durable=False)

    def _text(self, last: Moment, next_look: Moment) -> bytes:
        run, looks = self._journal.run, {"last": last, "next_look": next_look}
        end = self._journal.end()
        try:
            status = self._status() if self._plan_digest and end is not None else None
            return view_text(run.id, **looks, status=status, end=end, plan=self._plan_digest)
        except Exception as error:  # noqa: BLE001  a run that cannot be told goes on all the same, and says that it lives
            self._journal.bug(error)
            return view_text(run.id, **looks, status=None, end=None, plan="")

    def _status(self) -> dict[str, Any] | None:
        """None while the state is not known with its evidence, or the plan is not the one that the run began with.

        Made once for each newest record: most turns bring none.
        """
        state = self.state()
        if state is None or state.plan_hash != self._plan.hash:
            return None
        if state.seq != self._journal.last_seq:
            return None  # a record that nobody was told
        if self._made[0] != state.seq:
            self._made = (state.seq, self._status_of(state))
        return self._made[1]

    def _status_of(self, state: RunState) -> dict[str, Any] | None:
        records = tuple(self._waiting)
        self._waiting.clear()
        self._view = view_of_past(self._view, records)
        if self._view.state.seq != state.seq:
            return None
        return status_data(status_of(self._view, state, standings(self._plan, state)))


def _unknown() -> None:
    return None
