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
    int | None,
    Field(
        ge=1,
        description="Requests the destination must have served in a step before the gate can pass, however long that takes. "
        "Without it 100 with `judge: threshold`; with `sequential` 60 clean ones, waited for at most 20 minutes beyond the bake.",
    ),
]
JudgeName = Literal["sequential", "threshold"]
Judge = Annotated[
    JudgeName,
    Field(
        description="The statistics that judge the counts: `sequential` weighs evidence minute by minute against a bound on "
        "false rollbacks over the whole cutover; `threshold` compares minutes and sums with limits."
    ),
]


THRESHOLD_REQUESTS = 100
EXCLUDED_PPM = 50_000
"""The sequential judge lets a step pass once its 95 % bound excludes 5 % of bad requests (docs/judge.md)."""


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

    min_requests: MinRequests = None
    judge: Judge = "threshold"

    def fewest(self, limit_ppm: int) -> int:
        """Requests in a step, none of them bad, with which the gate can pass."""
        if self.judge == "sequential":
            return max(self.min_requests or 0, fewest_requests(EXCLUDED_PPM))
        least = THRESHOLD_REQUESTS if self.min_requests is None else self.min_requests
        return max(least, fewest_requests(limit_ppm))


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
