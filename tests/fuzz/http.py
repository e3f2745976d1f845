"""What a server answers: status, headers, ranges, redirects."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from unittest.mock import patch

from edgecodec.runtime import http_file, http_opener
from edgecodec.runtime.http_file import HttpFile

from .harness import Harness

NEXT = b"\n====\n"
"""Lies between what one connection answers and the next."""

_BLOCK = 64
_MOST_READS = 50


class _Local(socket.socket):
    """No TCP, whose options it takes."""

    def setsockopt(self, *_: object) -> None:  # type: ignore[override]
        return


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def run(data: bytes) -> str:
    """Opens a URL and reads its end, its beginning, and on."""
    answers = iter(data.split(NEXT))
    with ExitStack() as stack:
        # The other ends stay open till the end, or the request could not be sent.
        servers: list[socket.socket] = []

        def connect(*_: object, **__: object) -> socket.socket:
            answer = next(answers, None)
            if answer is None:
                raise ConnectionRefusedError("no more answers")
            here, there = socket.socketpair()
            servers.append(stack.enter_context(there))
            there.sendall(answer)
            there.shutdown(socket.SHUT_WR)
            return stack.enter_context(_Local(fileno=here.detach()))

        tls = _tls()
        stack.enter_context(patch.object(socket, "create_connection", connect))
        stack.enter_context(patch.object(http_opener.ssl, "create_default_context", lambda: tls))
        stack.enter_context(patch.object(http_opener, "ProxyHandler", _no_proxy))
        stack.enter_context(patch.object(http_file, "_BLOCK_BYTES", _BLOCK))
        stack.enter_context(patch.object(http_file, "_FIRST_PAUSE_S", 0))
        try:
            with HttpFile("http://example.com/clip.ecv", timeout=5) as file:
                return _read(file)
        except OSError as error:
            return type(error).__name__


def _no_proxy() -> object:
    from urllib.request import ProxyHandler

    return ProxyHandler({})


def _read(file: HttpFile) -> str:
    if not file.seekable():
        for _ in range(_MOST_READS):
            piece = file.read(100)
            assert len(piece) <= 100
            if not piece:
                return "flowed"
        return "flowing"
    size = file.seek(0, io.SEEK_END)
    for at, wanted in ((max(0, size - 16), 16), (0, 50), (50, 3 * _BLOCK), (size // 2, 90)):
        file.seek(at)
        assert len(file.read(wanted)) == max(0, min(wanted, size - at))
    return "sought"


def _answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _range(start: int, body: bytes, total: int) -> bytes:
    span = f"Content-Range: bytes {start}-{start + len(body) - 1}/{total}"
    return _answer("206 Partial Content", body, span, 'ETag: "a"')


def seeds() -> Iterator[bytes]:
    """Servers with and without ranges, of small and larger files; redirects and failures."""
    data = bytes(range(200))
    parts = [_range(start, data[start:end], 200) for start, end in ((0, 64), (128, 200), (64, 128))]
    yield NEXT.join(parts)
    yield NEXT.join((parts[0], parts[1][:-9], _range(191, data[191:], 200), parts[2]))
    yield _range(0, data[:40], 40)
    yield _answer("200 OK", data)
    yield _answer("416 Range Not Satisfiable", b"", "Content-Range: bytes */0")
    yield NEXT.join((_answer("503 Busy", b""), _answer("200 OK", data)))
    moved = _answer("302 Found", b"", "Location: /other.ecv")
    yield NEXT.join((moved, _answer("404 Not Found", b"gone")))
    yield NEXT.join((_answer("301 Moved", b"", "Location: https://example.com/x"), b""))
    chunked = "Transfer-Encoding: chunked"
    yield f"HTTP/1.1 200 OK\r\n{chunked}\r\n\r\n5\r\nhello\r\n0\r\n\r\n".encode()
    yield f"HTTP/1.1 200 OK\r\n{chunked}\r\n\r\n5\r\nhello\r\nzz\r\n".encode()
    yield _answer("200 OK", data)[:-50]
    unknown = _answer("206 Partial Content", data, "Content-Range: bytes 0-199/*")
    yield NEXT.join((unknown, _answer("200 OK", data)))


HARNESS = Harness(run, seeds, 2000)
