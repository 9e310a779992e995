"""Rehearsals side by side: one scenario with each judge, and every scenario on this machine's cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from cutover.app.rehearsal import RehearsalResult, rehearse
from cutover.app.rehearsal_signals import SignalError, StopOnSignal
from cutover.app.rehearsal_workers import side_by_side
from cutover.app.scenarios import judges_of, lacks, load_scenario, planned
from cutover.core.errors import StoppedError
from cutover.core.plan import Plan
from cutover.emulator.scenario import Scenario
from cutover.local.state_directory import StateDirectory
from cutover.ports import Listener


@dataclass(frozen=True)
class Task:
    """One scenario to rehearse a plan in.

    Attributes:
        other: the judge it is rehearsed with once more; empty for none.
    """

    plan: Plan
    plan_text: str
    name: str
    scenario: Scenario
    seed: int
    place: StateDirectory
    other: str = ""

    @property
    def judges(self) -> tuple[str, ...]:
        """Whom it is rehearsed with: the plan's own judge is the empty one."""
        return ("", self.other) if self.other else ("",)

    def run(
        self,
        *,
        judge: str = "",
        pace: Callable[[int], None] | None = None,
        listeners: Sequence[Listener] = (),
    ) -> RehearsalResult:
        """One rehearsal of it."""
        return rehearse(
            self.plan,
            self.scenario,
            name=self.name,
            plan_text=self.plan_text,
            seed=self.seed,
            pace=pace,
            listeners=listeners,
            place=self.place,
            judge=judge,
        )


@dataclass(frozen=True)
class NotApplicable:
    """A scenario that a plan has nothing for; `why` begins with `needs`, or says what does not fit."""

    name: str
    why: str


def task(
    plan: Plan,
    name: str,
    *,
    plan_text: str = "",
    seed: int = 0,
    place: StateDirectory,
    compare: bool | None = None,
) -> Task | NotApplicable:
    """A scenario, shipped or of a file, as a task; `compare` with the other judge, None: as the scenario says.

    Raises:
        UsageError, PlanError: when the scenario is not there or wrong.
    """
    name, scenario = load_scenario(name)
    if why := lacks(plan, scenario):
        return NotApplicable(name, why)
    other = ""
    if scenario.compare if compare is None else compare:
        own = judges_of(planned(plan, scenario))
        other = own and ("sequential" if own == "threshold" else "threshold")
    return Task(plan, plan_text, name, scenario, seed, place, other)


def rehearse_task(
    one: Task,
    *,
    pace: Callable[[int], None] | None = None,
    listeners: Sequence[Listener] = (),
) -> RehearsalResult:
    """The scenario with the plan's judge, watched; then with the other one, in silence.

    Raises:
        CutoverError: when the plan cannot be rehearsed at all; never because the cutover went badly.
    """
    result = one.run(pace=pace, listeners=listeners)
    return replace(result, compared=one.run(judge=one.other)) if one.other else result


def rehearse_tasks(tasks: Sequence[Task]) -> Iterator[RehearsalResult]:
    """Every task as it ends, side by side on this machine's cores.

    Each world has its own process, so a scenario ends the same whether it runs alone or with others.
    After a signal those that are finished still come, and then the error.

    Raises:
        StoppedError: when a signal ended it.
        CutoverError: when a scenario or the plan cannot be rehearsed at all.
    """
    parts = [(index, judge) for index, one in enumerate(tasks) for judge in one.judges]
    # also on one core: between two rehearsals nobody else would hear a signal
    count = min(len(parts), len(os.sched_getaffinity(0)))
    calls = [partial(tasks[index].run, judge=judge) for index, judge in parts]
    done: dict[tuple[int, str], RehearsalResult] = {}
    given: set[int] = set()
    stop = StopOnSignal()
    try:
        with stop.installed(), closing(side_by_side(calls, count, stop.safely)) as answers:
            for number, answer in answers:
                done[parts[number]] = answer
                index, _ = parts[number]
                if all((index, one) in done for one in tasks[index].judges):
                    given.add(index)
                    yield _together(done, index, tasks[index])
    except SignalError as came:
        finished = [
            index for index in range(len(tasks)) if index not in given and (index, "") in done
        ]
        for index in finished:
            yield _together(done, index, tasks[index])
        left = len(tasks) - len(given) - len(finished)
        raise StoppedError(
            f"{came.name} ended the rehearsals: {left} of {len(tasks)} scenarios are not finished",
            hint="`cutover list --rehearsals` shows those that were going on; they are not resumed",
            signal=came.number,
        ) from None


def _together(
    done: Mapping[tuple[int, str], RehearsalResult], index: int, one: Task
) -> RehearsalResult:
    """A task's rehearsal with its comparison; without it when only that is missing."""
    return replace(done[index, ""], compared=done.get((index, one.other)) if one.other else None)
