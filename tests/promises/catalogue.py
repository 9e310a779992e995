"""Every promise, in the order of `docs/promises.md`."""

from __future__ import annotations

from tests.promises.promise import Promise
from tests.promises.rollback import ABSORBING

PROMISES: tuple[Promise, ...] = (ABSORBING,)
