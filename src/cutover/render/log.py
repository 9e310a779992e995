"""Structured log lines for collectors: one JSON or key=value line per sentence, rendered by structlog."""

from __future__ import annotations

from typing import Literal

from cutover.core.journal.events import Record
from cutover.core.messages import RunView, Tone, fold
from cutover.core.moment import wall_text
from cutover.core.plan import Plan
from cutover.core.values import weight_percent
from cutover.ports import Listener
from cutover.render.text import Stream, put

_LEVELS: dict[Tone, str] = {
    Tone.PLAIN: "info",
    Tone.GOOD: "info",
    Tone.WARN: "warning",
    Tone.BAD: "error",
}


class LogView(Listener):
    """Logs what a person would be told, with its level and the run's phase and weight as fields."""

    def __init__(
        self, plan: Plan, stream: Stream, run: str, style: Literal["json", "logfmt"] = "json"
    ) -> None:
        # imported here: only a run that logs pays for it
        from structlog.processors import JSONRenderer, LogfmtRenderer  # noqa: PLC0415

        order = ["timestamp", "level", "event", "run", "phase", "weight_percent", "type", "seq"]
        self._render = JSONRenderer() if style == "json" else LogfmtRenderer(key_order=order)
        self._view = RunView.begin(plan)
        self._stream = stream
        self._run = run
        self._gone = False

    def on_record(self, record: Record) -> None:
        before = self._view.lines
        try:
            self._view = fold(self._view, record)
        except ValueError:
            return
        if self._gone or self._view.lines is before:
            return
        line = self._view.lines[-1]
        fields = {
            "timestamp": wall_text(line.at.wall),
            "level": _LEVELS[line.tone],
            "event": line.text,
            "run": self._run,
            "phase": line.phase.value,
            "weight_percent": weight_percent(line.weight),
            "type": record.event.type,
            "seq": line.seq,
        }
        rendered = self._render(None, _LEVELS[line.tone], fields)
        text = rendered.decode() if isinstance(rendered, bytes) else rendered
        text = text.replace("\x7f", "\\u007f")  # which JSON lets stand as it is
        self._gone = not put(self._stream, text + "\n")
