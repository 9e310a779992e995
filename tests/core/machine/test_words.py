"""Words, signals, crashes: what people and dying processes do to a run."""

from __future__ import annotations

import pytest

from cutover.core import events as ev
from cutover.core.errors import ExitCode
from cutover.core.forms import form_of
from cutover.core.observation import Unknown, WordName
from cutover.core.state import Phase, replay
from cutover.core.values import HOUR, MINUTE
from tests.fakes import TWO_ROUTES, Bench, Killed, WriteFault, form, plan_of


def test_pause_holds_and_resume_bakes_afresh() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.PAUSE), 8 * MINUTE)
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.RESUME), 20 * MINUTE)
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
    resumed = next(at for at, word in bench.stamped(ev.WordSaid) if word.word == "resume")
    assert raised.after(resumed) >= 10 * MINUTE


def test_a_breach_while_paused_still_rolls_back() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.PAUSE), 6 * MINUTE)
    bench.at_weight(50, lambda: setattr(bench.traffic, "destination_errors", 0.3), 10 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK


@pytest.mark.parametrize("minutes", [3, 12, 14, 25, 38])
def test_rollback_works_at_any_time_after_the_attach(minutes: int) -> None:
    bench = Bench()
    bench.mailbox.say_in(minutes * MINUTE, WordName.ROLLBACK, "front page looks wrong")
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.router.forms[bench.plan.routes[0].id] == form(0, attached=False)


def test_rollback_before_anything_was_written_refuses_with_no_write() -> None:
    bench = Bench()
    bench.mailbox.say_in(1, WordName.ROLLBACK)
    assert bench.run() == ExitCode.REFUSED
    assert bench.router.writes == []


@pytest.mark.parametrize(("signal", "code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_holds_journals_and_ends_with_its_code(signal: int, code: int) -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.INTERRUPT, signal=signal), 5 * MINUTE)
    assert bench.run() == code
    assert bench.state.phase is Phase.HOLDING
    assert bench.events(ev.Close)[-1].exit_code == code


def test_on_interrupt_rollback_goes_back_instead() -> None:
    bench = Bench(plan_of(safety={"on_interrupt": "rollback"}))
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.INTERRUPT, signal=2), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK


def test_a_rollback_refuses_two_signals_and_ends_at_the_third() -> None:
    bench = Bench()
    bench.mailbox.say_in(30 * MINUTE, WordName.ROLLBACK)
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("throttle", times=999)))
    for minute in (31, 32, 33):
        bench.mailbox.say_in(minute * MINUTE, WordName.INTERRUPT, signal=2)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert len([n for n in bench.events(ev.Note) if "refused" in n.text]) == 2


def test_a_run_resumed_after_an_interrupt_completes() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.INTERRUPT, signal=2), 5 * MINUTE)
    assert bench.run() == 130
    bench.clock.forward(bench.clock.at.plus(20 * HOUR))
    assert bench.run(WordName.RESUME) == ExitCode.COMPLETED
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
    bench.mailbox.say_in(2 * HOUR, WordName.INTERRUPT, signal=15)
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
    assert bench.run(WordName.RESUME) == ExitCode.COMPLETED
    assert bench.router.weights() == [0, 50, 500, 1000]


def test_a_crash_with_only_some_routes_written_lowers_them_first() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    first = bench.plan.routes[0].id
    calls = [0]

    def kill(where: str) -> None:
        calls[0] += where == "before write"
        if calls[0] == 3 and where == "before write":
            aimed = [i for i in bench.events(ev.Intent) if i.route == first][-1]
            bench.router.forms[first] = form_of(aimed.post)
            raise Killed

    bench.router.killed_at = kill
    with pytest.raises(Killed):
        bench.run()
    assert bench.run(WordName.RESUME) == ExitCode.COMPLETED
    after = [
        (r.event.kind, r.event.weight)
        for r in bench.journal.records
        if isinstance(r.event, ev.Intent)
    ]
    assert after[6] == ("move", 50)
    assert bench.router.weights()[-1] == 1000


def test_rollback_after_a_crash_restores_the_snapshot() -> None:
    bench = Bench()
    _kill_at_append(bench, ev.Outcome, 3)
    with pytest.raises(Killed):
        bench.run()
    assert bench.run(WordName.ROLLBACK) == ExitCode.ROLLED_BACK
    assert bench.router.forms[bench.plan.routes[0].id] == form(0, attached=False)


def test_a_crash_in_a_rollback_goes_on_rolling_back_without_questions() -> None:
    bench = Bench()
    bench.mailbox.say_in(30 * MINUTE, WordName.ROLLBACK)

    def kill(event: ev.Event) -> None:
        if isinstance(event, ev.Intent) and event.kind == "restore":
            raise Killed

    bench.journal.killed_at = kill
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    assert bench.run(WordName.RESUME) == ExitCode.ROLLED_BACK
    assert bench.router.forms[bench.plan.routes[0].id] == form(0, attached=False)


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
        code = bench.run(WordName.RESUME)
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
    assert bench.run(WordName.ROLLBACK) == ExitCode.ROLLED_BACK
    assert len(bench.router.writes) == before + 1


def test_finish_ends_a_completed_run_for_good() -> None:
    bench = Bench()
    bench.run()
    assert bench.run(WordName.FINISH) == ExitCode.COMPLETED
    assert bench.state.phase is Phase.FINISHED


def test_finish_can_leave_the_destination_alone() -> None:
    bench = Bench()
    bench.run()
    assert bench.finish_detached() == ExitCode.COMPLETED
    assert bench.state.phase is Phase.FINISHED
    assert not bench.router.forms[bench.plan.routes[0].id].source_present


def test_finish_refuses_drift() -> None:
    bench = Bench()
    bench.run()
    bench.router.forms[bench.plan.routes[0].id] = form(300, tag="other")
    assert bench.run(WordName.FINISH) == ExitCode.REFUSED
    assert bench.state.phase is Phase.COMPLETED


def test_routes_whose_groups_are_gone_need_a_human_and_the_others_are_restored() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    gone = bench.plan.routes[1].id
    bench.at_weight(
        500,
        lambda: bench.router.forms.update({gone: form(None, attached=False, source=False)}),
        5 * MINUTE,
    )
    bench.at_weight(500, lambda: bench.mailbox.say(WordName.ROLLBACK), 10 * MINUTE)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert bench.router.forms[bench.plan.routes[0].id] == form(0, attached=False)
    bench.router.forms[gone] = form(0, attached=False)
    assert bench.run(WordName.CONFIRM_RESTORED) == ExitCode.ROLLED_BACK


def test_a_foreign_form_is_rolled_back_by_weights_only() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.at_weight(
        500, lambda: bench.router.forms.update({route: form(500, tag="third")}), 5 * MINUTE
    )
    bench.at_weight(500, lambda: bench.mailbox.say(WordName.ROLLBACK), 10 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert '"tag": "third"' in bench.router.forms[route].text
    assert bench.router.forms[route].weight == 0


def test_a_rollback_goes_on_blind_when_the_routes_cannot_be_read() -> None:
    bench = Bench()
    bench.at_weight(500, lambda: bench.mailbox.say(WordName.ROLLBACK), 5 * MINUTE)
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
        500, lambda: bench.router.faults.append(WriteFault("throttle", times=60)), 5 * MINUTE
    )
    bench.at_weight(500, lambda: bench.mailbox.say(WordName.ROLLBACK), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert [o.what for o in bench.events(ev.Observed)].count("escalated") == 1


def test_leaving_a_held_run_as_it_is_abandons_it() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.PAUSE), 5 * MINUTE)
    bench.at_weight(
        50, lambda: bench.mailbox.say(WordName.LEAVE, "handed over to ops"), 10 * MINUTE
    )
    assert bench.run() == ExitCode.COMPLETED
    assert bench.state.phase is Phase.ABANDONED
    assert bench.router.weights() == [0, 50]
