"""Composition for rehearsals: the same runner and adapters, on emulated AWS under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from cutover import __version__
from cutover.aws.alb import AlbRouter
from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.fanout import Inline
from cutover.aws.forms import Ends
from cutover.aws.restore import restore_script
from cutover.aws.session import AwsSession
from cutover.aws.survey import AwsSurveyor
from cutover.aws.target_health import AlbTargetHealth
from cutover.core.errors import ExitCode, UsageError
from cutover.core.events import LeaseTaken, RunOpen
from cutover.core.moment import Moment
from cutover.core.observation import Known, Word, WordName
from cutover.core.plan import Plan
from cutover.core.state import Phase, RunState, evolve, replay
from cutover.local.clock import SystemClock
from cutover.local.journal import FileJournal
from cutover.local.lease import SoleLease
from cutover.local.run_directory import RunDirectory, new_run_id
from cutover.local.state_directory import StateDirectory
from cutover.ports import Listener
from cutover.rehearsal.ending import Ending, Truth, expects_something, unmet
from cutover.rehearsal.scenario import Scenario
from cutover.rehearsal.wire import RehearsalOverError, RunnerKilledError
from cutover.rehearsal.world import World
from cutover.runner import Ports, Runner
from cutover.wiring.scenarios import (
    builtin_scenarios,
    judges_of,
    load_scenario,
    planned,
    with_judge,
)

HEALTHY = "healthy"
"""The scenario of `cutover rehearse PLAN`."""

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

    @property
    def harmed(self) -> int:
        """Requests that the source would have served well; `rehearsal.harm` has the definition."""
        return self.truth.harmed

    @property
    def expected_ok(self) -> bool:
        """Every expectation is met."""
        return not self.mismatches


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
) -> RehearsalResult:
    """Run the plan once in the scenario's world, with `judge` in place of its own when one is named.

    Raises:
        CutoverError: when the plan cannot be rehearsed at all; never because the cutover went badly.
    """
    place.prepare()
    plan = planned(plan, scenario)
    if judge:
        plan = with_judge(plan, judge)
    run = place.create(new_run_id(plan.name, SystemClock().now()), plan_text, rehearsal=True)
    with World.build(plan, scenario, seed, pace=pace) as world:
        began = world.clock.now()
        code, state = _drive(
            plan,
            world,
            run,
            seed,
            (world.listener, *listeners),
            exit_on_hold=scenario.exit_on_hold,
        )
        truth = world.truth()
        virtual_ms = world.clock.now().after(began)
    outcome = _OUTCOMES.get(state.phase, "ended")
    why = state.held.why if state.held is not None else state.why
    ending = Ending(outcome, int(code), why, truth)
    return RehearsalResult(
        name,
        code,
        state,
        truth,
        outcome,
        virtual_ms,
        expects_something(scenario.expect),
        unmet(scenario.expect, ending, [int(step.weight) for step in plan.steps]),
        run,
        judges_of(plan),
    )


def _drive(
    plan: Plan,
    world: World,
    run: RunDirectory,
    seed: int,
    listeners: tuple[Listener, ...],
    *,
    exit_on_hold: bool,
) -> tuple[ExitCode, RunState]:
    """One process after another, as the scenario kills and restarts them."""
    words: tuple[Word, ...] = ()
    process = _process(plan, world, run, seed, listeners, exit_on_hold=exit_on_hold, first=True)
    while True:
        runner, journal = process
        try:
            return runner.run(words), runner.state
        except RunnerKilledError as death:
            named = world.revive(death)
            if not named:
                return ExitCode.BUG, runner.state
            words = tuple(
                Word(WordName(one), "operator", "after the crash", "first") for one in named
            )
        except RehearsalOverError:
            return ExitCode.HELD, runner.state
        finally:
            journal.close()
        process = _process(
            plan, world, run, seed + 1, listeners, exit_on_hold=exit_on_hold, first=False
        )


def _process(
    plan: Plan,
    world: World,
    run: RunDirectory,
    seed: int,
    listeners: tuple[Listener, ...],
    *,
    exit_on_hold: bool,
    first: bool,
) -> tuple[Runner, FileJournal]:
    """What one process is made of: adapters on the world's session, and the journal."""
    aws = AwsSession(
        world.session, world.clock, emulated=True, trust_date=True, random=Random(seed)
    )
    fanout = Inline()

    def restore_text(commands: Sequence[str]) -> str:
        return restore_script(commands, plan.aws.account, plan.aws.region, run.id)

    if first:
        journal = FileJournal.open_new(run, restore_text=restore_text, durable=False)
        state = RunState()
        routes = tuple(str(route.id) for route in plan.routes)
        opened = RunOpen(
            plan.name,
            plan.hash,
            plan.aws.account,
            plan.aws.region,
            "rehearsal",
            __version__,
            routes,
        )
        state = _append(plan, journal, state, opened, world.clock.now(), listeners=listeners)
    else:
        journal = FileJournal.open_existing(run, restore_text=restore_text, durable=False)
        state = replay(plan, journal.contents.records)
    taken = LeaseTaken("operator", "rehearsal", world.restarts + 1, exit_on_hold=int(exit_on_hold))
    state = _append(plan, journal, state, taken, world.clock.now(), listeners=listeners)
    ports = Ports(
        AlbRouter(
            aws, fanout, {route.id: Ends(route.source, route.destination) for route in plan.routes}
        ),
        CloudWatchMetrics(aws, fanout, plan.observe),
        AlbTargetHealth(aws, fanout),
        CloudWatchAlarms(aws, fanout),
        AwsSurveyor(aws, fanout),
        journal,
        SoleLease(),
        world.clock,
        world.mailbox,
        listeners,
    )
    return Runner(plan, ports, state), journal


def _append(
    plan: Plan,
    journal: FileJournal,
    state: RunState,
    event: RunOpen | LeaseTaken,
    at: Moment,
    *,
    listeners: tuple[Listener, ...],
) -> RunState:
    appended = journal.append(event, at)
    if not isinstance(appended, Known):
        raise UsageError(
            f"the rehearsal's journal cannot be written: {appended}",
            hint="free space there, or set CUTOVER_STATE_DIR to another local disk",
        )
    for listener in listeners:
        listener.told(appended.value)
    return evolve(plan, state, appended.value)


__all__ = [
    "HEALTHY",
    "RehearsalResult",
    "builtin_scenarios",
    "load_scenario",
    "planned",
    "rehearse",
]
