"""Writes the explorer's tables into docs/reliability.md: `python -m tests.generate_explorer`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cutover.core.values import MINUTE
from tests.explore import environment as env
from tests.explore import turns
from tests.explore.choices import Option
from tests.explore.configurations import configurations
from tests.explore.world import Configuration

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
BEGINS = "<!-- explorer: made by `python -m tests.generate_explorer` -->"
ENDS = "<!-- explorer: end -->"

DIFFERS: Mapping[str, str] = {
    "small": "the one that closes; a bad source soon after a raise holds here, so nothing remembers for how long a weight has been live",
    "commands": "commands cost nothing at any moment",
    "two-routes": "two routes",
    "three-steps": "three steps",
    "control-share": "10 % stay at the source until the last bake is over",
    "sticky": "the route has group stickiness",
    "above-zero": "the destination has a share before the run",
    "approval": "every step asks for an approval",
    "other-answers": "drift and a signal roll back, the deadline of a hold does not",
    "fine-grain": "the process gets time every 2 s",
    "two-routes-fine": "two routes, and the process gets time every 2 s",
}
"""What each configuration is there for."""

_ACTING = "while it acts"
_BEFORE = "before it acts"


def _moves() -> Iterator[tuple[str, str, Sequence[Option]]]:
    yield (
        "the routes, before anybody looks",
        _BEFORE,
        (
            Option("a write that is on its way arrives"),
            *(Option(f"somebody else: {one}", 1) for one in env.WRITERS),
        ),
    )
    yield "a command to a living run", _BEFORE, turns.commands(1, frozenset(), asks=True)
    yield "a command to a run that holds", _BEFORE, turns.commands(1, turns.ANSWERS, asks=True)
    yield (
        "the command that a new process begins with",
        _BEFORE,
        [Option(one) for one in turns.FIRST],
    )
    yield "when a new process comes", _BEFORE, turns._COMES
    yield "when a living process looks", _BEFORE, turns._TIMES
    yield "each read of a route", _BEFORE, env.READS_STALE
    yield "target health", _BEFORE, env.HEALTHS
    yield "the verdict of all gates that count", _BEFORE, env.VERDICTS
    yield "minutes from CloudWatch", _BEFORE, env.MINUTES
    yield "who we are", _BEFORE, env.IDENTITIES
    yield "the lease", _BEFORE, env.LEASES
    yield "credentials", _ACTING, env.PREPARES
    yield "while a write connects", _ACTING, env.WIRES[1]
    yield "each write", _ACTING, env.FATES
    yield (
        "records",
        _ACTING,
        (Option("disk full", 1), Option("dies after each of them, and before", 1)),
    )


def table() -> str:
    """Both tables."""
    lines = [
        "| Configuration | What it is there for | Routes | Steps, % | Faults at most | Grain |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in configurations().items():
        lines.append(f"| `{name}` | {DIFFERS[name]} | {_size(one)} |")
    lines += [
        "",
        "| Asked of the environment | When | Costs nothing | Costs a fault |",
        "|---|---|---|---|",
    ]
    for what, when, options in _moves():
        free = ", ".join(one.name for one in options if one.name and not one.faults)
        faults = ", ".join(one.name for one in options if one.faults)
        lines.append(f"| {what} | {when} | {free or '-'} | {faults or '-'} |")
    return "\n".join(lines)


def _size(one: Configuration) -> str:
    steps = ", ".join(f"{int(step.weight) / 10:g}" for step in one.plan.steps)
    grain = f"{one.grain_ms // 1000} s"
    assert one.grain_ms <= MINUTE
    return f"{len(one.plan.routes)} | {steps} | {one.faults} | {grain}"


def stale() -> Iterator[str]:
    """Why the page has to be written again."""
    text = PAGE.read_text(encoding="utf-8")
    if text.count(BEGINS) != 1 or text.count(ENDS) != 1:
        yield "docs/reliability.md has no place for the explorer's tables"
    elif text.partition(BEGINS)[2].partition(ENDS)[0].strip() != table():
        yield "docs/reliability.md: the explorer's tables are stale: python -m tests.generate_explorer"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGINS)
    after = rest.partition(ENDS)[2]
    PAGE.write_text(f"{before}{BEGINS}\n\n{table()}\n\n{ENDS}{after}", encoding="utf-8")
