"""What a rehearsed AWS received and did, told to whoever wants to hold the run against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cutover.emulator.balancer import Balancer
from cutover.emulator.responses import Call

Actions = Sequence[Mapping[str, Any]]


class Witness:
    """Hears everything; as it stands it keeps nothing.

    The number of a change is the same in `sent`, `took` and `replied`.
    """

    def begins(self, balancer: Balancer, now_ms: Callable[[], int]) -> None:
        """The emulated AWS stands, and nothing of the run has happened yet."""

    def calling(self, call: Call) -> None:
        """A call of the run is about to reach AWS."""

    def sent(self, number: int, route: str, actions: Actions) -> None:
        """A change of a route left the machine, whatever becomes of it."""

    def took(self, number: int, route: str) -> None:
        """AWS carried the change out: at once, or long after."""

    def replied(self, number: int, route: str, answer: str) -> None:
        """The sender was told that it is `applied` or `refused`, that it has other weights (`mismatch`), or nothing (`lost`)."""

    def changed(self, route: str) -> None:
        """Somebody else changed the route."""

    def answered(self, call: Call, body: Mapping[str, Any] | None) -> None:
        """A read was answered with this body; None when it failed."""

    def met(self, kind: str, operation: str) -> None:
        """A call met a scripted fault."""
