"""The plan as the engine sees it: the file's sections, checked as a whole, with what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from cutover.core.forecast import planned_horizon
from cutover.core.observation import Calibration, Comparison, CustomMetric, Series, Side
from cutover.core.plan.arns import target_group_name
from cutover.core.plan.fields import PlanFields
from cutover.core.plan.gates import PlannedGate, alpha_scale
from cutover.core.plan.rules import broken_rules
from cutover.core.plan.windows import Window
from cutover.core.values import RouteId, canonical_json, digest

_SHARE = (
    Series(Side.SOURCE, "requests"),
    Series(Side.DESTINATION, "requests"),
    Series(Side.BALANCER, "requests"),
)


class Plan(PlanFields):
    """One cutover, strict and frozen; no instance breaks a rule of `rules`.

    Raises:
        pydantic.ValidationError: on construction, with every violation and its place.
    """

    @model_validator(mode="after")
    def _as_a_whole(self) -> Plan:
        broken = broken_rules(self)
        if broken:
            raise ValidationError.from_exception_data(
                "Plan",
                [
                    InitErrorDetails(
                        type=PydanticCustomError(
                            "rule",
                            "{message}",
                            {
                                "message": found.message,
                                "fix": found.fix,
                                "needs": sorted(found.needs),
                            },
                        ),
                        loc=found.loc,
                        input=None,
                    )
                    for found in broken
                ],
            )
        return self

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The judged units, in the order of their first routes."""
        return tuple(dict.fromkeys(self._comparison_by_route.values()))

    @cached_property
    def horizon(self) -> int:
        """Minutes over which a defect may begin: twice the planned ones, at least 120 (docs/judge.md)."""
        return planned_horizon(sum(step.bake for step in self.steps))

    @cached_property
    def alpha_scale(self) -> float:
        """What each signal's share of alpha is multiplied with, so that over comparisons and gates they sum to 1 at most."""
        return alpha_scale(self.gates, len(self.comparisons))

    @cached_property
    def alarms(self) -> tuple[str, ...]:
        """The CloudWatch alarms that its gates read, by name, each once."""
        return tuple(sorted({name for gate in self.gates for name in gate.gate.alarms(gate.spec)}))

    @cached_property
    def custom_metrics(self) -> Mapping[str, CustomMetric]:
        """The CloudWatch metrics of the plan's own, by name of the gate that reads it."""
        return {
            gate.name: series.custom
            for gate in self.gates
            for series in gate.gate.needs(gate.spec, self.comparisons[0], {})
            if series.custom is not None
        }

    def comparison_of(self, route_id: RouteId) -> Comparison:
        """The comparison of one route.

        Raises:
            KeyError: when the plan has no such route.
        """
        return self._comparison_by_route[route_id]

    @cached_property
    def _comparison_by_route(self) -> Mapping[RouteId, Comparison]:
        return {
            route.id: Comparison(
                f"{target_group_name(route.source)}>{target_group_name(route.destination)}",
                route.load_balancer,
                route.source,
                route.destination,
            )
            for route in self.routes
        }

    def series(self, calibration: Calibration) -> Mapping[Comparison, tuple[Series, ...]]:
        """By comparison, every series its gates and its observed share need, each once."""
        return {
            comparison: tuple(
                dict.fromkeys(
                    (
                        *_SHARE,
                        *(
                            one
                            for gate in self.gates
                            for one in gate.gate.needs(
                                gate.spec, comparison, calibration.get(comparison.id, {})
                            )
                        ),
                    )
                )
            )
            for comparison in self.comparisons
        }

    def forbidden_by(self, wall: datetime) -> Window | None:
        """The window that forbids a raise at `wall`; of several the one that ends last."""
        shut = [window for window in self.windows if window.holds(wall)]
        return max(shut, key=lambda window: window.ends_after(wall), default=None)

    def waives(self, check: str) -> bool:
        """The plan accepts that this check fails."""
        return any(waive.check == check for waive in self.waive)

    def data(self) -> dict[str, Any]:
        """The plan as a file would say it, with every default, as JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what the plan means: comments, order of keys and written defaults do not count."""
        return digest(canonical_json(self.data()))

    def effective_defaults(self) -> tuple[tuple[str, str], ...]:
        """Every value the plan does not say itself, `("safety.hold_timeout", "2h")`, in the file's order."""
        return tuple(_unsaid(self, self.data(), ""))


def _unsaid(model: BaseModel, data: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, field in type(model).model_fields.items():
        key = field.alias or name
        if key not in data:
            continue
        here = f"{path}.{key}" if path else key
        if name not in model.model_fields_set:
            yield from _leaves(data[key], here)
        else:
            yield from _unsaid_below(getattr(model, name), data[key], here)


def _unsaid_below(value: object, data: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, PlannedGate):
        yield from _unsaid(value.spec, data[value.kind], f"{path}.{value.kind}")
    elif isinstance(value, BaseModel):
        yield from _unsaid(value, data, path)
    elif isinstance(value, tuple):
        for i, (item, body) in enumerate(zip(value, data, strict=True)):
            yield from _unsaid_below(item, body, f"{path}[{i}]")


def _leaves(data: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _leaves(value, f"{path}.{key}")
    elif isinstance(data, list) and data:
        for i, value in enumerate(data):
            yield from _leaves(value, f"{path}[{i}]")
    else:
        yield (
            path,
            str(data).lower() if isinstance(data, bool) else "none" if data == [] else str(data),
        )
