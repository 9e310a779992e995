"""The last bake with a sliver of traffic left at the source, and the hand-over after it."""

from __future__ import annotations

import pytest

from cutover.core.errors import ExitCode
from cutover.core.gates.api import Verdict
from cutover.core.journal import events as ev
from cutover.core.moment import Moment
from cutover.core.observation import CommandName, GroupHealth, Unknown
from cutover.core.state import Phase
from cutover.core.values import HOUR, MINUTE, SECOND
from tests.core.engine.asking import (
    PROVEN,
    SHARED,
    WAITS,
    bench_of,
    held_at,
    holds,
    signal,
    went_back,
)
from tests.fakes import SOURCE, TWO_ROUTES, Bench, Killed, WriteFault, plan_of

HELD_BACK = {"hold_back": "5%"}


def intent_at(bench: Bench, weight: int) -> Moment:
    """When the first write of a weight was meant."""
    return next(at for at, one in bench.stamped(ev.Intent) if one.weight == weight)


def effective_at(bench: Bench, step: int) -> Moment:
    """When the data plane first followed a step."""
    return next(at for at, one in bench.stamped(ev.WeightObserved) if one.step == step)


def test_the_last_bake_is_done_beside_a_sliver_of_source_traffic_and_then_all_is_handed_over() -> (
    None
):
    bench = Bench(plan_of(**HELD_BACK))
    assert bench.run() == ExitCode.COMPLETED
    assert bench.router.weights() == [0, 50, 500, 950, 1000]
    assert bench.phases() == ["ATTACHING", *["SHIFTING", "SETTLING", "BAKING"] * 4, "COMPLETED"]


def test_all_routes_are_handed_over_together() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES, **HELD_BACK))
    assert bench.run() == ExitCode.COMPLETED
    assert bench.router.weights()[-4:] == [950, 950, 1000, 1000]


def test_the_hand_over_waits_for_the_whole_bake_at_the_sliver_and_has_none_of_its_own() -> None:
    bench = Bench(plan_of(**HELD_BACK))
    bench.run()
    assert intent_at(bench, 1000).after(effective_at(bench, 2)) >= 9 * MINUTE
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    assert ended.after(intent_at(bench, 1000)) <= 6 * MINUTE
    assert ended.after(intent_at(bench, 1000)) >= bench.plan.observe.confirm


@pytest.mark.parametrize("minutes", [0, 4, 9])
def test_a_defect_during_the_bake_at_the_sliver_never_reaches_a_hundred(minutes: int) -> None:
    bench = Bench(plan_of(**HELD_BACK))
    bench.at_weight(
        950, lambda: setattr(bench.traffic, "destination_errors", 0.05), minutes * MINUTE + 1
    )
    assert bench.run() == ExitCode.ROLLED_BACK
    assert 1000 not in bench.router.weights()


def test_a_bake_at_the_sliver_that_cannot_pass_never_reaches_a_hundred() -> None:
    bench, gate = bench_of(**HELD_BACK)
    bench.at_weight(950, lambda: setattr(gate, "says", WAITS))
    bench.inbox.say_in(5 * HOUR, CommandName.ROLLBACK)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert 1000 not in bench.router.weights()
    assert holds(bench)[0] == "evidence"


def test_a_defect_that_only_appears_at_a_hundred_goes_back_from_the_hand_over() -> None:
    bench, gate = bench_of(**HELD_BACK)
    bench.at_weight(1000, lambda: setattr(gate, "says", PROVEN))
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[1].cause == "breach"


def test_a_hand_over_completes_though_no_gate_can_pass_for_lack_of_requests() -> None:
    bench, gate = bench_of(**HELD_BACK)
    bench.at_weight(1000, lambda: setattr(gate, "says", WAITS))
    bench.at_weight(1000, lambda: setattr(bench.traffic, "per_minute", 3))
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == []


def test_evidence_that_builds_up_at_a_hundred_is_waited_for() -> None:
    bench, gate = bench_of(**HELD_BACK)
    suspicious = WAITS.__class__(WAITS.verdict, "evidence builds up", signals=(signal(40.0),))
    fine = WAITS.__class__(WAITS.verdict, "too few", signals=(signal(2.0),))
    bench.at_weight(1000, lambda: setattr(gate, "says", suspicious))
    bench.at_weight(1000, lambda: setattr(gate, "says", fine), 15 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    assert ended.after(intent_at(bench, 1000)) >= 15 * MINUTE
    assert holds(bench) == []


def test_a_bad_newest_minute_of_a_judge_without_signals_is_waited_for_too() -> None:
    bench, gate = bench_of(**HELD_BACK)
    watching = WAITS.__class__(WAITS.verdict, "watching a bad minute", suspects=True)
    bench.at_weight(1000, lambda: setattr(gate, "says", watching))
    bench.at_weight(1000, lambda: setattr(gate, "says", WAITS), 15 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    assert ended.after(intent_at(bench, 1000)) >= 15 * MINUTE


def test_evidence_that_stays_in_between_at_a_hundred_holds_and_goes_on_when_it_falls() -> None:
    bench, gate = bench_of(**HELD_BACK)
    suspicious = WAITS.__class__(WAITS.verdict, "evidence builds up", signals=(signal(40.0),))
    bench.at_weight(1000, lambda: setattr(gate, "says", suspicious))
    bench.at_weight(1000, lambda: setattr(gate, "says", WAITS), 40 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["evidence"]
    assert held_at(bench) - intent_at(bench, 1000).wall_ms >= 20 * MINUTE


def test_a_source_that_is_bad_too_holds_the_hand_over() -> None:
    bench, gate = bench_of(safety={"on_shared_after_raise": "hold"}, **HELD_BACK)
    bench.at_weight(1000, lambda: setattr(gate, "says", SHARED))
    bench.at_weight(1000, lambda: setattr(gate, "says", None), 10 * MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["shared"]


def test_silence_after_the_hand_over_is_no_completion() -> None:
    bench = Bench(plan_of(**HELD_BACK))
    bench.at_weight(1000, lambda: setattr(bench.traffic, "fails", Unknown("throttled")))
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[1].cause == "no_data"


def test_a_gate_that_does_not_know_is_waited_for_at_a_hundred() -> None:
    bench, gate = bench_of(**HELD_BACK)
    dark = WAITS.__class__(Verdict.UNKNOWN, "no datapoint")
    seen = 310 * SECOND
    bench.at_weight(1000, lambda: setattr(gate, "says", dark), 210 * SECOND)
    bench.at_weight(1000, lambda: setattr(gate, "says", None), seen)
    assert bench.run() == ExitCode.COMPLETED
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    assert ended.after(intent_at(bench, 1000)) >= seen
    assert holds(bench) == []


def test_a_gap_at_the_hand_over_costs_a_fresh_minute() -> None:
    bench = Bench(plan_of(**HELD_BACK))
    slept: list[Moment] = []

    def sleep(event: ev.Event) -> None:
        baking = isinstance(event, ev.PhaseChanged) and (event.after, event.step) == ("BAKING", 3)
        if baking and not slept:
            bench.clock.at = bench.clock.at.plus(HOUR)
            slept.append(bench.clock.at)

    bench.journal.killed_at = sleep
    assert bench.run() == ExitCode.COMPLETED
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    assert len(bench.events(ev.Gap)) == 1
    assert ended.after(slept[0]) >= bench.plan.observe.period + bench.plan.observe.settle


@pytest.mark.parametrize("when", ["before write", "after write"])
def test_a_crash_around_the_write_of_the_hand_over_goes_on_when_a_person_says_so(
    when: str,
) -> None:
    bench = Bench(plan_of(**HELD_BACK))

    def kill(where: str) -> None:
        if where == when and bench.events(ev.Intent)[-1].weight == 1000:
            bench.router.killed_at = lambda _where: None
            raise Killed

    bench.router.killed_at = kill
    with pytest.raises(Killed):
        bench.run()
    bench.clock.forward(bench.clock.at.plus(30 * MINUTE))
    came_back = bench.clock.at
    assert bench.run(exit_on_hold=True) == ExitCode.HELD
    assert holds(bench)[0] == "crashed"
    assert bench.run(CommandName.RESUME) == ExitCode.COMPLETED
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    looked = bench.plan.observe.period + bench.plan.observe.settle
    assert ended.after(came_back) >= (looked if when == "after write" else 10 * MINUTE)
    assert bench.router.weights().count(1000) == 1


def test_a_crash_during_the_hand_over_is_never_completed_while_a_gate_objects() -> None:
    bench, gate = bench_of(**HELD_BACK)
    bench.journal.killed_at = _die_in_hand_over
    with pytest.raises(Killed):
        bench.run()
    bench.journal.killed_at = lambda _event: None
    gate.says = PROVEN
    assert bench.run(CommandName.RESUME) == ExitCode.ROLLED_BACK


def _die_in_hand_over(event: ev.Event) -> None:
    if isinstance(event, ev.PhaseChanged) and event.step == 3 and event.after == "BAKING":
        raise Killed


def test_approval_is_asked_before_the_sliver_and_not_again_before_the_hand_over() -> None:
    steps = [{"weight": 5, "bake": "10m"}, {"weight": 100, "bake": "10m", "approve": "ok?"}]
    bench = Bench(plan_of(steps=steps, **HELD_BACK))
    bench.inbox.say_in(HOUR, CommandName.APPROVE)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["approval"]
    assert intent_at(bench, 950).wall_ms >= held_at(bench)


def test_a_source_below_its_reserve_delays_the_hand_over() -> None:
    bench = Bench(plan_of(**HELD_BACK))
    bench.at_weight(950, lambda: bench.health.groups.update({SOURCE: GroupHealth(3, 6)}))
    bench.at_weight(950, lambda: bench.health.groups.update({SOURCE: GroupHealth(6, 6)}), HOUR)
    assert bench.run() == ExitCode.COMPLETED
    assert intent_at(bench, 1000).after(intent_at(bench, 950)) >= HOUR


def test_a_hand_over_that_reaches_only_one_route_goes_back() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES, **HELD_BACK))
    other = str(bench.plan.routes[1].id)
    bench.at_weight(
        950,
        lambda: bench.router.faults.append(WriteFault("timeout", times=99, route=other)),
        5 * MINUTE,
    )
    bench.at_weight(1000, bench.router.faults.clear, 90_000)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert went_back(bench)[1].cause == "partial"


def test_pause_at_the_hand_over_and_resume_completes_after_a_fresh_look() -> None:
    bench = Bench(plan_of(**HELD_BACK))
    bench.at_weight(1000, lambda: bench.inbox.say(CommandName.PAUSE), MINUTE)
    bench.at_weight(1000, lambda: bench.inbox.say(CommandName.RESUME), HOUR)
    assert bench.run() == ExitCode.COMPLETED
    ended, _ = bench.stamped(ev.PhaseChanged)[-1]
    assert ended.after(intent_at(bench, 1000)) >= HOUR + 3 * MINUTE
    assert bench.state.phase is Phase.COMPLETED
