"""What a forecast stands on: the traffic, what the errors gate allows, and how fast this tool acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cutover.core.gates.sequential.eprocess import ALPHA, Course, Standard
from cutover.core.values import FULL, MINUTE, SECOND

PUBLICATION: Final = 48 * SECOND
"""From a minute's end until CloudWatch has published it: 0.8 minutes on average (docs/judge.md)."""

LOOKS: Final = 2
"""Polls a published minute waits for at most: one until it is seen, one until what it asks for is done."""

RULE_CHANGE: Final = 30 * SECOND
"""From the decision until every node of the load balancer follows (docs/judge.md)."""

LEAST_HORIZON: Final = 120


@dataclass(frozen=True)
class TrafficRate:
    """Requests a minute over all routes: `trough` is what evidence is sure to get, `peak` what a defect can harm.

    `comparisons` share it evenly and are judged one by one.
    """

    trough: float
    peak: float
    comparisons: int = 1


@dataclass(frozen=True)
class ForecastStep:
    """One step: weight per mille, bake in ms."""

    weight: int
    bake_ms: int


@dataclass(frozen=True)
class ForecastInputs:
    """Everything a forecast needs besides the steps.

    Attributes:
        traffic: requests a minute.
        standard: what the errors signal is held against.
        share: of alpha, what the errors signal gets.
        fewest: requests of the destination in a step without which some gate cannot pass.
        alpha_scale: the part of the signal's share of alpha that is one comparison's.
        period_ms, settle_ms, poll_ms: the plan's `observe`.
    """

    traffic: TrafficRate
    standard: Standard
    share: float = 0.5
    fewest: int = 60
    alpha_scale: float = 1.0
    period_ms: int = MINUTE
    settle_ms: int = 2 * MINUTE
    poll_ms: int = 15 * SECOND

    @property
    def odds(self) -> float:
        """M at which the errors signal is a breach."""
        return 1 / (ALPHA * self.share * self.alpha_scale)

    @property
    def pipe_ms(self) -> int:
        """From the end of the deciding minute until traffic is back: publication, polling, rule change."""
        return min(PUBLICATION, self.settle_ms) + LOOKS * self.poll_ms + RULE_CHANGE

    @property
    def swift_ms(self) -> int:
        """The least a defect costs: the minute in which it is seen, and the pipe."""
        return self.period_ms + self.pipe_ms

    @property
    def between_ms(self) -> int:
        """What a step takes besides its bake: the weight spreads, whole periods begin, the last one settles."""
        return self.settle_ms + 2 * self.period_ms

    def seen(self, weight: int) -> float:
        """Requests a period that one comparison's destination gets at `weight`, at the trough."""
        return self._a_period(self.traffic.trough, weight) / self.traffic.comparisons

    def seen_at_most(self, weight: int) -> float:
        """The same at the peak."""
        return self._a_period(self.traffic.peak, weight) / self.traffic.comparisons

    def harmed(self, weight: int, span_ms: float) -> float:
        """Requests at `weight` in so many ms, all comparisons together, at the peak."""
        return self.traffic.peak * weight / FULL * span_ms / MINUTE

    def _a_period(self, a_minute: float, weight: int) -> float:
        return a_minute * weight / FULL * self.period_ms / MINUTE

    def course(self, stages: tuple[ForecastStep, ...]) -> Course:
        """What the judge's prior will know of these steps."""
        return Course(len(stages), planned_horizon(sum(stage.bake_ms for stage in stages)))


def planned_horizon(bakes_ms: int) -> int:
    """Minutes over which a defect may begin at any time: twice the planned ones, 120 at least (docs/judge.md)."""
    return max(LEAST_HORIZON, 2 * (bakes_ms // MINUTE))
