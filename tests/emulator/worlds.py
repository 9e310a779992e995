"""Worlds for tests: a small plan, and boto3 clients to poke at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from botocore.config import Config

from cutover.core.plan import Plan
from cutover.emulator.balancer import forward
from cutover.emulator.injections import Fault
from cutover.emulator.occurrences import Occurrence
from cutover.emulator.scenario import Scenario
from cutover.emulator.witness import Witness
from cutover.emulator.world import World
from tests.fakes import DESTINATION, LISTENER, RULE, SOURCE, plan_of

__all__ = [
    "DESTINATION",
    "LISTENER",
    "RULE",
    "SOURCE",
    "World",
    "armed",
    "counts",
    "metric",
    "moved",
    "small_plan",
    "world",
]

ONCE = Config(retries={"total_max_attempts": 1})
MINUTE = 60_000
GROUP = {"LoadBalancer": "app/prod-web/50dc6c495c0c9188"}


def small_plan(**changes: object) -> Plan:
    routes = [
        {"rule": RULE, "source": SOURCE, "destination": DESTINATION},
        {"listener": LISTENER, "source": SOURCE, "destination": DESTINATION},
    ]
    return plan_of(**{"routes": routes, "traffic": "6000/min", **changes})


@contextmanager
def world(
    facts: Mapping[str, Any] | None = None,
    *,
    seed: int = 1,
    plan: Plan | None = None,
    fast: bool = True,
    witness: Witness | None = None,
) -> Iterator[World]:
    """A world of the small plan; `facts` as a scenario file would say them."""
    scenario = Scenario.model_validate_json(json.dumps({"description": "a test", **(facts or {})}))
    with World.build(plan or small_plan(), scenario, seed, fast=fast, witness=witness) as made:
        yield made


def armed(world: World, fault: Fault) -> None:
    """From now on calls meet this fault, as if the scenario had it."""
    world.faults.arm(fault, Occurrence("a test's fault", "nothing", {}))


def moved(world: World, weight: int, route: str = RULE) -> Any:
    """Write the comparison at `weight` percent with a plain client."""
    elb = world.session.client("elbv2", config=ONCE)
    actions = [forward({SOURCE: 100 - weight, DESTINATION: weight})]
    if route == RULE:
        return elb.modify_rule(RuleArn=route, Actions=actions)
    return elb.modify_listener(ListenerArn=route, DefaultActions=actions)


def both_moved(world: World, weight: int) -> None:
    moved(world, weight, RULE)
    moved(world, weight, LISTENER)


def metric(
    world: World, name: str, statistic: str = "Sum", *, group: str = "", minutes: int = 30, period: int = 60,
    namespace: str = "AWS/ApplicationELB", until: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Values by wall-clock minute (HH:MM) of the last `minutes`."""
    dimensions = dict(GROUP)
    if group:
        dimensions["TargetGroup"] = group.rpartition(":")[2]
    now = world.clock.now().wall
    answer = world.session.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "q1",
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace,
                        "MetricName": name,
                        "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
                    },
                    "Period": period,
                    "Stat": statistic,
                },
            }
        ],
        StartTime=now - timedelta(minutes=minutes),
        EndTime=now - timedelta(minutes=until),
        ScanBy="TimestampAscending",
    )
    result = answer["MetricDataResults"][0]
    assert result["StatusCode"] == "Complete"
    return {
        f"{at:%H:%M}": value
        for at, value in zip(result["Timestamps"], result["Values"], strict=True)
    }


def counts(world: World, name: str, group: str, *, minutes: int = 20) -> float:
    """The sum over the last settled minutes."""
    return sum(metric(world, name, group=group, minutes=minutes + 3, until=3).values())
