"""The `gates` section: each entry one key of the registry, with the spec of that gate below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from cutover.core.gates import GATES
from cutover.core.units import Model

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue


class _Entry(Model):
    """One entry of `gates`: exactly one kind."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="after")
    def _one_kind(self) -> _Entry:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError(
                "one_key",
                "a gate is one key with its settings, for example `- errors: {max: 1%}`",
            )
        return self


@cache
def entry_model() -> type[_Entry]:
    """The model of one entry, made from the registry."""
    fields: dict[str, Any] = {
        kind: (gate.Spec, Field(default=None, description=_first_line(gate.Spec.__doc__)))
        for kind, gate in GATES.items()
    }
    return create_model(
        "GateEntry", __base__=_Entry, __doc__="One gate: exactly one of these keys.", **fields
    )


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


@dataclass(frozen=True)
class PlannedGate:
    """One gate of a plan: its kind in the registry, and its settings."""

    kind: str
    spec: Any

    @property
    def gate(self) -> Any:
        """The gate's functions (`core.gates.judging.Gate`)."""
        return GATES[self.kind]

    @cached_property
    def name(self) -> str:
        """Unique in the plan: the kind, with its name or its percentile where a kind may come twice."""
        if name := getattr(self.spec, "name", None):
            return f"{self.kind}.{name}"
        percentile = getattr(self.spec, "percentile", 95)
        return self.kind if percentile == 95 else f"{self.kind}.p{percentile:g}"

    @property
    def on_breach(self) -> Literal["rollback", "hold"]:
        """What a breach of it leads to."""
        return "hold" if getattr(self.spec, "on_breach", "rollback") == "hold" else "rollback"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """In a file a gate is a mapping with one key."""
        return core_schema.no_info_after_validator_function(
            _planned,
            handler.generate_schema(entry_model()),
            serialization=core_schema.plain_serializer_function_ser_schema(_unplanned),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema of the entry."""
        return handler(schema["schema"])


def _planned(entry: _Entry) -> PlannedGate:
    (kind,) = entry.model_fields_set
    return PlannedGate(kind, getattr(entry, kind))


def _unplanned(planned: PlannedGate) -> Mapping[str, Any]:
    return {planned.kind: planned.spec.model_dump(mode="json", by_alias=True, exclude_none=True)}


def alpha_scale(gates: Sequence[PlannedGate], comparisons: int) -> float:
    """What each signal's share of alpha is multiplied with, so that over comparisons and gates they sum to 1 at most."""
    taken = sum(float(gate.gate.alpha(gate.spec)) for gate in gates)
    return 1 / (max(1.0, taken) * max(1, comparisons))


DEFAULT_GATES: tuple[Mapping[str, Mapping[str, Any]], ...] = (
    {"errors": {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}},
    {"latency": {"percentile": 95, "versus_source": {"ratio": 1.25}}},
    {"client_errors": {"versus_source": {"ratio": 1.5, "floor": "1%"}, "on_breach": "hold"}},
    {"lb_errors": {"max": "1%"}},
    {"healthy": {"min": 1}},
)
"""What a plan without `gates` is judged by."""


@cache
def default_gates() -> tuple[PlannedGate, ...]:
    """`DEFAULT_GATES` as gates."""
    entry = entry_model()
    return tuple(_planned(entry.model_validate(body)) for body in DEFAULT_GATES)
