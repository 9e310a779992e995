"""Watches for the conditions of a scenario's `when`, and does what is due some time after them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cutover.core.plan import Plan
from cutover.core.state import Phase
from cutover.core.values import PPM, duration_text, percent_text, weight_text
from cutover.emulator.clock import VirtualClock
from cutover.emulator.injections import When


@dataclass
class Conditions:
    """What conditions can see: the live weights, and what the run said of its phase.

    Attributes:
        weight: the destination's highest live portion, per mille.
        highest: the largest one yet.
        step: index in the plan's steps; -1 before the first.
    """

    weight: int = 0
    highest: int = 0
    going_back: bool = False
    phase: str = ""
    hold: str = ""
    step: int = -1


class Script:
    """Every pending `when`, tried again whenever something changed; each comes true once."""

    def __init__(self, clock: VirtualClock, plan: Plan) -> None:
        self.context = Conditions()
        self._clock = clock
        self._steps = plan.steps
        self._baking = len(plan.written)
        self._pending: list[tuple[When, Callable[[], None]]] = []
        self._calm = False

    def on(self, when: When, due: Callable[[], None]) -> None:
        """Call `due` once, `when.bake` and `when.after` after the conditions first hold."""
        self._pending.append((when, due))

    def changed(self) -> None:
        """Something happened: schedule what has come true."""
        true = [entry for entry in self._pending if self.holds(entry[0])]
        self._pending = [entry for entry in self._pending if entry not in true]
        for when, due in true:
            self._clock.at(self._clock.ms + self._delay(when), partial(self._begin, due))

    def holds(self, when: When, *, weight: int | None = None) -> bool:
        """The conditions are true now, or would be if the weight were written."""
        context = self.context
        live = max(context.weight, weight or 0)
        step = self._step(when)
        if step is not None and not (
            step <= len(self._steps) and live >= self._steps[step - 1].weight
        ):
            return False
        if when.bake is not None and (
            context.phase != Phase.BAKING or context.step + 1 < (step or 0)
        ):
            return False
        if when.weight_at_least is not None and live < when.weight_at_least:
            return False
        if when.phase is not None and context.phase.upper() != when.phase.upper():
            return False
        if when.hold is not None and when.hold.lower() not in context.hold.lower():
            return False
        return when.going_back is None or when.going_back == context.going_back

    def waits_for(self, when: When) -> str:
        """The conditions in words, as far as this plan has what they name."""
        words = []
        step = self._step(when)
        if when.way is not None:
            words.append(f"the step at {percent_text(when.way)} of the way")
        if step is not None:
            count = len(self._steps)
            words.append(
                f"step {step} of {count}, at {weight_text(int(self._steps[step - 1].weight))}"
                if step <= count
                else f"step {step}, and the plan has {count}"
            )
        if when.weight_at_least is not None:
            words.append(f"a weight of at least {weight_text(int(when.weight_at_least))}")
        if when.phase is not None:
            words.append(f"phase {when.phase.upper()}")
        if when.hold is not None:
            words.append(f"a hold for `{when.hold}`")
        if when.going_back is not None:
            words.append("a lowered weight" if when.going_back else "no weight lowered yet")
        if when.bake is not None:
            words.append(f"{percent_text(when.bake)} of its bake")
        if when.after:
            words.append(f"{duration_text(when.after)} after that")
        return ", then ".join(words) if words else "the start of the run"

    def calm(self) -> None:
        """Nothing more begins, whatever comes true, or came true and has not begun yet."""
        self._calm = True
        self._pending.clear()

    def _begin(self, due: Callable[[], None]) -> None:
        if not self._calm:
            due()

    def wrote(self, weight: int, *, lowered: bool) -> None:
        """The destination's highest live portion is this now, whoever wrote it; `lowered`: by less on its route."""
        self.context.going_back |= lowered
        self.context.weight = weight
        self.context.highest = max(self.context.highest, weight)
        self.changed()

    def moved(self, phase: str, hold: str, step: int = -1) -> None:
        """The run said that it is in this phase."""
        self.context.phase, self.context.hold, self.context.step = phase, hold, step
        self.changed()

    def _step(self, when: When) -> int | None:
        """The step that is named, counted from 1."""
        if when.way is None:
            return when.step
        return max(1, -(-when.way * self._baking // PPM))

    def _delay(self, when: When) -> int:
        """How long after its conditions, in ms."""
        if when.bake is None:
            return when.after
        return when.after + when.bake * self._steps[self.context.step].bake // PPM
