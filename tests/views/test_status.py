"""What `cutover status` prints."""

from __future__ import annotations

import pytest

from cutover.core.observation import WordName
from cutover.core.story import Story, tell
from cutover.core.values import MINUTE
from cutover.views.status import status_view
from cutover.views.text import columns
from tests.fakes import TWO_ROUTES, Bench, plan_of


def stories(bench: Bench) -> list[Story]:
    found = [Story.begin(bench.plan)]
    for record in bench.journal.records:
        found.append(tell(found[-1], record))
    return found


@pytest.fixture(scope="module")
def paused() -> list[Story]:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.PAUSE, "lunch"), 8 * MINUTE)
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.ROLLBACK, "enough"), 12 * MINUTE)
    bench.run()
    return stories(bench)


@pytest.mark.parametrize("width", [60, 100])
def test_every_moment_of_a_run_fits_the_terminal(paused: list[Story], width: int) -> None:
    for story in paused[1:]:
        assert story.state.last is not None
        lines = status_view(
            story, story.state.last.plus(4_000), width, liveness="pid 12 on bastion, looked 4s ago"
        )
        assert max(columns(line) for line in lines) <= width
        assert all(line.isprintable() for line in lines)


def test_a_hold_shows_why_until_when_what_then_and_what_to_type(paused: list[Story]) -> None:
    story = next(s for s in paused if s.state.held is not None)
    assert story.state.last is not None
    text = "\n".join(status_view(story, story.state.last, 100))
    assert text.startswith("checkout: HOLDING at 5 %, step 1 of 3\n")
    assert "holding   pause said by" in text
    assert ", then this is said again" in text
    assert (
        "next      `cutover resume` goes on with a fresh bake, `cutover rollback` goes back"
        in text
    )


def test_a_bake_shows_its_evidence_and_verdicts(paused: list[Story]) -> None:
    story = [s for s in paused if s.state.phase == "BAKING"][-1]
    assert story.state.last is not None
    text = "\n".join(status_view(story, story.state.last, 100))
    assert "of 10m settled minutes" in text
    assert ">   5 %  baking " in text
    assert "errors " in text
    assert "healthy PASS" in text


def test_before_the_first_record_there_is_something_to_show() -> None:
    from tests.fakes import START

    assert status_view(Story.begin(plan_of()), START, 60)[0] == "checkout: PREFLIGHT at 0 %"


def test_a_run_whose_process_is_gone_says_resume_and_keeps_no_deadline() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.mailbox.say(WordName.INTERRUPT, signal=15), 5 * MINUTE)
    bench.run()
    story = Story.begin(bench.plan)
    for record in bench.journal.records:
        story = tell(story, record)
    assert story.state.last is not None
    text = "\n".join(status_view(story, story.state.last, 100, driven=False))
    assert "no process lives to keep it" in text
    assert "`cutover resume`, or `cutover rollback`: no process lives" in text
