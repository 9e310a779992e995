from __future__ import annotations

from typing import Any

from cutover.aws.target_health import AlbTargetHealth
from cutover.core.observation import GroupHealth, Known, Reading, Unknown
from tests.aws.topology import INLINE, Faults, stubbed, world

GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/eks/4567"


def target(name: str, state: str, reason: str = "", zone: str = "") -> dict[str, Any]:
    health = {"State": state, **({"Reason": reason} if reason else {})}
    return {
        "Target": {"Id": name, **({"AvailabilityZone": zone} if zone else {})},
        "TargetHealth": health,
    }


def known(reading: Reading[GroupHealth]) -> GroupHealth:
    assert isinstance(reading, Known), reading
    return reading.value


def test_targets_are_counted_by_state_zone_and_reason() -> None:
    aws = stubbed(
        "elbv2",
        (
            "describe_target_health",
            {
                "TargetHealthDescriptions": [
                    target("10.0.0.1", "healthy", zone="eu-west-1a"),
                    target("10.0.0.2", "healthy", zone="eu-west-1b"),
                    target("10.0.0.3", "unhealthy", "Target.Timeout", "eu-west-1b"),
                    target(
                        "10.0.0.4", "draining", "Target.DeregistrationInProgress", "eu-west-1a"
                    ),
                    target("10.0.0.5", "unavailable", "Target.HealthCheckDisabled", "all"),
                ]
            },
        ),
    )
    health = known(AlbTargetHealth(aws, INLINE).read([GROUP])[GROUP])
    assert (health.healthy, health.total) == (2, 4)
    assert health.zones == {"eu-west-1a": 1, "eu-west-1b": 1}
    assert health.registered_zones == {"eu-west-1a": 1, "eu-west-1b": 2, "?": 1}
    assert health.reasons == {
        "unhealthy/Target.Timeout": 1,
        "draining/Target.DeregistrationInProgress": 1,
        "unavailable/Target.HealthCheckDisabled": 1,
    }


def test_instances_are_placed_by_their_zone_and_looked_up_once() -> None:
    there = world(instances=True)
    health = AlbTargetHealth(there.aws, INLINE)
    faults = Faults({}).install(there.aws, "ec2")
    for _ in range(3):
        found = health.read([there.source, there.destination])
        assert known(found[there.source]).zones == {"eu-west-1a": 1, "eu-west-1b": 1}
    assert faults.calls == ["DescribeInstances"]


def test_instances_whose_zone_may_not_be_read_stand_under_a_question_mark() -> None:
    there = world(instances=True)
    health = AlbTargetHealth(there.aws, INLINE)
    faults = Faults({"DescribeInstances": ["denied"]}).install(there.aws, "ec2")
    for _ in range(2):
        assert known(health.read([there.source])[there.source]).zones == {"?": 2}
    assert faults.calls == ["DescribeInstances"]


def test_one_group_that_cannot_be_read_hides_no_other() -> None:
    there = world()
    gone = there.source[:-4] + "beef"
    found = AlbTargetHealth(there.aws, INLINE).read([gone, there.destination])
    assert isinstance(found[gone], Unknown)
    assert known(found[there.destination]).total == 2
