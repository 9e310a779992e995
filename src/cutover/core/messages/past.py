"""The story of many records at once."""

from __future__ import annotations

from collections.abc import Sequence

from cutover.core.journal.events import Record
from cutover.core.messages.model import RunView, tell
from cutover.core.state import without_superseded


def told_so_far(story: RunView, records: Sequence[Record]) -> RunView:
    """The same as `tell` for each of them, without those minutes that say nothing once later ones are there.

    Raises:
        ValueError: as `tell`.
    """
    for record in without_superseded(records):
        story = tell(story, record)
    return story
