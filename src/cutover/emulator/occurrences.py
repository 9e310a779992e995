"""Whether a scenario's trouble really happened: which of its entries began, and what each of them met.

A rehearsal whose trouble never came proves nothing about the trouble, however well it ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cutover.emulator.injections import Crash, Effect, Fault, HealthChange, Say, Write

Entry = Effect | HealthChange | Write | Fault | Say | Crash

_PUBLISHED = ("metrics_quiet", "metrics_delay", "metrics_torn", "errors_first")


@dataclass
class Occurrence:
    """One entry of a scenario file, and what became of it.

    Attributes:
        what: where it stands in the file, and what it does.
        waits_for: its `when` in words.
        to_meet: by part of the entry, what is said when that part met nothing.
        optional: the rehearsal counts without it.
        began: its time came.
        met: by part, how many requests, datapoints, calls, targets or words it met.
    """

    what: str
    waits_for: str
    to_meet: Mapping[str, str]
    optional: bool = False
    began: bool = False
    met: Counter[str] = field(default_factory=Counter)

    def meet(self, part: str, count: int = 1) -> None:
        """This part of the entry met so many of what it is about."""
        self.met[part] += count

    @property
    def missing(self) -> str:
        """Why the entry did not happen, as a sentence; empty when it did."""
        if not self.began:
            return f"{self.what} never began: it waits for {self.waits_for}"
        unmet = [words for part, words in self.to_meet.items() if not self.met[part]]
        return f"{self.what} began, but {' and '.join(unmet)}" if unmet else ""


class Occurrences:
    """All entries of a scenario.

    Attributes:
        highest: the largest weight (per mille) written when the last of them began.
        weight: the live weight then.
    """

    def __init__(self, weights: Callable[[], tuple[int, int]]) -> None:
        self._weights = weights
        self._all: list[Occurrence] = []
        self.weight = 0
        self.highest = 0

    def of(self, section: str, number: int, entry: Entry, waits_for: str) -> Occurrence:
        """The occurrence of an entry, by its place in the file (the first is 1)."""
        said = entry.model_dump(
            mode="json", exclude={"when", "optional", "who", "why"}, exclude_defaults=True
        )
        shown = ", ".join(f"{key}: {value}" for key, value in said.items())
        found = Occurrence(
            f"`{section}` entry {number} ({shown})", waits_for, _to_meet(entry), entry.optional
        )
        self._all.append(found)
        return found

    def begin(self, one: Occurrence, *, asked: int = 0) -> None:
        """Its time has come; `asked` is the weight (per mille) of the write that it begins with."""
        if one.began:
            return
        one.began = True
        self.weight, highest = self._weights()
        self.highest = max(highest, asked)

    def missing(self) -> tuple[str, ...]:
        """One sentence for each entry that did not happen, in the file's order."""
        return tuple(one.missing for one in self._all if not one.optional and one.missing)


def _to_meet(entry: Entry) -> dict[str, str]:
    match entry:
        case Effect():
            return {part: _unmet(part, entry) for part in entry.parts}
        case HealthChange():
            return {"": f"no target of the {entry.side} was {entry.state} by it"}
        case Write():
            return {"": "it changed no route of the plan"}
        case Fault():
            return {"": f"no {entry.operation} call that can be `{entry.kind}` met it"}
        case Say():
            return {"": "no process heard it"}
        case _:
            return {}


def _unmet(part: str, effect: Effect) -> str:
    side = f"the {effect.side}" if effect.side != "both" else "either side"
    if part in _PUBLISHED:
        return f"`{part}` hit no datapoint of {side}"
    match part:
        case "alarm":
            return f"the run watched no alarm that is called {effect.alarm}"
        case "propagation":
            return "no weight was written while `propagation` was in force"
        case "log_bytes_factor":
            return "the plan has no `metric` gate whose series grew by `log_bytes_factor`"
        case _:
            return f"`{part}` hit no request of {side}"
