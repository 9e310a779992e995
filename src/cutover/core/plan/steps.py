"""The steps of a plan: as they are written, and as the engine climbs them.

With `hold_back` the last written step, at 100, is climbed as two: first 100 minus hold_back, with its bake and its
approval, while a sliver of traffic at the source still shows what a healthy destination may look like; then 100
without a bake, the *hand-over*. At 100 nobody is left to compare with: docs/judge.md measured that a shared
incident in the last bake rolls back every cutover at 100 % and none at 95 %.

Positions and sentences about the file speak of written steps; everything that runs speaks of climbed ones.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from cutover.core.forecast import MOST_HELD_BACK
from cutover.core.plan.texts import Sentence
from cutover.core.units import Duration, Model, Percentage
from cutover.core.values import FULL, parse_percent, percent_text

_PPM_OF_PER_MILLE = 1_000


def _per_mille(value: object) -> object:
    """Per mille of `5%`: weights are set in steps of 0.1 %."""
    if isinstance(value, bool) or not isinstance(value, str):
        raise PydanticCustomError("unit", "needs a unit: write for example 5%")
    try:
        ppm = parse_percent(value)
    except ValueError as error:
        raise PydanticCustomError("unit", "{message}", {"message": str(error)}) from None
    if ppm % _PPM_OF_PER_MILLE:
        raise PydanticCustomError(
            "hold_back", "{text} is finer than 0.1 %, and weights are not", {"text": value}
        )
    held = ppm // _PPM_OF_PER_MILLE
    if held > MOST_HELD_BACK:
        raise PydanticCustomError(
            "hold_back",
            "{text} is more than {most}: write a step of its own for it",
            {"text": value, "most": percent_text(MOST_HELD_BACK * _PPM_OF_PER_MILLE)},
        )
    return held


Sliver = Annotated[
    int,
    BeforeValidator(_per_mille),
    PlainSerializer(lambda held: percent_text(held * _PPM_OF_PER_MILLE)),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9]+(\\.[0-9])? ?%$", "examples": ["5%", "1%"]}
    ),
]
"""Traffic kept at the source for the last bake: per mille, at most a fifth; 0 says that none is meant to be."""


class Step(Model):
    """One weight, and how long it is watched before the next."""

    weight: Percentage = Field(
        description="percent of the traffic that goes to the destination, in steps of 0.1"
    )
    bake: Duration = Field(
        description="how long evidence is collected at this weight before the next step"
    )
    approve: Sentence | None = Field(
        default=None,
        description="a person is asked this before the weight is raised; `cutover approve` answers",
    )

    @property
    def hands_over(self) -> bool:
        """The step has no bake of its own: the one before baked for it. No written step is so (`rules`)."""
        return self.bake == 0


_HAND_OVER = Step.model_construct(weight=FULL, bake=0, approve=None)


def climbed(written: tuple[Step, ...], hold_back: int | None) -> tuple[Step, ...]:
    """The steps that the engine climbs; the written ones without `hold_back`, or without a last step at 100."""
    if not hold_back or not written or written[-1].weight != FULL:
        return written
    *before, last = written
    control = last.model_copy(update={"weight": FULL - hold_back})
    return (*before, control, _HAND_OVER)
