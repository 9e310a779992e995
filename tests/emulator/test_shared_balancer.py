"""A load balancer that serves others too: the whole run, on the emulated AWS, at 100 % with nobody to compare with."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.emulator.ending import Ending
from cutover.emulator.world import World
from tests.emulator.driving import Drive, scenario
from tests.emulator.worlds import DESTINATION, MINUTE, SOURCE, counts, metric, small_plan, world

SHORT: dict[str, Any] = {
    "steps": [{"weight": 50, "bake": "10m"}, {"weight": 100, "bake": "45m"}],
    "hold_back": "0%",
    "gates": [
        {"errors": {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}},
        {"client_errors": {"versus_source": {"ratio": 1.5, "floor": "1%"}, "on_breach": "hold"}},
        {"healthy": {"min": 3}},
    ],
}


def rehearsed(name: str) -> Ending:
    plan = small_plan(**SHORT)
    with World.build(plan, scenario(name), 1) as made:
        return Drive(plan, made).run()


def test_other_services_are_seen_in_the_balancers_counts_and_nowhere_else() -> None:
    gone = {"side": "others", "elb_503": "100%"}
    with world({"traffic": {"others": "900/min"}}) as made:
        everybody = counts(made, "RequestCount", "")
        assert everybody - counts(made, "RequestCount", SOURCE) == pytest.approx(18_000, rel=0.1)
        assert metric(made, "RequestCount", group=DESTINATION) == {}
    with world({"traffic": {"others": "900/min"}, "effects": [gone]}) as made:
        made.clock.sleep(30 * MINUTE)
        everybody = counts(made, "RequestCount", "")
        assert everybody == counts(made, "RequestCount", SOURCE)
        assert counts(made, "HTTPCode_ELB_503_Count", "") == pytest.approx(18_000, rel=0.1)


@pytest.mark.slow
def test_a_run_completes_beside_a_service_that_has_lost_its_pods() -> None:
    ending = rehearsed("others-unavailable")
    assert (ending.outcome, ending.truth.harmed) == ("completed", 0)


@pytest.mark.slow
def test_a_destination_that_dies_beside_healthy_services_goes_back() -> None:
    assert rehearsed("dead-among-others").outcome == "rolled_back"
