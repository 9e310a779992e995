"""The public Python API: what the command line does, as functions that return values and raise `CutoverError`.

Everything heavy is imported when it is called, so that `import cutover.app.api` stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from cutover.app.backtest import Backtested, JudgedTable
    from cutover.app.break_glass import BreakGlassResult
    from cutover.app.commands import Acknowledged, NoReply, Queued, Unreached
    from cutover.app.inspect import Inspection
    from cutover.app.live import Options, ProcessEnded
    from cutover.app.offline import Read, Replayed
    from cutover.app.rehearsal import RehearsalResult
    from cutover.app.rehearsals import NotApplicable
    from cutover.app.shown import ShownRun
    from cutover.aws.history import Rates
    from cutover.core.observation import OperatorCommand
    from cutover.core.plan import Plan
    from cutover.local.plan_file import LoadedPlan
    from cutover.local.run_directory import RunDirectory
    from cutover.ports import Listener


def load_plan(path: Path, *, strict: bool = False) -> LoadedPlan:
    """The plan of a file, its text, and what lint says about it.

    Raises:
        PlanError: with every problem and its position; with `strict`, warnings too.
    """
    from cutover.local.plan_file import load_plan as load

    return load(path, strict=strict)


def load_plan_to_schedule(path: Path) -> LoadedPlan:
    """The plan of a file whose steps may be too short for its traffic: `schedule` looks for others.

    Raises:
        PlanError: with everything else that is wrong.
    """
    from cutover.local.plan_file import load_plan_to_schedule as load

    return load(path)


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of plan files."""
    from cutover.core.plan import plan_schema as schema

    return schema()


def look(plan: Plan, *, profile: str | None = None, region: str | None = None) -> Inspection:
    """What preflight sees and finds, and the live configs. Read-only, enforced below the SDK.

    Raises:
        CredentialsError, RefusedError, UsageError: when AWS cannot be asked at all.
    """
    from cutover.app.inspect import look as looking

    return looking(plan, profile=profile, region=region)


def past_rates(
    plan: Plan, days: int, *, profile: str | None = None, region: str | None = None
) -> Rates:
    """Requests a minute of the plan's groups over the last days, from CloudWatch.

    Raises:
        UsageError: for a number of days that CloudWatch does not keep.
        CredentialsError, RefusedError: when CloudWatch cannot be asked, does not answer whole, or has no request at all.
    """
    from cutover.app.inspect import past_rates as rates

    return rates(plan, days, profile=profile, region=region)


def start(loaded: LoadedPlan, options: Options, *, run_id: str | None = None) -> ProcessEnded:
    """A new run, from preflight to its end; see `app.live.start`."""
    from cutover.app import live

    return live.start(loaded, options, run_id=run_id)


def go_on(run: RunDirectory, command: OperatorCommand, options: Options) -> ProcessEnded:
    """Become the runner of a run that exists; see `app.resume.go_on`."""
    from cutover.app import resume

    return resume.go_on(run, command, options)


def say(
    run: RunDirectory, command: OperatorCommand, *, left: Queued | None = None
) -> Acknowledged | Queued | NoReply | Unreached:
    """Leave a command for the run's process, and see whether it is heard; with `left` it lies there already."""
    from cutover.app import commands
    from cutover.app.place import state_directory

    place = state_directory()
    return commands.say(place, run, command, left=left)


def restore_without_run(
    plan: Plan,
    *,
    profile: str | None = None,
    region: str | None = None,
    tell: Callable[[str], None],
) -> BreakGlassResult:
    """Source full, destination 0, from credentials and ELBv2 alone."""
    from cutover.app.break_glass import restore

    return restore(plan, profile=profile, region=region, tell=tell)


def restore_beside(
    run: RunDirectory,
    *,
    profile: str | None = None,
    region: str | None = None,
    tell: Callable[[str], None],
) -> BreakGlassResult:
    """Source full, destination 0 on the routes of a run whose process cannot be told to roll it back."""
    from cutover.app.unreachable import restore_beside as restore

    return restore(run, profile=profile, region=region, tell=tell)


def find_run(text: str | None) -> RunDirectory:
    """The run of an id, a unique prefix, or None for the only live one.

    Raises:
        UsageError: when none or several are meant.
    """
    from cutover.app.place import state_directory

    return state_directory().resolve(text)


def state_root() -> Path:
    """The directory that holds the runs of this user.

    Raises:
        UsageError: when it is something else than a directory.
    """
    from cutover.app.place import state_directory
    from cutover.core.errors import UsageError

    root = state_directory().root
    if root.exists() and not root.is_dir():
        raise UsageError(
            f"{root} is not a directory",
            hint="set CUTOVER_STATE_DIR to a directory on a local disk",
        )
    return root


def runs(*, rehearsals: bool = False) -> tuple[RunDirectory, ...]:
    """Every run (or rehearsal) on this machine."""
    from cutover.app.place import state_directory

    return state_directory().list_runs(rehearsals=rehearsals)


def read_run(run: RunDirectory) -> Read:
    """Everything a run's files say; damage is told, not raised."""
    from cutover.app import offline as app_offline
    from cutover.app.place import state_directory

    return app_offline.read_run(state_directory(), run)


def shown_run(run: RunDirectory) -> ShownRun | None:
    """The run as its process shows it in view.json; None when that does not hold, and `read_run` must be asked."""
    from cutover.app import shown
    from cutover.app.place import state_directory

    return shown.shown_run(run, shown.driving_processes(state_directory()))


def shown_runs(found: Sequence[RunDirectory]) -> list[ShownRun | Read]:
    """Each run as its process shows it, or as its files tell it where that does not hold."""
    from cutover.app import shown
    from cutover.app.place import state_directory

    driving = shown.driving_processes(state_directory())
    return [shown.shown_run(run, driving) or read_run(run) for run in found]


def replay(read: Read) -> Replayed:
    """Fold a run's journal again and check what follows from what."""
    from cutover.app.offline import replay_run

    return replay_run(read)


def judge_table(
    plan: Plan, csv: str, *, at: int | None = None, stdin: BinaryIO | None = None
) -> JudgedTable:
    """Judge a table of minutes with a plan's gates; see `app.backtest.judge_table`."""
    from cutover.app import backtest as app_backtest

    return app_backtest.judge_table(plan, csv, at=at, stdin=stdin)


def backtest_table(
    plan: Plan,
    csv: str,
    *,
    comparison: str | None = None,
    stdin: BinaryIO | None = None,
    tried: Callable[[int, int], None] | None = None,
) -> Backtested:
    """Start a plan at every hour of a table's past; see `app.backtest.backtest_table`."""
    from cutover.app import backtest as app_backtest

    return app_backtest.backtest_table(plan, csv, comparison=comparison, stdin=stdin, tried=tried)


def backtest_cloudwatch(
    plan: Plan,
    days: int,
    *,
    comparison: str | None = None,
    profile: str | None = None,
    region: str | None = None,
    told: Callable[[int, int], None] | None = None,
    tried: Callable[[int, int], None] | None = None,
) -> Backtested:
    """The same for the past that CloudWatch has; see `app.backtest.backtest_cloudwatch`."""
    from cutover.app import backtest as app_backtest

    return app_backtest.backtest_cloudwatch(
        plan, days, comparison=comparison, profile=profile, region=region, told=told, tried=tried
    )


def scenarios() -> Mapping[str, Path]:
    """The scenarios that ship with cutover, by name."""
    from cutover.app.scenarios import builtin_scenarios

    return builtin_scenarios()


def rehearse(
    loaded: LoadedPlan,
    scenario: str = "healthy",
    *,
    seed: int = 0,
    pace: Callable[[int], None] | None = None,
    watchers: Callable[[Plan], Sequence[Listener]] | None = None,
    compare: bool | None = None,
) -> RehearsalResult:
    """Run the plan once on emulated AWS under a virtual clock.

    Args:
        loaded: the plan.
        scenario: name of a shipped scenario, or a file.
        seed: of everything random.
        pace: told the virtual ms that pass, to slow it down for a person.
        watchers: made for the plan as the scenario changes it; told of every record.
        compare: rehearse it with the other judge too; None: when the scenario says so.

    Raises:
        UsageError, PlanError: when the scenario is not there, is wrong, or does not apply to the plan.
    """
    from cutover.app import rehearsals as app_rehearsals
    from cutover.app.place import state_directory
    from cutover.app.scenarios import planned
    from cutover.core.errors import UsageError

    one = app_rehearsals.task(
        loaded.plan,
        scenario,
        plan_text=loaded.text,
        seed=seed,
        place=state_directory(),
        compare=compare,
    )
    if isinstance(one, app_rehearsals.NotApplicable):
        raise UsageError(
            f"scenario {one.name} does not apply to plan {loaded.plan.name}: {one.why}",
            hint="`cutover rehearse --all PLAN` shows which scenarios apply; docs/scenarios.md says how a file names its steps",
        )
    listeners = watchers(planned(loaded.plan, one.scenario)) if watchers is not None else ()
    return app_rehearsals.rehearse_task(one, pace=pace, listeners=listeners)


def rehearse_all(
    loaded: LoadedPlan, *, seed: int = 0, compare: bool | None = None
) -> Iterator[RehearsalResult | NotApplicable]:
    """The plan in every shipped scenario, side by side: first those that do not apply, then each as it ends.

    `compare` as in `rehearse`.
    """
    from cutover.app import rehearsals as app_rehearsals
    from cutover.app.place import state_directory

    place = state_directory()
    place.prepare()
    tasks = []
    for name in scenarios():
        one = app_rehearsals.task(
            loaded.plan, name, plan_text=loaded.text, seed=seed, place=place, compare=compare
        )
        if isinstance(one, app_rehearsals.NotApplicable):
            yield one
        else:
            tasks.append(one)
    yield from app_rehearsals.rehearse_tasks(tasks)


def rehearsed_otherwise(loaded: LoadedPlan) -> tuple[str, ...]:
    """What of the plan a rehearsal cannot show as it is written, as sentences."""
    from cutover.app.scenarios import too_fine

    return too_fine(loaded.plan)


def new_scenario(name: str) -> Path:
    """Write a commented scenario file that ends as expected as it is.

    Args:
        name: `my-bad-day` for ./my-bad-day.yaml, or a path that ends with .yaml.

    Raises:
        UsageError: when the name cannot be one, or something is there already.
        RefusedError: when the disk does not take it.
    """
    from cutover.app.scenarios import write_new

    return write_new(name)


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of scenario files."""
    from cutover.emulator.scenario_schema import scenario_schema as schema

    return schema()
