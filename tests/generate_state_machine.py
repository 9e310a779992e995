"""Writes docs/state-machine.md from the tables of core/state/phases.py: `python -m tests.generate_state_machine`."""

from __future__ import annotations

from pathlib import Path

from cutover.core.messages import HOLD_WORDS
from cutover.core.state import ACTIVE, HOLDS, RESTING, TERMINAL, TRANSITIONS, Phase

PAGE = Path(__file__).parent.parent / "docs" / "state-machine.md"


def page() -> str:
    """The whole page."""
    return "\n".join([*_head(), *_diagram(), *_moves(), *_holds()]) + "\n"


def _head() -> list[str]:
    def names(phases: frozenset[Phase]) -> str:
        return ", ".join(f"`{phase}`" for phase in Phase if phase in phases)

    return [
        "# The state machine",
        "",
        "Generated from `src/cutover/core/state/phases.py` by `python -m tests.generate_state_machine`; a test fails",
        "when this page is stale. A move that is not in the table cannot be journalled: folding it is an error.",
        "",
        f"- **Active** (a process drives the run, or should): {names(ACTIVE)}",
        f"- **Resting** (the process has ended, the routes are still claimed; only `rollback` and `finish` act): {names(RESTING)}",
        f"- **Terminal** (the routes are free): {names(TERMINAL)}",
        "",
        "`ROLLING_BACK` is absorbing: no way leads from it to a raise.",
        "",
    ]


def _diagram() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> PREFLIGHT"]
    for before, ways in TRANSITIONS.items():
        lines += [f"    {before} --> {after}" for after in ways]
    lines += [f"    {phase} --> [*]" for phase in Phase if phase in TERMINAL]
    return [*lines, "```", ""]


def _moves() -> list[str]:
    rows = [
        f"| `{before}` | `{after}` | {_cell(why)} |"
        for before, ways in TRANSITIONS.items()
        for after, why in ways.items()
    ]
    return ["## Every move", "", "| From | To | When |", "|---|---|---|", *rows, ""]


def _holds() -> list[str]:
    rows = []
    for hold, rule in HOLDS.items():
        ends = "by itself when its cause is gone" if rule.clears else "by a command"
        then = "a fresh bake" if rule.afresh else "the evidence goes on"
        late = "rolls back, if the plan lets it" if rule.rolls_back else "people are told again"
        commands = HOLD_WORDS[hold]
        rows.append(
            f"| `{hold}` | {commands.label} | {ends} | {then} | {late} | {_cell(commands.command)} |"
        )
    head = [
        "| Reason | In words | Ends | Then | At its deadline | What a person types |",
        "|---|---|---|---|---|---|",
    ]
    return ["## Every hold", "", *head, *rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
