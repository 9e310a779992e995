"""The last step with the real judge: an incident of both sides, and a defect of the destination alone."""

from __future__ import annotations

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.values import MINUTE
from tests.core.engine.asking import held_at, holds, went_back
from tests.fakes import Bench, plan_of

STEPS = [
    {"weight": 5, "bake": "10m"},
    {"weight": 50, "bake": "10m"},
    {"weight": 100, "bake": "30m"},
]
SLIVER = {"hold_back": "5%"}
ALONE = {"hold_back": "0%"}
RATES = pytest.mark.parametrize("rate", [0.05, 0.4])
TRAFFIC = pytest.mark.parametrize("per_minute", [6_000, 300_000])


def last_step(
    held_back: dict[str, str],
    rate: float,
    *,
    both: bool,
    per_minute: int = 6_000,
    begins: int = 12,
    lasts: int = 12,
) -> Bench:
    """A run whose last bake sees errors so many minutes after its raise, for so many minutes (0: to the end)."""
    bench = Bench(plan_of(steps=STEPS, **held_back))
    bench.traffic.per_minute = per_minute
    usual = bench.traffic.destination_errors

    def fail(to: float) -> None:
        bench.traffic.destination_errors = to
        if both:
            bench.traffic.source_errors = to

    weight = 950 if held_back is SLIVER else 1000
    bench.at_weight(weight, lambda: fail(rate), begins * MINUTE)
    if lasts:
        bench.at_weight(weight, lambda: fail(usual), (begins + lasts) * MINUTE)
    return bench


def onset(bench: Bench, weight: int, begins: int = 12) -> int:
    """When it began to fail (wall ms)."""
    written = next(at for at, _, config in bench.router.writes if config.weight == weight)
    return written + begins * MINUTE


@RATES
@TRAFFIC
def test_beside_a_sliver_a_shared_incident_holds_and_the_run_goes_on(
    rate: float, per_minute: int
) -> None:
    bench = last_step(SLIVER, rate, both=True, per_minute=per_minute)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["shared"]


@RATES
@TRAFFIC
def test_without_one_a_shared_incident_asks_and_goes_on_by_itself_before_the_deadline(
    rate: float, per_minute: int
) -> None:
    bench = last_step(ALONE, rate, both=True, per_minute=per_minute)
    assert bench.run() == ExitCode.COMPLETED
    assert holds(bench) == ["no_control"]
    went_on = next(at for at, event in bench.stamped(ev.PhaseChanged) if event.before == "HOLDING")
    assert went_on.wall_ms - held_at(bench) < bench.plan.safety.ask_timeout


@RATES
@TRAFFIC
def test_beside_a_sliver_a_defect_goes_back_at_once(rate: float, per_minute: int) -> None:
    bench = last_step(SLIVER, rate, both=False, per_minute=per_minute, lasts=0)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == []
    assert went_back(bench)[0] - onset(bench, 950) <= 4 * MINUTE
    assert 1000 not in bench.router.weights()


@RATES
def test_without_one_a_defect_goes_back_when_nobody_has_answered(rate: float) -> None:
    bench = last_step(ALONE, rate, both=False, lasts=0)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == ["no_control"]
    assert held_at(bench) - onset(bench, 1000) <= 4 * MINUTE
    assert went_back(bench)[1].cause == "deadline"


@RATES
@pytest.mark.parametrize("held_back", [SLIVER, ALONE], ids=["sliver", "alone"])
def test_a_defect_that_the_last_raise_itself_brings_goes_back_at_once(
    held_back: dict[str, str], rate: float
) -> None:
    bench = last_step(held_back, rate, both=False, begins=1, lasts=0)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == []


@RATES
def test_a_defect_that_only_the_hand_over_brings_goes_back_at_once(rate: float) -> None:
    bench = Bench(plan_of(steps=STEPS, **SLIVER))
    bench.at_weight(1000, lambda: setattr(bench.traffic, "destination_errors", rate))
    assert bench.run() == ExitCode.ROLLED_BACK
    assert holds(bench) == []
    assert went_back(bench)[0] - onset(bench, 1000, 0) <= 4 * MINUTE
