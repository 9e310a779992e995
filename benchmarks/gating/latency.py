"""How long requests take: a lognormal body and a 3 % tail (gating.md section 3: p95 170 ms, p99 330 ms)."""

from __future__ import annotations

from functools import lru_cache
from math import exp, log
from random import Random

from benchmarks.gating.chance import NORMAL

BODY, TAIL = 0.97, 0.03
BODY_MEDIAN, BODY_SIGMA = 60.0, 0.55
TAIL_MEDIAN, TAIL_SIGMA = 241.5, 0.602

P95_MS, P99_MS = 170, 330
"""What the two lognormals come to; `tests/gating` checks it."""


def slower(ms: float, scale: float = 1.0) -> float:
    """The share of requests slower than `ms` when every request takes `scale` times as long."""
    at = log(ms / scale)
    body = 1.0 - NORMAL.cdf((at - log(BODY_MEDIAN)) / BODY_SIGMA)
    tail = 1.0 - NORMAL.cdf((at - log(TAIL_MEDIAN)) / TAIL_SIGMA)
    return BODY * body + TAIL * tail


@lru_cache(maxsize=1)
def _table() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Log milliseconds, and the share slower, falling."""
    logs = tuple(log(5.0) + i * (log(20_000.0) - log(5.0)) / 1200 for i in range(1201))
    return logs, tuple(slower(exp(x)) for x in logs)


def quantile(above: float) -> float:
    """The milliseconds that a share of `above` is slower than, at scale 1."""
    logs, shares = _table()
    low, high = 0, len(logs) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if shares[middle] > above else (low, middle)
    width = shares[low] - shares[high]
    part = (shares[low] - above) / width if width > 0 else 0.0
    return exp(logs[low] + min(1.0, max(0.0, part)) * (logs[high] - logs[low]))


def percentiles(luck: Random, requests: int, scale: float) -> tuple[float, float]:
    """(p95, p99) in ms that a minute of so many requests shows: order statistics, not the true percentiles.

    The rank of the p-th of n values is Beta(k, n - k + 1) with k = ceil(p n); given it, a later rank is a beta of
    what is left.
    """
    k95, k99 = -(-95 * requests // 100), -(-99 * requests // 100)
    rank = luck.betavariate(k95, requests - k95 + 1)
    p95 = quantile(1.0 - rank) * scale
    if k99 == k95:
        return p95, p95
    rank += (1.0 - rank) * luck.betavariate(k99 - k95, requests - k99 + 1)
    return p95, quantile(1.0 - rank) * scale
