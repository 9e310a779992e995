"""The smallest script that still breaks the same promise: occurrences are left out one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from tests.swarm.script import IN_SCENARIO, SECTIONS, Script, script_of


def shrunk(script: Script, fails: Callable[[Script], bool], *, seconds: float = 120) -> Script:
    """The script with the fewest occurrences, and the plainest plan, for which `fails` still holds.

    After so many seconds it is the smallest one found so far.
    """
    until, smaller = monotonic() + seconds, True
    while smaller:
        smaller = False
        for candidate in _smaller(script):
            if monotonic() > until:
                return script
            if fails(candidate):
                script, smaller = candidate, True
                break
    return script


def _smaller(script: Script) -> Iterator[Script]:
    data: dict[str, Any] = script.model_dump(mode="json", exclude_defaults=True)
    data["scenario"] = script.scenario.model_dump(mode="json", exclude_defaults=True)
    for place, names in ((data, SECTIONS), (data["scenario"], IN_SCENARIO)):
        for name in names:
            entries = list(place.get(name, ()))
            for number in range(len(entries)):
                yield from _made(data, place, name, entries[:number] + entries[number + 1 :])
    for name in ("routes", "hold_back", "gates", "safety"):
        if name in data.get("plan", {}):
            plan = {key: value for key, value in data["plan"].items() if key != name}
            yield from _made(data, data, "plan", plan)
    for name in ("twin", "traffic"):
        if name in data["scenario"]:
            yield from _made(data, data["scenario"], name, {})


def _made(data: dict[str, Any], place: dict[str, Any], name: str, value: Any) -> Iterator[Script]:
    before = place[name]
    place[name] = value
    try:
        made = script_of(data)
        _ = made.plan_made
    except ValueError:
        return
    finally:
        place[name] = before
    yield made
