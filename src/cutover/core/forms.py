"""A route's full canonical action list, opaque to the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cutover.core.values import Weight, digest


@dataclass(frozen=True)
class Form:
    """What a route says: canonical JSON text of its actions, and what a router derived from it.

    Equality is by text alone in practice: the other fields are derived from it and never journalled
    as truth of their own.

    Attributes:
        text: canonical JSON, enough for a router to write it again; never holds a secret.
        weight: the destination's portion of the pair in per mille, None when it cannot be derived
            (a group of the pair is missing or both weigh 0).
        attached: the destination's group is in the action.
        source_present: the source's group is in the action.
        sticky: group stickiness is on, so the observed share is not the weight.
    """

    text: str
    weight: Weight | None
    attached: bool
    source_present: bool = True
    sticky: bool = False

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the text: the identity of the form in journal and comparisons."""
        return digest(self.text)


def form_body(form: Form) -> dict[str, str | int | bool]:
    """The form as the journal and snapshot.json hold it; weight -1 stands for underivable."""
    return {
        "text": form.text,
        "weight": -1 if form.weight is None else int(form.weight),
        "attached": form.attached,
        "source_present": form.source_present,
        "sticky": form.sticky,
    }


def form_of(body: Mapping[str, Any]) -> Form:
    """The form of `form_body`'s data.

    Raises:
        ValueError: when a field is missing or of the wrong kind.
    """
    try:
        weight = body["weight"]
        return Form(
            text=str(body["text"]),
            weight=None if weight == -1 else Weight(int(weight)),
            attached=bool(body["attached"]),
            source_present=bool(body["source_present"]),
            sticky=bool(body["sticky"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a form: {error}") from None
