"""A server of one's own behind a loopback endpoint: it keeps what arrives, and answers only when it is told to."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PATIENCE = 30.0

Answer = Callable[[bytes], bytes | None]
"""What a request (head and body) is answered with, byte for byte; None never answers."""


def http(body: bytes | str, status: str = "200 OK", **headers: str) -> bytes:
    """A whole response."""
    data = body.encode() if isinstance(body, str) else body
    named = {"Content-Type": "text/xml", "Content-Length": str(len(data)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n".encode() + data


@dataclass
class Peer:
    """Its requests so far, and how its connections ended."""

    answer: Answer
    tls: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    connected: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    shake: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        self.connected.set()
        spoken = connection
        try:
            if self.tls is not None:
                self.shake.wait(PATIENCE)
                spoken = self.tls.wrap_socket(connection, server_side=True)
            self._requests_of(spoken)
        except ConnectionResetError:
            self.endings.append("reset")
        except OSError as error:
            self.endings.append(type(error).__name__)
        finally:
            spoken.close()
            self.over.set()

    def _requests_of(self, connection: socket.socket) -> None:
        data = b""
        while True:
            more = connection.recv(65_536)
            if not more:
                self.endings.append("closed")
                return
            data += more
            if not _whole(data):
                continue
            self.requests.append(data)
            self.arrived.set()
            said, data = self.answer(data), b""
            if said is not None:
                connection.sendall(said)
                self.endings.append("answered")
                return

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"


@contextlib.contextmanager
def peer(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """A peer that listens while the block lasts."""
    found = Peer(answer, tls)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found.port = listening.getsockname()[1]
        threading.Thread(target=found.serve, args=(listening,), daemon=True).start()
        try:
            yield found
        finally:
            found.shake.set()
            listening.shutdown(socket.SHUT_RDWR)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that signs itself: its file, and what a server needs of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    began = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began.replace(year=2120))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "peer.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


def _whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return len(body) >= int(value)
    return True
