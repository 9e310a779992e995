"""Reasons are typed: a code and its facts, from which the sentence is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import cutover
from cutover.core.journal import events as ev
from cutover.core.journal.codec import body, parse
from cutover.core.messages import SENTENCES, explain
from cutover.core.observation import CommandName
from cutover.core.reasons import Code, Reason, because, reason_of
from cutover.core.values import HOUR, MINUTE
from tests.fakes import TWO_ROUTES, Bench, plan_of

SOURCE = Path(cutover.__file__).parent


def test_every_code_has_one_sentence() -> None:
    assert set(SENTENCES) == set(Code)


def test_every_code_is_given_somewhere() -> None:
    text = "".join(
        path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py") if path.stem != "reasons"
    )
    assert [code for code in Code if f"Code.{code.name}" not in text] == []


def test_a_reason_in_a_reason_is_said_in_its_place() -> None:
    inner = because(Code.SOURCE_TOO_SMALL, group="g", healthy=1, needed=4)
    outer = because(Code.PASSES_BUT, because=inner)
    assert outer.inner == inner
    assert explain(outer) == (
        "every gate passes, but the source g has 1 healthy targets, 4 at the start"
    )


def test_a_code_that_this_version_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="mood"):
        reason_of("mood", {})


def _breach(bench: Bench) -> None:
    bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.05))


def _pause(bench: Bench) -> None:
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.PAUSE), 5 * MINUTE)
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.RESUME), 2 * HOUR)


def _interrupt(bench: Bench) -> None:
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 5 * MINUTE)


@pytest.mark.parametrize("happens", [lambda bench: None, _breach, _pause, _interrupt])
def test_every_reason_of_a_run_comes_back_from_its_record_with_the_same_sentence(
    happens: Callable[[Bench], None],
) -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    happens(bench)
    bench.run()
    seen: list[Reason] = []
    for record in bench.journal.records:
        event = parse(record.event.type, body(record.event))
        if isinstance(event, ev.PhaseChanged | ev.WeightObserved | ev.Close):
            seen.append(reason_of(event.reason, event.facts))
            assert explain(seen[-1]) == event.why
        elif isinstance(event, ev.GateJudged):
            assert event.reason != "", event
    assert len(seen) > 3
