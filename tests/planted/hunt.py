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


@dataclass(frozen=True)
class Limits:
    """How long one hunter may be after one bug, in seconds."""

    adversary: float
    suite: float

    def of(self, hunter: Hunter) -> float:
        """For this hunter."""
        return self.adversary if hunter.adversary else self.suite


def hunted(
    bug: Planted, hunters: Sequence[Hunter], limits: Limits, known: Sequence[Hunted] = ()
) -> Outcome:
    """All hunters after one bug, in their order; what is `known` is not hunted again."""
    done = {one.hunter: one for one in known}
    hunts = list(known)
    left = [one for one in hunters if one.name not in done]
    if not left:
        return Outcome(bug, tuple(hunts))
    try:
        with copied(bug) as root:
            check(root, bug)
            hunts += [hunter.hunt(root, bug, limits.of(hunter)) for hunter in left]
    except (DoesNotApplyError, UnsoundError) as error:
        return Outcome(bug, tuple(hunts), str(error))
    return Outcome(bug, tuple(hunts))


def all_hunted(
    bugs: Sequence[Planted],
    hunters: Sequence[Hunter],
    limits: Limits,
    processes: int,
    known: Callable[[Planted], Sequence[Hunted]],
) -> Iterator[Outcome]:
    """The outcomes, as they come."""
    with ThreadPoolExecutor(processes) as pool:
        jobs = [pool.submit(hunted, bug, hunters, limits, known(bug)) for bug in bugs]
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
