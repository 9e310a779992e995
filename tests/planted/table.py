"""The table of a hunt, for the terminal and for `docs/reliability.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.planted.hunt import Outcome
from tests.planted.hunters import HUNTERS, Hunted, Verdict

ADVERSARIES = tuple(one.name for one in HUNTERS if one.adversary)

BEGIN = "<!-- planted: made by `make planted ARGS=--write` -->"
END = "<!-- planted: end -->"


def line(outcome: Outcome) -> str:
    """One bug: found by, seconds, length of the shortest counterexample."""
    if outcome.unsound:
        return f"{outcome.bug.id:38} UNSOUND: {outcome.unsound}"
    said = "  ".join(f"{one.hunter}: {_cell(one)}" for one in outcome.hunts)
    return f"{outcome.bug.id:38} {'found' if outcome.found else 'SURVIVED':9} {said}"


def _cell(one: Hunted) -> str:
    if one.verdict is Verdict.FOUND:
        what = one.said.rpartition("/")[2] if one.length is None else f"length {one.length}"
        return f"{one.seconds:.0f} s, {what}"
    if one.verdict is Verdict.MISSED:
        return f"not in {one.seconds:.0f} s"
    return str(one.verdict) if one.verdict is Verdict.ABSENT else f"BROKEN {one.said}"


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    """Who found how many, what only tests found, and at the end `N of N planted`."""
    found = [one for one in outcomes if one.found and not one.unsound]
    by_adversary = [one for one in found if any(_found(one, name) for name in ADVERSARIES)]
    only_tests = [one for one in found if one not in by_adversary]
    said = [f"found by an adversary: {len(by_adversary)}, {_each(found)}"]
    if only_tests:
        said.append(f"found by tests only: {len(only_tests)}")
        said += [f"  {one.bug.id}: {_why_missed(one)}" for one in only_tests]
    said += [f"survived: {one.bug.id}" for one in outcomes if not one.found and not one.unsound]
    said += [f"unsound: {one.bug.id}: {one.unsound}" for one in outcomes if one.unsound]
    said += [f"broken: {one.bug.id}: {b.hunter}" for one in outcomes for b in one.broken]
    return [*said, f"{len(found)} of {len(outcomes)} planted"]


def _why_missed(outcome: Outcome) -> str:
    """What the adversaries lack, where it is known; else how long they looked."""
    looked = [hunt for hunt in outcome.hunts if hunt.hunter in ADVERSARIES]
    missed = ", ".join(
        f"{hunt.hunter} in {hunt.seconds:.0f} s"
        for hunt in looked
        if hunt.verdict is Verdict.MISSED
    )
    if outcome.bug.lacks:
        return outcome.bug.lacks
    return (
        f"missed by {missed}: hunt longer, or add the move" if missed else "no adversary hunted it"
    )


def failed(outcomes: Sequence[Outcome]) -> bool:
    """One survived, counts for nothing, or had a hunter that fell over."""
    return any(one.unsound or not one.found or one.broken for one in outcomes)


def _each(found: Sequence[Outcome]) -> str:
    return ", ".join(
        f"{hunter.name}: {sum(_found(one, hunter.name) for one in found)}" for hunter in HUNTERS
    )


def _found(outcome: Outcome, hunter: str) -> bool:
    hunt = outcome.by(hunter)
    return hunt is not None and hunt.verdict is Verdict.FOUND


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The part of `docs/reliability.md` between its markers."""
    rows = [
        "| Bug | What is wrong with it | Taken back | Explorer: moves, s | Walks: moves, s | Swarm: occurrences, s | First red test, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        cells = [f"`{one.bug.id}`", one.bug.breaks, one.bug.origin]
        cells += [_markdown_cell(one.by(hunter.name)) for hunter in HUNTERS]
        rows.append(f"| {' | '.join(cells)} |")
    lacking = [
        f"- `{one.bug.id}`: {one.bug.lacks}"
        for one in outcomes
        if one.bug.lacks and not any(_found(one, name) for name in ADVERSARIES)
    ]
    told = [f"**{summary(outcomes)[-1]}**, {summary(outcomes)[0]}.", "", *rows]
    if lacking:
        told += ["", "Found by tests only, and what the adversaries would need:", "", *lacking]
    return "\n".join(told)


def _markdown_cell(hunt: Hunted | None) -> str:
    if hunt is None or hunt.verdict in (Verdict.ABSENT, Verdict.BROKEN):
        return "-"
    if hunt.verdict is Verdict.MISSED:
        return f"not in {hunt.seconds:.0f} s"
    if hunt.length is not None:
        return f"{hunt.length}, {hunt.seconds:.0f} s"
    name = hunt.said.removeprefix("tests/").split("[")[0]
    return f"`{name}`, {hunt.seconds:.0f} s"


def write(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Put the table between the markers of the page.

    Raises:
        ValueError: when the page has no such place.
    """
    text = path.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no part between {BEGIN} and {END}")
    path.write_text(f"{head}{BEGIN}\n\n{markdown(outcomes)}\n\n{END}{tail}", encoding="utf-8")
