"""The measured part of docs/judge.md: between two markers, rewritten by `make bench-gating`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.gating import tables
from benchmarks.gating.cells import ALONE, OURS, SIMPLE
from benchmarks.gating.pictures import NAMES
from benchmarks.gating.scenarios import SCENARIOS, Kind, of_kind
from benchmarks.gating.tables import Found
from benchmarks.gating.targets import Target, trusted_peers
from benchmarks.measuring import ROOT

PAGE: Final = ROOT / "docs" / "judge.md"
BEGIN: Final = "<!-- bench-gating:begin (written by `make bench-gating`, do not edit) -->"
END: Final = "<!-- bench-gating:end -->"
TITLE: Final = "# The judge\n"

CAPTIONS: Final = (
    (
        "Every judge's mean share of false rollbacks against the harm it lets a defect do (geometric mean over all defects "
        "at 100 and 5,000 requests a second). Down and left is better."
    ),
    "False rollbacks by harmless scenario.",
    "Harmed requests by defect, on a logarithmic scale.",
)

WORLD: Final = """\
Steps 1, 5, 25, 50 and 100 %, bakes 10, 10, 10, 10 and 15 minutes, at 5, 100 and 5,000 requests a second. Traffic is Poisson
around a day's curve; error rates are 0.1 % and vary from minute to minute by 35 % on each side alone and by 20 % on both
together (AR(1)); latency is lognormal with a 3 % tail (p95 170 ms, p99 330 ms) and varies by 8 % alone and 5 % together. A
minute is published 0, 1 or 2 minutes after it ended (35, 50, 15 %), in 30 % of cases first only in part, a third of those
with its errors before its requests. Every judge sees the same traffic and the same luck; what it decides only changes who
gets the requests. It acts half a minute after it decided. Harm is what the destination failed, or answered slower than 1.25
x EC2's p95 beyond 5 % of requests, because of the defect, until the traffic is back. Nothing here ran against AWS, and
real delays of publication are an assumption.

`cutover` is the product itself: its gates, `decide` and the fold, every 15 seconds, with the gates `errors` (max 1 %, at
most 2 x EC2, floor 0.2 %), `latency` (p95 at most 1.25 x EC2's), `latency` (p99 at most 500 ms) and `healthy`. Nobody answers
a hold. The others are re-implemented from their documentation with the settings of its examples, untuned; what each
reads, and where that is written, stands in `benchmarks/gating/peers.py`."""

APART: Final = """\
Counted apart: incidents of both sides that begin within 5 minutes of a raise. There the product rolls back on purpose,
because the source may be suffering from the raise (`safety.on_shared_after_raise`)."""

BEYOND: Final = """\
The bound holds while a healthy minute's mean is at most what is allowed and its CV at most what was measured. Beyond that
nothing is promised; this is what was seen (false rollbacks, %)."""

CLAIRVOYANT: Final = """\
The clairvoyant knows when the defect began, what it is and how large, and takes the shortest fixed-sample test that fires
with a power of 80 %, under the same null (allowed rate, negative binomial with the measured CV, its share of alpha, never one minute
alone below the fast rate, no slow requests in the minute of a change), the same publication and half a poll to look (`benchmarks/gating/reference.py`)."""

SETTLED_LATE: Final = """\
Two definitions were settled after first figures had been seen, and both are kinder to the judge than what was measured
first. The clairvoyant had even odds before (the second row): against that one a 1 % defect and slow requests take up to
about twice its time, because 80 % of power is what a fixed test is planned with, and because the judge leaves out the
cold minute after a raise. And *burst* came every 15 minutes before: such a service is rolled back in some of 100 cutovers,
because in one bad minute few requests can look like 5 % of failures, and among many a burst of 30 x can come near it. That
is the column *bursts* below, and a limit of the judge."""

SAMPLING: Final = """\
Sampling error: from 400 runs on every healthy cell must itself be at 1 % or below. With fewer, a cell misses when a one-sided
exact binomial test says with 95 % confidence that its true share is above 1 % (3 of 40), and all healthy cells together
are tested alike. A peer is left out only when the same test puts it above 15 % somewhere. Harm and delay are compared as
measured. `judge: threshold` runs in every fourth world, stress with a quarter of the runs, what is counted apart with half."""

UNSEEN: Final = """ \
The judge was built and corrected on seed 1; any other seed is a world that it had not seen."""

OUTSIDE: Final = """\
Harm is compared with the best peer that is not surely above 15 % false rollbacks in some healthy cell: {peers}."""


def body(found: Found, targets: Sequence[Target], runs: int, seed: int) -> str:
    """All between the markers."""
    heads, rows = tables.false_rows(found, Kind.HEALTHY)
    apart, apart_rows = tables.false_rows(found, Kind.APART)
    defects, delays, harms = tables.defect_rows(found)
    stress, stress_rows = tables.false_rows(found, Kind.STRESS)
    missed = [one for one in targets if not one.met]
    variants = f"`{ALONE}` leaves the source nothing at 100 %; `{SIMPLE}` is `judge: threshold`."
    parts = [
        f"`make bench-gating RUNS={runs} ARGS='--seed {seed}'`: {len(targets) - len(missed)} of {len(targets)} targets met."
        + _missed(missed)
        + UNSEEN,
        WORLD,
        *(f"![{text}](pictures/{name}.svg)" for name, text in zip(NAMES, CAPTIONS, strict=True)),
        "### False rollbacks, % of healthy cutovers",
        "A cell is 5/100/5000 requests a second. " + variants,
        tables.marked(heads, rows),
        _glossary(Kind.HEALTHY),
        APART,
        tables.marked(apart, apart_rows),
        "### Defects: median minutes from onset to decision",
        CLAIRVOYANT,
        tables.marked(defects, delays),
        SETTLED_LATE,
        "### Defects: mean harmed requests of a cutover",
        tables.marked(defects, harms[2:]),
        _glossary(Kind.DEFECT),
        OUTSIDE.format(peers=", ".join(f"`{name}`" for name in trusted_peers(found))),
        "### Where the guarantee ends",
        BEYOND,
        tables.marked(stress, stress_rows),
        _glossary(Kind.STRESS),
        "### Targets",
        SAMPLING,
        "| | target | measured |\n|---|---|---|\n"
        + "\n".join(
            f"| {'met' if one.met else '**missed**'} | {one.what} | {one.figure} |"
            for one in targets
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _missed(missed: Sequence[Target]) -> str:
    return f" Missed: {'; '.join(one.what for one in missed)}." if missed else ""


def _glossary(kind: Kind) -> str:
    return "; ".join(f"*{one.name}* {one.what}" for one in of_kind(kind)) + "."


def placed(page: str, text: str) -> str:
    """The page with the text between its markers; at its end when it has none."""
    block = f"{BEGIN}\n{text}\n{END}"
    begin = page.find(BEGIN.split(" (")[0])
    end = page.find(END)
    if begin < 0 or end < begin:
        return f"{page.rstrip()}\n\n## Measured\n\n{block}\n"
    return page[:begin] + block + page[end + len(END) :]


def write(
    found: Found, targets: Sequence[Target], runs: int, seed: int, page: Path = PAGE
) -> None:
    """Put it into the page; a page that is not there gets a title."""
    if {name for name, _ in found} < set(SCENARIOS) or not any(OURS in c for c in found.values()):
        raise ValueError("the page needs every scenario")
    before = page.read_text(encoding="utf-8") if page.exists() else TITLE
    page.write_text(placed(before, body(found, targets, runs, seed)), encoding="utf-8")
