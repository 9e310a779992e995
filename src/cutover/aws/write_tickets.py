"""Which writes may still leave: a ticket for each, asked where its first byte would be written.

A write may hang for long before it leaves (credentials, signing, DNS, connect, TLS), in a thread that nobody can
stop. So it is not enough to look at the time before it is handed over: the ticket is asked again at the last
moment, and whoever gives the write up takes its ticket away. Either it has left then, or it never will.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from cutover.core.values import RouteId
from cutover.ports import Permit

GIVEN_UP: Final = "it was given up before it could be sent"
SUPERSEDED: Final = "a newer write of this route has begun"
SENT_ONCE: Final = "it was sent once already"
UNASKED: Final = "nobody permitted this write"

_here = threading.local()


class NotSentError(Exception):
    """A write that must not leave any more; not one byte of it was written."""


class Ticket:
    """One write's right to leave, given up at most once.

    Attributes:
        refused: why it did not leave; empty while it may, and after it has.
        lasting: as its permit says.
        on_its_way: a thread is sending it.
        left: its first byte may have been written.
    """

    def __init__(
        self, departures: Departures, route: RouteId, number: int, permit: Permit
    ) -> None:
        self._departures = departures
        self._route = route
        self._number = number
        self._permit = permit
        self.lasting = permit.lasting
        self._socket: Any = None
        self.on_its_way = False
        self.refused = ""
        self.left = False

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Inside, what this thread sends is this write."""
        before = ticket_here()
        _here.ticket, self.on_its_way = self, True
        try:
            yield
        finally:
            _here.ticket, self.on_its_way = before, False
            with self._departures.lock:
                sock, self._socket = self._socket, None
                _linger(sock, reset=False)  # answered: its connection goes back into the pool

    def check(self) -> None:
        """Say whether it may leave, as things are now.

        Raises:
            NotSentError: when it must not.
        """
        why = self._permit.refusal(self._route)
        with self._departures.lock:
            self._refuse(why)

    def leave(self, sock: Any) -> None:
        """Mark it as leaving on this socket, whose connection stands.

        Raises:
            NotSentError: when it must not; then nothing is to be written.
        """
        why = self._permit.refusal(self._route)
        with self._departures.lock:
            if self.left:
                raise NotSentError(SENT_ONCE)
            self._refuse(why)
            self.left = True
            self._departures.has_left(self._route, self._number)
            if not self.lasting:  # what is still on its way of a restore may arrive
                self._socket = sock
                _linger(sock, reset=True)

    def give_up(self) -> None:
        """It never leaves any more; one that has left and is unanswered loses its connection.

        A lasting one is let go on: it may leave whenever it can, before a newer one of its route.
        """
        if self.lasting:
            return
        with self._departures.lock:
            if not self.left:
                self.refused = self.refused or GIVEN_UP
            _wake(self._socket)

    def _refuse(self, why: str) -> None:
        if not self.refused and self._departures.passed(
            self._route, self._number, lasting=self.lasting
        ):
            why = SUPERSEDED
        self.refused = self.refused or why
        if self.refused:
            raise NotSentError(self.refused)


class Departures:
    """The tickets of one router: no write leaves after a newer one of its route has left, or even begun.

    A lasting one may still leave while the newer one has only begun, for that one may hang just as well.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._newest: dict[RouteId, int] = {}
        self._left: dict[RouteId, int] = {}

    def ticket(self, route: RouteId, permit: Permit) -> Ticket:
        """A ticket for the newest write of the route."""
        with self.lock:
            number = self._newest[route] = self._newest.get(route, 0) + 1
        return Ticket(self, route, number, permit)

    def passed(self, route: RouteId, number: int, *, lasting: bool) -> bool:
        """Whether a newer write of the route stands in the way; asked under the lock."""
        newest = self._left if lasting else self._newest
        return newest.get(route, number) > number

    def has_left(self, route: RouteId, number: int) -> None:
        """The write leaves now; said under the lock."""
        self._left[route] = max(number, self._left.get(route, 0))


def ticket_here() -> Ticket | None:
    """The ticket of the write that this thread sends; None while it sends none."""
    ticket: Ticket | None = getattr(_here, "ticket", None)
    return ticket


def permit_write(*, here: bool) -> None:
    """The wall for writes: none goes on without a ticket. `here` is the last place to ask, for no wire follows.

    Raises:
        NotSentError: when it must not go on.
    """
    ticket = ticket_here()
    if ticket is None:
        raise NotSentError(UNASKED)
    if here:
        ticket.leave(None)


def _linger(sock: Any, *, reset: bool) -> None:
    """While a write waits for its answer, whoever closes its connection resets it, for whatever reason.

    socket(7): with SO_LINGER on and a time of 0, close discards what is unsent and sends RST. So neither this
    machine's buffers nor a proxy that held the request delivers later what was given up.
    """
    with suppress(OSError, AttributeError):  # closed already, or none
        _plain(sock).setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(reset), 0)
        )


def _wake(sock: Any) -> None:
    """Let the thread that reads from it find its end, and close it.

    Only the reading side is shut down, for shutting down the writing side would still deliver what is buffered.
    The descriptor itself is left to the thread that uses it.
    """
    with suppress(OSError, TypeError):
        socket.socket.shutdown(_plain(sock), socket.SHUT_RD)


def _plain(sock: Any) -> Any:
    return getattr(sock, "socket", sock)  # urllib3's TLS within TLS
