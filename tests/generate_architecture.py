"""Writes the picture of the rooms into docs/architecture.md and the table of records into docs/engine.md.

`python -m tests.generate_architecture`. The picture is the import graph of the packages; an arrow that follows from
two others is left out.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import grimp

from cutover.core.journal.events import TYPES

ROOT = Path(__file__).parent.parent
PICTURE = (ROOT / "docs" / "architecture.md", "picture", "picture")
RECORDS = (ROOT / "docs" / "engine.md", "records", "table")


def picture() -> str:
    """A Mermaid graph: an arrow from each room to those it imports."""
    graph = grimp.build_graph("cutover", include_external_packages=False)
    every = graph.find_children("cutover") | graph.find_children("cutover.core")
    rooms = sorted(every - {"cutover.core"})
    imports = {
        room: {
            other
            for other in rooms
            if other != room
            and graph.direct_import_exists(importer=room, imported=other, as_packages=True)
        }
        for room in rooms
    }
    lines = ["```mermaid", "flowchart TD"]
    for outer in (True, False):
        names = [room for room in rooms if room.startswith("cutover.core.") is not outer]
        if not outer:
            lines.append("  subgraph core")
        lines += [f"  {_id(room)}[{room.rpartition('.')[2]}]" for room in names]
        if not outer:
            lines.append("  end")
    for room in rooms:
        beyond = set().union(*(_reached(other, imports) for other in imports[room]))
        lines += [f"  {_id(room)} --> {_id(other)}" for other in sorted(imports[room] - beyond)]
    return "\n".join([*lines, "```"])


def _reached(room: str, imports: dict[str, set[str]]) -> set[str]:
    """Every room that it imports, directly or by way of another."""
    found: set[str] = set()
    left = list(imports[room])
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += imports[one]
    return found


def _id(room: str) -> str:
    return room.removeprefix("cutover.").replace(".", "_")


def records() -> str:
    """What each type of record says."""
    rows = [
        f"| `{name}` | {(inspect.getdoc(cls) or '').partition(chr(10))[0]} |"
        for name, cls in TYPES.items()
    ]
    return "\n".join(["| Type | Says |", "|---|---|", *rows])


def _parts() -> list[tuple[tuple[Path, str, str], str]]:
    return [(PICTURE, picture()), (RECORDS, records())]


def _filled(place: tuple[Path, str, str], made: str) -> str:
    page, name, _ = place
    begins, ends = (
        f"<!-- {name}: made by `python -m tests.generate_architecture` -->",
        f"<!-- {name}: end -->",
    )
    before, _, rest = page.read_text(encoding="utf-8").partition(begins)
    return f"{before}{begins}\n\n{made}\n\n{ends}{rest.partition(ends)[2]}"


def stale() -> list[str]:
    """The pages that are not as this makes them now."""
    return [
        f"docs/{place[0].name}: its {place[2]} is stale: python -m tests.generate_architecture"
        for place, made in _parts()
        if _filled(place, made) != place[0].read_text(encoding="utf-8")
    ]


if __name__ == "__main__":
    for place, made in _parts():
        place[0].write_text(_filled(place, made), encoding="utf-8")
