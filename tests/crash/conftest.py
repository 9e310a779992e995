"""The emulator for the slice of the kill loop that every `make test` runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.emulator import Emulator, serving


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """One server for all lives."""
    with serving() as found:
        yield found
