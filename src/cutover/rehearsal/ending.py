"""Compares how a rehearsal ended with what its scenario expects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cutover.core.values import weight_text
from cutover.rehearsal.scenario import Expect


@dataclass(frozen=True)
class Truth:
    """What really happened, whatever the run believes.

    Attributes:
        weights: per route: the destination's live portion of the pair, per mille; -1 when it has none.
        in_force: the same in the data plane, after propagation.
        residual: by pair id: requests a minute that still reach the destination (sticky clients).
        requests: requests the destination got since the start.
        harmed: requests that would have been served well without the destination; see `rehearsal.harm`.
        slow: those of them that were answered, but too slowly.
        highest: the largest weight ever written, per mille.
        writes: changes of routes that the run made, not counting other writers.
    """

    weights: dict[str, int]
    in_force: dict[str, int]
    residual: dict[str, int]
    requests: int
    harmed: int
    highest: int
    writes: int
    slow: int = 0


@dataclass(frozen=True)
class Ending:
    """How the run ended: its outcome word, exit code and last reason, and the truth."""

    outcome: str
    exit_code: int
    reason: str
    truth: Truth


def unmet(expect: Expect, ending: Ending, steps: Sequence[int] = ()) -> tuple[str, ...]:
    """One sentence for each expectation that the ending does not meet; empty when all are met."""
    truth = ending.truth
    live = max(truth.weights.values(), default=0)
    found: list[str] = []

    def differs(what: str, wanted: object, got: object) -> None:
        found.append(f"expected {what} {wanted}, got {got}")

    if expect.outcome is not None and expect.outcome != ending.outcome:
        differs("outcome", expect.outcome, ending.outcome)
    if expect.exit_code is not None and expect.exit_code != ending.exit_code:
        differs("exit code", expect.exit_code, ending.exit_code)
    if expect.weight is not None and expect.weight * 10 != live:
        differs("a final weight of", f"{expect.weight} %", weight_text(live))
    if expect.reached is not None and expect.reached * 10 != truth.highest:
        differs("the highest weight", f"{expect.reached} %", weight_text(truth.highest))
    if expect.step is not None and expect.step != _step(truth.highest, steps):
        differs("the last step written", expect.step, _step(truth.highest, steps))
    if expect.reason is not None and not re.search(expect.reason, ending.reason, re.IGNORECASE):
        differs("a reason like", repr(expect.reason), repr(ending.reason))
    if expect.harmed_at_most is not None and truth.harmed > expect.harmed_at_most:
        differs("harmed requests of at most", expect.harmed_at_most, truth.harmed)
    if expect.no_requests_to_destination and truth.requests:
        differs("requests to the destination:", "none", truth.requests)
    if expect.writes_at_most is not None and truth.writes > expect.writes_at_most:
        differs("writes of at most", expect.writes_at_most, truth.writes)
    return tuple(found)


def _step(highest: int, steps: Sequence[int]) -> int:
    """How many of the plan's steps (per mille) a weight reaches."""
    return sum(0 < weight <= highest for weight in steps)


def expects_something(expect: Expect) -> bool:
    """Does the scenario say how it should end?"""
    return expect != Expect()
