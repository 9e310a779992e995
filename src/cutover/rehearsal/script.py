"""Watches for the conditions of a scenario's `when`, and does what is due `after` them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cutover.rehearsal.clock import VirtualClock
from cutover.rehearsal.happenings import When


@dataclass
class Scene:
    """What conditions can see: the live weights, and what the run said of its phase."""

    weight: int = 0  # the destination's highest live portion, per mille
    highest: int = 0
    going_back: bool = False
    phase: str = ""
    hold: str = ""


class Script:
    """Every pending `when`, tried again whenever something changed; each comes true once."""

    def __init__(self, clock: VirtualClock, steps: Sequence[int]) -> None:
        self.scene = Scene()
        self._clock = clock
        self._steps = tuple(steps)
        self._pending: list[tuple[When, Callable[[], None]]] = []

    def on(self, when: When, due: Callable[[], None]) -> None:
        """Call `due` once, `when.after` after the conditions first hold."""
        self._pending.append((when, due))

    def changed(self) -> None:
        """Something happened: schedule what has come true."""
        true = [entry for entry in self._pending if self.holds(entry[0])]
        self._pending = [entry for entry in self._pending if entry not in true]
        for when, due in true:
            self._clock.at(self._clock.ms + when.after, due)

    def holds(self, when: When, *, weight: int | None = None) -> bool:
        """The conditions are true now, or would be if the weight were written."""
        scene = self.scene
        live = max(scene.weight, weight or 0)
        if when.step is not None and not (
            when.step <= len(self._steps) and live >= self._steps[when.step - 1]
        ):
            return False
        if when.weight_at_least is not None and live < when.weight_at_least:
            return False
        if when.phase is not None and scene.phase.upper() != when.phase.upper():
            return False
        if when.hold is not None and when.hold.lower() not in scene.hold.lower():
            return False
        return when.going_back is None or when.going_back == scene.going_back

    def wrote(self, weight: int) -> None:
        """The destination's highest live portion is this now, whoever wrote it."""
        if weight < self.scene.weight:
            self.scene.going_back = True
        self.scene.weight = weight
        self.scene.highest = max(self.scene.highest, weight)
        self.changed()

    def moved(self, phase: str, hold: str) -> None:
        """The run said that it is in this phase."""
        self.scene.phase, self.scene.hold = phase, hold
        self.changed()
