"""Bad, and nobody to compare with: the run holds and asks a person, with a short deadline of its own."""

from __future__ import annotations

import pytest

from cutover.core.engine.evaluate import GateResult, worst
from cutover.core.errors import ExitCode
from cutover.core.gates.api import Judgement, Verdict
from cutover.core.journal import events as ev
from cutover.core.messages import after_deadline
from cutover.core.observation import CommandName, GroupHealth
from cutover.core.state import Hold
from cutover.core.values import HOUR, MINUTE, SECOND
from tests.core.engine.asking import (
    ASK,
    PROVEN,
    SHARED,
    WAITS,
    Told,
    bench_of,
    held_at,
    holds,
    went_back,
)
from tests.fakes import SOURCE, Bench, Killed

LATER = 5 * MINUTE
"""Everything here begins so late that our own raise is not suspected; the minutes below do not count these."""

ANSWER = 20 * MINUTE
"""How long a person has by default."""

HOLD_SAFETY = {"on_hold_timeout": "hold"}
TO_SHARED = {"on_shared_after_raise": "hold"}


def asked(**changes: object) -> tuple[Bench, Told]:
    """A run whose destination turns bad in the bake at 100 %, with nobody to compare with."""
    bench, gate = bench_of(**changes)
    at_hundred(bench, gate, ASK, 5 * MINUTE)
    return bench, gate


def at_hundred(bench: Bench, gate: Told, says: Judgement | None, ms: int) -> None:
    """What the gate says from so long after the raise to 100 % on."""
    bench.at_weight(1000, lambda: setattr(gate, "says", says), LATER + ms)


def say_at_hundred(bench: Bench, command: CommandName, ms: int) -> None:
    """A person's command so long after the raise to 100 %."""
    bench.at_weight(1000, lambda: bench.inbox.say(command), LATER + ms)


def deadlines(bench: Bench) -> list[str]:
    """Of every hold, in order."""
    return [event.deadline for event in bench.events(ev.PhaseChanged) if event.hold]


# --- it asks, and what happens when nobody answers


def test_it_holds_for_a_reason_of_its_own_and_says_why() -> None:
    bench, _ = asked()
    bench.run()
    first = next(event for event in bench.events(ev.PhaseChanged) if event.hold)
    assert first.hold == "no_control"
    assert first.why == f"errors on {bench.plan.comparisons[0].id}: {ASK.why}"


def test_nobody_answers_and_it_goes_back_after_twenty_minutes_without_renewing_its_deadline() -> (
    None
):
    bench, _ = asked()
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["no_control"]
    began, back = went_back(bench)
    assert 0 <= began - (held_at(bench) + ANSWER) <= bench.plan.observe.poll
    assert back.cause == "deadline"
    assert back.why.startswith("nobody answered within 20m: errors")


def test_the_plan_says_how_long_a_person_has_to_answer() -> None:
    bench, _ = asked(safety={"ask_timeout": "4m"})
    assert bench.run() == ExitCode.ROLLED_BACK
    assert 0 <= went_back(bench)[0] - (held_at(bench) + 4 * MINUTE) <= bench.plan.observe.poll


def test_a_plan_that_holds_at_deadlines_asks_again_and_again_and_never_goes_back() -> None:
    bench, _ = asked(safety=HOLD_SAFETY)
    say_at_hundred(bench, CommandName.ROLLBACK, 70 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[1].cause == "command"
    assert holds(bench) == ["no_control"] * 4
    assert held_at(bench, 1) - held_at(bench) == pytest.approx(ANSWER, abs=15 * SECOND)
    assert after_deadline(bench.plan, Hold.NO_CONTROL) == "this is said again"


def test_a_source_that_could_not_take_the_traffic_is_not_gone_back_to_at_the_deadline() -> None:
    bench, _ = asked()
    bench.at_weight(
        1000, lambda: bench.health.groups.update({SOURCE: GroupHealth(2, 6)}), HOUR // 6
    )
    bench.at_weight(1000, lambda: bench.health.groups.update({SOURCE: GroupHealth(6, 6)}), HOUR)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[0] - held_at(bench) >= 50 * MINUTE
    assert "not rolled back at the deadline" in bench.events(ev.PhaseChanged)[-3].why


def test_a_process_that_ends_on_holds_ends_with_this_one_too() -> None:
    bench, _ = asked()
    assert bench.run(exit_on_hold=True) == ExitCode.HELD


# --- right after our own raise


def test_what_begins_right_after_our_own_raise_is_put_down_to_it_and_goes_back_at_once() -> None:
    bench, gate = bench_of()
    bench.at_weight(1000, lambda: setattr(gate, "says", ASK), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == []
    assert went_back(bench)[1].cause == "breach"
    assert went_back(bench)[1].why.endswith("it began right after the raise")


def test_a_plan_that_does_not_suspect_its_raises_asks_then_too() -> None:
    bench, gate = bench_of(safety=TO_SHARED)
    bench.at_weight(1000, lambda: setattr(gate, "says", ASK), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["no_control"]


def test_a_gate_that_only_holds_does_so_right_after_a_raise_too() -> None:
    bench, gate = bench_of(
        gates=[{"errors": {"max": "1%", "on_breach": "hold"}}, {"healthy": {"min": 2}}]
    )
    bench.at_weight(1000, lambda: setattr(gate, "says", ASK), 5 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["gate"]


# --- while it waits, the gates go on judging


def test_a_breach_that_the_source_is_shown_not_to_share_goes_back_at_once() -> None:
    bench, gate = asked()
    at_hundred(bench, gate, PROVEN, 9 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[1].cause == "breach"
    assert went_back(bench)[0] - held_at(bench) < 5 * MINUTE


def test_a_destination_that_is_well_again_goes_on_by_itself_and_bakes_afresh() -> None:
    bench, gate = asked()
    at_hundred(bench, gate, None, 14 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["no_control"]
    well = next(at for at, event in bench.stamped(ev.PhaseChanged) if event.before == "HOLDING")
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    assert ended.after(well) >= 10 * MINUTE


def test_too_few_requests_to_tell_are_no_breach_either() -> None:
    bench, gate = asked()
    at_hundred(bench, gate, WAITS, 9 * MINUTE)
    at_hundred(bench, gate, None, 12 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["no_control"]


def test_a_source_that_is_seen_to_be_bad_too_makes_it_a_shared_incident() -> None:
    bench, gate = asked(safety=TO_SHARED)
    at_hundred(bench, gate, SHARED, 12 * MINUTE)
    at_hundred(bench, gate, None, HOUR)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["no_control", "shared"]


def test_a_shared_incident_whose_source_runs_dry_asks() -> None:
    bench, gate = bench_of(safety=TO_SHARED)
    at_hundred(bench, gate, SHARED, 5 * MINUTE)
    at_hundred(bench, gate, ASK, 30 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["shared", "no_control"]
    assert went_back(bench)[0] - held_at(bench, 1) == pytest.approx(ANSWER, abs=15 * SECOND)


def test_two_holds_that_take_turns_in_one_incident_end_by_the_deadline_of_the_first() -> None:
    bench, gate = bench_of(safety=TO_SHARED)
    for turn in range(40):
        at_hundred(bench, gate, (ASK, SHARED)[turn % 2], (5 + 10 * turn) * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert set(holds(bench)) == {"no_control", "shared"}
    assert 0 <= went_back(bench)[0] - (held_at(bench) + 2 * HOUR) <= bench.plan.observe.poll


# --- what a person may say


def test_a_person_may_take_it_back_at_once() -> None:
    bench, _ = asked()
    say_at_hundred(bench, CommandName.ROLLBACK, 8 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[1].cause == "command"


def test_resume_while_it_stands_asks_once_more_with_a_new_deadline_and_does_not_loop() -> None:
    bench, _ = asked()
    say_at_hundred(bench, CommandName.RESUME, 12 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["no_control", "no_control"]
    assert held_at(bench, 1) - held_at(bench) >= 5 * MINUTE
    assert went_back(bench)[0] - held_at(bench, 1) == pytest.approx(ANSWER, abs=15 * SECOND)
    assert "COMPLETED" not in bench.phases()


def test_resume_after_it_is_over_bakes_afresh_and_completes() -> None:
    bench, gate = asked()
    say_at_hundred(bench, CommandName.PAUSE, 10 * MINUTE)
    at_hundred(bench, gate, None, 30 * MINUTE)
    say_at_hundred(bench, CommandName.RESUME, HOUR)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["no_control", "paused"]


def test_a_person_who_says_pause_answers_for_it_and_nothing_expires() -> None:
    bench, _ = asked()
    say_at_hundred(bench, CommandName.PAUSE, 10 * MINUTE)
    say_at_hundred(bench, CommandName.ROLLBACK, 90 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["no_control", "paused"]
    assert went_back(bench)[1].cause == "command"


def test_a_person_who_answered_for_it_does_not_answer_for_a_proven_breach() -> None:
    bench, gate = asked()
    say_at_hundred(bench, CommandName.PAUSE, 10 * MINUTE)
    at_hundred(bench, gate, PROVEN, 30 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[1].cause == "breach"


def test_a_pause_that_was_said_before_is_no_answer() -> None:
    bench, gate = bench_of()
    say_at_hundred(bench, CommandName.PAUSE, 5 * MINUTE)
    at_hundred(bench, gate, ASK, 30 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["paused"]
    began, back = went_back(bench)
    assert back.cause == "deadline"
    assert began - held_at(bench) == pytest.approx(45 * MINUTE, abs=MINUTE)
    notes = [note.text for note in bench.events(ev.Note)]
    assert notes == [
        f"errors on {bench.plan.comparisons[0].id}: {ASK.why}; this hold needs an answer, or it rolls back after 20m"
    ]


def test_a_pause_whose_deadline_paged_again_is_no_answer_either() -> None:
    bench, gate = bench_of(safety={"hold_timeout": "30m"})
    say_at_hundred(bench, CommandName.PAUSE, 5 * MINUTE)
    at_hundred(bench, gate, ASK, 25 * MINUTE)
    say_at_hundred(bench, CommandName.ROLLBACK, 5 * HOUR)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["paused", "paused"]
    began, back = went_back(bench)
    assert back.cause == "deadline"
    assert began - held_at(bench) == pytest.approx(40 * MINUTE, abs=MINUTE)


# --- crashes and other holds


def test_a_process_that_died_while_asking_waits_for_a_person_who_is_asked_again() -> None:
    bench, _ = asked()

    def die(event: ev.Event) -> None:
        if isinstance(event, ev.PhaseChanged) and event.hold == "no_control":
            raise Killed

    bench.journal.killed_at = die
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    bench.clock.forward(bench.clock.at.plus(5 * MINUTE))
    assert bench.run(CommandName.RESUME) == ExitCode.ROLLED_BACK
    assert holds(bench) == ["no_control", "crashed", "no_control"]
    assert went_back(bench)[0] - held_at(bench, 2) == pytest.approx(ANSWER, abs=15 * SECOND)


def test_a_run_that_nobody_resumes_after_a_crash_goes_back_from_a_destination_that_is_bad() -> (
    None
):
    bench, gate = bench_of()

    def die(event: ev.Event) -> None:
        if isinstance(event, ev.PhaseChanged) and (event.after, event.step) == ("BAKING", 2):
            raise Killed

    bench.journal.killed_at = die
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    bench.clock.forward(bench.clock.at.plus(2 * LATER))
    gate.says = ASK
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["crashed"]
    began, back = went_back(bench)
    assert back.cause == "deadline"
    assert began - held_at(bench) == pytest.approx(ANSWER, abs=MINUTE)


@pytest.mark.parametrize("short", [False, True])
def test_a_pause_said_before_is_kept_where_the_plan_or_the_source_forbids_going_back(
    short: bool,
) -> None:
    bench, gate = bench_of(**({} if short else {"safety": HOLD_SAFETY}))
    say_at_hundred(bench, CommandName.PAUSE, 5 * MINUTE)
    at_hundred(bench, gate, ASK, 30 * MINUTE)
    if short:
        bench.at_weight(
            1000, lambda: bench.health.groups.update({SOURCE: GroupHealth(2, 6)}), 20 * MINUTE
        )
    say_at_hundred(bench, CommandName.ROLLBACK, 90 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[1].cause == "command"
    assert bench.events(ev.Note)[0].text.endswith("; this hold needs an answer")


def test_a_run_that_waits_for_nobody_in_particular_asks() -> None:
    steps = [{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m", "approve": "ok?"}]
    bench, gate = bench_of(steps=steps)
    bench.at_weight(50, lambda: setattr(gate, "says", ASK), 40 * MINUTE)
    bench.at_weight(50, lambda: setattr(gate, "says", None), 50 * MINUTE)
    bench.inbox.say_in(2 * HOUR, CommandName.APPROVE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["approval", "no_control", "approval"]


def test_before_the_last_step_it_asks_the_same_way() -> None:
    bench, gate = bench_of()
    bench.at_weight(50, lambda: setattr(gate, "says", ASK), 10 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["no_control"]
    assert 500 not in bench.router.weights()


# --- a plan that says hold means hold


def test_a_gate_that_only_holds_never_asks_and_never_goes_back_any_sooner() -> None:
    gates = [{"errors": {"max": "1%", "on_breach": "hold"}}, {"healthy": {"min": 2}}]
    bench, _ = asked(gates=gates)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["gate"]
    assert went_back(bench)[0] - held_at(bench) >= 2 * HOUR


def test_a_hold_of_a_gate_is_not_forgotten_when_another_one_asks_meanwhile() -> None:
    bench, gate = bench_of()
    held = Judgement(Verdict.BREACH, "a lost zone", on_breach="hold")
    at_hundred(bench, gate, held, 5 * MINUTE)
    at_hundred(bench, gate, ASK, 8 * MINUTE)
    at_hundred(bench, gate, held, 12 * MINUTE)
    at_hundred(bench, gate, None, 20 * MINUTE)
    say_at_hundred(bench, CommandName.RESUME, HOUR)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["gate"]


def test_a_breach_that_only_holds_takes_over_with_its_own_deadline_when_the_question_is_settled() -> (
    None
):
    bench, gate = asked()
    held = Judgement(Verdict.BREACH, "a lost zone", on_breach="hold")
    at_hundred(bench, gate, held, 12 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["no_control", "gate"]
    assert went_back(bench)[0] - held_at(bench, 1) >= 2 * HOUR


@pytest.mark.parametrize(
    ("others", "decides"),
    [
        (("hold", "escalate", "rollback"), "rollback"),
        (("hold", "escalate"), "escalate"),
        (("escalate", "hold"), "escalate"),
        (("rollback", "escalate"), "rollback"),
    ],
)
def test_of_equal_breaches_one_that_rolls_back_decides_then_one_that_asks(
    others: tuple[str, ...], decides: str
) -> None:
    judged = tuple(
        GateResult(f"gate{i}", "comparison", Judgement(Verdict.BREACH, "bad"), one, live=False)
        for i, one in enumerate(others)
    )
    assert worst(judged).on_breach == decides


def test_a_worse_verdict_decides_whatever_it_leads_to() -> None:
    breach = GateResult("a", "comparison", Judgement(Verdict.BREACH, "bad"), "hold", live=False)
    shared = GateResult(
        "b", "comparison", Judgement(Verdict.SHARED, "bad too"), "rollback", live=False
    )
    assert worst((shared, breach)) is breach
