"""What people and programs see of the sliver held back, the hand-over, and a hold with nobody to compare with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cutover.core.messages import RunView, fold
from cutover.core.plan import Plan
from cutover.core.state import replay
from cutover.core.values import MINUTE
from cutover.render.plan import plan_json, plan_view
from cutover.render.status import status_view
from cutover.render.status_json import status_json
from cutover.render.text import columns
from tests.core.engine.asking import ASK, bench_of
from tests.fakes import Bench, plan_of

STARTS = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def previewed(plan: Plan, width: int = 100) -> str:
    lines = plan_view(plan, width, starts=STARTS)
    assert max(columns(line) for line in lines) <= width
    return " ".join(" ".join(lines).split())


def stories(bench: Bench) -> list[RunView]:
    found = [RunView.begin(bench.plan)]
    for record in bench.journal.records:
        found.append(fold(found[-1], record))
    return found


def shown(view: RunView, width: int = 100) -> str:
    assert view.state.last is not None
    lines = status_view(view, view.state.last, width)
    assert max(columns(line) for line in lines) <= width
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("width", [60, 100])
def test_the_preview_says_that_the_last_bake_keeps_a_sliver_to_compare_with(width: int) -> None:
    text = previewed(plan_of(hold_back="5%", traffic="6000/min"), width)
    assert (
        "the last bake is at 95 %: 5 % stays at the source to compare with; then 100 %, without a bake of its own"
        in text
    )
    assert "4 steps" in text


def test_the_preview_says_what_happens_without_one() -> None:
    text = previewed(plan_of())
    assert "the last bake is at 100 %, with nobody to compare with" in text
    assert "a person is asked, and after 20m it rolls back" in text
    asks = previewed(plan_of(safety={"on_hold_timeout": "hold", "ask_timeout": "5m"}))
    assert "and after 5m it asks again" in asks
    half = previewed(plan_of(steps=[{"weight": 50, "bake": "10m"}]))
    assert "the last bake is at 50 %, and the source keeps 50 %" in half


def test_programs_see_the_hand_over_as_a_step_without_a_bake() -> None:
    steps = plan_json(plan_of(hold_back="5%", traffic="6000/min"))["steps"]
    assert isinstance(steps, list)
    assert [(step["weight_percent"], step["bake_ms"]) for step in steps] == [
        (5, 600_000),
        (50, 600_000),
        (95, 600_000),
        (100, 0),
    ]


@pytest.mark.parametrize("width", [60, 100])
def test_every_moment_of_a_hand_over_can_be_shown(width: int) -> None:
    bench = Bench(plan_of(hold_back="5%"))
    bench.run()
    texts = [shown(view, width) for view in stories(bench)[1:]]
    assert any("BAKING at 100 %, step 4 of 4" in text for text in texts)
    assert "no bake of its own" in texts[-1]


def test_status_says_why_it_asks_until_when_and_what_then() -> None:
    bench, gate = bench_of()
    bench.at_weight(1000, lambda: setattr(gate, "says", ASK), 10 * MINUTE)
    bench.run()
    index, view = next((n, s) for n, s in enumerate(stories(bench)) if s.state.held is not None)
    text = shown(view)
    assert text.startswith("checkout: HOLDING at 100 %, step 3 of 3")
    assert "destination fails 5 % of its requests" in text
    assert "then it rolls back" in text
    assert "`cutover pause` waits until you say more" in text
    said = status_json(replay(bench.plan, bench.journal.records[:index]), bench.plan)
    hold = said["hold"]
    assert isinstance(hold, dict)
    assert hold["reason"] == "no_control"
    assert hold["then"] == "it rolls back"
