"""The view of many records at once."""

from __future__ import annotations

from collections.abc import Sequence

from cutover.core.journal.events import Record
from cutover.core.messages.model import RunView, fold
from cutover.core.state import without_superseded


def view_of_past(view: RunView, records: Sequence[Record]) -> RunView:
    """The same as `tell` for each of them, without those minutes that say nothing once later ones are there.

    Raises:
        ValueError: as `tell`.
    """
    for record in without_superseded(records):
        view = fold(view, record)
    return view
