"""Runs with the view that their process leaves."""

from __future__ import annotations

from cutover.app.scenarios import text_of_plan
from cutover.app.view_writer import ViewWriter
from cutover.core.journal.events import Record
from cutover.core.observation import Known
from cutover.core.state import RunState, replay
from cutover.core.values import MINUTE, digest
from cutover.local.journal import FileJournal
from cutover.local.plan_file import plan_of_text
from cutover.local.state_directory import StateDirectory
from tests.fakes import START, TWO_ROUTES, plan_of
from tests.local.samples import restore_text

TEXT = text_of_plan(plan_of(routes=TWO_ROUTES))
PLAN = plan_of_text(TEXT).plan


class Process:
    """A run's process as its files see it, turn by turn."""

    def __init__(self, place: StateDirectory, run_id: str = "shop-1") -> None:
        place.prepare()
        self.run = place.create(run_id, TEXT)
        self.journal = FileJournal.open_new(self.run, restore_text=restore_text)
        self.state = RunState()
        self.written: list[Record] = []
        self.view = ViewWriter(PLAN, self.journal, digest(TEXT), ())
        self.view.state = lambda: self.state

    def turn(self, *told: Record) -> None:
        for record in told:
            known = self.journal.append(record.event, record.at)
            assert isinstance(known, Known)
            self.written.append(known.value)
            self.view.on_record(known.value)
        self.state = replay(PLAN, self.written)
        self.view.on_tick(told[-1].at if told else START, START.plus(MINUTE), "")
