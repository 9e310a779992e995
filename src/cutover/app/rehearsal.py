"""Composition for rehearsals: the same runner and adapters, on emulated AWS under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from cutover.app.rehearsal_journal import room_in
from cutover.app.rehearsal_processes import Rehearsing
from cutover.app.rehearsal_signals import SignalError, StopOnSignal
from cutover.app.scenarios import (
    builtin_scenarios,
    judges_of,
    load_scenario,
    planned,
    text_of_plan,
    what_catches,
    with_judge,
)
from cutover.core.errors import ExitCode, StoppedError
from cutover.core.messages import why_text
from cutover.core.plan import Plan
from cutover.core.state import Phase, RunState
from cutover.core.values import weight_text
from cutover.emulator.ending import (
    Ending,
    ScenarioVerdict,
    Truth,
    expects_something,
    never_held,
    unmet,
    verdict,
)
from cutover.emulator.scenario import Expect, Scenario
from cutover.emulator.witness import Witness
from cutover.emulator.world import World
from cutover.local.clock import SystemClock
from cutover.local.rehearsal_file import INTERRUPTED, Attended
from cutover.local.run_directory import RunDirectory, new_run_id
from cutover.local.state_directory import StateDirectory
from cutover.ports import Listener

HEALTHY = "healthy"
"""The scenario of `cutover rehearse PLAN`."""

FAILED = "failed"
"""How a rehearsal ended that an error ended."""

_OUTCOMES = {
    Phase.COMPLETED: "completed",
    Phase.ROLLED_BACK: "rolled_back",
    Phase.HOLDING: "held",
    Phase.REFUSED: "refused",
    Phase.NEEDS_HUMAN: "needs_human",
}


@dataclass(frozen=True)
class RehearsalResult:
    """How a rehearsal ended.

    Attributes:
        name: of the scenario.
        exit_code: of the run's last process.
        state: folded from its journal.
        truth: what really happened in the emulated world, whatever the run believes.
        virtual_ms: virtual time from the run's start to its end.
        expects: the scenario says how it should end.
        mismatches: one sentence for each expectation not met; empty when all are.
        unreached: one sentence for each entry of the scenario that did not happen, or met nothing.
        verdict: what it says of the plan.
        caught_by: which gate is there to catch what the plan let through; empty when it did not.
        run: where its journal is.
        judge: the judge of the gates that have one: `sequential`, `threshold`, both, or empty.
        compared: the same world once more, with the other judge.
    """

    name: str
    exit_code: ExitCode
    state: RunState
    truth: Truth
    outcome: str
    virtual_ms: int
    expects: bool
    mismatches: tuple[str, ...]
    run: RunDirectory
    judge: str
    compared: RehearsalResult | None = None
    unreached: tuple[str, ...] = ()
    verdict: ScenarioVerdict = ScenarioVerdict.AS_EXPECTED
    caught_by: str = ""

    @property
    def let_through(self) -> bool:
        """The plan should have stopped this, and did not."""
        return self.verdict is ScenarioVerdict.LET_THROUGH

    @property
    def harmed(self) -> int:
        """Requests that the source would have served well; `rehearsal.harm` has the definition."""
        return self.truth.harmed

    @property
    def expected_ok(self) -> bool:
        """The scenario's trouble happened, and every expectation is met."""
        return self.verdict is ScenarioVerdict.AS_EXPECTED


def rehearse(
    plan: Plan,
    scenario: Scenario,
    *,
    name: str = HEALTHY,
    plan_text: str = "",
    seed: int = 0,
    pace: Callable[[int], None] | None = None,
    listeners: Sequence[Listener] = (),
    place: StateDirectory,
    judge: str = "",
    witness: Witness | None = None,
) -> RehearsalResult:
    """Run the plan once in the scenario's world, with `judge` in place of its own when one is named.

    `witness` is told what the emulated AWS receives and does.

    Raises:
        StoppedError: when a signal ended it; its journal says so.
        RefusedError: when its journal cannot be kept.
        CutoverError: when the plan cannot be rehearsed at all; never because the cutover went badly.
    """
    ran = planned(plan, scenario)
    if judge:
        ran = with_judge(ran, judge)
    of = f"{name}-{judge}" if judge else name
    run_id = new_run_id(plan.name, SystemClock().now(), of=of)
    run = RunDirectory(place.root / "rehearsals" / run_id, place.disk, rehearsal=True)
    stop = StopOnSignal()
    try:
        with stop.installed(), room_in(place, run):
            place.prepare()
            # what `status` and `journal replay` read is the plan that really ran
            kept = plan_text if plan_text and ran.hash == plan.hash else text_of_plan(ran)
            place.create(run_id, kept, rehearsal=True)
            one = Rehearsing(ran, scenario, run, seed, stop)
            return _attended(one, name, pace, listeners, witness)
    except SignalError as came:
        raise StoppedError(
            f"{came.name} ended rehearsal {run_id} before its end",
            hint=f"a rehearsal is not resumed, begin it again; `cutover status {run_id}` shows how far it came",
            signal=came.number,
        ) from None


def _attended(
    one: Rehearsing,
    name: str,
    pace: Callable[[int], None] | None,
    listeners: Sequence[Listener],
    witness: Witness | None,
) -> RehearsalResult:
    """The rehearsal, from the first to the last word of the file that says whether it goes on."""
    file = Attended.begin(one.run, name, judges_of(one.plan), SystemClock().now())
    ended = FAILED
    try:
        paced = None if pace is None else one.stop.pacing(pace)
        with ExitStack() as stack:
            one.stop.check()
            built = World.build(one.plan, one.scenario, one.seed, pace=paced, witness=witness)
            world = stack.enter_context(built)
            one.stop.check()  # not raised inside: Python drops what a handler raises in a weakref's callback
            result = _result(one, name, world, (world.listener, *listeners, one.stop))
        ended = result.outcome
    except SignalError:
        ended = INTERRUPTED
        raise
    finally:
        file.end(ended)
        file.close()
    return result


def _result(
    one: Rehearsing, name: str, world: World, listeners: tuple[Listener, ...]
) -> RehearsalResult:
    """How it ends in this world."""
    began = world.clock.now()
    code = one.drive(world, listeners)
    truth, lasted, state = world.truth(), world.clock.now().after(began), one.state
    outcome = _OUTCOMES.get(state.phase, "ended")
    why = why_text(state)
    steps = tuple(int(step.weight) for step in one.plan.steps)
    ending = Ending(outcome, int(code), why, truth, steps)
    expect = one.scenario.expect
    mismatches = unmet(expect, ending)
    unreached = _not_reached(world, expect, ending)
    found = verdict(expect, ending, mismatches, unreached)
    return RehearsalResult(
        name,
        code,
        state,
        truth,
        outcome,
        lasted,
        expects_something(expect),
        mismatches,
        one.run,
        judges_of(one.plan),
        unreached=unreached,
        verdict=found,
        caught_by=what_catches(one.plan, one.scenario)
        if found is ScenarioVerdict.LET_THROUGH
        else "",
    )


def _not_reached(world: World, expect: Expect, ending: Ending) -> tuple[str, ...]:
    """What of the scenario did not happen, and where the run ended instead."""
    found = (*world.occurrences.missing(), *never_held(expect, ending.truth))
    highest = weight_text(ending.truth.highest)
    end = f"the run ended {ending.outcome.replace('_', ' ')}, at most at {highest}"
    return tuple(f"{one}; {end}" for one in found)


__all__ = [
    "HEALTHY",
    "RehearsalResult",
    "builtin_scenarios",
    "load_scenario",
    "planned",
    "rehearse",
]
