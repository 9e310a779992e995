"""A route's full canonical action list, opaque to the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cutover.core.values import Weight, digest


@dataclass(frozen=True)
class RouteConfig:
    """What a route says: canonical JSON text of its actions, and what a router derived from it.

    Equality is by text alone in practice: the other fields are derived from it and never journalled
    as truth of their own. `original` and `unmodelled` are no part of it: they are what canonical text cannot say.

    Attributes:
        text: canonical JSON, enough for a router to write it again; never holds a secret.
        weight: the destination's portion of the comparison in per mille, None when it cannot be derived
            (a group of the comparison is missing or both weigh 0).
        attached: the destination's group is in the action.
        source_present: the source's group is in the action.
        sticky: group stickiness is on, so the observed share is not the weight.
        original: the actions as AWS spelled them, without secrets, which is what goes back; empty when it is `text`.
        unmodelled: members of the actions that this version cannot read, so that a write would drop them.
    """

    text: str
    weight: Weight | None
    attached: bool
    source_present: bool = True
    sticky: bool = False
    original: str = field(default="", compare=False)
    unmodelled: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the text: the identity of the config in journal and comparisons."""
        return digest(self.text)


def config_body(config: RouteConfig) -> dict[str, Any]:
    """The config as the journal and snapshot.json hold it; weight -1 stands for underivable.

    `original` and `unmodelled` are there only when they say something: bodies of earlier runs have neither.
    """
    body: dict[str, Any] = {
        "text": config.text,
        "weight": -1 if config.weight is None else int(config.weight),
        "attached": config.attached,
        "source_present": config.source_present,
        "sticky": config.sticky,
    }
    if config.original:
        body["original"] = config.original
    if config.unmodelled:
        body["unmodelled"] = list(config.unmodelled)
    return body


def config_of(body: Mapping[str, Any]) -> RouteConfig:
    """The form of `config_body`'s data.

    Raises:
        ValueError: when a field is missing or of the wrong kind.
    """
    try:
        weight = body["weight"]
        return RouteConfig(
            text=str(body["text"]),
            weight=None if weight == -1 else Weight(int(weight)),
            attached=bool(body["attached"]),
            source_present=bool(body["source_present"]),
            sticky=bool(body["sticky"]),
            original=str(body.get("original", "")),
            unmodelled=tuple(str(one) for one in body.get("unmodelled", ())),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a config: {error}") from None
