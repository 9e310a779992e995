"""Who hunts: a command each, what its end means, and how it names the length of a counterexample."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tests.planted.bug import Planted
from tests.planted.copied import ROOT, Ran, run


class Verdict(StrEnum):
    """What became of a hunt."""

    FOUND = "found"
    MISSED = "missed"
    ABSENT = "absent"  # this tree has no such hunter
    BROKEN = "broken"  # it ended in a way that says nothing about the bug


@dataclass(frozen=True)
class Hunted:
    """One hunter after one bug.

    Attributes:
        hunter: its name.
        verdict: what became of it.
        seconds: how long it took.
        length: of the shortest counterexample, in the hunter's own moves or occurrences; None where it has none.
        said: the promise that broke, or the test that failed.
    """

    hunter: str
    verdict: Verdict
    seconds: float
    length: int | None = None
    said: str = ""


@dataclass(frozen=True)
class Hunter:
    """One way to look for a bug in a copy of the tree.

    Attributes:
        name: for `--hunters`.
        needs: a file of the tree without which there is no such hunter.
        commands: what Python is told one after the other until it finds something, by the bug and the seconds for all.
        seconds: for one bug.
        slack: seconds beyond these until it is ended.
        reads: what its output says, when it ended with 1: (length, what was found); None when that says nothing.
        adversary: it searches; else it is made of tests that somebody wrote by hand.
    """

    name: str
    needs: str
    commands: Callable[[Planted, float], Sequence[Sequence[str]]]
    seconds: float
    slack: float
    reads: Callable[[str], tuple[int | None, str] | None]
    adversary: bool = True

    def hunt(self, root: Path, bug: Planted) -> Hunted:
        """Hunt in the copy at `root`."""
        if not (root / self.needs).exists():
            return Hunted(self.name, Verdict.ABSENT, 0)
        spent = 0.0
        hunted = Hunted(self.name, Verdict.MISSED, 0)
        for commands in self.commands(bug, self.seconds):
            left = self.seconds + self.slack - spent
            if left <= 0:
                break
            ran = run(root, commands, left)
            spent += ran.seconds
            hunted = replace(self.judged(ran), seconds=round(spent, 1))
            if hunted.verdict is not Verdict.MISSED:
                break
        return hunted

    def judged(self, ran: Ran) -> Hunted:
        """What the end of the command means."""
        took = round(ran.seconds, 1)
        if ran.code == 1 and (read := self.reads(ran.out)) is not None:
            return Hunted(self.name, Verdict.FOUND, took, read[0], read[1][:300])
        if ran.code == 0 or (ran.code is None and not self.adversary):
            return Hunted(self.name, Verdict.MISSED, took)
        end = "it was ended" if ran.code is None else f"exit {ran.code}"
        return Hunted(self.name, Verdict.BROKEN, took, said=f"{end}: {ran.out[-1500:]}")


_LENGTH = re.compile(r"\b(\d+) (?:moves?\b|occurrences? left\b|turns:)")
"""How an adversary names it; one that found something without a length has fallen over."""
_PROMISE = re.compile(r"^.*\b[A-Z]\d+[a-z]?: .*$", re.MULTILINE)


def counterexample(out: str) -> tuple[int, str] | None:
    """The length that an adversary names, and the promise that broke; None for one that fell over."""
    length, promise = _LENGTH.search(out), _PROMISE.search(out)
    if length is None:
        return None
    return int(length.group(1)), (promise or length).group().strip()


_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def first_red(out: str) -> tuple[None, str] | None:
    """The test that failed; None when pytest itself fell over."""
    found = _FAILED.search(out)
    return None if found is None else (None, found.group(1))


ORDER = (
    "tests/core/engine",
    "tests/runner",
    "tests/local",
    "tests/aws",
    "tests/proofs/test_slices.py",
    "tests/core",
    "tests/emulator",
    "tests/e2e",
    "tests/crash",
)
"""After the tests that lie near the bug: quick ones first, real processes last."""


_OTHERS = (
    "--ignore=tests/planted",
    "--ignore=tests/explore",
    "--ignore=tests/swarm",
    "--ignore=tests/core/test_plan_schema.py",  # it installs a language server, which no bug here can break
)


def _pytest(bug: Planted, _seconds: float) -> Sequence[Sequence[str]]:
    plain = ("-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider", *_OTHERS)
    rest = [one for one in ORDER if one not in bug.near]
    return ((*plain, *bug.near), (*plain, *rest)) if bug.near else ((*plain, *rest),)


def _explore(_bug: Planted, seconds: float) -> Sequence[Sequence[str]]:
    return (("-m", "tests.explore", "--find", "--seconds", f"{seconds:g}"),)


def _swarm(_bug: Planted, seconds: float) -> Sequence[Sequence[str]]:
    command = ("-m", "tests.swarm", "--find", "--seconds", f"{seconds:g}")
    return ((*command, "--processes", "1"),)


def _walk(_bug: Planted, seconds: float) -> Sequence[Sequence[str]]:
    command = ("-m", "tests.explore.walks", "--find", "--seconds", f"{seconds:g}")
    return ((*command, "--unlike", str(ROOT)),)


HUNTERS = (
    Hunter("explore", "tests/explore/__main__.py", _explore, 60, 60, counterexample),
    Hunter("walk", "tests/explore/walks.py", _walk, 30, 60, counterexample),
    Hunter("swarm", "tests/swarm/__main__.py", _swarm, 60, 240, counterexample),
    Hunter("suite", "tests/conftest.py", _pytest, 300, 0, first_red, adversary=False),
)
"""In the order of the table; each bug says in which order it is hunted."""
