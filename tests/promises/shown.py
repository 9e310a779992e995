"""What was shown to the process: the evidence, and whether the source can take everything back."""

from __future__ import annotations

from tests.promises.facts import (
    Fact,
    Health,
    Recorded,
    Setting,
    Shown,
    Started,
)
from tests.promises.promise import Promise


def _shown(
    setting: Setting, memory: tuple[str, frozenset[str]], fact: Shown
) -> tuple[tuple[str, frozenset[str]], str]:
    return (fact.verdict, memory[1]), ""


def _said(
    setting: Setting, memory: tuple[str, frozenset[str]], fact: Recorded
) -> tuple[tuple[str, frozenset[str]], str]:
    key = f"{fact.body['gate']} on {fact.body['comparison']}"
    unknown = memory[1] | {key} if fact.body["verdict"] == "UNKNOWN" else memory[1] - {key}
    return (memory[0], unknown), ""


def _blindly(
    setting: Setting, memory: tuple[str, frozenset[str]], fact: Recorded
) -> tuple[tuple[str, frozenset[str]], str]:
    after, before = fact.body["after"], fact.body["before"]
    raises = after == "SHIFTING" and before in ("BAKING", "ATTACHING")
    if not raises and after != "COMPLETED":
        return memory, ""
    shown, unknown = memory
    step = int(fact.body["step"])
    hands_over = after == "COMPLETED" and setting.bakes[step] == 0
    waits = before == "ATTACHING" or hands_over
    if unknown:
        return memory, f"{after} while {', '.join(sorted(unknown))} was UNKNOWN"
    if shown not in ({"", "pass", "waiting"} if waits else {"", "pass"}):
        return memory, f"{after} although the newest look had shown {shown}"
    return memory, ""


def _new_eyes(
    setting: Setting, memory: tuple[str, frozenset[str]], fact: Fact
) -> tuple[tuple[str, frozenset[str]], str]:
    return ("", memory[1]), ""


BLINDNESS = Promise(
    id="P21",
    text="Missing, partial or unreadable evidence never leads forward: no raise and no completion while a gate is UNKNOWN, or while the newest look showed anything but a pass.",
    ends="As for P3: before the first step, and after a hand-over, gates may wait for requests.",
    start=("", frozenset()),
    hears={Shown: _shown, Started: _new_eyes},
    next_turn=lambda memory: ("", memory[1]),
    records={"gate": _said, "phase": _blindly},
)


def _both(setting: Setting, memory: bool | None, fact: Shown) -> tuple[bool | None, str]:
    return (fact.both if fact.verdict == "breach" else None), ""


def _one_sided(setting: Setting, memory: bool | None, fact: Recorded) -> tuple[bool | None, str]:
    if (
        memory is False
        and fact.body["after"] == "ROLLING_BACK"
        and fact.body.get("cause") == "breach"
    ):
        return memory, "rolled back for a breach of which one side was not published yet"
    return memory, ""


BOTH_SIDES = Promise(
    id="N3",
    text="A breach is judged on what both sides have published: a minute of which one side is still missing rolls nothing back.",
    ends="What CloudWatch publishes late and then corrects is judged as it was published first.",
    start=None,
    hears={Shown: _both},
    records={"phase": _one_sided},
    # a breach rolls back in the turn that sees it
    next_turn=lambda _memory: False,
)


Landing = tuple[tuple[str, int, int], ...]
"""Per source group: its healthy targets (-1 for unknown) as shown last, and at the start."""

AUTOMATIC = frozenset({"breach", "deadline", "no_data", "partial", "drift", "interrupt"})
"""Causes of a rollback that no person said."""


def _healthy(setting: Setting, memory: Landing, fact: Health) -> tuple[Landing, str]:
    others = tuple(one for one in memory if one[0] != fact.group)
    return tuple(sorted((*others, (fact.group, fact.source, fact.at_start)))), ""


def _lands(setting: Setting, memory: Landing, fact: Recorded) -> tuple[Landing, str]:
    after, before = fact.body["after"], fact.body["before"]
    by_itself = after == "ROLLING_BACK" and fact.body.get("cause") in AUTOMATIC
    if by_itself and any(healthy == 0 for _, healthy, _ in memory):
        return memory, "rolled back by itself onto a source without a healthy target"
    if after == "SHIFTING" and before in ("BAKING", "ATTACHING"):
        for group, healthy, at_start in memory:
            if healthy < 0:
                return memory, f"a raise while the health of the source {group} was unknown"
            if healthy * 1_000_000 < at_start * setting.source_reserve_ppm or healthy == 0:
                return (
                    memory,
                    f"a raise while the source {group} had {healthy} of {at_start} healthy targets",
                )
    return memory, ""


def _new_health(setting: Setting, memory: Landing, fact: Fact) -> tuple[Landing, str]:
    return (), ""


def _earlier(memory: Landing) -> Landing:
    """Of an earlier look: no health to raise by, and none to go back to where there was none."""
    return tuple((group, 0 if healthy == 0 else -1, 0) for group, healthy, _ in memory)


LANDING = Promise(
    id="P14",
    text="No raise is decided unless the source is known to have its reserve of healthy targets, and no rollback begins by itself while the source is known to have none.",
    ends="Unknown health delays no rollback; a person's rollback asks nobody.",
    start=(),
    hears={Health: _healthy, Started: _new_health},
    records={"phase": _lands},
    # every look from which something is raised, or taken back by itself, asks for health
    next_turn=_earlier,
)
