"""All randomness of a rehearsal: seeded, so that one seed is one world, and fast for big counts."""

from __future__ import annotations

import math
import random

EXACT_BELOW = 30
"""Expected counts below this are drawn exactly, larger ones from the normal approximation."""


class Randomness:
    """One stream of randomness, named: a new stream elsewhere never changes this one."""

    def __init__(self, seed: int, name: str) -> None:
        self._random = random.Random(f"{seed}/{name}")

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()

    def normal(self) -> float:
        """Mean 0, deviation 1."""
        return self._random.gauss(0.0, 1.0)

    def wobble(self, cv: float) -> float:
        """A positive factor with mean 1 and this coefficient of variation (lognormal)."""
        if cv <= 0:
            return 1.0
        variance = math.log1p(cv * cv)
        return math.exp(math.sqrt(variance) * self.normal() - variance / 2)

    def poisson(self, mean: float) -> int:
        """How many of many rare things happen."""
        if mean <= 0:
            return 0
        if mean >= EXACT_BELOW:
            return max(0, round(mean + math.sqrt(mean) * self.normal()))
        limit, product, count = math.exp(-mean), self.uniform(), 0
        while product > limit:
            product *= self.uniform()
            count += 1
        return count

    def binomial(self, n: int, p: float) -> int:
        """How many of `n` things with chance `p` happen."""
        return quantile(n, p, self.uniform())


def quantile(n: int, p: float, u: float) -> int:
    """The `u` quantile of a binomial: monotone in `p`, so counts above two limits never cross."""
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    mean = n * p
    if mean >= EXACT_BELOW and n - mean >= EXACT_BELOW:
        found = round(mean + math.sqrt(mean * (1 - p)) * _normal_quantile(u))
    elif mean < EXACT_BELOW:
        found = _poisson_quantile(mean, u)
    else:
        found = n - _poisson_quantile(n - mean, 1 - u)
    return min(n, max(0, found))


def _poisson_quantile(mean: float, u: float) -> int:
    chance = total = math.exp(-mean)
    count = 0
    while total < u and count < mean + 12 * math.sqrt(mean) + 20:
        count += 1
        chance *= mean / count
        total += chance
    return count


def _normal_quantile(u: float) -> float:
    """Acklam's rational approximation; its relative error is below 1.2e-9 (far below the sampling noise)."""
    u = min(max(u, 1e-12), 1 - 1e-12)
    low = 0.02425
    if u < low or u > 1 - low:
        q = math.sqrt(-2 * math.log(min(u, 1 - u)))
        top = ((((-0.007784894002430293 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q + 4.374664141464968) * q + 2.938163982698783  # fmt: skip
        bottom = (
            ((0.007784695709041462 * q + 0.3224671290700398) * q + 2.445134137142996) * q
            + 3.754408661907416
        ) * q + 1
        return top / bottom if u < low else -top / bottom
    q = u - 0.5
    r = q * q
    top = (((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.3577518672690) * r - 30.66479806614716) * r + 2.506628277459239) * q  # fmt: skip
    bottom = (
        (
            ((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r
            + 66.80131188771972
        )
        * r
        - 13.28068155288572
    ) * r + 1
    return top / bottom
