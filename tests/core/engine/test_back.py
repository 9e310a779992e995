"""Going back: what may not delay it, what it must not overwrite, and when it says that it is done."""

from __future__ import annotations

from functools import partial

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import AlarmState, CommandName, GroupHealth, Unknown
from cutover.core.state import Hold, Phase
from cutover.core.state.evidence import KEEP
from cutover.core.values import HOUR, MINUTE, SECOND
from tests.core.engine.test_safety import EMPTY, holds, on_event
from tests.fakes import SOURCE, TWO_ROUTES, Bench, WriteFault, config, plan_of
from tests.promises.from_bench import portion

THRESHOLD = {
    "errors": {
        "max": "1%",
        "versus_source": {"ratio": 2.0, "floor": "0.2%"},
        "judge": "threshold",
    }
}
SLO = [{"errors": {"max": "1%"}}, {"alarm": {"name": "slo", "on_breach": "hold"}}]


def test_a_route_that_is_only_read_as_restored_is_written_before_that_is_said() -> None:
    """The read may be older than the last raise: AWS answers with what was, and the run goes back for drift."""
    bench = Bench(plan_of(safety={"on_drift": "rollback"}))
    route = bench.plan.routes[0].id
    bench.at_weight(
        500, lambda: bench.router.configs.update({route: config(0, attached=False)}), MINUTE
    )
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [intent.kind for intent in bench.events(ev.Intent)][-1] == "restore"
    assert bench.router.writes[-1][2] == config(0, attached=False)


def test_a_first_raise_that_one_read_showed_is_written_back_before_that_is_said() -> None:
    """It is not committed yet, and the reads that follow may be older than it."""
    bench = Bench(found=config(0))
    route = bench.plan.routes[0].id

    def shown(event: ev.Event) -> None:
        if (
            isinstance(event, ev.Observed)
            and event.what == "config"
            and bench.router.configs[route].weight
        ):
            bench.inbox.say(CommandName.ROLLBACK)
            bench.router.configs.update({route: config(0)})

    bench.journal.killed_at = shown
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [intent.kind for intent in bench.events(ev.Intent)] == ["move", "restore"]


@pytest.mark.parametrize(("refusal", "written"), [("denied", 0), ("throttle", 1)])
def test_a_route_that_somebody_restored_by_hand_is_restored(refusal: str, written: int) -> None:
    """Who is denied cannot do more than read; who was only throttled writes once more, for a read may be old."""
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        500, lambda: bench.router.configs.update({route: config(500, tag="x")}), MINUTE
    )
    bench.at_weight(500, lambda: bench.router.faults.append(WriteFault(refusal, times=200)))
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    bench.at_weight(
        500,
        lambda: bench.router.configs.update({route: config(0, attached=False)}),
        5 * MINUTE + 3 * SECOND,
    )
    before: list[int] = []
    bench.at_weight(500, lambda: before.append(len(bench.router.writes)), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert len(bench.router.writes) == before[0] + written
    assert bench.router.configs[route] == config(0, attached=False)


def test_a_restore_that_somebody_keeps_undoing_needs_a_human_and_goes_again_when_told() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    tags = iter(range(100))

    def undo() -> None:
        if portion(bench.router.configs[route]) == 0:
            bench.router.configs[route] = config(500, tag=f"writer {next(tags)}")
        bench.clock.call_in(3 * SECOND, undo)

    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    bench.at_weight(500, undo, 5 * MINUTE)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert len([one for one in bench.events(ev.Intent) if one.kind == "restore"]) <= 3
    bench.clock._due.clear()
    assert bench.run(CommandName.ROLLBACK) == ExitCode.ROLLED_BACK
    assert portion(bench.router.configs[route]) == 0


def test_a_change_that_a_person_accepted_survives_the_rollback() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(50, tag="tf")}), 5 * MINUTE
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.ACCEPT_DRIFT, "known"), 9 * MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert '"tag": "tf"' in bench.router.configs[route].text
    assert bench.router.configs[route].weight == 0


def test_drift_with_another_weight_is_not_accepted() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(70, tag="tf")}), 5 * MINUTE
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.ACCEPT_DRIFT, "known"), 9 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 12 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert any("not accepted" in note.text for note in bench.events(ev.Note))
    assert bench.state.held is not None
    assert bench.state.held.reason is Hold.DRIFT


def test_a_drift_hold_that_a_signal_ended_can_be_accepted_by_the_next_process_at_once() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    route = bench.plan.routes[0].id
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(50, tag="tf")}), 5 * MINUTE
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 9 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert bench.run(CommandName.ACCEPT_DRIFT) == ExitCode.COMPLETED
    assert holds(bench) == ["drift"]


def test_drift_that_went_away_again_needs_only_a_plain_resume() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(50, tag="tf")}), 5 * MINUTE
    )
    bench.at_weight(50, lambda: bench.router.configs.update({route: config(50)}), 7 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 9 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED


@pytest.mark.parametrize("held", [False, True])
def test_on_drift_rollback_goes_back_from_a_bake_and_from_a_hold(held: bool) -> None:
    bench = Bench(plan_of(safety={"on_drift": "rollback"}))
    route = bench.plan.routes[0].id
    if held:
        bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(70, tag="tf")}), 7 * MINUTE
    )
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [e.cause for e in bench.events(ev.PhaseChanged) if e.cause] == ["drift"]
    assert '"tag": "tf"' in bench.router.configs[route].text


def test_drift_while_the_step_is_written_holds_and_is_not_overwritten() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    foreign = config(50, tag="terraform")

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.PhaseChanged) and event.after == "SHIFTING" and event.step == 1:
            bench.router.configs[route] = foreign

    bench.journal.killed_at = watch
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "drift"
    assert bench.router.configs[route] == foreign


def test_drift_while_the_share_is_awaited_holds() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    on_event(
        bench, ev.Verified, 2, lambda: bench.router.configs.update({route: config(50, tag="tf")})
    )
    bench.inbox.say_in(30 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "drift"
    assert "BAKING" not in bench.phases()


def test_a_config_without_a_weight_is_drift_that_says_so() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    gone = config(None, attached=False, source=False)
    bench.at_weight(50, lambda: bench.router.configs.update({route: gone}), 5 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 9 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert bench.state.held is not None
    assert "nothing that can be read" in bench.why


def test_a_config_of_ours_that_somebody_brings_back_while_the_run_holds_is_drift() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)
    bench.at_weight(500, lambda: bench.router.configs.update({route: config(50)}), 6 * MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 9 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert holds(bench) == ["paused", "drift"]


# --- holds


def test_a_drift_hold_with_a_breach_that_holds_is_not_journalled_at_every_look() -> None:
    bench = Bench(plan_of(gates=SLO))
    route = bench.plan.routes[0].id
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(50, tag="tf")}), 5 * MINUTE
    )
    bench.at_weight(50, lambda: bench.alarms.states.update(slo=AlarmState.ALARM), 7 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 60 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert holds(bench) == ["drift"]


def test_a_gate_that_holds_is_journalled_once_and_pages_again_at_its_deadline() -> None:
    bench = Bench(plan_of(gates=SLO, safety={"on_hold_timeout": "hold"}))
    bench.at_weight(50, lambda: bench.alarms.states.update(slo=AlarmState.ALARM), 5 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 5 * HOUR)
    assert bench.run() == ExitCode.INTERRUPTED
    assert holds(bench) == ["gate"] * 3


def test_a_clearing_hold_becomes_a_gate_hold_when_a_gate_that_holds_breaches() -> None:
    bench = Bench(plan_of(gates=SLO))
    bench.at_weight(50, lambda: bench.health.groups.update({SOURCE: GroupHealth(3, 6)}), MINUTE)
    bench.at_weight(50, lambda: bench.alarms.states.update(slo=AlarmState.ALARM), 20 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 40 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert holds(bench) == ["reserve", "gate"]


def test_a_held_run_is_not_taken_back_to_a_source_below_its_reserve_and_says_why_once() -> None:
    bench = Bench(plan_of(gates=SLO))

    def break_it() -> None:
        bench.alarms.states["slo"] = AlarmState.ALARM
        bench.health.groups[SOURCE] = GroupHealth(3, 6)

    bench.at_weight(50, break_it, 5 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 7 * HOUR)
    assert bench.run() == ExitCode.INTERRUPTED
    whys = [e.why for e in bench.events(ev.PhaseChanged) if e.hold]
    assert len(whys) == 4
    assert whys[-1].count("not rolled back at the deadline") == 1


def test_a_shared_incident_holds_and_bakes_afresh_when_it_is_over() -> None:
    bench = Bench(plan_of(safety={"on_shared_after_raise": "hold"}))

    def bad(rate: float) -> None:
        bench.traffic.source_errors = bench.traffic.destination_errors = rate

    bench.at_weight(50, lambda: bad(0.2), 6 * MINUTE)
    bench.at_weight(50, lambda: bad(0.0005), 20 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["shared"]


def test_a_source_that_turns_bad_right_after_our_raise_is_a_breach() -> None:
    bench = Bench()

    def bad() -> None:
        bench.traffic.source_errors = bench.traffic.destination_errors = 0.2

    bench.at_weight(500, bad)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert "right after the raise" in bench.why


def test_a_source_that_turns_bad_long_after_our_raise_is_shared() -> None:
    steps = [{"weight": 50, "bake": "60m"}, {"weight": 100, "bake": "10m"}]
    bench = Bench(plan_of(steps=steps))

    def bad() -> None:
        bench.traffic.source_errors = bench.traffic.destination_errors = 0.2

    bench.at_weight(500, bad, 30 * MINUTE)
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=2)
    assert bench.run() == ExitCode.INTERRUPTED
    assert holds(bench)[0] == "shared"


def test_errors_of_a_minute_that_looks_whole_count_before_it_is_settled() -> None:
    bench = Bench()
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.5), 6 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert "some still being published" in bench.why
    assert not [one for one in bench.events(ev.Observed) if one.what == "alarming"]


def test_the_threshold_judge_counts_unsettled_errors_once_they_were_read_twice() -> None:
    bench = Bench(plan_of(gates=[THRESHOLD]))
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.5), 6 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert "read twice" in bench.why
    assert [one.what for one in bench.events(ev.Observed)].count("alarming") >= 1


def test_a_share_that_comes_late_clears_its_hold() -> None:
    bench = Bench()
    bench.traffic.share_of = lambda weight: 0.5 if weight == 50 else weight / 1000
    bench.at_weight(50, lambda: setattr(bench.traffic, "share_of", None), 20 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["share"]


def test_a_destination_that_becomes_healthy_late_clears_its_hold() -> None:
    bench = Bench(plan_of(gates=[{"errors": {"max": "1%"}}]))
    group = next(comparison.destination for comparison in bench.plan.comparisons)
    for minute, health in (
        (0, GroupHealth(0, 0)),
        (10, Unknown("Rate exceeded", "Throttling")),
        (25, GroupHealth(6, 6, {"a": 6})),
    ):
        bench.clock.call_in(
            minute * MINUTE + 4 * SECOND,
            partial(bench.health.groups.__setitem__, group, health),
        )
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["unhealthy"]


# --- rollbacks that meet trouble


def test_on_interrupt_rollback_does_not_go_back_to_an_empty_source() -> None:
    bench = Bench(plan_of(safety={"on_interrupt": "rollback"}))
    bench.at_weight(50, lambda: bench.health.groups.update({SOURCE: EMPTY}), 4 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 5 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert bench.router.weights() == [0, 50]


def test_a_rollback_that_can_not_read_the_routes_does_not_write_without_a_lease() -> None:
    bench = Bench()
    blind = Unknown("Rate exceeded", "Throttling")

    def dark() -> None:
        bench.router.read_fails = lambda _route: blind
        bench.lease.doubt = Unknown("the lock file was deleted")

    bench.at_weight(500, dark, 5 * MINUTE - 1)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    bench.at_weight(500, lambda: setattr(bench.router, "read_fails", lambda _r: None), 7 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    restores = [one for one in bench.events(ev.Intent) if one.kind == "restore"]
    assert [one.pre == "" for one in restores] == [False]


def test_a_rollback_does_not_write_blind_over_a_config_that_was_not_ours() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    blind = Unknown("Rate exceeded", "Throttling")
    bench.at_weight(
        500, lambda: bench.router.configs.update({route: config(500, tag="x")}), MINUTE
    )
    bench.at_weight(
        500, lambda: setattr(bench.router, "read_fails", lambda _r: blind), 5 * MINUTE - 1
    )
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    bench.at_weight(500, lambda: setattr(bench.router, "read_fails", lambda _r: None), 7 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert '"tag": "x"' in bench.router.configs[route].text


def test_a_restored_route_that_changes_again_before_the_last_look_is_restored_again() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    first = bench.plan.routes[0].id
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    bench.at_weight(
        500,
        lambda: bench.router.configs.update({first: config(500, tag="late")}),
        5 * MINUTE + 20 * SECOND,
    )
    assert bench.run() == ExitCode.ROLLED_BACK
    assert all(portion(one) == 0 for one in bench.router.configs.values())


def test_a_run_that_began_above_zero_goes_back_to_where_it_began() -> None:
    bench = Bench(found=config(20))
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.router.weights() == [50, 20]
    assert bench.router.configs[bench.plan.routes[0].id] == config(20)


def test_a_plan_of_one_step_with_several_comparisons_moves_them_together_and_completes() -> None:
    second = {
        key: arn.replace("checkout-", "basket-") if key != "listener" else arn
        for key, arn in TWO_ROUTES[1].items()
    }
    steps = [{"weight": 100, "bake": "10m"}]
    bench = Bench(plan_of(routes=[TWO_ROUTES[0], second], steps=steps, acknowledge_big_bang=True))
    assert len(bench.plan.comparisons) == 2
    for comparison in bench.plan.comparisons:
        bench.health.groups[comparison.source] = GroupHealth(6, 6, {"a": 3, "c": 3})
        bench.health.groups[comparison.destination] = GroupHealth(6, 6, {"a": 3, "c": 3})
    assert bench.run() == ExitCode.COMPLETED
    assert bench.router.weights() == [0, 0, 1000, 1000]


def test_a_pause_of_24_hours_costs_nothing_but_time() -> None:
    bench = Bench()
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.PAUSE), 8 * MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.RESUME), 24 * HOUR)
    assert bench.run() == ExitCode.COMPLETED
    assert bench.router.weights() == [0, 50, 500, 1000]
    assert all(len(one.recent) <= 2 * KEEP for one in bench.state.evidence.comparisons.values())


# --- what rests


def test_finish_says_where_the_routes_stay_when_the_last_step_is_not_all() -> None:
    bench = Bench(plan_of(steps=[{"weight": 5, "bake": "10m"}, {"weight": 50, "bake": "10m"}]))
    assert bench.run() == ExitCode.COMPLETED
    assert "stay at 50 %" in bench.why
    assert bench.finish_detached() == ExitCode.REFUSED
    assert bench.state.phase is Phase.COMPLETED
    assert bench.run(CommandName.FINISH) == ExitCode.COMPLETED
    assert "stay at 50 %" in bench.why


def test_the_source_is_not_detached_under_a_doubt_and_not_over_drift() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.run()
    ours = bench.router.configs[route]
    bench.lease.doubt = Unknown("the lock file was deleted")
    assert bench.finish_detached() == ExitCode.REFUSED
    bench.lease.doubt = None
    bench.router.configs[route] = config(1000, tag="tf")
    assert bench.finish_detached() == ExitCode.REFUSED
    bench.router.configs[route] = ours
    bench.router.read_fails = lambda _route: Unknown("Rate exceeded")
    assert bench.finish_detached() == ExitCode.REFUSED
    bench.router.read_fails = lambda _route: None
    assert bench.state.phase is Phase.COMPLETED
    assert bench.finish_detached() == ExitCode.COMPLETED


def test_a_source_that_can_not_be_detached_in_time_stays_attached() -> None:
    bench = Bench()
    bench.run()
    bench.router.faults.append(WriteFault("throttle", times=999))
    assert bench.finish_detached() == ExitCode.REFUSED
    assert bench.router.configs[bench.plan.routes[0].id].source_present
    assert bench.state.phase is Phase.COMPLETED


def test_restored_by_hand_is_believed_only_when_a_read_agrees() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        500,
        lambda: bench.router.configs.update({route: config(None, attached=False, source=False)}),
        5 * MINUTE,
    )
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 10 * MINUTE)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert bench.run() == ExitCode.NEEDS_HUMAN
    bench.router.configs[route] = config(500, tag="half")
    assert bench.run(CommandName.CONFIRM_RESTORED) == ExitCode.NEEDS_HUMAN
    assert bench.state.phase is Phase.NEEDS_HUMAN
    bench.router.configs[route] = config(0, tag="by hand")
    assert bench.run(CommandName.CONFIRM_RESTORED) == ExitCode.ROLLED_BACK
    assert bench.run(CommandName.RESUME) == ExitCode.USAGE
