"""Every promise, in the order of `docs/promises.md`."""

from __future__ import annotations

from tests.promises.claims import CLAIMS
from tests.promises.evidence import EVIDENCE
from tests.promises.processes import PROCESSES
from tests.promises.promise import Promise
from tests.promises.rollback import ROLLBACK
from tests.promises.writes import WRITES


def _in_order(promise: Promise) -> tuple[bool, int]:
    return promise.id[0] != "P", int(promise.id[1:])


PROMISES: tuple[Promise, ...] = tuple(
    sorted((*WRITES, *EVIDENCE, *CLAIMS, *ROLLBACK, *PROCESSES), key=_in_order)
)

SEARCHED: tuple[Promise, ...] = tuple(promise for promise in PROMISES if promise.searched)
"""Those that a search over states can carry along; the others are asked of whole runs."""
