"""The two-sample Mann-Whitney test with Hodges-Lehmann's shift and its confidence interval, as Kayenta runs it.

Kayenta (`kayenta-mannwhitney/.../MannWhitney.scala`, spinnaker/kayenta@552aa62) takes R's `wilcox.test` with normal
approximation, correction for ties and for continuity: the interval is where the standardised rank sum of
`experiment - shift` against `control` crosses its quantiles. The rank sum only changes at differences of two values, so
the roots are found among those, without a solver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from benchmarks.gating.chance import NORMAL


@dataclass(frozen=True)
class Shift:
    """How far the experiment lies above the control."""

    estimate: float
    low: float
    high: float


def shift(
    experiment: Sequence[float], control: Sequence[float], confidence: float = 0.98
) -> Shift | None:
    """The shift and its interval; None when every observation is tied (Kayenta cannot compute one then)."""
    m, n = len(experiment), len(control)
    differences = sorted(x - y for x in experiment for y in control)
    ties = sum(
        count**3 - count for side in (experiment, control) for count in Counter(side).values()
    )
    total = m + n
    spread = sqrt(max(0.0, m * n / 12 * (total + 1 - ties / (total * (total - 1)))))
    if spread == 0.0 or differences[0] == differences[-1]:
        return None
    z = NORMAL.inv_cdf(1 - (1 - confidence) / 2)
    pairs = m * n
    # U(shift) = differences above it; standardised with 0.5 for continuity it must be at least z (at most -z)
    at_least = pairs / 2 + 0.5 + z * spread
    if at_least >= pairs:
        return Shift(_median(differences), differences[0], differences[-1])
    above = int(at_least)  # so many differences, and a part of one, lie above the lower end
    return Shift(_median(differences), differences[pairs - above - 1], differences[above])


def _median(values: Sequence[float]) -> float:
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2
