"""What holds for every test: a machine that is slow or loaded proves nothing wrong, and they run in any number of processes."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.promises.from_bench import watched

# Looking for cycles of objects took a third of the time of all tests: they are few, and the modules never go away
gc.set_threshold(100_000, 20, 20)

# an example has no 200 ms to end in, drawing it may take long, and each run has the examples of the last one:
# `pytest --hypothesis-profile=random` looks for others
settings.register_profile(
    "random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("patient", settings.get_profile("random"), derandomize=True)
settings.load_profile("patient")

# GNU readline, where a worker has imported it, says that its pipe is a terminal of 80 columns
os.environ.pop("COLUMNS", None)
os.environ.pop("LINES", None)


@pytest.fixture(autouse=True)
def promises(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every run on fakes keeps every promise, but for those that its test says it breaks: `@pytest.mark.breaks("P7")`."""
    marker = request.node.get_closest_marker("breaks")
    meant = set(marker.args) if marker else set()
    with watched() as logs:
        yield
    broken = [one for log in logs for one in log.broken]
    found = {one.partition(":")[0] for one in broken}
    told = "\n".join(dict.fromkeys(broken))
    assert found <= meant, f"promises were broken:\n{told}"
    assert meant <= found, f"kept after all: {', '.join(sorted(meant - found))}"


SIDE_BY_SIDE = ("tests/e2e/", "tests/docs/test_runbooks.py")
"""Where the first test starts all others in threads: they share one process, and are begun first."""


def pytest_collection_finish() -> None:
    """What is loaded by now stays until the end: the collector of garbage need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two processes per core for `-n auto`: many tests wait for a process or for two reads of a route."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each test goes to the process that is free, but for those that belong together.

    `--dist loadgroup` would do it, but the `xdist_group` of pytest-xdist 3.8 has no effect under pytest 9.2,
    whose items have no `_nodeid` to write the group's name into.
    """
    from xdist.scheduler import LoadScopeScheduling

    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = lambda nodeid: next(
        (place for place in SIDE_BY_SIDE if nodeid.startswith(place)), nodeid
    )
    return scheduler
