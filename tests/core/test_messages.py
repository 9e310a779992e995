"""A story folded from a whole run: its steps, its anomalies, its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.core.journal import events as ev
from cutover.core.messages import (
    RunView,
    StepStanding,
    Tone,
    about,
    baked,
    ending,
    fold,
    next_command,
    stamp,
)
from cutover.core.messages.anomalies import Anomalies, anomalies_text
from cutover.core.messages.model import KEEP, tone_of
from cutover.core.messages.phrases import route_names
from cutover.core.observation import CommandName
from cutover.core.routing import RouteConfig, config_body
from cutover.core.state import ACTIVE, Hold, Phase, RunState
from cutover.core.values import MINUTE, Weight
from tests import records
from tests.fakes import LISTENER, RULE, START, TWO_ROUTES, Bench, WriteFault, plan_of


def told(bench: Bench) -> RunView:
    view = RunView.begin(bench.plan)
    for record in bench.journal.records:
        view = fold(view, record)
    return view


def breached() -> Bench:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.05))
    bench.run()
    return bench


def test_a_good_run_passes_every_step_and_has_nothing_odd() -> None:
    bench = Bench()
    bench.run()
    view = told(bench)
    assert [step.stand for step in view.steps] == [StepStanding.PASSED] * 3
    assert all(step.baked_ms >= step.planned_ms == 10 * MINUTE for step in view.steps)
    assert {verdict for step in view.steps for verdict in step.verdicts.values()} == {"PASS"}
    assert ending(view)[0] == "checkout: completed at 100 % after 39m"
    assert ending(view)[1] == "odd but no breach: nothing"


def test_the_state_of_a_story_is_the_state_of_the_run() -> None:
    bench = breached()
    view = told(bench).state
    # no sentence needs the gates' memories, so a story does not fold them
    assert replace(view, evidence=bench.state.evidence) == bench.state


def test_a_breach_takes_the_steps_back_and_keeps_its_reason() -> None:
    view = told(breached())
    assert [step.stand for step in view.steps] == [
        StepStanding.TAKEN_BACK,
        StepStanding.TAKEN_BACK,
        StepStanding.AHEAD,
    ]
    assert view.reason.startswith("breach on errors: ")
    assert view.reason.endswith(" -> rolling back from 50 %")
    assert view.lines[-2].tone is Tone.GOOD
    assert view.lines[-2].text.startswith(
        "rolled back in one write per route; read back twice, and again 60 s later"
    )
    assert f"reason: {view.reason}" in ending(view)


def test_what_was_odd_without_a_breach_is_counted_and_said() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.router.faults.append(WriteFault("lost", route=RULE))
    bench.router.faults.append(WriteFault("throttle", route=LISTENER))
    assert bench.run() == 0
    view = told(bench)
    assert view.anomalies.ambiguous == 1
    assert view.anomalies.refused == 1
    assert view.anomalies.retried == 1
    assert ending(view)[1] == (
        "odd but no breach: 1 write without a clear answer, settled by reading, 1 write refused by AWS, 1 write tried again"
    )


def test_a_verdict_that_was_unknown_and_passed_again_is_odd() -> None:
    view = RunView.begin(plan_of())
    for seq, verdict in enumerate(("UNKNOWN", "WAITING", "UNKNOWN", "PASS"), 1):
        view = fold(
            view, ev.Record(seq, 1, START, records.gate_judged("errors", "p", verdict, "why", 0))
        )
    assert view.anomalies.recovered == 1


def test_a_paused_and_resumed_run_bakes_afresh() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE, "lunch"), 6 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 9 * MINUTE)
    assert bench.run() == 0
    view = RunView.begin(bench.plan)
    stands = []
    for record in bench.journal.records:
        view = fold(view, record)
        stands.append((view.steps[0].stand, view.steps[0].baked_ms))
    paused = next(i for i, (stand, _) in enumerate(stands) if stand is StepStanding.HOLDING)
    assert stands[paused][1] > 0
    assert (StepStanding.SETTLING, 0) in stands[paused:]
    assert view.anomalies.holds == 1
    assert any(line.text.endswith("says pause: lunch") for line in view.lines)


def test_memory_is_flat_however_much_is_said() -> None:
    view = RunView.begin(plan_of())
    for seq in range(1, KEEP + 60):
        view = fold(view, ev.Record(seq, 1, START, records.note(f"note {seq}")))
    assert len(view.lines) == KEEP
    assert view.lines[-1].text == f"note {KEEP + 59}"
    assert view.state.phase is Phase.PREFLIGHT


def test_every_odd_event_is_counted_in_its_own_place() -> None:
    config = config_body(RouteConfig("{}", Weight(0), attached=True))
    view = RunView.begin(plan_of())
    events: tuple[ev.Event, ...] = (
        ev.RunOpen("checkout", "x", "1", "r", "live", "0", (RULE,)),
        ev.LeaseTaken("ana", "bastion", 1),
        records.intent(RULE, "move", 0, 1, "", config, 0, "x"),
        ev.Outcome(RULE, 1, "cancelled"),
        ev.Outcome(RULE, 1, "impossible"),
        records.gap("late", 40_000),
        ev.Drift(RULE, "x", config),
        ev.Observed("unreadable", {"route": RULE}),
        ev.Observed("config", {"route": RULE, "config": config}),
        ev.MinuteCorrected("p", 0, {}),
        ev.CheckFound("net", "block", "seen", "why", "fix"),
        ev.CheckFound("alias", "warn", "seen", "why", "fix"),
        records.note("not after the look\x00"),
    )
    for seq, event in enumerate(events, 1):
        view = fold(view, ev.Record(seq, 1, START, event))
    assert view.anomalies == Anomalies(cancelled=1, gaps=1, drifts=1, unreadable=1, corrected=1)
    assert anomalies_text(view.anomalies) == (
        "1 write not sent in time, 1 failed look at a route, 1 gap in time or sight, "
        "1 minute corrected by CloudWatch, 1 change by somebody else"
    )
    tones = {line.text.split(":")[0]: line.tone for line in view.lines}
    assert tones["preflight blocks"] is Tone.BAD
    assert tones["preflight warn"] is Tone.WARN
    assert view.lines[-1].text == "not after the look\\x00"


def test_before_anything_was_read_the_ending_still_says_what_is_next() -> None:
    assert ending(RunView.begin(plan_of())) == (
        "checkout: preflight at 0 %",
        "odd but no breach: nothing",
        "next: nothing was written; `cutover run PLAN` starts another",
    )


@pytest.mark.parametrize("phase", sorted(ACTIVE))
def test_the_ending_offers_no_command_that_only_the_process_that_ended_could_hear(
    phase: Phase,
) -> None:
    view = RunView.begin(plan_of())
    last = ending(replace(view, state=replace(view.state, phase=phase)))[-1]
    assert "cutover pause" not in last
    assert "Ctrl-C" not in last


def test_a_held_run_is_told_what_its_hold_asks_for() -> None:
    held = records.held(Hold.APPROVAL, "50 % needs approval", START, 0)
    state = RunState(phase=Phase.HOLDING, held=held)
    assert next_command(state) == "say `cutover approve`, or `cutover rollback`"


def test_names_and_times_are_short() -> None:
    assert route_names((RULE, LISTENER)) == "rule 9683b2d02a6cabee, listener f2f7dc8efc522ab2"
    assert about(59_999) == "59s"
    assert stamp(START.wall) == "2026-03-02 09:00:07Z"


def test_a_restored_route_is_good_news() -> None:
    assert (
        tone_of(RunState(phase=Phase.ROLLING_BACK), ev.Verified(RULE, "x", 0, 0, 1)) is Tone.GOOD
    )
    assert tone_of(RunState(), records.gate_judged("errors", "p", "UNKNOWN", "x", 0)) is Tone.WARN


def test_there_is_no_bake_before_a_step_is_in_effect() -> None:
    assert baked(plan_of(), RunState()) == 0
