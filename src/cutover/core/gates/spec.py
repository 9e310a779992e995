"""What the options of all gates share: the words of `on_breach`, and the comparison with the source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cutover.core.units import Model, Share
from cutover.core.values import PPM

OnBreach = Literal["rollback", "hold"]

Answer = Annotated[
    OnBreach,
    Field(
        description="What a breach leads to: `rollback` returns all traffic to the source, `hold` stays and pages."
    ),
]
Budget = Annotated[
    Share | None,
    Field(
        description="Of all requests the destination got in the whole run, the share that may be bad in total. "
        "It is never reset: it catches a drip of short bursts that no single minute breaches."
    ),
]
MinRequests = Annotated[
    int,
    Field(
        ge=1,
        description="Requests the destination must have served in a step before the gate can pass.",
    ),
]
Judge = Annotated[
    Literal["threshold"],
    Field(description="The statistics that judge the counts."),
]


def fewest_requests(limit_ppm: int) -> int:
    """Requests without a single bad one that exclude a rate of `limit_ppm` (rule of three, 95 %)."""
    return -(-3 * PPM // limit_ppm)


class GateSpec(Model):
    """Options that every gate takes."""

    on_breach: Answer = "rollback"

    @property
    def requests_to_pass(self) -> int:
        """The fewest destination requests in a step with which this gate can pass; 0: it needs none.

        With no bad request among them. A step that cannot bring that many within its bake cannot be judged.
        """
        return 0


class CountingSpec(GateSpec):
    """Options of the gates that count bad requests out of all of them."""

    min_requests: MinRequests = 100
    judge: Judge = "threshold"


class VersusSource(Model):
    """The destination compared with the source in the same minutes."""

    ratio: Annotated[
        float,
        Field(
            ge=1,
            le=1000,
            description="How many times the source's concurrent rate the destination may show.",
        ),
    ]
    floor: Annotated[
        Share,
        Field(
            gt=0,
            lt=1_000_000,
            description="A rate that is always allowed, however well the source does.",
        ),
    ]
