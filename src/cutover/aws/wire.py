"""The guard on the wire: connections of botocore that ask a write's ticket before its first byte.

botocore's `before-send` event comes before resolution, connect, the proxy's CONNECT and TLS; each can hang. These
connections stand first and ask then. `http.client` documents the order: a request's headers are written by
`endheaders`, and the CONNECT of a tunnel by `connect`.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from cutover.aws.endpoint_policy import WRITES
from cutover.aws.write_tickets import Departures, NotSentError, ticket_here
from cutover.core.values import RouteId
from cutover.ports import Permit

_BEFORE_SEND: Final = "before-send.elastic-load-balancing-v2"


class _Guarded:
    """Before botocore's connection classes: connect, ask, and only then write."""

    sock: Any

    def endheaders(self, *args: Any, **kwargs: Any) -> Any:
        ticket = ticket_here()
        if ticket is not None:
            if self.sock is None:
                self.connect()  # type: ignore[attr-defined]
            ticket.leave(self.sock)
        return super().endheaders(*args, **kwargs)  # type: ignore[misc]


class GuardedConnection(_Guarded, AWSHTTPConnection):  # type: ignore[misc]  # the stubs of botocore differ from urllib3's
    """Plain HTTP."""


class GuardedTlsConnection(_Guarded, AWSHTTPSConnection):  # type: ignore[misc]
    """HTTP over TLS."""


class GuardedPool(AWSHTTPConnectionPool):
    """Connections of plain HTTP."""

    ConnectionCls = GuardedConnection


class GuardedTlsPool(AWSHTTPSConnectionPool):
    """Connections of HTTP over TLS."""

    ConnectionCls = GuardedTlsConnection


def guard(client: Any) -> str:
    """Put the guard into a client of ELBv2; why it cannot hold, or nothing.

    A write is also asked before botocore resolves anything. Where the guard cannot hold that is the last time, and the
    write counts as having left.
    """
    broken = _install(client)

    def before_send(event_name: str, **_: Any) -> None:
        ticket = ticket_here()
        if ticket is None or event_name.rsplit(".", 1)[-1] not in WRITES:
            return
        if broken:
            ticket.leave(None)
        else:
            ticket.check()

    client.meta.events.register_first(_BEFORE_SEND, before_send)
    return broken


def _install(client: Any) -> str:
    try:
        session = client._endpoint.http_session  # noqa: SLF001  # botocore has no public way to its connections
        session._pool_classes_by_scheme.update(http=GuardedPool, https=GuardedTlsPool)  # noqa: SLF001
        pool = session._manager.connection_from_url(client.meta.endpoint_url)  # noqa: SLF001
        used = pool.ConnectionCls
    except AttributeError as error:
        return f"this botocore keeps its connections elsewhere ({error})"
    if used not in (GuardedConnection, GuardedTlsConnection):
        return f"this botocore makes its connections as {used.__name__}"
    return "" if _holds(used) else "this botocore writes requests past the guard"


class _Never(Permit):
    def refusal(self, route: RouteId) -> str:
        return "never"


def _holds(connection: type[Any]) -> bool:
    """Tried out on a pair of sockets: a refused request writes nothing."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        trial = connection("localhost")
        trial.sock = ours
        ticket = Departures().ticket(RouteId(""), _Never())
        try:
            with ticket.sending():
                trial.request("POST", "/", body=b"x", headers={})
        except NotSentError:
            pass
        else:
            return False
        try:
            return not theirs.recv(1)
        except BlockingIOError:
            return True
