"""What the benchmark must show, each target with its figure.

Sampling error. From 400 runs on, the measured share of false rollbacks itself must be at most 1 % in every cell. With
fewer runs a cell misses only when a one-sided exact binomial test says with 95 % confidence that the true share is above
1 %: with 40 runs that is 3 rollbacks or more (2 are seen in 6 of 100 cells of a judge that is just good enough). All
healthy cells together are tested in the same way, which has 30 times the runs. A peer is left out only when its share is
surely above 15 % in some healthy cell, by the same test. Harm and delay are compared as measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from benchmarks.gating.cells import ALONE, OURS, Key, Outcomes
from benchmarks.gating.chance import surely_above, upper_bound
from benchmarks.gating.peers import PEERS
from benchmarks.gating.results import (
    false_rate,
    mean_harm,
    median_best,
    median_delay,
)
from benchmarks.gating.scenarios import Kind, of_kind, rates_of

Found = Mapping[Key, Outcomes]

MOST_FALSE = 0.01
STRICT_FROM = 400
PEER_FALSE = 0.15
HARM_PART, HARM_NEAR, NEAR_MINUTES = 0.5, 1.1, 1.0
DELAY_TIMES = 1.5
END_HARM_TIMES = 2.0
JUDGED_RATES = (100.0, 5000.0)


@dataclass(frozen=True)
class Target:
    """One promise of issue 3 and what was measured."""

    group: str
    what: str
    figure: str
    met: bool


def all_targets(found: Found) -> list[Target]:
    """Every target that these cells can speak of."""
    return [
        *_false(found),
        *_harm(found),
        *_delay(found),
        *_end(found),
    ]


def _false(found: Found) -> Iterator[Target]:
    bad = runs = 0
    for scenario in of_kind(Kind.HEALTHY):
        cells = [
            found[key] for rate in rates_of(scenario) if (key := (scenario.name, rate)) in found
        ]
        if not cells:
            continue
        counted = [(sum(o.back is not None for o in c[OURS]), len(c[OURS])) for c in cells]
        bad, runs = bad + sum(b for b, _ in counted), runs + sum(n for _, n in counted)
        figure = ", ".join(f"{b} of {n}" for b, n in counted)
        unanswered = sum(o.cause == "deadline" for c in cells for o in c[OURS])
        figure += (
            f" ({unanswered} at the deadline of a hold nobody answered)" if unanswered else ""
        )
        met = not any(_too_often(b, n) for b, n in counted)
        yield Target("false rollbacks", f"{scenario.name}: at most 1 %", figure, met)
    if runs:
        figure = f"{bad} of {runs}, at most {100 * upper_bound(bad, runs):.2f} % (95 %)"
        met = not surely_above(bad, runs, MOST_FALSE)
        yield Target("false rollbacks", "all healthy cells together: at most 1 %", figure, met)


def _too_often(bad: int, runs: int) -> bool:
    if runs >= STRICT_FROM:
        return bad > MOST_FALSE * runs
    return surely_above(bad, runs, MOST_FALSE)


def worst_false(found: Found, judge: str) -> float:
    """A judge's highest share of false rollbacks in any healthy cell."""
    healthy = {one.name for one in of_kind(Kind.HEALTHY)}
    return max(
        (
            false_rate(judges[judge])
            for (name, _), judges in found.items()
            if name in healthy and judge in judges
        ),
        default=0.0,
    )


def mean_false(found: Found, judge: str) -> float:
    """A judge's share of false rollbacks over all healthy cells."""
    healthy = {one.name for one in of_kind(Kind.HEALTHY)}
    rates = [
        false_rate(judges[judge])
        for (name, _), judges in found.items()
        if name in healthy and judge in judges
    ]
    return sum(rates) / len(rates) if rates else 0.0


def trusted_peers(found: Found) -> list[str]:
    """Peers of which no healthy cell shows, with 95 % confidence, 15 % false rollbacks or more.

    A peer in doubt counts, which makes our target harder. When there is none left, those with the lowest worst share.
    """
    healthy = {one.name for one in of_kind(Kind.HEALTHY)}
    cells = [judges for (name, _), judges in found.items() if name in healthy]

    def surely_bad(judge: str) -> bool:
        return any(
            surely_above(
                sum(o.back is not None for o in cell[judge]), len(cell[judge]), PEER_FALSE
            )
            for cell in cells
        )

    least = min(worst_false(found, name) for name in PEERS)
    trusted = [name for name in PEERS if not surely_bad(name)]
    return trusted or [name for name in PEERS if worst_false(found, name) == least]


def _harm(found: Found) -> Iterator[Target]:
    peers = trusted_peers(found)
    for scenario in of_kind(Kind.DEFECT):
        for rate in JUDGED_RATES:
            cell = found.get((scenario.name, rate))
            if cell is None:
                continue
            ours = mean_harm(cell[OURS])
            what = f"{scenario.name} at {rate:g}/s: harm at most half of the best trusted peer's"
            best = min(peers, key=lambda name: mean_harm(cell[name]))
            theirs = mean_harm(cell[best])
            near = median_delay(cell[best]) <= median_best(cell[OURS]) + NEAR_MINUTES
            met = ours <= (HARM_NEAR if near else HARM_PART) * theirs
            figure = f"{ours:,.0f} against {theirs:,.0f} ({best}): {ours / max(theirs, 1e-9):.3f}"
            yield Target("harm", what, figure + (", within 10 % asked" if near else ""), met)


def _delay(found: Found) -> Iterator[Target]:
    for scenario in of_kind(Kind.DEFECT):
        for rate in JUDGED_RATES:
            cell = found.get((scenario.name, rate))
            if cell is None:
                continue
            ours, best = median_delay(cell[OURS]), median_best(cell[OURS])
            ratio = ours / best if best < inf else (0.0 if ours == inf else 1.0)
            yield Target(
                "delay",
                f"{scenario.name} at {rate:g}/s: median at most 1.5 x the clairvoyant's",
                f"{ours:.1f} min against {best:.1f} min: {ratio:.2f} x",
                ratio <= DELAY_TIMES,
            )


def _end(found: Found) -> Iterator[Target]:
    """A defect that appears only at 100 %: held against the same evidence acted on without asking anybody."""
    for rate in JUDGED_RATES:
        cell = found.get(("last5", rate))
        if cell is None or ALONE not in cell:
            continue
        ours = mean_harm(cell[OURS])
        gate = sum(o.proof_harm if o.proof is not None else o.harm for o in cell[ALONE])
        gate /= len(cell[ALONE])
        yield Target(
            "100 %",
            f"last5 at {rate:g}/s: harm at most 2 x the reference gate's",
            f"{ours:,.0f} against {gate:,.0f}: {ours / max(gate, 1e-9):.2f} x",
            ours <= END_HARM_TIMES * gate,
        )
