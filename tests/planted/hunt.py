"""Every hunter after every bug, and what was found so far, kept so that a long hunt can go on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.planted.bug import DoesNotApplyError, Planted
from tests.planted.copied import UnsoundError, check, copied
from tests.planted.hunters import Hunted, Hunter, Verdict


@dataclass(frozen=True)
class Outcome:
    """One bug and all who hunted it.

    Attributes:
        bug: the bug.
        hunts: one for each hunter that was asked.
        unsound: why it counts for nothing: the edit does not apply, or the copy does not work; empty when it does.
    """

    bug: Planted
    hunts: tuple[Hunted, ...] = ()
    unsound: str = ""

    def by(self, hunter: str) -> Hunted | None:
        """What this hunter did."""
        return next((one for one in self.hunts if one.hunter == hunter), None)

    @property
    def found(self) -> tuple[Hunted, ...]:
        """Those that found it."""
        return tuple(one for one in self.hunts if one.verdict is Verdict.FOUND)

    @property
    def broken(self) -> tuple[Hunted, ...]:
        """Those of which nobody knows."""
        return tuple(one for one in self.hunts if one.verdict is Verdict.BROKEN)


Asked = Callable[[Planted], Sequence[Hunter]]
"""Who is after a bug, in this order."""


def hunted(
    bug: Planted, hunters: Sequence[Hunter], known: Sequence[Hunted] = (), *, all_of_them: bool
) -> Outcome:
    """The hunters after one bug, until one finds it or all of them; what is `known` is not hunted again."""
    names = {one.name for one in hunters}
    hunts = [one for one in known if one.hunter in names]
    done = {one.hunter for one in hunts}
    left = [one for one in hunters if one.name not in done]
    if not left or (not all_of_them and Outcome(bug, tuple(hunts)).found):
        return Outcome(bug, tuple(hunts))
    try:
        with copied(bug) as root:
            check(root, bug)
            for hunter in left:
                hunts.append(hunter.hunt(root, bug))
                if hunts[-1].verdict is Verdict.FOUND and not all_of_them:
                    break
    except (DoesNotApplyError, UnsoundError) as error:
        return Outcome(bug, tuple(hunts), str(error))
    return Outcome(bug, tuple(hunts))


def all_hunted(
    bugs: Sequence[Planted],
    asked: Asked,
    processes: int,
    known: Callable[[Planted], Sequence[Hunted]],
    *,
    all_of_them: bool,
) -> Iterator[Outcome]:
    """The outcomes, as they come."""
    with ThreadPoolExecutor(processes) as pool:
        jobs = [
            pool.submit(hunted, bug, asked(bug), known(bug), all_of_them=all_of_them)
            for bug in bugs
        ]
        for job in as_completed(jobs):
            yield job.result()


class Kept:
    """A file of earlier hunts. A bug whose edit has changed is hunted again, and so is what was broken or absent."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[str, dict[str, object]] = {}
        if path is not None and path.exists():
            self._found = json.loads(path.read_text(encoding="utf-8"))

    def known(self, bug: Planted) -> tuple[Hunted, ...]:
        """What earlier hunts say of this very bug."""
        entry = self._found.get(bug.id, {})
        hunts = entry.get("hunts") if entry.get("edit") == _digest(bug) else None
        if not isinstance(hunts, list):
            return ()
        read = [Hunted(**{**one, "verdict": Verdict(one["verdict"])}) for one in hunts]
        return tuple(one for one in read if one.verdict in (Verdict.FOUND, Verdict.MISSED))

    def keep(self, outcome: Outcome) -> None:
        """Write it down."""
        if self._path is None or outcome.unsound:
            return
        hunts = [dataclasses.asdict(one) for one in outcome.hunts]
        self._found[outcome.bug.id] = {"edit": _digest(outcome.bug), "hunts": hunts}
        text = json.dumps(self._found, indent=1, sort_keys=True)
        self._path.write_text(text + "\n", encoding="utf-8")


def _digest(bug: Planted) -> str:
    edits: list[Mapping[str, str]] = [dataclasses.asdict(edit) for edit in bug.edits]
    return hashlib.sha256(json.dumps(edits).encode()).hexdigest()[:12]
