"""Rehearsals side by side: one scenario with each judge, and every scenario on this machine's cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace

from cutover.core.plan import Plan
from cutover.local.state_directory import StateDirectory
from cutover.ports import Listener
from cutover.rehearsal.scenario import Scenario
from cutover.wiring.rehearsed import RehearsalResult, rehearse
from cutover.wiring.scenarios import judges_of, load_scenario, planned


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


def task(
    plan: Plan,
    name: str,
    *,
    plan_text: str = "",
    seed: int = 0,
    place: StateDirectory,
    compare: bool | None = None,
) -> Task:
    """A scenario, shipped or of a file, as a task; `compare` with the other judge, None: as the scenario says.

    Raises:
        UsageError, PlanError: when the scenario is not there or wrong, or does not fit the plan.
    """
    name, scenario = load_scenario(name)
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
    """Every task, in order, side by side on this machine's cores.

    Each world has its own process, so a scenario ends the same whether it runs alone or with others.

    Raises:
        CutoverError: when a scenario or the plan cannot be rehearsed at all.
    """
    workers = min(sum(2 if one.other else 1 for one in tasks), os.cpu_count() or 1)
    if workers <= 1:
        yield from (rehearse_task(one) for one in tasks)
        return
    with ProcessPoolExecutor(max_workers=workers) as pool:
        pending: list[tuple[Future[RehearsalResult], Future[RehearsalResult] | None]] = [
            (
                pool.submit(one.run),
                pool.submit(one.run, judge=one.other) if one.other else None,
            )
            for one in tasks
        ]
        try:
            for own, other in pending:
                result = own.result()
                yield result if other is None else replace(result, compared=other.result())
        finally:
            for futures in pending:
                for future in futures:
                    if future is not None:
                        future.cancel()
