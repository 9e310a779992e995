"""Commands, signals, crashes: what people and dying processes do to a run."""

from __future__ import annotations

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import AlarmState, CommandName, GroupHealth, Unknown
from cutover.core.routing import config_of
from cutover.core.state import Hold, Phase, replay
from cutover.core.values import HOUR, MINUTE
from tests.fakes import SOURCE, TWO_ROUTES, Bench, Killed, WriteFault, config, plan_of
from tests.promises.from_bench import portion


def test_pause_holds_and_resume_bakes_afresh() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 8 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 20 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert bench.phases()[:7] == [
        "ATTACHING",
        "SHIFTING",
        "SETTLING",
        "BAKING",
        "HOLDING",
        "SETTLING",
        "BAKING",
    ]
    raised = next(at for at, intent in bench.stamped(ev.Intent) if intent.weight == 500)
    resumed = next(
        at for at, command in bench.stamped(ev.CommandGiven) if command.command == "resume"
    )
    assert raised.after(resumed) >= 10 * MINUTE


def test_two_commands_of_one_person_in_one_turn_are_journalled_each_with_its_id() -> None:
    bench = Bench()

    def twice() -> None:
        bench.inbox.say(CommandName.PAUSE, id="first")
        bench.inbox.say(CommandName.PAUSE, id="second")

    bench.at_weight(50, twice, 5 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 20 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert [command.id for command in bench.events(ev.CommandGiven)] == ["first", "second", ""]


def test_a_breach_while_paused_still_rolls_back() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 6 * MINUTE)
    bench.at_weight(50, lambda: setattr(bench.traffic, "destination_errors", 0.3), 10 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK


def test_a_breach_that_is_seen_in_the_very_look_in_which_a_resume_is_heard_goes_back() -> None:
    """The fresh bake after a resume would forget it."""
    bench = Bench(plan_of(gates=[{"errors": {"max": "1%"}}, {"alarm": {"name": "slo"}}]))
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)

    def both() -> None:
        bench.alarms.states["slo"] = AlarmState.ALARM
        bench.inbox.say(CommandName.RESUME)

    bench.at_weight(50, both, 10 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.phases()[-3:] == ["HOLDING", "ROLLING_BACK", "ROLLED_BACK"]
    assert bench.events(ev.PhaseChanged)[-2].cause == "breach"


@pytest.mark.parametrize("minutes", [3, 12, 14, 25, 38])
def test_rollback_works_at_any_time_after_the_attach(minutes: int) -> None:
    bench = Bench()
    bench.inbox.say_in(minutes * MINUTE, CommandName.ROLLBACK, "front page looks wrong")
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)


def test_rollback_before_anything_was_written_refuses_with_no_write() -> None:
    bench = Bench()
    bench.inbox.say_in(1, CommandName.ROLLBACK)
    assert bench.run() == ExitCode.REFUSED
    assert bench.router.writes == []


@pytest.mark.parametrize(("signal", "code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_holds_journals_and_ends_with_its_code(signal: int, code: int) -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=signal), 5 * MINUTE)
    assert bench.run() == code
    assert bench.state.phase is Phase.HOLDING
    assert bench.events(ev.Close)[-1].exit_code == code


def test_on_interrupt_rollback_goes_back_instead() -> None:
    bench = Bench(plan_of(safety={"on_interrupt": "rollback"}))
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK


def test_a_rollback_refuses_two_signals_and_ends_at_the_third() -> None:
    bench = Bench()
    bench.inbox.say_in(30 * MINUTE, CommandName.ROLLBACK)
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("throttle", times=999)))
    for minute in (31, 32, 33):
        bench.inbox.say_in(minute * MINUTE, CommandName.INTERRUPT, signal=2)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert len([n for n in bench.events(ev.Note) if "refused" in n.text]) == 2


def test_a_run_resumed_after_an_interrupt_completes() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 5 * MINUTE)
    assert bench.run() == 130
    bench.clock.forward(bench.clock.at.plus(20 * HOUR))
    assert bench.run(CommandName.RESUME) == ExitCode.COMPLETED
    assert bench.router.weights() == [0, 50, 500, 1000]


def _kill_at_append(bench: Bench, wanted: type, nth: int) -> None:
    seen = [0]

    def watch(event: ev.Event) -> None:
        if isinstance(event, wanted):
            seen[0] += 1
            if seen[0] == nth:
                raise Killed

    bench.journal.killed_at = watch


def test_a_crash_between_intent_and_write_never_goes_forward_by_itself() -> None:
    bench = Bench()
    _kill_at_append(bench, ev.Intent, 3)
    with pytest.raises(Killed):
        bench.run()
    assert bench.router.weights() == [0, 50]
    bench.inbox.say_in(2 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0, 50]
    assert next(e.hold for e in bench.events(ev.PhaseChanged) if e.hold) == "crashed"


def test_a_crash_after_the_write_is_adopted_and_baked_afresh() -> None:
    bench = Bench()
    _kill_at_append(bench, ev.Outcome, 3)
    with pytest.raises(Killed):
        bench.run()
    assert bench.router.weights() == [0, 50, 500]
    bench.clock.forward(bench.clock.at.plus(40 * MINUTE))
    assert bench.run(CommandName.RESUME) == ExitCode.COMPLETED
    assert bench.router.weights() == [0, 50, 500, 1000]


def test_a_crash_with_only_some_routes_written_goes_back_when_nobody_knows_of_the_others() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    first = bench.plan.routes[0].id
    calls = [0]

    def kill(where: str) -> None:
        calls[0] += where == "before write"
        if calls[0] == 3 and where == "before write":
            aimed = [i for i in bench.events(ev.Intent) if i.route == first][-1]
            bench.router.configs[first] = config_of(aimed.post)
            raise Killed

    bench.router.killed_at = kill
    with pytest.raises(Killed):
        bench.run()
    assert bench.run(CommandName.RESUME) == ExitCode.ROLLED_BACK
    assert bench.events(ev.PhaseChanged)[-2].cause == "partial"
    assert {portion(one) for one in bench.router.configs.values()} == {0}


def test_rollback_after_a_crash_restores_the_snapshot() -> None:
    bench = Bench()
    _kill_at_append(bench, ev.Outcome, 3)
    with pytest.raises(Killed):
        bench.run()
    assert bench.run(CommandName.ROLLBACK) == ExitCode.ROLLED_BACK
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)


def test_a_crash_in_a_rollback_goes_on_rolling_back_without_questions() -> None:
    bench = Bench()
    bench.inbox.say_in(30 * MINUTE, CommandName.ROLLBACK)

    def kill(event: ev.Event) -> None:
        if isinstance(event, ev.Intent) and event.kind == "restore":
            raise Killed

    bench.journal.killed_at = kill
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    assert bench.run(CommandName.RESUME) == ExitCode.ROLLED_BACK
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)


def test_the_run_converges_from_a_crash_at_every_record() -> None:
    clean = Bench()
    clean.run()
    total = len(clean.journal.records)
    for nth in [*range(3, 60), *range(60, total, 17)]:
        bench = Bench()
        seen = [0]

        def watch(_event: ev.Event, seen: list[int] = seen, nth: int = nth) -> None:
            seen[0] += 1
            if seen[0] == nth:
                raise Killed

        bench.journal.killed_at = watch
        with pytest.raises(Killed):
            bench.run()
        code = bench.run(CommandName.RESUME)
        written = bench.router.weights()
        if bench.state.phase is Phase.REFUSED:
            assert written == []
        else:
            assert (nth, code) == (nth, ExitCode.COMPLETED)
            assert written[-1] == 1000
        assert replay(bench.plan, bench.journal.records) == bench.state


def test_exit_on_hold_ends_with_held() -> None:
    bench = Bench(
        plan_of(
            steps=[{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m", "approve": "ok?"}]
        )
    )
    assert bench.run(exit_on_hold=True) == ExitCode.HELD
    assert bench.state.phase is Phase.HOLDING


def test_a_completed_run_can_still_be_rolled_back_in_one_call() -> None:
    bench = Bench()
    assert bench.run() == ExitCode.COMPLETED
    before = len(bench.router.writes)
    assert bench.run(CommandName.ROLLBACK) == ExitCode.ROLLED_BACK
    assert len(bench.router.writes) == before + 1


def test_finish_ends_a_completed_run_for_good() -> None:
    bench = Bench()
    bench.run()
    assert bench.run(CommandName.FINISH) == ExitCode.COMPLETED
    assert bench.state.phase is Phase.FINISHED


def test_finish_can_leave_the_destination_alone() -> None:
    bench = Bench()
    bench.run()
    assert bench.finish_detached() == ExitCode.COMPLETED
    assert bench.state.phase is Phase.FINISHED
    assert not bench.router.configs[bench.plan.routes[0].id].source_present


def test_finish_refuses_drift() -> None:
    bench = Bench()
    bench.run()
    bench.router.configs[bench.plan.routes[0].id] = config(300, tag="other")
    assert bench.run(CommandName.FINISH) == ExitCode.REFUSED
    assert bench.state.phase is Phase.COMPLETED


def test_routes_whose_groups_are_gone_need_a_human_and_the_others_are_restored() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    gone = bench.plan.routes[1].id
    bench.at_weight(
        500,
        lambda: bench.router.configs.update({gone: config(None, attached=False, source=False)}),
        5 * MINUTE,
    )
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 10 * MINUTE)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)
    bench.router.configs[gone] = config(0, attached=False)
    assert bench.run(CommandName.CONFIRM_RESTORED) == ExitCode.ROLLED_BACK


def test_a_foreign_config_is_rolled_back_by_weights_only() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        500, lambda: bench.router.configs.update({route: config(500, tag="third")}), 5 * MINUTE
    )
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 10 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert '"tag": "third"' in bench.router.configs[route].text
    assert bench.router.configs[route].weight == 0


def test_a_rollback_goes_on_blind_when_the_routes_cannot_be_read() -> None:
    bench = Bench()
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    blind = Unknown("Rate exceeded", "Throttling")
    bench.at_weight(
        500, lambda: setattr(bench.router, "read_fails", lambda _r: blind), 5 * MINUTE - 1
    )
    bench.at_weight(500, lambda: setattr(bench.router, "read_fails", lambda _r: None), 6 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    restores = [i for i in bench.events(ev.Intent) if i.kind == "restore"]
    assert restores[0].pre == ""


def test_a_throttled_rollback_tries_for_ever_and_says_that_it_is_stuck() -> None:
    bench = Bench()
    bench.at_weight(
        500, lambda: bench.router.faults.append(WriteFault("throttle", times=200)), 5 * MINUTE
    )
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [o.what for o in bench.events(ev.Observed)].count("escalated") == 1


def test_leaving_a_held_run_as_it_is_abandons_it() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)
    bench.at_weight(
        50, lambda: bench.inbox.say(CommandName.LEAVE, "handed over to ops"), 10 * MINUTE
    )
    assert bench.run() == ExitCode.COMPLETED
    assert bench.state.phase is Phase.ABANDONED
    assert bench.router.weights() == [0, 50]


# --- several commands, early commands, commands that mean nothing now


def _say_at(bench: Bench, weight: int, delay_ms: int, *names: CommandName) -> None:
    """All these words in one turn."""

    def say() -> None:
        for name in names:
            bench.inbox.say(name, signal=2 if name is CommandName.INTERRUPT else 0)

    bench.at_weight(weight, say, delay_ms)


@pytest.mark.parametrize(
    "commands",
    [
        (CommandName.PAUSE, CommandName.ROLLBACK),
        (CommandName.RESUME, CommandName.ROLLBACK),
        (CommandName.INTERRUPT, CommandName.ROLLBACK),
        (CommandName.ROLLBACK, CommandName.PAUSE),
    ],
)
def test_rollback_is_heard_whatever_else_is_said_in_the_same_moment(
    commands: tuple[CommandName, ...],
) -> None:
    bench = Bench()
    _say_at(bench, 50, 8 * MINUTE, *commands)
    assert bench.run() == ExitCode.ROLLED_BACK


@pytest.mark.parametrize("late", [CommandName.ROLLBACK, CommandName.PAUSE])
def test_a_command_beside_the_resume_of_a_held_run_is_not_lost(late: CommandName) -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)
    _say_at(bench, 50, 10 * MINUTE, CommandName.RESUME, late)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 40 * MINUTE)
    code = bench.run()
    if late is CommandName.ROLLBACK:
        assert code == ExitCode.ROLLED_BACK
    else:
        assert code == ExitCode.INTERRUPTED
        assert bench.state.held is not None
        assert bench.state.held.reason is Hold.PAUSED
        assert bench.phases()[-1] == "HOLDING"


def test_a_signal_ends_the_process_whatever_is_said_beside_it() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)
    _say_at(bench, 50, 10 * MINUTE, CommandName.INTERRUPT, CommandName.RESUME)
    assert bench.run() == ExitCode.INTERRUPTED
    assert bench.router.weights() == [0, 50]


def test_leaving_a_run_ends_it_and_a_signal_beside_it_changes_nothing() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)
    _say_at(bench, 50, 10 * MINUTE, CommandName.LEAVE, CommandName.INTERRUPT)
    assert bench.run() == ExitCode.COMPLETED
    assert bench.state.phase is Phase.ABANDONED


def test_pause_said_during_the_checks_holds_before_anything_is_written() -> None:
    bench = Bench()
    bench.inbox.say_in(1, CommandName.PAUSE)
    bench.inbox.say_in(10 * MINUTE, CommandName.RESUME)
    assert bench.run() == ExitCode.COMPLETED
    assert bench.phases()[:3] == ["ATTACHING", "HOLDING", "ATTACHING"]
    first = next(at for at, _ in bench.stamped(ev.Intent))
    assert first.boot_ms >= 5_000_000 + 10 * MINUTE


def test_pause_and_resume_during_the_checks_cancel_out() -> None:
    bench = Bench()
    bench.inbox.say_in(1, CommandName.PAUSE)
    bench.inbox.say_in(2_000, CommandName.RESUME)
    bench.inbox.say_in(3_000, CommandName.APPROVE)
    assert bench.run() == ExitCode.COMPLETED
    assert "HOLDING" not in bench.phases()


def test_a_signal_during_the_checks_ends_with_its_code_and_writes_nothing() -> None:
    bench = Bench()
    bench.inbox.say_in(1, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.state.phase is Phase.REFUSED
    assert bench.router.writes == []


def test_pause_in_a_hold_that_would_clear_stays_until_resume() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.health.groups.update({SOURCE: GroupHealth(3, 6)}), MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 20 * MINUTE)
    bench.at_weight(
        50, lambda: bench.health.groups.update({SOURCE: GroupHealth(6, 6)}), 30 * MINUTE
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 40 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 60 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert [e.hold for e in bench.events(ev.PhaseChanged) if e.hold] == ["reserve", "paused"]


def test_an_approval_counts_only_while_the_run_asks_for_it() -> None:
    steps = [
        {"weight": 5, "bake": "10m"},
        {"weight": 50, "bake": "10m"},
        {"weight": 100, "bake": "10m", "approve": "load test ok?"},
    ]
    bench = Bench(plan_of(steps=steps))
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.APPROVE), 5 * MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.APPROVE), 5 * MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.APPROVE), 40 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert [w.detail for w in bench.events(ev.CommandGiven)] == ["-1", "-1", "2"]
    assert len([n for n in bench.events(ev.Note) if "approve" in n.text]) == 2
    assert [e.hold for e in bench.events(ev.PhaseChanged) if e.hold] == ["approval"]


@pytest.mark.parametrize(
    "command",
    [CommandName.FINISH, CommandName.LEAVE, CommandName.CONFIRM_RESTORED, CommandName.RESUME],
)
def test_a_command_that_means_nothing_now_is_answered_by_a_note(command: CommandName) -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(command), 6 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert [n.text for n in bench.events(ev.Note)] == [
        f"{command} changes nothing: the run is BAKING"
    ]


def test_a_command_to_a_completed_run_that_it_has_no_use_for_is_answered_by_a_note() -> None:
    bench = Bench()
    bench.run()
    assert bench.run(CommandName.PAUSE) == ExitCode.COMPLETED
    assert "changes nothing" in bench.events(ev.Note)[-1].text
    bench.inbox.say(CommandName.INTERRUPT, signal=2)
    runner = bench.start()
    assert runner.turn(bench.inbox.wait(bench.clock.at)) == ExitCode.INTERRUPTED
    assert runner.state.phase is Phase.COMPLETED


def test_resume_is_not_heard_while_the_routes_can_not_be_read() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 5 * MINUTE)
    assert bench.run() == ExitCode.INTERRUPTED
    bench.router.read_fails = lambda _route: Unknown("Rate exceeded", "Throttling")
    assert bench.run(CommandName.RESUME, exit_on_hold=True) == ExitCode.HELD
    assert "say it again" in bench.events(ev.Note)[-1].text
    bench.router.read_fails = lambda _route: None
    assert bench.run(CommandName.RESUME) == ExitCode.COMPLETED


def test_a_crash_before_the_snapshot_refuses_the_next_process() -> None:
    bench = Bench()
    _kill_at_append(bench, ev.Observed, 2)
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    assert bench.run(CommandName.RESUME) == ExitCode.REFUSED
    assert bench.router.writes == []


def test_a_crash_that_nobody_resumes_is_adopted_judged_and_taken_back_on_a_breach() -> None:
    bench = Bench()
    _kill_at_append(bench, ev.Outcome, 3)
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    bench.traffic.destination_errors = 0.3
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)


def test_pause_and_others_in_a_rollback_change_nothing_and_say_so() -> None:
    bench = Bench()
    bench.at_weight(
        50, lambda: bench.router.faults.append(WriteFault("throttle", times=8)), 5 * MINUTE
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE + 4_000)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.events(ev.Note)[-1].text == "pause changes nothing: the run is ROLLING_BACK"


def test_the_third_signal_of_a_restored_rollback_still_says_that_it_was_not_confirmed() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.ROLLBACK), 5 * MINUTE)
    for second in (10, 20, 30):
        bench.at_weight(
            50,
            lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2),
            5 * MINUTE + second * 1_000,
        )
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert bench.state.phase is Phase.ROLLING_BACK
    assert bench.run(CommandName.RESUME) == ExitCode.ROLLED_BACK
