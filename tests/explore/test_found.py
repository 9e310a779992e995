"""What the adversaries found in the product, turn by turn: each run is played again, and keeps every promise now."""

from __future__ import annotations

import pytest

from cutover.core.state import Hold, Phase
from tests.explore.configurations import configurations
from tests.explore.found import FOUND, Run, torn


@pytest.mark.parametrize("run", FOUND.values(), ids=FOUND)
def test_a_run_that_broke_a_promise_keeps_every_one(run: Run) -> None:
    assert run.played().broken == []


def test_a_first_raise_waits_while_a_gate_is_unknown() -> None:
    node = FOUND["first-raise-unknown"].played().node
    assert node.running is not None
    assert node.running.phase is Phase.ATTACHING


def test_a_route_that_is_changed_during_the_checks_refuses_the_run() -> None:
    node = FOUND["changed-in-checks"].played().node
    assert (node.state.phase, node.code) == (Phase.REFUSED, 7)


def test_a_torn_journal_of_a_run_that_was_left_does_not_go_on_from_another_weight() -> None:
    assert FOUND["torn-as-it-is"].played().node.state.phase is Phase.ABANDONED


@pytest.mark.parametrize("kept", [1, 3])
def test_wherever_that_journal_ends_nothing_is_raised(kept: int) -> None:
    played = torn(kept, 40).played()
    assert played.broken == []
    assert played.node.world.places[0].live == configurations()["small"].found


def test_a_restore_that_changes_nothing_is_not_shown_by_a_read_of_what_was_there_before() -> None:
    node = FOUND["restore-that-changes-nothing"].played().node
    assert node.state.phase is Phase.ROLLED_BACK
    assert node.world.writes == 5, "the restore is sent until one is answered"


def test_a_config_of_somebody_else_that_a_restore_left_as_it_was_is_not_written_over_unread() -> (
    None
):
    live = FOUND["foreign-and-unread"].played().node.world.places[0].live
    assert live is not None
    assert live.sticky


def test_a_breach_that_is_seen_in_the_look_in_which_a_resume_is_heard_goes_back() -> None:
    assert FOUND["breach-with-resume"].played().node.state.phase is Phase.ROLLED_BACK


def test_a_breach_goes_back_while_a_first_raise_that_nobody_answered_may_be_live() -> None:
    assert FOUND["breach-while-attaching"].played().node.state.phase in (
        Phase.ROLLING_BACK,
        Phase.ROLLED_BACK,
    )


def test_a_hold_that_clears_while_a_raise_is_unanswered_waits_for_a_person() -> None:
    node = FOUND["hold-that-clears-in-doubt"].played().node
    assert node.state.held is not None
    assert node.state.held.reason is Hold.NOT_WRITTEN
    assert node.world.writes == 2, "attach and raise, and no second raise"
