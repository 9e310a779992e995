"""Plain dated lines: what a run says where no live view is wanted, or possible."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence

from cutover.core.errors import ExitCode, printable
from cutover.core.journal.events import Close, Observed, PhaseChanged, Record
from cutover.core.messages import RunView, Tone, ending, fold, stamp
from cutover.core.moment import Moment
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig
from cutover.core.state import Phase
from cutover.core.values import MINUTE, RouteId, weight_text
from cutover.ports import Listener
from cutover.render.banner import banner
from cutover.render.next_command import next_command_line, rehearsed
from cutover.render.text import LONG, Stream, is_terminal, pad, paint, put, wants_colour, wrap

WIDE = 96
"""From this width on phase and weight stand in a column of their own."""

NARROWEST = 40

Commands = Callable[[Mapping[RouteId, RouteConfig]], Sequence[str]]
"""`Router.restore_commands`: the exact commands that put configs back."""

_TONES: dict[Tone, str] = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "bold red",
}
_PHASES: dict[Phase, str] = {
    Phase.HOLDING: "yellow",
    Phase.ROLLING_BACK: "bold red",
    Phase.NEEDS_HUMAN: "bold red",
    Phase.REFUSED: "red",
    Phase.ABANDONED: "yellow",
    Phase.COMPLETED: "bold green",
    Phase.FINISHED: "bold green",
    Phase.ROLLED_BACK: "bold green",
    Phase.BAKING: "cyan",
}
_TAG = max(len(phase.value) for phase in Phase) + len(" 100 %")


class LinesView(Listener):
    """Writes one line for each record that matters, and a heartbeat in silence.

    Attributes:
        view: of what was said so far.

    Args:
        plan: the plan of the run.
        stream: where to write; a failure to write is final and silent, it never reaches the loop.
        width: columns; None asks the terminal at every line, and does not wrap where there is none.
        heartbeat_ms: silence after which a line says that the run lives (in the run's own time,
            virtual in a rehearsal); 0 for never.
        colour: None decides by the terminal and NO_COLOR.
        restore: gives the commands for the banner of a stuck rollback.
        summary: end with the summary of the run.
    """

    def __init__(
        self,
        plan: Plan,
        stream: Stream,
        *,
        view: RunView | None = None,
        width: int | None = None,
        heartbeat_ms: int = MINUTE,
        colour: bool | None = None,
        restore: Commands | None = None,
        summary: bool = True,
    ) -> None:
        self.view = RunView.begin(plan) if view is None else view
        self._stream = stream
        self._width = width
        self._heartbeat_ms = heartbeat_ms
        self._colour = wants_colour(stream, os.environ) if colour is None else colour
        self._restore = restore
        self._summary = summary
        self._said: Moment | None = None
        self._gone = False

    def on_record(self, record: Record) -> None:
        before = self.view.lines
        try:
            self.view = fold(self.view, record)
        except (
            ValueError,
            KeyError,
        ) as error:  # the runner has refused it too; a view is not the place to die
            self._say(record.at, f"record {record.seq} cannot be told: {error}", Tone.BAD)
            return
        if self.view.lines is not before:
            line = self.view.lines[-1]
            self._say(line.at, line.text, line.tone)
        if _needs_banner(record):
            self._banner()

    def on_tick(self, at: Moment, next_look: Moment, reason: str) -> None:
        if self._said is None:
            self._said = at
        if not self._heartbeat_ms or at.after(self._said) < self._heartbeat_ms:
            return
        held = self.view.state.held
        until = ""
        if held is not None and held.deadline_ms:
            left = held.deadline_ms - at.wall_ms
            until = f"; {max(0, left) // MINUTE} min to the deadline"
        self._say(at, f"{reason}{until}; next look {stamp(next_look.wall)[11:]}", None)

    def closed(self) -> None:
        if self._summary and self.view.state.opened is not None:
            self._write([""])
            lines = ending(self.view)
            if rehearsed(self.view.state):
                lines = (*lines[:-1], f"next: {next_command_line(self.view.state, driven=False)}")
            for line in lines:
                head, colon, body = line.partition(": ")
                self._write(self._folded(body, f"{head}{colon}"))

    def _say(self, at: Moment, text: str, tone: Tone | None) -> None:
        """One dated sentence; a heartbeat has no tone and is dim."""
        self._said = at
        text = printable(text, LONG)
        width = self._columns()
        state = self.view.state
        head = f"{stamp(at.wall)}  "
        style = "dim" if tone is None else _TONES[tone]
        if width is not None and width < WIDE:
            self._write([self._lay(line, head, style) for line in wrap(text, width, first=head)])
            return
        tag = pad(f"{state.phase} {weight_text(state.weight)}", _TAG)
        first = f"{head}{tag}  "
        lines = [first + text] if width is None else wrap(text, width, first=first)
        painted = f"{paint(head, 'dim')}{paint(tag, _PHASES.get(state.phase, ''))}  "
        self._write([self._lay(line, first, style, painted) for line in lines])

    def _lay(self, line: str, head: str, style: str, painted: str = "") -> str:
        if not self._colour:
            return line
        if line.startswith(head):
            return (painted or paint(head, "dim")) + paint(line[len(head) :], style)
        return paint(line, style)

    def _folded(self, text: str, first: str) -> list[str]:
        width = self._columns()
        if width is None:
            return [first + printable(text, LONG)]
        return wrap(text, width, first=first, rest="  ")

    def _banner(self) -> None:
        stuck = {
            route: known.snapshot
            for route, known in self.view.state.routes.items()
            if known.snapshot is not None and known.restored is None and known.gone_since is None
        }
        if stuck and self._restore is not None:
            commands = tuple(self._restore(stuck))
            lines = banner(self.view, commands, self._columns() or WIDE)
            self._write([paint(line, "bold red") if self._colour else line for line in lines])

    def _columns(self) -> int | None:
        if self._width is not None:
            return max(NARROWEST, self._width)
        if not is_terminal(self._stream):
            return None
        return max(NARROWEST, shutil.get_terminal_size().columns)

    def _write(self, lines: Sequence[str]) -> None:
        if not self._gone:
            self._gone = not put(self._stream, "".join(f"{line}\n" for line in lines))


def _needs_banner(record: Record) -> bool:
    """A person may have to restore a route by hand from here on."""
    event = record.event
    if isinstance(event, Observed):
        return event.what == "escalated"
    if isinstance(event, PhaseChanged):
        return event.after == Phase.NEEDS_HUMAN
    return (
        isinstance(event, Close)
        and event.exit_code == ExitCode.NEEDS_HUMAN
        and event.phase == Phase.ROLLING_BACK
    )
