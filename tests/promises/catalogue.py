"""Every promise, in the order of `docs/promises.md`."""

from __future__ import annotations

from tests.promises.claims import EFFECT, RESTORED, TOLD
from tests.promises.endings import CONVERGED, HONEST_END
from tests.promises.evidence import PROOF
from tests.promises.overwriting import NO_OVERWRITE, ONLY_OURS
from tests.promises.permits import DISK, GIVEN_UP, ONE_WRITER, STOP_COMMANDS
from tests.promises.processes import CHAIN, NO_CONTROL, NO_SECRETS, PINNED, SIGNALS
from tests.promises.promise import Promise
from tests.promises.rollback import ABSORBING, EXACT, GOES_ON, NO_FLAPPING
from tests.promises.shown import BLINDNESS, BOTH_SIDES, LANDING
from tests.promises.speed import SPEED
from tests.promises.steps import ALL_OR_HELD, APPROVED, DEADLINE, NOT_AGAIN
from tests.promises.writes import LADDER, WRITE_AHEAD

PROMISES: tuple[Promise, ...] = (
    CONVERGED, WRITE_AHEAD, PROOF, LADDER, ALL_OR_HELD, ONE_WRITER, NO_OVERWRITE, ONLY_OURS, EXACT, ABSORBING, DISK,
    LANDING, NO_FLAPPING, BLINDNESS, SIGNALS, CHAIN, PINNED, STOP_COMMANDS, SPEED, HONEST_END, NO_SECRETS, NO_CONTROL,
    GIVEN_UP, RESTORED, BOTH_SIDES, EFFECT, GOES_ON, TOLD, NOT_AGAIN, APPROVED, DEADLINE,
)  # fmt: skip

SEARCHED: tuple[Promise, ...] = tuple(promise for promise in PROMISES if promise.searched)
"""Those that a search over states can carry along; the others are asked of whole runs."""
