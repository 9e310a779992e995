"""Compares how a rehearsal ended with what its scenario expects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cutover.core.values import MINUTE, weight_text
from cutover.emulator.scenario import FEWEST_HARMED, Expect


@dataclass(frozen=True)
class Truth:
    """What really happened, whatever the run believes.

    Attributes:
        weights: per route: the destination's live portion of the comparison, per mille; -1 when it has none.
        in_force: the same in the data plane, after propagation.
        residual: by comparison id: requests a minute that still reach the destination (sticky clients).
        requests: requests the destination got since the start.
        harmed: requests that would have been served well without the destination; see `rehearsal.harm`.
        slow: those of them that were answered, but too slowly.
        found: the live weight when the last entry of the scenario began, per mille.
        found_highest: the largest one written until then.
        rate: requests a minute over all routes.
        held: every reason the run held for.
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
    found: int = 0
    found_highest: int = 0
    rate: float = 0.0
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How the run ended.

    Attributes:
        reason: what it said last about why.
        steps: the plan's weights, per mille.
    """

    outcome: str
    exit_code: int
    reason: str
    truth: Truth
    steps: tuple[int, ...] = ()


class ScenarioVerdict(StrEnum):
    """What a rehearsal says of a plan."""

    AS_EXPECTED = "as expected"
    NOT_REACHED = "not reached"
    NOT_APPLICABLE = "does not apply"
    LET_THROUGH = "let through"
    OTHERWISE = "otherwise"


def verdict(
    expect: Expect, ending: Ending, mismatches: Sequence[str], unreached: Sequence[str]
) -> ScenarioVerdict:
    """The verdict on a rehearsal; one whose trouble never happened is never `as expected`."""
    if unreached:
        return ScenarioVerdict.NOT_REACHED
    if not mismatches:
        return ScenarioVerdict.AS_EXPECTED
    return (
        ScenarioVerdict.LET_THROUGH if _let_through(expect, ending) else ScenarioVerdict.OTHERWISE
    )


def _let_through(expect: Expect, ending: Ending) -> bool:
    """The run should have been stopped, and went on, or harmed more people than it may."""
    if expect.outcome is None or not set(expect.outcome) <= STOPPED:
        return False
    truth = ending.truth
    return (
        ending.outcome == "completed"
        or truth.harmed > _most_harmed(expect, truth)
        or (expect.no_raise_after and truth.highest > truth.found_highest)
        or (expect.step is not None and _step(truth.highest, ending.steps) > expect.step)
        or (expect.no_requests_to_destination and truth.requests > 0)
    )


STOPPED = frozenset({"rolled_back", "held", "refused", "needs_human"})


def never_held(expect: Expect, truth: Truth) -> tuple[str, ...]:
    """The hold that the scenario is about did not come: its trouble was not reached."""
    if expect.held is None or any(expect.held.lower() in one.lower() for one in truth.held):
        return ()
    others = f": it held for {', '.join(truth.held)}" if truth.held else ""
    return (f"the run never held for `{expect.held}`{others}",)


def unmet(expect: Expect, ending: Ending) -> tuple[str, ...]:
    """One sentence for each expectation that the ending does not meet; empty when all are met."""
    truth = ending.truth
    live = max(truth.weights.values(), default=0)
    found: list[str] = []

    def differs(what: str, wanted: object, got: object) -> None:
        found.append(f"expected {what} {wanted}, got {got}")

    if expect.outcome is not None and ending.outcome not in expect.outcome:
        differs("outcome", " or ".join(expect.outcome), ending.outcome)
    if expect.exit_code is not None and expect.exit_code != ending.exit_code:
        differs("exit code", expect.exit_code, ending.exit_code)
    weight = _weight_meant(expect, ending)
    if weight is not None and weight != max(0, live):
        differs("a final weight of", weight_text(weight), weight_text(live))
    if expect.no_raise_after and truth.highest > truth.found_highest:
        differs("no weight above", weight_text(truth.found_highest), weight_text(truth.highest))
    if expect.reached is not None and expect.reached * 10 != truth.highest:
        differs("the highest weight", f"{expect.reached} %", weight_text(truth.highest))
    step = _step(truth.highest, ending.steps)
    if expect.step is not None and expect.step != step:
        differs("the last step written", expect.step, step)
    if expect.reason is not None and not re.search(expect.reason, ending.reason, re.IGNORECASE):
        differs("a reason like", repr(expect.reason), repr(ending.reason))
    most = _most_harmed(expect, truth)
    if truth.harmed > most:
        differs("harmed requests of at most", round(most), truth.harmed)
    if expect.no_requests_to_destination and truth.requests:
        differs("requests to the destination:", "none", truth.requests)
    if expect.writes_at_most is not None and truth.writes > expect.writes_at_most:
        differs("writes of at most", expect.writes_at_most, truth.writes)
    return tuple(found)


def _weight_meant(expect: Expect, ending: Ending) -> int | None:
    """The final weight, per mille; None when none is expected."""
    match expect.weight:
        case None:
            return None
        case "unchanged":
            return ending.truth.found
        case "last":
            return max(ending.steps, default=0)
        case percent:
            return int(percent) * 10


def _most_harmed(expect: Expect, truth: Truth) -> float:
    """How many harmed requests are allowed; no end without a limit."""
    most = float("inf") if expect.harmed_at_most is None else float(expect.harmed_at_most)
    if expect.outage_at_most is not None:
        served = truth.rate * truth.highest / 1000 * expect.outage_at_most / MINUTE
        most = min(most, max(FEWEST_HARMED, round(served)))
    return most


def _step(highest: int, steps: Sequence[int]) -> int:
    """How many of the plan's steps (per mille) a weight reaches."""
    return sum(0 < weight <= highest for weight in steps)


def expects_something(expect: Expect) -> bool:
    """Does the scenario say how it should end?"""
    return expect != Expect()
