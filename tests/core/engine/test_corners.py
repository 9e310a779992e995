"""Corners of the machine that a whole run rarely meets: refusals, corrections, answers that are not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.core.actions import End, ReadRequest
from cutover.core.engine import decide, first_look
from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.moment import Moment
from cutover.core.observation import (
    AlarmState,
    CommandName,
    GroupHealth,
    Identity,
    Known,
    Minute,
    Observation,
    Survey,
    Unknown,
)
from cutover.core.state import Phase, replay
from cutover.core.state import evidence as evid
from cutover.core.values import MINUTE, SECOND
from tests.core.engine.test_back import THRESHOLD
from tests.core.engine.test_safety import holds, on_event
from tests.fakes import SOURCE, START, TWO_ROUTES, Bench, WriteFault, config, plan_of


def opened(bench: Bench) -> Bench:
    """The bench, with its run opened."""
    bench.open()
    return bench


# --- the checks


def test_a_survey_that_was_not_made_is_asked_for() -> None:
    bench = opened(Bench())
    state = replay(bench.plan, bench.journal.records)
    decision = decide(bench.plan, state, Observation(), START)
    assert decision.look == ReadRequest(survey=True, configs=True, health=True)
    assert decision.effect is None


@pytest.mark.parametrize(
    ("denied", "code"), [(True, ExitCode.CREDENTIALS), (False, ExitCode.REFUSED)]
)
def test_a_survey_that_could_not_be_made_refuses(denied: bool, code: ExitCode) -> None:
    bench = opened(Bench())
    state = replay(bench.plan, bench.journal.records)
    seen = Observation(survey=Unknown("no", "no", denied=denied))
    decision = decide(bench.plan, state, seen, START)
    assert isinstance(decision.effect, End)
    assert decision.effect.exit_code == code


def test_a_check_that_blocks_refuses_and_says_which() -> None:
    bench = Bench()
    bench.surveyor.change = lambda survey: replace(survey, health={})
    assert bench.run() == ExitCode.REFUSED
    assert bench.state.blocked
    assert bench.state.blocked[0] in bench.why
    assert bench.router.writes == []


def test_a_caller_that_is_not_known_refuses_with_the_credentials_code() -> None:
    bench = Bench()

    def nobody(survey: Survey) -> Survey:
        return replace(
            survey,
            identity=Unknown("expired", denied=True, missing_permission="sts:GetCallerIdentity"),
        )

    bench.surveyor.change = nobody
    assert bench.run() == ExitCode.CREDENTIALS
    assert bench.state.phase is Phase.REFUSED


def test_a_calibration_that_is_missing_leaves_the_gates_without_one() -> None:
    bench = Bench()
    bench.surveyor.change = lambda survey: replace(
        survey,
        calibration=Unknown("denied", denied=True, missing_permission="cloudwatch:GetMetricData"),
    )
    bench.run()
    assert bench.events(ev.Snapshot)[0].calibration == {}


@pytest.mark.parametrize("how", ["unread", "changing"])
def test_routes_that_never_read_the_same_twice_refuse(how: str) -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    count = [0]

    def fails(_route: object) -> Unknown | None:
        count[0] += 1
        if how == "unread":
            return Unknown("Rate exceeded", "Throttling")
        bench.router.configs[route] = config(0, attached=False, tag=str(count[0]))
        return None

    bench.router.read_fails = fails
    assert bench.run() == ExitCode.REFUSED
    assert "cannot be read, or keep changing" in bench.why
    assert bench.events(ev.Snapshot) == []


# --- before the first raise


def test_a_source_below_its_reserve_before_the_first_raise_holds_and_clears() -> None:
    bench = Bench()
    on_event(
        bench, ev.Verified, 1, lambda: bench.health.groups.update({SOURCE: GroupHealth(3, 6)})
    )
    bench.clock.call_in(
        30 * MINUTE, lambda: bench.health.groups.update({SOURCE: GroupHealth(6, 6)})
    )
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["reserve"]


def test_a_first_step_that_needs_approval_waits_attached() -> None:
    steps = [{"weight": 5, "bake": "10m", "approve": "go?"}, {"weight": 100, "bake": "10m"}]
    bench = Bench(plan_of(steps=steps))
    bench.inbox.say_in(5 * MINUTE, CommandName.APPROVE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["approval"]
    assert bench.phases()[:3] == ["ATTACHING", "HOLDING", "ATTACHING"]


def test_the_attach_that_reaches_only_some_routes_is_taken_back() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    stuck = bench.plan.routes[1].id
    bench.router.faults.append(WriteFault("throttle", times=14, route=stuck))
    assert bench.run() == ExitCode.ROLLED_BACK
    assert set(bench.router.configs.values()) == {config(0, attached=False)}


def test_a_pause_while_attaching_attaches_again_on_resume() -> None:
    bench = Bench()
    bench.router.faults.append(WriteFault("throttle", times=3))
    bench.inbox.say_in(8 * SECOND, CommandName.PAUSE)
    bench.inbox.say_in(10 * MINUTE, CommandName.RESUME)
    assert bench.run() == ExitCode.COMPLETED
    assert bench.phases()[:3] == ["ATTACHING", "HOLDING", "ATTACHING"]


def test_a_run_that_resumes_before_its_first_step_looks_for_breaches_only_where_a_write_may_be() -> (
    None
):
    bench = Bench()
    bench.inbox.say_in(8 * SECOND, CommandName.PAUSE)
    bench.inbox.say_in(20 * MINUTE, CommandName.RESUME)
    bench.traffic.destination_errors = 1.0
    on_event(bench, ev.Verified, 2, lambda: setattr(bench.traffic, "destination_errors", 0.0))
    assert bench.run() == ExitCode.COMPLETED


# --- minutes


def test_a_minute_that_aws_corrects_is_judged_again() -> None:
    bench = Bench()

    def correct() -> None:
        for at_ms, counts in bench.metrics._made.items():
            requests = counts.get("destination.requests")
            if isinstance(requests, int) and at_ms >= bench.clock.at.wall_ms - 7 * MINUTE:
                counts["destination.target_5xx"] = requests // 3

    bench.at_weight(500, correct, 8 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.events(ev.MinuteCorrected)
    assert bench.state.rollback_cause == "breach"


def test_a_minute_that_is_never_answered_whole_is_given_up_and_not_waited_for() -> None:
    bench = Bench()
    read = bench.metrics.read
    hole = START.wall_ms // MINUTE * MINUTE + 8 * MINUTE

    def partial(*args: object) -> object:
        found = read(*args)  # type: ignore[arg-type]
        assert isinstance(found, Known)
        minutes = tuple(
            Minute(m.comparison, m.at_ms, {}, settled=False) if m.at_ms == hole else m
            for m in found.value
        )
        return Known(minutes, found.at)

    bench.metrics.read = partial  # type: ignore[method-assign, assignment]
    assert bench.run() == ExitCode.COMPLETED
    kept = [m for m in bench.events(ev.MinuteSettled) if m.at_ms == hole]
    assert [m.counts for m in kept] == [{}]
    assert bench.events(ev.MinuteCorrected) == []


def test_a_minute_of_a_comparison_that_no_gate_judges_changes_no_memory() -> None:
    plan = plan_of()
    start = evid.begin(plan)
    stranger = Minute("stranger", 0, {})
    folded = evid.fold(plan, start, evid.Folded(stranger, 0, 0))
    assert folded == start
    assert evid.correct(plan, folded, Minute("stranger", MINUTE, {})) == folded


# --- drift and doubt while a step is written


def test_an_unexpected_config_is_read_again_before_it_is_called_drift() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    ours: list[object] = []

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.PhaseChanged) and event.after == "SHIFTING" and event.step == 1:
            ours.append(bench.router.configs[route])
            bench.router.configs[route] = config(50, tag="blink")
            bench.clock.call_in(
                2 * SECOND, lambda: bench.router.configs.update({route: config(50)})
            )

    bench.journal.killed_at = watch
    assert bench.run() == ExitCode.COMPLETED
    assert bench.events(ev.Drift) == []
    assert holds(bench) == []


def test_a_config_that_changes_at_every_look_when_the_bake_is_over_holds_in_the_end() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    tags = iter(range(10_000))

    def flap() -> None:
        bench.router.configs[route] = config(50, tag=str(next(tags)))
        bench.clock.call_in(2 * SECOND, flap)

    bench.at_weight(50, flap, 9 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 90 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert holds(bench)[0] in ("unreadable", "drift")
    assert bench.router.weights() == [0, 50]


def test_a_run_that_is_looked_at_early_while_it_detaches_waits_for_the_read() -> None:
    bench = Bench()
    bench.run()
    bench.router.faults.append(WriteFault("throttle", times=2))
    bench.inbox.say_in(1 * SECOND, CommandName.PAUSE)
    assert bench.finish_detached() == ExitCode.COMPLETED
    assert bench.state.phase is Phase.FINISHED


def test_a_rollback_of_routes_that_can_not_be_read_at_its_last_look_waits_for_the_read() -> None:
    bench = Bench()
    blind = Unknown("Rate exceeded", "Throttling")
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    bench.at_weight(
        500,
        lambda: setattr(bench.router, "read_fails", lambda _r: blind),
        5 * MINUTE + 30 * SECOND,
    )
    bench.at_weight(500, lambda: setattr(bench.router, "read_fails", lambda _r: None), 9 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    ended = bench.stamped(ev.PhaseChanged)[-1][0]
    said = next(
        at for at, command in bench.stamped(ev.CommandGiven) if command.command == "rollback"
    )
    assert ended.after(said) >= 3 * MINUTE


def test_credentials_that_refresh_may_end_soon() -> None:
    bench = Bench()
    ends = bench.clock.at.plus(20 * MINUTE).wall_ms
    bench.surveyor.who = Known(Identity("123456789012", "arn", ends, refreshes=True), START)
    assert bench.run() == ExitCode.COMPLETED


def test_an_alarm_gate_makes_the_loop_look_at_alarms() -> None:
    bench = opened(Bench(plan_of(gates=[{"alarm": {"name": "slo"}}])))
    bench.alarms.states["slo"] = AlarmState.OK
    state = replace(replay(bench.plan, bench.journal.records), phase=Phase.COMPLETED, turned=START)
    assert first_look(bench.plan, state, START).alarms
    rolling = replace(state, phase=Phase.ROLLING_BACK)
    assert first_look(bench.plan, rolling, START) == ReadRequest(configs=True, once=True)


def test_a_moment_of_another_boot_is_compared_by_the_wall() -> None:
    later = Moment(START.plus(MINUTE).wall, 0, "boot-2")
    assert later.after(START) == MINUTE


def test_an_unsettled_minute_read_twice_in_the_same_moment_was_read_once() -> None:
    bench = Bench(plan_of(gates=[THRESHOLD]))
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.5), 6 * MINUTE)
    runner = bench.start()
    wake = bench.clock.at
    while not any(one.what == "alarming" for one in bench.events(ev.Observed)):
        result = runner.turn(bench.inbox.wait(wake))
        assert isinstance(result, Moment)
        wake = result
    runner.turn()
    assert runner.state.phase is Phase.BAKING
    assert runner.run() == ExitCode.ROLLED_BACK
