"""docs/state-machine.md says what the tables say."""

from __future__ import annotations

from cutover.core.state import TRANSITIONS, Hold, Phase
from tests.generate_state_machine import PAGE, page


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m tests.generate_state_machine"
    )


def test_the_page_shows_every_move_and_every_hold() -> None:
    text = page()
    for before, ways in TRANSITIONS.items():
        for after, why in ways.items():
            assert f"    {before} --> {after}\n" in text
            assert f"| `{before}` | `{after}` | {why} |" in text
    assert all(f"| `{hold}` |" in text for hold in Hold)


def test_no_way_leads_from_a_rollback_to_a_raise_as_the_page_says() -> None:
    reached: set[Phase] = set()
    open_ = [Phase.ROLLING_BACK]
    while open_:
        phase = open_.pop()
        open_ += [after for after in TRANSITIONS[phase] if after not in reached]
        reached.update(TRANSITIONS[phase])
    assert not reached & {
        Phase.ATTACHING,
        Phase.SHIFTING,
        Phase.SETTLING,
        Phase.BAKING,
        Phase.HOLDING,
    }
