"""One simulated hour or more of a service behind a load balancer, and what CloudWatch publishes of it.

All luck is drawn once, by minute, before anybody looks: a judge changes only who gets the requests, never the dice.
Traffic is Poisson around a day's curve. Each side's error rate varies by a gamma factor of its own (so counts are
gamma-Poisson, for binomial counts near enough beta-binomial) and by an AR(1) factor that both share. A minute is
published 0, 1 or 2 minutes after its end (35, 50, 15 %); in 30 % of cases only in part for the first minute, and a third of
those show their errors before their requests (gating.md section 3; real delays are not measured there either).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import cos, exp, pi
from random import Random

from benchmarks.gating import latency
from benchmarks.gating.chance import poisson
from benchmarks.gating.rows import SLO_MS, SLOWER_THAN_TAU, Luck, Piece, Row, cut, drawn
from benchmarks.gating.scenarios import Course, Effects, Fate, Kind, Scenario

BEFORE = 75
"""Minutes before the start: the source alone, for calibration and baseline."""

HORIZON = 240
"""Minutes after which a run that neither completed nor went back is left alone."""

HEALTHY_SLOW = 0.05
"""The share of requests that may be slower than 1.25 x EC2's p95."""

DELAYS = ((0.35, 0), (0.85, 1), (1.0, 2))
PARTIAL, ERRORS_FIRST = 0.30, 0.10
OWN_LATENCY, SHARED_LATENCY = 0.08, 0.05
"""How much a side's latency varies by itself, and with the other; its share of slow requests then varies by about 20 %."""
DAY = 1440
NEVER = 10**6
DRAWS = 13


class World:
    """One run's world, the same for every judge.

    Args:
        seed: of the whole benchmark.
        rate: requests a second on a day's average.
        run: which of the runs.

    Attributes:
        fate: what the scenario leaves open.
        begins: the second of minute 0 in which the product's run starts; its polls follow from that.
    """

    def __init__(self, scenario: Scenario, rate: float, run: int, seed: int = 1) -> None:
        self.scenario = scenario
        dice = Random(f"{seed}/{rate}/{run}")
        own = Random(f"{seed}/{rate}/{run}/noise")
        rare = Random(f"{seed}/{rate}/{run}/rare")
        self.fate = Fate(rare.random(), rare.random())
        self.begins = int(60 * rare.random())
        self._gap = _gap(rare) if scenario.gap else range(0)
        self.key = f"{seed}/{rate}/{run}"
        phase = dice.random() * DAY
        self._luck: dict[int, Luck] = {}
        shared = 0.0
        noise = scenario.noise
        source = destination = times = 1.0
        every, burst_at = scenario.bursts_every or NEVER, -1
        for t in range(-BEFORE, HORIZON + 20):
            u = tuple(dice.random() for _ in range(DRAWS))
            shared = 0.8 * shared + 0.6 * dice.gauss()
            slow_b, slow_c, slow = dice.gauss(), dice.gauss(), dice.gauss()
            if t % every == 0:
                burst_at, times = int((every - 3) * rare.random()), 5 + 25 * rare.random()
            if t % noise.lasting == 0:
                source, destination = _gamma(own, noise.source), _gamma(own, noise.destination)
            both = scenario.base * exp(noise.shared * shared - noise.shared**2 / 2)
            bursts = t % every == burst_at
            self._luck[t] = Luck(
                total=poisson(u[0], 60 * rate * (1 + 0.4 * cos(2 * pi * (t + phase) / DAY))),
                u=u,
                usual_b=min(0.5, both * source),
                usual_c=min(0.5, both * (times if bursts else destination)),
                scale_b=exp(OWN_LATENCY * slow_b + SHARED_LATENCY * slow),
                scale_c=exp(OWN_LATENCY * slow_c + SHARED_LATENCY * slow),
                delay=next(delay for below, delay in DELAYS if u[8] < below),
                part=0.1 + 0.8 * u[10] if u[9] < PARTIAL else 1.0,
                errors_first=u[9] < ERRORS_FIRST,
            )
        self._rows: dict[tuple[object, ...], Row] = {}

    def total(self, t: int) -> int:
        """All requests of a minute."""
        return self._luck[t].total

    def row(self, t: int, course: Course) -> Row:
        """What really happened in minute `t` on this course; it must be over."""
        pieces = tuple(self._pieces(t, course))
        key = (t, *pieces)
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = drawn(self._luck[t], pieces)
        return found

    def percentiles(self, t: int, row: Row) -> tuple[tuple[float, float], tuple[float, float]]:
        """(p95, p99) of the source's and of the destination's answers; (0, 0) without any."""
        luck = self._luck[t]
        sides = (("b", row.n_b, row.scale_b), ("c", row.n_c - row.u_c, row.scale_c))
        found = []
        for side, answers, scale in sides:
            dice = Random(f"{self.key}/{t}/{side}/{luck.u[7]}")
            found.append(latency.percentiles(dice, answers, scale) if answers > 0 else (0.0, 0.0))
        return found[0], found[1]

    def shown(self, t: int, now: float) -> tuple[float, bool] | None:
        """(part of the requests that is published, whether all errors are), or None while nothing is.

        `now` is in minutes since the start.
        """
        luck = self._luck[t]
        age = now - (t + 1)
        if age < luck.delay or t in self._gap:
            return None
        if age < luck.delay + 1 and luck.part < 1.0:
            return luck.part, luck.errors_first
        if self.scenario.corrections and age < 4 and luck.u[12] < 0.2:
            return 0.85 + 0.75 * luck.u[12], False
        return 1.0, True

    def late(self, t: int, series: int) -> int:
        """Minutes that one series is published after the others; not 0 only when publication is in disorder."""
        if not self.scenario.disorder:
            return 0
        return int(4 * ((self._luck[t].u[10] * 7.31 + series * 0.37) % 1.0))

    def visible(self, t: int, course: Course, now: float) -> Row | None:
        """The minute as CloudWatch shows it at `now`; None without any datapoint."""
        shown = self.shown(t, now)
        if shown is None:
            return None
        row = self.row(t, course)
        part, all_errors = shown
        if part < 1.0:
            row = cut(row, part, all_errors=all_errors)
        if self.scenario.disorder:
            row = self._in_disorder(row, t, now)
        return row

    def _in_disorder(self, row: Row, t: int, now: float) -> Row:
        """Whole series are missing until their own delay is over; without requests there is no minute."""
        age = now - (t + 1) - self._luck[t].delay
        if age < self.late(t, 1):
            row = replace(row, e_b=0, e_c=0)
        if age < self.late(t, 2):
            row = replace(row, tau_b=-1, tau_c=-1, slo_b=-1, slo_c=-1)
        if age < self.late(t, 3):
            row = replace(row, n_c=0, u_c=0)
        return row

    def whole_at(self, t: int) -> float:
        """When at least 80 % of a minute is published, in minutes since the start."""
        luck = self._luck[t]
        return t + 1 + luck.delay + (luck.part < 0.8)

    def expected(self, t: int, course: Course) -> tuple[int, dict[str, float], dict[str, float]]:
        """The destination's requests in a minute; by signal the share of them that is bad on average, and the source's."""
        row, luck = self.row(t, course), self._luck[t]
        pieces = tuple(self._pieces(t, course))
        share = sum(piece.length * piece.weight for piece in pieces)
        limits = (("relative", SLOWER_THAN_TAU, latency.P95_MS), ("absolute", SLO_MS, SLO_MS))
        source = {"errors": luck.usual_b}
        source |= {name: latency.slower(ms, luck.scale_b) for name, _, ms in limits}
        rates = dict.fromkeys(source, 0.0)
        for piece in pieces if share > 0.0 else ():
            part, happens = piece.length * piece.weight / share, piece.effects
            answered = 1.0 - happens.unanswered
            failed = self.scenario.base * happens.destination_times + happens.destination_add
            rates["errors"] += part * (happens.unanswered + answered * min(0.98, failed))
            for name, ms, _ in limits:
                slow = latency.slower(ms, happens.destination_scale * luck.scale_c)
                rates[name] += part * answered * slow
        return row.n_c, rates, source

    def onset(self, course: Course) -> float | None:
        """When the defect or incident begins on this course."""
        times = self.scenario.breaks(course, self.fate)
        return times[0] if times else None

    def harm(self, course: Course, until: float) -> float:
        """Requests that the destination failed or slowed because of the defect, on average, up to `until`."""
        began = self.onset(course)
        if self.scenario.kind is not Kind.DEFECT or began is None:
            return 0.0
        total = 0.0
        for t in range(int(began), int(until) + 1):
            here = sum(
                piece.length * piece.weight * _excess(piece.effects)
                for piece in self._pieces(t, course, until)
            )
            total += self._luck[t].total * here
        return total

    def _pieces(self, t: int, course: Course, until: float = 1e9) -> Iterator[Piece]:
        cuts = {float(t), float(t + 1)}
        for at in (
            *(since for since, _ in course.changes),
            *self.scenario.breaks(course, self.fate),
        ):
            if t < at < t + 1:
                cuts.add(at)
        if t < until < t + 1:
            cuts.add(until)
        times = sorted(cuts)
        for start, end in pairwise(times):
            middle = (start + end) / 2
            if middle > until:
                return
            effects = self.scenario.happens(course, middle, self.fate)
            yield Piece(end - start, course.weight(middle), effects)


def _gamma(dice: Random, cv: float) -> float:
    """Mean 1."""
    shape = 1.0 / (cv * cv)
    return dice.gammavariate(shape, 1.0 / shape)


def _gap(rare: Random) -> range:
    began = 8 + int(42 * rare.random())
    return range(began, began + 4 + int(5 * rare.random()))


def _excess(effects: Effects) -> float:
    """The share of the destination's requests harmed at this moment."""
    failed = min(1.0, effects.destination_add + effects.unanswered)
    limit = 1.25 * latency.P95_MS
    slow = max(0.0, latency.slower(limit, effects.destination_scale) - HEALTHY_SLOW)
    return failed + (1.0 - failed) * slow
