"""What `cutover status` prints."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cutover.core.messages import RunView, fold, standings
from cutover.core.observation import CommandName
from cutover.core.state import RunState, replay
from cutover.core.values import MINUTE
from cutover.render.status import status_view
from cutover.render.status_json import status_json
from cutover.render.text import columns
from tests.fakes import TWO_ROUTES, Bench, plan_of
from tests.render.real import real


def stories(bench: Bench) -> list[RunView]:
    found = [RunView.begin(bench.plan)]
    for record in real(bench):
        found.append(fold(found[-1], record))
    return found


@pytest.fixture(scope="module")
def paused() -> list[RunView]:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE, "lunch"), 8 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.ROLLBACK, "enough"), 12 * MINUTE)
    bench.run()
    return stories(bench)


@pytest.mark.parametrize("width", [60, 100])
def test_every_moment_of_a_run_fits_the_terminal(paused: list[RunView], width: int) -> None:
    for view in paused[1:]:
        assert view.state.last is not None
        lines = status_view(
            view, view.state.last.plus(4_000), width, liveness="pid 12 on bastion, looked 4s ago"
        )
        assert max(columns(line) for line in lines) <= width
        assert all(line.isprintable() for line in lines)


def test_a_hold_shows_why_until_when_what_then_and_what_to_type(paused: list[RunView]) -> None:
    view = next(s for s in paused if s.state.held is not None)
    assert view.state.last is not None
    text = "\n".join(status_view(view, view.state.last, 100))
    assert text.startswith("checkout: HOLDING at 5 %, step 1 of 3\n")
    assert "holding   pause said by" in text
    assert ", then this is said again" in text
    assert (
        "next      `cutover resume` goes on with a fresh bake, `cutover rollback` goes back"
        in text
    )


@pytest.fixture(scope="module")
def baking() -> tuple[RunView, RunState]:
    """A run in the middle of a bake, and its state folded with the evidence."""
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE, "lunch"), 11 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.ROLLBACK, "enough"), 12 * MINUTE)
    bench.run()
    records = bench.journal.records
    said = next(n for n, record in enumerate(records) if record.event.type == "command")
    return stories(bench)[said], replay(bench.plan, records[:said])


def test_a_bake_shows_its_evidence_its_gates_and_when_it_advances(
    baking: tuple[RunView, RunState],
) -> None:
    view, state = baking
    assert view.state.last is not None
    gates = standings(view.plan, state)
    text = "\n".join(status_view(view, view.state.last, 100, gates=gates))
    assert re.search(r"evidence  \dm of 10m settled minutes; advances in \d min", text)
    assert ">   5 %  baking " in text
    assert re.search(
        r"PASS errors: \d+ of [\d,]+ requests failed .* in this step, at most .* \(95 %\); "
        r"allowed .* in its newest judged minute; evidence against it",
        " ".join(text.split()),
    )
    assert re.search(r"PASS +healthy: ", text)


@pytest.mark.parametrize("width", [60, 80])
def test_the_gates_fit_a_narrow_terminal(baking: tuple[RunView, RunState], width: int) -> None:
    view, state = baking
    assert view.state.last is not None
    lines = status_view(view, view.state.last, width, gates=standings(view.plan, state))
    assert max(columns(line) for line in lines) <= width
    assert "  gates" in lines


def test_nobody_is_told_when_a_bake_advances_that_no_process_drives(
    baking: tuple[RunView, RunState],
) -> None:
    view, state = baking
    assert view.state.last is not None
    gates = standings(view.plan, state)
    text = "\n".join(status_view(view, view.state.last, 100, gates=gates, driven=False))
    assert "advances in" not in text
    assert status_json(state, view.plan, driven=False)["advance_in_ms"] is None


def test_programs_get_the_evidence_of_every_signal_and_what_the_bake_still_wants(
    baking: tuple[RunView, RunState],
) -> None:
    view, state = baking
    found: dict[str, Any] = json.loads(json.dumps(status_json(state, view.plan)))
    errors = next(one for one in found["gates"] if one["gate"] == "errors")
    (signal,) = errors["signals"]
    assert signal["name"] == "errors"
    assert 0 <= signal["evidence"] < signal["needed"]
    assert signal["requests"] > 0
    assert 0 < found["advance_in_ms"] <= 10 * MINUTE
    assert found["advance_in_ms"] == 10 * MINUTE - found["baked_ms"]


def test_a_hold_advances_at_no_known_time(paused: list[RunView]) -> None:
    view = next(s for s in paused if s.state.held is not None)
    assert status_json(view.state, view.plan)["advance_in_ms"] is None


def test_before_the_first_record_there_is_something_to_show() -> None:
    from tests.fakes import START

    assert status_view(RunView.begin(plan_of()), START, 60)[0] == "checkout: PREFLIGHT at 0 %"


def test_a_run_whose_process_is_gone_says_resume_and_keeps_no_deadline() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=15), 5 * MINUTE)
    bench.run()
    view = RunView.begin(bench.plan)
    for record in real(bench):
        view = fold(view, record)
    assert view.state.last is not None
    text = "\n".join(status_view(view, view.state.last, 100, driven=False))
    assert "no process lives to keep it" in text
    assert "`cutover resume`, or `cutover rollback`: no process lives" in text
    said = status_json(view.state, view.plan, driven=False)["next"]
    assert str(said).endswith("no process lives, so nobody watches the gates")
