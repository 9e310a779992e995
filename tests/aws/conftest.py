"""One emulator for all tests of this room: starting it takes longer than any of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.aws import topology


@pytest.fixture(scope="module", autouse=True)
def _emulator() -> Iterator[None]:
    with mock_aws():
        yield
    topology.forget()
