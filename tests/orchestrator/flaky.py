"""A way to a server that can be cut and mended, while the server keeps what it has."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_SORRY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Flaky:
    """Forwards TCP connections to `port` of this machine from a port of its own."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._cut = False
        self._sorry = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Connections break off, and new ones do as soon as they are made."""
        with self._lock:
            self._cut = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _end(*pair)

    def be_sorry(self) -> None:
        """Like `cut`, but over HTTP: whoever asks is told that the service is unavailable."""
        self._sorry = True
        self.cut()

    def mend(self) -> None:
        """All is well again."""
        with self._lock:
            self._cut = self._sorry = False

    def close(self) -> None:
        """The end."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                threading.Thread(target=self._refuse, args=(near,), daemon=True).start()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_forward, args=(source, sink), daemon=True).start()

    def _refuse(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._sorry:
                near.settimeout(1)
                near.recv(1 << 16)
                near.sendall(_SORRY)
        near.close()


@contextlib.contextmanager
def flaky(port: int) -> Iterator[Flaky]:
    """Open as long as the context is."""
    way = Flaky(port)
    try:
        yield way
    finally:
        way.close()


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
    _end(source, sink)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
