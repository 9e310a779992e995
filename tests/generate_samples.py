"""The sample tables of `plans/samples`: `python -m tests.generate_samples` writes them again, always the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

PLACE = Path(__file__).resolve().parent.parent / "plans" / "samples"
GROUP = ("requests", "errors", "unanswered", "slow", "over_slo")
STEPS = ((10, 13), (50, 13), (250, 13), (500, 13), (1000, 18))
"""Per mille, and minutes at it: the bakes of plans/judge.yaml and the minutes around them."""

NOISE = 0.35
"""How much error rates vary from minute to minute beyond chance, as measured services do."""


@dataclass(frozen=True)
class Service:
    """Rates of one fleet."""

    errors: float = 0.001
    slow: float = 0.05
    over_slo: float = 0.004

    def minute(self, chance: Random, requests: int, worse: float = 1.0) -> tuple[int, ...]:
        """Requests, and those of each bad kind; `worse` is what both fleets suffer."""
        own = chance.gammavariate(1 / NOISE**2, NOISE**2) * worse
        return (
            requests,
            poisson(chance, requests * self.errors * own),
            0,
            min(requests, poisson(chance, requests * min(0.9, self.slow * math.sqrt(own)))),
            min(requests, poisson(chance, requests * min(0.9, self.over_slo * own))),
        )


def poisson(chance: Random, mean: float) -> int:
    """A Poisson count; rounded normal where nobody can tell."""
    if mean > 200:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    count, left = 0, math.exp(-mean)
    product = chance.random()
    while product > left:
        count, product = count + 1, product * chance.random()
    return count


def judge_rows(seed: int, per_minute: float, destination: Service, last: int) -> Iterator[str]:
    """A run as `cutover judge` reads it, with an hour before it; it stops after step `last`."""
    chance, source = Random(seed), Service()
    sides = (f"{side}_{name}" for side in ("source", "destination") for name in GROUP)
    yield ",".join(("minute", "step", "weight", *sides, "elb_503"))
    for minute in range(-60, 0):
        before = source.minute(chance, poisson(chance, per_minute))
        yield _row(minute, -1, "0", before, None)
    minute = 0
    for step, (weight, minutes) in enumerate(STEPS[: last + 1]):
        for _ in range(minutes):
            there = poisson(chance, per_minute * weight / 1000)
            here = poisson(chance, per_minute * (1 - weight / 1000))
            counts = source.minute(chance, here) if here else None
            yield _row(minute, step, f"{weight / 10:g}", counts, destination.minute(chance, there))
            minute += 1


def _row(
    minute: int,
    step: int,
    weight: str,
    source: Sequence[int] | None,
    destination: Sequence[int] | None,
) -> str:
    cells = [
        "" if group is None else str(group[n]) for group in (source, destination) for n in range(5)
    ]
    return ",".join((str(minute), str(step), weight, *cells, "0"))


def history_rows(seed: int, days: int, per_minute: float, *, incident: bool) -> Iterator[str]:
    """Days of one service: busy afternoons, one-minute bursts, and one incident of half an hour."""
    chance, service = Random(seed), Service()
    began = datetime(2026, 11, 16, tzinfo=UTC)
    yield ",".join(("time", *GROUP, "elb_503"))
    for minute in range(days * 1440):
        at = began + timedelta(minutes=minute)
        day = 1 - 0.6 * math.cos(2 * math.pi * (minute % 1440 - 180) / 1440)
        worse = 15.0 if chance.random() < 0.002 else 1.0
        if incident and 1440 + 20 * 60 <= minute < 1440 + 20 * 60 + 30:
            worse = 60.0
        counts = service.minute(chance, poisson(chance, per_minute * day), worse)
        yield ",".join((at.strftime("%Y-%m-%dT%H:%MZ"), *map(str, counts), "0"))


def comparison_rows(seed: int, per_minute: float) -> Iterator[str]:
    """A day on which two groups served side by side, and the destination alone lost a node for 20 minutes."""
    chance, service = Random(seed), Service()
    began = datetime(2026, 11, 18, tzinfo=UTC)
    yield ",".join(("time", *(f"{side}_{n}" for side in ("source", "destination") for n in GROUP)))
    for minute in range(1440):
        at = began + timedelta(minutes=minute)
        day = 1 - 0.6 * math.cos(2 * math.pi * (minute - 180) / 1440)
        lost = 14 * 60 + 10 <= minute < 14 * 60 + 30
        here = service.minute(chance, poisson(chance, per_minute * day))
        there = service.minute(chance, poisson(chance, per_minute * day), 40.0 if lost else 1.0)
        yield ",".join((at.strftime("%Y-%m-%dT%H:%MZ"), *map(str, (*here, *there))))


def tables() -> dict[str, str]:
    """The text of every sample, by its file's name."""
    made = {
        "quiet-night.csv": judge_rows(1, 1_200, Service(), last=4),
        "bad-deploy.csv": judge_rows(2, 6_000, Service(errors=0.02), last=1),
        "side-by-side.csv": comparison_rows(4, 2_000),
        "two-days.csv": history_rows(3, 2, 6_000, incident=True),
    }
    return {name: "\n".join(rows) + "\n" for name, rows in made.items()}


def main() -> None:
    PLACE.mkdir(exist_ok=True)
    for name, text in tables().items():
        (PLACE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
