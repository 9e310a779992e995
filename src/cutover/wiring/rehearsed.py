"""Composition for rehearsals: the same runner and adapters, on emulated AWS under a virtual clock."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
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
from cutover.local.yaml_file import load_model
from cutover.ports import Listener
from cutover.rehearsal.ending import Ending, Truth, expects_something, unmet
from cutover.rehearsal.scenario import Scenario
from cutover.rehearsal.wire import RehearsalOverError, RunnerKilledError
from cutover.rehearsal.world import World
from cutover.runner import Ports, Runner

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

    @property
    def harmed(self) -> int:
        """Requests that failed because they went to the destination."""
        return self.truth.harmed

    @property
    def expected_ok(self) -> bool:
        """Every expectation is met."""
        return not self.mismatches


def scenarios_directory() -> Path:
    """Where the scenarios that ship with cutover are: in the wheel, or in a checkout."""
    shipped = Path(__file__).resolve().parent.parent / "rehearsal" / "scenarios"
    if shipped.is_dir():
        return shipped
    return Path(__file__).resolve().parents[3] / "plans" / "scenarios"


def builtin_scenarios() -> dict[str, Path]:
    """By name, the files of the scenarios that ship with cutover."""
    return {path.stem: path for path in sorted(scenarios_directory().glob("*.y*ml"))}


def load_scenario(name: str) -> tuple[str, Scenario]:
    """A shipped scenario by name, or a user's file.

    Raises:
        UsageError: when there is neither.
        PlanError: when the file is wrong; every problem with its position.
    """
    shipped = builtin_scenarios()
    path = shipped.get(name)
    if path is None:
        path = Path(name)
        if not path.is_file():
            raise UsageError(
                f"no scenario {name!r}: neither one of the shipped ones nor a file",
                hint="`cutover rehearse --list` names the shipped ones",
            )
    return path.stem, load_model(path, Scenario, what="scenario").model


def planned(plan: Plan, scenario: Scenario) -> Plan:
    """The plan with the scenario's top-level keys in place of its own.

    Raises:
        UsageError: when the result is no plan any more.
    """
    if not scenario.plan:
        return plan
    try:
        return Plan.model_validate_json(json.dumps({**plan.data(), **scenario.plan}))
    except ValueError as error:
        raise UsageError(f"the scenario's `plan:` does not fit this plan: {error}") from None


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
) -> RehearsalResult:
    """Run the plan once in the scenario's world.

    Raises:
        CutoverError: when the plan cannot be rehearsed at all; never because the cutover went badly.
    """
    place.prepare()
    plan = planned(plan, scenario)
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
    )


def rehearse_all(
    plan: Plan, names: Sequence[str], *, plan_text: str = "", seed: int = 0, place: StateDirectory
) -> Iterator[RehearsalResult]:
    """Every scenario once, in the order named, side by side on this machine's cores.

    Each world has its own process, so a scenario ends the same whether it runs alone or with others.

    Raises:
        CutoverError: when a scenario or the plan cannot be rehearsed at all.
    """
    scenarios = {name: load_scenario(name)[1] for name in names}
    place.prepare()
    workers = min(len(scenarios), os.cpu_count() or 1)
    if workers == 1:
        for name, scenario in scenarios.items():
            yield rehearse(plan, scenario, name=name, plan_text=plan_text, seed=seed, place=place)
        return
    with ProcessPoolExecutor(max_workers=workers) as pool:
        pending = [
            pool.submit(
                rehearse, plan, scenario, name=name, plan_text=plan_text, seed=seed, place=place
            )
            for name, scenario in scenarios.items()
        ]
        try:
            for future in pending:
                yield future.result()
        finally:
            for future in pending:
                future.cancel()


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
    "rehearse_all",
]
