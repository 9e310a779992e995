"""A relay of raw TCP before the witness: it can keep what a client sent, and pass it on only later."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.parse

PATIENCE = 300.0


class Relay:
    """Passes requests on, one a connection.

    Attributes:
        held: set once a write is kept back.
        reset: set when the client of the kept write reset its connection.
        passed_on: set when the kept write went on its way after all.
    """

    def __init__(self, url: str) -> None:
        self._target = urllib.parse.urlsplit(url)
        self._hold = False
        self._lock = threading.Lock()
        self.held = threading.Event()
        self.reset = threading.Event()
        self.passed_on = threading.Event()
        self.release = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def hold_the_next_write(self) -> None:
        with self._lock:
            self._hold = True

    def close(self) -> None:
        self.release.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client:
            client.settimeout(PATIENCE)
            request = b""
            while not _whole(request):
                more = client.recv(65_536)
                if not more:
                    return
                request += more
            if b"Action=Modify" in request and self._taken():
                self.held.set()
                if self._given_up(client):
                    self.reset.set()
                    return
                self.passed_on.set()
            with socket.create_connection((self._target.hostname, self._target.port)) as there:
                there.settimeout(PATIENCE)
                there.sendall(request)
                with contextlib.suppress(OSError):
                    while answer := there.recv(65_536):
                        client.sendall(answer)

    def _taken(self) -> bool:
        with self._lock:
            taken, self._hold = self._hold, False
            return taken

    def _given_up(self, client: socket.socket) -> bool:
        """Whether the client reset its connection before it was let go; one that only closed it still wants its request."""
        client.settimeout(0.1)
        while not self.release.is_set():
            try:
                if client.recv(1) == b"":
                    self.release.wait(PATIENCE)
            except TimeoutError:
                continue
            except ConnectionResetError:
                return True
        client.settimeout(PATIENCE)
        return False


def _whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return len(body) >= int(value)
    return True
