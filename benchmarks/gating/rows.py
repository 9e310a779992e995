"""One minute's counts: how they come from the dice, and what a part of them looks like."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.gating import latency
from benchmarks.gating.chance import binomial
from benchmarks.gating.scenarios import Effects

SLOWER_THAN_TAU = round(1.25 * latency.P95_MS)
"""1.25 x EC2's p95 (212 ms: the product rounds half to even); harm and judges count from here."""

SLO_MS = 500


@dataclass(frozen=True)
class Row:
    """One minute's true counts, b the source and c the destination.

    `u` requests no target answered, `e` 5xx of targets, `tau` slower than the relative limit (EC2's p95, or 1.25 x it),
    `slo` slower than 500 ms; `scale` how much slower than usual the answers were on average.
    """

    n_b: int
    e_b: int
    tau_b: int
    slo_b: int
    scale_b: float
    n_c: int
    e_c: int
    u_c: int
    tau_c: int
    slo_c: int
    scale_c: float


@dataclass(frozen=True)
class Luck:
    """One minute's dice."""

    total: int
    u: tuple[float, ...]
    usual_b: float
    usual_c: float
    scale_b: float
    scale_c: float
    delay: int
    part: float  # of the requests shown in the first minute of publication; 1: all
    errors_first: bool


@dataclass(frozen=True)
class Piece:
    """A part of a minute in which nothing changes."""

    length: float
    weight: float
    effects: Effects


def drawn(luck: Luck, pieces: tuple[Piece, ...]) -> Row:
    """The counts that this luck makes of a minute's pieces."""
    share = sum(piece.length * piece.weight for piece in pieces)
    n_c = binomial(luck.u[1], luck.total, share)
    n_b = luck.total - n_c

    def source(value: float, piece: Piece) -> float:
        return value * piece.length * (1 - piece.weight) / max(1e-12, 1 - share)

    def destination(value: float, piece: Piece) -> float:
        return value * piece.length * piece.weight / max(1e-12, share)

    e_rate_b = sum(source(luck.usual_b + p.effects.source_add, p) for p in pieces)
    e_rate_c = sum(
        destination(
            luck.usual_c * p.effects.destination_times + p.effects.destination_add,
            p,
        )
        for p in pieces
    )
    lost_c = sum(destination(p.effects.unanswered, p) for p in pieces)
    scale_c = sum(destination(p.effects.destination_scale, p) for p in pieces) * luck.scale_c
    u_c = binomial(luck.u[4], n_c, min(1.0, lost_c))
    answers = n_c - u_c
    # who is slower than the SLO is slower than the limit below it: one number places both
    tau_b = binomial(luck.u[5], n_b, latency.slower(latency.P95_MS, luck.scale_b))
    tau_c = binomial(luck.u[6], answers, latency.slower(SLOWER_THAN_TAU, scale_c or 1.0))
    slo_b = binomial(luck.u[7], tau_b, _given(latency.P95_MS, luck.scale_b))
    slo_c = binomial(luck.u[11], tau_c, _given(SLOWER_THAN_TAU, scale_c or 1.0))
    return Row(
        n_b=n_b,
        e_b=binomial(luck.u[2], n_b, min(0.98, e_rate_b)),
        tau_b=tau_b,
        slo_b=slo_b,
        scale_b=luck.scale_b,
        n_c=n_c,
        e_c=binomial(luck.u[3], answers, min(0.98, e_rate_c)),
        u_c=u_c,
        tau_c=tau_c,
        slo_c=slo_c,
        scale_c=scale_c or 1.0,
    )


def _given(ms: float, scale: float) -> float:
    """The share of requests slower than the SLO among those slower than `ms`."""
    return latency.slower(SLO_MS, scale) / latency.slower(ms, scale)


def cut(row: Row, part: float, *, all_errors: bool) -> Row:
    """A minute of which only a part is published; its errors perhaps all of them already."""
    e_b, e_c, u_c = int(row.e_b * part), int(row.e_c * part), int(row.u_c * part)
    ok_b, ok_c = int((row.n_b - row.e_b) * part), int((row.n_c - row.e_c - row.u_c) * part)
    return replace(
        row,
        n_b=ok_b + e_b,
        n_c=ok_c + e_c + u_c,
        e_b=row.e_b if all_errors else e_b,
        e_c=row.e_c if all_errors else e_c,
        u_c=u_c,
        tau_b=int(row.tau_b * part),
        slo_b=int(row.slo_b * part),
        tau_c=int(row.tau_c * part),
        slo_c=int(row.slo_c * part),
    )
