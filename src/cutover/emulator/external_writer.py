"""Somebody else changes a route: Terraform, the AWS Load Balancer Controller, a person in the console."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from cutover.core.plan import Plan
from cutover.core.values import SECOND
from cutover.emulator.balancer import Balancer
from cutover.emulator.injections import Write
from cutover.emulator.topology import NOT_FOUND, foreign_group


class ExternalWriter:
    """Writes past the run, straight into the balancer; `wrote` is told of each route."""

    def __init__(self, plan: Plan, balancer: Balancer, wrote: Callable[[str], None]) -> None:
        self._plan = plan
        self._balancer = balancer
        self._wrote = wrote

    def write(self, change: Write) -> int:
        """Make the change now; how many routes are different by it."""
        changed = 0
        for number, route in enumerate(self._plan.routes, start=1):
            if change.route not in (None, number):
                continue
            if change.delete_rule:
                changed += self._balancer.delete_rule(route.id)
                self._wrote(route.id)
            elif self._balancer.actions(route.id):  # one that was deleted cannot be changed
                before = copy.deepcopy(self._balancer.actions(route.id))
                after = self._changed(
                    change, copy.deepcopy(before), route.source, route.destination
                )
                self._balancer.remember(route.id)
                self._balancer.set_actions(route.id, after)
                self._wrote(route.id)
                changed += after != before
        return changed

    def _changed(
        self, change: Write, actions: list[dict[str, Any]], source: str, destination: str
    ) -> list[dict[str, Any]]:
        if change.drop_both:
            return [NOT_FOUND]
        action = next((a for a in actions if a["Type"] == "forward"), None)
        if action is None:
            return actions
        config = action.setdefault(
            "ForwardConfig", {"TargetGroups": [{"TargetGroupArn": source, "Weight": 1}]}
        )
        action.pop("TargetGroupArn", None)
        groups = {g["TargetGroupArn"]: g["Weight"] for g in config["TargetGroups"]}
        if change.weight is not None:
            groups[source], groups[destination] = 100 - change.weight, change.weight
        if change.add_group is not None:
            other = foreign_group(source)
            if self._balancer.group(other) is None:
                self._balancer.add_group(
                    other, (), kind="instance", protocol_version="HTTP1", sticky=False
                )
            groups[other] = change.add_group
        if change.drop_destination:
            groups.pop(destination, None)
            groups[source] = groups.get(source) or 100
        if change.sticky is not None:
            config["TargetGroupStickinessConfig"] = {
                "Enabled": True,
                "DurationSeconds": change.sticky // SECOND,
            }
        config["TargetGroups"] = [
            {"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups.items()
        ]
        return actions
