"""A story folded from a whole run: its steps, its oddities, its end."""

from __future__ import annotations

from cutover.core import events as ev
from cutover.core.state import Phase
from cutover.core.story import Stand, Story, Tone, ending, tell
from cutover.core.story.model import KEEP
from cutover.core.values import MINUTE
from tests.fakes import LISTENER, RULE, START, TWO_ROUTES, Bench, WordName, WriteFault, plan_of


def told(bench: Bench) -> Story:
    story = Story.begin(bench.plan)
    for record in bench.journal.records:
        story = tell(story, record)
    return story


def breached() -> Bench:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.05))
    bench.run()
    return bench


def test_a_good_run_passes_every_step_and_has_nothing_odd() -> None:
    bench = Bench()
    bench.run()
    story = told(bench)
    assert [step.stand for step in story.steps] == [Stand.PASSED] * 3
    assert all(step.baked_ms >= step.planned_ms == 10 * MINUTE for step in story.steps)
    assert {verdict for step in story.steps for verdict in step.verdicts.values()} == {"PASS"}
    assert ending(story)[0] == "checkout: completed at 100 % after 39m"
    assert ending(story)[1] == "odd but no breach: nothing"


def test_the_state_of_a_story_is_the_state_of_the_run() -> None:
    bench = breached()
    assert told(bench).state == bench.state


def test_a_breach_takes_the_steps_back_and_keeps_its_reason() -> None:
    story = told(breached())
    assert [step.stand for step in story.steps] == [
        Stand.TAKEN_BACK,
        Stand.TAKEN_BACK,
        Stand.AHEAD,
    ]
    assert story.reason.startswith("breach on errors: ")
    assert story.reason.endswith(" -> rolling back from 50 %")
    assert story.lines[-2].tone is Tone.GOOD
    assert story.lines[-2].text.startswith(
        "rolled back in one write per route; read back twice, and again 60 s later"
    )
    assert f"reason: {story.reason}" in ending(story)


def test_what_was_odd_without_a_breach_is_counted_and_said() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.router.faults.append(WriteFault("lost", route=RULE))
    bench.router.faults.append(WriteFault("throttle", route=LISTENER))
    assert bench.run() == 0
    story = told(bench)
    assert story.oddities.ambiguous == 1
    assert story.oddities.refused == 1
    assert story.oddities.retried == 1
    assert ending(story)[1] == (
        "odd but no breach: 1 write without a clear answer, settled by reading, 1 write refused by AWS, 1 write tried again"
    )


def test_a_verdict_that_was_unknown_and_passed_again_is_odd() -> None:
    story = Story.begin(plan_of())
    for seq, verdict in enumerate(("UNKNOWN", "WAITING", "UNKNOWN", "PASS"), 1):
        story = tell(
            story, ev.Record(seq, 1, START, ev.GateJudged("errors", "p", verdict, "why", 0))
        )
    assert story.oddities.recovered == 1


def test_a_paused_and_resumed_run_bakes_afresh() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.PAUSE, "lunch"), 6 * MINUTE)
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.RESUME), 9 * MINUTE)
    assert bench.run() == 0
    story = Story.begin(bench.plan)
    stands = []
    for record in bench.journal.records:
        story = tell(story, record)
        stands.append((story.steps[0].stand, story.steps[0].baked_ms))
    paused = next(i for i, (stand, _) in enumerate(stands) if stand is Stand.HOLDING)
    assert stands[paused][1] > 0
    assert (Stand.SETTLING, 0) in stands[paused:]
    assert story.oddities.holds == 1
    assert any(line.text.endswith("says pause: lunch") for line in story.lines)


def test_memory_is_flat_however_much_is_said() -> None:
    story = Story.begin(plan_of())
    for seq in range(1, KEEP + 60):
        story = tell(story, ev.Record(seq, 1, START, ev.Note(f"note {seq}")))
    assert len(story.lines) == KEEP
    assert story.lines[-1].text == f"note {KEEP + 59}"
    assert story.state.phase is Phase.PREFLIGHT
