"""Every command of every runbook is run, in the situation that the runbook is for, and answers as it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.docs.console import Command, Mark, steps
from tests.docs.situations import MEANWHILE, SITUATIONS
from tests.e2e.emulator import Emulator, serving
from tests.e2e.stage import PATIENCE, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "runbooks").glob("*.md"))
AT_ONCE = 10

Scene = tuple[str, list[Command | Mark]]


def contexts(page: Path) -> list[Scene]:
    """A page cut where its situation changes."""
    found: list[Scene] = []
    for step in steps(page):
        if isinstance(step, Mark) and step.kind == "situation":
            found.append((step.name, []))
        elif found:
            found[-1][1].append(step)
        else:
            raise AssertionError(f"{page.name}:{step.line}: a command before any situation")
    return found


ALL = [(page, number) for page in PAGES for number in range(len(contexts(page)))]


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[tuple[str, int], Future[str]]]:
    """Every scene, played side by side: they wait far more than they work."""
    place = tmp_path_factory.mktemp("runbooks")
    with serving() as emulator, ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (page.name, number): pool.submit(
                play, contexts(page)[number], place / f"{page.stem}-{number}", emulator
            )
            for page, number in ALL
        }


def play(context: Scene, place: Path, emulator: Emulator) -> str:
    """Play a scene; what went otherwise than it says, empty when nothing did."""
    stage = Stage.build(place, emulator)
    stage.state = place / ".local" / "state" / "cutover"
    stage.witness._state = stage.state
    try:
        SITUATIONS[context[0]](stage)
        for step in context[1]:
            if isinstance(step, Mark):
                MEANWHILE[step.name](stage)
            elif wrong := step.differs(*_shell(stage, step.text)):
                return wrong
    finally:
        stage.close()
    return ""


def _shell(stage: Stage, text: str) -> tuple[int, str]:
    """The exit code and everything said of a command line, as a person at a shell has it."""
    shutil.copytree(ROOT / "plans", stage.path / "plans", dirs_exist_ok=True)
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=stage.path,
        env=stage.environment({"PATH": path, "RUN": "one", "CUTOVER_STATE_DIR": None}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("page", "number"), ALL, ids=lambda value: getattr(value, "stem", value))
def test_its_commands_answer_as_the_runbook_says(
    played: dict[tuple[str, int], Future[str]], page: Path, number: int
) -> None:
    wrong = played[page.name, number].result()
    assert not wrong, f"{page.name} {wrong}"


def test_every_runbook_shows_a_command() -> None:
    assert {page.stem for page in PAGES} == {
        "before-the-cutover",
        "credentials-expired",
        "drift",
        "during",
        "no-data",
        "nobody-to-compare-with",
        "rehearse-in-a-sandbox-account",
        "resume-after-a-crash",
        "rollback-by-hand",
        "stuck-rollback",
    }
    assert all(any(isinstance(step, Command) for step in steps(page)) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_cutover_in_its_prose_exists(page: Path) -> None:
    import re

    from cutover.cli import COMMANDS

    said = set(re.findall(r"`cutover (?:--\S+ )*([a-z-]+)", page.read_text(encoding="utf-8")))
    assert said <= set(COMMANDS)
