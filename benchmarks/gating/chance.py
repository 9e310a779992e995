"""Counts from uniform numbers: the same number always means the same luck, whatever the rate.

Every count of the simulated world is a quantile: `binomial(u, n, p)` grows with `u`, `n` and `p`. So two judges that
sent different shares of one minute's traffic to the destination still saw the same minute.
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

NORMAL = NormalDist()
EXACT_BELOW = 25.0
"""Means up to which a count is drawn exactly; above, the Cornish-Fisher quantile is off by less than a request."""


def binomial(u: float, n: int, p: float) -> int:
    """The `u`-quantile of Binomial(n, p)."""
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    if p > 0.5:
        return n - binomial(1.0 - u, n, 1.0 - p)
    mean = n * p
    if mean > EXACT_BELOW:
        return max(0, min(n, round(_bent(u, mean, sqrt(mean * (1 - p)), (1 - 2 * p)))))
    term = exp(n * log1p(-p))
    odds = p / (1.0 - p)
    x, total = 0, term
    while total < u and x < n:
        term *= odds * (n - x) / (x + 1)
        x += 1
        total += term
        if term < 1e-18 and x > mean:
            break
    return x


def poisson(u: float, mean: float) -> int:
    """The `u`-quantile of Poisson(mean)."""
    if mean <= 0.0:
        return 0
    if mean > EXACT_BELOW:
        return max(0, round(_bent(u, mean, sqrt(mean), 1.0)))
    term = exp(-mean)
    x, total = 0, term
    while total < u and term > 1e-18:
        x += 1
        term *= mean / x
        total += term
    return x


def _bent(u: float, mean: float, sd: float, skewed: float) -> float:
    """Normal quantile with the first correction for skewness (Cornish and Fisher), `skewed / sd`."""
    z = NORMAL.inv_cdf(min(max(u, 1e-12), 1 - 1e-12))
    return mean + sd * (z + (z * z - 1.0) * skewed / sd / 6.0)


def _nb_log_pmf(x: int, mean: float, k: float) -> float:
    """Negative binomial with variance `mean + mean^2 / k`."""
    return (
        lgamma(x + k)
        - lgamma(k)
        - lgamma(x + 1)
        + k * log(k / (k + mean))
        + x * log(mean / (k + mean))
    )


def negative_binomial_above(mean: float, k: float, x: int) -> float:
    """P(X > x) of a negative binomial with variance `mean + mean^2 / k`.

    Exact up to a mean of 2,000 or so; above, the same quantile by a gamma's Wilson-Hilferty cube root, whose error is
    far below what one minute more or less of data changes.
    """
    if mean <= 0.0:
        return 0.0
    if x < 0:
        return 1.0
    if x <= 4_000:
        term, total = exp(_nb_log_pmf(0, mean, k)), 0.0
        ratio = mean / (k + mean)
        for i in range(x + 1):
            total += term
            term *= ratio * (k + i) / (i + 1)
        return max(0.0, 1.0 - total)
    shape = mean * mean / (mean + mean * mean / k)
    nine = 1.0 / (9.0 * shape)
    z = (((x + 0.5) / mean) ** (1.0 / 3.0) - (1.0 - nine)) / sqrt(nine)
    return 1.0 - NORMAL.cdf(z)


def negative_binomial_limit(mean: float, k: float, alpha: float) -> int:
    """The smallest x with P(X > x) <= alpha."""
    low, high = -1, max(4, int(2 * mean))
    while negative_binomial_above(mean, k, high) > alpha:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if negative_binomial_above(mean, k, middle) > alpha:
            low = middle
        else:
            high = middle
    return high


def binomial_at_most(count: int, of: int, rate: float) -> float:
    """Probability of at most `count` in `of` when each has this chance."""
    return sum(
        exp(
            lgamma(of + 1)
            - lgamma(i + 1)
            - lgamma(of - i + 1)
            + i * log(rate)
            + (of - i) * log1p(-rate)
        )
        for i in range(count + 1)
    )


def surely_above(bad: int, of: int, rate: float, alpha: float = 0.05) -> bool:
    """A one-sided exact binomial test: `bad` of `of` says with error `alpha` that the true rate is above `rate`."""
    if bad <= 0:
        return False
    below = binomial_at_most(bad - 1, of, rate)
    return 1.0 - below < alpha


def upper_bound(bad: int, of: int, alpha: float = 0.05) -> float:
    """The one-sided 95 % upper bound (Clopper-Pearson) of a rate of which `bad` of `of` were seen."""
    if not of or bad >= of:
        return 1.0
    low, high = bad / of, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        at_most = binomial_at_most(bad, of, middle)
        low, high = (middle, high) if at_most > alpha else (low, middle)
    return high
