"""Target health that follows attachment, as on AWS: unused until a rule names the group, then initial, then healthy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend

_DESCRIPTIONS = {
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.ResponseCodeMismatch": "Health checks failed with these codes: [503]",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.HealthCheckDisabled": "Health checks are disabled for this target group",
}


@dataclass(frozen=True)
class Target:
    """One registered target; `zone` is "" for instances, whose zone DescribeTargetHealth does not tell."""

    id: str
    port: int
    zone: str
    shown_zone: str


@dataclass
class Sickness:
    """Targets in a scripted state for a while; `seen` is told of each look at one of them."""

    group: str
    ids: frozenset[str]
    state: str
    reason: str
    seen: Callable[[], None] = lambda: None


@dataclass
class HealthBook:
    """The health of every target, by the virtual clock, what is attached and what the scenario says."""

    now_ms: Callable[[], int]
    healthy_after_ms: int
    attached_at: dict[str, int] = field(default_factory=dict)
    sicknesses: list[Sickness] = field(default_factory=list)

    def attach(self, groups: set[str]) -> None:
        """These groups are named in rules now; the others are not any more."""
        for gone in set(self.attached_at) - groups:
            del self.attached_at[gone]
        for arn in groups - set(self.attached_at):
            self.attached_at[arn] = self.now_ms()

    def settled(self, groups: set[str]) -> None:
        """These groups have been attached for long: healthy from the start."""
        for arn in groups:
            self.attached_at[arn] = self.now_ms() - 86_400_000

    def state(self, group: str, target: str) -> tuple[str, str]:
        """State and reason of one registered target."""
        attached_at = self.attached_at.get(group)
        for sickness in self.sicknesses:
            if attached_at is not None and sickness.group == group and target in sickness.ids:
                sickness.seen()
                return sickness.state, sickness.reason
        if attached_at is None:
            return "unused", "Target.NotInUse"
        if self.now_ms() - attached_at < self.healthy_after_ms:
            return "initial", "Elb.InitialHealthChecking"
        return "healthy", ""


class HonestStatus(FakeHealthStatus):
    """moto's status, with the zone that AWS shows for ip targets."""

    zone: str = ""

    @property
    def target(self) -> dict[str, Any]:
        """Id, port and, for ip targets, the zone."""
        shown: dict[str, Any] = super().target
        return {**shown, "AvailabilityZone": self.zone} if self.zone else shown

    @property
    def target_health(self) -> dict[str, str | None]:
        """Without the empty fields that moto shows."""
        return {name: value for name, value in super().target_health.items() if value}


class HonestGroup(FakeTargetGroup):
    """moto's target group whose health comes from the book."""

    book: HealthBook
    members: tuple[Target, ...] = ()

    def health_for(self, target: dict[str, Any], ec2_backend: EC2Backend) -> FakeHealthStatus:
        """One target's health."""
        member = next((m for m in self.members if m.id == target["Id"]), None)
        if member is None or member.id not in self.targets:
            return HonestStatus(
                target["Id"], str(target.get("Port", self.port)), self.health_check_port,
                "unused", "Target.NotRegistered", "Target is not registered to the target group",
            )  # fmt: skip
        return self.status_of(member)

    def status_of(self, member: Target) -> HonestStatus:
        """The health of a registered target."""
        state, reason = self.book.state(self.arn, member.id)
        status = HonestStatus(
            member.id,
            str(member.port),
            str(self.port),
            state,
            reason or None,
            _DESCRIPTIONS.get(reason),
        )
        status.zone = member.shown_zone
        return status

    def take_away(self, ids: frozenset[str]) -> int:
        """These targets are deregistered and gone; how many that were."""
        gone = ids & set(self.targets)
        for name in gone:
            del self.targets[name]
        return len(gone)

    def bring_back(self, ids: frozenset[str]) -> None:
        """These targets are registered again, in their old order."""
        wanted = ids | set(self.targets)
        self.targets.clear()
        self.targets.update(
            {m.id: {"Id": m.id, "Port": m.port} for m in self.members if m.id in wanted}
        )
