"""End-to-end tests wait far more than they work, so they run side by side: each in its own world.

A test that takes a `stage` is handed to a few threads before the first of them is asked for its result:
under pytest-xdist all of them are one process's (`tests/conftest.py`).
What a stage is built with stands in a marker: `@pytest.mark.stage(rules=2, listener=True)`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.emulator import Emulator, serving
from tests.e2e.stage import Stage

AT_ONCE = int(os.environ.get("CUTOVER_E2E_AT_ONCE", "10"))

_FUTURES = pytest.StashKey[dict[str, "Future[None]"]]()


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """One server for every test; each has load balancers of its own."""
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def side_by_side(
    request: pytest.FixtureRequest, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Starts every selected test that takes a stage."""
    here = Path(__file__).parent
    items = [
        item
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and here in item.path.parents
        and "stage" in item.fixturenames
    ]
    base = tmp_path_factory.mktemp("stages")
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stage")
    request.session.stash[_FUTURES] = {
        item.nodeid: pool.submit(_perform, item, base / f"{n:02}-{_safe(item.name)}", emulator)
        for n, item in enumerate(items)
    }
    yield
    pool.shutdown(wait=True, cancel_futures=True)


@pytest.fixture
def stage(side_by_side: None) -> None:
    """The test's world; it is made in the thread that performs the test."""


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test with a stage was performed already, or is being: its result is its own."""
    futures = pyfuncitem.session.stash.get(_FUTURES, {})
    future = futures.get(pyfuncitem.nodeid)
    if future is None:
        return None
    future.result()
    return True


def _perform(item: pytest.Function, path: Path, emulator: Emulator) -> None:
    marker = item.get_closest_marker("stage")
    settings: dict[str, Any] = dict(marker.kwargs) if marker else {}
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    stage = Stage.build(path, emulator, **settings)
    breaks = item.get_closest_marker("breaks")
    stage.breaks = frozenset(breaks.args) if breaks else frozenset()
    try:
        item.obj(stage=stage, **given)
        stage.close()
    finally:
        stage.stop()


def _safe(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")


def pytest_configure(config: pytest.Config) -> None:
    """The marker of this directory."""
    config.addinivalue_line("markers", "stage(**settings): what the test's world is built with")
