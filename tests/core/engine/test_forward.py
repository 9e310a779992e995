"""Forward needs proof: the ordinary way up, and everything that stops it."""

from __future__ import annotations

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import AlarmState, CommandName, GroupHealth, Identity, Known, Unknown
from cutover.core.state import Phase
from cutover.core.values import HOUR, MINUTE, SECOND
from tests.fakes import DESTINATION, SOURCE, TWO_ROUTES, Bench, WriteFault, config, plan_of


def test_a_healthy_run_attaches_at_zero_climbs_every_step_and_completes() -> None:
    bench = Bench()
    assert bench.run() == ExitCode.COMPLETED
    assert bench.router.weights() == [0, 50, 500, 1000]
    assert bench.phases() == [
        "ATTACHING",
        *["SHIFTING", "SETTLING", "BAKING"] * 3,
        "COMPLETED",
    ]


def test_every_raise_is_preceded_by_a_pass_of_every_gate_in_the_journal() -> None:
    bench = Bench()
    bench.run()
    raising = [
        i
        for i, r in enumerate(bench.journal.records)
        if isinstance(r.event, ev.PhaseChanged)
        and r.event.before == "BAKING"
        and r.event.after == "SHIFTING"
    ]
    assert len(raising) == 2
    for index in raising:
        newest: dict[tuple[str, str], str] = {}
        for record in bench.journal.records[:index]:
            if isinstance(record.event, ev.GateJudged):
                newest[(record.event.gate, record.event.comparison)] = record.event.verdict
        assert set(newest.values()) == {"PASS"}


def test_an_intent_is_journalled_before_every_write() -> None:
    bench = Bench()
    bench.run()
    kinds = [r.event.type for r in bench.journal.records if r.event.type in ("intent", "outcome")]
    assert kinds == ["intent", "outcome"] * 4


def test_a_bake_is_covered_by_settled_minutes_that_began_after_the_raise() -> None:
    bench = Bench()
    bench.run()
    for at, raised in bench.stamped(ev.WeightObserved):
        committed = max(
            e.second_ms for when, e in bench.stamped(ev.Verified) if when.wall_ms < at.wall_ms
        )
        assert raised.from_ms > committed
        assert raised.from_ms % MINUTE == 0


def test_all_routes_move_in_one_write_and_one_step() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    assert bench.run() == ExitCode.COMPLETED
    times: dict[int | None, set[int]] = {}
    for at, _, written in bench.router.writes:
        times.setdefault(written.weight, set()).add(at)
    assert {weight: len(at) for weight, at in times.items()} == {0: 1, 50: 1, 500: 1, 1000: 1}


def test_errors_on_the_destination_roll_back_to_the_snapshot_and_say_why() -> None:
    bench = Bench()
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.05))
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)
    rolled = [e for e in bench.events(ev.PhaseChanged) if e.after == "ROLLING_BACK"]
    assert len(rolled) == 1
    assert rolled[0].cause == "breach"
    assert "errors" in rolled[0].why


def test_no_raise_ever_follows_a_rollback() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: setattr(bench.traffic, "destination_errors", 0.2))
    bench.run()
    kinds = [i.kind for i in bench.events(ev.Intent)]
    assert kinds[-1] == "restore"
    assert "move" not in kinds[kinds.index("restore") :]


def test_rolled_back_is_claimed_only_after_two_equal_reads_and_one_more_a_confirm_later() -> None:
    bench = Bench()
    bench.inbox.say_in(30 * MINUTE, CommandName.ROLLBACK)
    assert bench.run() == ExitCode.ROLLED_BACK
    at, verified = bench.stamped(ev.Verified)[-1]
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    assert verified.second_ms - verified.first_ms >= 2 * SECOND
    assert ended.after(at) >= bench.plan.observe.confirm


def test_no_destination_datapoint_is_never_a_pass_and_goes_back_after_the_blind_budget() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: setattr(bench.traffic, "quiet_destination", True), 6 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert 500 not in bench.router.weights()
    assert bench.events(ev.PhaseChanged)[-2].cause in ("no_data", "breach")


@pytest.mark.parametrize(
    ("side", "said"),
    [
        ("destination", "no destination datapoint in the newest settled minute"),
        ("source", "no source datapoint in the newest settled minute"),
    ],
)
def test_nobody_raises_while_a_side_has_just_vanished(side: str, said: str) -> None:
    def took(bench: Bench) -> int:
        assert bench.run() == ExitCode.COMPLETED
        at = {int(one.weight or 0): at for at, _, one in reversed(bench.router.writes)}
        return at[500] - at[50]

    usual, bench = took(Bench()), Bench()
    traffic, quiet = bench.traffic, f"quiet_{side}"
    # for fewer minutes than the gates call unknown, just when the bake ends
    bench.at_weight(50, lambda: setattr(traffic, quiet, True), usual - 5 * MINUTE)
    bench.at_weight(50, lambda: setattr(traffic, quiet, False), usual - 2 * MINUTE)
    assert took(bench) > usual
    whys = [one.why for one in bench.events(ev.GateJudged) if one.gate == "minutes"]
    assert any(said in why for why in whys), whys


def test_nobody_raises_onto_a_destination_that_comes_and_goes() -> None:
    bench = Bench(plan_of(safety={"hold_timeout": "3h"}))
    traffic = bench.traffic
    for at in range(4, 60, 2):
        bench.at_weight(50, lambda: setattr(traffic, "quiet_destination", True), at * MINUTE)
        back = (at + 1) * MINUTE
        bench.at_weight(50, lambda: setattr(traffic, "quiet_destination", False), back)
    assert bench.run() == ExitCode.COMPLETED
    raised = next(at for at, _, one in bench.router.writes if int(one.weight or 0) == 500)
    first = next(at for at, _, one in bench.router.writes if int(one.weight or 0) == 50)
    assert raised - first > 60 * MINUTE
    held = next(one for one in bench.events(ev.PhaseChanged) if one.hold)
    assert "no destination datapoint" in held.why


def test_metrics_that_cannot_be_read_hold_and_never_raise() -> None:
    bench = Bench(plan_of(safety={"on_hold_timeout": "hold", "blind_budget": "40h"}))
    bench.at_weight(
        50, lambda: setattr(bench.traffic, "fails", Unknown("throttled", "Throttling")), 6 * MINUTE
    )
    bench.inbox.say_in(5 * HOUR, CommandName.ROLLBACK)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert 500 not in bench.router.weights()
    assert next(e.hold for e in bench.events(ev.PhaseChanged) if e.hold) == "no_data"


def test_metrics_that_come_back_bake_afresh_and_complete() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: setattr(bench.traffic, "fails", Unknown("throttled")), 6 * MINUTE)
    bench.at_weight(50, lambda: setattr(bench.traffic, "fails", None), 15 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert "HOLDING" in bench.phases()


def test_a_share_that_does_not_follow_the_weight_holds_and_never_bakes() -> None:
    bench = Bench()
    bench.traffic.share_of = lambda weight: 0.5 if weight == 50 else weight / 1000
    bench.inbox.say_in(2 * HOUR - 10 * MINUTE, CommandName.ROLLBACK)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert "BAKING" not in bench.phases()
    assert [e.hold for e in bench.events(ev.PhaseChanged) if e.hold] == ["share"]


def test_weights_that_take_effect_late_are_waited_for() -> None:
    bench = Bench()
    since: dict[int, int] = {}

    def late(weight: int) -> float:
        if weight not in since:
            since[weight] = bench.clock.at.boot_ms
        return weight / 1000 if bench.clock.at.boot_ms - since[weight] > 4 * MINUTE else 0.0

    bench.traffic.share_of = late
    assert bench.run() == ExitCode.COMPLETED
    assert "HOLDING" not in bench.phases()


def test_a_route_that_cannot_be_written_in_time_holds_and_nothing_moved() -> None:
    bench = Bench()
    bench.at_weight(0, lambda: bench.router.faults.append(WriteFault("throttle", times=99)))
    bench.inbox.say_in(2 * HOUR, CommandName.ROLLBACK)
    bench.at_weight(0, bench.router.faults.clear, 100 * MINUTE)
    bench.run()
    assert next(e.hold for e in bench.events(ev.PhaseChanged) if e.hold) == "not_written"


def test_a_throttled_write_is_tried_again_by_the_loop_alone() -> None:
    bench = Bench()
    bench.router.faults.append(WriteFault("throttle", times=3))
    assert bench.run() == ExitCode.COMPLETED
    attempts = [i.attempt for i in bench.events(ev.Intent) if i.weight == 0]
    assert attempts == [1, 2, 3, 4]


def test_a_step_that_reaches_only_some_routes_goes_back_as_a_whole() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    stuck = bench.plan.routes[1].id
    bench.at_weight(
        50, lambda: bench.router.faults.append(WriteFault("throttle", times=14, route=stuck))
    )
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [e.cause for e in bench.events(ev.PhaseChanged) if e.cause] == ["partial"]
    assert set(bench.router.configs.values()) == {config(0, attached=False)}


def test_a_lost_reply_is_settled_by_reading_and_never_sent_again() -> None:
    bench = Bench()
    bench.router.faults.append(WriteFault("lost"))
    assert bench.run() == ExitCode.COMPLETED
    assert bench.router.weights() == [0, 50, 500, 1000]
    assert "ambiguous" in [o.result for o in bench.events(ev.Outcome)]


def test_a_write_without_an_answer_is_read_for_and_sent_again_only_when_a_person_says_so() -> None:
    bench = Bench()
    bench.router.faults.append(WriteFault("timeout"))
    bench.inbox.say_in(20 * MINUTE, CommandName.RESUME)
    assert bench.run() == ExitCode.COMPLETED
    held = [(at, e) for at, e in bench.stamped(ev.PhaseChanged) if e.after == "HOLDING"]
    assert [e.hold for _, e in held] == ["not_written"]
    (first, _), (second, _) = bench.stamped(ev.Intent)[:2]
    assert [o.result for o in bench.events(ev.Outcome)][:2] == ["ambiguous", "applied"]
    assert second.after(held[0][0]) > 0
    assert held[0][0].after(first) >= MINUTE


def test_drift_is_held_and_never_overwritten() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    foreign = config(0, tag="terraform")
    bench.at_weight(50, lambda: bench.router.configs.update({route: foreign}), 5 * MINUTE)
    bench.inbox.say_in(4 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.configs[route] == foreign
    assert next(e.hold for e in bench.events(ev.PhaseChanged) if e.hold) == "drift"
    assert len(bench.events(ev.Drift)) == 1


def test_a_plain_resume_is_refused_while_the_config_is_foreign() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(50, tag="tf")}), 5 * MINUTE
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 9 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 12 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    assert any("resume refused" in note.text for note in bench.events(ev.Note))


def test_drift_with_our_weight_can_be_accepted_and_the_run_completes() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(50, tag="tf")}), 5 * MINUTE
    )
    bench.at_weight(
        50, lambda: bench.inbox.say(CommandName.ACCEPT_DRIFT, "third group, known"), 9 * MINUTE
    )
    assert bench.run() == ExitCode.COMPLETED
    assert '"tag": "tf"' in bench.router.configs[route].text


def test_a_step_that_needs_approval_waits_for_it() -> None:
    bench = Bench(
        plan_of(
            steps=[
                {"weight": 5, "bake": "10m"},
                {"weight": 100, "bake": "10m", "approve": "load test ok?"},
            ]
        )
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.APPROVE, "checked"), 40 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert [e.hold for e in bench.events(ev.PhaseChanged) if e.hold] == ["approval"]
    assert [w.detail for w in bench.events(ev.CommandGiven)] == ["1"]


def test_an_approval_hold_pages_again_at_its_deadline_and_never_rolls_back() -> None:
    bench = Bench(
        plan_of(
            steps=[{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m", "approve": "ok?"}]
        )
    )
    bench.inbox.say_in(10 * HOUR, CommandName.APPROVE)
    assert bench.run() == ExitCode.COMPLETED
    assert len([e for e in bench.events(ev.PhaseChanged) if e.hold == "approval"]) >= 4


def test_nothing_is_raised_inside_a_window_and_it_goes_on_when_the_window_ends() -> None:
    bench = Bench(plan_of(windows=[{"not": "09:20-12:00", "zone": "UTC"}]))
    assert bench.run() == ExitCode.COMPLETED
    raised = [r.at.wall for r in bench.journal.records if isinstance(r.event, ev.Intent)]
    assert not [at for at in raised if (at.hour, at.minute) >= (9, 20) and at.hour < 12]
    assert "window" in [e.hold for e in bench.events(ev.PhaseChanged)]


def test_a_breach_inside_a_window_rolls_back_at_once() -> None:
    bench = Bench(plan_of(windows=[{"not": "09:20-20:00", "zone": "UTC"}]))
    bench.at_weight(50, lambda: setattr(bench.traffic, "destination_errors", 0.3), 15 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.clock.at.wall.hour < 11


def test_a_source_below_its_reserve_stops_the_raise_until_it_is_back() -> None:
    bench = Bench()
    bench.at_weight(
        50, lambda: bench.health.groups.update({SOURCE: GroupHealth(3, 6)}), 2 * MINUTE
    )
    bench.at_weight(
        50, lambda: bench.health.groups.update({SOURCE: GroupHealth(6, 6)}), 60 * MINUTE
    )
    assert bench.run() == ExitCode.COMPLETED
    assert [e.hold for e in bench.events(ev.PhaseChanged) if e.hold] == ["reserve"]


def test_a_breach_with_no_healthy_source_needs_a_human_and_writes_nothing() -> None:
    bench = Bench()
    bench.at_weight(
        500, lambda: bench.health.groups.update({SOURCE: GroupHealth(0, 0)}), 5 * MINUTE
    )
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.2), 6 * MINUTE)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert bench.router.weights()[-1] == 500
    assert bench.state.phase is Phase.NEEDS_HUMAN


def test_a_breach_rolls_back_though_the_source_health_is_unknown() -> None:
    bench = Bench()
    bench.at_weight(
        500, lambda: bench.health.groups.update({SOURCE: Unknown("denied")}), 3 * MINUTE
    )
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.2), 3 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK


def test_a_destination_that_never_becomes_healthy_gets_no_request() -> None:
    bench = Bench()
    bench.health.groups[DESTINATION] = GroupHealth(0, 6, {}, {"unhealthy/Target.Timeout": 6})
    assert bench.run() == ExitCode.ROLLED_BACK
    assert set(bench.router.weights()) == {0}
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)


def test_a_destination_that_becomes_healthy_late_is_waited_for() -> None:
    bench = Bench()
    bench.health.groups[DESTINATION] = GroupHealth(
        0, 6, {}, {"initial/Elb.InitialHealthChecking": 6}
    )
    bench.clock.call_in(
        4 * MINUTE, lambda: bench.health.groups.update({DESTINATION: GroupHealth(6, 6, {"a": 6})})
    )
    assert bench.run() == ExitCode.COMPLETED


def test_credentials_that_end_soon_stop_the_next_raise() -> None:
    bench = Bench()
    ends = bench.clock.at.plus(25 * MINUTE).wall_ms
    bench.surveyor.who = Known(
        Identity("123456789012", "arn", ends, refreshes=False), bench.clock.at
    )
    bench.inbox.say_in(3 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0, 50]
    assert next(e.hold for e in bench.events(ev.PhaseChanged) if e.hold) == "credentials"


def test_a_denied_write_holds_at_once_and_says_so() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("denied", times=99)))
    bench.inbox.say_in(3 * HOUR, CommandName.INTERRUPT, signal=15)
    bench.run()
    held = [e for e in bench.events(ev.PhaseChanged) if e.hold]
    assert held[0].hold == "credentials"
    assert "AccessDenied" in held[0].why


def test_an_alarm_that_fires_rolls_back_within_one_poll() -> None:
    bench = Bench(plan_of(gates=[{"errors": {"max": "1%"}}, {"alarm": {"name": "slo"}}]))
    fired: list[int] = []

    def fire() -> None:
        bench.alarms.states["slo"] = AlarmState.ALARM
        fired.append(bench.clock.at.boot_ms)

    bench.at_weight(500, fire, 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    restored = next(
        r
        for r in bench.journal.records
        if isinstance(r.event, ev.Intent) and r.event.kind == "restore"
    )
    assert restored.at.boot_ms - fired[0] <= bench.plan.observe.poll + 1


def test_a_gate_that_holds_keeps_the_weight_and_needs_a_person() -> None:
    bench = Bench(
        plan_of(gates=[{"errors": {"max": "1%"}}, {"alarm": {"name": "slo", "on_breach": "hold"}}])
    )
    bench.at_weight(50, lambda: bench.alarms.states.update(slo=AlarmState.ALARM), 5 * MINUTE)
    bench.at_weight(50, lambda: bench.alarms.states.update(slo=AlarmState.OK), 30 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 60 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert [e.hold for e in bench.events(ev.PhaseChanged) if e.hold] == ["gate"]


def test_a_gap_in_time_discards_the_evidence_for_the_destination() -> None:
    bench = Bench()

    def sleep_through() -> None:
        at = bench.clock.at
        bench.clock.at = type(at)(at.wall + (at.wall - at.wall), at.boot_ms + 90_000, at.boot_id)

    bench.at_weight(50, sleep_through, 8 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert len(bench.events(ev.Gap)) == 1
    first = next(
        r.at
        for r in bench.journal.records
        if isinstance(r.event, ev.PhaseChanged) and r.event.after == "BAKING"
    )
    second = next(
        r.at
        for r in bench.journal.records
        if isinstance(r.event, ev.PhaseChanged) and r.event.step == 1
    )
    assert second.after(first) > 16 * MINUTE


@pytest.mark.parametrize("doubt", ["journal", "lease"])
def test_a_journal_or_lease_in_doubt_stops_every_raise(doubt: str) -> None:
    bench = Bench()

    def break_it() -> None:
        if doubt == "journal":
            bench.journal.fails = Unknown("no space left on device", "disk_full")
        else:
            bench.lease.doubt = Unknown("cannot be proven")

    bench.at_weight(50, break_it, 5 * MINUTE)
    bench.inbox.say_in(3 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0, 50]
    assert bench.state.phase is Phase.HOLDING


def test_a_full_disk_never_stops_a_rollback() -> None:
    bench = Bench()
    bench.at_weight(
        500,
        lambda: setattr(bench.journal, "fails", Unknown("no space left", "disk_full")),
        5 * MINUTE,
    )
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.3), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)
    assert any(isinstance(r.event, ev.Intent) for r in bench.journal.fallback)


def test_a_first_write_that_is_denied_refuses_with_the_credentials_code() -> None:
    bench = Bench()
    bench.router.faults.append(WriteFault("denied", times=99))
    assert bench.run() == ExitCode.CREDENTIALS
    assert bench.state.phase is Phase.REFUSED
    assert bench.router.writes == []
