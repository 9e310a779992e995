"""One JSON object per record, for programs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from cutover.core.journal.codec import body
from cutover.core.journal.events import Record
from cutover.core.messages import RunView, fold
from cutover.core.moment import wall_text
from cutover.core.plan import Plan
from cutover.core.reasons import Reason
from cutover.core.values import weight_percent
from cutover.ports import Listener
from cutover.render.text import Stream, json_line, put

SCHEMA = "cutover.record.v1"


class JsonView(Listener):
    """NDJSON on a stream: every record, noise included, with the sentence a person would be told.

    Each object has `schema seq epoch at type phase weight_percent sentence body`: `weight_percent` after the
    record; `sentence` null for noise; `body` as the journal holds it, its weights and shares in percent. ASCII only, one line each.
    """

    def __init__(self, plan: Plan, stream: Stream, *, view: RunView | None = None) -> None:
        self.view = RunView.begin(plan) if view is None else view
        self._stream = stream
        self._gone = False

    def on_record(self, record: Record) -> None:
        before = self.view.lines
        with contextlib.suppress(
            ValueError, KeyError
        ):  # a record that cannot be folded is printed all the same
            self.view = fold(self.view, record)
        sentence = self.view.lines[-1].text if self.view.lines is not before else None
        self._print(
            {
                "schema": SCHEMA,
                "seq": record.seq,
                "epoch": record.epoch,
                "at": wall_text(record.at.wall),
                "type": record.event.type,
                "phase": self.view.state.phase.value,
                "weight_percent": weight_percent(self.view.state.weight),
                "sentence": sentence,
                "body": outside(body(record.event)),
            }
        )

    def _print(self, data: dict[str, object]) -> None:
        if not self._gone:
            self._gone = not put(self._stream, json_line(data))


_PER_MILLE = {
    "weight": "weight_percent",
    "shares": "shares_percent",
    "baked": "baked_percent",
    "wanted": "wanted_percent",
    "observed": "observed_percent",
    "low": "low_percent",
    "high": "high_percent",
    "weights": "weights_percent",
}
"""What a record holds per mille, by the name that it has outside."""

_BY_NAME = frozenset({"shares", "weights"})
"""Facts that hold one number for each route or comparison."""


def reason_json(reason: Reason | None) -> dict[str, Any] | None:
    """A reason in the units of everything that is read outside."""
    return None if reason is None else dict(outside(reason.body))


def outside(value: Any, name: str = "") -> Any:
    """A record's body in the units of everything that is read outside; -1 stands for unknown in a journal."""
    if isinstance(value, Mapping):
        return {
            # a route or comparison may be called anything
            key if name in _BY_NAME else _PER_MILLE.get(key, key): outside(
                inner, name if name in _BY_NAME else key
            )
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [outside(inner) for inner in value]
    if name in _PER_MILLE and isinstance(value, int):
        return None if value < 0 else weight_percent(value)
    return value
