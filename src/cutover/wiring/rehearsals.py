"""Rehearsals side by side: one scenario with each judge, and every scenario on this machine's cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, replace

from cutover.core.errors import RefusedError, StoppedError
from cutover.core.plan import Plan
from cutover.local.state_directory import StateDirectory
from cutover.ports import Listener
from cutover.rehearsal.scenario import Scenario
from cutover.wiring.rehearsed import RehearsalResult, rehearse
from cutover.wiring.scenarios import judges_of, load_scenario, planned
from cutover.wiring.stopping import SignalError, Stop
from cutover.wiring.workers import in_worker, workers


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
    After a signal those that are finished still come, and then the error.

    Raises:
        StoppedError: when a signal ended it.
        CutoverError: when a scenario or the plan cannot be rehearsed at all.
    """
    count = min(sum(2 if one.other else 1 for one in tasks), os.cpu_count() or 1)
    if count <= 1:
        yield from (rehearse_task(one) for one in tasks)
        return
    stop = Stop()
    pairs: list[_Pair] = []
    given = 0
    try:
        with stop.installed(), workers(count) as pool:
            pairs += [_Pair.submitted(pool, one) for one in tasks]
            for pair in pairs:
                with stop.safely():
                    result = pair.result()
                yield result
                given += 1
    except SignalError as came:
        finished = [pair.finished() for pair in pairs[given:]]
        results = [one for one in finished if one is not None]
        yield from results
        left = len(tasks) - given - len(results)
        raise StoppedError(
            f"{came.name} ended the rehearsals: {left} of {len(tasks)} scenarios are not finished",
            hint="`cutover list --rehearsals` shows those that were going on; they are not resumed",
            signal=came.number,
        ) from None


@dataclass(frozen=True)
class _Pair:
    """A task on its way: with the plan's own judge, and with the other one."""

    own: Future[RehearsalResult]
    other: Future[RehearsalResult] | None

    @classmethod
    def submitted(cls, pool: Executor, one: Task) -> _Pair:
        """Both rehearsals of a task, as work for the pool."""
        own = pool.submit(in_worker, one.run)
        return cls(own, pool.submit(in_worker, one.run, judge=one.other) if one.other else None)

    def result(self) -> RehearsalResult:
        """Wait for both.

        Raises:
            RefusedError: when a process that rehearses was ended from outside.
        """
        try:
            own = self.own.result()
            return own if self.other is None else replace(own, compared=self.other.result())
        except BrokenExecutor:
            raise RefusedError(
                "a process that rehearses was ended from outside",
                hint="`cutover list --rehearsals` shows what was interrupted; is there enough memory?",
            ) from None

    def finished(self) -> RehearsalResult | None:
        """What is there now; without its comparison when only that is missing."""
        own = _there(self.own)
        return replace(own, compared=_there(self.other)) if own is not None else None


def _there(future: Future[RehearsalResult] | None) -> RehearsalResult | None:
    if future is None or not future.done() or future.cancelled() or future.exception() is not None:
        return None
    return future.result()
