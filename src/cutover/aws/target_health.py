"""Live health of target groups, by DescribeTargetHealth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cutover.aws.fanout import Fanout
from cutover.aws.retry import Failure
from cutover.aws.session import AwsSession
from cutover.core.moment import Moment
from cutover.core.observation import GroupHealth, Known, Reading
from cutover.ports import TargetHealth

_LEAVING = frozenset({"Target.NotRegistered", "Target.DeregistrationInProgress"})


class AlbTargetHealth(TargetHealth):
    """Asks for every group side by side.

    AWS docs: a target of type `ip` names its zone, one of type `instance` does not; those are
    looked up once per instance by ec2:DescribeInstances, and count under `?` where that is denied.
    """

    def __init__(self, aws: AwsSession, fanout: Fanout) -> None:
        self._aws = aws
        self._fanout = fanout
        self._zones: dict[str, str] = {}

    def read(self, groups: Sequence[str]) -> Mapping[str, Reading[GroupHealth]]:
        calls: dict[str, Callable[[], tuple[Moment, Sequence[Mapping[str, Any]]] | Failure]] = {
            group: self._reader(group) for group in dict.fromkeys(groups)
        }
        answers = self._fanout.run(calls)
        self._look_up_zones(answers.values())
        return {group: self._reading(answer) for group, answer in answers.items()}

    def _reader(
        self, group: str
    ) -> Callable[[], tuple[Moment, Sequence[Mapping[str, Any]]] | Failure]:
        def ask() -> tuple[Moment, Sequence[Mapping[str, Any]]]:
            at = self._aws.clock.now()
            answer = self._aws.client("elbv2").describe_target_health(TargetGroupArn=group)
            return at, answer["TargetHealthDescriptions"]

        return lambda: self._aws.reads.read(ask)

    def _reading(
        self, answer: tuple[Moment, Sequence[Mapping[str, Any]]] | Failure
    ) -> Reading[GroupHealth]:
        if isinstance(answer, Failure):
            return answer.unknown()
        at, targets = answer
        healthy, total = 0, 0
        zones: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        registered: Counter[str] = Counter()
        for one in targets:
            health = one["TargetHealth"]
            state, reason = str(health["State"]), str(health.get("Reason", ""))
            zone = self._zone(one["Target"])
            if state != "draining" and reason not in _LEAVING:
                total += 1
                registered[zone] += 1
            if state == "healthy":
                healthy += 1
                zones[zone] += 1
            else:
                reasons[f"{state}/{reason}" if reason else state] += 1
        return Known(GroupHealth(healthy, total, dict(zones), dict(reasons), dict(registered)), at)

    def _zone(self, target: Mapping[str, Any]) -> str:
        zone = str(target.get("AvailabilityZone") or self._zones.get(str(target["Id"]), "?"))
        return "?" if zone == "all" else zone

    def _look_up_zones(self, answers: Iterable[object]) -> None:
        unplaced = {
            str(one["Target"]["Id"])
            for answer in answers
            if isinstance(answer, tuple)
            for one in answer[1]
            if not one["Target"].get("AvailabilityZone")
            and str(one["Target"]["Id"]).startswith("i-")
        } - set(self._zones)
        if not unplaced:
            return

        def ask() -> dict[str, str]:
            # a filter, because naming an instance that is gone would fail the whole call
            pages = (
                self._aws.client("ec2")
                .get_paginator("describe_instances")
                .paginate(Filters=[{"Name": "instance-id", "Values": sorted(unplaced)[:200]}])
            )
            return {
                instance["InstanceId"]: instance["Placement"]["AvailabilityZone"]
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
            }

        answer = self._fanout.run({"zones": lambda: self._aws.reads.read(ask)})["zones"]
        if isinstance(answer, dict):
            self._zones.update(dict.fromkeys(unplaced, "?"))
            self._zones.update(answer)
        elif answer.denied:
            # once only: a missing permission must not cost a call in every turn
            self._zones.update(dict.fromkeys(unplaced, "?"))
