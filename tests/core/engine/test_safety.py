"""Nothing goes forward without fresh proof: gaps, crashes, late writes, doubt, and evidence that is not there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.moment import Moment
from cutover.core.observation import (
    Absent,
    AlarmState,
    CommandName,
    GroupHealth,
    Identity,
    Known,
    Unknown,
)
from cutover.core.routing import config_of
from cutover.core.state import Phase
from cutover.core.values import HOUR, MINUTE, SECOND, RouteId
from tests.fakes import (
    DESTINATION,
    RULE,
    SOURCE,
    TWO_ROUTES,
    Bench,
    Killed,
    WriteFault,
    config,
    plan_of,
)

EMPTY = GroupHealth(0, 0)


def holds(bench: Bench) -> list[str]:
    """The reasons of every hold, in order, those of the fallback too."""
    records = [*bench.journal.records, *bench.journal.fallback]
    events = [r.event for r in records if isinstance(r.event, ev.PhaseChanged)]
    return [event.hold for event in events if event.hold]


def on_event(bench: Bench, wanted: type[ev.Event], nth: int, what: object) -> None:
    """Call `what` when the nth record of a type was appended."""
    seen = [0]

    def watch(event: ev.Event) -> None:
        seen[0] += isinstance(event, wanted)
        if isinstance(event, wanted) and seen[0] == nth:
            what()  # type: ignore[operator]

    bench.journal.killed_at = watch


def kill() -> None:
    """Die here."""
    raise Killed


def jump(bench: Bench, ms: int) -> None:
    """Somebody sets the wall clock."""
    at = bench.clock.at
    bench.clock.at = Moment(at.wall + timedelta(milliseconds=ms), at.boot_ms, at.boot_id)


def raised_at(bench: Bench, weight: int) -> Moment:
    """When the first write of a weight was meant."""
    return next(at for at, one in bench.stamped(ev.Intent) if one.weight == weight)


# --- evidence does not survive a gap or a crash, not even between the verdict and the write


def test_a_clock_that_jumps_between_the_evidence_and_the_write_costs_a_fresh_bake() -> None:
    bench = Bench()
    jumped: list[Moment] = []

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.PhaseChanged) and event.after == "SHIFTING" and event.step == 1:
            if not jumped:
                jump(bench, 10 * SECOND)
            jumped.append(bench.clock.at)

    bench.journal.killed_at = watch
    assert bench.run() == ExitCode.COMPLETED
    assert len(bench.events(ev.Gap)) == 1
    assert raised_at(bench, 500).after(jumped[0]) >= 10 * MINUTE
    assert holds(bench) == ["no_data"]


def test_a_step_written_before_a_crash_that_is_gone_again_is_not_raised_without_a_bake() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    on_event(bench, ev.Outcome, 3, kill)
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    bench.clock.forward(bench.clock.at.plus(MINUTE))
    runner = bench.start()
    bench.inbox.say(CommandName.RESUME)
    runner.turn(bench.inbox.wait(bench.clock.at))
    assert runner.state.phase is Phase.SHIFTING
    resumed = bench.clock.at
    bench.router.configs[route] = config(50)
    bench.router.writes.append((bench.clock.at.wall_ms, route, config(50)))
    assert runner.run() == ExitCode.COMPLETED
    again = [at for at, one in bench.stamped(ev.Intent) if one.weight == 500][1]
    assert again.after(resumed) >= 10 * MINUTE


def test_a_hold_that_would_clear_by_itself_waits_for_a_person_once_its_process_died() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.health.groups.update({SOURCE: GroupHealth(3, 6)}))
    bench.at_weight(50, lambda: on_event(bench, ev.MinuteSettled, 1, kill), 5 * MINUTE)
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    assert holds(bench) == ["reserve"]
    bench.health.groups[SOURCE] = GroupHealth(6, 6)
    bench.inbox.say_in(90 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0, 50]
    assert holds(bench) == ["reserve", "crashed"]
    assert bench.run(CommandName.RESUME) == ExitCode.COMPLETED


def test_an_approval_left_while_no_process_lived_is_no_bake() -> None:
    steps = [{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m", "approve": "ok?"}]
    bench = Bench(plan_of(steps=steps))
    assert bench.run(exit_on_hold=True) == ExitCode.HELD
    bench.clock.forward(bench.clock.at.plus(3 * HOUR))
    began = bench.clock.at
    assert bench.run(CommandName.APPROVE, CommandName.RESUME) == ExitCode.COMPLETED
    assert raised_at(bench, 1000).after(began) >= 10 * MINUTE


# --- late and half-landed writes


def test_a_write_that_lands_after_the_deadline_is_adopted_and_judged_like_any_other() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("timeout", times=99)))

    def land() -> None:
        bench.router.configs[route] = config_of(bench.events(ev.Intent)[-1].post)
        bench.router.writes.append((bench.clock.at.wall_ms, route, bench.router.configs[route]))
        bench.router.faults.clear()

    bench.at_weight(50, land, 30 * MINUTE)
    bench.at_weight(50, lambda: setattr(bench.traffic, "destination_errors", 0.3), 33 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert "had been written" in [e.why for e in bench.events(ev.PhaseChanged) if e.hold][-1]
    assert [e.cause for e in bench.events(ev.PhaseChanged) if e.cause] == ["breach"]


def test_a_first_step_that_lands_late_is_judged_though_no_step_was_committed() -> None:
    bench = Bench()
    bench.at_weight(0, lambda: bench.router.faults.append(WriteFault("timeout", times=99)))
    bench.inbox.say_in(30 * MINUTE, CommandName.INTERRUPT, signal=2)
    assert bench.run() == ExitCode.INTERRUPTED
    assert bench.state.step == -1
    assert bench.state.evidence_from_ms < 2**53


def test_a_late_write_on_one_of_two_routes_takes_both_back() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    first = bench.plan.routes[0].id
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("timeout", times=99)))

    def land() -> None:
        aimed = [one for one in bench.events(ev.Intent) if one.route == first][-1]
        bench.router.configs[first] = config_of(aimed.post)
        bench.router.faults.clear()

    bench.at_weight(50, land, 30 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [e.cause for e in bench.events(ev.PhaseChanged) if e.cause] == ["partial"]
    assert set(bench.router.configs.values()) == {config(0, attached=False)}


def test_a_write_that_was_taken_and_can_not_be_read_back_goes_back() -> None:
    bench = Bench()
    blind = Unknown("Rate exceeded", "Throttling")
    bench.at_weight(500, lambda: setattr(bench.router, "read_fails", lambda _r: blind), 0)
    on_event(bench, ev.Outcome, 3, lambda: setattr(bench.router, "read_fails", lambda _r: blind))
    bench.clock.call_in(40 * MINUTE, lambda: setattr(bench.router, "read_fails", lambda _r: None))
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [e.cause for e in bench.events(ev.PhaseChanged) if e.cause] == ["partial"]
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)


def test_routes_whose_reads_are_denied_after_a_write_hold_and_are_not_written_again() -> None:
    bench = Bench()
    denied = Unknown("not authorized", "AccessDenied", denied=True)
    on_event(bench, ev.Outcome, 3, lambda: setattr(bench.router, "read_fails", lambda _r: denied))
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "unreadable"
    assert bench.router.weights() == [0, 50, 500]


def test_one_throttled_look_while_attaching_is_waited_for() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    stuck = bench.plan.routes[1].id
    bench.health.groups[DESTINATION] = GroupHealth(0, 6, {}, {"initial": 6})
    well = GroupHealth(6, 6, {"a": 6})
    bench.clock.call_in(6 * MINUTE, lambda: bench.health.groups.update({DESTINATION: well}))
    once = [1]

    def fails(route: RouteId) -> Unknown | None:
        if route == stuck and bench.clock.at.boot_ms > 5_000_000 + 4 * MINUTE and once:
            once.pop()
            return Unknown("Rate exceeded", "Throttling")
        return None

    bench.router.read_fails = fails
    assert bench.run() == ExitCode.COMPLETED
    assert not once
    assert holds(bench) == []


def test_a_half_written_first_step_that_can_not_be_lowered_is_neither_drift_nor_nothing() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    second = bench.plan.routes[1].id
    bench.at_weight(
        0, lambda: bench.router.faults.append(WriteFault("throttle", times=99, route=second))
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE))

    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["paused"]  # all or back: a pause does not leave half a step
    assert bench.events(ev.PhaseChanged)[-2].cause == "partial"
    assert bench.events(ev.Drift) == []
    assert set(bench.router.configs.values()) == {config(0, attached=False)}


# --- doubt, darkness and what a plan forbids


@pytest.mark.parametrize("doubt", ["journal", "lease"])
def test_a_doubt_while_attaching_stops_the_very_first_write(doubt: str) -> None:
    bench = Bench()

    def break_it() -> None:
        if doubt == "lease":
            bench.lease.doubt = Unknown("the lock file was deleted")
        else:
            bench.journal.fails = Unknown("no space left on device", "disk_full")

    on_event(bench, ev.Snapshot, 1, break_it)
    bench.inbox.say_in(30 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.writes == []
    assert holds(bench)[0] == doubt


@pytest.mark.parametrize("doubt", ["journal", "lease"])
def test_a_doubt_during_the_checks_refuses_and_keeps_no_snapshot(doubt: str) -> None:
    bench = Bench()

    def break_it() -> None:
        if doubt == "lease":
            bench.lease.doubt = Unknown("the lock file was deleted")
        else:
            bench.journal.fails = Unknown("no space left on device", "disk_full")

    bench.clock.call_in(2 * SECOND, break_it)
    bench.journal.fails = None
    on_event(bench, ev.Observed, 1, break_it)
    assert bench.run() == ExitCode.REFUSED
    assert bench.events(ev.Snapshot) == []
    assert bench.router.writes == []


def test_a_doubt_while_a_raise_waits_stops_it() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("throttle", times=99)))
    on_event(bench, ev.Outcome, 5, lambda: setattr(bench.lease, "doubt", Unknown("file deleted")))
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "lease"
    assert bench.router.weights() == [0, 50]


def test_time_lost_during_the_checks_refuses() -> None:
    bench = Bench()
    bench.clock.call_in(2 * SECOND, lambda: jump(bench, HOUR))
    assert bench.run() == ExitCode.REFUSED
    assert bench.router.writes == []
    assert "time was lost" in bench.why


def test_a_machine_restarted_under_the_run_is_a_gap() -> None:
    bench = Bench()

    def reboot() -> None:
        at = bench.clock.at
        bench.clock.at = Moment(at.wall, at.boot_ms, "boot-2")

    bench.at_weight(50, reboot, 6 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert ["restarted" in gap.why for gap in bench.events(ev.Gap)] == [True]


def test_no_metric_at_all_holds_before_the_first_raise_and_does_not_wait_for_ever() -> None:
    bench = Bench()
    bench.traffic.fails = Unknown("Rate exceeded", "Throttling")
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["unhealthy"]
    assert set(bench.router.weights()) == {0}


def test_a_bad_source_before_the_first_raise_holds_once_and_does_not_come_and_go() -> None:
    bench = Bench()
    bench.traffic.source_errors = 0.3
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["unhealthy"]
    assert bench.phases().count("ATTACHING") == 1


def test_blindness_goes_back_though_the_source_health_is_unknown() -> None:
    bench = Bench()

    def dark() -> None:
        bench.traffic.fails = Unknown("Rate exceeded", "Throttling")
        bench.health.groups[SOURCE] = Unknown("Rate exceeded", "Throttling")

    bench.at_weight(50, dark, 6 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [e.cause for e in bench.events(ev.PhaseChanged) if e.cause] == ["no_data"]


def test_blindness_right_after_a_raise_does_not_wait_for_the_hold_deadline() -> None:
    bench = Bench()
    began: list[Moment] = []

    def dark() -> None:
        bench.traffic.fails = Unknown("Rate exceeded", "Throttling")
        began.append(bench.clock.at)

    bench.at_weight(50, dark)
    assert bench.run() == ExitCode.ROLLED_BACK
    back = next(at for at, e in bench.stamped(ev.PhaseChanged) if e.cause == "no_data")
    assert back.after(began[0]) < 20 * MINUTE


def test_hours_without_a_process_are_no_blindness_of_the_next_one() -> None:
    bench = Bench()
    dark = Unknown("Rate exceeded", "Throttling")
    bench.at_weight(50, lambda: setattr(bench.traffic, "fails", dark), 6 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 12 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    bench.clock.sleep(20 * HOUR)
    bench.clock.call_in(2 * MINUTE, lambda: setattr(bench.traffic, "fails", None))
    assert bench.run(CommandName.RESUME) == ExitCode.COMPLETED


def test_expired_credentials_hold_for_a_person_and_are_no_blindness() -> None:
    bench = Bench()
    expired = Unknown("the token is expired", "ExpiredToken", denied=True)

    def expire() -> None:
        bench.traffic.fails = expired
        bench.router.read_fails = lambda _route: expired

    def renew() -> None:
        bench.traffic.fails = None
        bench.router.read_fails = lambda _route: None

    bench.at_weight(50, expire, 6 * MINUTE)
    bench.at_weight(50, renew, 60 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 70 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["credentials"]


def test_credentials_that_expire_right_after_a_raise_hold_too() -> None:
    bench = Bench()
    expired = Unknown("the token is expired", "ExpiredToken", denied=True)

    def expire() -> None:
        bench.traffic.fails = expired
        bench.router.read_fails = lambda _route: expired

    on_event(bench, ev.Verified, 2, expire)
    bench.inbox.say_in(2 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[-1] == "credentials"
    assert bench.router.weights() == [0, 50]


def test_another_account_before_the_first_raise_holds() -> None:
    bench = Bench()
    bench.surveyor.who = Known(Identity("999999999999", "arn"), bench.clock.at)
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0]
    assert holds(bench) == ["credentials"]


@pytest.mark.parametrize(("denied", "hold"), [(True, "credentials"), (False, "unreadable")])
def test_a_caller_that_aws_does_not_name_holds(denied: bool, hold: str) -> None:
    bench = Bench()
    nobody = Unknown("no answer", denied=denied)
    bench.at_weight(50, lambda: setattr(bench.surveyor, "who", nobody), MINUTE)
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0, 50]
    assert holds(bench) == [hold]


def test_routes_that_can_not_be_read_when_the_bake_is_over_hold_in_the_end() -> None:
    bench = Bench()
    blind = Unknown("Rate exceeded", "Throttling")
    bench.at_weight(50, lambda: setattr(bench.router, "read_fails", lambda _r: blind), 8 * MINUTE)
    bench.inbox.say_in(2 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "unreadable"
    assert bench.router.weights() == [0, 50]


def test_a_source_whose_health_stays_unknown_holds_in_the_end() -> None:
    bench = Bench()
    bench.at_weight(
        50, lambda: bench.health.groups.update({SOURCE: Unknown("denied")}), 3 * MINUTE
    )
    bench.inbox.say_in(2 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "reserve"
    assert bench.router.weights() == [0, 50]


def test_a_source_that_shrinks_between_the_evidence_and_the_write_stops_the_write() -> None:
    bench = Bench()

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.PhaseChanged) and event.after == "SHIFTING" and event.step == 1:
            bench.health.groups[SOURCE] = GroupHealth(3, 6)

    bench.journal.killed_at = watch
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0, 50]
    assert holds(bench)[0] == "reserve"


def test_a_window_that_begins_while_a_raise_is_tried_again_stops_it() -> None:
    slow = {
        "poll": "60s"
    }  # every look at the same second, so that the raise comes well before a full minute
    probe = Bench(plan_of(observe=slow))
    probe.run()
    minute = raised_at(probe, 500).wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
    window = {"not": f"{minute:%H:%M}-11:00", "zone": "UTC"}
    bench = Bench(plan_of(observe=slow, windows=[window]))
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("throttle", times=6)))
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["window"]
    inside = [at for at, _ in bench.stamped(ev.Intent) if minute <= at.wall and at.wall.hour < 11]
    assert inside == []
    assert len([one for one in bench.events(ev.Intent) if one.weight == 500]) == 7
    assert bench.phases()[bench.phases().index("HOLDING") + 1] == "SETTLING"


def test_a_breach_while_a_raise_is_tried_again_goes_back_at_once() -> None:
    bench = Bench(plan_of(gates=[{"errors": {"max": "1%"}}, {"alarm": {"name": "slo"}}]))
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("throttle", times=6)))
    on_event(bench, ev.Outcome, 4, lambda: bench.alarms.states.update(slo=AlarmState.ALARM))
    assert bench.run() == ExitCode.ROLLED_BACK
    assert 500 not in bench.router.weights()
    assert holds(bench) == []


def test_a_step_on_only_some_routes_is_not_taken_back_to_an_empty_source() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    stuck = bench.plan.routes[1].id
    bench.at_weight(
        50, lambda: bench.router.faults.append(WriteFault("throttle", times=99, route=stuck))
    )
    bench.at_weight(500, lambda: bench.health.groups.update({SOURCE: EMPTY}), 1)
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "not_written"
    assert not [e for e in bench.events(ev.Intent) if e.kind == "restore"]


def test_a_bake_that_waits_for_requests_holds_and_goes_on_when_they_come() -> None:
    bench = Bench(plan_of(gates=[{"errors": {"max": "1%", "min_requests": 100}}]))
    bench.traffic.per_minute = 40
    bench.at_weight(50, lambda: setattr(bench.traffic, "per_minute", 20_000), 60 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["evidence"]


# --- the observed share


def test_no_request_where_twenty_were_due_is_never_the_split_in_effect() -> None:
    steps = [{"weight": 1, "bake": "10m"}, {"weight": 50, "bake": "10m"}]
    bench = Bench(plan_of(steps=steps, safety={"on_hold_timeout": "hold"}))
    bench.traffic.per_minute = 2_100
    bench.traffic.share_of = lambda weight: 0.0
    bench.inbox.say_in(15 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert "BAKING" not in bench.phases()


def test_requests_that_could_not_be_read_are_not_taken_for_none() -> None:
    bench = Bench()
    on_event(
        bench,
        ev.Verified,
        4,
        lambda: bench.traffic.extra.update({"source.requests": Absent.UNKNOWN}),
    )
    bench.inbox.say_in(70 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() in (ExitCode.TERMINATED, ExitCode.ROLLED_BACK)
    assert bench.phases().count("BAKING") == 2
    assert 1000 in bench.router.weights()


def test_a_share_is_not_asked_of_sticky_groups_left_rules_and_too_few_requests() -> None:
    sticky = Bench(found=config(0, attached=False, sticky=True))
    left = Bench(plan_of(leave=[{"rule": RULE.replace("9683", "1111"), "why": "moves next week"}]))
    quiet = Bench()
    quiet.traffic.per_minute = 30
    for bench, why in ((sticky, "sticky"), (left, "leave"), (quiet, "only")):
        bench.inbox.say_in(25 * MINUTE, CommandName.INTERRUPT, signal=15)
        bench.run()
        effective = bench.events(ev.WeightObserved)[0]
        assert why in effective.why
        assert set(effective.shares.values()) == {-1}


def test_a_share_seen_only_over_several_minutes_is_pooled() -> None:
    bench = Bench()
    bench.traffic.per_minute = 180
    bench.inbox.say_in(25 * MINUTE, CommandName.INTERRUPT, signal=15)
    bench.run()
    assert "observed" in bench.events(ev.WeightObserved)[0].why
