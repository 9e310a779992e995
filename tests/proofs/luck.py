"""Counts drawn from a seed, and how sure a rate is that was counted."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from math import exp, lgamma, log, sqrt


def clopper_pearson(hits: int, runs: int, odds: float = 0.05) -> tuple[float, float]:
    """The exact interval of a rate: below and above it the hits seen would each be rarer than `odds / 2`."""
    if not runs:
        return 0.0, 1.0
    low = 0.0 if not hits else _solve(lambda p: 1 - _at_most(hits - 1, runs, p) < odds / 2)
    high = 1.0 if hits == runs else _solve(lambda p: _at_most(hits, runs, p) > odds / 2)
    return low, high


def _solve(below: Callable[[float], bool]) -> float:
    """The rate up to which `below` holds."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return low


def _at_most(hits: int, runs: int, p: float) -> float:
    """P(Binomial(runs, p) <= hits)."""
    if p <= 0.0:
        return 1.0
    if p >= 1.0:
        return float(hits >= runs)
    return math.fsum(
        exp(
            lgamma(runs + 1)
            - lgamma(k + 1)
            - lgamma(runs - k + 1)
            + k * log(p)
            + (runs - k) * math.log1p(-p)
        )
        for k in range(hits + 1)
    )


def poisson(chance: random.Random, mean: float) -> int:
    """A Poisson count, exact: by inversion while it is small, else by transformed rejection.

    Hörmann (1993): The transformed rejection method for generating Poisson random variables, algorithm PTRS.
    """
    if mean < 10:
        left, count = exp(-mean), 0
        term = left
        u = chance.random()
        while u > left and count < 1000:
            count += 1
            term *= mean / count
            left += term
        return count
    root = sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    usual = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = chance.random() - 0.5, chance.random()
        us = 0.5 - abs(u)
        count = math.floor((2 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= usual:
            return count
        if count < 0 or (us < 0.013 and v > us):
            continue
        if log(v * inverse / (a / (us * us) + b)) <= count * log(mean) - mean - lgamma(count + 1):
            return count
